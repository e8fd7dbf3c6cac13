"""Payloads and signatures of the unit's ports, inside and out; widths follow a `UnitConfig`."""

from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .config import EVENT_BITS, SCORE_BITS, UnitConfig, bits_for
from .records import RECORD_FIELDS, Fill, GrantStatus

MAX_BURST_BEATS = 256
"""AXI4's limit on an INCR burst."""


def route_layout(config: UnitConfig) -> data.StructLayout:
    """Return a router beat: one selected expert, best score first per token."""
    return data.StructLayout(
        {
            "layer": config.layer_bits,
            "expert": config.expert_bits,
            "score": SCORE_BITS,
            "token_last": 1,
            "last": 1,
            "sequence_start": 1,
        }
    )


def hint_layout(config: UnitConfig) -> data.StructLayout:
    """Return a hint beat: `expert` is expected in the next event of `layer`."""
    return data.StructLayout(
        {
            "layer": config.layer_bits,
            "expert": config.expert_bits,
            "score": SCORE_BITS,
            "last": 1,
        }
    )


def grant_layout(config: UnitConfig) -> data.StructLayout:
    """Return a grant, and a release: the same grant given back once the expert's weights are used."""
    return data.StructLayout(
        {
            "layer": config.layer_bits,
            "expert": config.expert_bits,
            "slot": config.slot_bits,
            "status": GrantStatus,
        }
    )


def member_layout(config: UnitConfig) -> data.StructLayout:
    """Return a beat of an event as the predictors see it, live from the intake.

    `member` is 0 on a beat that carries no expert: a last router beat that was a duplicate or truncated.
    """
    return data.StructLayout(
        {
            "event": EVENT_BITS,
            "layer": config.layer_bits,
            "expert": config.expert_bits,
            "score": SCORE_BITS,
            "sequence_start": 1,
            "member": 1,
            "last": 1,
        }
    )


def candidate_layout(config: UnitConfig) -> data.StructLayout:
    """Return a candidate: `expert` is expected in `layer` at event number `target`."""
    return data.StructLayout(
        {
            "target": EVENT_BITS,
            "layer": config.layer_bits,
            "expert": config.expert_bits,
            "score": SCORE_BITS,
            "source": 1,
            "last": 1,
        }
    )


def descriptor_layout(config: UnitConfig) -> data.StructLayout:
    """Return a DMA descriptor: fetch `beats` bus words from `address` (4 KiB aligned) into `slot`."""
    return data.StructLayout(
        {
            "address": 64,
            "beats": bits_for(config.slot_beats + 1),
            "slot": config.slot_bits,
        }
    )


def status_layout(config: UnitConfig) -> data.StructLayout:
    """Return the end of a transfer. `drained` means it had been aborted; `fill` is then meaningless."""
    return data.StructLayout(
        {
            "slot": config.slot_bits,
            "fill": Fill,
            "drained": 1,
        }
    )


def record_layout() -> data.StructLayout:
    """Return a commit log record, see `records`."""
    return data.StructLayout(dict(RECORD_FIELDS))


class SinkSignature(wiring.Signature):
    """Fetched words on their way to a slot; the sink takes one a cycle, always."""

    def __init__(self, config: UnitConfig):
        super().__init__(
            {
                "valid": Out(1),
                "slot": Out(config.slot_bits),
                "beat": Out(bits_for(config.slot_beats)),
                "data": Out(config.bus_bytes * 8),
            }
        )


class SlotReadSignature(wiring.Signature):
    """A processing element's read port, seen from the reader.

    `valid` asks for word `beat` of `slot`; with `ready` it is taken, and `data` holds the word in the next cycle.
    """

    def __init__(self, config: UnitConfig):
        super().__init__(
            {
                "valid": Out(1),
                "ready": In(1),
                "slot": Out(config.slot_bits),
                "beat": Out(bits_for(config.slot_beats)),
                "data": In(config.bus_bytes * 8),
            }
        )


class Axi4ReadSignature(wiring.Signature):
    """AXI4 read channels, seen from the master; RREADY is always 1. ID 0 is prefetch, 1 is demand."""

    def __init__(self, config: UnitConfig):
        super().__init__({
            "arvalid": Out(1), "arready": In(1), "araddr": Out(64), "arid": Out(1), "arlen": Out(8),
            "arsize": Out(3), "arburst": Out(2), "arlock": Out(1), "arcache": Out(4), "arprot": Out(3), "arqos": Out(4),
            "rvalid": In(1), "rready": Out(1), "rid": In(1), "rdata": In(config.bus_bytes * 8), "rresp": In(2),
            "rlast": In(1),
        })  # fmt: skip


class Axi4LiteSignature(wiring.Signature):
    """AXI4-Lite with 32-bit data and 12-bit addresses, seen from the master."""

    def __init__(self):
        super().__init__({
            "awvalid": Out(1), "awready": In(1), "awaddr": Out(12), "awprot": Out(3),
            "wvalid": Out(1), "wready": In(1), "wdata": Out(32), "wstrb": Out(4),
            "bvalid": In(1), "bready": Out(1), "bresp": In(2),
            "arvalid": Out(1), "arready": In(1), "araddr": Out(12), "arprot": Out(3),
            "rvalid": In(1), "rready": Out(1), "rdata": In(32), "rresp": In(2),
        })  # fmt: skip


class TableSignature(wiring.Signature):
    """Access to one CCT entry, seen from the user: a read answers two cycles after `read`.

    `ready` is 0 while the predictor is learning or predicting; `read` and `write` count only with it.
    """

    def __init__(self, config: UnitConfig):
        super().__init__(
            {
                "layer": Out(config.layer_bits),
                "row": Out(config.expert_bits),
                "entry": Out(bits_for(config.max_top_k)),
                "read": Out(1),
                "write": Out(1),
                "expert": Out(config.expert_bits),
                "confidence": Out(2),
                "ready": In(1),
                "read_expert": In(config.expert_bits),
                "read_confidence": In(2),
            }
        )


QUAD = 4
"""Weights that an access through a `WeightPortSignature` moves, a byte each."""


class WeightPortSignature(wiring.Signature):
    """Access to four neighbouring weights of a row of predictor `weights`, seen from the user.

    `request` and all with it stay until `done`, the cycle in which a write is made and `read_data` valid. Weights are
    signed bytes, the lowest expert in the lowest byte; a written one counts in its low `weight_bits` bits.
    """

    def __init__(self, config: UnitConfig):
        super().__init__(
            {
                "layer": Out(config.layer_bits),
                "source": Out(bits_for(len(config.weight_sources))),
                "row": Out(config.expert_bits),
                "quad": Out(bits_for(-(-config.max_experts // QUAD))),
                "request": Out(1),
                "write": Out(1),
                "data": Out(8 * QUAD),
                "done": In(1),
                "read_data": In(8 * QUAD),
            }
        )


def event_stream(config: UnitConfig) -> stream.Signature:
    """Return the stream on which predictors receive events."""
    return stream.Signature(member_layout(config))


def candidate_stream(config: UnitConfig) -> stream.Signature:
    """Return the stream on which predictors name candidates."""
    return stream.Signature(candidate_layout(config))
