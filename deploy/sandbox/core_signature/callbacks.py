"""Events and their callbacks to the document's `events_callback_url` and to subscriptions. The body's document is as of
the delivery; the hash covers time and type only. A time-out, lost connection or 500 is retried after Fibonacci steps,
ten attempts in all.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any
from urllib.parse import urlsplit

import httpx

from deploy.sandbox.core_signature.views import Json, Views
from deploy.sandbox.state.faults import CALLBACK, ArmedFault, FaultKind
from deploy.sandbox.state.ledger import EntryType
from deploy.sandbox.state.records import CoreDocument, CoreEvent, CoreSigner, EventDelivery
from deploy.sandbox.state.state import SandboxState

MOST_ATTEMPTS = 10
FIBONACCI = (1, 1, 2, 3, 5, 8, 13, 21, 34)
MOST_AT_ONCE = 32
DEFAULT_DELAY = 1.0


class Callbacks:
    """Records and delivers events, through armed faults."""

    def __init__(self, state: SandboxState, views: Views) -> None:
        self._state = state
        self._settings = state.settings
        self._database = state.database
        self._views = views
        self._lanes = asyncio.Semaphore(MOST_AT_ONCE)
        self._running: set[asyncio.Task[None]] = set()
        self._delayed: list[tuple[CoreEvent, EventDelivery]] = []
        self._client: httpx.AsyncClient | None = None

    def announce(
        self, event_type: str, document: CoreDocument, signer: CoreSigner | None = None, *, ok: bool = True
    ) -> None:
        """Record an event and start its delivery."""
        now = self._settings.clock()
        urls = [hook.callback_url for hook in self._database.webhooks.where(event_type)]
        if document.events_callback_url:
            urls.insert(0, document.events_callback_url)
        event = CoreEvent(
            event_type=event_type,
            status="ok" if ok else "error",
            timestamp=now,
            document=document.uuid,
            external_id=document.external_id,
            signer=signer.uuid if signer else None,
            deliveries=[EventDelivery(url=url, due=now) for url in urls],
        )
        self._database.events.save(event)
        self._database.ledger.write(EntryType.EVENT, event=event.uuid, **self._names(event), document=document.uuid)
        self._deliver_all(event)

    def resume(self) -> None:
        """Continue the open deliveries of an earlier run."""
        for event in self._database.events:
            self._deliver_all(event)

    async def close(self) -> None:
        """Stop; the next run on the same data continues."""
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()

    def _deliver_all(self, event: CoreEvent) -> None:
        for delivery in event.deliveries:
            if delivery.due is not None:
                self._attempt_at(delivery.due, event, delivery)

    def _attempt_at(self, due: float, event: CoreEvent, delivery: EventDelivery) -> None:
        self._state.jobs.schedule(due, lambda: self._spawn(self._deliver(event, delivery)))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _deliver(self, event: CoreEvent, delivery: EventDelivery) -> None:
        path = urlsplit(delivery.url).path
        fault = self._state.faults.take(CALLBACK, event.event_type, path, body=(event.external_id or "").encode())
        match fault:
            case ArmedFault(fault=FaultKind.DROP):
                self._give_up(event, delivery, "dropped", FaultKind.DROP)
            case ArmedFault(fault=FaultKind.REORDER):
                self._delayed.append((event, delivery))
            case ArmedFault(fault=FaultKind.DELAY):
                later = self._settings.clock() + (DEFAULT_DELAY if fault.delay is None else fault.delay)
                self._state.jobs.schedule(later, lambda: self._spawn(self._send(event, delivery, fault)))
            case _:
                await self._send(event, delivery, fault)

    def _give_up(self, event: CoreEvent, delivery: EventDelivery, reason: str, fault: FaultKind | None = None) -> None:
        delivery.due = None
        self._database.events.save(event)
        self._write(event, delivery, status=None, error=reason, fault=fault)

    async def _send(self, event: CoreEvent, delivery: EventDelivery, fault: ArmedFault | None) -> None:
        async with self._lanes:
            await self._attempt(event, delivery, fault)
            if fault and fault.fault is FaultKind.DUPLICATE:
                await self._attempt(event, delivery, fault)
        delayed, self._delayed = self._delayed, []
        for other_event, other_delivery in delayed:
            self._spawn(self._attempt(other_event, other_delivery, None))

    async def _attempt(self, event: CoreEvent, delivery: EventDelivery, fault: ArmedFault | None) -> None:
        document = self._database.documents.get(event.document)
        if document is None:
            self._give_up(event, delivery, "document deleted")
            return
        delivery.attempts += 1
        status, error = await self._post(delivery.url, self._body(event, document, fault))
        self._record_result(event, delivery, status)
        self._write(event, delivery, status=status, error=error, fault=fault.fault if fault else None)

    async def _post(self, url: str, body: Json) -> tuple[int | None, str | None]:
        limit = self._settings.callback_timeout
        # Created with the first callback: most sandboxes never send any.
        self._client = self._client or httpx.AsyncClient(timeout=limit, trust_env=False)
        try:
            async with asyncio.timeout(limit):
                answer = await self._client.post(url, json=body)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as problem:
            return None, type(problem).__name__
        return answer.status_code, None

    def _record_result(self, event: CoreEvent, delivery: EventDelivery, status: int | None) -> None:
        now = self._settings.clock()
        event.callback_status_code = status
        should_retry = status is None or status == 500
        delivery.due = None
        if status is not None and 200 <= status < 300:
            event.delivered, event.delivered_on = True, now
        elif should_retry and delivery.attempts < MOST_ATTEMPTS:
            delivery.due = now + FIBONACCI[delivery.attempts - 1] * self._settings.retry_unit
            self._attempt_at(delivery.due, event, delivery)
        self._database.events.save(event)

    def _body(self, event: CoreEvent, document: CoreDocument, fault: ArmedFault | None) -> Json:
        body = self._views.callback(event, document)
        if fault and fault.fault is FaultKind.FORGE:
            body["event_hash"] = "0" * 64
        if fault and fault.fault is FaultKind.SWAP:
            body["document"] = self._swapped(body["document"], fault)
        return body

    def _swapped(self, body: Json, fault: ArmedFault) -> Json:
        other_document = self._database.documents.get(fault.document or "")
        return {**(self._views.document(other_document) if other_document else body), "status": fault.status or "si"}

    def _names(self, event: CoreEvent) -> Json:
        return {"event_type": event.event_type, "external_id": event.external_id}

    def _write(
        self,
        event: CoreEvent,
        delivery: EventDelivery,
        *,
        status: int | None,
        error: str | None,
        fault: FaultKind | None,
    ) -> None:
        self._database.ledger.write(
            EntryType.CALLBACK,
            event=event.uuid,
            **self._names(event),
            url=delivery.url,
            attempt=delivery.attempts,
            status=status,
            error=error,
            fault=fault,
        )
