"""The facts that are written with a record: with the department of whoever it ended with, and with all its notices."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from activities.hand_off.recording import count_settled, write_before
from activities.metrics import Brought
from activities.people.directory import DirectoryAway
from activities.records.schema import FACTS
from activities.records.store import Store
from tests.activities.records.test_facts import days_later, make_notification, make_request_view, make_signed_line
from tests.metering import metered
from workflows.model.hand_off import SettledRequest
from workflows.model.notifications import LogPage
from workflows.model.records import HandoffBatch, SettledRecord
from workflows.model.schedule import EscalationReason
from workflows.model.subject import Status, Subject
from workflows.model.timeline import EscalationEntry

SUBJECT = Subject(id="r", kind="nda", title="Terms", requester="ada", people=())


class Departments:
    """A directory of departments, which may be away."""

    def __init__(self, *, is_away: bool = False) -> None:
        self.away = is_away

    async def person(self, id: str, beside: str | None = None) -> Any:
        if self.away:
            raise DirectoryAway("no answer")
        return type("Person", (), {"department": f"department of {id}"})


def batch(**overrides: Any) -> HandoffBatch:
    view = make_request_view(make_signed_line("bob", 2), make_signed_line("eve", 5, order=2), **overrides)
    at_the_end = datetime(2026, 11, 8, tzinfo=UTC)
    settled = SettledRequest.from_id(
        "r", external_id="r", kind="nda", outcome=Status.SIGNED, at=at_the_end, document_sha256="0" * 64
    )
    record = SettledRecord(fingerprint="f", run_id="1", show=view, settled=settled)
    return HandoffBatch(subject=SUBJECT, calls=(), record=record)


async def read_facts(store: Store) -> Any:
    return await store.database.first(select(FACTS))


@pytest.mark.parametrize(("is_away", "department"), [(False, "department of eve"), (True, "")])
async def test_a_record_does_not_wait_for_the_directory(tmp_path: Path, is_away: bool, department: str) -> None:
    store = Store(str(tmp_path))
    facts = await write_before(store, batch(), Departments(is_away=is_away))  # type: ignore[arg-type]
    assert facts and facts.department == department
    row = await read_facts(store)
    assert (row.department, row.status, row.month, row.seconds) == (department, "signed", "2026-11", 5 * 86_400)
    assert await write_before(store, batch(), Departments()) is None, "a second time nothing is counted"  # type: ignore[arg-type]
    assert (await read_facts(store)).department == department, "the department is that of then"


async def test_notices_that_have_left_the_workflow_count(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    page = LogPage(number=1, lines=(make_notification("eve", 4.5, "reminder-7"),))
    await write_before(
        store, batch(notifications=(make_notification("eve", 3, "ready"),), earlier=1).replace(page=page)
    )
    assert (await read_facts(store)).notice == "reminder-7"


async def test_an_ending_is_counted_by_kind_and_outcome_and_by_who_had_the_ball(tmp_path: Path) -> None:
    escalated = EscalationEntry(
        from_="eve", to="boss", reason=EscalationReason.ESCALATION, at=days_later(3) + timedelta(hours=1)
    )
    hand_off_batch = batch(escalations=(escalated,), late=True)
    with metered() as counted_here:
        facts = await write_before(Store(str(tmp_path)), hand_off_batch)
        assert facts and hand_off_batch.record
        count_settled(hand_off_batch.record.show, facts)
        counts = counted_here.counts()
    assert counts["countersign_settled", "nda", "signed"] == 1
    assert counts["countersign_settled_late", "nda"] == 1
    assert counts["countersign_waited_seconds", "nda", "provider"] == 0.25 * 86_400
    assert counts["countersign_waited_seconds", "nda", "signer"] == 4.75 * 86_400
    assert counts["countersign_escalations_brought", "nda", Brought.SIGNER] == 1
    assert counts["countersign_signed", "nda", "escalation"] == 1
