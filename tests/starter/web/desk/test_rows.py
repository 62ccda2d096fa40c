"""What a row of the desk's lists says."""

from datetime import UTC, datetime, timedelta

import pytest

from activities.people.language import Language
from activities.people.reader import Deadline, Reader
from starter.queries.lists import RequestLine
from starter.web.desk.lists import RowFormatter

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
LINE = RequestLine(id="msa", kind="nda", status="sent", workflow_id="signature-request:msa", waiting_for=("chair",))


async def chair(_: str, workflow_id: str | None) -> str:
    return "Chair"


async def label(kind: str, language: Language) -> str:
    return "Non-disclosure agreement"


@pytest.mark.parametrize(
    ("offset", "since_text"),
    [
        (timedelta(days=-2), "since Sat, 21 Nov, 09:00"),
        (timedelta(), "since Mon, 23 Nov, 09:00"),
        (timedelta(days=1), "since Mon, 23 Nov, 09:00"),
    ],
)
async def test_a_turn_has_begun_also_where_the_clock_of_a_request_was_moved_ahead(
    offset: timedelta, since_text: str
) -> None:
    telling = RowFormatter(Reader.unknown(Language.english()), chair, label, NOW)
    row = await telling.row(LINE.replace(since=NOW + offset))
    assert (row.waiting_for, row.since) == ("Chair", since_text)


@pytest.mark.parametrize("titled", [True, False])
async def test_who_stands_in_full_is_looked_for_only_for_those_who_may_know_what_it_is(titled: bool) -> None:
    lookups = []

    async def name(id: str, workflow_id: str | None) -> str:
        lookups.append((id, workflow_id))
        return id

    await RowFormatter(Reader.unknown(Language.english()), name, label, NOW).row(LINE, titled=titled)
    assert lookups == [("chair", LINE.workflow_id if titled else None)]


@pytest.mark.parametrize(("stage", "due_text"), [("waiting", "in 3 days, Thursday"), ("settled", "")])
async def test_nothing_comes_nearer_for_what_has_ended_although_its_targets_are_told_still(
    stage: str, due_text: str
) -> None:
    telling = RowFormatter(Reader.unknown(Language.english()), chair, label, NOW)
    row = await telling.row(LINE.replace(stage=stage, due_at=NOW + timedelta(days=3)))
    assert row.due == Deadline(due_text, "Thu, 26 Nov 2026, 09:00 (UTC)")
