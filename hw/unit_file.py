"""Reading of a unit's configuration: a preset by name, or a user's TOML file by path."""

from pathlib import Path

from ..traces.errors import UserError
from .config import UNIT_PRESETS, UnitConfig
from .spec_file import is_path, read_spec_file


def read_unit_config(name_or_path: str) -> UnitConfig:
    """Return a preset, or what a TOML file says if the argument ends in .toml or contains a slash.

    Raises UserError in one line: an unknown name (with the known ones), or a mistake in the file.
    """
    if is_path(name_or_path):
        return read_spec_file(Path(name_or_path), UnitConfig)
    if name_or_path in UNIT_PRESETS:
        return UNIT_PRESETS[name_or_path]
    known = ", ".join(UNIT_PRESETS)
    raise UserError(f"{name_or_path}: no such unit preset (known: {known}; or give a path ending in .toml)")
