"""What `moefetch fpga` writes: the bitstream, what it must print, what it cost, and how to load it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...traces.atomic import replacing_folder
from ...traces.errors import UserError
from ..synthesis import tool_versions
from .bitstream import NAME, SEED, Placed
from .program import SelfTestData
from .ulx3s import BAUD, CLOCK_HZ

BITSTREAM, EXPECTED, FIGURES, README = f"{NAME}.bit", "expected.txt", f"{NAME}.json", "README.md"
FILES = (BITSTREAM, EXPECTED, FIGURES, README)
DEVICE = "LFE5U-85F, speed grade 6, CABGA381"

_README = """\
<!-- SPDX-License-Identifier: Apache-2.0 -->
# Self-test of the prefetch unit for a ULX3S with an ECP5-85F

{title}

| file | what it is |
| --- | --- |
| `{bitstream}` | the bitstream |
| `{expected}` | what the serial line says if the unit works, byte for byte |
| `{figures}` | utilisation, clock, tool versions, the bitstream's SHA-256 |

Load it with `openFPGALoader -b ulx3s {bitstream}` or `fujprog {bitstream}`. It is gone when the board loses power.

Then open the board's USB serial port at {baud} baud, 8N1 (on Linux usually `/dev/ttyUSB0`), and press button FIRE 1:
the test starts again and prints its lines. LED 0: running, LED 1: passed, LED 2: failed. A value that differs has
`expected` and the number that was expected behind it.

`netlist_simulated` in `{figures}` says whether the netlist was simulated before. The design has not been on a board.
"""


def check_place(folder: Path) -> None:
    """Raise UserError if `folder` is there and holds anything but what `write_folder` wrote: it is then left alone."""
    if folder.name in ("", ".."):
        raise UserError(f"{folder}: must end in the name of a folder")
    if folder.exists() and not (folder.is_dir() and all(path.name in FILES for path in folder.iterdir())):
        raise UserError(f"{folder}: is there and holds other things: name another folder")


def write_folder(folder: Path, test: SelfTestData, bitstream: bytes, figures: Mapping[str, Any]) -> None:
    """Write all files whole or not at all; an older folder of the same kind is replaced.

    Raises UserError if something cannot be written.
    """
    check_place(folder)
    readme = _README.format(title=test.title, bitstream=BITSTREAM, expected=EXPECTED, figures=FIGURES, baud=f"{BAUD:,}")
    with replacing_folder(folder) as temporary:
        (temporary / BITSTREAM).write_bytes(bitstream)
        (temporary / EXPECTED).write_bytes(test.text.encode("ascii"))
        (temporary / FIGURES).write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
        (temporary / README).write_text(readme, encoding="utf-8")


def figures_of(test: SelfTestData, placed: Placed, bitstream: bytes, *, simulated: bool) -> dict[str, Any]:
    """Return what the build cost and was made with, as JSON takes it."""
    return {
        "title": test.title,
        "board": "ulx3s",
        "device": DEVICE,
        "label": "measured by place and route",
        "clock_mhz": CLOCK_HZ / 1e6,
        "fmax_mhz": round(placed.mhz, 1),
        "utilisation": {cell: {"used": used, "available": there} for cell, (used, there) in placed.used.items()},
        "replay_cycles": test.results["replay_cycles"],
        "netlist_simulated": simulated,
        "digest": test.config.digest,
        "seed": SEED,
        "tools": tool_versions(),
        "sha256": hashlib.sha256(bitstream).hexdigest(),
    }
