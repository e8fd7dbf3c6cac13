"""Reading of a unit's configuration: a preset by name, or a user's TOML file by path."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import ValidationError

from ..traces.errors import UserError
from .config import UNIT_PRESETS, UnitConfig


def read_unit_config(name_or_path: str) -> UnitConfig:
    """Return a preset, or what a TOML file says if the argument ends in .toml or contains a slash.

    Raises UserError in one line: an unknown name (with the known ones), an unreadable file, or the first field
    that breaks a rule, with its value.
    """
    if not (name_or_path.endswith(".toml") or "/" in name_or_path):
        if name_or_path in UNIT_PRESETS:
            return UNIT_PRESETS[name_or_path]
        known = ", ".join(UNIT_PRESETS)
        raise UserError(f"{name_or_path}: no such unit preset (known: {known}; or give a path ending in .toml)")
    path = Path(name_or_path)
    try:
        fields = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a TOML file: {error}") from error
    try:
        return UnitConfig.model_validate(fields)
    except ValidationError as error:
        raise UserError(f"{path}: {_first_line(error)}") from error


def _first_line(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    rule = first["msg"].removeprefix("Value error, ")
    return f"{field} = {first['input']!r}: {rule}" if field else rule
