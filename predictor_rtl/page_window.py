"""Page window: which layers' tables are on chip, and which comes or goes next."""

from typing import TYPE_CHECKING, Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..hw.config import UnitConfig, bits_for
from ..hw.interfaces import page_control_layout

EVENT_PAGES = 2
"""Pages that an event works on: the home's and the next layer's."""


def page_layout(config: UnitConfig) -> data.StructLayout:
    """Return what a bank holds: the whole table of `layer`, if `valid`."""
    return data.StructLayout({"valid": 1, "layer": config.layer_bits})


def held_layout(config: UnitConfig) -> data.ArrayLayout:
    """Return what all banks hold; no layer is in two of them."""
    return data.ArrayLayout(page_layout(config), config.table_window)


def choice_layout(config: UnitConfig) -> data.StructLayout:
    """Return what is to be done: give up what `bank` holds; with `load` then fetch the page of `layer` into it."""
    return data.StructLayout({"valid": 1, "load": 1, "bank": bits_for(config.table_window), "layer": config.layer_bits})


class PageWindow(wiring.Component):
    """Keeps the pages of `table_window` layers on chip, beginning with the layer that will be learnt from: the home.

    In ring order from the home, the first layer whose page is not on chip is loaded, into a bank whose page is not of
    the window. So while the event of layer l is worked on, the tables of l - 1 (which learns) and l (which predicts)
    are there and those that follow stream in. An event waits until the pages that it needs are there. A register
    access comes before all but events, never takes a page from the next event, and from it to the next event nothing
    is loaded ahead. While quiesced only what an event or access waits for is loaded, and every page is given up once
    the predictor rests.

    Latency: an event whose home is the last one's layer, with its pages there, is not delayed but in the cycle after
    that one's end; another one waits one cycle. Throughput: one choice at a time.

    Members
    -------
    control : In(page_control_layout), n_layers : In
    idle : In
        No event is open: tables rest.
    event_waits, event_layer, event_follows, previous_layer : In
        While idle: an event of this layer is there, and it will learn from the event before, of `previous_layer`.
    event_ready : Out
        Its pages are there, or tables are not in use.
    access, access_layer : In
        A register access waits for this layer's page.
    choice : Out(choice_layout), taken : In
        What to do next; with `taken` the page is no longer held.
    loading : In, loaded : In
        The choice taken last is a load and goes on; pulse: it is done.
    held : Out(held_layout)
    busy : Out
        There is a choice, or will be by itself.
    ahead, late : Out
        Pulses with `loaded`: no event and no access has waited for it, or one has.
    """

    def __init__(self, *, config: UnitConfig):
        self._config = config
        super().__init__(
            {
                "control": In(page_control_layout()),
                "n_layers": In(bits_for(config.max_layers + 1)),
                "idle": In(1),
                "event_waits": In(1),
                "event_layer": In(config.layer_bits),
                "event_follows": In(1),
                "previous_layer": In(config.layer_bits),
                "event_ready": Out(1),
                "access": In(1),
                "access_layer": In(config.layer_bits),
                "choice": Out(choice_layout(config)),
                "taken": In(1),
                "loading": In(1),
                "loaded": In(1),
                "held": Out(held_layout(config)),
                "busy": Out(1),
                "ahead": Out(1),
                "late": Out(1),
            }
        )
        self._home = Signal(config.layer_bits)
        self._settled = Signal()
        self._waits = Signal()
        self._accessed = Signal()
        self._distances = [Signal(config.layer_bits + 1, name=f"distance_{b}") for b in range(config.table_window)]

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def elaborate(self, platform: Any) -> Module:
        """Build the module."""
        m: Any = Module()
        self._elaborate_home(m)
        self._elaborate_distances(m)
        self._elaborate_choice(m)
        self._elaborate_banks(m)
        return m

    def _holds(self, layer):
        """Return whether a layer's page is on chip."""
        return Cat(page.valid & (page.layer == layer) for page in self._pages()).any()

    def _pages(self):
        return [self.held[bank] for bank in range(self._config.table_window)]

    def _elaborate_home(self, m):
        """Follow the events: the home is the layer that the waiting event needs first, or else the next one will."""
        next_home, needed = Signal.like(self._home), Signal.like(self._home)
        m.d.comb += [
            next_home.eq(Mux(self.event_follows | ~self.event_waits, self.previous_layer, self.event_layer)),
            needed.eq(Mux(next_home < self.n_layers, next_home, 0)),
            self._settled.eq(self._home == needed),
            self.busy.eq(self.choice.valid | (self.control.enable & self.idle & ~self._settled)),
            self._waits.eq(self.idle & self.event_waits),
            self.event_ready.eq(
                ~self.control.enable
                | (self._settled & self._holds(self.event_layer) & (~self.event_follows | self._holds(self._home)))
            ),
        ]
        with m.If(self.idle):
            m.d.sync += self._home.eq(needed)
            with m.If(self.access):
                m.d.sync += self._accessed.eq(1)
        with m.Else():
            m.d.sync += self._accessed.eq(0)

    def _elaborate_choice(self, m):
        """Choose: what an access waits for, what must go, what events need now and next; an event goes before both."""
        choice, n_layers = self.choice, self.n_layers
        missing = self._missing(m)
        wanted = Signal(self._config.layer_bits + 1)
        for place in reversed(range(len(missing))):
            with m.If(missing[place]):
                m.d.comb += wanted.eq(self._home + place)
        undisturbed = self.idle & ~self.event_waits
        accesses = undisturbed & self.access & ~self._holds(self.access_layer)
        rests = undisturbed & self.control.quiesced & ~self.access
        any_held = Cat(page.valid for page in self._pages()).any()
        with m.If(accesses):
            m.d.comb += [choice.valid.eq(self.control.enable), choice.load.eq(1), choice.layer.eq(self.access_layer)]
        with m.Elif(rests):
            m.d.comb += choice.valid.eq(self.control.enable & any_held)
        with m.Else():
            m.d.comb += [
                choice.valid.eq((self._settled | ~self.idle) & missing.any()),
                choice.load.eq(1),
                choice.layer.eq(Mux(wanted >= n_layers, wanted - n_layers, wanted)),
            ]
        self._choose_bank(m, accesses, rests)

    def _missing(self, m):
        """Return a bit for each place of the window whose page is to be loaded."""
        reach = self._config.table_window
        missing = Signal(reach)
        ahead = ~self.control.quiesced & ~self._accessed
        for place in range(reach):
            there = Cat(
                page.valid & (distance == place) for page, distance in zip(self._pages(), self._distances, strict=True)
            ).any()
            needed = {0: self._waits, 1: self._waits & self.event_follows}.get(place, 0)
            wanted = self.control.enable & (place < self.n_layers) & (ahead | needed)
            m.d.comb += missing[place].eq(wanted & ~there)
        return missing

    def _elaborate_distances(self, m):
        """Count the layers on the ring from the home to each page; a layer that is not on it is farthest."""
        for page, distance in zip(self._pages(), self._distances, strict=True):
            with m.If(page.layer >= self.n_layers):
                m.d.comb += distance.eq(~0)
            with m.Elif(page.layer >= self._home):
                m.d.comb += distance.eq(page.layer - self._home)
            with m.Else():
                m.d.comb += distance.eq(page.layer + self.n_layers - self._home)

    def _choose_bank(self, m, accesses, rests):
        """Take the first bank that is empty or holds a page out of the window, for an access also a later layer's."""
        kept = Mux(accesses, EVENT_PAGES, self._config.table_window)
        for bank, page in reversed(list(enumerate(self._pages()))):
            goes = Mux(rests, page.valid, ~page.valid | (self._distances[bank] >= kept))
            with m.If(goes):
                m.d.comb += self.choice.bank.eq(bank)

    def _elaborate_banks(self, m):
        """Note what each bank holds, and whether what is loaded was waited for.

        An access goes on waiting for its page while an event that came before the page is open.
        """
        chosen, late, overtaken = Signal(choice_layout(self._config)), Signal(), Signal()
        needed = (chosen.layer == self.event_layer) | (self.event_follows & (chosen.layer == self._home))
        accessed = self.access & (self.idle | overtaken) & (chosen.layer == self.access_layer)
        with m.If(~self.access):
            m.d.sync += overtaken.eq(0)
        with m.Elif(self.idle & ~self._holds(self.access_layer)):
            m.d.sync += overtaken.eq(1)
        waited = self.loading & ((self._waits & needed) | accessed)
        with m.If(self.taken):
            m.d.sync += [chosen.eq(self.choice), late.eq(0)]
        with m.Elif(waited):
            m.d.sync += late.eq(1)
        m.d.comb += [self.late.eq(self.loaded & (late | waited)), self.ahead.eq(self.loaded & ~(late | waited))]
        for bank, page in enumerate(self._pages()):
            with m.If(self.taken & (self.choice.bank == bank)):
                m.d.sync += page.valid.eq(0)
            with m.If(self.loaded & (chosen.bank == bank)):
                m.d.sync += [page.valid.eq(1), page.layer.eq(chosen.layer)]
