"""The services outside: token, signature service, its clock, push, and whether our receiver is reached."""

from datetime import UTC, datetime, timedelta
from typing import Final

from activities.core_signature.client import CoreSignatureClient
from activities.http.calling import Service, ServiceFailure, make_client
from activities.push.cloud_messaging import CloudMessaging
from activities.push.dialect import PushDialect
from starter import subscribing
from starter.doctor.health import SetUpPart, doubtful, fine, wrong
from starter.settings import Settings
from workflows.model.clock_skew import CLOCKS_APART

_SKEW_WRONG: Final = timedelta(minutes=2)


async def token(client: CoreSignatureClient) -> SetUpPart:
    """Whether our credentials get a token."""
    await client.check_token()
    return fine("token", f"granted by {client.config.credentials.token_url}")


async def signature_service(client: CoreSignatureClient) -> SetUpPart:
    """Whether the token opens Core Signature."""
    await client.events()
    return fine("signature service", client.config.url)


async def clock(url: str) -> SetUpPart:
    """Whether this machine and Core Signature agree about the time: callbacks are judged by their age."""
    answered = await _time_of("Core Signature", url, "/api/v1/docs/")
    if answered is None:
        return doubtful("clock", "Core Signature does not say what time it has")
    skew = abs(datetime.now(UTC) - answered)
    says = f"{skew.total_seconds():.0f} s apart from Core Signature"
    if skew >= _SKEW_WRONG:
        return wrong("clock", f"{says}: set the clock of this machine")
    return doubtful("clock", says) if skew > CLOCKS_APART else fine("clock", says)


async def subscriptions(client: CoreSignatureClient, settings: Settings) -> SetUpPart:
    """Whether Core Signature calls our receiver about everything that counts, and nothing old of ours."""
    if missing := subscribing.lacking(settings):
        return wrong("subscriptions", missing)
    found = await subscribing.standing(client, settings)
    if found.missing:
        lost = "without it what signers do is seen by the sweep, within five minutes"
        return doubtful("subscriptions", f"none for {', '.join(found.missing)}: run `countersign init`; {lost}")
    if found.stale:
        return doubtful("subscriptions", f"{len(found.stale)} of ours are not needed: run `countersign init`")
    says = f"{len(subscribing.EVENTS)} types of events are told to our receiver"
    return fine("subscriptions", "; ".join(filter(None, (says, found.of_others))))


async def push(dialect: PushDialect | None) -> SetUpPart:
    """Whether the push service takes our credentials."""
    if dialect is None:
        return doubtful("push", "off: nobody has a device")
    await dialect.check()
    return fine("push", "credentials are taken")


async def messaging(channel: CloudMessaging | None, *, status_mails: bool) -> SetUpPart:
    """Whether cloud messaging takes our credentials, and without it, who is told nothing."""
    if channel is None:
        endings = "requester and alternates" if status_mails else "requester, alternates, and signers of an ending,"
        says = f"COUNTERSIGN_MRA_URL is not set: without a device signers get Core Signature's mail, {endings} nothing"
        return doubtful("cloud messaging", says)
    await channel.check()
    return fine("cloud messaging", "credentials are taken")


async def receiver(url: str, signature_url: str) -> SetUpPart:
    """Whether the receiver answers at the address that Core Signature is given, and has the same time."""
    if not url:
        return doubtful(
            "receiver", "COUNTERSIGN_WEBHOOK_URL is not set: what signers do is seen at the next nudge, or once a week"
        )
    ours = await _time_of("the receiver", url, "/readyz")
    try:
        theirs = await _time_of("Core Signature", signature_url, "/api/v1/docs/")
    except ServiceFailure:  # which has a part of its own
        theirs = None
    if ours and theirs and abs(skew := ours - theirs) > CLOCKS_APART:
        how = "ahead of" if skew > timedelta() else "behind"
        says = f"{url}: the clock of this receiver is {_span(abs(skew))} {how} Core Signature's"
        return (wrong if abs(skew) >= _SKEW_WRONG else doubtful)("receiver", says)
    return fine("receiver", f"{url} is reached from here and has Temporal; see that it is reached from outside too")


def _span(skew: timedelta) -> str:
    seconds = round(skew.total_seconds())
    return f"{seconds} s" if skew < _SKEW_WRONG else f"{round(seconds / 60)} minutes"


async def _time_of(name: str, url: str, path: str) -> datetime | None:
    """What time a service has, when it says it."""
    service = Service(name, url, make_client())
    try:
        return (await service.call("GET", path)).date
    finally:
        await service.aclose()
