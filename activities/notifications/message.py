"""A notice for every channel. The title has action and document, the body the requester (by company) and due date,
nothing else personal; kinds whose `lock_screen` is `generic` omit the document's name.
"""

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, timedelta
from typing import Any, Final, assert_never

import regex  # type: ignore[import-untyped]

from activities.notifications import words
from activities.notifications.links import FIRST_SERIAL, LinkUse, SigningLinks
from activities.people.reader import Reader, due_sentence
from workflows.follow_up.notification_types import is_by_day, is_for_on_call, is_quiet
from workflows.kinds import PagesFor
from workflows.model.notifications import Delivery, NoticeAction, NotificationOrder
from workflows.model.subject import LockScreen, Status

LIFETIME: Final = timedelta(days=28)
"""The longest FCM keeps a notice for a phone that is off: newer ones replace it, ended ones are withdrawn."""
SHORTEST_LIFETIME: Final = timedelta(hours=1)
_TEXT_AT_MOST: Final = 600
"""Bytes of a person's free text."""
_ELLIPSIS: Final = "…"
_BETWEEN: Final = " · "
_USES: Final = {
    NoticeAction.SIGN: LinkUse.SIGN,
    NoticeAction.APPROVE: LinkUse.SIGN,
    NoticeAction.DO: LinkUse.DO,
    NoticeAction.REVIEW: LinkUse.REVIEW,
    NoticeAction.REVISE: LinkUse.REVIEW,
}
_WIRE: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True)
class NotificationMessage:
    """`heading` has `{document}` in place of the name. A newer message with the same `key` replaces it on the screen, a
    `withdrawal` removes it, or in a browser says in its place that nothing is left to do.
    """

    heading: str
    body: str
    document: str
    request: str
    stage: str
    key: str
    link: str
    action: NoticeAction
    at_rest: bool = False
    """Whether it arrives outside the reader's hours, and so silently."""
    lifetime: timedelta = LIFETIME
    """How long it is of use to a device that is off."""

    @property
    def title(self) -> str:
        return self.heading.format(document=words.isolated(self.document))

    @property
    def withdrawal(self) -> bool:
        """Whether it only removes an earlier notice from the screen."""
        return self.action is NoticeAction.WITHDRAW

    @property
    def quiet(self) -> bool:
        """Whether it makes no sound and does not wake the phone."""
        return self.at_rest or is_quiet(self.stage)

    @property
    def data(self) -> dict[str, str]:
        """The data for our app; FCM reserves none of these keys."""
        return {
            "request": self.request,
            "stage": self.stage,
            "key": self.key,
            "link": self.link,
            "action": self.action,
        }


def screen_key(request: str, person: str) -> str:
    """The key of a person's notice about a request: 22 base64url characters, within every platform's limit."""
    digest = hashlib.sha256(f"{request}/{person}".encode()).digest()
    return base64.urlsafe_b64encode(digest).decode("ascii")[:22]


def compose(
    delivery: Delivery,
    notice: NotificationOrder,
    reader: Reader,
    links: SigningLinks,
    company: str = "",
    *,
    text: str = "",
    serial: str = FIRST_SERIAL,
    email: str = "",
    at_rest: bool = False,
) -> NotificationMessage:
    """In the reader's language and zone. The first line of `text` (free text), after the notice's own title if it has
    one, is the title, unless the lock screen shows little. `serial` and `email` are for the reader's links; `at_rest`:
    outside their working hours.
    """
    reference = delivery.subject.reference
    first, _, later_lines = text.strip().partition("\n")
    heading, body = _texts(delivery, notice, reader, company, later_lines.strip())
    return NotificationMessage(
        heading=heading,
        body=body,
        document=words.unturned(": ".join(filter(None, (notice.title, first))) or delivery.subject.title),
        request=delivery.subject.id,
        stage=notice.stage,
        key=screen_key(reference, notice.person),
        link=_at_desk(delivery, notice, links)
        if leads_to_the_desk(delivery, notice)
        else links.link(reference, notice.person, serial=serial, email=email, **_own_link(delivery, notice)),
        action=notice.action,
        at_rest=at_rest and is_by_day(notice.stage),
        lifetime=_lifetime(delivery, notice),
    )


def speaking_for(
    message: NotificationMessage, other_count: int, reader: Reader, company: str = "", listed: str | None = None
) -> NotificationMessage:
    """The message with the number of things that wait for its reader. The link leads to the page where they are
    `listed`, else to the first.
    """
    if not other_count:
        return message
    say = reader.language
    heading = say.say_count("{count} thing waits for you", "{count} things wait for you", other_count + 1)
    first = say.say("Please begin with the one that opens here.")
    body = say.say("Please open the list.") if listed else first
    summary = replace(message, heading=heading, body=_BETWEEN.join(filter(None, (words.isolated(company), body))))
    return replace(summary, link=listed, action=NoticeAction.OPEN) if listed else summary


def fitted(message: NotificationMessage, size: Callable[[NotificationMessage], int], limit: int) -> NotificationMessage:
    """The message with its document name cut so that `size` is at most `limit` bytes."""
    excess = size(message) - limit
    if excess <= 0:
        return message
    return replace(message, document=shorten(message.document, wire_size(message.document) - excess))


