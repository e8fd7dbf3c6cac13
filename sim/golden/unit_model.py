"""The unit as a scoreboard: given kind and order of the commit log's records, what each must contain.

The rules are those of docs/unit-rules.md. What the log cannot show is taken as given and checked for being
allowed: when records come, whether a transfer failed, and whether enough of an undemanded prefetch was left
to stop it.
"""

from collections.abc import Iterable
from itertools import islice
from typing import Any

from ...hw.records import Kind, Sweep
from ..predictors.interface import Predictor
from .candidate_checks import CandidateChecks
from .candidates import HintBeat
from .commands import Command
from .event import RouterBeat, collect_event
from .event_checks import EventChecks
from .laws import check_laws
from .open_event import Grant
from .settings import UnitSettings
from .sweep_checks import SweepChecks
from .transfer_checks import TransferChecks


class UnitModel(EventChecks, TransferChecks, CandidateChecks, SweepChecks):
    """Follow one run: offer what the bench sends, in that order, then `check` each record of the log.

    `predictor` is the golden twin of the selected one, None for none. While `may_be_quiesced` is set, a
    candidate that comes out as expired is taken to have met a quiesced unit. `expected_grants` are those not
    yet checked, `faults` counts the router beats dropped in events that have closed.
    """

    def __init__(self, settings: UnitSettings, predictor: Predictor | None = None):
        super().__init__(settings, predictor)
        self._grants_seen = 0

    def offer_event(self, beats: Iterable[RouterBeat]) -> None:
        """Take the router beats of one event."""
        settings = self.settings
        self._offered.append(collect_event(beats, settings.n_layers, settings.n_experts, settings.top_k))

    def offer_hints(self, beats: Iterable[HintBeat]) -> None:
        """Take hint beats sent after the last offered event's router beats; ignored if hints are off."""
        if self.settings.hints:
            for beat in beats:
                self._hints.add(beat, self.current + len(self._offered))

    def offer_flush(self) -> None:
        """Take the command to empty the queue."""
        self._commands.give(Command(Kind.FLUSH))

    def offer_invalidate(self) -> None:
        """Take the command to free all slots that the open event has not pinned."""
        self._commands.give(Command(Kind.FREE, Sweep.INVALIDATE))

    def offer_renewal(self) -> None:
        """Take the change, at the next step, of which bytes the experts are."""
        self._commands.give(Command(Kind.FREE, Sweep.RENEW))

    def offer_pin(self, layer: int, expert: int) -> None:
        """Take the command to keep an expert, if it is resident, until it is unpinned."""
        self._commands.give(Command(Kind.PIN, Sweep.PIN, layer, expert))

    def offer_unpin(self, layer: int, expert: int) -> None:
        """Take the command to end a pin."""
        self._commands.give(Command(Kind.PIN, Sweep.UNPIN, layer, expert))

    def check_grant(self, layer: int, expert: int, slot: int, status: int) -> None:
        """Compare the next grant that left the unit; its record must have been checked before."""
        self._grants_seen += 1
        found = Grant(layer, expert, slot, status)
        if not self.expected_grants:
            self._fail("grant", "none", str(found))
        allowed = list(islice(self.expected_grants, max(1, self.settings.mapping_window)))
        self.expected_grants.remove(found if found in allowed else allowed[0])
        if found not in allowed:
            self._fail("grant", " or ".join(map(str, allowed)), str(found))

    def counters(self) -> dict[str, int]:
        """Return all counters that follow from the log so far, by the names of registers and reports."""
        self._count_open()
        return self._statistics.totals()

    def report(self) -> dict[str, Any]:
        """Return counters per layer and per source with their ratios, and the slack of timely prefetches."""
        self._count_open()
        return self._statistics.report()

    def finish(self) -> dict[str, int]:
        """Return the counters of a run that has come to its end, having asserted the conservation laws.

        Raises `Mismatch` when an offered event has not ended, a record is due, or grants were checked but not
        all of them; `LawBroken` for the laws.
        """
        if self._due:
            self._fail("end of log", Kind(self._due[0][0]).name, "nothing")
        if self._open is not None or self._offered:
            self._fail("end of log", "the end of every event", f"an open one, {len(self._offered)} not closed")
        if self._grants_seen and self.expected_grants:
            self._fail("end of log", str(self.expected_grants[0]), "no such grant")
        counters = self.counters()
        check_laws(counters)
        return counters

    def _count_open(self) -> None:
        self._statistics.set_open(
            ((entry.layer, entry.source) for entry in self._queue.entries),
            ((slot.layer, slot.source) for slot in self._directory.slots if slot.unused),
        )

    def _may_precede(self, kind: int, due: int) -> bool:
        """Let an abort by policy come before the end of an event without members."""
        return kind == Kind.ABORT and due == Kind.END and self._previous_kind <= Kind.EXPIRE
