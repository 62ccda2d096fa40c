"""Many callbacks at once: genuine ones at a steady rate, whatever becomes of those before, and nonsense."""

import asyncio
import gzip
import json
import time
import uuid
from bisect import bisect_left
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
from temporalio.api.enums.v1 import EventType

from starter.web.http.bodies import MOST_BYTES
from starter.web.receivers.callbacks import event_hash
from tests.faults.town import RECEIVER, Town

EVENT: Final = "signer_viewed"
"""The document is read for it."""
_REPEATED_AFTER: Final = 0.2
_TIMED_OUT: Final = 30.0
_AT_ONCE: Final = 200
_JSON: Final = {"content-type": "application/json"}


class Answer(NamedTuple):
    """What a callback about a request was answered with, and from when to when that took."""

    request: str
    status: int
    called: datetime
    answered: datetime

    @property
    def seconds(self) -> float:
        """How long the caller waited."""
        return (self.answered - self.called).total_seconds()


@dataclass
class Burst:
    """Genuine callbacks about these requests, and what each was answered with.

    One that nobody answers is repeated, as Core Signature does; `secret` may change while they go out.
    """

    town: Town
    requests: Sequence[str]
    secret: str = ""
    answers: dict[str, Answer] = field(default_factory=dict)
    unanswered: set[str] = field(default_factory=set)

    @property
    def address(self) -> str:
        """Where callbacks go."""
        return f"{self.town.receiver}/callbacks/core-signature/{self.town.folder_state.secrets.segment}"

    async def run(self, per_second: float, seconds: float) -> None:
        """So many a second for so long; one that is slow holds up no other."""
        began, calling, lines = time.perf_counter(), set[asyncio.Task[None]](), Lines(self.address)
        for number in range(int(per_second * seconds)):
            await asyncio.sleep(max(0.0, began + number / per_second - time.perf_counter()))
            calling.add(asyncio.create_task(self._call(lines, self.requests[number % len(self.requests)])))
        await asyncio.gather(*calling)
        lines.close()

    async def _call(self, lines: "Lines", request: str) -> None:
        event, called = str(uuid.uuid4()), datetime.now(UTC)
        body = self.body(request, event)
        self.unanswered.add(event)
        while event not in self.answers:
            try:
                async with asyncio.timeout(_TIMED_OUT):
                    status = await lines.post(body)
            except (OSError, EOFError):
                await asyncio.sleep(_REPEATED_AFTER)
            else:
                self.answers[event] = Answer(request, status, called, datetime.now(UTC))
        self.unanswered.discard(event)

    def body(self, request: str, event: str) -> bytes:
        """A genuine callback."""
        event_time = str(int(time.time()))
        signed = {
            "event_type": EVENT,
            "event_time": event_time,
            "event_hash": event_hash(self.secret or self.town.folder_state.secrets.callback, event_time, EVENT),
        }
        return json.dumps({"uuid": event, **signed, "document": {"uuid": "d" * 32, "external_id": request}}).encode()

    @property
    def statuses(self) -> set[int]:
        """All answers."""
        return {answer.status for answer in self.answers.values()}

    def p99_ms(self) -> float:
        """The slowest but for one in a hundred."""
        took = sorted(answer.seconds for answer in self.answers.values())
        return took[int(len(took) * 0.99)] * 1_000

    async def lost(self) -> set[str]:
        """Events that were answered 200 without a signal, maybe of several, between the call and the answer."""
        for request in self.requests:
            # A signal that comes while a task is under way stands in the history once that is over.
            await self.town.until_idle(request)
        heard = {request: sorted(await self._heard(request)) for request in self.requests}

        def lost(answer: Answer) -> bool:
            signals = heard[answer.request]
            first = bisect_left(signals, answer.called)
            return first == len(signals) or signals[first] > answer.answered

        return {event for event, answer in self.answers.items() if answer.status == 200 and lost(answer)}

    async def _heard(self, request: str) -> list[datetime]:
        """When it was signalled, in all its runs."""
        heard_at, run_id = list[datetime](), ""
        while True:
            handle = self.town.context.client.get_workflow_handle(self.town.handle(request).id, run_id=run_id or None)
            events = [event async for event in handle.fetch_history_events()]
            signals = (
                event for event in events if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
            )
            heard_at += [event.event_time.ToDatetime(UTC) for event in signals]
            run_id = events[0].workflow_execution_started_event_attributes.continued_execution_run_id
            if not run_id:
                return heard_at


class Lines:
    """Connections to the receiver that are kept, and HTTP by hand: a client that does more takes as much of the machine
    as the receiver that is measured."""

    def __init__(self, address: str) -> None:
        self._url = httpx.URL(address)
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def post(self, body: bytes) -> int:
        """The status of the answer; raises `OSError` or `EOFError` when there is none."""
        async with self._room:
            host, port = self._url.host, self._url.port
            reader, writer = self._free.pop() if self._free else await asyncio.open_connection(host, port)
            is_kept_open = False
            try:
                head = f"POST {self._url.path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n"
                writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
                status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("ascii").lower().split("\r\n")
                headers = dict(line.split(": ", 1) for line in lines if line)
                await reader.readexactly(int(headers["content-length"]))
                is_kept_open = headers.get("connection") != "close"
                return int(status.split(" ")[1])
            finally:
                if is_kept_open:
                    self._free.append((reader, writer))
                else:
                    writer.close()

    def close(self) -> None:
        """Hang up."""
        for _, writer in self._free:
            writer.close()


def nonsense() -> tuple[tuple[bytes, dict[str, str]], ...]:
    """Bodies that are huge, deep, crowded or compressed, with their headers."""
    bomb = gzip.compress(b" " * 20_000_000)
    return (
        (b" " * (3 * MOST_BYTES), _JSON),
        (b"[" * 500_000, _JSON),
        (b"[" + b"1," * 400_000 + b"1]", _JSON),
        (b'{"a":' * 100_000, _JSON),
        (bomb, {**_JSON, "content-encoding": "gzip"}),
        (b"\x00" * MOST_BYTES, _JSON),
    )


@asynccontextmanager
async def flooding(burst: Burst, callers: int) -> AsyncIterator[list[int]]:
    """So many callers who know the address send nonsense for as long as the block lasts; what they are answered."""
    answers: list[int] = []

    async def floods(number: int) -> None:
        kinds = nonsense()
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            while True:
                body, headers = kinds[number % len(kinds)]
                number += 1
                with suppress(httpx.HTTPError):
                    answers.append((await client.post(burst.address, content=body, headers=headers)).status_code)

    tasks = [asyncio.create_task(floods(number)) for number in range(callers)]
    try:
        yield answers
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@dataclass(frozen=True)
class Memory:
    """What the receiver has in memory, in MB: now, and at most since it was looked at last."""

    now: float
    peak: float

    @classmethod
    def of_receiver(cls, town: Town) -> "Memory":
        """Look, and forget the peak."""
        process = Path("/proc") / str(town.running[RECEIVER].pid)
        status_lines: dict[str, Any] = dict(
            line.split(":", 1) for line in (process / "status").read_text().splitlines() if ":" in line
        )
        (process / "clear_refs").write_text("5")
        return cls(*(int(status_lines[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM")))
