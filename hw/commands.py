"""Commands that software gives the unit, one at a time, and their port."""

from enum import IntEnum

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .config import UnitConfig


class Command(IntEnum):
    """What is to be done: the bits of register COMMAND, in order. `layer` and `expert` count where named."""

    QUIESCE = 0
    """Stop queueing and issuing prefetches."""
    RESUME = 1
    """End a quiesce."""
    FLUSH = 2
    """Empty the prefetch queue."""
    INVALIDATE_ALL = 3
    """Free every resident slot that is not pinned by the open event."""
    INVALIDATE_LAYER = 4
    """The same for the slots of `layer`."""
    INVALIDATE_KEY = 5
    """The same for `expert` of `layer`."""
    PIN_KEY = 6
    """Keep `expert` of `layer` resident until it is unpinned."""
    UNPIN_KEY = 7
    """Undo a pin."""


class CommandSignature(wiring.Signature):
    """A command, seen from the register bank.

    `valid` rises with `kind`, `layer` and `expert`, and all stay until the cycle in which `done` is 1, which
    may be the first. `valid` is 0 in the cycle after `done`.
    """

    def __init__(self, config: UnitConfig):
        super().__init__(
            {
                "valid": Out(1),
                "kind": Out(Command),
                "layer": Out(config.layer_bits),
                "expert": Out(config.expert_bits),
                "done": In(1),
            }
        )
