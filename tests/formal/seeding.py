"""Bugs put into a module's source on purpose, so that a proof shows that it can fail."""

import importlib
import inspect
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple


class Seed(NamedTuple):
    """Replace `old`, which stands once in the module, by `new`."""

    name: str
    module: str
    """Below `moefetch`, as in `hw.dma`."""
    old: str
    new: str


@contextmanager
def seeded(seed: Seed) -> Iterator[None]:
    """Let the module's functions be those of the changed source, until the end of the block.

    The module object and its classes stay, only functions and methods that the change touches are exchanged, so every
    importer sees them.
    """
    module = importlib.import_module(f"moefetch.{seed.module}")
    source = inspect.getsource(module)
    if source.count(seed.old) != 1:
        raise ValueError(f"seeded bug {seed.name}: {source.count(seed.old)} places in {seed.module} read {seed.old!r}")
    changed = types.ModuleType(module.__name__)
    changed.__dict__.update(__package__=module.__package__, __file__=module.__file__)
    exec(compile(source.replace(seed.old, seed.new), str(module.__file__), "exec"), changed.__dict__)
    exchanged = list(_exchange(module, changed))
    if not exchanged:
        raise ValueError(f"seeded bug {seed.name}: no function differs")
    try:
        yield
    finally:
        for owner, name, function in exchanged:
            setattr(owner, name, function)


def _exchange(module, changed) -> Iterator[tuple[object, str, object]]:
    """Put the functions that differ in place, and yield what was there."""
    owners = [(module, changed)]
    for name, value in vars(module).items():
        if inspect.isclass(value) and value.__module__ == module.__name__:
            owners.append((value, getattr(changed, name)))
    for owner, other in owners:
        for name, function in list(vars(owner).items()):
            new = vars(other).get(name)
            both = isinstance(function, types.FunctionType) and isinstance(new, types.FunctionType)
            if both and _differ(function.__code__, new.__code__):
                setattr(owner, name, new)
                yield owner, name, function


def _differ(code: types.CodeType, other: types.CodeType) -> bool:
    """Compare what two functions do, not the lines that they stand on."""
    if code.co_code != other.co_code or code.co_names != other.co_names or len(code.co_consts) != len(other.co_consts):
        return True
    for a, b in zip(code.co_consts, other.co_consts, strict=True):
        if isinstance(a, types.CodeType) and isinstance(b, types.CodeType):
            if _differ(a, b):
                return True
        elif a != b:
            return True
    return False
