"""One notice as every dialect sends it: words, data, identity on the screen, and its size.

Nothing personal is in it beyond the document's name, the required action, the due date and our link.
"""

import base64
import hashlib
import json
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

import regex  # type: ignore[import-untyped]

from activities.links import Links, LinkUse
from activities.push.words import due_sentence, words_for
from workflows.model import Delivery, Notice, NoticeAction

LIFETIME: Final = timedelta(days=28)
"""The longest FCM keeps a notice for a phone that is off: a newer one replaces it, an ended one is withdrawn."""

_ELLIPSIS: Final = "…"
_ISOLATE, _END_OF_ISOLATE = "\u2068", "\u2069"


@dataclass(frozen=True)
class Message:
    """What a phone shows and what our app gets; `words` holds `{document}` where the name goes.

    `key` identifies the notice on the screen: a newer message with the same key replaces it, a `withdrawal` removes it.
    """

    title: str
    words: str
    document: str
    request: str
    stage: str
    key: str
    link: str
    action: NoticeAction

    @property
    def body(self) -> str:
        """The sentence on the screen."""
        return self.words.format(document=_isolated(self.document))

    @property
    def withdrawal(self) -> bool:
        """Whether the message only takes an earlier one off the screen."""
        return self.action is NoticeAction.WITHDRAW

    @property
    def data(self) -> dict[str, str]:
        """What our app reads; none of these keys is reserved by FCM."""
        return {
            "request": self.request,
            "stage": self.stage,
            "key": self.key,
            "link": self.link,
            "action": self.action,
        }


def screen_key(request: str, person: str) -> str:
    """The identity of a person's notice about a request: 22 base64url characters, within every platform's limit."""
    digest = hashlib.sha256(f"{request}/{person}".encode()).digest()
    return base64.urlsafe_b64encode(digest).decode("ascii")[:22]


def compose(delivery: Delivery, notice: Notice, zone: ZoneInfo, links: Links) -> Message:
    """The message of `notice` in the words of its stage, with the due date on the clock of the recipient's `zone`."""
    use = LinkUse.SIGN if notice.action in (NoticeAction.SIGN, NoticeAction.APPROVE) else LinkUse.VIEW
    title, words = _texts(delivery, notice, zone)
    return Message(
        title=title,
        words=words,
        document=delivery.brief.document.name,
        request=delivery.brief.id,
        stage=notice.stage,
        key=screen_key(delivery.brief.id, notice.person),
        link=links.link(delivery.brief.id, notice.person, use),
        action=notice.action,
    )


def fitted(message: Message, size: Callable[[Message], int], limit: int) -> Message:
    """The message with its document name cut so far that `size` is at most `limit` bytes."""
    excess = size(message) - limit
    if excess <= 0:
        return message
    return replace(message, document=shorten(message.document, wire_size(message.document) - excess))


def shorten(text: str, limit: int) -> str:
    """`text` in at most `limit` bytes on the wire, cut between graphemes and closed with an ellipsis."""
    if wire_size(text) <= limit:
        return text
    room = limit - wire_size(_ELLIPSIS)
    kept = []
    for grapheme in regex.findall(r"\X", text):
        room -= wire_size(grapheme)
        if room < 0:
            break
        kept.append(grapheme)
    return "".join(kept).rstrip() + _ELLIPSIS


def wire_size(value: object) -> int:
    """Bytes of `value` as JSON without the quotes of a text: what a service counts, or a little more."""
    encoded = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return len(encoded) - 2 if isinstance(value, str) else len(encoded)


def _texts(delivery: Delivery, notice: Notice, zone: ZoneInfo) -> tuple[str, str]:
    if notice.action is NoticeAction.WITHDRAW:
        return "", ""
    words = words_for(notice.stage, notice.action, delivery.outcome)
    if delivery.outcome:
        return words.title, words.body
    title = f"Urgent: {words.title}" if delivery.brief.urgent else words.title
    due = f" {due_sentence(delivery.due_at, zone)}" if delivery.due_at else ""
    return title, words.body + due


def _isolated(name: str) -> str:
    """A name in a right-to-left script must not turn the order of the English sentence around it."""
    if any(unicodedata.bidirectional(character) in ("R", "AL") for character in name):
        return f"{_ISOLATE}{name}{_END_OF_ISOLATE}"
    return name
