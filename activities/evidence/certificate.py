"""The page of a pack that a person reads: document, hashes, who, when, how asked and reminded, escalated why."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from workflows.model.notifications import NotificationOutcome
from workflows.model.records import SettledRecord
from workflows.model.views import FollowUpShow

_HASHES = {
    "document_sha256": "the document as sent",
    "signed_sha256": "the signed document",
    "audience_sha256": "the audience as frozen",
    "outcomes_sha256": "the outcomes",
}
_CAMPAIGN = {
    "version": "version",
    "effective": "effective",
    "approver": "approved by",
    "opens_at": "opened",
    "due": "due",
}


def page(view: FollowUpShow, record: SettledRecord, sha256: str) -> bytes:
    """From the record and what was added to it; the same for the same. `sha256` is the record's."""
    settled: dict[str, Any] = record.settled.model_dump() if record.settled else {}
    campaign = [(label, getattr(view, name, None)) for name, label in _CAMPAIGN.items()]
    counts = getattr(view, "counts", None)
    facts = [(label, _format_fact(value)) for label, value in campaign if value]
    facts += [(name.replace("_", " "), str(number)) for name, number in counts if number] if counts else []
    document = _template().render(
        title=view.title,
        kind=view.kind,
        type=str(view.type),
        id=view.id,
        requester=view.requester,
        status=str(view.status),
        ended_at=_format_fact(settled.get("at")),
        hashes=[
            ("the record", sha256),
            ("the request as validated (fingerprint)", record.fingerprint),
            *((label, settled[name]) for name, label in _HASHES.items() if settled.get(name)),
        ],
        people=list(_people(view)),
        escalations=[
            {
                "from_": escalation.from_,
                "to": escalation.to,
                "reason": str(escalation.reason),
                "at": _format_fact(escalation.at),
            }
            for escalation in view.escalations
        ],
        facts=facts if counts else [],
    )
    return document.encode()


@cache
def _template() -> Template:
    loader = FileSystemLoader(Path(__file__).parent)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined).get_template("certificate.html")


def _people(view: FollowUpShow) -> Iterator[dict[str, str]]:
    for line in view.lines:
        sent = [
            notification
            for notification in view.notifications
            if notification.person == line.person and notification.outcome is NotificationOutcome.ACCEPTED
        ]
        channels = Counter(str(notification.channel) for notification in sent)
        reminders = sum(notification.stage.startswith(("reminder", "warning", "overdue")) for notification in sent)
        yield {
            "person": line.person,
            "group": getattr(line, "team", ""),
            "state": str(line.state),
            "at": _format_fact(line.at),
            "channels": ", ".join(sorted(channels)),
            "reminders": f"{reminders}×" if reminders else "",
        }


def _format_fact(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return str(value) if value else ""
