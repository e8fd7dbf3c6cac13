"""Tables of the manual that come from the code: `python docs/generated.py` writes them into the pages.

A page holds each between `<!-- begin NAME -->` and `<!-- end NAME -->`. A test renders them again and compares, so
that no table says what the code no longer does.
"""

import ast
import functools
import inspect
import json
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

from amaranth.hdl import Fragment
from moefetch.hw.config import UNIT_PRESETS, UnitConfig
from moefetch.hw.counter_names import COUNTERS, LAWS
from moefetch.hw.flat_ports import FlatPorts
from moefetch.hw.markdown import code, table
from moefetch.hw.measured import measured_area
from moefetch.hw.prefetch_unit import PrefetchUnit
from moefetch.hw.register_map import register_map
from moefetch.hw.register_markdown import register_section, registers_markdown
from moefetch.predictor_rtl.cct import CONFIDENCE_BITS
from moefetch.predictor_rtl.weight_layout import groups_of, lanes_of
from moefetch.sim.compare import LIMIT_MEANINGS, OWN_MEANINGS
from moefetch.sim.energy_figures import ENERGY_FIGURES
from moefetch.sim.energy_table import energy_prices, load_energy_table
from moefetch.sim.figure import LABELS
from moefetch.sim.metrics import FIGURES
from moefetch.sim.model_spec import ModelSpec, load_model
from moefetch.sim.platform_spec import BackgroundSpec, ComputeSpec, EnergySpec, LinkSpec, PlatformSpec, load_platform
from moefetch.sim.policies import KNOWN_POLICIES, POLICIES
from moefetch.sim.prediction_time import prediction_table
from moefetch.sim.preset_files import preset_names
from moefetch.sim.trace_figures import TRACE_FIGURES
from moefetch.traces.importers.table import IMPORTERS
from paging_tables import PAGING_TABLES
from pydantic import BaseModel

DOCS = Path(__file__).parent
PLACE = re.compile(r"(<!-- begin ([\w-]+) -->\n).*?(<!-- end \2 -->)", re.DOTALL)
DEFAULT = UNIT_PRESETS["default"]


def field_texts(spec: type) -> dict[str, str]:
    """Return field -> the docstring that follows it in a class."""
    body = ast.parse(textwrap.dedent(inspect.getsource(spec))).body[0]
    assert isinstance(body, ast.ClassDef)
    texts = {}
    for field, text in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            texts[ast.unparse(field.target)] = " ".join(str(text.value.value).split())
    return texts


def limits(spec: type[BaseModel], name: str) -> str:
    """Return the range that a field allows, as its validation states it."""
    bounds = {type(limit).__name__: limit for limit in spec.model_fields[name].metadata}
    low, high = bounds.get("Ge"), bounds.get("Le")
    return f"{low.ge if low else ''} .. {high.le if high else ''}".strip(" .") + (
        " or more" if low and not high else ""
    )


def spec_rows(spec: type[BaseModel], prefix: str = "") -> list[tuple[str, str, str]]:
    """Return (field, range, meaning) of a specification."""
    texts = field_texts(spec)
    parts = {"link", "background", "compute", "energy"} if spec is PlatformSpec else set()
    return [
        (code(prefix + name), limits(spec, name), texts.get(name, "name that reports print"))
        for name in spec.model_fields
        if name not in parts
    ]


def figures() -> str:
    """Every derived figure with its formula, as sim/metrics.py computes it."""
    rows = [(code(figure.name), figure.formula, figure.unit, figure.label) for figure in FIGURES]
    return table(("figure", "formula", "unit", "label"), rows)


def energy_figures() -> str:
    """The figures of energy and area."""
    rows = [(code(figure.name), figure.formula, figure.unit, figure.label) for figure in ENERGY_FIGURES]
    return table(("figure", "formula", "unit", "label"), rows)


def energies() -> str:
    """The energy of each memory and link, with its source."""
    found = load_energy_table().memory.items()
    rows = [(code(name), f"{m.picojoules_per_bit:g}", m.basis, m.node or "", m.source) for name, m in found]
    return table(("memory", "pJ/bit", "basis", "process", "source"), rows)


def sram_nodes() -> str:
    """The area of SRAM in each process, with its source."""
    rows = [
        (code(name), f"{n.cell_um2:g}", f"{n.array_efficiency:.2f}", f"{n.array_efficiency / n.cell_um2:.1f}", n.source)
        for name, n in load_energy_table().node.items()
    ]
    return table(("process", "cell, um2", "array efficiency", "Mbit/mm2", "source of the cell"), rows)


