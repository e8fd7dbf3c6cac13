"""ST-MoE as the paper runs it: the whole set, held and released, and no prediction across steps."""

from ..hw.config import UnitConfig
from .st_moe import StMoePredictor


class StMoePaperPredictor(StMoePredictor):
    """`StMoePredictor` without wrap and with hold; latency and throughput are the same.

    Source: arXiv 2606.15453, Algorithms 1-3 and Fig. 6.
    """

    def __init__(self, *, config: UnitConfig):
        super().__init__(config=config, wrap=False, hold=True)
