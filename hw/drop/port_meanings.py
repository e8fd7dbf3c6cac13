"""What each port of the unit is for: its interface, and the signal's part in it."""

from __future__ import annotations

from typing import NamedTuple


class Interface(NamedTuple):
    """Ports that belong together: how their names begin, what they are, and what each is, by the rest of its name."""

    prefix: str
    text: str
    signals: dict[str, str]


_STREAM = {"valid": "a beat is offered", "ready": "it is taken in this cycle"}
_GRANT = {"layer": "MoE layer", "expert": "expert", "slot": "slot that holds it",
          "status": "0 hit, 1 late, 2 miss, 3 error (no data)"}  # fmt: skip
_CHANNELS = {"aw": "write address", "w": "write data", "b": "write response", "ar": "read address", "r": "read data"}

INTERFACES = (
    Interface("clk", "Clock and reset", {"": "clock, rising edge"}),
    Interface("rst", "Clock and reset", {"": "reset, synchronous, high"}),
    Interface("route", "Router: one selected expert a beat, best score first within a token", {
        "layer": "MoE layer of the event", "expert": "selected expert", "score": "its score, not looked at",
        "token_last": "last expert of its token", "last": "last beat of the event",
        "sequence_start": "on the first beat: a sequence begins", **_STREAM,
    }),
    Interface("hint", "Hints: one expected expert a beat; tie `hint_valid` to 0 without a source", {
        "layer": "MoE layer that is expected to select it", "expert": "expected expert", "score": "its score",
        "last": "last hint for this layer", **_STREAM,
    }),
    Interface("grant", "Grants: an expert lies in a slot now", {**_GRANT, **_STREAM}),
    Interface("release", "Releases: each grant given back, with the same payload, in any order", {
        **dict.fromkeys(_GRANT, "as granted"), **_STREAM,
    }),
    Interface("read", "Reads of granted slots, a port for each processing element", {
        "valid": "a word is asked for", "ready": "the read is taken; its word comes in the next cycle",
        "slot": "granted slot", "beat": "bus word of it", "data": "the word, for one cycle",
    }),
    Interface("m_axi", "AXI4 read master to the experts' memory", {}),
    Interface("s_axil", "AXI4-Lite slave: registers", {}),
    Interface("irq", "Interrupt", {"": "level, high while an enabled cause is set"}),
    Interface("record", "Commit log, simulation only", {"": "the record", "valid": "a record is there"}),
)  # fmt: skip


def interface_of(port: str) -> Interface:
    """Return the interface that a port belongs to. Raises KeyError for a port of none."""
    for interface in INTERFACES:
        if port == interface.prefix or port.startswith(f"{interface.prefix}_"):
            return interface
    raise KeyError(port)


def meaning_of(port: str) -> str:
    """Return what a port is; of AXI ports the channel."""
    interface = interface_of(port)
    rest = port.removeprefix(interface.prefix).lstrip("_0123456789I")
    if interface.signals:
        return interface.signals[rest]
    return next(f"{channel} channel" for name, channel in _CHANNELS.items() if rest.startswith(name))
