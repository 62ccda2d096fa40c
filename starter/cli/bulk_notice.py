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
    times = Counter(_hears(one) for one in prepared)
    return [_silent(one) if isinstance(one, PreparedRequest) and times[_hears(one)] > 1 else one for one in prepared]


def _hears(one: path.PreparedStart) -> str | None:
    """Who is silently notified of the sending; None if they are asked themselves."""
    if not isinstance(one, PreparedRequest) or not one.request.policy.tell_requester.started:
        return None
    brief = one.request.brief
    return None if brief.requester in {person.person for person in brief.people} else brief.requester


def _silent(one: PreparedRequest) -> PreparedRequest:
    if _hears(one) is None:
        return one
    policy = one.request.policy
    quiet = policy.replace(tell_requester=policy.tell_requester.replace(started=False))
    return replace(one, request=one.request.replace(policy=quiet))


async def tell(client: Client, sent: Iterable[PreparedRequest]) -> None:
    """Notify each requester once of those started now; a worker does it."""
    by: defaultdict[str, list[PreparedRequest]] = defaultdict(list)
    for one in sent:
        by[one.request.brief.requester].append(one)
    for requester, theirs in by.items():
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


def _delivery(requester: str, sent: Sequence[PreparedRequest]) -> Delivery:
    briefs = [one.request.brief for one in sent]
    titles, kinds = {one.title for one in briefs}, {one.kind for one in briefs}
    named = len(titles) == 1 and all(one.lock_screen is LockScreen.FULL for one in briefs)
    ids = "\n".join(sorted(one.id for one in briefs))
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


class NoticesOf(Model):
    """How many notices a person gets: on sending, and later at least, if everybody acts at once."""

    person: str
    at_once: int = 0
    later: int = 0


def notices(prepared: Sequence[PreparedRequest]) -> list[NoticesOf]:
    """By person, most first, without reminders, which depend on what people do."""
    at_once, later = Counter[str](), Counter[str]()
    for one in prepared:
        first, others = _turns(one)
        at_once.update(first)
        later.update(others)
        if one.request.policy.tell_requester.signed:
            later[one.request.brief.requester] += 1
    at_once.update({who for one in prepared if (who := _hears(one)) is not None})
    everybody = sorted({*at_once, *later}, key=lambda who: (-at_once[who] - later[who], who))
    return [NoticesOf(person=who, at_once=at_once[who], later=later[who]) for who in everybody]


def _turns(one: PreparedRequest) -> tuple[list[str], list[str]]:
    """Whose turn is first, and whose is later; people described in full count per request."""
    brief = one.request.brief
    asked = [person for person in brief.people if person.role is not Role.COPY]
    first = min((person.order for person in asked), default=0)
    who = {person: _known(person.person, brief.id) for person in asked}
    return (
        [who[one] for one in asked if one.order == first],
        [who[one] for one in asked if one.order != first],
    )


def _known(person: str, request: str) -> str:
    return f"{request}/{person}" if stands_in_full(person) else person
