"""Commands that the bench has given and whose records are still to come."""

from collections import deque
from typing import NamedTuple

from ...hw.records import Kind


class Command(NamedTuple):
    """A command by the record that it leaves: kind, outcome, and for a pin the expert."""

    kind: Kind
    outcome: int = 0
    layer: int = 0
    expert: int = 0


class Commands:
    """Commands in the order in which they were given; one that changes nothing leaves no record."""

    __slots__ = ("_given",)

    def __init__(self) -> None:
        self._given: deque[Command] = deque()

    def give(self, command: Command) -> None:
        """Take a command."""
        self._given.append(command)

    def take(self, command: Command) -> bool:
        """Return whether `command` was given, and drop it with all that were given before it."""
        if command not in self._given:
            return False
        while self._given.popleft() != command:
            pass
        return True
