"""Builds the clients of a process from its settings."""

import hashlib
import re
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache, partial
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx

from activities.core_signature.client import CALLBACKS, CoreSignatureClient, CoreSignatureConfig, Dialect, NameStyle
from activities.core_signature.downloads import MEGABYTE, DocumentDownloads
from activities.core_signature.passwords import SignerPasswords
from activities.hand_off.archive import Archives
from activities.hand_off.downloads import DownloadLinks
from activities.hand_off.http_call import CONNECTIONS_AT_ONCE, HttpTargets, HttpTargetsConfig
from activities.http.client import make_client
from activities.http.oauth import Credentials, Grant, TokenAuth
from activities.http.rate_limit import RateLimiter
from activities.http.transport import Guard
from activities.keys import KeyRing
from activities.launch.doors import Clock, Intake, wall_clock
from activities.notifications.cloud_messaging import CloudMessaging, CloudMessagingConfig
from activities.notifications.config import (
    AppWorksConfig,
    FcmConfig,
    PushConfig,
    WebPushConfig,
    open_dialect,
    open_messaging,
    open_web_push,
)
from activities.notifications.links import SigningLinks, signed_page
from activities.notifications.push_services import BadServiceAccount, PushDialect, ServiceAccount
from activities.notifications.sign_in import SignInLinks
from activities.notifications.web_push import WebPush
from activities.people.company_directory import CompanyDirectory
from activities.people.database_directory import DatabaseDirectory
from activities.people.devices import KnownDevice
from activities.people.directory import Directory
from activities.people.file_directory import FileDirectory
from activities.people.mailbox import MailboxSubstitutes
from activities.people.person import Person, WebDevice
from activities.policies.catalogue import Catalogue
from activities.reconciliation.adoption_rules import AdoptionConfig, AdoptionRule
from activities.records.processes import Process, ProcessRole
from activities.records.store import Store, store_at
from starter.boot.processes import release
from starter.config.settings import PushSettings, Settings, SignatureSettings
from starter.errors import Refusal

_NOBODY: Final = "postmaster@localhost"


class UnusableFile(Refusal):
    """A file named by a setting is unusable."""


class _WithoutApps(CompanyDirectory):
    """The directory while push to apps is off: people have browsers only."""

    async def known_devices(self, person: Person) -> tuple[KnownDevice, ...]:
        return tuple(known for known in await super().known_devices(person) if isinstance(known.device, WebDevice))


class _FileWithoutApps(_WithoutApps, FileDirectory):
    pass


class _DatabaseWithoutApps(_WithoutApps, DatabaseDirectory):
    pass


@dataclass(frozen=True)
class Clients:
    """The clients of one process, open inside the block of `opened`."""

    store: Store
    directory: CompanyDirectory
    links: SigningLinks
    download_links: DownloadLinks
    sign_in_links: SignInLinks
    signature: CoreSignatureClient
    passwords: SignerPasswords
    pace: RateLimiter
    """The rate limiter of all calls of `signature`."""
    push: PushDialect | None
    web_push: WebPush
    messaging: CloudMessaging | None
    downstream: HttpTargets
    downloads: DocumentDownloads
    archives: Archives


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Clients]:
    """One client per service, without any call; needs `Need.SIGNATURE`, `PUSH`, `MESSAGING`, `LINKS`, `PEOPLE`."""
    async with AsyncExitStack() as closing:
        open_store = store(settings)
        closing.callback(open_store.close)
        pace = RateLimiter(settings.signature.max_rps)
        signature = CoreSignatureClient(signature_config(settings), pace=pace)
        closing.push_async_callback(signature.aclose)
        push = open_dialect(push_config(settings.push))
        if push is not None:
            closing.push_async_callback(push.aclose)
        web_push = open_web_push(web_push_config(settings), open_store.web_push_keys.read)
        closing.push_async_callback(web_push.aclose)
        messaging = open_messaging(messaging_config(settings))
        if messaging is not None:
            closing.push_async_callback(messaging.aclose)
        calls = await closing.enter_async_context(make_client(max_connections=CONNECTIONS_AT_ONCE))
        max_bytes = settings.signature.max_download_mb * MEGABYTE
        fetching = await closing.enter_async_context(make_client(limit_bytes=max_bytes + MEGABYTE))
        yield Clients(
            store=open_store,
            directory=directory(settings, open_store),
            links=links(settings),
            download_links=download_links(settings, open_store),
            sign_in_links=sign_in_links(settings),
            signature=signature,
            passwords=signer_passwords(settings),
            pace=pace,
            push=push,
            web_push=web_push,
            messaging=messaging,
            downstream=downstream(settings, calls),
            downloads=DocumentDownloads(fetching, download_guard(settings.signature), open_store.files, max_bytes),
            archives=Archives(open_store, settings.handoff.archives),
        )


