"""`moefetch report`: one HTML page with everything that a comparison found, and its charts as files."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from ..sim.cache_sizes import CACHE_SIZES_JSON, read_points, size_points, write_points
from ..sim.compare_report import COMPARE_JSON, identity
from ..sim.html_page import require_report_packages
from ..sim.html_report.folder import Compared, read_folder
from ..sim.html_report.images import write_images
from ..sim.html_report.page import report_page
from ..sim.html_report.sweep_charts import sweep_rows
from ..sim.jobs import ReplayPlan
from ..sim.measured_run import Measure, measure_on_model
from ..sim.policies import KNOWN_POLICIES
from ..traces.atomic import check_output, replacing
from ..traces.content_hash import content_hash
from ..traces.errors import UserError
from .console import next_command, progress, reports_errors
from .replay import make_plan, read_trace

REPORT_HTML = "report.html"


class ImageFormat(StrEnum):
    """What charts are written as."""

    SVG = "svg"
    PNG = "png"


@reports_errors
def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `moefetch compare --out DIR` wrote.")],
    out: Annotated[Path | None, typer.Option(metavar="FILE", help=f"The page; default: {REPORT_HTML} in DIR.")] = None,
    cache_sizes: Annotated[
        bool, typer.Option(help="Replay the trace at other cache sizes too; what DIR has of them already is kept.")
    ] = True,
    images: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write each chart as a file as well, for papers.")
    ] = None,
    image_format: Annotated[ImageFormat, typer.Option("--format", help="Of those files.")] = ImageFormat.SVG,
) -> None:
    """Make one HTML page, which needs no network, of a comparison: verdict, charts, and the formula of each figure.

    Example: moefetch compare my.parquet --out build/mine && moefetch report build/mine
    """
    require_report_packages()
    target = folder / REPORT_HTML if out is None else out
    comparisons = read_folder(folder)
    points = sweep_rows(folder)
    check_output(target)
    if cache_sizes:
        _replay_sizes(folder, comparisons)
        comparisons = read_folder(folder)
    with progress("drawing"):
        page = report_page(comparisons, points)
        with replacing(target) as temporary:
            temporary.write_text(page.render(), encoding="utf-8")
        written = [] if images is None else write_images(page, images, image_format.value)
    typer.echo(f"wrote {target}" + (f" and {len(written)} charts to {images}" if written else ""))
    if images is None:
        next_command("moefetch", "report", folder, "--images", folder / "charts")
    else:
        next_command("moefetch", "compare", comparisons[0].document["trace"], "--out", folder)


def _replay_sizes(folder: Path, comparisons: list[Compared]) -> None:
    """Replay what is missing at each cache size; every point is kept as it ends."""
    path = folder / CACHE_SIZES_JSON
    known = [(identity(part), list(read_points(path, identity(part)))) for part in (c.document for c in comparisons)]
    for compared, (_, points) in zip(comparisons, known, strict=True):
        plan = _plan(folder, compared)
        if plan is None:
            continue
        measure = Measure.of(plan.events, plan.workload, compared.document["warm_up_steps"])
        with progress(f"cache sizes of {compared.name}") as show:
            for done, total, point in size_points(plan, measure, measure_on_model, tuple(points)):
                points.append(point)
                write_points(path, known)
                show(done, total)


def _plan(folder: Path, compared: Compared) -> ReplayPlan | None:
    """Return the comparison's plan again, None with a note where its trace is not there or is another by now."""
    asked: dict[str, Any] = compared.document.get("asked", {})
    path = Path(compared.document["trace"])
    if not asked or not path.exists():
        typer.echo(f"note: {path}: is not there: other cache sizes are left out", err=True)
        return None
    trace = read_trace(path, asked["experts"])
    if (trace.meta.content_sha256 or content_hash(trace)) != compared.document["content_sha256"]:
        raise UserError(f"{path}: is not the trace of {folder / COMPARE_JSON}: compare again")
    policies = ",".join(name for name in compared.policies if name in KNOWN_POLICIES)
    return make_plan(
        path, trace, model=asked["model"], platform=asked["platform"], policy=policies, tokens=asked["tokens"],
        scale=str(compared.document["scale"]), unit=asked["unit"], batch=compared.document["batch"],
    )  # fmt: skip
