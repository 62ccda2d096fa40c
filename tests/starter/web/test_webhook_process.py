"""The receiver as a process: there site Temporal is, with pages all the same, silent about links, gone at SIGTERM."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import prompt
from tests.plain_http import plain_client
from tests.starter.web.hooking import BEARER, DEAL, office
from tests.starter.web.hooking import PATH as HOOK
from tests.starter.web.hooking import SECRET as CRM_SECRET
from tests.starter.web.paging import DOCUMENT, LINK_SECRET, PUBLIC, Phone, form_of, phone
from tests.starter.web.receiving import JSON, PATH, SECRET, SEGMENT, encode_body, make_callback

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[3]


@dataclass
class StartedReceiver:
    """A running receiver, and what it has written to its log so far."""

    process: asyncio.subprocess.Process
    lines: list[str]
    url: str | None = None

    async def heard(self, event: str | None = None) -> str:
        """Its log up to the line of this event, or to its end."""
        assert self.process.stderr is not None
        async with asyncio.timeout(60):
            while line := (await self.process.stderr.readline()).decode():
                self.lines.append(line)
                if event and json.loads(line)["event"] == event:
                    self.url = json.loads(line)["address"]
                    break
        return "".join(self.lines)

    async def end(self) -> int:
        """Ask it to end; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        await self.heard()
        return await self.process.wait()


def environment(site: Phone, folder: Path) -> dict[str, str]:
    sandbox, settings = site.sandbox.url, site.sandbox.state.settings
    variables = {
        "WEBHOOK_BIND": "127.0.0.1:0",
        "WEBHOOK_SEGMENT": SEGMENT,
        "WEBHOOK_SECRETS": SECRET,
        "LINK_BASE": PUBLIC,
        "LINK_SECRET": LINK_SECRET.get_secret_value(),
        "SIGNATURE_URL": sandbox,
        "SIGNATURE_TOKEN_URL": f"{sandbox}/tenants/{settings.tenant}/oauth2/token",
        "SIGNATURE_CLIENT_ID": settings.client_id,
        "SIGNATURE_CLIENT_SECRET": settings.client_secret,
        "PEOPLE": str(folder / "people.yaml"),
        "DATA_DIR": str(folder),
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("COUNTERSIGN_", "OTEL_"))}
    return (
        inherited
        | {"TEMPORAL_ADDRESS": "127.0.0.1:1"}
        | {f"COUNTERSIGN_{name}": text for name, text in variables.items()}
    )


@asynccontextmanager
async def started_receiver(
    site: Phone, folder: Path, under: Sequence[str] = (), **changes: str
) -> AsyncIterator[StartedReceiver]:
    command = (*under, sys.executable, "-m", "starter", "webhook", "--ready-file", str(folder / "ready.json"))
    pipe = asyncio.subprocess.PIPE
    env = environment(site, folder) | changes
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=env, stderr=pipe)
    try:
        yield StartedReceiver(process, [])
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def run_to_its_end(site: Phone, folder: Path, **changes: str) -> tuple[int, list[str]]:
    """The exit code and the log of one that ends by itself."""
    process = await asyncio.to_thread(prompt.run, "starter", "webhook", environment=environment(site, folder) | changes)
    return process.returncode, process.stderr.splitlines()


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Phone]:
    async with phone(tmp_path) as running_site:
        yield running_site


async def test_it_lives_without_temporal_shows_pages_and_tells_no_link(site: Phone, tmp_path: Path) -> None:
    await site.create()
    link = site.link()
    async with started_receiver(site, tmp_path) as receiver:
        await receiver.heard("listening")
        assert json.loads((tmp_path / "ready.json").read_text()) == {"url": receiver.url}
        async with plain_client(receiver.url or "", timeout=60) as client:
            assert (await client.get("/healthz")).status_code == 200
            assert (await client.get("/readyz")).status_code == 503
            callback = encode_body(make_callback(event_time=str(int(time.time()))))
            assert (await client.post(PATH, content=callback, headers=JSON)).status_code == 500
            page = await client.get(link)
            onward = await client.post(link, data=form_of(page.text))
        assert await receiver.end() == 0
        log = await receiver.heard()
    assert (page.status_code, onward.status_code) == (200, 303)
    assert "callback not stored" in log
    for secret in (link.rpartition("/")[2], onward.headers["location"], SEGMENT, SECRET, DOCUMENT):
        assert secret not in log


async def test_its_probes_are_answered_apart_from_its_work(site: Phone, tmp_path: Path) -> None:
    async with started_receiver(site, tmp_path, COUNTERSIGN_HEALTH_BIND="127.0.0.1:0") as receiver:
        await receiver.heard("probed")
        probes = receiver.url or ""
        await receiver.heard("listening")
        async with plain_client(timeout=60) as client:
            answers = [await client.get(f"{probes}{path}") for path in ("/healthz", "/readyz", "/desk")]
        assert await receiver.end() == 0
    assert [answer.status_code for answer in answers] == [200, 503, 404]
    assert probes != receiver.url


async def test_deals_of_a_crm_are_taken_beside_the_callbacks_and_told_to_no_log(site: Phone, tmp_path: Path) -> None:
    hooks = office(tmp_path)
    async with started_receiver(site, tmp_path, **hooks) as receiver:
        await receiver.heard("listening")
        async with plain_client(receiver.url or "", timeout=60) as client:
            answers = [await client.post(HOOK, json=DEAL, headers=headers) for headers in ({}, BEARER)]
        assert await receiver.end() == 0
        log = await receiver.heard()
    assert [answer.status_code for answer in answers] == [401, 503]
    assert '"onboarding": "crm-4711"' in log
    for secret in (CRM_SECRET, "Zoë", "Zo\\u00eb", "zoe@acme.example"):
        assert secret not in log


async def test_a_mapping_that_is_wrong_is_told_at_the_start(site: Phone, tmp_path: Path) -> None:
    hooks = office(tmp_path)
    (tmp_path / "mappings" / "crm.yaml").write_text("deal: deal.id\nonboarding: {template: '{x}'}\ntkae: {}\n")
    code, lines = await run_to_its_end(site, tmp_path, **hooks)
    assert code == 1
    assert lines[-1:] == [f"{tmp_path}/mappings/crm.yaml:3: tkae: unknown, did you mean take?"]


async def test_a_missing_setting_is_one_line(site: Phone, tmp_path: Path) -> None:
    code, lines = await run_to_its_end(site, tmp_path, COUNTERSIGN_WEBHOOK_SECRETS="")
    assert (code, len(lines)) == (1, 1)
    assert "COUNTERSIGN_WEBHOOK_SECRETS" in lines[0]
