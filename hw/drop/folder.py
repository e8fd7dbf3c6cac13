"""The drop as a folder: what is in it, and its manifest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import files as installed_files
from importlib.metadata import version
from pathlib import Path

from ...traces.atomic import replacing_folder
from ...traces.errors import UserError
from ..config import UnitConfig
from ..emit import render_module, wrapper_source, wrappers_in
from ..flat_ports import Port
from ..ipxact import ipxact_component
from ..lint import WAIVERS
from ..measured import measured_area
from ..prefetch_unit import PrefetchUnit
from ..register_header import registers_header
from ..register_html import registers_html
from ..register_map import register_map
from ..register_markdown import registers_markdown
from ..verilog_platform import WrappedMemories
from .block_diagram import block_diagram
from .constraints import out_of_context_xdc, sdc, xdc
from .datasheet import DIAGRAM, datasheet, datasheet_title
from .document import to_html, to_markdown
from .flows import file_list, fusesoc_core, librelane_config
from .smoke_bench import FILES, rest_cycles, smoke_bench

MODULE = "moefetch_unit"
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class ModelData:
    """What the models in Python say about a unit."""

    vectors: str
    """Program that the smoke benches play."""
    n_instructions: int
    expert_beats: int
    """Words of an expert in the program."""
    predictions: list[tuple[str, int, int]]
    """(predictor, members of an event, cycles to as many candidates)."""


def drop_files(config: UnitConfig, models: ModelData) -> dict[str, str]:
    """Return path -> text of all files of a unit's drop, the manifest last.

    The same configuration gives the same texts, with the same tool versions.
    """
    verilog, sidecar = render_module(
        PrefetchUnit(config=config), name=MODULE, config=config, platform=WrappedMemories()
    )
    ports = [Port(**port) for port in sidecar["ports"]]
    wrappers = wrappers_in(verilog)
    area = measured_area(config)
    sheet = datasheet_title(config)
    blocks = datasheet(config, ports, tools=sidecar["tools"], predictions=models.predictions, area=area)
    title = f"Registers of {MODULE}, configuration {config.digest}"
    registers = register_map(config)
    files = {
        f"rtl/{MODULE}.v": verilog,
        f"{MODULE}.json": json.dumps(sidecar, indent=1) + "\n",
        "datasheet.md": to_markdown(sheet, blocks),
        "datasheet.html": to_html(sheet, blocks),
        DIAGRAM: block_diagram(config),
        "lint/moefetch.vlt": WAIVERS.read_text(encoding="utf-8"),
        f"constraints/{MODULE}.sdc": sdc(MODULE, ports),
        f"constraints/{MODULE}.xdc": xdc(MODULE),
        f"constraints/{MODULE}_ooc.xdc": out_of_context_xdc(MODULE, ports),
        f"ipxact/{MODULE}.xml": ipxact_component(
            name=MODULE, version=version("moefetch"), config=config, ports=ports, registers=registers,
            file=f"../rtl/{MODULE}.v",
        ),
        "registers/registers.html": registers_html(registers, title=title),
        "registers/registers.md": f"<!-- SPDX-License-Identifier: Apache-2.0 -->\n# {title}\n\n"
        + registers_markdown(registers) + "\n",
        "registers/moefetch_registers.h": registers_header(registers, title=title),
        "README.md": (FILES / "README.md").read_text(encoding="utf-8").replace("@DIGEST@", config.digest),
        "LICENSE": _licence(),
    }  # fmt: skip
    if area is not None:
        files["area.json"] = json.dumps(area, indent=1) + "\n"
    files |= _memories(wrappers) | _flows(wrappers) | _benches(config, ports, models)
    return files | {MANIFEST: _manifest(config, files, sidecar["tools"])}


def check_place(folder: Path) -> None:
    """Raise UserError if `folder` is there and is neither a drop nor empty: it is then left alone."""
    if folder.name in ("", ".."):
        raise UserError(f"{folder}: must end in the name of the drop's folder")
    if folder.exists() and not (folder.is_dir() and (_is_drop(folder) or not any(folder.iterdir()))):
        raise UserError(f"{folder}: is there and is no drop: name another folder")


def _is_drop(folder: Path) -> bool:
    """Return whether a manifest of a drop lies in the folder, and no file that it does not list."""
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        listed = found["sha256"].keys() | {MANIFEST} if found["module"] == MODULE else set()
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return False
    return all(path.relative_to(folder).as_posix() in listed for path in folder.rglob("*") if not path.is_dir())


def write_drop(folder: Path, files: Mapping[str, str]) -> None:
    """Write a drop whole or not at all: beside `folder` under a temporary name, then renamed.

    A drop that is there already is replaced. Raises UserError if something cannot be written.
    """
    check_place(folder)
    with replacing_folder(folder) as temporary:
        for name, text in files.items():
            path = temporary / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")


def _memories(wrappers: list[str]) -> dict[str, str]:
    """Return the wrappers' inferable models, and their black boxes."""
    files = {f"rtl/{wrapper}.v": wrapper_source(wrapper) for wrapper in wrappers}
    return files | {f"asic/{wrapper}_bb.v": black_box(wrapper_source(wrapper)) for wrapper in wrappers}


