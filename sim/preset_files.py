"""Reading of the TOML files that describe a model or a platform: a preset by name, or a user's by path."""

from pathlib import Path
from typing import Literal

from ..hw.spec_file import Spec, is_path, read_spec_file
from ..traces.errors import UserError

PRESETS = Path(__file__).parent / "presets"

Kind = Literal["models", "platforms"]


def preset_names(kind: Kind) -> list[str]:
    """Return the names of the presets of a kind, sorted."""
    return sorted(path.stem for path in (PRESETS / kind).glob("*.toml"))


def read_spec(kind: Kind, name_or_path: str, spec: type[Spec]) -> Spec:
    """Read a preset, or a file if the argument ends in .toml or contains a slash.

    Raises UserError in one line: an unknown name (with the known ones), or a mistake in the file.
    """
    if is_path(name_or_path):
        return read_spec_file(Path(name_or_path), spec)
    if name_or_path not in preset_names(kind):
        known = ", ".join(preset_names(kind))
        raise UserError(f"{name_or_path}: no such preset in {kind} (known: {known}; or give a path ending in .toml)")
    return read_spec_file(PRESETS / kind / f"{name_or_path}.toml", spec)
