"""A folder as `moefetch compare --out` writes it, of the toy model."""

from moefetch.sim.cache_sizes import CACHE_SIZES_JSON, SizePoint, write_points
from moefetch.sim.compare_detail import detail_of, write_details
from moefetch.sim.compare_report import comparison_document, identity, write_comparisons

from ..model_in_python import comparison_of, observed
from ..replay_fixtures import toy_trace
from ..test_jobs import plan_of

FEW = ("none", "st_moe_paper", "st_moe", "hints", "previous_token", "oracle", "belady_oracle")
POINTS = [
    SizePoint(policy, slots, 100.0 / slots, 10.0 / slots, slots / 24)
    for slots in (3, 6, 24)
    for policy in ("none", "belady", "oracle")
]


def write_folder(folder, *, detail=True, points=True):
    """Write a comparison of the toy trace and the files beside it; return its part of compare.json."""
    comparison = comparison_of(plan_of(folder, toy_trace(tokens=20, sequences=5)), 3, FEW)
    write_comparisons([comparison], folder)
    if detail:
        write_details([comparison], [detail_of(comparison.runs, observed)], folder)
    part = comparison_document(comparison)
    if points:
        write_points(folder / CACHE_SIZES_JSON, [(identity(part), POINTS)])
    return part
