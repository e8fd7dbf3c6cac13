"""Payloads and signatures of the unit's ports, inside and out; widths follow a `UnitConfig`."""

from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .config import EVENT_BITS, SCORE_BITS, UnitConfig, bits_for
from .records import RECORD_FIELDS, Fill, GrantStatus
from .row_layout import paged_layout
from .segment_layout import SEGMENT_WORDS

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


def transfer_key(config: UnitConfig) -> dict[str, int]:
    """Return what goes with a transfer so that its end needs no directory: its expert, if the unit has parity."""
    return {"layer": config.layer_bits, "expert": config.expert_bits} if config.parity else {}


def piece_layout(config: UnitConfig) -> data.StructLayout:
    """Return a stretch of memory: `beats` bus words from `address`, a multiple of `bus_bytes`."""
    return data.StructLayout({"address": 64, "beats": bits_for(config.slot_beats + 1)})


def descriptor_layout(config: UnitConfig) -> data.StructLayout:
    """Return a DMA descriptor: fetch `beats` bus words from `address` into `slot`.

    With `segments` > 1 only the first `piece_beats` of them lie there, the others in the pieces of `more`, in order, up
    to the first of 0 beats; a `refused` one is not fetched and fails.
    """
    pieces = {}
    if config.segments > 1:
        more = data.ArrayLayout(piece_layout(config), config.segments - 1)
        pieces = {"piece_beats": bits_for(config.slot_beats + 1), "more": more, "refused": 1}
    return data.StructLayout(
        {
            "address": 64,
            "beats": bits_for(config.slot_beats + 1),
            "slot": config.slot_bits,
            **transfer_key(config),
        }
        | pieces
    )


def status_layout(config: UnitConfig) -> data.StructLayout:
    """Return the end of a transfer. `drained` means it had been aborted; `fill` is then meaningless."""
    return data.StructLayout(
        {
            "slot": config.slot_bits,
            "fill": Fill,
            "drained": 1,
            **transfer_key(config),
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
        super().__init__(_axi4_read(config, id_bits=1))


class Axi4Signature(wiring.Signature):
    """All five AXI4 channels, seen from the master; RREADY and BREADY are always 1. ID 2 is tables, else as above."""

    def __init__(self, config: UnitConfig):
        super().__init__(_axi4_read(config, id_bits=2) | {
            "awvalid": Out(1), "awready": In(1), "awaddr": Out(64), "awid": Out(2), "awlen": Out(8),
            "awsize": Out(3), "awburst": Out(2), "awlock": Out(1), "awcache": Out(4), "awprot": Out(3), "awqos": Out(4),
            "wvalid": Out(1), "wready": In(1), "wdata": Out(config.bus_bytes * 8), "wstrb": Out(config.bus_bytes),
            "wlast": Out(1),
            "bvalid": In(1), "bready": Out(1), "bid": In(2), "bresp": In(2),
        })  # fmt: skip


def _axi4_read(config: UnitConfig, *, id_bits: int) -> dict[str, wiring.Member]:
    return {
        "arvalid": Out(1), "arready": In(1), "araddr": Out(64), "arid": Out(id_bits), "arlen": Out(8),
        "arsize": Out(3), "arburst": Out(2), "arlock": Out(1), "arcache": Out(4), "arprot": Out(3), "arqos": Out(4),
        "rvalid": In(1), "rready": Out(1), "rid": In(id_bits), "rdata": In(config.bus_bytes * 8), "rresp": In(2),
        "rlast": In(1),
    }  # fmt: skip


def memory_signature(config: UnitConfig) -> wiring.Signature:
    """Return the unit's memory port, seen from the unit: with write channels only if it pages its tables."""
    return Axi4Signature(config) if config.pages_tables else Axi4ReadSignature(config)


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

    `ready` is 0 while the predictor is learning or predicting; `read` and `write` count only with it. Where tables are
    paged, `request` asks for the page of `layer` and stays until the access is made; `ready` waits for that page.
    """

    def __init__(self, config: UnitConfig):
        super().__init__(
            ({"request": Out(1)} if config.table_window else {})
            | {
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


def page_request_layout(config: UnitConfig) -> data.StructLayout:
    """Return a burst of a table's page: `length` + 1 bus words from word `word` of page number `page`."""
    layout = paged_layout(config)
    return data.StructLayout(
        {
            "write": 1,
            "page": layout.page_bits,
            "word": bits_for(layout.words),
            "length": bits_for(layout.burst_words),
        }
    )


class PageBusSignature(wiring.Signature):
    """Words of tables on their way to and from memory, seen from the predictor; one burst at a time.

    After `request` is taken, a read brings its words on `read_valid` and `read_data`, in order and at any time, 0 in
    place of a word that came with an error; a write takes its words from `write`. Then `done` pulses, with `error` if
    memory answered with one; a read's last word may come with it.
    """

    def __init__(self, config: UnitConfig):
        super().__init__(
            {
                "request": Out(stream.Signature(page_request_layout(config))),
                "write": Out(stream.Signature(config.bus_bytes * 8)),
                "read_valid": In(1),
                "read_data": In(config.bus_bytes * 8),
                "done": In(1),
                "error": In(1),
            }
        )


def page_control_layout() -> data.StructLayout:
    """Return what governs paging; it acts at once, as tables belong to no step.

    `enable`: tables are in use. `quiesced`: no table stays on chip. `retries`: bursts that are repeated after an error,
    in a row. `burst_beats`: longest burst.
    """
    return data.StructLayout({"enable": 1, "quiesced": 1, "retries": 4, "burst_beats": bits_for(MAX_BURST_BEATS + 1)})


def page_pulses_layout(config: UnitConfig) -> data.StructLayout:
    """Return what a predictor tells of its pages: one bit for each counter of the same name."""
    names = ("loads", "ahead", "late", "wait", "errors", "retries", "lost", *(("hits",) if config.weight_ways else ()))
    return data.StructLayout({f"table_{name}": 1 for name in names})


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


class SegmentPortSignature(wiring.Signature):
    """Access to a word of the segment table, seen from the user: base (low, high), stride, beats.

    A write is made in its cycle. `read` and the place stay until `done`, the cycle in which `read_data` is valid; the
    walk for an expert goes first.
    """

    def __init__(self, config: UnitConfig):
        super().__init__(
            {
                "layer": Out(config.layer_bits),
                "segment": Out(config.segment_bits),
                "word": Out(bits_for(SEGMENT_WORDS)),
                "write": Out(1),
                "data": Out(32),
                "read": Out(1),
                "done": In(1),
                "read_data": In(32),
            }
        )


def event_stream(config: UnitConfig) -> stream.Signature:
    """Return the stream on which predictors receive events."""
    return stream.Signature(member_layout(config))


def candidate_stream(config: UnitConfig) -> stream.Signature:
    """Return the stream on which predictors name candidates."""
    return stream.Signature(candidate_layout(config))
