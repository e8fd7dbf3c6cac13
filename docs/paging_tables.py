"""Tables of docs/table-paging.md that come from the code; `generated.py` writes them into the page."""

from moefetch.hw.config import UNIT_PRESETS, UnitConfig
from moefetch.hw.counter_names import COUNTERS, PAGING_COUNTERS, PAGING_LAWS, ROW_COUNTERS
from moefetch.hw.markdown import code, table
from moefetch.hw.register_map import register_map
from moefetch.hw.register_markdown import register_section
from moefetch.hw.row_layout import RowLayout
from moefetch.hw.table_layout import TableLayout
from moefetch.predictor_rtl.cct import CONFIDENCE_BITS
from moefetch.sim.model_spec import load_model
from moefetch.sim.preset_files import preset_names

DEFAULT = UNIT_PRESETS["default"]
PAGED = DEFAULT.replace(predictors=("st_moe",), table_window=3)
CACHED = DEFAULT.replace(predictors=("weights",), weight_ways=16)
SIX_SOURCES = ((1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (0, 1))
WAYS = (8, 16, 32)


def table_counters() -> str:
    """The counters that only a unit with paged tables has, and their laws."""
    counters = enumerate(PAGING_COUNTERS.items(), len(COUNTERS))
    rows = [(index, code(name), counter.width, counter.text) for index, (name, counter) in counters]
    laws = "\n".join(f"{total:12} = {' + '.join(parts)}" for total, parts in PAGING_LAWS.items())
    return table(("index", "counter", "bits", "what it counts"), rows) + f"\n\n```text\n{laws}\n```"


def table_registers() -> str:
    """The registers that only a unit with paged tables has."""
    known = {register.name for register in register_map(DEFAULT)}
    return "\n\n".join(register_section(register) for register in register_map(PAGED) if register.name not in known)


def table_pages() -> str:
    """What paging costs on chip and on the bus, for each model preset with three layers on chip."""
    rows = []
    for model in map(load_model, preset_names("models")):
        unit = PAGED.replace(max_layers=model.n_layers, max_experts=model.n_experts, max_top_k=model.top_k)
        page = TableLayout(unit).page_bytes
        bits = unit.max_top_k * (unit.expert_bits + CONFIDENCE_BITS) << unit.expert_bits
        share = 100 * 2 * page / model.expert_bytes
        on_chip = f"{bits * model.n_layers:,}", f"{unit.table_window * bits:,}"
        rows.append((code(model.name), *on_chip, f"{page:,}", f"{2 * page:,}", f"{share:.2g} %"))
    heading = ("model", "bits of all tables", "bits of three layers", "bytes of a page")
    return table((*heading, "bytes moved an event, at most", "of an expert's bytes"), rows)


def row_counters() -> str:
    """The counters that only a unit with cached rows has."""
    counters = enumerate(ROW_COUNTERS.items(), len(COUNTERS))
    rows = [(index, code(name), counter.width, counter.text) for index, (name, counter) in counters]
    return table(("index", "counter", "bits", "what it counts"), rows)


def row_registers() -> str:
    """The registers that only a unit with cached rows has."""
    known = {
        register.name for unit in (DEFAULT.replace(predictors=("weights",)), PAGED) for register in register_map(unit)
    }
    return "\n\n".join(register_section(register) for register in register_map(CACHED) if register.name not in known)


def _cached_bits(unit: UnitConfig, ways: int) -> int:
    """Return the bits of rows, tags and pointers with so many ways."""
    sets = unit.max_layers * len(unit.weight_sources)
    tag = unit.expert_bits + 2
    return sets * (ways * ((unit.weight_bits << unit.expert_bits) + tag) + (ways - 1).bit_length())


def row_cache() -> str:
    """What the row cache costs on chip and on the bus, for models of 64 experts and more, and for six sources."""
    names = [name for name in preset_names("models") if load_model(name).n_experts >= 2 * max(WAYS)]
    cases = [(code(name), load_model(name), CACHED.weight_sources) for name in names]
    cases.append((f"{code('qwen3-30b-a3b')}, six sources", load_model("qwen3-30b-a3b"), SIX_SOURCES))
    rows = []
    for name, model, sources in cases:
        unit = CACHED.replace(max_layers=model.n_layers, max_experts=model.n_experts, weight_sources=sources)
        everything = model.n_layers * len(sources) * model.n_experts * unit.weight_bits * model.n_experts
        moved = 2 * len(sources) * model.top_k * RowLayout(unit).row_bytes
        on_chip = (
            f"{bits:,} ({100 * bits / everything:.0f} %)" for bits in (_cached_bits(unit, ways) for ways in WAYS)
        )
        share = f"{100 * moved / model.expert_bytes:.2g} %"
        rows.append((name, f"{everything:,}", *on_chip, f"{moved:,}", share))
    heading = ("model", "bits of all tables", *(f"{ways} ways" for ways in WAYS))
    return table((*heading, "bytes moved an event, at most", "of an expert's bytes"), rows)


PAGING_TABLES = {
    "table-counters": table_counters,
    "table-registers": table_registers,
    "table-pages": table_pages,
    "row-counters": row_counters,
    "row-registers": row_registers,
    "row-cache": row_cache,
}
"""Name in the page -> what renders it."""
