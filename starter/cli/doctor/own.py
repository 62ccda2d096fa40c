"""Checks of our own side: files, store, desk sign-in, callbacks and signed calls."""

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Iterator, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from activities.core_signature.client import CoreSignatureClient
from activities.documents.files import Files
from activities.evidence.signing import EvidenceKey, UnusableKey
from activities.files.reading import FileFaults
from activities.http.client import Service, ServiceFailure, make_client
from activities.notifications.cloud_messaging import CloudMessaging
from activities.notifications.push_services import PushDialect
from activities.people.company_directory import CompanyDirectory
from activities.people.person import PeopleFile, Person
from activities.policies.catalogue import Catalogue
from activities.reconciliation.service import list_unfit
from activities.records.database import Database
from activities.records.processes import Process
from activities.records.starts import words_of
from activities.records.store import Store
from activities.temporal.clock import WorkerClockSkew
from starter.boot import clients
from starter.boot import subscriptions as boot_subscriptions
from starter.boot.person_ids import OtherIds, keep_secret_of_ids
from starter.cli.doctor.health import SetUpPart, doubtful, fine, wrong
from starter.config.settings import Settings
from starter.temporal.connection import temporal_host
from starter.web.http.oidc import discover
from workflows.follow_up.options import CLOCKS_APART

COUNTED_WITHIN: Final = 5.0
"""Seconds to list people with registered devices."""
_SEEN_LATELY: Final = timedelta(minutes=10)
_WORD_OF_A_NAME: Final = 3
TRIED_WITHIN: Final = 10.0
"""Seconds for all store checks: an unavailable server may never answer."""
_COMPARED: Final = {
    "version": "version of Countersign",
    "people": "people file",
    "catalogue": "catalogue",
    "mappings": "hook mappings",
}
RETRIED_FOR: Final = timedelta(hours=2, minutes=30)
"""How long Core Signature repeats a callback with the time of its event (docs/core-signature.md, Callbacks)."""
_SECRETS: Final = "COUNTERSIGN_HANDOFF_SECRETS"
_SKEW_WRONG: Final = timedelta(minutes=2)


async def people(path: Path | None, oncall: str = "", *, store: Store, seconds: float = COUNTED_WITHIN) -> SetUpPart:
    """Whether the people file is valid, has the person on call, and how many can be reached by push. A device ever
    registered counts; `people devices` tells whether it is valid.
    """
    if path is None:
        return wrong("people", "set COUNTERSIGN_PEOPLE to the people file")
    file = await asyncio.to_thread(PeopleFile.read, path)
    if oncall and oncall not in {person.id for person in file.people}:
        return wrong("people", f"{path} has no {oncall}, who is notified of problems (COUNTERSIGN_ONCALL)")
    text = f"{path}: {len(file.people)} people"
    mail_ids = {person.id for person in file.people if not person.devices}
    if not mail_ids:
        return fine("people", text)
    try:
        async with limit_time(seconds):
            mail_ids -= await store.devices.people()
    except TimeoutError:
        return doubtful(
            "people", f"{text}, {len(mail_ids)} without a device in it; the store is too slow to count those of apps"
        )
    if not mail_ids:
        return fine("people", f"{text}, each with a device")
    return doubtful("people", f"{text}, {len(mail_ids)} without a device (they get mail only)")


async def pushed_people(directory: CompanyDirectory, oncall: str, *, store: Store) -> SetUpPart:
    """Whether the database has people and the person on call, and nobody who left is held."""
    size, exodus = await store.directory.size(), await store.directory.exodus()
    if not size:
        return wrong("people", "nobody is in the database: push people to /scim/v2, or countersign people import FILE")
    if oncall and await directory.named(oncall) is None:
        return wrong("people", f"the database has no {oncall}, who is notified of problems (COUNTERSIGN_ONCALL)")
    if exodus.held:
        return doubtful(
            "people",
            f"{exodus.held:,} people left at once: what waits for them goes on as if they were here, until countersign "
            "people confirm",
        )
    return fine("people", f"{size:,} people in the database")


