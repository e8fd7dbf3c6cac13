"""The cycle model as plain Python: the same sources without the minute that compiling them takes."""

import importlib
import sys
from types import ModuleType

import numba

PACKAGE = "moefetch.sim.cycle_model"


def interpreted(*names: str) -> list[ModuleType]:
    """Return modules of the model, loaded anew with numba's compiler off; those of other tests stay as they are."""
    others = {name: sys.modules.pop(name) for name in list(sys.modules) if name.startswith(PACKAGE)}
    was_off = numba.config.DISABLE_JIT
    numba.config.DISABLE_JIT = True
    try:
        return [importlib.import_module(f"{PACKAGE}.{name}") for name in names]
    finally:
        numba.config.DISABLE_JIT = was_off
        for name in [name for name in sys.modules if name.startswith(PACKAGE)]:
            del sys.modules[name]
        sys.modules.update(others)