def download_guard(config: SignatureSettings) -> Guard:
    """Where files of Core Signature may be fetched."""
    hosts = config.download_hosts or (urlsplit(config.url).netloc,)
    return Guard(hosts, setting="COUNTERSIGN_SIGNATURE_DOWNLOAD_HOSTS")


def store(settings: Settings) -> Store:
    """Database and files of this process, without any call; raises `StoreFailure`."""
    return store_at(settings.store_url, settings.database_url)


def downstream(settings: Settings, calls: httpx.AsyncClient) -> HttpTargets:
    """Calls to hand-off targets."""
    return HttpTargets(calls, downstream_config(settings), Guard(settings.handoff.hosts))


def catalogue(settings: Settings) -> Catalogue:
    """The catalogue, with the hosts that are never called; raises `FileFaults`."""
    return Catalogue.read(settings.policies, Guard(settings.handoff.hosts).refusal)


def intake(settings: Settings, directory: Directory, clock: Clock = wall_clock) -> Intake:
    """The one intake, with our catalogue and the templates beside it."""
    return Intake(directory, partial(catalogue, settings), clock, settings.policies.parent)


def directory(settings: Settings, store: Store) -> CompanyDirectory:
    """The people file, or the database; needs `Need.PEOPLE`. With push off only those have a device who subscribed at
    the desk.
    """
    push_is_off, secret = settings.push.dialect == "off", settings.secret_of_ids or None
    people: CompanyDirectory
    if settings.people_in_database:
        people = (_DatabaseWithoutApps if push_is_off else DatabaseDirectory)(store, secret)
    else:
        people = (_FileWithoutApps if push_is_off else FileDirectory)(settings.people or Path(), store, secret)
    people.substitutes = MailboxSubstitutes(bool(settings.mra_url), settings.signature.relay)
    return people


def key_ring(settings: Settings) -> KeyRing:
    """Of links, cookies and forms; needs `Need.LINKS`."""
    return KeyRing(settings.secrets_of_links)


def links(settings: Settings) -> SigningLinks:
    """Needs `Need.LINKS`."""
    return SigningLinks(settings.link_base, key_ring(settings))


def download_links(settings: Settings, store: Store) -> DownloadLinks:
    """Links of hand-off targets to kept files; needs `Need.LINKS`."""
    return DownloadLinks(store, settings.link_base, key_ring(settings), timedelta(days=settings.link_days))


def signer_passwords(settings: Settings) -> SignerPasswords:
    """Needs `Need.LINKS`."""
    return SignerPasswords(settings.secret_of_ids)


def sign_in_links(settings: Settings) -> SignInLinks:
    """Sign-in links of the desk; needs `Need.LINKS`."""
    return SignInLinks(settings.link_base, key_ring(settings))


def signature_config(settings: Settings) -> CoreSignatureConfig:
    """Needs `Need.SIGNATURE`. Unset paths keep the client's defaults."""
    config = settings.signature
    paths = {
        "cancel_paths": config.cancel_paths,
        "resend_paths": config.resend_paths,
        "forward_paths": config.forward_paths,
    }
    return CoreSignatureConfig(
        url=config.url,
        credentials=_signature_credentials(config),
        callback_url=callback_url(settings),
        dialect=Dialect(config.dialect),
        from_requester=config.from_ == "requester",
        from_email=config.from_email or None,
        name_style=NameStyle(config.signer_name_style),
        list_lag=config.list_lag.total_seconds(),
        page_size=config.page_size,
        status_mails=config.status_mails == "on",
        signed_page=signed_page(settings.link_base) if settings.link_base else "",
        **{name: templates for name, templates in paths.items() if templates},
    )


