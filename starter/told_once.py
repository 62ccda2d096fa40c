"""A timeline as people read it: without the lines that only say again what another one says."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from workflows.model.entries import TimelineEntry
from workflows.model.happened import EventType

SYSTEMS: Final = {"core-signature": "Core Signature", "countersign": "Countersign", "temporal": "Temporal"}
"""Who is nobody: their names, which are the same in every language."""
OUTCOMES: Final = (EventType.SIGNED, EventType.DONE, EventType.DECLINED, EventType.WAIVED)
"""What may say how it ended."""
_CAME_TRUE: Final[Mapping[str, EventType]] = {
    EventType.CANCELLATION_WISHED: EventType.CANCELLED,
    EventType.HAND_OVER_WISHED: EventType.HANDED_OVER,
}
"""What somebody asked for, and what says that it is so."""
_SOON: Final = timedelta(minutes=1)
"""A wish that took longer is news of its own."""


def told_once(timeline: Sequence[TimelineEntry]) -> list[TimelineEntry]:
    """Without a decline as the outcome where somebody declined, and without a wish that came true at once."""
    declined = any(entry.happened == EventType.DECLINED and not is_outcome(entry) for entry in timeline)
    return [
        entry
        for number, entry in enumerate(timeline, start=1)
        if not (declined and entry.happened == EventType.DECLINED and is_outcome(entry))
        and not (entry.happened in _CAME_TRUE and _came_true(entry, timeline[number:]))
    ]


def is_outcome(entry: TimelineEntry) -> bool:
    """Whether a line says how it ended, not what somebody did."""
    return entry.happened in OUTCOMES and (not entry.who or entry.who in SYSTEMS)


def _came_true(wish: TimelineEntry, behind: Sequence[TimelineEntry]) -> bool:
    return any(
        later.happened == _CAME_TRUE[wish.happened]
        and (wish.who, wish.about, wish.by) == (later.who, later.about, later.by)
        and later.at - wish.at < _SOON
        for later in behind
    )
