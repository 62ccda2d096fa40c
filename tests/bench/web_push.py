"""`make bench BENCH=web`: the processor time of a notice to one browser, beside one to a phone of the app: the activity
with rendering, log and call, all but the push services, which run in a process of their own.
"""

import asyncio
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Final

import httpx
from pydantic import SecretStr
from rich.text import Text
from temporalio.testing import ActivityEnvironment

from activities.core_signature.client import CoreSignatureClient, CoreSignatureConfig
from activities.core_signature.service import CoreSignatureService
from activities.core_signature.signers import SignerSnapshots
from activities.http.oauth import Credentials
from activities.keys import KeyRing
from activities.notifications.config import FcmConfig, WebPushConfig, open_dialect, open_web_push
from activities.notifications.links import SigningLinks
from activities.notifications.phones import DeviceLimiter
from activities.notifications.service import NotificationService
from activities.notifications.signer_mail import SignerMail
from activities.people.file_directory import FileDirectory
from activities.people.subscriptions import SubscriptionScope, WebSubscriptions, make_web_push_key
from activities.records.devices import WebSubscription
from activities.records.store import Store
from deploy.sandbox.state.settings import SandboxSettings
from tests.activities.notifications.stage import delivery, notice

NAME: Final = "web"
AIM: Final = 1.3
_ROUNDS: Final = 20
_NOTICES: Final = 50
_UNLIMITED: Final = 1_000_000
_PHONE, _BROWSER = "finance-chief", "customer-signer"
_PEOPLE: Final = f"""
people:
  - id: {_PHONE}
    name: Finance Chief
    email: cfo@example.test
    zone: UTC
    devices: [{{token: {_PHONE}~1, platform: ios}}]
  - {{id: {_BROWSER}, name: Customer Signer, email: customer@example.test, zone: UTC}}
  - {{id: legal-desk, name: Legal Desk, email: legal@example.test, zone: UTC}}
"""
_SETTINGS: Final = SandboxSettings()


@dataclass(frozen=True)
class WebPushComparison:
    """Milliseconds of processor time of a notice, the median of as many rounds."""

    web: float
    app: float

    @property
    def ratio(self) -> float:
        return self.web / self.app

    @property
    def is_met(self) -> bool:
        return self.ratio <= AIM

    def as_json(self) -> dict[str, dict[str, float]]:
        """The shape of BENCH_JSON."""
        figures = {"ours": round(self.web, 2), "floor": round(self.app, 2), "ratio": round(self.ratio, 2), "aim": AIM}
        return {"notice.cpu_ms": figures}

    def in_words(self) -> Text:
        """One line, green when the aim was met."""
        sentence = f"a notice to a browser {self.web:.2f} ms of CPU, to an app {self.app:.2f} ms: {self.ratio:.2f} ×"
        return Text(f"{sentence} (aim ≤ {AIM:g} ×)", "green" if self.is_met else "red")


async def measure(rounds: int = _ROUNDS) -> WebPushComparison:
    """In turns, so that what else the machine does falls on both; the first rounds fill the caches."""
    with tempfile.TemporaryDirectory() as folder:
        async with _sandbox() as url, _service(Path(folder), url) as deliver:
            spent = [
                [await _spend(deliver, person, number) for person in (_BROWSER, _PHONE)] for number in range(rounds)
            ]
    web, app = (median(milliseconds) for milliseconds in zip(*spent[2:], strict=True))
    return WebPushComparison(web, app)


async def _spend(deliver: Callable[[str, str], Awaitable[None]], person: str, number: int) -> float:
    gc.collect()
    began = time.process_time()
    for notice_number in range(_NOTICES):
        await deliver(person, f"reminder-{number * _NOTICES + notice_number + 1}")
    return (time.process_time() - began) / _NOTICES * 1000


@asynccontextmanager
async def _service(folder: Path, url: str) -> AsyncIterator[Callable[[str, str], Awaitable[None]]]:
    """Sends one notice."""
    people = folder / "people.yaml"
    people.write_text(_PEOPLE)
    key, hosts = make_web_push_key(), (url.removeprefix("http://"),)
    push = Credentials(f"{url}/push/oauth2/token", _SETTINGS.push_client_id, SecretStr(_SETTINGS.push_client_secret))
    dialect = open_dialect(FcmConfig(url, _SETTINGS.push_project, push))
    assert dialect is not None
    with closing(Store(str(folder))) as store:
        web = open_web_push(WebPushConfig(hosts, "mailto:legal@example.test"), store.web_push_keys.read)
        core = CoreSignatureClient(CoreSignatureConfig(url=url, credentials=push, list_lag=0.0))
        await store.web_push_keys.add(key, datetime.now(UTC))
        await WebSubscriptions(store).subscribe(
            SubscriptionScope(_BROWSER), await _subscribe(url, key.public), datetime.now(UTC)
        )
        directory = FileDirectory(people, store)
        service = NotificationService(
            dialect=dialect,
            web=web,
            directory=directory,
            links=SigningLinks("https://sign.example", KeyRing([SecretStr("s" * 32)])),
            read=CoreSignatureService(core, directory, store).read,
            mail=SignerMail(core, directory, SignerSnapshots(store)),
            store=store,
            limiter=DeviceLimiter(_UNLIMITED),
        )
        environment = ActivityEnvironment()

        async def deliver(person: str, stage: str) -> None:
            report = await environment.run(service.deliver, delivery(notice(person, stage)))
            assert report.delivered[0].devices, report

        async with aclosing(dialect), aclosing(web), aclosing(core):
            yield deliver


async def _subscribe(url: str, public: str) -> WebSubscription:
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        answer = (await client.post("/_sandbox/browsers", json={"person": _BROWSER, "vapid_key": public})).json()
    return WebSubscription(*(answer[name] for name in WebSubscription._fields))


_SERVER: Final = """
import asyncio, json
from deploy.sandbox.server import running
async def main():
    async with running() as sandbox:
        print(json.dumps(sandbox.url), flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""


@asynccontextmanager
async def _sandbox() -> AsyncIterator[str]:
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _SERVER, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(Path.cwd())}
    )
    assert server.stdout is not None
    try:
        yield json.loads(await server.stdout.readline())
    finally:
        server.terminate()
        await server.wait()
