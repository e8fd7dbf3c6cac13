"""ST-MoE as the paper runs it: the whole set, and no prediction across steps.

The paper's hold-and-release is a matter of schedule, not of prediction, and lies in the unit.
"""

from ..profile import Profile
from .st_moe import StMoe


class StMoePaper(StMoe):
    """`StMoe` without wrap: the last layer predicts nothing and layer 0 learns no pair.

    Source: arXiv 2606.15453, Algorithms 1-3. Parameters and errors are those of `StMoe`.
    """

    def __init__(
        self, n_layers: int, n_experts: int, top_k: int, *, min_score: int = 2, profile: Profile | None = None
    ):
        super().__init__(n_layers, n_experts, top_k, min_score=min_score, wrap=False, profile=profile)
