"""The words of notices, by stage and required action. English; another language is another table of this shape."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from babel.dates import format_datetime

from workflows.model import NoticeAction, Status

_LANGUAGE: Final = "en"
_DUE_PATTERN: Final = "EEE d MMM y, HH:mm (VVV)"


@dataclass(frozen=True)
class Words:
    """A title, and a body in which `{document}` stands for the document's name."""

    title: str
    body: str


_FIRST: Final = {
    NoticeAction.SIGN: Words("Your signature is needed", "Please sign {document}."),
    NoticeAction.APPROVE: Words("Your approval is needed", "Please approve {document}."),
    NoticeAction.OPEN: Words("A document for you", "Please read {document}."),
}
_AGAIN: Final = {
    NoticeAction.SIGN: Words("Reminder: your signature is needed", "Please sign {document}; it still waits for you."),
    NoticeAction.APPROVE: Words(
        "Reminder: your approval is needed", "Please approve {document}; it still waits for you."
    ),
    NoticeAction.OPEN: Words("Reminder: a document for you", "Please read {document}."),
}
_LAST: Final = {
    NoticeAction.SIGN: Words("Due soon: your signature is needed", "Please sign {document} before it expires."),
    NoticeAction.APPROVE: Words("Due soon: your approval is needed", "Please approve {document} before it expires."),
    NoticeAction.OPEN: Words("Due soon: a document for you", "Please read {document}."),
}
_ALERT: Final = {
    NoticeAction.SIGN: Words("Your signature is needed instead", "Please sign {document}; nobody has yet."),
    NoticeAction.APPROVE: Words("Your approval is needed instead", "Please approve {document}; nobody has yet."),
    NoticeAction.OPEN: Words("A signature is still missing", "{document} still waits for a signer. Please see to it."),
}
_ENDED: Final = {
    Status.SIGNED: Words("Signed", "{document} has been signed by everyone."),
    Status.DECLINED: Words("Declined", "{document} was declined by a signer."),
    Status.EXPIRED: Words("Expired", "{document} was not signed in time."),
    Status.CANCELLED: Words("Cancelled", "{document} was cancelled; nothing is left to do."),
    Status.FAILED: Words("Could not be sent", "{document} could not be sent for signature."),
}
_STAGES: Final = {"reminder": _AGAIN, "warning": _LAST, "escalation": _ALERT}


def words_for(stage: str, action: NoticeAction, outcome: Status | None) -> Words:
    """The words of one notice; an outcome speaks of the ending, whatever the stage is called."""
    if outcome in _ENDED:
        return _ENDED[outcome]
    return _STAGES.get(stage.partition("-")[0], _FIRST)[action]


def due_sentence(due_at: datetime, zone: ZoneInfo) -> str:
    """The due date on the recipient's own clock, named by its city: `Due Fri 11 Dec 2026, 18:00 (Amsterdam).`."""
    return f"Due {format_datetime(due_at, _DUE_PATTERN, tzinfo=zone, locale=_LANGUAGE)}."
