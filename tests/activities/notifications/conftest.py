"""A sandbox with phones, the push dialects that reach it, and the service over them."""

from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import pytest
from pydantic import SecretStr

from activities.core_signature.client import CoreSignatureClient, CoreSignatureConfig
from activities.core_signature.service import CoreSignatureService
from activities.core_signature.signers import SignerSnapshots
from activities.http.oauth import Credentials
from activities.keys import KeyRing
from activities.notifications.cloud_messaging import CloudMessaging
from activities.notifications.config import AppWorksConfig, FcmConfig, open_dialect
from activities.notifications.links import SigningLinks
from activities.notifications.push_services import PushDialect
from activities.notifications.service import NotificationService
from activities.notifications.signer_mail import SignerMail
from activities.people.file_directory import FileDirectory
from activities.records.store import Store
from deploy.sandbox.server import RunningSandbox, running
from deploy.sandbox.state.settings import SandboxSettings
from tests.activities.notifications.stage import PEOPLE, messaging


@pytest.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    """Core Signature and push service in one, documents converted at once."""
    async with running(SandboxSettings(conversion_delay=0)) as started:
        yield started


def fcm_config(sandbox: RunningSandbox) -> FcmConfig:
    """How FCM's stand-in is reached."""
    settings = sandbox.state.settings
    credentials = Credentials(
        f"{sandbox.url}/push/oauth2/token", settings.push_client_id, SecretStr(settings.push_client_secret)
    )
    return FcmConfig(sandbox.url, settings.push_project, credentials)


@pytest.fixture
async def fcm(sandbox: RunningSandbox) -> AsyncIterator[PushDialect]:
    """FCM's dialect."""
    dialect = open_dialect(fcm_config(sandbox))
    assert dialect is not None
    yield dialect
    await dialect.aclose()


@pytest.fixture
async def appworks(sandbox: RunningSandbox) -> AsyncIterator[PushDialect]:
    """The dialect of the AppWorks Gateway."""
    settings = sandbox.state.settings
    dialect = open_dialect(AppWorksConfig(sandbox.url, settings.push_app, SecretStr(settings.push_app_key)))
    assert dialect is not None
    yield dialect
    await dialect.aclose()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    return Store((tmp_path / "store").as_uri())


@pytest.fixture
def directory(tmp_path: Path, store: Store) -> FileDirectory:
    """The people of the stage."""
    file = tmp_path / "people.yaml"
    file.write_text(PEOPLE)
    return FileDirectory(file, store)


@pytest.fixture
async def core(sandbox: RunningSandbox) -> AsyncIterator[CoreSignatureClient]:
    """A client of the sandbox's Core Signature."""
    settings = sandbox.state.settings
    credentials = Credentials(
        f"{sandbox.url}/tenants/{settings.tenant}/oauth2/token", settings.client_id, SecretStr(settings.client_secret)
    )
    client = CoreSignatureClient(CoreSignatureConfig(url=sandbox.url, credentials=credentials, list_lag=0.0))
    yield client
    await client.aclose()


@pytest.fixture
def signatures(core: CoreSignatureClient, directory: FileDirectory, store: Store) -> CoreSignatureService:
    """The activities of Core Signature."""
    return CoreSignatureService(core, directory, store)


@pytest.fixture
def links() -> SigningLinks:
    """Links to a public https address."""
    return SigningLinks("https://sign.example", KeyRing([SecretStr("s" * 32)]))


@pytest.fixture
async def cloud(sandbox: RunningSandbox) -> AsyncIterator[CloudMessaging]:
    """Cloud messaging at the sandbox."""
    async with messaging(sandbox) as opened:
        yield opened


@pytest.fixture
def a_worker(
    fcm: PushDialect,
    directory: FileDirectory,
    links: SigningLinks,
    core: CoreSignatureClient,
    signatures: CoreSignatureService,
    store: Store,
) -> Callable[..., NotificationService]:
    """The push service of one worker more, with whatever else it is given."""
    mail = SignerMail(core, directory, SignerSnapshots(store))
    return partial(
        NotificationService, dialect=fcm, directory=directory, links=links, read=signatures.read, mail=mail, store=store
    )


@pytest.fixture
def notices(a_worker: Callable[..., NotificationService]) -> NotificationService:
    """The push service, whole."""
    return a_worker()
