"""What trained networks recall on a trace, kept in a file: training takes minutes."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..hw.weight_rules import MAX_LAYERS_BACK, WeightRules
from ..traces.atomic import replacing
from ..traces.content_hash import content_hash
from ..traces.errors import UserError
from ..traces.format import Trace
from .halves import halves
from .offline_network import NetworkRecipe, network_ranking
from .recall_curves import RecallCurves

WIDE = (*((back, 0) for back in range(1, MAX_LAYERS_BACK + 1)), (0, 1), (0, 2))
"""More context than any unit's: eight layers back, and the predicted layer two tokens back."""
FLOAT_BITS = 32
DIGEST_DIGITS = 16
PLACES = 5
"""Decimal places of a recall that is kept."""


def network_forms(rules: WeightRules) -> dict[str, NetworkRecipe]:
    """Return name -> recipe: one sees the sources of the weights, the other all that a unit could."""
    return {
        "network, the weights' context": NetworkRecipe(rules.sources),
        "network, wide context": NetworkRecipe(WIDE),
    }


def network_bits(recipe: NetworkRecipe, n_layers: int, n_experts: int) -> int:
    """Return the bits of a model's networks."""
    inputs = len(recipe.sources) * n_experts
    return n_layers * FLOAT_BITS * ((inputs + 1) * recipe.hidden + (recipe.hidden + 1) * n_experts)


class NetworkResults:
    """The recall of networks, by trace and recipe, in a JSON file that is written after each training."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept: dict[str, dict[str, Any]] = {}
        if path.exists():
            try:
                self._kept = json.loads(path.read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                raise UserError(f"{path}: not a file of networks' results: {error}") from error

    def curves(self, trace: Trace, name: str, recipe: NetworkRecipe, show: Callable[[int, int], None]) -> RecallCurves:
        """Return the recall over the second half of the trace called `name`; trains on its first half if need be."""
        digest = _digest(trace, recipe)
        if digest not in self._kept:
            first, second = halves(trace)
            ranked = network_ranking(first[:2], second[:2], trace.meta.n_experts, recipe, show)
            found = RecallCurves.of(second.experts, ranked)
            self._keep(digest, {"trace": name, "recipe": recipe.document(), **found._asdict()})
        kept = self._kept[digest]
        return RecallCurves(tuple(kept["later"]), tuple(kept["layer_0"]))

    def _keep(self, digest: str, document: dict[str, Any]) -> None:
        for part in RecallCurves._fields:
            document[part] = [round(recall, PLACES) for recall in document[part]]
        self._kept[digest] = document
        with replacing(self._path) as temporary:
            temporary.write_text(json.dumps(self._kept, indent=1) + "\n", encoding="utf-8")


def _digest(trace: Trace, recipe: NetworkRecipe) -> str:
    words = json.dumps([content_hash(trace), recipe.document()])
    return hashlib.sha256(words.encode()).hexdigest()[:DIGEST_DIGITS]
