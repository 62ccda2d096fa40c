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
from tests.activities.records.test_facts import at, request, signed, told
from tests.metering import metered
from workflows.model.hand_off import Settled
from workflows.model.notifications import LogPage
from workflows.model.records import HandoffBatch, SettledRecord
from workflows.model.schedule import EscalationReason
from workflows.model.subject import Status, Subject
from workflows.model.timeline import EscalationEntry

SUBJECT = Subject(id="r", kind="nda", title="Terms", requester="ada", people=())


class Departments:
    """A directory of departments, which may be away."""

    def __init__(self, *, away: bool = False) -> None:
        self.away = away

    async def person(self, id: str, beside: str | None = None) -> Any:
        if self.away:
            raise DirectoryAway("no answer")
        return type("Person", (), {"department": f"department of {id}"})


def batch(**more: Any) -> HandoffBatch:
    shown = request(signed("bob", 2), signed("eve", 5, order=2), **more)
    at_the_end = datetime(2026, 11, 8, tzinfo=UTC)
    settled = Settled.about(
        "r", external_id="r", kind="nda", outcome=Status.SIGNED, at=at_the_end, document_sha256="0" * 64
    )
    record = SettledRecord(fingerprint="f", run_id="1", show=shown, settled=settled)
    return HandoffBatch(subject=SUBJECT, calls=(), record=record)


async def kept(store: Store) -> Any:
    return await store.database.first(select(FACTS))


@pytest.mark.parametrize(("away", "department"), [(False, "department of eve"), (True, "")])
async def test_a_record_does_not_wait_for_the_directory(tmp_path: Path, away: bool, department: str) -> None:
    store = Store(str(tmp_path))
    facts = await write_before(store, batch(), Departments(away=away))  # type: ignore[arg-type]
    assert facts and facts.department == department
    row = await kept(store)
    assert (row.department, row.status, row.month, row.seconds) == (department, "signed", "2026-11", 5 * 86_400)
    assert await write_before(store, batch(), Departments()) is None, "a second time nothing is counted"  # type: ignore[arg-type]
    assert (await kept(store)).department == department, "the department is that of then"


async def test_notices_that_have_left_the_workflow_count(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    page = LogPage(number=1, lines=(told("eve", 4.5, "reminder-7"),))
    await write_before(store, batch(notifications=(told("eve", 3, "ready"),), earlier=1).replace(page=page))
    assert (await kept(store)).notice == "reminder-7"


async def test_an_ending_is_counted_by_kind_and_outcome_and_by_who_had_the_ball(tmp_path: Path) -> None:
    escalated = EscalationEntry(
        from_="eve", to="boss", reason=EscalationReason.ESCALATION, at=at(3) + timedelta(hours=1)
    )
    made = batch(escalations=(escalated,), late=True)
    with metered() as counted_here:
        facts = await write_before(Store(str(tmp_path)), made)
        assert facts and made.record
        count_settled(made.record.show, facts)
        counts = counted_here.counts()
    assert counts["countersign_settled", "nda", "signed"] == 1
    assert counts["countersign_settled_late", "nda"] == 1
    assert counts["countersign_waited_seconds", "nda", "provider"] == 0.25 * 86_400
    assert counts["countersign_waited_seconds", "nda", "signer"] == 4.75 * 86_400
    assert counts["countersign_escalations_brought", "nda", Brought.SIGNER] == 1
    assert counts["countersign_signed", "nda", "escalation"] == 1
