"""The page's charts as files of their own, for papers."""

import re
from pathlib import Path
from typing import Any, Literal

from ...traces.atomic import replacing
from ..html_page import HtmlPage
from ..report import make_folder

ImageFormat = Literal["svg", "png"]
WIDTH = 760
PNG_SCALE = 2.0


def write_images(page: HtmlPage, folder: Path, form: ImageFormat) -> list[Path]:
    """Write every named chart to `folder`, each whole or not at all; return the files. Needs no browser."""
    import vl_convert

    make_folder(folder)
    written = []
    for name, spec in page.named_charts.items():
        path = folder / f"{file_name(name)}.{form}"
        drawn = sized(spec)
        with replacing(path) as temporary:
            if form == "svg":
                temporary.write_text(vl_convert.vegalite_to_svg(drawn), encoding="utf-8")
            else:
                temporary.write_bytes(vl_convert.vegalite_to_png(drawn, scale=PNG_SCALE))
        written.append(path)
    return written


def file_name(name: str) -> str:
    """Return a chart's name as a file's."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-")


def sized(spec: dict[str, Any]) -> dict[str, Any]:
    """Return a chart with a width in the place of the page's."""
    return {**spec, "width": WIDTH} if spec.get("width") == "container" else spec