async def ids(path: Path | None) -> SetUpPart:
    """Whether ids, which stay in records after an erasure, tell names."""
    if path is None:
        return fine("ids", "no people file")
    people = (await asyncio.to_thread(PeopleFile.read, path)).people
    telling = [person.id for person in people if _tells_the_name(person)]
    if not telling:
        return fine("ids", "none has a word of the person's name")
    return doubtful(
        "ids",
        f"{len(telling)} have a word of the person's name, such as {', '.join(telling[:3])}: ids stay in records, also "
        "after an erasure",
    )


async def keys(settings: Settings, store: Store, *, seconds: float = TRIED_WITHIN) -> SetUpPart:
    """How many open links each secret wrote, which would die with it, and whether ids are made as before."""
    async with limit_time(seconds):
        links = dict(await store.log_pages.count_open_links())
        try:
            await keep_secret_of_ids(settings, store)
        except OtherIds as refusal:
            return wrong("keys", str(refusal))
    counts = [f"{links.pop(id, 0):,}" for id in clients.key_ring(settings).ids]
    if dead := sum(links.values()):
        return doubtful(
            "keys",
            f"{dead:,} open links were written with a secret that is not in COUNTERSIGN_LINK_SECRETS: they are dead "
            "until their next notice",
        )
    if not counts:
        return fine("keys", "no secret of links is set")
    return fine("keys", f"open links by secret: {', '.join(counts)}; they die with the secret that wrote them")


def evidence_key(settings: Settings) -> SetUpPart:
    """Whether packs can be signed, by the user of this command."""
    try:
        return fine("evidence", f"{settings.evidence_key}: key {EvidenceKey.read(settings.evidence_key).id}")
    except UnusableKey as fault:
        return doubtful("evidence", f"{fault}; until then packs are refused")


async def worker_clock(store: Store, *, seconds: float = TRIED_WITHIN) -> SetUpPart:
    """Whether a worker has lately measured a wrong clock."""
    async with limit_time(seconds):
        skew = await WorkerClockSkew.latest(store)
    if skew is None or datetime.now(UTC) - skew.at > _SEEN_LATELY:
        return fine("worker clock", f"no worker is more than {CLOCKS_APART.seconds} s off")
    direction = "ahead of" if skew.ahead > 0 else "behind"
    return wrong("worker clock", f"worker {skew.worker} is {abs(skew.ahead)} s {direction} Temporal's: set its clock")


async def machines(store: Store, *, seconds: float = TRIED_WITHIN) -> SetUpPart:
    """Whether all processes run with the same."""
    async with limit_time(seconds):
        running = await store.processes.running()
    differ = "; ".join(filter(None, (_differing(running, field, label) for field, label in _COMPARED.items())))
    if differ:
        return doubtful("machines", f"{differ}: give all of them the same")
    return fine("machines", f"{len(running)} processes run, with the same version and files")


async def files(store: Store, *, seconds: float = TRIED_WITHIN) -> SetUpPart:
    return await _used("store", store.files, "is written and read", seconds)


async def database(store: Store, *, seconds: float = TRIED_WITHIN) -> SetUpPart:
    return await _used("database", store.database, "is reached, and has the schema of this version", seconds)


