"""Descriptions of the drop for tools that build and check it: FuseSoC, file lists, LibreLane."""

from __future__ import annotations

import json

from .constraints import PERIOD_NS

_LICENCE = "# SPDX-License-Identifier: Apache-2.0\n"


def fusesoc_core(module: str, version: str, *, models: list[str]) -> str:
    """Return the FuseSoC core (CAPI2): targets default, lint and sim."""
    files = "\n".join(f"      - {path}" for path in [f"rtl/{module}.v", *models])
    return f"""\
CAPI=2:
{_LICENCE.rstrip()}
name: "moefetch:ip:{module}:{version}"
description: Expert prefetch unit for mixture-of-experts models

filesets:
  rtl:
    files:
{files}
    file_type: verilogSource
  waivers:
    files:
      - lint/moefetch.vlt : {{file_type: vlt}}
  bench:
    files:
      - tb/smoke_bench.v : {{file_type: verilogSource}}
      - tb/smoke.hex : {{file_type: user, copyto: smoke.hex}}

targets:
  default: &default
    filesets: [rtl]
    toplevel: {module}
  lint:
    <<: *default
    description: Verilator with all warnings
    filesets: [waivers, rtl]
    flow: lint
    flow_options:
      tool: verilator
      verilator_options: [-Wall, --language, 1364-2001]
  sim:
    <<: *default
    description: The smoke bench on Icarus Verilog; prints PASS
    filesets: [rtl, bench]
    toplevel: smoke_bench
    flow: sim
    flow_options:
      tool: icarus
      iverilog_options: [-g2001]
"""


def file_list(title: str, paths: list[str]) -> str:
    """Return a list of Verilog files, as `-f` options of simulators and synthesis tools take it."""
    return "\n".join([f"// SPDX-License-Identifier: Apache-2.0 // {title}", *paths]) + "\n"


def librelane_config(module: str, *, files: list[str]) -> str:
    """Return a LibreLane configuration; memories are flip-flops in it until macros take the place of their models."""
    config = {
        "meta": {"version": 2},
        "DESIGN_NAME": module,
        "VERILOG_FILES": [f"dir::../{path}" for path in files],
        "VERILOG_DEFINES": ["SYNTHESIS"],
        "CLOCK_PORT": "clk",
        "CLOCK_PERIOD": PERIOD_NS,
        "PNR_SDC_FILE": f"dir::../constraints/{module}.sdc",
        "SIGNOFF_SDC_FILE": f"dir::../constraints/{module}.sdc",
    }
    return json.dumps(config, indent=2) + "\n"
