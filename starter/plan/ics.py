"""A plan as a calendar file (RFC 5545), so that it can be laid over other calendars."""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final, Protocol

from starter.plan.calendar import PlanLine, RequestPlan
from starter.plan.dry_run import SIGNED

_LONGEST_LINE: Final = 75
"""Octets of a line; what is longer goes on in the next, behind a blank."""
_ESCAPED: Final = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n", "\r": None})


class Dated(Protocol):
    """A plan of something with a due date."""

    @property
    def id(self) -> str:
        """What is planned."""

    @property
    def document(self) -> str:
        """What it is about."""

    @property
    def at(self) -> datetime:
        """As of when."""

    @property
    def due_at(self) -> datetime:
        """When it is due."""


def calendar_of(plan: RequestPlan) -> bytes:
    """The branch in which most of the signers sign, else nobody."""
    return calendar_with(plan, plan.branches[-1].lines)


def calendar_with(plan: Dated, planned: Iterable[PlanLine]) -> bytes:
    """An event for each notice, and one for the due date; what would not be sent is left out."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//countersign//request plan//EN"]
    for line in planned:
        if not line.suppressed and line.stage != SIGNED:
            lines += _event(plan, line.at, f"{line.stage}: {line.to}", line.why, _uid(plan, line))
    lines += _event(plan, plan.due_at, "due", plan.document, f"{plan.id}-due")
    return b"".join(map(_folded, [*lines, "END:VCALENDAR"]))


def _event(plan: Dated, at: datetime, says: str, why: str, uid: str) -> Iterator[str]:
    yield "BEGIN:VEVENT"
    yield f"UID:{uid}@countersign"
    yield f"DTSTAMP:{_utc(plan.at)}"
    yield f"DTSTART:{_utc(at)}"
    yield "DURATION:PT15M"
    yield "TRANSP:TRANSPARENT"
    yield f"SUMMARY:{_text(f'{plan.id} {says}')}"
    yield f"DESCRIPTION:{_text(why)}"
    yield "END:VEVENT"


def _uid(plan: Dated, line: PlanLine) -> str:
    """The same for the same notice, so that a plan that is imported again replaces the earlier one."""
    return f"{plan.id}-{hashlib.sha256(f'{line.stage}/{line.person}/{line.to}'.encode()).hexdigest()[:16]}"


def _utc(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _text(text: str) -> str:
    return text.translate(_ESCAPED)


def _folded(line: str) -> bytes:
    """The line with its end, divided between characters so that no part is too long."""
    parts, part = [], b""
    for character in line:
        encoded = character.encode()
        if len(part) + len(encoded) > _LONGEST_LINE:
            parts.append(part)
            part = b" "
        part += encoded
    return b"\r\n".join([*parts, part]) + b"\r\n"