def platform_energies() -> str:
    """What each platform preset is built of."""
    rows = []
    for spec in map(load_platform, preset_names("platforms")):
        prices = energy_prices(spec, load_energy_table())
        assert spec.energy is not None and prices is not None
        hops = " + ".join(map(code, spec.energy.link))
        rows.append(
            (code(spec.name), hops, f"{prices.link:g}", f"{code(spec.energy.slots)} {prices.slots:g}",
             f"{code(spec.energy.tables)} {prices.tables:g}")
        )  # fmt: skip
    return table(("platform", "link", "pJ/bit", "slots, pJ/bit", "tables, pJ/bit"), rows)


def compare_figures() -> str:
    """The figures that a comparison has beyond those of a report."""
    found = (OWN_MEANINGS | LIMIT_MEANINGS).items()
    return table(("figure", "formula", "unit", "label"), [(code(name), *meaning) for name, meaning in found])


def labels() -> str:
    """What the labels of figures mean."""
    return table(("label", "meaning"), LABELS.items())


def counters() -> str:
    """Every counter, in the order of the register window."""
    rows = [(index, code(name), counter.width, counter.text) for index, (name, counter) in enumerate(COUNTERS.items())]
    return table(("index", "counter", "bits", "what it counts"), rows)


def laws() -> str:
    """The conservation laws."""
    lines = [f"{total:12} = {' + '.join(parts)}" for total, parts in LAWS.items()]
    wrapped = [textwrap.fill(line, 72, subsequent_indent=" " * 15) for line in lines]
    return "```text\n" + "\n".join(wrapped) + "\n```"


def policies() -> str:
    """The replay's policies."""
    rows = [(code(name), policy.text, "yes" if name in POLICIES else "no") for name, policy in KNOWN_POLICIES.items()]
    return table(("policy", "what prefetches", "in `all`"), rows)


def importers() -> str:
    """The formats that `moefetch trace import` reads."""
    rows = [(code(i.name), i.description, i.fixture, i.source) for i in IMPORTERS]
    return table(("`--format`", "what it reads", "tested with", "layout described in"), rows)


def trace_figures() -> str:
    """The figures of `moefetch trace stats`."""
    rows = [(name, figure.label, figure.formula) for name, figure in TRACE_FIGURES.items()]
    return table(("figure", "label", "formula"), rows)


def models() -> str:
    """The model presets."""
    specs = [load_model(name) for name in preset_names("models")]
    rows = [(code(s.name), s.n_layers, s.n_experts, s.top_k, f"{s.expert_bytes:,}") for s in specs]
    return table(("preset", "MoE layers", "experts", "top-k", "bytes of an expert"), rows)


def platforms() -> str:
    """The platform presets."""
    rows = [
        (code(s.name), f"{s.clock_hz / 1e6:g}", s.bus_bytes, f"{float(s.link_bytes_per_second) / 1e9:.4g}",
         f"{s.link.latency_ns:g}", s.link.outstanding, s.slots, s.n_pe)
        for s in map(load_platform, preset_names("platforms"))
    ]  # fmt: skip
    heading = ("preset", "clock, MHz", "bus, bytes", "link, GB/s", "latency, ns", "bursts", "slots", "PEs")
    return table(heading, rows)


def model_fields() -> str:
    """The fields of a model file."""
    return table(("field", "range", "meaning"), spec_rows(ModelSpec))


def platform_fields() -> str:
    """The fields of a platform file."""
    rows = spec_rows(PlatformSpec)
    parts = {"link": LinkSpec, "background": BackgroundSpec, "compute": ComputeSpec, "energy": EnergySpec}
    for prefix, spec in parts.items():
        rows += spec_rows(spec, f"{prefix}.")
    texts = {
        "`background.period_cycles`": "Cycles from one start of background traffic to the next; 0 for none.",
        "`background.length_cycles`": "Cycles that it takes the link; below the period.",
    }
    return table(("field", "range", "meaning"), [(name, span, texts.get(name, text)) for name, span, text in rows])


def unit_fields() -> str:
    """The fields of a unit's configuration with the values of the presets."""
    values = {name: preset.model_dump() for name, preset in UNIT_PRESETS.items()}

    def shown(value: object) -> str:
        return code(", ".join(map(str, value)) if isinstance(value, tuple) else str(value).lower())

    rows = [
        (name, span, *(shown(values[preset][name.strip("`")]) for preset in UNIT_PRESETS), text)
        for name, span, text in spec_rows(UnitConfig)
    ]
    return table(("field", "range", *UNIT_PRESETS, "meaning"), rows)


