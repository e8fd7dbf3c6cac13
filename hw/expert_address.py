"""Where an expert's weights begin in memory."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from .config import UnitConfig
from .key_map import key_layout
from .register_map import PAGE_BYTES
from .settings import settings_layout

PAGE_BITS = exact_log2(PAGE_BYTES)
FACTOR_BITS = 18
"""Of a stride at a time: no more than one multiplier of an FPGA takes."""


class ExpertAddress(wiring.Component):
    """Computes `base + layer * layer_stride + expert * expert_stride`; strides are whole pages of 4 KiB.

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
        s2_offset = Signal(64)
        factors = ((self.key.layer, self.settings.layer_stride), (self.key.expert, self.settings.expert_stride))
        s1_products = []
        for index, stride in factors:
            for low in range(PAGE_BITS, len(stride), FACTOR_BITS):
                part = stride[low : low + FACTOR_BITS]
                product = Signal(len(index) + len(part), name=f"s1_product_{len(s1_products)}")
                m.d.sync += product.eq(index * part)
                s1_products.append(product << low)
        m.d.sync += [s2_offset.eq(sum(s1_products)), self.address.eq(self.settings.base + s2_offset)]
        return m
