"""A program before the API of an office on a server of its own, and the tokens that it has."""

import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
from temporalio.client import Client

from activities.records.allowances import Rate
from activities.records.store import Store
from starter.boot import clients
from starter.config.settings import load
from starter.config.values import Bind
from starter.temporal.connection import Context
from starter.web.api.api import ROOT, Api
from starter.web.app import make_app
from starter.web.downloads import KeptFileAnswers
from starter.web.http.oidc import Issuer
from starter.web.http.serving import listening
from tests.plain_http import plain_client
from tests.starter.web.issuing import AUDIENCE, OpenIssuer

PDF: Final = b"%PDF-1.7\nan offer\n%%EOF\n"
KINDS: Final = """
kinds:
  offer-letter: {window: 14d, hours: any, may_start: [{person: ada}, {group: operators}]}
  nda: {window: 14d, hours: any}
  team-task: {window: 5d, hours: any}
"""
PEOPLE: Final = """
people:
  - {id: ada, name: Ada, email: ada@example.com, zone: UTC, manager: mia}
  - {id: bob, name: Bob, email: bob@example.com, zone: UTC, manager: mia}
  - {id: mia, name: Mia, email: mia@example.com, zone: UTC}
  - {id: zoe, name: Zoe, email: zoe@example.com, zone: UTC}
  - {id: olga, name: Olga, email: olga@example.com, zone: UTC, groups: [operators]}
"""
UNBOUND: Final = Rate(burst=1_000_000, per_second=1_000_000)


def an_offer(**overrides: Any) -> dict[str, Any]:
    """A request with its document inside."""
    document = {"base64": base64.b64encode(PDF).decode(), "name": "Offer"}
    signers = [{"person": "bob"}]
    return {"kind": "offer-letter", "document": document, "requester": "ada", "signers": signers, **overrides}


def a_task(**overrides: Any) -> dict[str, Any]:
    return {"kind": "team-task", "title": "Create the account", "who": {"person": "bob"}, "owner": "ada", **overrides}


@dataclass
class Program:
    http: httpx.AsyncClient
    context: Context
    api: Api
    token: str = ""

    async def calls(
        self, method: str, path: str, body: Any = None, *, token: str | None = None, **options: Any
    ) -> tuple[int, Any]:
        """The status and the JSON of the answer."""
        answer = await self.asks(method, path, body, token=token, **options)
        return answer.status_code, answer.json()

    async def asks(
        self, method: str, path: str, body: Any = None, *, token: str | None = None, key: str = "", **options: Any
    ) -> httpx.Response:
        bearer = self.token if token is None else token
        headers: dict[str, str] = {
            **({"authorization": f"Bearer {bearer}"} if bearer else {}),
            **options.pop("headers", {}),
        }
        if key:
            headers["idempotency-key"] = key
        if body is not None:
            options["content"] = body if isinstance(body, bytes) else json.dumps(body).encode()
            headers.setdefault("content-type", "application/json")
        return await self.http.request(method, f"{ROOT}{path}", headers=headers, **options)

    async def make_token(self, name: str, *may: str) -> str:
        """A token with these rights."""
        return await self.context.store.tokens.make(name, may, "test", datetime.now(UTC))


def environment(folder: Path, issuer: OpenIssuer | None = None) -> Mapping[str, str]:
    (folder / "people.yaml").write_text(PEOPLE)
    (folder / "policies.yaml").write_text(KINDS)
    believed = {"COUNTERSIGN_OIDC_ISSUER": issuer.url, "COUNTERSIGN_OIDC_AUDIENCE": AUDIENCE} if issuer else {}
    return {
        "TEMPORAL_ADDRESS": "127.0.0.1:1",
        "COUNTERSIGN_DATA_DIR": str(folder),
        "COUNTERSIGN_PEOPLE": str(folder / "people.yaml"),
        "COUNTERSIGN_POLICIES": str(folder / "policies.yaml"),
        "COUNTERSIGN_OPERATORS": "operators",
        **believed,
    }


@asynccontextmanager
async def program(
    folder: Path,
    client: Client,
    issuer: OpenIssuer | None = None,
    *may: str,
    rate: Rate = UNBOUND,
    starts: Rate = UNBOUND,
    unauthenticated_rate: Rate = UNBOUND,
) -> AsyncIterator[Program]:
    """With a token `crm` that has these rights, else all."""
    settings = load(environment=environment(folder, issuer))
    store = Store(settings.store_url, settings.database_url)
    await store.database.upgrade()
    context = Context(client, store)
    believed = Issuer(settings.oidc) if issuer else None
    directory = clients.directory(settings, store)
    api = Api(
        settings,
        context,
        directory,
        believed,
        KeptFileAnswers(store),
        rate=rate,
        starts=starts,
        unauthenticated_rate=unauthenticated_rate,
    )
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(listening(make_app(api.routes()), Bind("127.0.0.1", 0)))
        http = await stack.enter_async_context(plain_client(url, timeout=60))
        running_program = Program(http, context, api)
        running_program.token = await running_program.make_token("crm", *(may or ("read", "start", "change")))
        yield running_program
        store.close()
