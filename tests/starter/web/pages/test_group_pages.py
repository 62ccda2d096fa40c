"""The page of a member of a group of which anyone signs: the first to press the button takes the place."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from activities.notifications.links import LinkUse, Through
from starter.queries.commands import CommandRefused, NotConfirmed
from tests.starter.web.paging import DUTCH, FIRST, PEOPLE, PUBLIC, REQUEST, SECOND, Phone, form_of, phone, text_of
from workflows.model.commands import PlaceTaking
from workflows.model.receipts import OperationState
from workflows.model.rejections import Rejection
from workflows.model.signature import SignerState
from workflows.model.subject import Role, Status
from workflows.model.views import RequestShow, SignerLine

OTHER = DUTCH
IN_GROUP = PEOPLE.replace("zone: America/New_York,\n", "zone: America/New_York, groups: [legal],\n").replace(
    "locale: nl}", "locale: en, groups: [legal]}"
)


def make_view(taken_by: str | None = None, **changes: Any) -> RequestShow:
    """`FIRST` and `OTHER` are of the group, and Core Signature has `FIRST`."""
    lines = []
    for person in (FIRST, OTHER):
        spared = taken_by not in (None, person)
        state = SignerState.SPARED if spared else SignerState.TURN
        lines.append(SignerLine(person=person, order=1, role=Role.SIGN, state=state, team="legal"))
    signers = (*lines, SignerLine(person=SECOND, order=2, role=Role.SIGN, state=SignerState.WAITING))
    view = RequestShow(id=REQUEST, kind="nda", status=Status.SENT, requester="legal-desk", signers=signers, says="x")
    return view.replace(**changes)


@pytest.fixture
async def member(tmp_path: Path) -> AsyncIterator[Phone]:
    async with phone(tmp_path) as opened_phone:
        opened_phone.people.write_text(IN_GROUP)
        await opened_phone.create()
        opened_phone.views[REQUEST] = make_view()
        yield opened_phone


def link(member: Phone, person: str = FIRST) -> str:
    return member.link(person, LinkUse.TAKE)


def commands(member: Phone) -> list[Any]:
    return [command for command, _ in member.recorder.commands]


async def test_who_only_looks_takes_nothing_and_reads_that_anyone_signs(member: Phone) -> None:
    for person in (FIRST, OTHER):
        page = (await member.open(link(member, person))).text
        assert "Any one of the group" in text_of(page), person
        assert form_of(page)["act"] == "sign"
    assert commands(member) == []


async def test_the_button_takes_the_place_and_leads_to_the_signing_page(member: Phone) -> None:
    answer = await member.press(link(member))
    assert (answer.status_code, "/sign/" in answer.headers["location"]) == (303, True)
    assert commands(member) == [PlaceTaking(person=FIRST)]


async def test_another_member_is_never_led_to_the_signing_page_of_whom_core_signature_asks(member: Phone) -> None:
    """Core Signature does not list them yet: the page is prepared, and nobody's page is opened."""
    answer = await member.press(link(member, OTHER))
    assert (answer.status_code, commands(member)) == (503, [PlaceTaking(person=OTHER)])
    assert answer.headers["retry-after"]
    assert "/sign/" not in answer.text + str(answer.headers)
    await member.forward("customer@acme.test", "finance@example.test")
    mailed = await member.press(link(member, OTHER))
    assert mailed.status_code == 200
    assert "Check your email" in text_of(mailed.text), "a forwarded signer has no signing page of ours"


async def test_while_the_place_is_passed_on_the_page_says_who_signs(member: Phone) -> None:
    member.recorder.state = OperationState.OPEN
    answer = await member.press(link(member, OTHER))
    assert answer.status_code == 202
    assert "You sign for your group" in text_of(answer.text)


async def test_the_second_reads_who_has_it(member: Phone) -> None:
    member.recorder.failure = CommandRefused(Rejection.PLACE_TAKEN.to_message(person=FIRST))
    answer = await member.press(link(member, OTHER))
    assert "another of your group signs it already" in text_of(answer.text)
    member.views[REQUEST] = make_view(taken_by=FIRST)
    page = text_of((await member.open(link(member, OTHER))).text)
    assert "Somebody else of your group signs it" in page
    assert "Customer signs it for the group." in page
    assert not form_of((await member.open(link(member, OTHER))).text)


async def test_without_temporal_nobody_takes_it_and_nobody_signs(member: Phone) -> None:
    form = form_of((await member.open(link(member))).text)
    member.recorder.failure = NotConfirmed("no answer")
    unconfirmed = await member.post(link(member), form)
    member.views.clear()
    unread = await member.press(link(member))
    for answer in (unconfirmed, unread):
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
        assert "Please try again in a minute" in text_of(answer.text)


async def test_who_has_left_the_group_does_not_sign_for_it(member: Phone) -> None:
    member.people.write_text(PEOPLE)
    answer = await member.press(link(member))
    assert (answer.status_code, commands(member)) == (403, [])
    assert "You are not of this group any more" in text_of(answer.text)


@pytest.mark.parametrize("view", [make_view(), None], ids=["known", "temporal is away"])
async def test_the_link_of_an_onboardings_page_takes_the_place_too(member: Phone, view: RequestShow | None) -> None:
    through = Through("onboarding:acme", FIRST)
    address = member.links.link(REQUEST, FIRST, LinkUse.SIGN, through=through).removeprefix(PUBLIC)
    if view is None:
        member.views.clear()
    answer = await member.press(address)
    assert (answer.status_code, "/sign/" in answer.headers["location"]) == (303, True)
    assert commands(member) == ([PlaceTaking(person=FIRST)] if view else [])