def black_box(source: str) -> str:
    """Return a module without its body: header, parameters and ports, from the text of its model."""
    header = source[source.index("module ") : source.index(");") + 2].replace("output reg ", "output wire")
    return (
        "// SPDX-License-Identifier: Apache-2.0\n"
        "// Black box: the macro that takes this module's place has these ports and the model's behaviour.\n\n"
        f"(* blackbox *)\n{header}\nendmodule\n"
    )


def _flows(wrappers: list[str]) -> dict[str, str]:
    models = [f"rtl/{wrapper}.v" for wrapper in wrappers]
    unit = f"rtl/{MODULE}.v"
    return {
        f"{MODULE}.core": fusesoc_core(MODULE, version("moefetch"), models=models),
        f"{MODULE}.f": file_list("The unit with inferable memories.", [unit, *models]),
        f"{MODULE}_asic.f": file_list(
            "The unit with black boxes for its memories.", [unit, *(f"asic/{wrapper}_bb.v" for wrapper in wrappers)]
        ),
        f"{MODULE}_sim.f": file_list("The smoke bench.", [unit, *models, "tb/smoke_bench.v"]),
        "librelane/config.json": librelane_config(MODULE, files=[unit, *models]),
    }  # fmt: skip


def _benches(config: UnitConfig, ports: list[Port], models: ModelData) -> dict[str, str]:
    bench = smoke_bench(config, ports, n_lines=models.n_instructions, expert_beats=models.expert_beats)
    cocotb = (FILES / "test_smoke.py").read_text(encoding="utf-8")
    sizes = {"bus_bytes": config.bus_bytes, "n_pe": config.n_pe, "expert_beats": models.expert_beats,
             "rest_cycles": rest_cycles(config)}  # fmt: skip
    return {
        "tb/smoke_bench.v": bench,
        "tb/smoke.hex": models.vectors,
        "tb/cocotb/test_smoke.py": cocotb,
        "tb/cocotb/run.py": (FILES / "run.py").read_text(encoding="utf-8"),
        "tb/cocotb/sizes.json": json.dumps(sizes, indent=1) + "\n",
    }


def _licence() -> str:
    """Return the licence that was installed with the package."""
    found = [path for path in installed_files("moefetch") or () if path.name == "LICENSE"]
    return found[0].read_text(encoding="utf-8")


def _manifest(config: UnitConfig, files: Mapping[str, str], tools: Mapping[str, str]) -> str:
    hashes = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in sorted(files.items())}
    document = {
        "module": MODULE, "digest": config.digest, "license": "Apache-2.0", "tools": dict(tools), "sha256": hashes,
    }  # fmt: skip
    return json.dumps(document, indent=1) + "\n"