def ports() -> str:
    """The ports of the emitted module of the default unit, those of processing element 0 for all."""
    unit = FlatPorts(PrefetchUnit(config=DEFAULT))
    Fragment.get(unit, None)  # Amaranth warns of a component that nobody elaborates
    found = unit.ports
    rows = [
        (code(port.name.replace("read_0_", "read_I_")), port.direction, port.width)
        for port in found
        if not re.match(r"read_[1-9]", port.name)
    ]
    return table(("port", "direction", "bits"), rows)


def predictor_tables() -> str:
    """Size of a predictor's tables."""
    rows = []
    for name, unit in UNIT_PRESETS.items():
        cct = (unit.max_layers << unit.expert_bits) * unit.max_top_k * (unit.expert_bits + CONFIDENCE_BITS)
        rows.append((code(name), f"{cct:,}", f"{unit.max_layers * (unit.max_experts + 1):,}"))
    return table(("unit", "CCT, bits", "HT, bits (valid flags included)"), rows)


def weight_tables() -> str:
    """Size of the weight tables."""
    rows = []
    for name, unit in UNIT_PRESETS.items():
        words = len(unit.weight_sources) << (unit.layer_bits + unit.expert_bits)
        row = groups_of(unit) * lanes_of(unit) * unit.weight_bits
        rows.append((code(name), f"{words:,}", f"{row:,}", f"{words * row:,}"))
    return table(("unit, with `weights`", "rows", "bits of a row", "bits"), rows)


def weight_registers() -> str:
    """The registers that only a unit with predictor `weights` has."""
    unit = DEFAULT.replace(predictors=("weights",))
    known = {register.name for register in register_map(DEFAULT)}
    return "\n\n".join(register_section(register) for register in register_map(unit) if register.name not in known)


def segment_registers() -> str:
    """The registers that only a unit with a segment table has."""
    known = {register.name for register in register_map(DEFAULT)}
    unit = DEFAULT.replace(segments=4)
    return "\n\n".join(register_section(register) for register in register_map(unit) if register.name not in known)


def registers() -> str:
    """The register map of the default unit."""
    return registers_markdown(register_map(DEFAULT))


def area_results() -> dict[str, dict[str, Any]]:
    """Return preset -> what `moefetch bench area` measured, for the presets whose result is kept."""
    found = {name: measured_area(unit) for name, unit in UNIT_PRESETS.items()}
    return {name: document for name, document in found.items() if document is not None}


def versions(document: dict[str, Any]) -> str:
    """Return the versions of a measurement's tools."""
    return ", ".join(f"{tool} {number}" for tool, number in document["tools"].items())


def area_ecp5() -> str:
    """Cells of the placed units and of their parts."""
    tables = []
    for name, document in area_results().items():
        if "ecp5" not in document:
            continue
        ecp5 = document["ecp5"]
        parts = ecp5["parts"] | {"whole unit": ecp5["unit"]}
        rows = [
            (part, f"{found['luts']:,}", *(f"{found['cells'].get(cell, 0):,}" for cell in CELLS), "measured")
            for part, found in parts.items()
        ]
        tables.append(
            f"`{name}` on {ecp5['device']}: **{ecp5['mhz']} MHz**. "
            f"Verilog of {ecp5['verilog']}, {versions(document)}.\n\n"
            + table(("part", "LUT4 sites", *CELLS.values(), "label"), rows)
        )
    return "\n\n".join(tables)


def area_bounds() -> str:
    """The bounds and whether they hold."""
    rows = [
        (
            f"`{name}`: {bound['name']}",
            f"{bound['value']:,}",
            f"{bound['limit']:,}",
            "yes" if bound["holds"] else "**no**",
        )
        for name, document in area_results().items()
        for bound in document["bounds"]
    ]
    return table(("what", "measured", "bound", "holds"), rows)


def area_path() -> str:
    """The slowest path of the edge unit."""
    rows = [(f"{at:.1f}", code(net)) for net, at in area_results()["edge"]["ecp5"]["slowest_path"]]
    return table(("ns from the clock edge", "net, as synthesis named it"), rows)


def area_gates() -> str:
    """Gate equivalents and the predictor's share."""
    rows = []
    for name, document in area_results().items():
        gates = document["gates"]
        unit, predictor = gates["unit"], gates["predictor"]
        rows.append(
            (code(name), f"{unit['logic']:,.0f}", f"{unit['memory_bits']:,}", f"{predictor['logic']:,.0f}",
             f"{predictor['memory_bits']:,}", f"{gates['share']:.3%}", f"{gates['share_with_one_layers_table']:.3%}")
        )  # fmt: skip
    heading = (
        "unit", "logic, gates", "memory, bits", "predictor: logic, gates", "predictor: memory, bits",
        "predictor's share of all", "the same with one layer's table on chip (modelled)",
    )  # fmt: skip
    return table(heading, rows)


