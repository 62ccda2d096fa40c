"""`make bench BENCH=callbacks`: a callback's way to its workflow, and on to the first hand-off, beside the floor.

Both receivers are processes of their own, called in turn by the same caller; both workflows have the same worker.
"""

import asyncio
import json
import os
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final
from urllib.parse import urlsplit

from rich.text import Text
from temporalio.client import Client
from temporalio.worker import Worker

from starter.temporal.codec import data_converter
from starter.web.receivers.callbacks import event_hash
from tests.bench import callback_floor as floor
from tests.bench.contender import a_request
from tests.bench.stakeholders import PromptHandoff, PromptPlanner, PromptPushService, PromptSignatureService
from tests.servers import real_server
from tests.workflows.fakes import FakeEvidence
from workflows import names
from workflows.kinds import Kind
from workflows.model.hand_off import HandoffReport
from workflows.model.policy import Policy, Target
from workflows.model.records import HandoffBatch
from workflows.signature.workflow import SignatureRequestWorkflow

NAME: Final = "callbacks"
AIM: Final = 1.3
AIM_TO_TARGET: Final = 1.25
_TO_TARGET: Final = "callback.to_first_handoff_ms"
_SECRET: Final = "the secret of the bench"
_SEGMENT: Final = "s" * 32
_IDLE, _ROUNDS, _EACH, _CALLERS, _SECONDS = 40, 10, 50, 16, 4.0
_PARKED: Final = 30
_ROOT: Final = Path(__file__).parents[2]

Call = Callable[[str, str], Awaitable[None]]


class NotAnswered(Exception):
    """A receiver did not say 200."""


class TimedHandoff(PromptHandoff):
    """Says when it was called."""

    async def hand_off(self, batch: HandoffBatch) -> HandoffReport:
        """Of a request that somebody waits for."""
        if reached := floor.REACHED.get(batch.subject.id):
            reached.set()
        return await super().hand_off(batch)


@dataclass
class Caller:
    """One connection that is kept, without the weight of an HTTP client."""

    url: str
    _streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def call(self, request: str, event_type: str) -> None:
        """A genuine callback; back when it was answered."""
        parts = urlsplit(self.url)
        if self._streams is None:
            self._streams = await asyncio.open_connection(parts.hostname, parts.port)
        reader, writer = self._streams
        body = _body(request, event_type)
        head = f"POST {parts.path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
        writer.write(f"{head}\r\n\r\n".encode() + body)
        answer = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        await reader.readexactly(int(answer.partition("content-length: ")[2].partition("\r")[0]))
        if not answer.startswith("http/1.1 200"):
            raise NotAnswered(answer)


@dataclass(frozen=True)
class CallbackTimes:
    """What one of the two takes: milliseconds in the middle, callbacks a second."""

    to_signal: float
    to_first_handoff: float
    per_second: float


@dataclass(frozen=True)
class CallbackComparison:
    """Ours beside the floor."""

    product: CallbackTimes
    floor: CallbackTimes

    def as_json(self) -> dict[str, dict[str, float]]:
        """The shape of BENCH_JSON; of calls a second the ratio is how many more the floor takes."""
        product, least = self.product, self.floor
        return {
            "callback.to_signal_ms": _compare(product.to_signal, least.to_signal, product.to_signal / least.to_signal),
            _TO_TARGET: _compare(
                product.to_first_handoff, least.to_first_handoff, product.to_first_handoff / least.to_first_handoff
            ),
            "callback.per_second": _compare(
                product.per_second, least.per_second, least.per_second / product.per_second
            ),
        }

    def in_words(self) -> Text:
        """A line a figure, green when the aim was met."""
        lines = Text()
        for name, figure in self.as_json().items():
            aim = AIM_TO_TARGET if name == _TO_TARGET else AIM
            line = (
                f"{name}: {figure['ours']:.2f} beside {figure['floor']:.2f}, {figure['ratio']:.2f} × (aim ≤ {aim} ×)\n"
            )
            lines.append(line, style="green" if figure["ratio"] <= aim else "red")
        return lines


async def measure() -> CallbackComparison:
    """Half a minute on a fresh server."""
    quiet = ("--output", "none", "--log-level", "never")
    async with AsyncExitStack() as stack:
        env = await stack.enter_async_context(real_server(*quiet, converter=data_converter(())))
        address = env.client.service_client.config.target_host
        urls = [
            await stack.enter_async_context(_run_product(address)),
            await stack.enter_async_context(_floor(address)),
        ]
        idle = [f"idle-{number}" for number in range(_IDLE)]
        for name in idle:
            await env.client.start_workflow(
                names.SIGNATURE_REQUEST, id=Kind.REQUEST.workflow_id(name), task_queue="nobody"
            )
        signals = await _to_signal(urls, idle)
        rates = [await _per_second(url, idle) for url in urls for _ in range(2)]
        handoffs = await _to_first_handoff(env.client, urls)
        product_times, least = zip(signals, handoffs, (max(rates[:2]), max(rates[2:])), strict=True)
        return CallbackComparison(CallbackTimes(*product_times), CallbackTimes(*least))


async def _to_signal(urls: list[str], idle: list[str]) -> tuple[float, float]:
    """From the call to the answer, which comes when Temporal has the signal; in turn, so that both meet the same."""
    took: dict[str, list[float]] = {url: [] for url in urls}
    callers = {url: Caller(url) for url in urls}
    for number in range(_ROUNDS):
        for url, caller in callers.items():
            for turn in range(_EACH):
                began = time.perf_counter()
                await caller.call(idle[turn % len(idle)], "viewed")
                if number:  # the first round warms up
                    took[url].append(time.perf_counter() - began)
    return _middle(took[urls[0]]), _middle(took[urls[1]])


