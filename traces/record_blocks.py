"""Feed-forward blocks of a Hugging Face decoder, and the attention outputs that they read."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from .errors import UserError


def find_blocks(model: Any) -> list[nn.Module]:
    """Return the feed-forward block of every decoder layer, dense or MoE, in order.

    Nothing is known by name but attention: the layers are the `ModuleList` as long as the configuration says,
    and a layer's block is its first child that has a weight matrix and is not attention. What it is given is
    the layer's attention output, residual added and normed.

    Raises UserError for a model without such layers.
    """
    count = model.config.get_text_config().num_hidden_layers
    for module in model.modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            blocks = [_block(layer) for layer in module]
            if None not in blocks:
                return [block for block in blocks if block is not None]
    raise UserError(f"{type(model).__name__}: no feed-forward blocks found in its {count} layers")


class BlockTap:
    """Records the inputs of the blocks in the last forward pass; use as a context manager."""

    def __init__(self, blocks: list[nn.Module]):
        self._blocks = blocks
        self._handles: list[Any] = []
        self.inputs: list[Tensor] = []

    def __enter__(self) -> BlockTap:
        self.inputs = [Tensor()] * len(self._blocks)
        for index, block in enumerate(self._blocks):
            self._handles.append(block.register_forward_pre_hook(self._hook(index)))
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def _hook(self, index: int):
        def record(_module: nn.Module, inputs: tuple[Any, ...]) -> None:
            self.inputs[index] = inputs[0].detach().reshape(-1, inputs[0].shape[-1])  # [tokens, width]

        return record


def _block(layer: nn.Module) -> nn.Module | None:
    for name, child in layer.named_children():
        if "attn" in name or "attention" in name:
            continue
        if any(parameter.ndim >= 2 for parameter in child.parameters()):
            return child
    return None
