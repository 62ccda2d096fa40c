"""Many requests of one start: the requester gets one notice, and a dry run counts everybody's notices."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from temporalio.client import Client
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from activities.launch import launch as path
from activities.launch.request_file import PreparedRequest
from activities.people.ids import stands_in_full
from workflows import names
from workflows.follow_up.notification_types import NotificationType
from workflows.kinds import Kind
from workflows.model.base import Model
from workflows.model.notifications import Delivery, NoticeAction, NotificationOrder
from workflows.model.subject import LockScreen, Role, Subject

_SEVERAL: Final = "several"
"""Instead of a title or kind that differs."""


def joined(prepared: Sequence[path.PreparedStart]) -> list[path.PreparedStart]:
    """The same without notices of sending to requesters of several."""
    times = Counter(_hears(start) for start in prepared)
    return [
        _silent(start) if isinstance(start, PreparedRequest) and times[_hears(start)] > 1 else start
        for start in prepared
    ]


async def tell(client: Client, sent: Iterable[PreparedRequest]) -> None:
    """Notify each requester once of those started now; a worker does it."""
    sent_by_requester: defaultdict[str, list[PreparedRequest]] = defaultdict(list)
    for start in sent:
        sent_by_requester[start.request.brief.requester].append(start)
    for requester, theirs in sent_by_requester.items():
        delivery = _delivery(requester, theirs)
        with suppress(WorkflowAlreadyStartedError):
            await client.start_workflow(
                names.BULK_NOTICE,
                delivery,
                id=names.bulk_notice_workflow_id(delivery.subject.id),
                task_queue=names.WORKFLOW_QUEUE,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                static_summary=f"sent at once: {len(theirs)}",
            )


class NoticesOf(Model):
    """How many notices a person gets: on sending, and later at least, if everybody acts at once."""

    person: str
    at_once: int = 0
    later: int = 0


def notices(prepared: Sequence[PreparedRequest]) -> list[NoticesOf]:
    """By person, most first, without reminders, which depend on what people do."""
    at_once, later = Counter[str](), Counter[str]()
    for start in prepared:
        first, later_people = _turns(start)
        at_once.update(first)
        later.update(later_people)
        if start.request.policy.tell_requester.signed:
            later[start.request.brief.requester] += 1
    at_once.update({requester for start in prepared if (requester := _hears(start)) is not None})
    everybody = sorted({*at_once, *later}, key=lambda person: (-at_once[person] - later[person], person))
    return [NoticesOf(person=person, at_once=at_once[person], later=later[person]) for person in everybody]


def _hears(start: path.PreparedStart) -> str | None:
    """Who is silently notified of the sending; None if they are asked themselves."""
    if not isinstance(start, PreparedRequest) or not start.request.policy.tell_requester.started:
        return None
    brief = start.request.brief
    return None if brief.requester in {person.person for person in brief.people} else brief.requester


def _silent(start: PreparedRequest) -> PreparedRequest:
    if _hears(start) is None:
        return start
    policy = start.request.policy
    quiet = policy.replace(tell_requester=policy.tell_requester.replace(started=False))
    return replace(start, request=start.request.replace(policy=quiet))


def _delivery(requester: str, sent: Sequence[PreparedRequest]) -> Delivery:
    briefs = [start.request.brief for start in sent]
    titles, kinds = {brief.title for brief in briefs}, {brief.kind for brief in briefs}
    named = len(titles) == 1 and all(brief.lock_screen is LockScreen.FULL for brief in briefs)
    ids = "\n".join(sorted(brief.id for brief in briefs))
    subject = Subject(
        id=f"together-{hashlib.sha256(ids.encode()).hexdigest()[:12]}",
        type=Kind.REQUEST,
        kind=kinds.pop() if len(kinds) == 1 else _SEVERAL,
        title=titles.pop() if len(titles) == 1 else _SEVERAL,
        requester=requester,
        people=(),
        lock_screen=LockScreen.FULL if named else LockScreen.GENERIC,
    )
    key = names.notice_key(subject.id, NotificationType.FOLLOW, requester)
    notice = NotificationOrder(
        key=key, stage=NotificationType.FOLLOW, person=requester, action=NoticeAction.OPEN, count=len(briefs)
    )
    return Delivery(subject=subject, notices=(notice,), others_told=True)


def _turns(start: PreparedRequest) -> tuple[list[str], list[str]]:
    """Whose turn is first, and whose is later; people described in full count per request."""
    brief = start.request.brief
    acting = [person for person in brief.people if person.role is not Role.COPY]
    first = min((person.order for person in acting), default=0)
    name_by_person = {person: _qualify(person.person, brief.id) for person in acting}
    return (
        [name_by_person[person] for person in acting if person.order == first],
        [name_by_person[person] for person in acting if person.order != first],
    )


def _qualify(person: str, request: str) -> str:
    return f"{request}/{person}" if stands_in_full(person) else person
