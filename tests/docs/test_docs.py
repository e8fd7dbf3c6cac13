"""Does the manual say what the code does? Its tables, diagrams, commands, names, links and examples."""

import re
import shlex
import sys
import tomllib
from pathlib import Path

import pytest
import typer
from moefetch.cli.main import app
from moefetch.hw.config import UNIT_PRESETS, UnitConfig
from moefetch.hw.counter_names import COUNTERS, LAWS
from moefetch.hw.register_map import register_map
from moefetch.sim.energy_table import EnergyTable
from moefetch.sim.model_spec import ModelSpec, load_model
from moefetch.sim.platform_spec import PlatformSpec, load_platform
from moefetch.sim.sweep_spec import SweepSpec
from moefetch.sim.workload import derive
from moefetch.traces.reader import TraceFile
from typer.testing import CliRunner

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.glob("*.md"))]
PACKAGES = ("hw", "predictor_rtl", "sim", "traces", "cli")
FENCE = re.compile(r"^```(\S*)[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
PARAMETERS = {"SIM", "CONFIG", "OUT", "SRC", "FILE", "PATH", "TRACE", "TPOT"}
"""Words in capitals that are no register: parameters of commands."""
CHEAP = re.compile(r"moefetch (trace (stats|validate)|predict) traces/data/")
"""Commands that are run as they stand in the manual."""
SPEC_OF = [("top_k", ModelSpec), ("clock_hz", PlatformSpec), ("trace", SweepSpec), ("memory", EnergyTable)]
"""Key that only such a file has -> what it is; others are a unit's."""

sys.path.insert(0, str(DOCS))


def by_name(path):
    return path.name


@pytest.fixture(params=PAGES, ids=by_name)
def page(request):
    return request.param


def prose(page):
    """Return a page without its fenced blocks."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def blocks(page, *languages):
    return [text for language, text in FENCE.findall(page.read_text(encoding="utf-8")) if language in languages]


def commands(page):
    """Return the command lines of a page, in blocks and in running text."""
    lines = [line for text in blocks(page, "sh", "text") for line in text.splitlines()]
    return [line.split(" #")[0].strip() for line in [*lines, *CODE.findall(prose(page))]]


def test_tables_are_those_of_the_code(page):
    import generated

    text = page.read_text(encoding="utf-8")
    assert generated.rendered(text) == text, "run python docs/generated.py"


def test_every_table_has_its_page():
    import generated

    assert {name for page in PAGES for _, name, _ in generated.PLACE.findall(page.read_text())} == set(generated.TABLES)


def test_diagrams_are_those_of_the_simulation():
    import diagrams

    for name, text in diagrams.render().items():
        assert (DOCS / "img" / name).read_text(encoding="utf-8") == text, f"{name}: run python docs/diagrams.py"


def test_links_lead_to_files_and_headings(page):
    for target in LINK.findall(prose(page)):
        if target.startswith(("http:", "https:")):
            continue
        name, _, anchor = target.partition("#")
        path = page.parent / name if name else page
        assert path.exists(), f"{target}: no such file"
        if anchor:
            assert anchor in anchors(path), f"{target}: no such heading"


def anchors(path):
    text = prose(path)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return slugs | set(re.findall(r"^\(([\w-]+)\)=$", text, re.MULTILINE))


def test_paths_exist(page):
    for word in CODE.findall(prose(page)):
        if re.fullmatch(r"(hw|predictor_rtl|sim|traces|cli|cocotb_tests|tests|docs)/[\w./-]*", word):
            assert (ROOT / word).exists(), f"{word}: no such file"


def test_moefetch_commands_and_options_exist(page):
    for line in commands(page):
        if line.startswith("moefetch "):
            require_command(shlex.split(line)[1:], line)


def require_command(words, line):
    """Follow a command line through the groups, and look its options up."""
    command, context = typer.main.get_command(app), None
    while isinstance(command, typer.core.TyperGroup) and words and not words[0].startswith("-"):
        name = words.pop(0)
        context = command.make_context(name, [], parent=context, resilient_parsing=True)
        command = command.get_command(context, name)
        assert command is not None, f"{line}: no command {name}"
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    for word in words:
        if word.startswith("--"):
            assert word.split("=")[0] in known, f"{line}: no option {word}"


def test_options_named_alone_exist(page):
    known = {option for command in leaf_commands(typer.main.get_command(app)) for option in command}
    for word in CODE.findall(prose(page)):
        if re.fullmatch(r"--[a-z][\w-]*( .*)?", word):
            assert word.split()[0] in known, f"{word}: no command has it"


def leaf_commands(command):
    """Yield the options of each command below a group."""
    if isinstance(command, typer.core.TyperGroup):
        for child in command.commands.values():
            yield from leaf_commands(child)
    else:
        yield {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}


def test_make_targets_exist(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for line in commands(page):
        found = re.match(r"(?:[A-Z]+=\S+ )*make ([a-z-]+)\b", line)
        if found:
            assert found[1] in targets, f"{line}: no such target"


def test_registers_and_fields_exist(page):
    units = (
        UnitConfig(predictors=("st_moe", "weights"), segments=2),
        UnitConfig(predictors=("st_moe",), table_window=3),
        UnitConfig(predictors=("weights",), weight_ways=8),
        UnitConfig(parity=True),
    )
    registers = [register for unit in units for register in register_map(unit)]
    fields: dict[str, set[str]] = {}
    for register in registers:
        fields.setdefault(register.name, set()).update(field.name for field in register.fields)
    for word in CODE.findall(prose(page)):
        found = re.fullmatch(r"([A-Z][A-Z_]+)(?:\.([a-z_]+))?", word)
        if found and found[1] not in PARAMETERS:
            assert found[1] in fields, f"{word}: no such register"
            assert found[2] is None or found[2] in fields[found[1]], f"{word}: no such field"


def test_identifiers_exist_in_the_code(page):
    source = "\n".join(
        path.read_text(encoding="utf-8")
        for package in PACKAGES
        for pattern in ("*.py", "*.rdl", "*.v", "*.toml")
        for path in (ROOT / package).rglob(pattern)
    )
    known = set(re.findall(r"\w+", source)) | {name.replace("-", "_") for name in UNIT_PRESETS}
    known |= {*PACKAGES, "cocotb_tests"}
    for word in CODE.findall(prose(page)):
        if re.fullmatch(r"[a-z]+(_[a-zA-Z0-9]+)+", word) and not is_port(word):
            assert word in known, f"{word}: is not in the code"


def is_port(word):
    return re.match(r"(route|hint|grant|release|m_axi|s_axil)_|read_[I0-9]+", word) is not None


def test_counters_named_in_the_pages_exist():
    rows = re.findall(r"^\| `(\w+)` \| .*$", (DOCS / "how-the-unit-works.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(rows) == set(LAWS["cycles"])
    named = {word for page in PAGES for word in CODE.findall(prose(page)) if word.startswith("stall_")}
    assert named <= set(COUNTERS)


def test_toml_examples_are_valid():
    seen = set()
    for page in PAGES:
        for text in blocks(page, "toml"):
            fields = tomllib.loads(text)
            spec = next((spec for key, spec in SPEC_OF if key in fields), UnitConfig)
            spec.model_validate(fields)
            seen.add(spec)
    assert seen == {*(spec for _, spec in SPEC_OF), UnitConfig}


def test_python_examples_run(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for text in blocks(page, "python"):
        exec(compile(text, str(page), "exec"), {})


def cheap_commands():
    return sorted({line for page in PAGES for line in commands(page) if CHEAP.match(line)})


@pytest.mark.parametrize("line", cheap_commands())
def test_cheap_commands_run(line, monkeypatch):
    monkeypatch.chdir(ROOT)
    result = CliRunner().invoke(app, shlex.split(line)[1:])
    assert result.exit_code == 0, result.output


def test_result_in_the_readme_is_of_the_shipped_traces_and_presets():
    from results import WORKLOAD

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    workload = derive(load_model("moefetch-small"), load_platform("lpddr5x"), 1)
    for name in WORKLOAD:
        assert f"`{name}` {getattr(workload, name):,}" in text, f"{name} has changed: run make sim, docs/results.py"
    for path in sorted((ROOT / "traces" / "data").glob("*.parquet")):
        digest = TraceFile(path).meta.content_sha256[:12]
        assert f"`{path.name}` {digest}" in text, f"{path.name} is another one: run make sim, python docs/results.py"