async def _per_second(url: str, idle: list[str]) -> float:
    """Callers that call again as soon as they are answered."""
    ends, count = time.perf_counter() + _SECONDS, 0

    async def calls(number: int) -> None:
        nonlocal count
        caller = Caller(url)
        while time.perf_counter() < ends:
            await caller.call(idle[(number + count) % len(idle)], "viewed")
            count += 1

    await asyncio.gather(*map(calls, range(_CALLERS)))
    return count / _SECONDS


async def _to_first_handoff(client: Client, urls: list[str]) -> tuple[float, float]:
    """From the call to the moment at which the first target is called."""
    prompt: list[Callable[..., Any]] = [
        *PromptPlanner().activities(),
        *PromptPushService().activities(),
        *TimedHandoff().activities(),
        *floor.ACTIVITIES,
    ]
    calling: list[Callable[..., Any]] = [*PromptSignatureService().activities(), *PromptPushService().activities()]
    workflows = [SignatureRequestWorkflow, floor.CallbackFloor]
    async with (
        Worker(client, task_queue=names.WORKFLOW_QUEUE, workflows=workflows, activities=prompt),
        Worker(client, task_queue=names.SIGNATURE_QUEUE, activities=calling),
        Worker(client, task_queue=names.EVIDENCE_QUEUE, activities=FakeEvidence().activities()),
    ):
        parked = [await _parked(client, kind) for kind in (_start_ours, _start_floor)]
        await asyncio.sleep(2)  # all of them have nothing to do but wait
        took: list[list[float]] = [[], []]
        callers = [Caller(url) for url in urls]
        for names_of_both in zip(*parked, strict=True):
            for number, name in enumerate(names_of_both):
                floor.REACHED[name] = asyncio.Event()
                began = time.perf_counter()
                await callers[number].call(name, "signed")
                await floor.REACHED[name].wait()
                took[number].append(time.perf_counter() - began)
        return _middle(took[0][3:]), _middle(took[1][3:])


async def _parked(client: Client, start: Callable[[Client, str], Awaitable[None]]) -> list[str]:
    ids = [f"parked-{uuid.uuid4().hex[:12]}" for _ in range(_PARKED)]
    for id in ids:
        await start(client, id)
    return ids


async def _start_ours(client: Client, id: str) -> None:
    policy = Policy(handoff=(Target(target="finance", url="https://erp.example/hooks/signed"),))
    await client.start_workflow(
        names.SIGNATURE_REQUEST,
        a_request(id).replace(policy=policy),
        id=Kind.REQUEST.workflow_id(id),
        task_queue=names.WORKFLOW_QUEUE,
        memo={names.MEMO_FINGERPRINT: "5c" * 32},
    )


async def _start_floor(client: Client, id: str) -> None:
    await client.start_workflow(floor.FLOOR, id, id=Kind.REQUEST.workflow_id(id), task_queue=names.WORKFLOW_QUEUE)


@asynccontextmanager
async def _run_product(address: str) -> AsyncIterator[str]:
    with TemporaryDirectory() as folder:
        ready = Path(folder) / "ready.json"
        settings = {
            "WEBHOOK_BIND": "127.0.0.1:0",
            "WEBHOOK_SEGMENT": _SEGMENT,
            "WEBHOOK_SECRETS": _SECRET,
            "LINK_BASE": "https://sign.example",
            "LINK_SECRET": "l" * 32,
            "SIGNATURE_URL": "http://127.0.0.1:1",
            "SIGNATURE_TOKEN_URL": "http://127.0.0.1:1",
            "SIGNATURE_CLIENT_ID": "bench",
            "SIGNATURE_CLIENT_SECRET": "bench",
            "PEOPLE": str(Path(folder) / "people.yaml"),
            "DATA_DIR": folder,
        }
        environment = {f"COUNTERSIGN_{name}": text for name, text in settings.items()} | {"TEMPORAL_ADDRESS": address}
        async with _run_process("-m", "starter", "webhook", "--ready-file", str(ready), **environment):
            while not ready.exists():  # noqa: ASYNC110  a file tells of nothing
                await asyncio.sleep(0.05)
            yield f"{json.loads(ready.read_text())['url']}/callbacks/core-signature/{_SEGMENT}"


@asynccontextmanager
async def _floor(address: str) -> AsyncIterator[str]:
    async with _run_process("-m", floor.__name__, address, _SECRET) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(await process.stdout.readline())}/"


@asynccontextmanager
async def _run_process(*arguments: str, **settings: str) -> AsyncIterator[asyncio.subprocess.Process]:
    inherited = {name: text for name, text in os.environ.items() if not name.startswith(("COUNTERSIGN_", "OTEL_"))}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=_ROOT,
        env=inherited | settings,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        await process.wait()


def _body(request: str, event_type: str) -> bytes:
    """As large as Core Signature's: the whole document stands in it."""
    now = datetime.now(UTC)
    event_time = str(int(now.timestamp()))
    signer = {"uuid": str(uuid.uuid4()), "email": "customer@acme.test", "full_name": "Customer", "order": 1}
    document = {
        "uuid": str(uuid.uuid4()),
        "external_id": request,
        "status": "vi",
        "signrequest": {"signers": [signer] * 4},
    }
    event = {
        "uuid": str(uuid.uuid4()),
        "event_type": event_type,
        "timestamp": now.isoformat(),
        "event_time": event_time,
        "event_hash": event_hash(_SECRET, event_time, event_type),
        "document": document,
    }
    return json.dumps(event).encode()


def _middle(seconds: list[float]) -> float:
    return median(seconds) * 1_000


def _compare(product: float, least: float, ratio: float) -> dict[str, float]:
    return {"ours": round(product, 3), "floor": round(least, 3), "ratio": round(ratio, 3)}
