"""Where the pieces of an expert lie: the segment table, and its walk for one expert."""

from amaranth import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from .config import UnitConfig, bits_for
from .expert_address import ExpertAddress
from .interfaces import SegmentPortSignature, piece_layout
from .key_map import key_layout
from .segment_layout import SEGMENT_WORDS, STRIDE_BITS
from .settings import settings_layout

WORD_BITS = 32


class WalkSignature(wiring.Signature):
    """A walk's question and answer, seen from who asks; the question must be stable from `start` until `done`.

    Members
    -------
    start, key, settings
        The expert, and how experts are laid out.
    done, pieces, refused
        From `done` on until the next `start`: the pieces in slot order, those of 0 beats at the end; whether they fail
        to add up to `expert_beats`.
    """

    def __init__(self, config: UnitConfig):
        super().__init__(
            {
                "start": Out(1),
                "key": Out(key_layout(config)),
                "settings": Out(settings_layout(config)),
                "done": In(1),
                "pieces": In(data.ArrayLayout(piece_layout(config), config.segments)),
                "refused": In(1),
            }
        )


class SegmentWalk(wiring.Component):
    """Holds each layer's segments {base, stride, beats} and computes an expert's pieces, `base + expert * stride`.

    Without `segment_enable` an expert is one piece where `ExpertAddress` says. The table begins as zeros, that is,
    every transfer is refused.

    Latency: `latency` = 4 cycles from `start` to `done`, and one for each further segment of the capacity, used or
    not. Throughput: one walk at a time; a register's read waits for the walk's.

    Parameters
    ----------
    config : UnitConfig
        `segments` of a layer, 2 or more.

    Members
    -------
    walk : In(WalkSignature)
    port : In(SegmentPortSignature)
        Register access.
    """

    def __init__(self, *, config: UnitConfig):
        self._config = config
        super().__init__({"walk": In(WalkSignature(config)), "port": In(SegmentPortSignature(config))})

    def latency(self, *, enabled: bool) -> int:
        """Return the cycles from `start` to `done`."""
        return 4 + (self._config.segments - 1) * enabled

    def elaborate(self, platform):
        """Elaborate."""
        m = Module()
        config, walk = self._config, self.walk
        m.submodules.contiguous = contiguous = ExpertAddress(config=config)
        m.d.comb += [contiguous.key.eq(walk.key), contiguous.settings.eq(walk.settings)]
        segment = data.StructLayout({"base": 64, "stride": STRIDE_BITS, "beats": WORD_BITS})
        valid, last, word = self._read(m)
        s1_valid, s1_last = Signal(), Signal()
        s2_valid, s2_last, s2_segment = Signal(), Signal(), Signal(segment)
        s3_valid, s3_last, s3_base, s3_offset = Signal(), Signal(), Signal(64), Signal(64)
        piece = Signal(piece_layout(config))
        s3_beats = Signal.like(piece.beats)
        m.d.sync += [
            s1_valid.eq(valid),
            s1_last.eq(last),
            s2_valid.eq(s1_valid),
            s2_last.eq(s1_last),
            s2_segment.eq(word),
            s3_valid.eq(s2_valid),
            s3_last.eq(s2_last),
            s3_base.eq(s2_segment.base),
            s3_offset.eq(walk.key.expert * s2_segment.stride),
            s3_beats.eq(s2_segment.beats),
        ]
        m.d.comb += [piece.address.eq(s3_base + s3_offset), piece.beats.eq(s3_beats)]
        with m.If(~walk.settings.segment_enable):
            m.d.comb += [piece.address.eq(contiguous.address), piece.beats.eq(walk.settings.expert_beats)]
        self._collect(m, s3_valid, s3_last, piece)
        return m

    def _read(self, m):
        """Read a layer's segments, one a cycle; return {valid, last} of the read, and its word one cycle later."""
        config, walk, port = self._config, self.walk, self.port
        memory = Memory(
            shape=unsigned(SEGMENT_WORDS * WORD_BITS), depth=config.max_layers << config.segment_bits, init=[]
        )
        m.submodules.table = memory
        write, read = memory.write_port(granularity=WORD_BITS), memory.read_port()
        walking, place = Signal(), Signal(config.segment_bits)
        valid, last, answered = Signal(), Signal(), Signal()
        asked_word = Signal.like(port.word)
        m.d.comb += [
            write.addr.eq(Cat(port.segment, port.layer)),
            write.data.eq(port.data.replicate(SEGMENT_WORDS)),
            write.en.eq(Mux(port.write, 1 << port.word, 0)),
            valid.eq(walk.start | walking),
            last.eq(Mux(walking, place == config.segments - 1, ~walk.settings.segment_enable)),
            read.en.eq(valid | port.read),
            read.addr.eq(Mux(valid, Cat(Mux(walking, place, 0), walk.key.layer), write.addr)),
            port.done.eq(answered),
            port.read_data.eq(read.data.word_select(asked_word, WORD_BITS)),
        ]
        m.d.sync += [
            answered.eq(port.read & ~valid & ~answered),
            asked_word.eq(port.word),
            walking.eq(valid & ~last),
            place.eq(Mux(walking, place + 1, 1)),
        ]
        return valid, last, read.data

    def _collect(self, m, valid, last, piece):
        """Keep the pieces that have beats, and the sum of their beats."""
        config, walk = self._config, self.walk
        kept = Signal(bits_for(config.segments))
        total = Signal(len(piece.beats) + config.segment_bits)
        with m.If(walk.start):
            m.d.sync += [kept.eq(0), total.eq(0), walk.done.eq(0)]
            m.d.sync += [walk.pieces[index].beats.eq(0) for index in range(config.segments)]
        with m.Elif(valid):
            m.d.sync += [total.eq(total + piece.beats), walk.done.eq(last)]
            with m.If(piece.beats != 0):
                m.d.sync += [walk.pieces[kept].eq(piece), kept.eq(kept + 1)]
        m.d.comb += walk.refused.eq(total != walk.settings.expert_beats)
