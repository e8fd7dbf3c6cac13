"""All proofs and covers, in the order in which they are run: quick ones first."""

from .proofs import (
    commit_covers,
    commit_port,
    commit_progress,
    counters,
    dma_controller,
    dma_legalizer,
    dma_progress,
    expert_mapping,
    expert_sram,
    handshakes,
    late_queue,
    page_channel,
    prefetch_queue,
    streams,
)

MODULES = (
    streams,
    counters,
    expert_sram,
    late_queue,
    expert_mapping,
    page_channel,
    dma_legalizer,
    prefetch_queue,
    commit_port,
    commit_progress,
    dma_controller,
    dma_progress,
    handshakes,
)
PROOFS = {proof.name: proof for module in MODULES for proof in module.PROOFS}
"""Name -> proof."""
COVERS = {cover.name: cover for module in (streams, commit_covers, dma_progress) for cover in module.COVERS}
"""Name of a proof -> its cover."""
