"""Tables of docs/models-and-platforms.md that come from the code: presets, and the fields of files."""

import ast
import inspect
import textwrap

from moefetch.hw.config import UNIT_PRESETS, UnitConfig
from moefetch.hw.markdown import code, table
from moefetch.sim.model_spec import ModelSpec, load_model
from moefetch.sim.platform_spec import BackgroundSpec, ComputeSpec, EnergySpec, LinkSpec, PlatformSpec, load_platform
from moefetch.sim.preset_files import preset_names
from pydantic import BaseModel


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


SPEC_TABLES = {
    "model-fields": model_fields,
    "models": models,
    "platform-fields": platform_fields,
    "platforms": platforms,
    "unit-fields": unit_fields,
}
"""Name in a page -> what renders it."""
