"""Subscriptions to Core Signature's events, one per type. Ours have our web process's address; others are left alone
but reported, since another Countersign looks like ours at an earlier address.
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
from starter.temporal.search_attributes import SetUp, SetUpResult

EVENTS: Final = (
    *("convert_error", "sending_error", "sent", "viewed", "signed", "declined", "cancelled", "expired"),
    *("signer_viewed", "signer_signed", "signer_forwarded", "signer_email_bounced"),
)
"""The event types after which a request reads its document."""
NAME: Final = "countersign"
"""The name of our subscriptions at Core Signature."""
_PART: Final = "subscriptions"
_HOST: Final = re.compile(r"https?://([\w.-]{1,253}(?::\d{1,5})?)/", re.ASCII)
_HOSTS_AT_MOST: Final = 5
"""Foreign hosts that are named."""


@dataclass(frozen=True)
class SubscriptionResult:
    """The subscriptions of a tenant: missing types, stale ones of ours, and those of other Countersigns."""

    missing: tuple[str, ...]
    stale: tuple[WireSubscription, ...]
    foreign: tuple[WireSubscription, ...] = ()

    @classmethod
    def among(cls, subscriptions: Sequence[WireSubscription], settings: Settings) -> "SubscriptionResult":
        """Of two of ours for one type, the later is stale."""
        address, base = clients.receiver_address(settings), clients.receiver_base(settings)
        installed = [subscription for subscription in subscriptions if subscription.callback_url.startswith(base)]
        valid_by_type: dict[str, WireSubscription] = {}
        for subscription in installed:
            if subscription.callback_url == address and subscription.event_type in EVENTS:
                valid_by_type.setdefault(subscription.event_type, subscription)
        return cls(
            missing=tuple(type for type in EVENTS if type not in valid_by_type),
            stale=tuple(
                subscription
                for subscription in installed
                if valid_by_type.get(subscription.event_type) is not subscription
            ),
            foreign=tuple(
                subscription
                for subscription in subscriptions
                if CALLBACKS in subscription.callback_url and subscription not in installed
            ),
        )

    @property
    def of_others(self) -> str:
        """A remark on foreign ones, or empty. Hosts only: their paths are secrets."""
        if not self.foreign:
            return ""
        hosts = [
            host for host, _ in Counter(_host(subscription.callback_url) for subscription in self.foreign).most_common()
        ]
        named = ", ".join((*hosts[:_HOSTS_AT_MOST], *(["others"] if len(hosts) > _HOSTS_AT_MOST else [])))
        return f"{len(self.foreign)} of a Countersign at {named} are left alone: delete them if nobody is called there"


def lacking(settings: Settings) -> str:
    """The settings missing for subscriptions; empty if complete."""
    try:
        settings.require(Need.SIGNATURE, Need.SUBSCRIPTIONS)
    except SettingsError as error:
        return "; ".join(error.faults)
    return ""


async def standing(client: CoreSignatureClient, settings: Settings) -> SubscriptionResult:
    """The present subscriptions. Raises `ServiceFailure`."""
    return SubscriptionResult.among(await client.subscriptions(), settings)


async def ensure_subscriptions(settings: Settings) -> tuple[SetUp, ...]:
    """Create missing ones and remove our stale ones; nothing if each document names its callback itself."""
    if settings.signature.callback_style != "subscription":
        return ()
    if missing := lacking(settings):
        return (SetUp(_PART, SetUpResult.FAILED, missing),)
    async with aclosing(CoreSignatureClient(clients.signature_config(settings))) as client:
        try:
            return (await _ensured(client, settings),)
        except ServiceFailure as failure:
            return (SetUp(_PART, SetUpResult.FAILED, str(failure)),)


def _host(address: str) -> str:
    match = _HOST.match(address)
    return match[1] if match else "an address that cannot be read"


async def _ensured(client: CoreSignatureClient, settings: Settings) -> SetUp:
    subscribed = await standing(client, settings)
    # Missing ones first: an event delivered twice is harmless, a lost one is not.
    for event_type in subscribed.missing:
        await client.subscribe(event_type, clients.receiver_address(settings), NAME)
    for subscription in subscribed.stale:
        await client.unsubscribe(subscription.uuid)
    if not subscribed.missing and not subscribed.stale:
        return SetUp(_PART, SetUpResult.EXISTS, subscribed.of_others)
    outcome = (
        SetUpResult.CREATED if len(subscribed.missing) == len(EVENTS) and not subscribed.stale else SetUpResult.MENDED
    )
    counts = f"{len(subscribed.missing)} made, {len(subscribed.stale)} removed"
    return SetUp(_PART, outcome, "; ".join(filter(None, (counts, subscribed.of_others))))
