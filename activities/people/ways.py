"""The ways to a person, and the one by which a code comes: never one that a notice takes."""

from collections.abc import Sequence
from typing import Final

from activities.people.person import PushDevice, Reachable
from workflows.model.notifications import Channel

_AT_LEAST: Final = 2


def code_channel(person: Reachable, devices: Sequence[PushDevice], *, has_messaging: bool) -> Channel | None:
    """The last of push, mail and SMS that reaches them, None if there is only one: notices of kinds with `identity:
    code` take the others alone.
    """
    by_messaging = {Channel.MAIL: person.email, Channel.SMS: person.phone} if has_messaging else {}
    channels = [
        *([Channel.PUSH] if devices else []),
        *(channel for channel, address in by_messaging.items() if address),
    ]
    return channels[-1] if len(channels) >= _AT_LEAST else None


def may_be_mailed(person: Reachable) -> bool:
    """Whether a notice of such a kind may come by mail: the code comes by SMS then."""
    return bool(person.email and person.phone)