def prediction_times() -> str:
    """Cycles of a prediction against the size of the event."""
    rows = [(code(name), *row) for name, unit in UNIT_PRESETS.items() for row in prediction_table(unit)]
    return table(("unit", "predictor", "members", "cycles"), rows)


@functools.cache
def measured() -> dict[str, Any]:
    """Return what `make record` measured on the shipped small models."""
    path = DOCS.parent / "traces" / "data" / "measured.json"
    return json.loads(path.read_text(encoding="utf-8"))


def hint_horizons() -> str:
    """Recall of look-ahead hints against their horizon."""
    rows = [(f["horizon"], f"{f['recall']:.3f}", "measured") for f in measured()["hint_horizons"]]
    tokens = measured()["hint_horizons"][0]["tokens"]
    return table(("MoE layers ahead", f"recall at k over {tokens} tokens (chance 0.125)", "label"), rows)


def speculative() -> str:
    """What the shipped speculative recording shows, per domain."""
    parts = measured()["speculative"]

    def row(text: str, name: str, digits: str = ".3f") -> list[str]:
        return [text, *(format(figures[name], digits) for figures in parts.values()), "measured"]

    def layers(text: str, name: str) -> list[list[str]]:
        rows = zip(*(figures[name] for figures in parts.values()), strict=True)
        each = [[f"{text}, layer {i}", *(f"{x:.3f}" for x in row), "measured"] for i, row in enumerate(rows)]
        means = [f"{sum(figures[name]) / len(figures[name]):.3f}" for figures in parts.values()]
        return [*each, [f"{text}, mean", *means, "measured"]]

    rows = [
        row("windows", "windows", ","),
        row("drafted tokens", "drafted", ","),
        row("accepted drafted tokens / drafted tokens", "acceptance"),
        row("mean accepted drafted tokens of a window", "mean_accepted", ".2f"),
        row("mean tokens of a window that stay", "tokens_per_window", ".2f"),
        row("rows with predictions / rows", "predicted_rows"),
        *layers("recall at k of a token's experts", "recall"),
        *layers("recall of a window's distinct experts", "window_recall"),
    ]
    return table(("figure", *parts, "label"), rows)


def top_k_shapes() -> str:
    """Held-out loss of the shipped small model with fewer experts."""
    found = measured()["top_k_shapes"]
    full = found[0]["loss"]
    rows = [
        (code(f["shape"]), ", ".join(map(str, f["layers"])), f"{sum(f['layers']) / len(f['layers']):.2f}",
         f"{f['loss']:.4f}", f"{f['loss'] - full:+.4f}", "measured")
        for f in found
    ]  # fmt: skip
    heading = ("shape", "experts of each layer", "mean", f"loss, nats a token over {found[0]['tokens']:,}", "change")
    return table((*heading, "label"), rows)


CELLS = {
    "LUT4": "LUT4", "CCU2C": "carry cells", "TRELLIS_FF": "flip-flops", "TRELLIS_DPR16X4": "distributed RAM cells",
    "DP16KD": "block RAMs",
}  # fmt: skip
"""Cell of an ECP5 -> its column."""
HOLDS = {True: "yes", False: "**no**"}

TABLES = {
    "area-bounds": area_bounds, "area-ecp5": area_ecp5, "area-gates": area_gates, "area-path": area_path,
    "prediction-times": prediction_times,
    "compare-figures": compare_figures, "counters": counters, "energies": energies,
    "energy-figures": energy_figures, "figures": figures,
    "hint-horizons": hint_horizons, "importers": importers,
    "labels": labels, "laws": laws, "model-fields": model_fields, "models": models,
    "platform-energies": platform_energies, "platform-fields": platform_fields, "platforms": platforms,
    "policies": policies, "ports": ports,
    "predictor-tables": predictor_tables, "registers": registers, "segment-registers": segment_registers,
    "speculative": speculative, "sram-nodes": sram_nodes,
    "top-k-shapes": top_k_shapes, "trace-figures": trace_figures, "unit-fields": unit_fields,
    "weight-registers": weight_registers, "weight-tables": weight_tables, **PAGING_TABLES,
}  # fmt: skip
"""Name in a page -> what renders it."""


def rendered(text: str) -> str:
    """Return a page with its tables as the code has them now."""
    return PLACE.sub(lambda place: f"{place[1]}{TABLES[place[2]]()}\n{place[3]}", text)


def main() -> int:
    """Write the tables into the pages."""
    for page in sorted(DOCS.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        new = rendered(text)
        if new != text:
            page.write_text(new, encoding="utf-8")
            print(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
