"""Reading of a TOML file into a validated object; any mistake in it is one line that names file, field and rule."""

import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from ..traces.errors import UserError

Spec = TypeVar("Spec", bound=BaseModel)


def is_path(name_or_path: str) -> bool:
    """Return whether an argument names a file, and not a preset: it ends in .toml or contains a slash."""
    return name_or_path.endswith(".toml") or "/" in name_or_path


def read_spec_file(path: Path, spec: type[Spec]) -> Spec:
    """Return what a file says.

    Raises UserError for an unreadable file, one that is not TOML, or the first field that breaks a rule.
    """
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
