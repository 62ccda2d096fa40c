"""A source that sends deals, and a receiver with a mapping for it on a server of its own."""

import json
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
from temporalio.client import Client

from activities.records.store import Store
from starter.boot import clients
from starter.config.settings import Settings, load
from starter.config.values import Bind
from starter.web.app import make_app
from starter.web.http.serving import listening
from starter.web.intake.hooks import Hooks, HookSource, OnboardingStarter
from tests.plain_http import plain_client
from tests.workflows.onboarding.stage import PDF, PEOPLE

EXAMPLES: Final = Path(clients.__file__).parents[1] / "examples"
SECRET: Final = "a-secret-of-the-crm"
OLDER_SECRET: Final = "the-secret-before-it"
PATH: Final = "/hooks/onboarding/crm"
BEARER: Final = {"authorization": f"Bearer {SECRET}"}
DEAL: Final[dict[str, Any]] = json.loads((EXAMPLES / "crm_deal.json").read_text())


def office(folder: Path) -> dict[str, str]:
    """The settings of somebody whose CRM calls, with the example mapping in their folder of mappings."""
    mappings = folder / "mappings"
    mappings.mkdir(exist_ok=True)
    shutil.copy(EXAMPLES / "crm.yaml", mappings)
    (mappings / "msa.pdf").write_bytes(PDF)
    (folder / "people.yaml").write_text(json.dumps({"people": PEOPLE}))
    return {
        "COUNTERSIGN_DATA_DIR": str(folder),
        "COUNTERSIGN_PEOPLE": str(folder / "people.yaml"),
        "COUNTERSIGN_HOOK_SECRETS": f"crm={SECRET},crm={OLDER_SECRET}",
        "COUNTERSIGN_HOOK_MAPPINGS": str(mappings),
    }


def load_settings(folder: Path) -> Settings:
    """The same, read."""
    return load(environment={"TEMPORAL_ADDRESS": "127.0.0.1:1", **office(folder)})


def deal(**changes: Any) -> dict[str, Any]:
    """The example's event with other fields of its deal."""
    return {**DEAL, "deal": {**DEAL["deal"], **changes}}


def contact(**changes: Any) -> dict[str, Any]:
    """The example's event with other fields of its contact."""
    return {**DEAL, "contacts": [{**DEAL["contacts"][0], **changes}]}


@dataclass
class Crm:
    """The source, before a receiver."""

    http: httpx.AsyncClient
    store: Store
    answers: list[str] = field(default_factory=list)

    async def sends(
        self, body: Any, headers: Mapping[str, str] = BEARER, path: str = PATH
    ) -> tuple[int, dict[str, Any]]:
        """The status and the answer to a call with this JSON, or these bytes."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = await self.http.post(path, content=content, headers=headers)
        self.answers.append(answer.text)
        return answer.status_code, answer.json()


def make_hooks(folder: Path, client: Client, body_seconds: float = 2) -> Hooks:
    """What takes the deals of this folder's CRM."""
    settings = load_settings(folder)
    store = Store(settings.store_url, settings.database_url)
    starting = OnboardingStarter(settings, client, store, clients.directory(settings, store))
    return Hooks(HookSource.all_of(settings), starting, body_seconds=body_seconds)


@asynccontextmanager
async def crm(folder: Path, client: Client) -> AsyncIterator[Crm]:
    """A CRM with the example mapping at a receiver in this folder."""
    hooks = make_hooks(folder, client)
    async with listening(make_app(hooks.routes()), Bind("127.0.0.1", 0)) as url, plain_client(url, timeout=60) as http:
        yield Crm(http, Store(load_settings(folder).store_url, load_settings(folder).database_url))
