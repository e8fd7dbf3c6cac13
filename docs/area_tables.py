"""Tables of docs/area.md that come from kept measurements, and from the timing that parts state."""

from typing import Any

from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.markdown import code, table
from moefetch.hw.measured import measured_area
from moefetch.predictor_rtl.cct import CONFIDENCE_BITS
from moefetch.sim.prediction_time import prediction_table

CELLS = {
    "LUT4": "LUT4", "CCU2C": "carry cells", "TRELLIS_FF": "flip-flops", "TRELLIS_DPR16X4": "distributed RAM cells",
    "DP16KD": "block RAMs",
}  # fmt: skip
"""Cell of an ECP5 -> its column."""
HOLDS = {True: "yes", False: "**no**"}


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
            f"`{name}` on {ecp5['device']}: **{ecp5['mhz']} MHz** with the placer's seed {ecp5['seed']}; "
            f"MHz of each seed tried: {', '.join(f'{seed}: {mhz}' for seed, mhz in ecp5['mhz_of_seeds'].items())}. "
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


def area_memory() -> str:
    """The predictor's tables against the expert SRAM, memories alone, by formula."""
    rows = []
    for name, unit in UNIT_PRESETS.items():
        sram = unit.slots * unit.slot_bytes * 8
        one_layer = unit.max_experts * unit.max_top_k * (unit.expert_bits + CONFIDENCE_BITS) + unit.max_experts
        tables = one_layer * unit.max_layers
        shares = (f"{bits / (sram + bits):.3%}" for bits in (tables, one_layer))
        rows.append((code(name), f"{sram:,}", f"{tables:,}", *shares, "modelled"))
    heading = ("unit", "expert SRAM, bits", "tables of all layers, bits", "share", "share with one layer's", "label")
    return table(heading, rows)


def prediction_times() -> str:
    """Cycles of a prediction against the size of the event."""
    rows = [(code(name), *row) for name, unit in UNIT_PRESETS.items() for row in prediction_table(unit)]
    return table(("unit", "predictor", "members", "cycles"), rows)


AREA_TABLES = {
    "area-bounds": area_bounds,
    "area-ecp5": area_ecp5,
    "area-gates": area_gates,
    "area-memory": area_memory,
    "area-path": area_path,
    "prediction-times": prediction_times,
}
"""Name in a page -> what renders it."""
