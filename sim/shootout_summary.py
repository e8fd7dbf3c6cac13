"""The tables that a shoot-out comes down to: what each predictor recalls and holds, what it costs, what it saves."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..hw.config import UnitConfig
from ..hw.markdown import table
from .policies import KNOWN_POLICIES
from .prediction_time import prediction_cycles
from .shootout import Contender, Shootout
from .shootout_replays import ON_DEMAND, PlatformReplays


def recall_table(results: Sequence[Shootout]) -> str:
    """Return each predictor's recall at k by trace, its table bits by model, and its cycles to the k-th candidate."""
    names = dict.fromkeys(contender.name for result in results for contender in result.contenders)
    by_model = {result.model: result for result in results}
    heading = [
        "predictor", *(f"recall, {result.trace}" for result in results),
        *(f"table kbit, {model}" for model in by_model), "cycles to the k-th candidate",
    ]  # fmt: skip
    return table(heading, [_recall_row(name, results, by_model.values()) for name in names])


def _recall_row(name: str, results: Sequence[Shootout], models: Iterable[Shootout]) -> list[str]:
    rows: dict[str, dict[str, Contender]] = {
        result.trace: {contender.name: contender for contender in result.contenders} for result in results
    }
    found = [rows[result.trace].get(name) for result in results]
    of_models = [rows[result.trace].get(name) for result in models]
    cycles = sorted({row.cycles for row in found if row is not None and row.cycles is not None})
    return [
        name,
        *("-" if row is None else f"{row.recall[0]:.3f}" for row in found),
        *("-" if row is None else f"{row.table_bits / 1000:,.0f}" for row in of_models),
        " to ".join(map(str, dict.fromkeys((cycles[0], cycles[-1])))) if cycles else "-",
    ]


def hardware_table(measured: Mapping[str, Mapping[str, Any]]) -> str:
    """Return what `moefetch bench predictor-area` measured, with the cycles to name as many experts as top-k."""
    heading = [
        "predictor alone", "cycles to the k-th candidate (modelled)", "LUT4 sites", "flip-flops", "block RAMs",
        "memories in flip-flops", "clock, MHz",
    ]  # fmt: skip
    return table(heading, [_hardware_row(document) for document in measured.values()])


def _hardware_row(document: Mapping[str, Any]) -> list[str]:
    predictor, unit = document["predictor"], UnitConfig.model_validate(document["config"])
    lanes = f", {unit.weight_lanes} lanes" if predictor == "weights" else ""
    cells = document["cells"]
    return [
        f"`{predictor}`{lanes}",
        str(prediction_cycles(unit, KNOWN_POLICIES[predictor], unit.max_top_k)),
        f"{document['luts']:,}", f"{cells.get('TRELLIS_FF', 0):,}", str(cells.get("DP16KD", 0)),
        str(document["memories_in_flip_flops"]), str(document["mhz"]),
    ]  # fmt: skip


def gap_table(replays: Sequence[PlatformReplays]) -> str:
    """Return which share of the stall between on-demand and the one-event oracle each entrant saves, by platform.

    A cell holds the least and the most over the traces.
    """
    names = dict.fromkeys(timed.name for replay in replays for timed in replay.timed)
    platforms = sorted({replay.platform for replay in replays}, key=lambda name: _room(replays, name))
    rows = []
    for name in names:
        if name == ON_DEMAND:
            continue
        shares = [[replay.gap_closed(name) for replay in replays if replay.platform == p] for p in platforms]
        rows.append([name, *(_span([share for share in column if share is not None]) for column in shares)])
    return table(["share of the gap closed", *(f"`{name}`" for name in platforms)], rows)


def _room(replays: Sequence[PlatformReplays], platform: str) -> float:
    rooms = [replay.room for replay in replays if replay.platform == platform]
    return sum(rooms) / len(rooms)


def _span(shares: list[float]) -> str:
    if not shares:
        return "-"
    return " to ".join(dict.fromkeys(f"{share:.0%}" for share in (min(shares), max(shares))))
