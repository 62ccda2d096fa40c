"""What a process cannot do without: the settings each need asks for."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Need(StrEnum):
    """Something a process does, and therefore wants its settings for."""

    SIGNATURE = "signature"
    PUSH = "push"
    MESSAGING = "messaging"
    CALLBACKS = "callbacks"
    RECEIVER = "receiver"
    LINKS = "links"
    PEOPLE = "people"


OF_WORKER: Final = (Need.SIGNATURE, Need.PUSH, Need.MESSAGING, Need.CALLBACKS, Need.LINKS, Need.PEOPLE)
OF_RECEIVER: Final = (Need.RECEIVER, Need.LINKS, Need.SIGNATURE, Need.PEOPLE)

MESSAGING: Final = ("MRA_URL", "MRA_USER", "MRA_PASSWORD")
"""All of them, or none: then there is no such channel."""

_ALWAYS: Final = {Need.LINKS: ("LINK_BASE", "LINK_SECRET"), Need.PEOPLE: ("PEOPLE",)}


def missing(needs: tuple[Need, ...], told: Mapping[str, object]) -> tuple[str, ...]:
    """Names (without prefix) that `needs` ask for and `told` does not have, each once, in the order of the needs."""
    asked = dict.fromkeys(name for need in needs for name in _required(need, told))
    return tuple(name for name in asked if name not in told)


def _required(need: Need, told: Mapping[str, object]) -> tuple[str, ...]:
    match need:
        case Need.SIGNATURE:
            return _signature(told)
        case Need.PUSH:
            return _push(told)
        case Need.MESSAGING:
            return MESSAGING if any(name in told for name in MESSAGING) else ()
        case Need.CALLBACKS:
            style = told.get("SIGNATURE_CALLBACK_STYLE", "document")
            return ("WEBHOOK_URL", "WEBHOOK_SEGMENT") if style == "document" else ()
        case Need.RECEIVER:
            return ("WEBHOOK_SEGMENT", *(("WEBHOOK_SECRETS",) if told.get("WEBHOOK_MODE", "hmac") == "hmac" else ()))
        case Need.LINKS | Need.PEOPLE:
            return _ALWAYS[need]


def _signature(told: Mapping[str, object]) -> tuple[str, ...]:
    client = ("SIGNATURE_URL", "SIGNATURE_TOKEN_URL", "SIGNATURE_CLIENT_ID", "SIGNATURE_CLIENT_SECRET")
    if told.get("SIGNATURE_GRANT") == "password":
        return (*client, "SIGNATURE_USERNAME", "SIGNATURE_PASSWORD")
    return client


def _push(told: Mapping[str, object]) -> tuple[str, ...]:
    dialect = told.get("PUSH_DIALECT", "fcm_v1")
    if dialect == "off":
        return ()
    if dialect == "appworks":
        return ("PUSH_URL", "PUSH_APP", "PUSH_APP_KEY")
    if told.get("PUSH_AUTH") == "google_service_account":
        return ("PUSH_URL", "PUSH_PROJECT", "PUSH_CREDENTIALS_FILE")
    return ("PUSH_URL", "PUSH_PROJECT", "PUSH_TOKEN_URL", "PUSH_CLIENT_ID", "PUSH_CLIENT_SECRET")
