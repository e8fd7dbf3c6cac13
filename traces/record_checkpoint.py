"""Checkpoint on disk: the model and tokenizer that a recording runs."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from .errors import UserError

RECORD_PACKAGES = ("torch", "transformers", "tokenizers")


def require_record_extra() -> None:
    """Raise `UserError`, saying what to install, unless the packages of the `record` extra are there."""
    missing = [name for name in RECORD_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"recording needs {', '.join(missing)}: pip install 'moefetch[record]'")


def check_checkpoint(path: Path) -> None:
    """Raise `UserError` unless `path` is a folder that looks like a checkpoint, before anything long is done."""
    if not path.is_dir():
        raise UserError(f"{path}: no such folder: must be that of a Hugging Face checkpoint")
    if not (path / "config.json").is_file():
        raise UserError(f"{path}: not a Hugging Face checkpoint: no config.json in it")


def load_checkpoint(path: Path, device: str) -> tuple[Any, Any]:
    """Return the causal language model of folder `path`, ready to decode on `device`, and its tokenizer.

    Weights keep the type they are stored in. Nothing is downloaded, and no code of the checkpoint is run.
    Raises `UserError` naming the folder and the reason.
    """
    require_record_extra()
    check_checkpoint(path)
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
        model: Any = AutoModelForCausalLM.from_pretrained(path, local_files_only=True, dtype="auto")
        model.to(torch.device(device))
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise UserError(f"{path}: cannot load the checkpoint: {reason}") from error
    return model.eval(), tokenizer


def default_device() -> str:
    """Return `cuda` where there is one, else `cpu`."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def position_count(*models: Any) -> int | None:
    """Return how many positions a text may have in every model, None where none of them says."""
    found = [getattr(m.config.get_text_config(), "max_position_embeddings", None) for m in models]
    return min((count for count in found if count is not None), default=None)
