"""A task on two phones: from the notice to its page, and off the other phone once it is done."""

import re

import pytest
from playwright.async_api import expect

from activities.launch.task_file import PreparedTask
from activities.people.ids import stands_in_full
from activities.policies.catalogue import Catalogue
from starter.cli import start_files
from starter.config import settings
from starter.config.settings import Need
from starter.temporal.connection import opened
from starter.web.screens.screens import ScreenName
from tests.browser.contract import CUSTOMER, EXECUTIVE, LEGAL
from tests.browser.phone import Phone
from tests.stack.laptop import Laptop
from workflows.model.policy import Policy
from workflows.model.subject import Participant, Role, Task
from workflows.task.state import TaskInput

pytestmark = [pytest.mark.browser, pytest.mark.real_server, pytest.mark.asyncio(loop_scope="session")]

TITLE = "Hand out the keys"
STUCK, WAY = "The cabinet is locked.", "The porter has the key."


async def start(laptop: Laptop, id: str, title: str = TITLE) -> None:
    """Ask two people to do it."""
    people = tuple(Participant(person=person, role=Role.DO) for person in (CUSTOMER, EXECUTIVE))
    task = Task(id=id, kind="task", title=title, requester=LEGAL, people=people, text="One for everybody.")
    own_settings = settings.load(Need.PEOPLE, environment=laptop.addresses["env"])
    task_input = TaskInput(task=task, policy=Policy(expires=False), fingerprint="f" * 64)
    async with opened(own_settings) as context:
        await start_files.start(
            context, PreparedTask(task_input, Catalogue.read(own_settings.policies).resolve("team-task"))
        )


@pytest.mark.long
async def test_a_task_is_blocked_unblocked_and_done_and_the_others_notice_vanishes(
    phone: Phone, laptop: Laptop
) -> None:
    await start(laptop, "keys")
    await phone.inbox(EXECUTIVE)
    notices_of_other = phone.notice(TITLE)
    await expect(notices_of_other).not_to_have_count(0)
    theirs = await notices_of_other.last.get_attribute("href") or ""

    await phone.inbox(CUSTOMER)
    await phone.notice(TITLE).filter(has_text="To do: ").tap()
    await expect(phone.heading("A task for you")).to_be_visible()
    await phone.page.get_by_text("I cannot go on, because …").tap()
    await phone.page.get_by_label("What is stopping you?").fill(STUCK)
    await phone.button("Send this").tap()
    await expect(phone.page.get_by_text("Not answered yet.")).to_be_visible()

    await phone.inbox(LEGAL)
    await phone.notice(TITLE).filter(has_text="Please clear the way.").tap()
    await expect(phone.page.get_by_text(STUCK)).to_be_visible()
    await phone.page.get_by_label("How can it go on?").fill(WAY)
    await phone.button("It can go on").tap()
    await expect(phone.page.get_by_text(WAY)).to_be_visible()

    await phone.inbox(CUSTOMER)
    await phone.notice(TITLE).filter(has_text="has answered you").tap()
    await phone.button("Mark as done").first.tap()
    await expect(phone.heading("You have done this")).to_be_visible()
    await phone.is_usable()

    await phone.inbox(EXECUTIVE)
    await expect(notices_of_other).to_have_count(0)
    await phone.finds(theirs, "Somebody else has done it")
    await phone.is_usable()
    await phone.inbox(LEGAL)
    await expect(phone.notice(TITLE)).to_contain_text(["Done: "])


@pytest.mark.long
async def test_a_customer_in_full_is_answered_and_hands_over_to_a_colleague(phone: Phone, laptop: Laptop) -> None:
    title = "Tell us where the invoices go"
    file = laptop.folder / "example" / "billing.yaml"
    file.write_text(f"""
id: acme.billing
kind: team-task
title: {title}
owner: {LEGAL}
who:
  name: Buyer
  email: buyer@customer.test
  zone: Europe/Paris
  locale: fr
  devices: [{{token: buyer~1, platform: ios}}]
colleagues:
  - {{name: Back office, email: office@customer.test, zone: Europe/Paris,
     devices: [{{token: office~1, platform: android}}]}}
  - {{name: Accounts, email: accounts@customer.test, zone: Europe/Paris}}
""")
    assert laptop.answer("task", "start", str(file))["created"]
    await phone.inbox("buyer")
    await phone.notice(title).first.tap()
    await expect(phone.heading("Une tâche pour vous")).to_be_visible()
    await phone.is_usable()
    await phone.page.get_by_text("Je ne peux pas continuer, car").tap()
    await phone.page.locator("#block-text").fill(STUCK)
    await phone.page.locator("details[open] button").tap()
    await expect(phone.page.get_by_text(STUCK)).to_be_visible()

    await phone.inbox(LEGAL)
    await phone.notice(title).filter(has_text="Please clear the way.").tap()
    await expect(phone.page.get_by_text("Buyer cannot go on")).to_be_visible()
    await phone.page.get_by_label("How can it go on?").fill(WAY)
    await phone.button("It can go on").tap()
    await expect(phone.page.get_by_text(WAY)).to_be_visible()

    await phone.inbox("buyer")
    await phone.notice(title).last.tap()
    await expect(phone.page).not_to_have_url(re.compile("/inbox/"))
    await phone.again_until(phone.page.get_by_text(WAY))
    await phone.page.get_by_text("Transmettre", exact=True).tap()
    await expect(phone.button("Transmettre à Accounts")).to_be_visible()
    await phone.is_usable()
    await phone.button("Transmettre à Back office").tap()
    await expect(phone.screen(ScreenName.HANDED_OVER)).to_contain_text("Back office")
    await phone.is_usable()

    await phone.inbox("office")
    await phone.notice(title).first.tap()
    await phone.button("Mark as done").first.tap()
    await expect(phone.heading("You have done this")).to_be_visible()
    view = laptop.answer("task", "show", "acme.billing")
    assert [assignee["state"] for assignee in view["people"]] == ["reassigned", "done"]
    assert all(stands_in_full(assignee["person"]) for assignee in view["people"])
