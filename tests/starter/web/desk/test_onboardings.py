"""The page of an onboarding at the desk: its stages with whom each part is, and what its owner decides there."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from starter.queries.commands import CommandRefused, NotRunning
from starter.web.desk.access import ActionForm
from starter.web.desk.follow_up_text import PARTS_SHOWN_AT_MOST
from tests.starter.web.desk.office import (
    ENGINEER,
    LEAD,
    NOW,
    OPERATOR,
    OWNER,
    REQUESTER,
    Office,
    inside,
    office,
    text_of,
)
from workflows.model.commands import Cancellation, Decision, PartOutcome
from workflows.model.rejections import Rejection
from workflows.model.signature import SignerState
from workflows.model.subject import Role, Status
from workflows.model.timeline import EventType, TimelineEntry
from workflows.model.views import OnboardingShow, PartLine, RequestShow, SignerLine, StageLine, WaitingPart

PAGE, ACME = "/desk/onboardings/acme", "customer-onboarding:acme"
BEFORE = NOW - timedelta(days=3)
PRICE = "The price is <too> high."


def make_onboarding_view(**changes: Any) -> OnboardingShow:
    """One in whose first stage an agreement was declined, and a task waits for the engineer."""
    agreement = PartLine(
        id="msa",
        title="Master services agreement",
        state="undecided",
        status=Status.DECLINED,
        workflow="signature-request:acme.1.1",
        at=BEFORE,
        says=PRICE,
    )
    account = PartLine(
        id="account",
        title="Create the account",
        state="open",
        workflow="task:acme.1.2",
        team="operations",
        since=BEFORE,
        due_at=NOW + timedelta(days=20),
    )
    view = OnboardingShow(
        id="acme",
        kind="customer-onboarding",
        title="Acme",
        customer="signer-1",
        requester=OWNER,
        status=Status.OPEN,
        stage="agreements",
        stages=(
            StageLine(name="agreements", state="open", since=BEFORE, agreements=(agreement,), tasks=(account,)),
            StageLine(name="live", state="coming", tasks=(account.replace(id="on", state="coming", workflow=None),)),
        ),
        waiting_for=(
            WaitingPart(person=OWNER, since=BEFORE, who="owner", what="decide about it", part="msa"),
            WaitingPart(person=ENGINEER, since=BEFORE, who="operations", what="Create", part="account"),
        ),
        timeline=(
            TimelineEntry(at=BEFORE, happened=EventType.STARTED, who=OWNER),
            TimelineEntry(at=BEFORE, happened=EventType.PART_DECLINED, about="msa", by=ENGINEER),
            TimelineEntry(at=BEFORE, happened=EventType.NOBODY_ASKED, about="msa", why="the directory gives no answer"),
            TimelineEntry(at=BEFORE, happened=EventType.PART_WAIVED, about="dpa"),
        ),
        says="Stage 1 of 2",
    )
    return view.replace(**changes)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Office]:
    async with office(tmp_path) as opened_office:
        opened_office.views[ACME] = make_onboarding_view()
        yield opened_office


async def test_its_owner_sees_with_whom_each_part_is_and_where_its_own_page_is(desk: Office) -> None:
    page = await (await desk.come_in(OWNER)).get(PAGE)
    text = text_of(page)
    for phrase in (
        "Waiting for a decision Master services agreement declined The price is <too> high. Send again",
        "agreements under way Mon, 23 Nov, 15:00",
        "Master services agreement waits for a decision declined",
        "with Engineer since Mon, 23 Nov, 15:00 Due in 20 days, Wed, 16 Dec Wed, 16 Dec 2026, 15:00 (Amsterdam)",
        "live comes later",
        "Owner asked for it",
        "Acme under way Customer onboarding · asked by",
        "Waiting for Owner and Engineer.",
        "Master services agreement was declined (by Engineer)",
        "Nobody could be asked what is to become of Master services agreement",
        "dpa was waived",
        "See what the customer sees",
    ):
        assert phrase in text
    links = re.findall(r'<li><span class="person"><a href="/people/desk/([^"]+)"', page.text)
    assert links == [f"{part}?list=onboardings/acme" for part in ("requests/acme.1.1", "tasks/acme.1.2")]
    ways = re.findall(r'<a href="/people/desk/onboardings/acme/(msa/[a-z]+)"', page.text)
    assert ways == ["msa/resend", "msa/waive", "msa/stop"]
    assert "&lt;too&gt;" in page.text


async def test_the_reason_stands_beside_the_decision_and_a_part_leads_back_to_its_onboarding(desk: Office) -> None:
    price = "The fee of annex <B> is missing."
    signer = SignerLine(person=ENGINEER, role=Role.SIGN, order=1, state=SignerState.DECLINED, reason=price)
    agreement = RequestShow(
        id="acme.1.1", kind="nda", status=Status.DECLINED, requester=OWNER, document="Terms", signers=(signer,)
    )
    desk.views["acme.1.1"] = agreement
    owner = await desk.come_in(OWNER)
    waiting = text_of(await owner.get(PAGE)).partition("Waiting for a decision")[2].partition("agreements under way")[0]
    assert price in waiting and "Go on without it" in waiting
    page = await owner.get("/desk/requests/acme.1.1?list=onboardings/acme")
    assert '<p class="back"><a href="/people/desk/onboardings/acme">‹ Onboarding acme</a></p>' in page.text
    for origin in ("onboardings/other", "requests/acme", "https://elsewhere.example"):
        text = (await owner.get(f"/desk/requests/acme.1.1?list={origin}")).text
        assert '<p class="back"><a href="/people/desk/asked">' in text


async def test_whoever_is_waited_for_may_look_and_knows_no_reasons_and_others_find_nothing(desk: Office) -> None:
    engineer = await desk.come_in(ENGINEER)
    page = await engineer.get(PAGE)
    assert "Create the account" in text_of(page)
    assert "price" not in page.text
    assert "/journey/" not in page.text
    assert "/msa/" not in page.text
    for path in (f"{PAGE}/msa/waive", f"{PAGE}/cancel"):
        assert (await engineer.get(path)).status_code == 404
    assert (await (await desk.come_in(REQUESTER)).get(PAGE)).status_code == 404
    for person in (OPERATOR,):
        assert "msa/resend" in (await (await desk.come_in(person)).get(PAGE)).text
    assert "price" not in (await (await desk.come_in(LEAD)).get(PAGE)).text


@pytest.mark.parametrize(
    ("choice", "reason", "confirmation"),
    [
        (PartOutcome.RESEND, "", "It begins once more."),
        (PartOutcome.WAIVE, "They signed on paper.", "The onboarding goes on without it."),
        (PartOutcome.STOP, "They went elsewhere.", "It is being stopped."),
    ],
)
async def test_what_the_owner_decides_reaches_the_onboarding_once(
    desk: Office, choice: PartOutcome, reason: str, confirmation: str
) -> None:
    owner = await desk.come_in(OWNER)
    asking = await owner.get(f"{PAGE}/msa/{choice}")
    assert (" required" in asking.text) is not choice.is_restart
    answer = await owner.press(asking, text=reason)
    await owner.press(asking, text=reason)
    [(reference, command, op), (_, _, repeated_op)] = desk.commands
    assert (reference, op) == (ACME, repeated_op), "one form is one change"
    assert command == Decision(actor=OWNER, op=op, part="msa", choice=choice, reason=reason)
    assert confirmation in text_of(await owner.get(inside(answer)))


async def test_the_page_that_asks_names_the_part_that_is_decided_about(desk: Office) -> None:
    page = await (await desk.come_in(OWNER)).get(f"{PAGE}/msa/resend")
    assert "Master services agreement" in page.text


async def test_what_is_not_to_decide_any_more_is_said_and_changes_nothing(desk: Office) -> None:
    owner = await desk.come_in(OWNER)
    asking = await owner.get(f"{PAGE}/msa/waive")
    desk.answer = CommandRefused(Rejection.NOTHING_TO_DECIDE.to_message(part="msa", state="signed"))
    answer = await owner.press(asking, text="On paper.")
    assert answer.status_code == 409
    assert "This was not done: there is nothing to decide about it any more." in text_of(answer)
    assert "On paper." in answer.text
    desk.answer = NotRunning("acme has ended")
    late = await owner.press(asking, text="On paper.")
    assert "done=late" in inside(late)
    for nowhere in (f"{PAGE}/account/waive", f"{PAGE}/other/waive"):
        assert inside(await owner.get(nowhere)).endswith("/desk/onboardings/acme")
    for nonsense in (f"{PAGE}/msa/replace", f"{PAGE}/msa/nonsense", f"{PAGE}/pause/x"):
        assert (await owner.get(nonsense)).status_code == 404


async def test_an_onboarding_is_stopped_and_nothing_else_is_on_offer(desk: Office) -> None:
    owner = await desk.come_in(OWNER)
    page = await owner.get(PAGE)
    assert text_of(page).count("Stop the onboarding") == 1, "beside the part to decide about"
    await owner.press(await owner.get(f"{PAGE}/cancel"), text="They went elsewhere.")
    [(_, command, op)] = desk.commands
    assert command == Cancellation(actor=OWNER, op=op, reason="They went elsewhere.")
    desk.views[ACME] = make_onboarding_view(status=Status.DONE)
    assert "msa/waive" not in (await owner.get(PAGE)).text


async def test_of_ten_times_the_parts_of_a_stage_some_are_shown_and_the_others_counted(desk: Office) -> None:
    tasks = tuple(
        make_onboarding_view().stages[0].tasks[0].replace(id=f"t-{n}") for n in range(PARTS_SHOWN_AT_MOST * 10)
    )
    desk.views[ACME] = make_onboarding_view(stages=(StageLine(name="agreements", state="open", tasks=tasks),))
    page = await (await desk.come_in(OWNER)).get(PAGE)
    assert page.text.count('<li><span class="person">') == PARTS_SHOWN_AT_MOST
    assert f"and {PARTS_SHOWN_AT_MOST * 9} more" in text_of(page)


@pytest.mark.parametrize(
    ("choice", "must"), [(PartOutcome.RESEND, False), (PartOutcome.WAIVE, True), (PartOutcome.STOP, True)], ids=str
)
def test_whoever_goes_on_without_a_part_or_stops_must_say_why(choice: PartOutcome, must: bool) -> None:
    step = ActionForm.for_part("msa", choice)
    assert step and step.spec.field == "Why" and step.spec.is_needed is must
