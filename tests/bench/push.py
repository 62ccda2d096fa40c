"""`make bench BENCH=push`: how soon a request that is started is on a phone, beside the smallest workflow that does the
same: one create and one send, in two activities, before anything is asked, kept or planned.

The real processes, one request at a time, the sandbox converting at once. What Temporal itself costs is seen by hand: a
script that has its tokens makes the document and the request, sends one message, and forgets it all.
"""

import base64
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final

import httpx
from rich.text import Text
from temporalio import activity, workflow
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.notifications.message import NotificationMessage
from activities.notifications.push_services import fcm_body
from starter.boot import clients
from starter.cli import start_files
from tests.faults.population import colleague, tokens
from tests.faults.town import Conditions, Town, eventually, ids, start_town
from tests.faults.vendor import DOCUMENTS, REQUESTS, instant
from workflows.model.base import Model
from workflows.model.notifications import NoticeAction

NAME: Final = "push"
AIM: Final = 2.0
_ROUNDS: Final = 30
_WARM: Final = 5
_TOLD_WITHIN: Final = 30.0
_LINK: Final = "https://sign.example/open/x"
_WITHIN: Final = timedelta(seconds=30)
_QUEUE: Final = "smallest"
_AT_ONCE: Final = Conditions(sandbox={"SANDBOX_CONVERSION_DELAY": "0"})


@dataclass(frozen=True)
class PushComparison:
    """Milliseconds from start to push, ours and the others', each the median of as many rounds."""

    product: float
    smallest: float
    """A workflow of two activities."""
    by_hand: float

    @property
    def ratio(self) -> float:
        """How often ours takes as long as the smallest workflow."""
        return self.product / self.smallest

    @property
    def is_met(self) -> bool:
        """Whether the aim was met."""
        return self.ratio <= AIM

    def as_json(self) -> dict[str, dict[str, float]]:
        """The shape of BENCH_JSON."""
        return {
            "start.to_push_ms": {
                "ours": round(self.product, 1),
                "floor": round(self.smallest, 1),
                "by_hand": round(self.by_hand, 1),
                "ratio": round(self.ratio, 2),
                "aim": AIM,
            }
        }

    def in_words(self) -> Text:
        """One line, green when the aim was met."""
        comparison = f"the smallest workflow {self.smallest:.0f} ms: {self.ratio:.2f} × (aim ≤ {AIM:g} ×)"
        sentence = f"start to push {self.product:.0f} ms, {comparison}"
        also = f"\nby hand {self.by_hand:.0f} ms: {self.product / self.by_hand:.2f} ×"
        return Text(sentence, "green" if self.is_met else "red").append(also, "dim")


async def measure(rounds: int = _ROUNDS) -> PushComparison:
    """Time all of them on one stack, in turns: what else the machine does falls on each."""
    with tempfile.TemporaryDirectory() as folder:
        async with (
            start_town(Path(folder) / "data", _AT_ONCE) as full_stack,
            ByHand(full_stack) as hand,
            _floor(full_stack, hand),
        ):
            took = [
                await _round(full_stack, hand, number, name) for number, name in enumerate(ids(NAME, rounds + _WARM))
            ]
    product, smallest, by_hand = (median(seconds) * 1000 for seconds in zip(*took[_WARM:], strict=True))
    return PushComparison(product, smallest, by_hand)


async def _round(full_stack: Town, hand: "ByHand", number: int, name: str) -> tuple[float, float, float]:
    person, client = colleague(number), full_stack.context.client
    smallest = partial(
        client.execute_workflow, MakeAndTell.run, Pair(name=name, person=person), id=name, task_queue=_QUEUE
    )
    by_hand = partial(hand.does, Pair(name=f"hand-{name}", person=person))
    return (
        await _time_start_to_push(full_stack, name, person),
        await _time_until_told(smallest, hand),
        await _time_until_told(by_hand, hand),
    )


