"""The page "I am away" at the desk: entered by whom it is about or their manager, and undone as easily."""

import re
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Final

import httpx
import pytest
import pytest_asyncio
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from activities.records.absences import AbsenceRow
from activities.records.starts import Start
from activities.records.store import Store
from starter.temporal.connection import Context
from tests.starter.web.desk.office import ENGINEER, LEAD, NOW, OPERATOR, OWNER, SIGNER, Browser, Office, office, text_of

FIELDS: Final = {"act": "enter", "from": "2026-11-27", "until": "2026-11-30"}


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Office]:
    """Temporal is away: an absence is entered all the same."""
    nowhere = await Client.connect("127.0.0.1:1", lazy=True, data_converter=pydantic_data_converter)
    with closing(Store((tmp_path / "store").as_uri())) as store:
        async with office(tmp_path, context=Context(nowhere, store)) as opened_office:
            yield opened_office


async def list_absences(desk: Office, person: str) -> list[AbsenceRow]:
    return await desk.store.absences.for_person(person, NOW)


async def enter(browser: Browser, path: str = "/desk/away", **fields: str) -> str:
    """What the page says afterwards."""
    answer = await browser.press(await browser.get(path), **{**FIELDS, **fields})
    page = await browser.get(answer.headers["location"]) if answer.status_code == 303 else answer
    return text_of(page)


async def test_it_is_entered_and_ended_in_one_page(desk: Office) -> None:
    engineer = await desk.come_in(ENGINEER)
    text = await enter(engineer, acts="owner@example.test", kind="offer-letter")
    assert "The absence is entered. Reminders that are affected are planned anew within a minute." in text
    assert "Fri, 27 Nov 2026 – Mon, 30 Nov 2026 Owner acts" in text
    assert "open entries take it into account in a moment" in text
    [row] = await list_absences(desk, ENGINEER)
    assert (row.acts, row.kinds, row.entered_by, row.told_at) == (OWNER, ("offer-letter",), f"sign-in:{ENGINEER}", None)
    assert row.begins_at.isoformat() == "2026-11-26T23:00:00+00:00", "days in the zone of the person"
    page = await engineer.get("/desk/away")
    form = {"act": "end", "absence": row.id, "token": read_token(page.text)}
    answer = await engineer.post("/desk/away", form)
    assert "The absence is ended." in text_of(await engineer.get(answer.headers["location"]))
    assert await list_absences(desk, ENGINEER) == []


async def test_a_manager_enters_it_for_their_people_and_nobody_else_does(desk: Office) -> None:
    lead = await desk.come_in(LEAD)
    assert "For one of your people Engineer" in text_of(await lead.get("/desk/away"))
    text = await enter(lead, f"/desk/away/{ENGINEER}")
    assert "Engineer is away Fri, 27 Nov 2026 – Mon, 30 Nov 2026" in text
    assert "entered by Lead" in text
    assert [row.entered_by for row in await list_absences(desk, ENGINEER)] == [f"sign-in:{LEAD}"]
    owner = await desk.come_in(OWNER)
    for path in (f"/desk/away/{ENGINEER}", "/desk/away/nobody"):
        assert (await owner.get(path)).status_code == 404
    operator = await desk.come_in(OPERATOR)
    assert (await operator.get(f"/desk/away/{ENGINEER}")).status_code == 200


async def test_the_headline_says_until_when_they_are_away_and_who_sees_to_it(desk: Office) -> None:
    engineer, lead = await desk.come_in(ENGINEER), await desk.come_in(LEAD)
    await enter(engineer, until="2026-12-30", kind="offer-letter", **{"from": "2026-11-20"})
    assert "<h1>I am away</h1>" in (await engineer.get("/desk/away")).text, "away for one kind only"
    await enter(engineer, acts="owner@example.test", **{"from": "2026-11-20"})
    assert "<h1>Away until Mon, 30 Nov; Owner sees to it</h1>" in (await engineer.get("/desk/away")).text
    page = await lead.get(f"/desk/away/{ENGINEER}")
    assert "<h1>Engineer · Away until Mon, 30 Nov; Owner sees to it</h1>" in page.text


async def test_only_kinds_that_concerned_the_person_are_offered(desk: Office) -> None:
    engineer = await desk.come_in(ENGINEER)
    assert len(list_offered_kinds(await engineer.get("/desk/away"))) > 2, "before anything concerned them all are"
    for number, (kind, people, requester) in enumerate(
        [("offer-letter", (ENGINEER,), OWNER), ("team-task", (OWNER,), ENGINEER), ("nda", (SIGNER,), OWNER)]
    ):
        start = Start(kind, f"Terms of {ENGINEER}", people, requester, None, NOW)
        await desk.store.starts.begin(f"task:t{number}", start)
    assert list_offered_kinds(await engineer.get("/desk/away")) == {"", "offer-letter", "team-task"}


def list_offered_kinds(page: httpx.Response) -> set[str]:
    select = page.text.partition('id="kind"')[2].partition("</select>")[0]
    return set(re.findall(r'<option value="([^"]*)"', select))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"until": "2026-11-26"}, "it ends before it begins"),
        ({"from": "2026-11-01", "until": "2026-11-02"}, "that day has passed"),
        ({"until": "2030-01-01"}, "that is more than two years away"),
        ({"until": "soon"}, "a date such as 2026-12-11 is needed"),
        ({"acts": "nobody"}, "nobody in the directory has this name, id or address"),
        ({"acts": ENGINEER}, "those who act for each other go round in a circle"),
        ({"kind": "eclipse"}, "that kind is not in the catalogue"),
    ],
)
async def test_what_cannot_be_is_refused_and_what_was_typed_stays(
    desk: Office, fields: dict[str, str], reason: str
) -> None:
    engineer = await desk.come_in(ENGINEER)
    answer = await engineer.press(await engineer.get("/desk/away"), **{**FIELDS, **fields})
    assert answer.status_code == 409
    assert f"This was not done: {reason}." in text_of(answer)
    assert f'value="{ {**FIELDS, **fields}["until"] }"' in answer.text
    assert await list_absences(desk, ENGINEER) == []


async def test_a_substitute_who_is_away_meanwhile_is_refused(desk: Office) -> None:
    chair = await desk.come_in(SIGNER)
    await enter(chair, until="2026-12-24")
    engineer = await desk.come_in(ENGINEER)
    assert "the new person is away" in await enter(engineer, acts=SIGNER)


async def test_the_forms_of_others_are_not_taken(desk: Office) -> None:
    engineer = await desk.come_in(ENGINEER)
    answer = await engineer.post("/desk/away", {**FIELDS, "token": "forged"})
    assert answer.status_code == 403
    assert await list_absences(desk, ENGINEER) == []


async def test_what_temporal_was_not_told_waits_for_the_sweep(desk: Office) -> None:
    await enter(await desk.come_in(ENGINEER))
    assert await desk.store.absences.untold(NOW) == []
    [row] = await desk.store.absences.untold(NOW + timedelta(minutes=1))
    assert row.person == ENGINEER


def read_token(page: str) -> str:
    return page.rsplit('name="token" value="', maxsplit=1)[-1].split('"', maxsplit=1)[0]
