"""Names of a package that are imported when they are first used, so that importing the package is free."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_exports(package: str, exports: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the `__getattr__` of a package whose names lie in the modules that `exports` says, name -> module."""

    def find(name: str) -> Any:
        if name not in exports:
            raise AttributeError(f"module {package} has no attribute {name}")
        return getattr(import_module(f".{exports[name]}", package), name)

    return find