@asynccontextmanager
async def limit_time(seconds: float) -> AsyncIterator[None]:
    """`TimeoutError` after so long, without waiting for a hanging thread."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())
        raise


async def policies(path: Path, people: Path | None) -> SetUpPart:
    """Whether the catalogue is valid, and whom its `may_start` names in vain."""
    catalogue = await asyncio.to_thread(Catalogue.read, path)
    summary = f"{path}: {len(catalogue.kinds)} kinds"
    if strangers := await asyncio.to_thread(_unknown_starters, catalogue, people):
        summary += f"; may_start names {', '.join(strangers)}, whom the people file does not have"
    return fine("policies", summary)


async def adoption(settings: Settings, store: Store) -> SetUpPart:
    """Whether documents sent by hand can become requests, and which of them nothing follows up. Raises `FileFaults`
    with all faults of the rules.
    """
    if settings.adopt == "off":
        return fine("adoption", "off: documents sent by hand at Core Signature are not followed up")
    catalogue = await asyncio.to_thread(Catalogue.read, settings.policies)
    directory = clients.directory(settings, store)
    if settings.adopt_kind and settings.adopt_kind not in catalogue.kinds:
        return wrong("adoption", f"{settings.policies} has no kind {settings.adopt_kind} (COUNTERSIGN_ADOPT_KIND)")
    if settings.adopt_requester and await directory.named(settings.adopt_requester) is None:
        return wrong("adoption", f"{settings.people} has no {settings.adopt_requester} (COUNTERSIGN_ADOPT_REQUESTER)")
    config = clients.adoption_config(settings)
    rules = await config.load(catalogue, directory) if config else ()
    kinds = ", ".join(dict.fromkeys(rule.kind for rule in rules))
    summary = (
        f"documents that are sent by hand become {kinds} of their senders; no other installation may adopt from the "
        "same senders of this tenant"
    )
    if unfit := await list_unfit(store):
        return doubtful("adoption", f"{summary}; nothing follows up {len(unfit)}: `countersign request adopt --list`")
    return fine("adoption", summary)


async def encryption(settings: Settings) -> SetUpPart:
    """Whether what Temporal keeps is encrypted; on this machine it need not be. Raises `TemporalConfigurationError`."""
    if settings.payload_keys:
        return fine("encryption", f"payloads are encrypted with the key {settings.payload_keys[0].id}")
    host = temporal_host(settings)
    if _is_this_machine(host):
        return fine("encryption", "off, and Temporal is on this machine")
    return doubtful(
        "encryption",
        f"off, and Temporal is at {host}: who may read its histories reads there the names of documents, and what "
        "people write (messages, questions, answers, reasons), beside ids, kinds and instants; never names, addresses, "
        "device tokens or signing pages. COUNTERSIGN_PAYLOAD_KEYS encrypts what is written from then on",
    )


def callbacks(settings: Settings) -> SetUpPart:
    """How Core Signature calls us, and whether a repeated callback is still accepted."""
    for worry in _repeats_are_refused(settings):
        return doubtful("callbacks", worry)
    subscribed = settings.signature.callback_style == "subscription"
    arrangement = "subscribed to once, for all documents" if subscribed else "asked for with each document"
    return fine("callbacks", f"{arrangement}; accepted for as long as Core Signature repeats them")


async def hand_off(settings: Settings) -> SetUpPart:
    """Whether each target with a `url` has a secret; a secret without a target may be for a request file's."""
    called = await asyncio.to_thread(_called, settings.policies)
    signed = settings.handoff.secrets.keys()
    if not signed:
        target_names = _names(called) or "other systems"
        return doubtful("hand-off", f"{_SECRETS} is empty: calls to {target_names} go unsigned")
    unknown = _names(signed - called)
    aside = f"; no kind of the catalogue calls {unknown}, only a request file may" if unknown else ""
    if unsigned := _names(called - signed):
        return doubtful("hand-off", f"{_SECRETS} has no secret for {unsigned}: calls to it go unsigned{aside}")
    return fine("hand-off", f"calls are signed for {_names(signed)}{aside}")


async def codec(settings: Settings) -> SetUpPart:
    """Whether the Web UI can show what is encrypted, and to whom."""
    if settings.codec == "off":
        content = "ciphertext" if settings.payload_keys else "payloads, which are not encrypted"
        return fine("codec", f"off: Temporal's Web UI shows {content}")
    if settings.oidc.issuer:
        count = len((await discover(settings.oidc.issuer)).keys.keys)
        keys = "1 key" if count == 1 else f"{count} keys"
        readers = f"members of {settings.operators}, by tokens of {settings.oidc.issuer}, which has {keys}"
    else:
        readers = "this machine" if settings.codec_open else "nobody: COUNTERSIGN_OIDC_ISSUER is empty"
    by_token = ", and whoever has COUNTERSIGN_CODEC_TOKEN" if settings.codec_token else ""
    return fine("codec", f"pages of {settings.codec_origin or 'no Web UI'} decrypt for {readers}{by_token}")


