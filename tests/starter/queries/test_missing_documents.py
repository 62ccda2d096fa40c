"""What could not be kept of an ended request is found in lists and views until it is kept."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from activities.evidence.erasure import remove_due
from activities.records.ended import ListFilter
from activities.records.evidence import SignedDocument, SignedFile
from activities.records.store import Store
from starter.queries.lists import line_of_ended
from starter.queries.lookup import recorded, with_holds
from workflows.kinds import Kind, WorkflowName
from workflows.model.evidence import KeptFile
from workflows.model.hand_off import SettledRequest
from workflows.model.records import SettledRecord
from workflows.model.subject import Status
from workflows.model.timeline import EventType
from workflows.model.views import RequestShow

AT = datetime(2027, 1, 4, 9, tzinfo=UTC)
MSA = WorkflowName(Kind.REQUEST, "msa-0042")
ATTENTION = ListFilter((Kind.REQUEST.spec.prefix,), attention=True)
PDF, LOG = SignedFile("a" * 64, 20_000), SignedFile("b" * 64, 900)
SHOW = RequestShow(id=MSA.id, kind="nda", document="Terms", requester="hr", status=Status.SIGNED, says="Signed")
SETTLED = SettledRequest(request=MSA.id, kind="nda", outcome=Status.SIGNED, at=AT, external_id=MSA.id)


async def test_what_is_not_kept_stays_in_attention_until_it_is(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    record = SettledRecord(fingerprint="f", run_id="r", show=SHOW, settled=SETTLED)
    await store.records.write(MSA.workflow_id, record.model_dump_json(by_alias=True).encode())
    await store.evidence.keep_signed(MSA.workflow_id, SignedDocument(PDF, why="the signing log is not ready"), AT)
    [row] = await store.ended_follow_ups.page(ATTENTION, 10)
    assert (line_of_ended(row).problem, await store.ended_follow_ups.count(ATTENTION)) == ("evidence", 1)
    view = await recorded(store, MSA)
    assert isinstance(view, RequestShow) and view.problem
    assert (view.problem.says, view.says) == (
        "the signing log is not ready",
        "Signed; not kept yet: the signing log is not ready",
    )
    assert (view.signed_document, view.signing_log) == (KeptFile(sha256="a" * 64, bytes=20_000), None)
    await store.evidence.keep_signed(MSA.workflow_id, SignedDocument(PDF, LOG), AT)
    assert await store.ended_follow_ups.page(ATTENTION, 10) == []
    complete_view = await recorded(store, MSA)
    assert isinstance(complete_view, RequestShow)
    assert (complete_view.problem, complete_view.says, complete_view.signing_log) == (
        None,
        "Signed",
        KeptFile(sha256="b" * 64, bytes=900),
    )


async def test_holds_and_what_was_removed_are_in_the_timeline(tmp_path: Path) -> None:
    """The reason of a hold is told by the command alone, pages have what `recorded` says."""
    store, later = Store(str(tmp_path)), AT + timedelta(days=1)
    record = SettledRecord(fingerprint="f", run_id="r", show=SHOW, settled=SETTLED)
    await store.records.write(MSA.workflow_id, record.model_dump_json(by_alias=True).encode())
    await store.evidence.keep_signed(MSA.workflow_id, SignedDocument(PDF, LOG, keep_until=AT), AT)
    await store.holds.place_hold(MSA.workflow_id, "matter 7", "claimed:legal (root@host)", AT)
    await store.holds.release(MSA.workflow_id, "matter 7", "claimed:chief", later)
    assert await remove_due(store, later) == 1
    view = await recorded(store, MSA)
    assert view and [entry.what for entry in view.timeline] == ["signed files removed: their retention is over"]
    timeline = (await with_holds(store, view)).timeline
    assert [(entry.happened, entry.who, entry.why, entry.actor) for entry in timeline if entry.who] == [
        (EventType.ON_HOLD, "legal", "matter 7", "claimed:legal (root@host)"),
        (EventType.HOLD_RELEASED, "chief", None, "claimed:chief"),
    ]
    assert timeline[-1].happened in (EventType.FILES_REMOVED, EventType.HOLD_RELEASED)
