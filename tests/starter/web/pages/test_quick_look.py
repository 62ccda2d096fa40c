"""What a page hears of our own side: the workflow, else what stands beside it, else the record, else nothing."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretBytes
from temporalio.client import Client
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.contrib.pydantic import pydantic_data_converter

import starter
from activities.core_signature.signing_page import SigningPage, SigningState
from activities.launch.task_file import PreparedTask
from activities.policies.catalogue import Catalogue
from activities.records.cover_sheet import CoverSheet
from activities.records.store import Store
from starter.config.values import PayloadKey
from starter.temporal.codec import data_converter
from starter.web.screens.status import signing_page_of_view
from starter.web.screens.view_reader import ViewReader
from tests.servers import own_namespace
from workflows import names
from workflows.kinds import Kind
from workflows.model.policy import Policy
from workflows.model.records import SettledRecord
from workflows.model.signature import Document, SignatureBrief
from workflows.model.subject import Participant, Role, Status, Task
from workflows.model.views import RequestShow, TaskShow
from workflows.task.state import TaskInput

CATALOGUE = Catalogue.read(Path(starter.__file__).with_name("policies.yaml"))
TITLE = "Master services agreement"
DUE = datetime(2026, 12, 11, 17, 0, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store((tmp_path / "store").as_uri())


async def connect_to_nobody() -> Client:
    return await Client.connect("127.0.0.1:1", lazy=True, data_converter=pydantic_data_converter)


async def test_nothing_is_known_when_nobody_answers(store: Store) -> None:
    assert await ViewReader(await connect_to_nobody(), store)("msa") is None


async def test_the_record_answers_while_temporal_does_not(store: Store) -> None:
    settled = RequestShow(id="msa", kind="nda", status=Status.SIGNED, says="Signed")
    record = SettledRecord(fingerprint="f", run_id="r", show=settled)
    await store.records.write(Kind.REQUEST.workflow_id("msa"), record.model_dump_json(by_alias=True).encode())
    assert await ViewReader(await connect_to_nobody(), store)("msa") == settled


async def test_before_there_is_a_record_the_cover_sheet_says_what_it_is_and_nothing_of_where_it_stands(
    store: Store,
) -> None:
    signers = (Participant(person="chair", order=1, role=Role.APPROVE),)
    brief = SignatureBrief(id="msa", kind="nda", title=TITLE, document=Document(), requester="legal", people=signers)
    await CoverSheet.keep(store, brief)
    view = await ViewReader(await connect_to_nobody(), store)("msa")
    assert isinstance(view, RequestShow)
    assert (view.document, view.requester, view.partial, view.due_at) == (
        TITLE,
        "legal",
        True,
        None,
    )
    assert signing_page_of_view(view, "chair") == SigningPage(SigningState.OPEN, TITLE, approves=True)


async def test_the_cover_sheet_of_a_task_says_what_is_to_be_done_and_has_not_the_text_itself(store: Store) -> None:
    home, people = "task:keys", (Participant(person="engineer", role=Role.DO),)
    task = Task(id="keys", kind="task", title="Hand out the keys", requester="owner", people=people, text="Two each.")
    prepared = PreparedTask(TaskInput(task=task, policy=Policy(), fingerprint="f" * 64), CATALOGUE.resolve("team-task"))
    look = ViewReader(await connect_to_nobody(), store)
    stored_input = await prepared.store_input(store)
    assert await look("task:keys") is None, "nobody knows yet whether it is this one that lives"
    await prepared.store_for_pages(store, stored_input)
    view = await look("task:keys")
    assert isinstance(view, TaskShow)
    assert (view.title, view.text, view.requester, view.partial) == (task.title, "Two each.", "owner", True)
    assert ([person.person for person in view.people], view.due_at) == (["engineer"], None)
    assert b"Two each." not in (await store.starts.cover(home) or b"")


async def test_a_record_that_a_newer_worker_wrote_is_no_answer(store: Store) -> None:
    await store.records.write(
        Kind.REQUEST.workflow_id("msa"), b'{"fingerprint": "f", "runId": "r", "show": {"status": "notarised"}}'
    )
    assert await ViewReader(await connect_to_nobody(), store)("msa") is None


async def test_a_store_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    class Hanging(Store):
        async def read_record(self, home: str) -> bytes | None:
            await asyncio.Event().wait()
            return None

    look = ViewReader(await connect_to_nobody(), Hanging(tmp_path.as_uri()), seconds=0.05)
    async with asyncio.timeout(5):
        assert await look("msa") is None


@pytest.mark.real_server
async def test_what_this_process_has_no_key_for_is_no_answer(store: Store, dev_server: str) -> None:
    key = PayloadKey("2026-a", SecretBytes(bytes(32)))
    client = await own_namespace(dev_server, data_converter((key,)))
    await client.start_workflow(
        names.SIGNATURE_REQUEST,
        id=Kind.REQUEST.workflow_id("msa"),
        task_queue="nobody",
        static_summary="nda: NDA",
    )
    keyless = await Client.connect(
        dev_server,
        namespace=client.namespace,
        data_converter=data_converter(()),
    )
    assert await ViewReader(keyless, store)("msa") is None


@pytest.mark.long
@pytest.mark.real_server
async def test_without_a_worker_the_due_date_is_known_all_the_same(store: Store, dev_server: str) -> None:
    client = await own_namespace(dev_server)
    await client.start_workflow(
        names.SIGNATURE_REQUEST,
        id=Kind.REQUEST.workflow_id("msa"),
        task_queue="nobody",
        search_attributes=TypedSearchAttributes(
            [SearchAttributePair(names.STATUS, Status.SENT), SearchAttributePair(names.DUE_AT, DUE)]
        ),
    )
    look = ViewReader(client, store)
    view = await look("msa")
    assert await look("never-started") is None
    assert view is not None
    assert (view.due_at, view.status, view.partial) == (DUE, Status.SENT, True)