async def sign_in(settings: Settings) -> SetUpPart:
    """How people sign in at the desk, and whether the OpenID issuer can be asked. Raises `ServiceFailure`."""
    if not settings.oidc.signs_in or settings.sign_in == "number":
        return fine("sign-in", "at the desk by a number; COUNTERSIGN_OIDC_CLIENT_ID adds the company's account")
    provider = await discover(settings.oidc.issuer)
    if not provider.authorization or not provider.token:
        return wrong("sign-in", f"{settings.oidc.issuer} names no end points at https to sign in")
    lacking = "" if provider.end_session else ", which has no sign-out"
    number = "" if settings.sign_in == "oidc" else ", and by a number"
    return fine("sign-in", f"at the desk by accounts of {settings.oidc.issuer}{lacking}{number}")


def actors(settings: Settings) -> SetUpPart:
    """Whether it is proved who types the commands of this installation."""
    if settings.verifies_actors:
        way = "by `countersign login`" if settings.oidc.signs_in else "nobody can: COUNTERSIGN_OIDC_CLIENT_ID is empty"
        return fine("actors", f"commands that change something prove who types them: {way}")
    believed = "whoever types a command is believed (COUNTERSIGN_ACTORS=claimed)"
    if settings.database_url.startswith("postgresql"):
        return doubtful(
            "actors", f"{believed}: COUNTERSIGN_OIDC_ISSUER and COUNTERSIGN_OIDC_CLIENT_ID let them prove it"
        )
    return fine("actors", believed)


async def token(client: CoreSignatureClient) -> SetUpPart:
    await client.check_token()
    return fine("token", f"granted by {client.config.credentials.token_url}")


async def signature_service(client: CoreSignatureClient) -> SetUpPart:
    await client.events()
    return fine("signature service", client.config.url)


async def clock(url: str) -> SetUpPart:
    """Whether this machine's clock agrees with Core Signature's: callbacks are judged by age."""
    answered = await _time_of("Core Signature", url, "/api/v1/docs/")
    if answered is None:
        return doubtful("clock", "Core Signature does not say its time")
    skew = abs(datetime.now(UTC) - answered)
    summary = f"{skew.total_seconds():.0f} s apart from Core Signature"
    if skew >= _SKEW_WRONG:
        return wrong("clock", f"{summary}: set the clock of this machine")
    return doubtful("clock", summary) if skew > CLOCKS_APART else fine("clock", summary)


async def subscriptions(client: CoreSignatureClient, settings: Settings) -> SetUpPart:
    """Whether Core Signature calls us about all relevant events, without stale subscriptions of ours."""
    if missing := boot_subscriptions.lacking(settings):
        return wrong("subscriptions", missing)
    state = await boot_subscriptions.standing(client, settings)
    if state.missing:
        lost = "without it what signers do is seen by the sweep, within five minutes"
        return doubtful("subscriptions", f"none for {', '.join(state.missing)}: run `countersign init`; {lost}")
    if state.stale:
        return doubtful("subscriptions", f"{len(state.stale)} of ours are not needed: run `countersign init`")
    summary = f"{len(boot_subscriptions.EVENTS)} types of events are told to our receiver"
    return fine("subscriptions", "; ".join(filter(None, (summary, state.of_others))))


async def push(dialect: PushDialect | None) -> SetUpPart:
    if dialect is None:
        return doubtful("push", "off: no app is reached")
    await dialect.check()
    return fine("push", "credentials are accepted")


async def web_push(store: Store, contact: str, *, seconds: float = TRIED_WITHIN) -> SetUpPart:
    """Whether browsers can subscribe."""
    async with limit_time(seconds):
        keys = await store.web_push_keys.read()
    if not keys:
        return doubtful("web push", "off, no browser can subscribe: `countersign init` makes its key")
    earlier = f", {len(keys) - 1} earlier ones for those that have them" if len(keys) > 1 else ""
    return fine("web push", f"browsers subscribe with key {keys[0].public[:8]}…{earlier}; we are {contact}")


async def messaging(channel: CloudMessaging | None, *, status_mails: bool) -> SetUpPart:
    """Whether cloud messaging works; without it, who is not notified."""
    if channel is None:
        endings = "requester and alternates" if status_mails else "requester, alternates, and signers of an ending,"
        text = f"COUNTERSIGN_MRA_URL is not set: without a device signers get Core Signature's mail, {endings} nothing"
        return doubtful("cloud messaging", text)
    await channel.check()
    return fine("cloud messaging", "credentials are accepted")


