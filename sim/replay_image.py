"""The file from which the replay bench's trace memory is loaded."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from ..hw.replay_words import ADDRESS_BITS, BEAT, HEADER, HINT, pack
from ..traces.errors import UserError
from .replay_events import ReplayEvent


def replay_words(events: Iterable[ReplayEvent]) -> Iterator[int]:
    """Yield the words of the events, as hw/replay_words.py lays them out."""
    for event in events:
        yield pack(
            HEADER,
            n_beats=len(event.beats),
            n_hints=len(event.hints),
            layer=event.layer,
            sequence_start=event.sequence_start,
            step_first=event.step_first,
        )
        for beat in event.beats:
            yield pack(BEAT, expert=beat.expert, score=beat.score, token_last=beat.token_last)
        for hint in event.hints:
            yield pack(HINT, expert=hint.expert, score=hint.score, layer=hint.layer)


def write_image(events: Iterable[ReplayEvent], path: Path) -> None:
    """Write the words in hexadecimal, one a line; raises UserError if they do not fit the memory."""
    words = [f"{word:08x}" for word in replay_words(events)]
    if len(words) > 1 << ADDRESS_BITS:
        raise UserError(
            f"the replay needs {len(words)} trace words, the bench holds {1 << ADDRESS_BITS}: fewer --tokens"
        )
    path.write_text("\n".join(words) + "\n")