@asynccontextmanager
async def _floor(full_stack: Town, hand: "ByHand") -> AsyncIterator[None]:
    """A worker of the smallest workflow, in this process."""
    async with Worker(
        full_stack.context.client,
        task_queue=_QUEUE,
        workflows=[MakeAndTell],
        activities=[hand.make, hand.tell],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        yield


class Pair(Model):
    """A request and its signer."""

    name: str
    person: str


@workflow.defn
class MakeAndTell:
    """One create and one send."""

    @workflow.run
    async def run(self, pair: Pair) -> None:
        """Make it, then tell of it."""
        await workflow.execute_activity(ByHand.make, args=[pair], start_to_close_timeout=_WITHIN)
        await workflow.execute_activity(ByHand.tell, args=[pair], start_to_close_timeout=_WITHIN)


async def _time_start_to_push(full_stack: Town, name: str, person: str) -> float:
    """Seconds from the start to the first phone that has it, by the clock of the phones."""
    prepared, last_entry = await full_stack.prepared(name, person), await full_stack.vendor.last()
    started_at = datetime.now(UTC)
    await start_files.start(full_stack.context, prepared)

    async def pushed() -> datetime | None:
        pushes = await full_stack.vendor.ledger("push", last_entry)
        return next((instant(push) for push in pushes if push["data"].get("request") == name), None)

    return (await eventually(pushed, _TOLD_WITHIN) - started_at).total_seconds()


async def _time_until_told(call: Callable[[], Awaitable[object]], hand: "ByHand") -> float:
    """Seconds until the message was taken; that a workflow then ends is not counted."""
    started_at = time.monotonic()
    await call()
    return hand.told_at - started_at


class ByHand:
    """A script that makes one request and sends one message, with tokens that it has already."""

    def __init__(self, full_stack: Town) -> None:
        self._settings = full_stack.settings
        self._http = httpx.AsyncClient(base_url=full_stack.vendor.url, timeout=30, trust_env=False)
        self.told_at = 0.0
        self._signature: dict[str, str] = {}
        self._push: dict[str, str] = {}

    async def __aenter__(self) -> "ByHand":
        core, push = clients.signature_config(self._settings).credentials, self._settings.push
        self._signature = await self._token(core.token_url, core.client_id, core.client_secret.get_secret_value())
        self._push = await self._token(push.token_url, push.client_id, push.client_secret.get_secret_value())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def does(self, pair: Pair) -> None:
        """Document, request, message."""
        await self.make(pair)
        await self.tell(pair)

    @activity.defn(name="make")
    async def make(self, pair: Pair) -> None:
        """The document and its request."""
        pdf = base64.b64encode(b"%PDF-1.4\n%%EOF\n").decode()
        content = {"file_from_content": pdf, "file_from_content_name": "msa.pdf"}
        document = await self._post(
            DOCUMENTS, {**content, "name": "MSA", "external_id": f"floor-{pair.name}"}, self._signature
        )
        signers = [{"email": f"{pair.person}@example.test", "order": 1, "needs_to_sign": True}]
        await self._post(REQUESTS, {"document": document["url"], "who": "o", "signers": signers}, self._signature)

    @activity.defn(name="tell")
    async def tell(self, pair: Pair) -> None:
        """One message to one phone."""
        message = NotificationMessage(
            "Sign: {document}", "Until Friday", "MSA", "hand", "ready", "k", _LINK, NoticeAction.SIGN
        )
        path = self._settings.push.send_path.replace("{project}", self._settings.push.project)
        await self._post(path, fcm_body(tokens(pair.person)[0], message), self._push)
        self.told_at = time.monotonic()

    async def _post(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
        answer = await self._http.post(path, json=body, headers=headers)
        answer.raise_for_status()
        answer_body: dict[str, Any] = answer.json()
        return answer_body

    async def _token(self, url: str, id: str, secret: str) -> dict[str, str]:
        answer = await self._http.post(url, data={"grant_type": "client_credentials"}, auth=(id, secret))
        answer.raise_for_status()
        return {"authorization": f"Bearer {answer.json()['access_token']}"}