async def receiver(url: str, signature_url: str) -> SetUpPart:
    """Whether the web process answers at the address given to Core Signature, with the same time."""
    if not url:
        return doubtful(
            "receiver", "COUNTERSIGN_WEBHOOK_URL is not set: what signers do is seen at the next nudge, or once a week"
        )
    our_time = await _time_of("the receiver", url, "/readyz")
    try:
        theirs = await _time_of("Core Signature", signature_url, "/api/v1/docs/")
    except ServiceFailure:  # which has a part of its own
        theirs = None
    if our_time and theirs and abs(skew := our_time - theirs) > CLOCKS_APART:
        direction = "ahead of" if skew > timedelta() else "behind"
        text = f"{url}: the clock of this receiver is {_span(abs(skew))} {direction} Core Signature's"
        return (wrong if abs(skew) >= _SKEW_WRONG else doubtful)("receiver", text)
    return fine("receiver", f"{url} answers here and reaches Temporal; check that it is reached from outside")


def _tells_the_name(person: Person) -> bool:
    """Whether the id has a word of the name, of three letters at least."""
    name_parts = {name_part for name_part in words_of(person.name) if len(name_part) >= _WORD_OF_A_NAME}
    return not name_parts.isdisjoint(words_of(person.id.replace("_", "-")))


def _differing(running: Sequence[Process], field: str, label: str) -> str:
    """Which processes have another one of this than others, empty if none."""
    groups: dict[str, set[str]] = {}
    for process in running:
        if fingerprint := getattr(process, field):
            groups.setdefault(fingerprint, set()).add(f"{process.role} on {process.host}")
    if len(groups) < 2:
        return ""
    return f"the {label} differs: {' / '.join(sorted(', '.join(sorted(group)) for group in groups.values()))}"


async def _used(part: str, storage: Files | Database, statement: str, seconds: float) -> SetUpPart:
    try:
        async with limit_time(seconds):
            await storage.check()
    except TimeoutError:
        return wrong(
            part, f"{storage.address} does not answer within {seconds:g} s: is it mounted, or reachable, here?"
        )
    shared = "; processes on other machines need a shared one" if storage.local else ""
    return fine(part, f"{storage.address} {statement}{shared}")


def _unknown_starters(catalogue: Catalogue, people: Path | None) -> list[str]:
    starters = {starter for kind in catalogue.kinds for starter in catalogue.starters(kind) if not starter.everyone}
    if not starters or people is None:
        return []
    try:
        persons = PeopleFile.read(people).people
    except FileFaults:
        return []  # What is wrong with it is said of the people.
    ids, groups = {person.id for person in persons}, {group for person in persons for group in person.groups}
    named = (
        {starter.person for starter in starters if starter.person} - ids,
        {starter.group for starter in starters if starter.group} - groups,
    )
    return sorted(named[0] | {f"the group {group_name}" for group_name in named[1]})


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _repeats_are_refused(settings: Settings) -> Iterator[str]:
    if settings.webhook.max_age < RETRIED_FOR:
        yield (
            "COUNTERSIGN_WEBHOOK_MAX_AGE is shorter than the 2.5 h for which Core Signature repeats a callback: "
            "the last repeats are refused"
        )


def _called(policies: Path) -> set[str]:
    catalogue = Catalogue.read(policies)
    resolved = (catalogue.resolve(kind).policy for kind in catalogue.kinds)
    return {target.target for policy in resolved for target in policy.handoff if target.url}


def _names(targets: AbstractSet[str]) -> str:
    return ", ".join(sorted(targets))


def _span(skew: timedelta) -> str:
    seconds = round(skew.total_seconds())
    return f"{seconds} s" if skew < _SKEW_WRONG else f"{round(seconds / 60)} minutes"


async def _time_of(name: str, url: str, path: str) -> datetime | None:
    service = Service(name, url, make_client())
    try:
        return (await service.call("GET", path)).date
    finally:
        await service.aclose()
