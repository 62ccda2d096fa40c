"""How long a creation waits before it is tried again: the lag of the lists where something may have been made.

And that it waits for the store no more often than it must.
"""

import asyncio
from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.core_signature.client import CoreSignatureClient
from activities.core_signature.service import CoreSignatureService
from activities.people.file_directory import FileDirectory
from activities.records.people import StoredPeople
from activities.records.starts import StartRecords
from activities.records.store import Store
from deploy.sandbox.server import RunningSandbox, running
from deploy.sandbox.state.settings import SandboxSettings
from tests.activities.core_signature.conftest import Acting, arm, config_for, entries
from tests.activities.core_signature.requests import PDF, brief
from workflows.follow_up import options
from workflows.follow_up.calls import call_failure_of
from workflows.model.signature import CreateOrder, ReportedDocument, SignatureBrief

LAG = 10.0
LISTS, REQUESTS = "/api/v1/documents/", "/api/v1/signature-requests/"


class Retries:
    """When Temporal and the workflow would try again, by the options in use and what each failure asks for."""

    def __init__(self) -> None:
        self.clock = timedelta()
        self._attempt, self._probes = 1, 0

    def advance_after(self, failure: ApplicationError) -> None:
        """Move the clock to the next attempt."""
        policy = options.CREATE["retry_policy"]
        if failure.non_retryable or self._attempt == policy.maximum_attempts:
            self.clock += max(options.probe_pause(self._probes), call_failure_of(failure).retry_after)
            self._attempt, self._probes = 1, self._probes + 1
            return
        doubled = policy.initial_interval * policy.backoff_coefficient ** (self._attempt - 1)
        self.clock += failure.next_retry_delay or min(doubled, policy.maximum_interval or doubled)
        self._attempt += 1


async def test_twenty_seconds_of_outage_and_four_garbled_answers_cost_about_a_minute(
    sandbox: RunningSandbox, directory: FileDirectory, store: Store, request_brief: SignatureBrief, act: Acting
) -> None:
    client = CoreSignatureClient(config_for(sandbox, list_lag=LAG))
    service, retries, garbled = CoreSignatureService(client, directory, store), Retries(), 0
    sent: ReportedDocument | None = None
    while sent is None:
        if retries.clock < timedelta(seconds=20):
            arm(sandbox, method="GET", path=LISTS, fault="503")
        elif garbled < 4:
            arm(sandbox, method="GET", path=LISTS, fault="truncate")
            garbled += 1
        try:
            sent = await act(service.create, CreateOrder(brief=request_brief))
        except ApplicationError as failure:
            retries.advance_after(failure)
    await client.aclose()
    assert garbled == 4
    assert retries.clock <= timedelta(seconds=75)
    assert len(entries(sandbox, "document_created")) == 1


@pytest.mark.parametrize(
    ("path", "fault", "waits"),
    [
        (LISTS, "cut", True),
        (LISTS, "truncate", True),
        (LISTS, "503", True),
        (LISTS, "429", False),
        (REQUESTS, "cut", True),
        (REQUESTS, "truncate", True),
        (REQUESTS, "503", True),
        (REQUESTS, "429", False),
    ],
)
async def test_only_an_attempt_that_may_have_made_something_waits_for_the_lists(
    sandbox: RunningSandbox,
    directory: FileDirectory,
    store: Store,
    request_brief: SignatureBrief,
    act: Acting,
    path: str,
    fault: str,
    waits: bool,
) -> None:
    client = CoreSignatureClient(config_for(sandbox, list_lag=LAG))
    arm(sandbox, method="POST", path=path, fault=fault)
    with pytest.raises(ApplicationError) as caught:
        await act(CoreSignatureService(client, directory, store).create, CreateOrder(brief=request_brief))
    await client.aclose()
    assert not caught.value.non_retryable
    assert ((caught.value.next_retry_delay or timedelta()) >= timedelta(seconds=LAG)) is waits


async def test_after_a_worker_that_died_in_the_call_nothing_is_made_before_the_lists_can_know(
    directory: FileDirectory, tmp_path_factory: pytest.TempPathFactory
) -> None:
    now = 1_800_000_000.0

    class Passing(StartRecords):
        """As many seconds go by as the lists may lag, once it is known that somebody was here before."""

        async def claimed_for(self, workflow_id: str) -> str | None:
            nonlocal now
            claimed = await super().claimed_for(workflow_id)
            now += LAG if claimed is not None else 0.0
            return claimed

    store = Store(tmp_path_factory.mktemp("store").as_uri())
    store.starts = Passing(store.database)  # type: ignore[misc]
    order = CreateOrder(brief=brief(await store.files.put(PDF)))
    async with running(SandboxSettings(list_lag=5, clock=lambda: now)) as sandbox:
        client = CoreSignatureClient(config_for(sandbox))
        service = CoreSignatureService(client, directory, store)
        arm(sandbox, method="POST", path=LISTS, fault="cut")
        with pytest.raises(ApplicationError):
            await ActivityEnvironment().run(service.create, order)
        # The next one comes at once, as after a time-out: nothing tells it what the one before had done.
        document_state: ReportedDocument = await ActivityEnvironment().run(service.create, order)
        await client.aclose()
        [creation] = entries(sandbox, "document_created")
        assert creation["document"] == document_state.document


async def test_claim_and_cover_sheet_are_written_side_by_side_and_who_was_asked_is_read_once(
    client: CoreSignatureClient, directory: FileDirectory, tmp_path_factory: pytest.TempPathFactory, act: Acting
) -> None:
    barrier, reads = asyncio.Barrier(2), 0

    class Together(StartRecords):
        """None of the two is written before the other is to be."""

        async def keep_cover(self, workflow_id: str, content: bytes) -> None:
            await barrier.wait()
            await super().keep_cover(workflow_id, content)

        async def claim(self, workflow_id: str, fingerprint: str = "") -> None:
            await barrier.wait()
            await super().claim(workflow_id, fingerprint)

    class Counting(StoredPeople):
        async def list_asked(self, workflow_id: str) -> tuple[bytes, ...]:
            nonlocal reads
            reads += 1
            return await super().list_asked(workflow_id)

    store = Store(tmp_path_factory.mktemp("store").as_uri())
    store.starts, store.people = Together(store.database), Counting(store.database)  # type: ignore[misc]
    order = CreateOrder(brief=brief(await store.files.put(PDF)))
    async with asyncio.timeout(5):
        await act(CoreSignatureService(client, directory, store).create, order)
    assert reads == 1
