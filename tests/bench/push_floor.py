"""The floor of start → push: the smallest honest workflow that asks one person, and can say so after a crash.

Two activities. The first looks the person up, notes the start, uploads the document and makes its request at Core
Signature (two calls, 0.2 KB each); the second sends one message (one call, 0.3 KB) and notes that it was sent. So: one
look-up and two inserts, each on disk before it counts; tokens are had already. Nothing is planned, bounded or counted.

`python -m tests.bench.push_floor SETTINGS` with settings as JSON works until it is killed; a line says when it begins.
"""

import asyncio
import base64
import json
import sqlite3
import sys
from datetime import timedelta
from typing import Any, Final

import httpx
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

FLOOR: Final = "PushFloor"
QUEUE: Final = "push-floor"
_SOON: Final = timedelta(seconds=30)
_TABLES: Final = """
CREATE TABLE people (person TEXT PRIMARY KEY, address TEXT, token TEXT) WITHOUT ROWID;
CREATE TABLE starts (request TEXT PRIMARY KEY, person TEXT) WITHOUT ROWID;
CREATE TABLE notices (request TEXT, person TEXT, stage TEXT, PRIMARY KEY (request, person, stage)) WITHOUT ROWID;
"""


@workflow.defn(name=FLOOR)
class PushFloor:
    """Ask, then tell."""

    @workflow.run
    async def run(self, request: str, person: str) -> None:
        """Straight down."""
        token = await workflow.execute_activity(Service.ask, args=[request, person], start_to_close_timeout=_SOON)
        await workflow.execute_activity(Service.tell, args=[request, person, token], start_to_close_timeout=_SOON)


class Service:
    """Both services, and a file of SQLite that syncs as ours does."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings
        self._http = httpx.AsyncClient(base_url=settings["url"], timeout=30, trust_env=False)
        self._tokens: dict[str, str] = {}
        self._connection = sqlite3.connect(settings["file"], check_same_thread=False)
        self._connection.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; {_TABLES}")
        people = [(person, f"{person}@example.test", token) for person, token in settings["people"].items()]
        self._execute("INSERT INTO people VALUES (?, ?, ?)", *people)

    async def sign_in(self) -> None:
        """Get the tokens of both services."""
        for service in ("signature", "push"):
            account = self._settings[service]
            grant = {"grant_type": "client_credentials"}
            answer = await self._http.post(account["token_url"], data=grant, auth=(account["id"], account["secret"]))
            self._tokens[service] = f"Bearer {answer.raise_for_status().json()['access_token']}"

    @activity.defn
    async def ask(self, request: str, person: str) -> str:
        """The token of the person's phone."""
        row = await asyncio.to_thread(self._look_up, person)
        await asyncio.to_thread(self._execute, "INSERT INTO starts VALUES (?, ?)", (request, person))
        pdf = base64.b64encode(b"%PDF-1.4\n%%EOF\n").decode()
        content = {"file_from_content": pdf, "file_from_content_name": "msa.pdf", "name": "MSA"}
        document = await self._post("documents", "signature", {**content, "external_id": f"floor-{request}"})
        signers = [{"email": row[0], "order": 1, "needs_to_sign": True}]
        await self._post("requests", "signature", {"document": document["url"], "who": "o", "signers": signers})
        return str(row[1])

    @activity.defn
    async def tell(self, request: str, person: str, token: str) -> None:
        """Send the message."""
        shown = {"title": "Sign: MSA", "body": "Until Friday"}
        link = {"request": request, "stage": "ready", "url": "https://sign.example/open/x"}
        await self._post("messages", "push", {"message": {"token": token, "notification": shown, "data": link}})
        await asyncio.to_thread(self._execute, "INSERT INTO notices VALUES (?, ?, 'ready')", (request, person))

    async def _post(self, path: str, service: str, body: dict[str, Any]) -> Any:
        headers = {"authorization": self._tokens[service]}
        answer = await self._http.post(self._settings["paths"][path], json=body, headers=headers)
        return answer.raise_for_status().json()

    def _look_up(self, person: str) -> Any:
        return self._connection.execute("SELECT address, token FROM people WHERE person = ?", (person,)).fetchone()

    def _execute(self, statement: str, *rows: tuple[str, ...]) -> None:
        with self._connection:
            self._connection.executemany(statement, rows)


async def work(settings: dict[str, Any]) -> None:
    """Until it is killed."""
    client, service = await Client.connect(settings["temporal"]), Service(settings)
    await service.sign_in()
    worker = Worker(
        client,
        task_queue=QUEUE,
        workflows=[PushFloor],
        activities=[service.ask, service.tell],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    async with worker:
        print("ready", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(work(json.loads(sys.argv[1])))
