"""Command behind `make record`: fetch the texts, train both models, record what traces/data ships.

Every stage keeps its result under `--work` and goes on from there after an interruption.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

from ..atomic import replacing
from ..errors import UserError
from . import corpus
from .draft import DraftConfig, describe_draft, train_draft
from .figures import measure_recorder
from .shipped import measure, save_checkpoint, ship, training_record
from .shipped_speculative import ship_speculative
from .tokenizer import encode_split, save_tokens, train_tokenizer
from .train import Streams, TrainingConfig, train


def main() -> int:
    """Run the stages; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m moefetch.traces.training", description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("build/record"), help="packages, checkpoints, logs")
    parser.add_argument("--out", type=Path, default=Path("traces/data"), help="where the recordings go")
    parser.add_argument("--minutes", type=float, default=0.0, help="end training by wall clock (0: by steps)")
    parser.add_argument("--draft-minutes", type=float, default=0.0, help="the same for the draft model's")
    parser.add_argument("--threads", type=int, default=2, help="threads of the training")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    try:
        training, drafting = TrainingConfig(minutes=arguments.minutes), DraftConfig(minutes=arguments.draft_minutes)
        run(arguments.work, arguments.out, training, drafting)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; run the same command again to go on", file=sys.stderr)
        return 130
    return 0


def run(work: Path, out: Path, config: TrainingConfig, draft_config: DraftConfig) -> None:
    """Fetch, train, distil, record and measure."""
    documents = corpus.load(work / "packages")
    streams, tokenizer = _tokens(work, documents)
    for folder in ("run", "draft-run"):
        (work / folder).mkdir(exist_ok=True)
    model = train(streams, work / "run", config)
    save_checkpoint(model, tokenizer, work / "model")
    figures = training_record(config, work / "run" / "training.jsonl", measure(model, streams))
    print(json.dumps(figures, indent=2), flush=True)
    save_checkpoint(train_draft(streams, model, work / "draft-run", draft_config), tokenizer, work / "draft")
    metas = ship(documents, work / "model", figures, out)
    drafting = describe_draft(draft_config, work / "draft-run" / "training.jsonl")
    metas.append(ship_speculative(documents, work, figures, drafting, out))
    for meta in metas:
        print(f"{meta.provenance['text']}: content {meta.content_sha256}", flush=True)
    print(json.dumps(measure_recorder(work, streams, out), indent=1), flush=True)
    print(f"recordings in {out}; next: moefetch trace stats {out}/prose.parquet")


def _tokens(work: Path, documents: list[corpus.Document]) -> tuple[Streams, Tokenizer]:
    """Return the corpus as tokens, and the tokenizer, trained if it was not yet."""
    tokens, vocabulary = work / "tokens.npz", work / "tokenizer.json"
    if not tokens.exists():
        print("training the tokenizer", flush=True)
        tokenizer = train_tokenizer(documents)
        tokenizer.save(str(vocabulary))
        with replacing(tokens) as temporary:
            save_tokens(temporary, encode_split(tokenizer, documents))
    with np.load(tokens) as stored:
        return dict(stored), Tokenizer.from_file(str(vocabulary))


if __name__ == "__main__":
    sys.exit(main())