def callback_url(settings: Settings) -> str | None:
    """Where each document's events are sent; None with subscriptions, or without a web process."""
    if settings.signature.callback_style == "subscription" or not settings.webhook.url:
        return None
    return receiver_address(settings)


def adoption_config(settings: Settings) -> AdoptionConfig | None:
    """By which rules documents sent by hand are adopted, None if they are not; needs `Need.ADOPTION`."""
    if settings.adopt == "off":
        return None
    otherwise = AdoptionRule(kind=settings.adopt_kind, owner=settings.adopt_requester) if settings.adopt_kind else None
    return AdoptionConfig(settings.adopt_rules, otherwise)


def receiver_address(settings: Settings) -> str:
    """The callback URL with its secret segment; needs `Need.SUBSCRIPTIONS`."""
    return f"{receiver_base(settings)}{settings.webhook.segment.get_secret_value()}"


def receiver_base(settings: Settings) -> str:
    """The callback URL without the secret segment."""
    return f"{settings.webhook.url.rstrip('/')}{CALLBACKS}"


def running(settings: Settings, role: ProcessRole, identity: str) -> Process:
    """This process, with its files as they are now."""
    mappings = (
        sorted(settings.hook.mappings.glob("*.yaml")) if settings.hook.mappings and role is ProcessRole.WEB else []
    )
    return Process(
        identity=identity,
        role=role,
        host=socket.gethostname(),
        version=release(),
        people=_hash_of(settings.people_file) if settings.people_file else "",
        catalogue=_hash_of(settings.policies),
        mappings=_hash_lines(f"{mapping.name} {_hash_of(mapping)}" for mapping in mappings) if mappings else "",
    )


def push_config(config: PushSettings) -> PushConfig:
    """Needs `Need.PUSH`. Raises `UnusableFile` for a faulty key file."""
    if config.dialect == "off":
        return None
    if config.dialect == "appworks":
        return AppWorksConfig(url=config.url, app=config.app, app_key=config.app_key)
    return FcmConfig(
        url=config.url, project=config.project, credentials=_push_credentials(config), send_path=config.send_path
    )


def web_push_config(settings: Settings) -> WebPushConfig:
    """Push services want an address of the sender: our contact, if it is one of mail, else our pages."""
    addresses = (settings.contact, settings.signature.from_email)
    address = next((text for text in addresses if re.fullmatch(r"[!-~]+@[!-~]+", text)), "")
    is_public = settings.link_base.startswith("https://") and not address
    return WebPushConfig(settings.push.web_hosts, settings.link_base if is_public else f"mailto:{address or _NOBODY}")


def messaging_config(settings: Settings) -> CloudMessagingConfig | None:
    """Needs `Need.MESSAGING`."""
    if not settings.mra_url:
        return None
    return CloudMessagingConfig(settings.mra_url, settings.mra_user, settings.mra_password)


def downstream_config(settings: Settings) -> HttpTargetsConfig:
    """How hand-off calls are signed."""
    return HttpTargetsConfig(secrets=settings.handoff.secrets)


def _hash_of(file: Path) -> str:
    try:
        status = file.stat()
        return _hash(file, status.st_mtime_ns, status.st_size)
    except OSError:
        return "unreadable"


@lru_cache(maxsize=100)
def _hash(file: Path, changed_at: int, size: int) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _hash_lines(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _signature_credentials(config: SignatureSettings) -> Credentials:
    password = config.grant == "password"
    return Credentials(
        token_url=config.token_url,
        client_id=config.client_id,
        client_secret=config.client_secret,
        token_auth=TokenAuth(config.token_auth),
        grant=Grant(config.grant),
        scope=config.scope or None,
        subscription=config.subscription or None,
        username=config.username if password else None,
        password=config.password if password else None,
    )


def _push_credentials(config: PushSettings) -> Credentials | ServiceAccount:
    if config.auth == "google_service_account":
        try:
            return ServiceAccount.read(config.credentials_file or Path())
        except BadServiceAccount as fault:
            raise UnusableFile(f"COUNTERSIGN_PUSH_CREDENTIALS_FILE: {fault}") from fault
    return Credentials(token_url=config.token_url, client_id=config.client_id, client_secret=config.client_secret)
