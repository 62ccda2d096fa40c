"""The four processes of the laptop stack: canaries for secrets, telling all that can be told, with keys to turn."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

from deploy.demo.scene import Browser
from deploy.local.folder import DataFolder, FolderState, Ports
from deploy.local.processes import Program, RunningProgram
from deploy.local.stack import Stack, plan
from tests import prompt
from tests.privacy.canaries import FILLED_IN, PEOPLE, REASON, SECRETS
from tests.versions.stage import eventually

HOST = "127.0.0.1"
_READY_WITHIN = 30.0
_EXAMPLE = Path(__file__).parents[2] / "deploy" / "examples" / "msa.pdf"
_TALKATIVE = {
    "COUNTERSIGN_LOG_LEVEL": "debug",
    "OTEL_TRACES_EXPORTER": "console",
    "COUNTERSIGN_NOTICES_MOST": "1000",
}


@dataclass
class Household:
    """The stack, what it was heard saying, and the people who use it."""

    folder: DataFolder
    folder_state: FolderState
    http: httpx.AsyncClient
    running: dict[str, RunningProgram] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    heard: list[bytes] = field(default_factory=list)
    """What commands printed on stderr, and the metrics."""

    @property
    def sandbox(self) -> str:
        """Where the vendors are."""
        return f"http://{HOST}:{self.folder_state.ports.sandbox}"

    @property
    def temporal(self) -> str:
        """Where the server is."""
        return f"{HOST}:{self.folder_state.ports.temporal}"

    @property
    def example(self) -> Path:
        """Where people keep their files."""
        return self.folder.path / "example"

    async def open(self, keys: str = "") -> None:
        """Start server and vendors, then work."""
        stack = self._planned(keys)
        await asyncio.gather(
            *(self._start(program) for program in stack.first if program.name in ("temporal", "sandbox"))
        )
        await self._work(stack)

    async def turn_to(self, keys: str) -> None:
        """Worker and receiver end and start again with these payload keys."""
        await self.overhear()
        await asyncio.gather(*(self.running.pop(name).stop() for name in ("worker", "receiver")))
        await self._work(self._planned(keys))

    async def close(self) -> None:
        """End everything, the server last."""
        for name in ("worker", "receiver", "sandbox", "temporal"):
            if name in self.running:
                await self.running.pop(name).stop()

    async def overhear(self) -> None:
        """Keep what the metrics say."""
        answer = await self.http.get(f"http://{HOST}:{self.folder_state.ports.worker_metrics}/metrics")
        self.heard.append(answer.raise_for_status().content)

    async def starts(self, file: Path, kind: str = "request") -> None:
        """Type `countersign request start`, or that of a task, in a second terminal."""
        arguments = ("starter", kind, "start", str(file), "--json")
        typed = await asyncio.to_thread(prompt.run, *arguments, environment=self.environment)
        self.heard.append(typed.stderr.encode())
        assert typed.returncode == 0, typed.stderr

    async def ledger(self, kind: str) -> list[dict[str, Any]]:
        """What the vendors have seen of a kind."""
        entries = (await self.http.get(f"{self.sandbox}/_sandbox/ledger")).json()
        return [entry for entry in entries if entry["type"] == kind]

    async def documents(self) -> list[dict[str, Any]]:
        """The documents as the vendor knows them."""
        documents: list[dict[str, Any]] = (await self.http.get(f"{self.sandbox}/_sandbox/documents")).json()
        return documents

    async def signs_on_the_phone(self, request: str) -> None:
        """The first signer taps the notice, presses our button, then Core Signature's."""

        async def notice() -> dict[str, Any] | None:
            return next((push for push in await self.ledger("push") if push["data"]["request"] == request), None)

        browser = Browser()
        try:
            page = await browser.open((await eventually(notice))["link"])
            await browser.press(await browser.press(page))
        finally:
            await browser.aclose()

    async def hands_over_on_the_phone(self) -> None:
        """The customer taps the notice of their step and chooses the colleague."""
        link = await self.link_of("canary-customer")
        page = await self.http.get(link)
        [form] = re.findall(r'name="token" value="([^"]+)">\s*<input[^>]*value="delegate"', page.text)
        colleague = re.findall(r'value="(p-[0-9a-f]{12})"', page.text)[0]
        fields = {"token": form, "act": "delegate", "value": colleague}
        headers = {"origin": "null", "sec-fetch-site": "same-origin"}
        answer = await self.http.post(link, data=fields, headers=headers)
        assert answer.status_code == 303, answer.text

    async def link_of(self, person: str) -> str:
        """The link of the first notice on somebody's phone, once they have one."""

        async def find_push() -> dict[str, Any] | None:
            return next((push for push in await self.ledger("push") if push["token"].startswith(f"{person}~")), None)

        return str((await eventually(find_push))["link"])

    async def looks_on_the_phone(self, person: str) -> None:
        """Somebody taps their first notice."""
        (await self.http.get(await self.link_of(person))).raise_for_status()

    async def second_signer(self, request: str, action: str) -> None:
        """The signer who has no phone signs or declines by Core's mail, once it is their turn."""

        async def turn() -> str | None:
            [document] = [document for document in await self.documents() if document["external_id"] == request]
            return next((signer["uuid"] for signer in document["signers"][1:] if signer["turn"]), None)

        inputs_by_action = {
            "sign": {"inputs": [{"external_id": "account", "text": FILLED_IN}]},
            "decline": {"reason": REASON},
        }
        signer = await eventually(turn)
        answer = await self.http.post(
            f"{self.sandbox}/_sandbox/signers/{signer}/{action}", json=inputs_by_action.get(action)
        )
        answer.raise_for_status()

    async def provider_fails_once(self) -> None:
        """The next reading of a document is answered with 503, and tried again a second later."""
        fault = {"method": "GET", "path": "/api/v1/documents/?*", "fault": "503"}
        (await self.http.post(f"{self.sandbox}/_sandbox/faults", json=fault)).raise_for_status()

    def _planned(self, keys: str) -> Stack:
        stack = plan(self.folder, self.folder_state, HOST, {})
        environment = _TALKATIVE | ({"COUNTERSIGN_PAYLOAD_KEYS": keys} if keys else {})
        measured = environment | {
            "OTEL_METRICS_EXPORTER": "prometheus",
            "OTEL_EXPORTER_PROMETHEUS_PORT": str(self.folder_state.ports.worker_metrics),
        }
        self.environment = {**stack.worker.environment, **environment}
        first = tuple(_with(program, environment) if program.name == "receiver" else program for program in stack.first)
        return replace(stack, first=first, worker=_with(stack.worker, measured))

    async def _work(self, stack: Stack) -> None:
        receiver = next(program for program in stack.first if program.name == "receiver")
        await asyncio.gather(self._start(receiver), self._start(stack.worker))

    async def _start(self, program: Program) -> None:
        running = await RunningProgram.start(program, self.folder.logs)
        self.running[program.name] = running
        await running.until_ready(_READY_WITHIN)


@asynccontextmanager
async def household(folder: Path) -> AsyncIterator[Household]:
    """A stack on `folder` that is not open yet."""
    data_folder = DataFolder(folder)
    (folder / "example").mkdir(parents=True)
    (folder / "example" / "people.yaml").write_text(PEOPLE)
    shutil.copyfile(_EXAMPLE, folder / "example" / "msa.pdf")
    shutil.copyfile(_EXAMPLE.with_name("northwind.svg"), folder / "example" / "northwind.svg")
    async with httpx.AsyncClient() as http:
        home = Household(data_folder, FolderState(Ports.free(HOST, {}), SECRETS), http)
        try:
            yield home
        finally:
            await home.close()


def _with(program: Program, environment: Mapping[str, str]) -> Program:
    return replace(program, environment={**program.environment, **environment})