def shorten(text: str, limit: int) -> str:
    """`text` in at most `limit` bytes on the wire, cut between graphemes, with an ellipsis."""
    if wire_size(text) <= limit:
        return text
    room = limit - wire_size(_ELLIPSIS)
    graphemes = []
    for grapheme in regex.findall(r"\X", text):
        room -= wire_size(grapheme)
        if room < 0:
            break
        graphemes.append(grapheme)
    return "".join(graphemes).rstrip() + _ELLIPSIS


def wire_size(value: object) -> int:
    """Bytes of `value` as JSON without the quotes of a text: an upper bound of what services count."""
    encoded = _WIRE.encode(value).encode()
    return len(encoded) - 2 if isinstance(value, str) else len(encoded)


def leads_to_the_desk(delivery: Delivery, notice: NotificationOrder) -> bool:
    """Whether the recipient has no page of their own: in onboardings only customers have one, in campaigns nobody."""
    match delivery.subject.type.spec.pages:
        case PagesFor.NOBODY:
            return True
        case PagesFor.PEOPLE:
            return all(notice.person != participant.person for participant in delivery.subject.people)
        case PagesFor.ALL:
            return is_quiet(notice.stage) or is_for_on_call(notice.stage)
        case pages:
            assert_never(pages)


def _own_link(delivery: Delivery, notice: NotificationOrder) -> dict[str, Any]:
    """What the reader may do, its day, and their place; a member of a group has none of their own."""
    participant = next((person for person in delivery.subject.people if person.person == notice.person), None)
    use, order = _USES.get(notice.action, LinkUse.VIEW), participant.order if participant else 0
    if use is LinkUse.SIGN and participant and participant.shares_place:
        use, order = LinkUse.TAKE, 0
    day = delivery.now.astimezone(UTC).date() if delivery.now else None
    return {"use": use, "noticed_on": day, "order": order, "identity": delivery.subject.identity}


def _at_desk(delivery: Delivery, notice: NotificationOrder, links: SigningLinks) -> str:
    """The desk page to follow it; for a bulk start, the list."""
    if is_quiet(notice.stage) and notice.count is not None:
        return links.own_requests_page()
    return links.desk(None if is_for_on_call(notice.stage) else delivery.subject.reference)


def _lifetime(delivery: Delivery, notice: NotificationOrder) -> timedelta:
    """Until the due date, while there is something to do."""
    remaining = delivery.due_at - delivery.now if delivery.due_at and delivery.now else timedelta()
    is_bounded = notice.action in _USES and remaining > timedelta()
    return min(LIFETIME, max(remaining, SHORTEST_LIFETIME)) if is_bounded else LIFETIME


def _texts(delivery: Delivery, notice: NotificationOrder, reader: Reader, company: str, text: str) -> tuple[str, str]:
    brief, language = delivery.subject, reader.language
    if notice.action is NoticeAction.WITHDRAW:
        # Only browsers show it: they have to.
        roles = {participant.person: participant.role for participant in brief.people}
        title, body = words.withdrawal_texts(notice.stage, roles.get(notice.person), delivery.outcome)
        return language.say(title), language.say(body) if body else ""
    remaining = delivery.due_at - delivery.now if delivery.due_at and delivery.now else None
    text_of_type = _own_ending(delivery, notice) or _words_of(delivery, notice)
    phrase = text_of_type.translate(language, notice, words.lead_of(notice.stage, remaining))
    heading = phrase.title if brief.lock_screen is LockScreen.GENERIC else phrase.named
    if brief.urgent and not phrase.closing:
        heading = language.say("Urgent · {title}", title=heading)
    due = delivery.due_at if not phrase.closing else None
    due_text = due_sentence(due, reader, delivery.now, short=True) if due else ""
    free_text = "" if brief.lock_screen is LockScreen.GENERIC else words.unturned(shorten(text, _TEXT_AT_MOST))
    sentences = " ".join(filter(None, (free_text or phrase.body, due_text))) or language.say("Please open it.")
    return heading, _BETWEEN.join(filter(None, (words.isolated(company), sentences)))


def _own_ending(delivery: Delivery, notice: NotificationOrder) -> words.NotificationText | None:
    """The text for someone who declined themselves, or was the only signer."""
    if delivery.outcome is Status.DECLINED and notice.person in delivery.acted:
        return words.OWN_REFUSAL
    return words.SIGNED_ALONE if delivery.outcome is Status.SIGNED and len(delivery.acted) == 1 else None


def _words_of(delivery: Delivery, notice: NotificationOrder) -> words.NotificationText:
    brief = delivery.subject
    return words.words_for(
        notice.stage,
        notice.action,
        delivery.outcome,
        subject_kind=brief.type,
        to_requester=(notice.of_team or notice.person) == brief.requester,
        overdue=bool(delivery.due_at and delivery.now and delivery.due_at <= delivery.now),
        in_review=bool(brief.round),
        is_repeated=brief.round > 1,
    )
