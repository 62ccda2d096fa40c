"""All that a sandbox keeps, and the jobs that run at an instant of its clock."""

import asyncio
import heapq
import logging
from collections.abc import Callable
from itertools import count

from deploy.sandbox.state.database import Database
from deploy.sandbox.state.faults import ArmedFault, FaultBook
from deploy.sandbox.state.ledger import EntryType
from deploy.sandbox.state.records import SandboxMail
from deploy.sandbox.state.settings import Clock, SandboxSettings

Job = Callable[[], None]
LONGEST_NAP = 60.0

log = logging.getLogger(__name__)


class JobQueue:
    """Jobs must be harmless if their subject has changed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._jobs: list[tuple[float, int, Job]] = []
        self._numbers = count()
        self._changed = asyncio.Event()

    def schedule(self, due: float, job: Job) -> None:
        heapq.heappush(self._jobs, (due, next(self._numbers), job))
        self._changed.set()

    def run_due(self) -> None:
        """Also before each request, so that no answer is stale."""
        while self._jobs and self._jobs[0][0] <= self._clock():
            _, _, job = heapq.heappop(self._jobs)
            try:
                job()
            except Exception:
                log.exception("a scheduled job of the sandbox failed")

    async def run(self) -> None:
        while True:
            self.run_due()
            self._changed.clear()
            nap = min(max(self._jobs[0][0] - self._clock(), 0.0), LONGEST_NAP) if self._jobs else LONGEST_NAP
            try:
                async with asyncio.timeout(nap):
                    await self._changed.wait()
            except TimeoutError:
                continue


class SandboxState:
    """Records, files and ledger are continued from `settings.data`; faults and jobs are not stored."""

    def __init__(self, settings: SandboxSettings) -> None:
        self.settings = settings
        self.clock = settings.clock
        self.database = Database(settings.data, settings.clock)
        self.ledger = self.database.ledger
        self.faults = FaultBook()
        self.jobs = JobQueue(settings.clock)

    def arm(self, fault: ArmedFault) -> None:
        self.faults.arm(fault)
        self.ledger.write(EntryType.FAULT_ARMED, **fault.model_dump(mode="json", exclude_defaults=True))

    def deliver_mail(self, address: str, **fields: str | None) -> SandboxMail:
        """Show a mail in the inbox of the address's local part (`ada` of `ada@x.test`); a phone number is its own."""
        person = address.partition("@")[0].lower()
        mail = SandboxMail.model_validate({"at": self.clock(), "to": address, "person": person, **fields})
        return self.database.mails.save(mail)
