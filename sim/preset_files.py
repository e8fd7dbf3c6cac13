"""Reading of the TOML files that describe a model or a platform: a preset by name, or a user's by path."""

import tomllib
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ValidationError

from ..traces.errors import UserError

PRESETS = Path(__file__).parent / "presets"

Spec = TypeVar("Spec", bound=BaseModel)
Kind = Literal["models", "platforms"]


def preset_names(kind: Kind) -> list[str]:
    """Return the names of the presets of a kind, sorted."""
    return sorted(path.stem for path in (PRESETS / kind).glob("*.toml"))


def read_spec(kind: Kind, name_or_path: str, spec: type[Spec]) -> Spec:
    """Read a preset, or a file if the argument ends in .toml or contains a slash.

    Raises UserError in one line: an unknown name (with the known ones), an unreadable file, or the first
    field that breaks a rule, with its value.
    """
    is_path = name_or_path.endswith(".toml") or "/" in name_or_path
    if not is_path and name_or_path not in preset_names(kind):
        known = ", ".join(preset_names(kind))
        raise UserError(f"{name_or_path}: no such preset in {kind} (known: {known}; or give a path ending in .toml)")
    path = Path(name_or_path) if is_path else PRESETS / kind / f"{name_or_path}.toml"
    try:
        fields = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a TOML file: {error}") from error
    try:
        return spec.model_validate(fields)
    except ValidationError as error:
        raise UserError(f"{path}: {_first_line(error)}") from error


def _first_line(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    rule = first["msg"].removeprefix("Value error, ")
    if first["type"] == "missing" or not field:
        return f"{field}: {rule}" if field else rule
    return f"{field} = {first['input']!r}: {rule}"
