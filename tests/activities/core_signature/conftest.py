"""A sandbox on a free port, the client and service that talk to it, and a directory of six people."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from temporalio.testing import ActivityEnvironment

from activities.core_signature.client import CoreSignatureClient, CoreSignatureConfig
from activities.core_signature.service import CoreSignatureService
from activities.http.oauth import Credentials
from activities.people.file_directory import FileDirectory
from activities.records.store import Store
from deploy.sandbox.server import RunningSandbox, running
from deploy.sandbox.state.faults import ArmedFault
from deploy.sandbox.state.settings import SandboxSettings
from tests.activities.core_signature.requests import PDF, brief
from workflows.model.signature import SignatureBrief

PEOPLE = """
people:
  - {id: customer-signer, name: Customer Signer, email: customer@acme.test, zone: Europe/Berlin, locale: de}
  - id: chief-executive
    name: Chief Executive
    email: ceo@example.test
    zone: Europe/Amsterdam
    locale: nl
    devices: [{token: chief-executive~1, platform: android}]
  - {id: reviewer, name: Reviewer, email: reviewer@example.test, zone: Europe/Paris}
  - {id: archive, name: Archive, email: archive@example.test, zone: UTC}
  - {id: bouncing, name: Bouncing, email: bounce-here@example.test, zone: UTC}
  - {id: legal-desk, name: Legal Desk, email: legal@example.test, zone: UTC}
"""


@pytest.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    """A stand-in provider whose documents are converted at once."""
    async with running(SandboxSettings(conversion_delay=0)) as started:
        yield started


def config_for(sandbox: RunningSandbox, **changes: Any) -> CoreSignatureConfig:
    """How to reach this sandbox."""
    return config_at(sandbox.url, sandbox.state.settings, **changes)


def config_at(url: str, settings: SandboxSettings, **changes: Any) -> CoreSignatureConfig:
    """How to reach the sandbox of this address, also from another process."""
    credentials = Credentials(
        token_url=f"{url}/tenants/{settings.tenant}/oauth2/token",
        client_id=settings.client_id,
        client_secret=SecretStr(settings.client_secret),
    )
    return replace(CoreSignatureConfig(url=url, credentials=credentials, list_lag=0.0), **changes)


@pytest.fixture
async def client(sandbox: RunningSandbox) -> AsyncIterator[CoreSignatureClient]:
    """A client of the sandbox."""
    core_signature_client = CoreSignatureClient(config_for(sandbox))
    yield core_signature_client
    await core_signature_client.aclose()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    return Store((tmp_path / "store").as_uri())


@pytest.fixture
def directory(tmp_path: Path, store: Store) -> FileDirectory:
    """The six people."""
    file = tmp_path / "people.yaml"
    file.write_text(PEOPLE)
    return FileDirectory(file, store)


@pytest.fixture
def service(client: CoreSignatureClient, directory: FileDirectory, store: Store) -> CoreSignatureService:
    """The activities, over the sandbox."""
    return CoreSignatureService(client, directory, store)


@pytest.fixture
async def request_brief(store: Store) -> SignatureBrief:
    """A contract signed by the customer, then by the executive; its bytes are in the store."""
    return brief(await store.files.put(PDF))


@dataclass(frozen=True)
class Acting:
    """Runs activity methods as Temporal would, without Temporal."""

    environment: ActivityEnvironment

    async def __call__(self, method: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        """The result of the method called inside an activity."""
        return await self.environment.run(method, *args)


@pytest.fixture
def act() -> Acting:
    """The first attempt of an activity."""
    return Acting(ActivityEnvironment())


def arm(sandbox: RunningSandbox, **fault: Any) -> None:
    """Arm one fault."""
    sandbox.state.faults.arm(ArmedFault.model_validate(fault))


def entries(sandbox: RunningSandbox, kind: str) -> list[dict[str, Any]]:
    """The ledger's entries of one type."""
    return [entry for entry in sandbox.state.ledger.list_entries_after(0) if entry["type"] == kind]


def calls(sandbox: RunningSandbox, path: str, method: str | None = None) -> list[dict[str, Any]]:
    """The requests that reached the sandbox under a path."""
    requests = [entry for entry in entries(sandbox, "request") if path in entry["path"]]
    return [entry for entry in requests if method in (None, entry["method"])]
