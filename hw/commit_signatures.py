"""What the commit port is connected to, each signature seen as its docstring says."""

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .config import EVENT_BITS, UnitConfig, bits_for
from .prefetch_queue import queue_entry_layout


class SlotPulseSignature(wiring.Signature):
    """A one-cycle order about the transfer that fills `slot`, seen from who gives it."""

    def __init__(self, config: UnitConfig):
        super().__init__({"valid": Out(1), "slot": Out(config.slot_bits)})


class PrefetchRequestSignature(wiring.Signature):
    """The DMA's unfinished prefetch request, seen from the DMA."""

    def __init__(self, config: UnitConfig):
        super().__init__(
            {
                "valid": Out(1),
                "slot": Out(config.slot_bits),
                "promoted": Out(1),
                "most_left": Out(1),
            }
        )


class IntakeSignature(wiring.Signature):
    """The closed event, seen from the event intake; members are read one cycle after `member_index`."""

    def __init__(self, config: UnitConfig):
        count = bits_for(config.max_experts + 1)
        super().__init__(
            {
                "closed": Out(1),
                "layer": Out(config.layer_bits),
                "sequence_start": Out(1),
                "n_members": Out(count),
                "member_index": In(config.expert_bits),
                "member_expert": Out(config.expert_bits),
                "query_expert": In(config.expert_bits),
                "query_member": Out(1),
                "event_end": In(1),
            }
        )


class QueueSignature(wiring.Signature):
    """The prefetch queue, seen from the commit port; the answers to `entry` come a cycle later.

    `entry` stays through the cycle after `insert`.
    """

    def __init__(self, config: UnitConfig):
        super().__init__(
            {
                "insert": Out(1),
                "entry": Out(queue_entry_layout(config)),
                "found": In(1),
                "drop_self": In(1),
                "drop_last": In(1),
                "head_valid": In(1),
                "head": In(queue_entry_layout(config)),
                "due": In(1),
                "pop": Out(1),
                "flush": Out(1),
                "level": In(bits_for(config.queue_depth + 1)),
            }
        )


class MissQueueSignature(wiring.Signature):
    """The demand queue of the open event's misses, seen from the commit port."""

    def __init__(self, config: UnitConfig):
        super().__init__(
            {
                "push": Out(1),
                "pushed": Out(config.expert_bits),
                "pop": Out(1),
                "head_valid": In(1),
                "head": In(config.expert_bits),
                "empty": In(1),
            }
        )


class BudgetSignature(wiring.Signature):
    """The budget of a target event, seen from the commit port."""

    def __init__(self):
        super().__init__({"target": Out(EVENT_BITS), "exhausted": In(1), "count_up": Out(1)})
