"""Subscriptions: that Core Signature calls our receiver about all documents, one subscription for each type of event.

Ours are known by the address of our receiver. Those of others are left alone, also of another Countersign on the same
tenant, or of this one when it had another address: which of the two cannot be told, so that it is said.
"""

import re
from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from activities.core_signature.client import CALLBACKS, CoreSignatureClient
from activities.core_signature.wire import WireSubscription
from activities.http.client import ServiceFailure
from starter.boot import clients
from starter.config.settings import Need, Settings, SettingsError
from starter.temporal.search_attributes import Made, SetUp

EVENTS: Final = (
    *("convert_error", "sending_error", "sent", "viewed", "signed", "declined", "cancelled", "expired"),
    *("signer_viewed", "signer_signed", "signer_forwarded", "signer_email_bounced"),
)
"""The types of events that a request takes for a hint to read its document; of the others it makes nothing."""
NAME: Final = "countersign"
"""What our subscriptions are called at Core Signature."""
_PART: Final = "subscriptions"
_HOST: Final = re.compile(r"https?://([\w.-]{1,253}(?::\d{1,5})?)/", re.ASCII)
_HOSTS_AT_MOST: Final = 5
"""Receivers of others that are named."""


@dataclass(frozen=True)
class Subscribed:
    """How the subscriptions of a tenant stand: types that nobody has us called on, ours that are to go, and those that
    have another Countersign called."""

    missing: tuple[str, ...]
    stale: tuple[WireSubscription, ...]
    others: tuple[WireSubscription, ...] = ()

    @classmethod
    def among(cls, found: Sequence[WireSubscription], settings: Settings) -> "Subscribed":
        """Of all that a tenant has; of two for the same type the later is one too many."""
        address, base = clients.receiver_address(settings), clients.receiver_base(settings)
        ours = [one for one in found if one.callback_url.startswith(base)]
        kept: dict[str, WireSubscription] = {}
        for one in ours:
            if one.callback_url == address and one.event_type in EVENTS:
                kept.setdefault(one.event_type, one)
        return cls(
            missing=tuple(type for type in EVENTS if type not in kept),
            stale=tuple(one for one in ours if kept.get(one.event_type) is not one),
            others=tuple(one for one in found if CALLBACKS in one.callback_url and one not in ours),
        )

    @property
    def of_others(self) -> str:
        """What whoever sets it up is to know of those; nothing when there are none. Of an address only the host: in its
        path is a secret."""
        if not self.others:
            return ""
        hosts = [host for host, _ in Counter(_host(one.callback_url) for one in self.others).most_common()]
        named = ", ".join((*hosts[:_HOSTS_AT_MOST], *(["others"] if len(hosts) > _HOSTS_AT_MOST else [])))
        return f"{len(self.others)} of a Countersign at {named} are left alone: delete them if nobody is called there"


def _host(address: str) -> str:
    found = _HOST.match(address)
    return found[1] if found else "an address that cannot be read"


def lacking(settings: Settings) -> str:
    """The settings without which nothing can be subscribed to; empty when nothing is missing."""
    try:
        settings.require(Need.SIGNATURE, Need.SUBSCRIPTIONS)
    except SettingsError as error:
        return "; ".join(error.faults)
    return ""


async def standing(client: CoreSignatureClient, settings: Settings) -> Subscribed:
    """How they stand now. Raises `ServiceFailure`."""
    return Subscribed.among(await client.subscriptions(), settings)


async def ensure_subscriptions(settings: Settings) -> tuple[SetUp, ...]:
    """Make what is missing and remove what is ours and stale; nothing where each document names its address itself."""
    if settings.signature.callback_style != "subscription":
        return ()
    if missing := lacking(settings):
        return (SetUp(_PART, Made.FAILED, missing),)
    async with aclosing(CoreSignatureClient(clients.signature_config(settings))) as client:
        try:
            return (await _ensured(client, settings),)
        except ServiceFailure as failure:
            return (SetUp(_PART, Made.FAILED, str(failure)),)


async def _ensured(client: CoreSignatureClient, settings: Settings) -> SetUp:
    found = await standing(client, settings)
    # What is missing first: an event may be told twice meanwhile, and none is not told.
    for event_type in found.missing:
        await client.subscribe(event_type, clients.receiver_address(settings), NAME)
    for one in found.stale:
        await client.unsubscribe(one.uuid)
    if not found.missing and not found.stale:
        return SetUp(_PART, Made.EXISTS, found.of_others)
    made = Made.CREATED if len(found.missing) == len(EVENTS) and not found.stale else Made.MENDED
    says = f"{len(found.missing)} made, {len(found.stale)} removed"
    return SetUp(_PART, made, "; ".join(filter(None, (says, found.of_others))))
