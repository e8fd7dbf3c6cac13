"""Where an expert's weights begin in memory."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .config import UnitConfig
from .residency import key_layout
from .settings import settings_layout


class ExpertAddress(wiring.Component):
    """Computes `base + layer * layer_stride + expert * expert_stride`.

    Latency: `latency` = 3 cycles after the key and the settings are stable. Throughput: one a cycle.

    Members
    -------
    key : In(key_layout(config))
    settings : In(settings_layout(config))
    address : Out(64)
    """

    latency = 3

    def __init__(self, *, config: UnitConfig):
        super().__init__(
            {
                "key": In(key_layout(config)),
                "settings": In(settings_layout(config)),
                "address": Out(64),
            }
        )

    def elaborate(self, platform):
        """Elaborate."""
        m = Module()
        s1_layer, s1_expert, s2_offset = Signal(64), Signal(64), Signal(64)
        m.d.sync += [
            s1_layer.eq(self.key.layer * self.settings.layer_stride),
            s1_expert.eq(self.key.expert * self.settings.expert_stride),
            s2_offset.eq(s1_layer + s1_expert),
            self.address.eq(self.settings.base + s2_offset),
        ]
        return m
