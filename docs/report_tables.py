"""Tables of what reports say: figures, counters, laws, labels, policies, formats."""

import textwrap

from moefetch.hw.counter_names import COUNTERS, LAWS
from moefetch.hw.markdown import code, table
from moefetch.sim.compare import LIMIT_MEANINGS, OWN_MEANINGS
from moefetch.sim.figure import LABELS
from moefetch.sim.metrics import FIGURES
from moefetch.sim.policies import KNOWN_POLICIES, POLICIES
from moefetch.sim.trace_figures import TRACE_FIGURES
from moefetch.traces.importers.table import IMPORTERS


def figures() -> str:
    """Every derived figure with its formula, as sim/metrics.py computes it."""
    rows = [(code(figure.name), figure.formula, figure.unit, figure.label) for figure in FIGURES]
    return table(("figure", "formula", "unit", "label"), rows)


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


REPORT_TABLES = {
    "compare-figures": compare_figures,
    "counters": counters,
    "figures": figures,
    "importers": importers,
    "labels": labels,
    "laws": laws,
    "policies": policies,
    "trace-figures": trace_figures,
}
"""Name in a page -> what renders it."""
