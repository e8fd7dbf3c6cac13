"""Results that took minutes, kept in a folder until what they follow from changes: a run that was cut short goes on."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter

from ..traces.atomic import replacing
from .source_digest import tool_version

T = TypeVar("T")
DIGEST_DIGITS = 16


class KeptResults:
    """JSON files in a folder, one a result, named by a digest of what it follows from and of the tool's own code."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, kind: type[T], key: dict[str, Any], make: Callable[[], T]) -> T:
        """Return the result of `kind` that is kept for `key`, or make it and keep it."""
        adapter: TypeAdapter[T] = TypeAdapter(kind)
        words = json.dumps([kind.__name__, tool_version(), key], sort_keys=True)
        path = self._folder / f"{hashlib.sha256(words.encode()).hexdigest()[:DIGEST_DIGITS]}.json"
        if path.exists():
            return adapter.validate_json(path.read_bytes())
        found = make()
        with replacing(path) as temporary:
            temporary.write_bytes(adapter.dump_json(found))
        return found
