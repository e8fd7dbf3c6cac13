"""Prompts of a recording: a text file or JSON lines."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from .errors import UserError


def read_prompts(path: Path) -> list[str]:
    """Return the prompts of `path`, at least one.

    `.jsonl`: an object with a string `prompt` per line. Any other name is plain text: paragraphs separated by
    blank lines are prompts of several lines; without a blank line in the file every line is a prompt.

    Raises `UserError` naming file, line and rule.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise UserError(f"{path}: cannot read prompts: {reason}") from error
    if path.suffix == ".jsonl":
        lines = enumerate(text.splitlines(), start=1)
        prompts = [_json_prompt(path, number, line) for number, line in lines if line.strip()]
    else:
        paragraphs = re.split(r"\n[ \t\r]*\n", text.strip())
        parts = paragraphs if len(paragraphs) > 1 else text.splitlines()
        prompts = [part.strip() for part in parts if part.strip()]
    if not prompts:
        raise UserError(f"{path}: no prompts: expected at least one line of text")
    return prompts


def _json_prompt(path: Path, number: int, line: str) -> str:
    try:
        record: Any = json.loads(line)
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: line {number}: not JSON: {error.msg}") from error
    prompt = record.get("prompt") if isinstance(record, dict) else None
    if not isinstance(prompt, str) or not prompt:
        raise UserError(f'{path}: line {number}: must be an object with a non-empty string "prompt"')
    return prompt
