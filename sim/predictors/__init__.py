"""Golden predictors: plain Python twins of `moefetch.predictor_rtl`, under the same file names."""

from importlib import import_module
from typing import Any

PREDICTORS = {
    "st_moe": ("st_moe", "StMoe"),
    "st_moe_paper": ("st_moe_paper", "StMoePaper"),
    "weights": ("weights", "Weights"),
    "hints": ("hints", "Hints"),
    "previous_token": ("previous_token", "PreviousToken"),
}
"""Name of each predictor -> (module, class); the class is imported when it is asked for."""


def predictor_class(name: str) -> Any:
    """Return the class of the predictor called `name`; raises KeyError naming the known ones."""
    if name not in PREDICTORS:
        raise KeyError(f"unknown predictor {name!r}; known: {', '.join(PREDICTORS)}")
    module, attribute = PREDICTORS[name]
    return getattr(import_module(f".{module}", __name__), attribute)


def __getattr__(attribute: str) -> Any:
    """Import a predictor's class on first use (PEP 562)."""
    for module, known in PREDICTORS.values():
        if attribute == known:
            return getattr(import_module(f".{module}", __name__), attribute)
    raise AttributeError(f"module {__name__!r} has no attribute {attribute!r}")
