"""Every page in every state: nothing lies outside the screen, and a screen reader has a name for everything."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from activities.notifications.links import LinkUse
from starter.web.acting.actions import ACTIONS, Action
from starter.web.screens.screens import ScreenName
from starter.web.screens.view_reader import FRESH_SECONDS
from tests.browser.contract import CUSTOMER, EXECUTIVE_MAIL, LEGAL, Contract
from tests.browser.phone import Phone, fresh
from tests.browser.stages import (
    REQUESTER,
    STAGES,
    TYPED,
    Stage,
    answered,
    answering,
    blocked,
    deciding,
    declined,
    finding,
    refused,
)
from tests.stack.laptop import Laptop
from tests.starter.web import paging
from tests.starter.web.paging import FIRST, SECOND
from workflows.model.commands import Problem
from workflows.model.subject import Code, Status

pytestmark = [pytest.mark.browser, pytest.mark.real_server, pytest.mark.asyncio(loop_scope="session")]

CHAIR = "chair"  # whom few other tests write to: many notices at once are gathered into one
LONG = ("Donaudampfschifffahrtsgesellschaftskapitänsmützenvertrag" * 3)[:150] + " عقد الخدمات 🖋️"
ACTS: Mapping[ScreenName, set[Action]] = {
    ScreenName.SIGN: {Action.SIGN, Action.LATER, Action.DELEGATE, Action.ASK},
    ScreenName.APPROVE: {Action.SIGN},
    ScreenName.REVIEW: {Action.APPROVE, Action.CHANGES, Action.ASK},
    ScreenName.REVISE: {Action.REVISE},
    ScreenName.DO: {Action.DONE, Action.LATER, Action.DELEGATE, Action.BLOCK, Action.ASK},
    ScreenName.CODE: {Action.SIGN},
    ScreenName.BY_MAIL: {Action.RESEND, Action.LATER, Action.ASK},
    ScreenName.STANDING: {Action.ANSWER},
    ScreenName.RENEWED: {Action.RESEND},
    ScreenName.NOT_DONE: {Action.ASK},
    ScreenName.UNCERTAIN: {Action.ASK},
}
"""What can be done on a screen; on all others nothing."""


@pytest_asyncio.fixture(loop_scope="session")
async def stage(screen: Page, tmp_path: Path) -> AsyncIterator[Stage]:
    """Pages and a phone for one screen."""
    async with paging.phone(tmp_path) as pages, fresh(screen, pages.sandbox.url) as phone:
        yield Stage(phone, pages)


@pytest.mark.parametrize("name", ScreenName)
async def test_a_screen_of_ours(stage: Stage, name: ScreenName) -> None:
    await STAGES[name](stage)
    await expect(stage.phone.screen(name)).to_be_visible()
    assert await stage.phone.acts() == ACTS.get(name, set())
    await stage.phone.unfold()
    await stage.phone.is_usable()


async def test_everything_that_can_be_done_is_on_one_of_these_screens() -> None:
    elsewhere = {Action.UNBLOCK, Action.TAKE, Action.AGAIN, Action.GO_ON, Action.STOP, Action.FIND}
    at_the_desk = {action for action, spec in ACTIONS.items() if not spec.on_page}
    assert set().union(*ACTS.values()) | elsewhere == set(Action) - at_the_desk


async def test_an_owner_decides_on_the_page_of_the_notice(stage: Stage) -> None:
    await deciding(stage)
    await expect(stage.phone.heading("Your decision is needed")).to_be_visible()
    assert await stage.phone.acts() == {
        Action.AGAIN,
        Action.GO_ON,
        Action.STOP,
        Action.LATER,
        Action.DELEGATE,
        Action.ASK,
    }
    await stage.phone.unfold()
    await stage.phone.is_usable()


async def test_the_field_for_an_answer_stands_in_front_and_the_receipt_leads_back(stage: Stage) -> None:
    await answering(stage)
    await stage.phone.page.get_by_label("Address for invoices").fill("1 Rue du Port, Paris")
    await stage.phone.is_usable()
    await answered(stage)
    await expect(stage.phone.page.get_by_text("1 Rue du Port, Paris")).to_be_visible()
    await stage.phone.is_usable()


async def test_who_declined_and_whose_colleague_did_read_which_document_and_why(stage: Stage) -> None:
    for person, heading in ((FIRST, "You declined"), (SECOND, "This request has ended")):
        await declined(stage, person)
        await expect(stage.phone.heading(heading)).to_be_visible()
        await expect(stage.phone.page.get_by_text("Annex B is missing.")).to_be_visible()
        await stage.phone.is_usable()


async def test_a_colleague_is_looked_for_by_name(stage: Stage) -> None:
    await finding(stage)
    await expect(stage.phone.button("Hand over to Director 7 Management")).to_be_visible()
    await stage.phone.unfold()
    await stage.phone.is_usable()


async def test_whoever_asked_for_a_task_clears_the_way_where_it_stands(stage: Stage) -> None:
    await blocked(stage)
    await expect(stage.phone.screen(ScreenName.STANDING)).to_be_visible()
    assert await stage.phone.acts() == {Action.UNBLOCK}
    await stage.phone.is_usable()


@pytest.mark.long
async def test_where_a_request_stands(stage: Stage) -> None:
    problem = Problem(code=Code.DIRECTORY, since=paging.NOW, says="the directory does not answer")
    for status in Status:
        stage.pages.watch.now += FRESH_SECONDS
        stage.know(status=status, problem=None if status.has_ended else problem)
        await stage.open(stage.pages.link(REQUESTER, LinkUse.VIEW))
        await expect(stage.phone.screen(ScreenName.STANDING)).to_be_visible()
        await stage.phone.is_usable()


async def test_what_is_left_of_a_link(stage: Stage) -> None:
    for outcome in [status for status in Status if status.has_ended]:
        stage.pages.watch.now += FRESH_SECONDS
        stage.know(status=outcome)
        await stage.open(stage.pages.link())
        await expect(stage.phone.screen(ScreenName.ENDED)).to_be_visible()
        await stage.phone.is_usable()


async def test_a_refusal_stands_above_what_was_written(stage: Stage) -> None:
    await refused(stage)
    await expect(stage.phone.page.get_by_role("alert")).to_have_text("This was not done: a question is open already.")
    await expect(stage.phone.page.get_by_label("What would you like to know?")).to_have_value(TYPED)
    await stage.phone.is_usable()


@pytest.mark.parametrize("name", [ScreenName.NOT_DONE, ScreenName.UNCERTAIN])
async def test_what_was_written_is_not_lost_while_nobody_answers(stage: Stage, name: ScreenName) -> None:
    await STAGES[name](stage)
    await expect(stage.phone.page.get_by_label("What would you like to know?")).to_have_value(TYPED)


async def test_from_a_screen_of_trouble_one_tap_tries_again(stage: Stage) -> None:
    await STAGES[ScreenName.NO_ANSWER](stage)
    await expect(stage.phone.screen(ScreenName.NO_ANSWER)).to_be_visible()
    stage.pages.sandbox.state.faults.clear()
    await stage.phone.page.get_by_role("link", name="Try again").tap()
    await expect(stage.phone.screen(ScreenName.SIGN)).to_be_visible()


@pytest.mark.parametrize("path", ["/", "/inbox/nobody", f"/inbox/{CUSTOMER}", "/sign/nowhere"])
async def test_a_page_of_the_sandbox(phone: Phone, waiting: Contract, path: str) -> None:
    await phone.open(waiting.laptop.addresses["sandbox"] + path)
    await phone.is_usable()


async def test_the_signing_page_of_somebody_whose_turn_comes_later(phone: Phone, waiting: Contract) -> None:
    await phone.open(await waiting.signing_page(EXECUTIVE_MAIL))
    await expect(phone.heading("It is not your turn yet")).to_be_visible()
    await phone.is_usable()


@pytest.mark.long
async def test_a_name_of_the_greatest_length_stays_on_the_screen(phone: Phone, laptop: Laptop) -> None:
    contract = await Contract.start(laptop, "long-name", LONG, first=f"person: {CHAIR}")
    await phone.inbox(CHAIR)
    await expect(phone.notice(LONG[:40])).to_be_visible()
    await phone.is_usable()
    await phone.open(contract.link(LEGAL, LinkUse.VIEW))
    await phone.is_usable()
    await phone.open(contract.link(CHAIR))
    await phone.is_usable()
    await phone.button("Read and sign").tap()
    await expect(phone.heading(LONG)).to_be_visible()
    await phone.is_usable()
    await phone.page.get_by_text("Decline instead").tap()
    await phone.is_usable()
    await phone.button("Sign").tap()
    await expect(phone.heading("You have signed")).to_be_visible()
    await phone.is_usable()
