"""Tables of docs/energy.md that come from the code and the built-in energy table."""

from moefetch.hw.markdown import code, table
from moefetch.sim.energy_figures import ENERGY_FIGURES
from moefetch.sim.energy_table import energy_prices, load_energy_table
from moefetch.sim.platform_spec import load_platform
from moefetch.sim.preset_files import preset_names


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


ENERGY_TABLES = {
    "energies": energies,
    "energy-figures": energy_figures,
    "platform-energies": platform_energies,
    "sram-nodes": sram_nodes,
}
"""Name in a page -> what renders it."""
