"""What the lines of a hand-off tell, in a show as in a record: of each target the newest, and which are dead."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from workflows.model.policy import ESCALATED
from workflows.model.settlement import HandoffLine, HandoffState

REPLAYS_AT_MOST: Final = 20
"""Lines of replays of one target that a record shows: all of them are in the store."""


def escalation_of(target: str) -> int:
    """Which escalation it hears of, by its name; 0 for the ending."""
    number = target.partition(f"/{ESCALATED}-")[2]
    return int(number) if number.isdecimal() else 0


def last_of(lines: Iterable[HandoffLine]) -> tuple[HandoffLine, ...]:
    """Of each target the newest line: the last replay, else the original."""
    return tuple({line.target: line for line in lines}.values())


def originals_and_newest(lines: Sequence[HandoffLine]) -> tuple[HandoffLine, ...]:
    """Of each target its original line and the newest of its replays, in their order."""
    seen, kept = Counter[str](), []
    for line in reversed(lines):
        seen[line.target] += 1
        if not line.replay or seen[line.target] <= REPLAYS_AT_MOST:
            kept.append(line)
    return tuple(reversed(kept))


def originals_and_last(lines: Sequence[HandoffLine]) -> tuple[HandoffLine, ...]:
    """Of each target its original line and its newest, which is all that a replay goes by."""
    newest = {line.target: line for line in lines}
    return tuple(line for line in lines if not line.replay or line is newest[line.target])


def dead_of(lines: Iterable[HandoffLine]) -> tuple[HandoffLine, ...]:
    """The targets that will never hear of the ending: whoever heard by a replay has, who is being told may yet.

    Not hearing of an escalation, which is over by then, is none of it.
    """
    return tuple(line for line in dead_lines(lines) if not escalation_of(line.target))


def dead_lines(lines: Iterable[HandoffLine]) -> tuple[HandoffLine, ...]:
    """The targets that will never hear, be it of an escalation."""
    last = {line.target: line for line in lines if line.state is not HandoffState.PENDING}
    return tuple(line for line in last.values() if line.state is HandoffState.DEAD)
