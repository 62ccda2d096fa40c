"""What a process cannot do without: the settings each need asks for."""

from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from starter.settings import Settings


class Need(StrEnum):
    """Something a process does, and therefore wants its settings for."""

    SIGNATURE = "signature"
    PUSH = "push"
    MESSAGING = "messaging"
    CALLBACKS = "callbacks"
    RECEIVER = "receiver"
    LINKS = "links"
    PEOPLE = "people"
    ADOPTION = "adoption"
    SUBSCRIPTIONS = "subscriptions"


OF_WORKER: Final = (Need.SIGNATURE, Need.PUSH, Need.MESSAGING, Need.CALLBACKS, Need.LINKS, Need.PEOPLE, Need.ADOPTION)
OF_RECEIVER: Final = (Need.RECEIVER, Need.LINKS, Need.SIGNATURE, Need.PEOPLE)
MESSAGING: Final = ("MRA_URL", "MRA_USER", "MRA_PASSWORD")
"""All of them, or none: then there is no such channel."""


_ALWAYS: Final = {
    Need.LINKS: ("LINK_BASE", "LINK_SECRET"),
    Need.PEOPLE: ("PEOPLE",),
    Need.SUBSCRIPTIONS: ("WEBHOOK_URL", "WEBHOOK_SEGMENT"),
}


def missing(needs: tuple[Need, ...], found: "Settings") -> tuple[str, ...]:
    """Names (without prefix) that `needs` ask for and that are not set, each once, in the order of the needs."""
    asked = dict.fromkeys(name for need in needs for name in _required(need, found))
    return tuple(name for name in asked if name not in found.told)


def _required(need: Need, found: "Settings") -> tuple[str, ...]:
    match need:
        case Need.SIGNATURE | Need.PUSH:
            return _of(need, (found.signature if need is Need.SIGNATURE else found.push).needed)
        case Need.RECEIVER:
            return _of("webhook", found.webhook.needed)
        case Need.MESSAGING:
            return MESSAGING if any(name in found.told for name in MESSAGING) else ()
        case Need.ADOPTION:
            return ("ADOPT_KIND", "ADOPT_REQUESTER") if found.adopt == "on" else ()
        case Need.CALLBACKS:
            return _ALWAYS[Need.SUBSCRIPTIONS] if found.signature.callback_style == "document" else ()
        case _:
            return _ALWAYS[need]


def _of(group: str, settings: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{group}_{name}".upper() for name in settings)
