"""Watches a page window from outside: which loads are late it works out itself, and requires to be counted so."""

from collections import namedtuple

SIGNALS = (
    "control", "idle", "event_waits", "event_layer", "event_follows", "previous_layer", "event_ready", "access",
    "access_layer", "choice", "taken", "loaded", "held", "ahead", "late",
)  # fmt: skip
Cycle = namedtuple("Cycle", SIGNALS)


class PageMonitor:
    """Run `watch` as a process beside a `PageWindow`; `loads` has (layer, late) of each load that is done.

    A load is late if an event has waited for its page, or an access, before it or while it was under way, the cycle
    included in which it is done; else it is ahead. And no event goes on while a page that it has waited for is not
    counted late. An access that began to wait does so until it ends, also behind an event that has overtaken it.
    """

    def __init__(self, window):
        self._window = window
        self._awaited = set()
        self._loading, self._accessed, self._asked = None, False, None
        self.loads = []

    async def watch(self, ctx):
        """Check every cycle."""
        signals = (getattr(self._window, name) for name in SIGNALS)
        async for _, _, *values in ctx.tick().sample(*signals):
            self._check(Cycle(*values))

    def _check(self, now):
        self._look_who_waits(now)
        if now.loaded:
            late = self._loading in self._awaited or self._accessed
            assert (now.late, now.ahead) == (late, not late), f"layer {self._loading}: must be late: {late}"
            self.loads.append((self._loading, late))
            self._awaited.discard(self._loading)
        else:
            assert not now.late and not now.ahead, "counted without a page"
        if now.idle and now.event_waits and now.event_ready:
            assert not self._awaited, f"waited for, and not counted late: layers {self._awaited}"
        if now.taken:
            self._loading, self._accessed = (now.choice.layer if now.choice.load else None), False

    def _look_who_waits(self, now):
        held = {page.layer for page in now.held if page.valid}
        if not now.access:
            self._asked = None
        if now.control.enable and now.idle:
            if now.event_waits:
                needed = {now.event_layer, now.previous_layer if now.event_follows else now.event_layer}
                self._awaited |= needed - held
            if now.access and now.access_layer not in held:
                self._asked = now.access_layer
        self._accessed |= self._asked is not None and self._asked == self._loading
