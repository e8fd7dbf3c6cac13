"""Tables of docs/table-paging.md that come from the code; `generated.py` writes them into the page."""

from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.counter_names import COUNTERS, PAGING_COUNTERS, PAGING_LAWS
from moefetch.hw.markdown import code, table
from moefetch.hw.register_map import register_map
from moefetch.hw.register_markdown import register_section
from moefetch.hw.table_layout import TableLayout
from moefetch.predictor_rtl.cct import CONFIDENCE_BITS
from moefetch.sim.model_spec import load_model
from moefetch.sim.preset_files import preset_names

DEFAULT = UNIT_PRESETS["default"]
PAGED = DEFAULT.replace(predictors=("st_moe",), table_window=3)


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


PAGING_TABLES = {"table-counters": table_counters, "table-registers": table_registers, "table-pages": table_pages}
"""Name in the page -> what renders it."""
