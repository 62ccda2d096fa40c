"""People's own words stand beside what is written once, and can be erased."""

from datetime import UTC, datetime
from pathlib import Path

from activities.records.store import Store
from activities.records.user_texts import DAMAGED, ERASED, apart, keep_page, pages_of, together
from tests.storage import altered
from workflows.kinds import Kind
from workflows.model.notifications import LogPage
from workflows.model.signature import SignerState
from workflows.model.subject import Role, Status
from workflows.model.timeline import AskedQuestion, EventType, TimelineEntry
from workflows.model.views import RequestShow, ReviewLine, SignerLine

AT = datetime(2027, 1, 4, 9, tzinfo=UTC)
MSA = Kind.REQUEST.workflow_id("msa-0042")
ASKED = AskedQuestion(number=1, person="chair", text="Which annex?", at=AT, answer="Annex B")
OPEN = AskedQuestion(number=2, person="chair", text="Which page?", at=AT)
PAUSED = TimelineEntry(at=AT, happened=EventType.PAUSED, who="legal-desk", why="They are on strike", said=True)
PAUSED_AGAIN = PAUSED.replace(why="They still are")
SENT = TimelineEntry(at=AT, happened=EventType.SENT, who="core-signature", why="as planned")
DECLINED = SignerLine(person="chair", order=1, role=Role.SIGN, state=SignerState.DECLINED, reason="No annexation")
SHOWN = RequestShow(
    id="msa-0042",
    kind="customer-contract",
    status=Status.CANCELLED,
    question=OPEN,
    answered=(ASKED,),
    signers=(DECLINED,),
    timeline=(SENT, PAUSED, PAUSED_AGAIN),
)
WORDS = ("annex", "Annex", "page", "strike", "still")


async def test_words_leave_what_is_written_once_and_come_back_to_whoever_reads_it(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    written = await apart(store, MSA, SHOWN)
    written_json = written.model_dump_json()
    assert [private_text for private_text in WORDS if private_text in written_json] == []
    assert "as planned" in written_json
    assert await together(store, MSA, written) == SHOWN
    assert await apart(store, MSA, SHOWN) == written


async def test_erased_words_are_shown_as_such_and_so_are_damaged_ones(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    written = await apart(store, MSA, SHOWN)
    altered(store, "UPDATE texts SET text = 'other' WHERE name = 'question-2'")
    view = await together(store, MSA, written)
    assert view.question is not None
    assert (view.question.text, view.answered) == (DAMAGED, (ASKED,))
    altered(store, "DELETE FROM texts")
    erased = await together(store, MSA, written)
    assert (erased.answered[0].text, erased.answered[0].answer) == (ERASED, ERASED)
    assert [entry.why for entry in erased.timeline] == ["as planned", ERASED, ERASED]


async def test_pages_of_a_long_life_hold_no_words_either(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    page = LogPage(number=1, timeline=(SENT, PAUSED))
    for _ in range(2):
        await keep_page(store, "signature-request:msa-0042", page)
    [page_bytes] = await store.log_pages.read(MSA)
    assert b"strike" not in page_bytes
    assert await pages_of(store, "signature-request:msa-0042") == [page]


async def test_what_was_written_with_its_words_is_shown_with_them(tmp_path: Path) -> None:
    assert await together(Store(str(tmp_path)), MSA, SHOWN) == SHOWN


async def test_the_words_of_reviewers_leave_as_well(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    lines = tuple(
        ReviewLine(person="chair", order=1, role=Role.REVIEW, state=SignerState.CHANGES, reason=reason, round=round)
        for round, reason in enumerate(("No annexation", "Clause 3"), start=1)
    )
    view = SHOWN.replace(reviews=lines)
    written = await apart(store, MSA, view)
    assert "Clause 3" not in written.model_dump_json()
    assert await together(store, MSA, written) == view
    altered(store, "DELETE FROM texts WHERE name = 'review-2-1'")
    assert [review.reason for review in (await together(store, MSA, written)).reviews] == ["No annexation", ERASED]
