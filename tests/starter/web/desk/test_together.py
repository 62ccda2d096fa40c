"""What is ticked in a list is reminded, extended or cancelled together, after one confirmation that names all of it."""

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from activities.people.language import Language
from starter.queries.commands import CommandRefused
from starter.web.desk import together
from starter.web.desk.together import AT_ONCE, TICKED_AT_MOST
from tests.starter.web.desk.office import REQUESTER, SIGNER, Office, form_of, inside, office, text_of
from tests.starter.web.desk.test_requests import make_request_view
from workflows.model.commands import Cancellation, Extension, ReminderCommand
from workflows.model.rejections import Rejection
from workflows.model.subject import Status

MANY = TICKED_AT_MOST + 5


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Office]:
    async with office(tmp_path) as opened_office:
        opened_office.views = {
            f"msa-{n}": make_request_view(id=f"msa-{n}", document=f"Agreement {n}") for n in range(MANY)
        }
        opened_office.views["signed"] = make_request_view(id="signed", document="Signed one", status=Status.SIGNED)
        yield opened_office


def make_ticks(*ids: str) -> str:
    return "&".join(f"ticked=requests/{id}" for id in ids)


async def test_the_confirmation_says_how_many_and_whom_and_what_cannot_be_done(desk: Office) -> None:
    legal = await desk.come_in(REQUESTER)
    page = await legal.get(
        f"/desk/together/remind?{make_ticks('msa-1', 'msa-2', 'signed', 'msa-1')}&back=asked%3Fkind=nda"
    )
    text = text_of(page)
    assert "2 entries · 1 person. Everybody whose turn it is gets a reminder at once." in text
    assert "Agreement 1 Chair Agreement 2 Chair Not possible now Signed one" in text
    assert desk.commands == []
    answer = await legal.press(page)
    assert inside(answer) == "/people/desk/asked?kind=nda&together=remind&done=2"
    assert [(id, type(command)) for id, command, _ in desk.commands] == [
        ("msa-1", ReminderCommand),
        ("msa-2", ReminderCommand),
    ]
    parameters = dict(parse_qsl(inside(answer).partition("?")[2]))
    assert together.news_of(parameters, Language.english()) == "Reminders of 2 are on their way."


async def test_due_dates_move_by_a_week_unless_another_day_is_given(desk: Office) -> None:
    legal = await desk.come_in(REQUESTER)
    page = await legal.get(f"/desk/together/extend?{make_ticks('msa-1')}")
    assert 'name="due" value="2026-12-17"' in page.text, "a week after the tenth, which is its present date"
    _, form = form_of(page.text)
    refused = await legal.post("/desk/together/extend", form | {"due": "soon"})
    assert refused.status_code == 409
    assert "a date such as 2026-12-11 is needed" in text_of(refused)
    assert desk.commands == []
    await legal.post("/desk/together/extend", form | {"due": "2026-12-18"})
    [(_, command, _)] = desk.commands
    assert isinstance(command, Extension)
    assert command.due == date(2026, 12, 18)


async def test_what_is_refused_stays_with_its_reason_and_the_rest_is_done(desk: Office) -> None:
    legal = await desk.come_in(REQUESTER)
    page = await legal.get(f"/desk/together/cancel?{make_ticks('msa-1', 'msa-2')}")
    _, form = form_of(page.text)
    desk.answer = CommandRefused(Rejection.JUST_TOLD.to_message())
    answer = await legal.post("/desk/together/cancel", form | {"text": "Not needed"})
    assert answer.status_code == 409
    assert "Not done: Agreement 1 Chair This was not done" in text_of(answer)
    assert all(isinstance(command, Cancellation) and command.reason == "Not needed" for _, command, _ in desk.commands)


async def test_what_is_not_theirs_is_left_out_and_a_page_of_a_list_is_the_most(desk: Office) -> None:
    chair = await desk.come_in(SIGNER)
    page = await chair.get(f"/desk/together/cancel?{make_ticks('msa-1', 'no-such')}")
    assert '<form method="post" action="/people/desk/together' not in page.text
    legal = await desk.come_in(REQUESTER)
    page = await legal.get(f"/desk/together/remind?{make_ticks(*(f'msa-{n}' for n in range(MANY)))}")
    assert f"{TICKED_AT_MOST} entries" in text_of(page)
    await legal.press(page)
    assert desk.unwatched == len(desk.commands) == TICKED_AT_MOST > AT_ONCE
    assert (await legal.get("/desk/together/pause?ticked=requests/msa-1")).status_code == 404


async def test_without_an_answer_in_time_the_same_form_can_be_sent_again_as_the_same_change(
    desk: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    legal = await desk.come_in(REQUESTER)
    page = await legal.get(f"/desk/together/remind?{make_ticks('msa-1')}")
    monkeypatch.setattr(together, "SECONDS_AT_MOST", 0.0)
    answer = await legal.press(page)
    assert answer.status_code == 503
    assert form_of(answer.text)[1]["token"] == form_of(page.text)[1]["token"]


async def test_a_list_of_somebody_elses_making_leads_nowhere(desk: Office) -> None:
    legal = await desk.come_in(REQUESTER)
    page = await legal.get(f"/desk/together/remind?{make_ticks('msa-1')}&back=https://evil.example/")
    assert "evil" not in page.text
    assert inside(await legal.press(page)).startswith("/people/desk/waiting?together=remind")
