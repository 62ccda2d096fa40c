"""The README's pictures, taken of a stack in the middle and at the end of the example's life: `make pictures`."""

import asyncio
import hashlib
import random
import re
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Browser, Page, expect
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from activities.records.outcomes import MemberOutcome, MemberStatus
from deploy.demo.chromium import HOW_TO_HAVE_THEM, chromium, executable
from deploy.demo.proof import DOCS
from starter.cli.campaign import write
from starter.queries.campaign_report import CampaignReport
from tests.browser.contract import CUSTOMER, EXECUTIVE, LEGAL, Contract
from tests.browser.phone import Phone
from tests.browser.test_desk import begin as begin_at_desk
from tests.browser.test_desk import come_in
from tests.faults.town import eventually
from tests.lines import make_report
from tests.stack.laptop import Laptop, running
from workflows.model.subject import Status
from workflows.model.views import CampaignShow

FOLDER: Final = DOCS / "pictures"
OFFICER: Final = "operating-officer"
_PHONE: Final = (390, 640)
_DESK: Final = (1700, 1900)
_WIDE_DESK: Final = (1900, 1000)
_SCREEN: Final = (1440, 700)
_PLAN: Final = (1100, 1180)
_TALL: Final = (1000, 1180)
_PACK: Final = (800, 800)
_TERMINAL: Final = (760, 900)
_COLUMNS: Final = 80
_SHARP: Final = 2
_LEGIBLE: Final = 1.15
_MOST_STEPS: Final = 7
_SHARE: Final = 0.93
"""Of those who acknowledge."""
_TERMINAL_PAGE: Final = """<!doctype html>
<style>
  body {{ margin: 0 }}
  pre {{ display: inline-block; margin: 0; padding: 20px 24px; background: {background}; color: {foreground};
        font: 13px/1.5 "DejaVu Sans Mono", Menlo, Consolas, monospace }}
</style>
<pre>{code}</pre>"""


async def take(contract: Contract, browser: Browser) -> None:
    """Live through the example and take every picture on the way."""
    await first_notice(contract, browser)
    await pass_days(contract, 1)
    await sign(contract, browser, CUSTOMER)
    await contract.wait_for_view(lambda view: view["waiting_for"][0]["person"] == EXECUTIVE)
    await pass_days(contract, 3, 3)
    await in_between(contract, browser)
    await at_the_desk(contract, browser)
    await pass_days_until_somebody_else_is_asked(contract)
    await sign_from_the_mail(contract, browser, OFFICER)
    await contract.wait_for_view(
        lambda view: view["handoffs"] and all(hand_off["state"] == "done" for hand_off in view["handoffs"])
    )
    await timeline(contract, browser)


async def first_notice(contract: Contract, browser: Browser) -> None:
    """The phone, our page and the signing page, one tap after the other."""
    async with screen(browser, _PHONE, _SHARP) as page:
        phone = Phone(page, contract.laptop.addresses["sandbox"])
        await phone.inbox(CUSTOMER)
        await expect(phone.notice(contract.document)).to_be_visible()
        await page.screenshot(path=FOLDER / "inbox.png")
        await phone.notice(contract.document).click()
        await expect(phone.button("Read and sign")).to_be_visible()
        await first_page_is_there(page)
        await page.screenshot(path=FOLDER / "open.png")
        await phone.button("Read and sign").click()
        await expect(phone.button("Sign")).to_be_visible()
        await page.screenshot(path=FOLDER / "sign.png")


async def first_page_is_there(page: Page) -> None:
    """The first page of the document was drawn and is shown."""
    drawn = page.locator("img.first-page")
    assert await drawn.evaluate("async image => { await image.decode(); return image.naturalWidth; }")


async def sign(contract: Contract, browser: Browser, person: str) -> None:
    """From the notice to the signature."""
    async with screen(browser, _PHONE) as page:
        phone = Phone(page, contract.laptop.addresses["sandbox"])
        await phone.inbox(person)
        await phone.notice(contract.document).first.click()
        await phone.button("Read and sign").click()
        await phone.button("Sign").click()
        await expect(phone.heading("You have signed")).to_be_visible()


async def sign_from_the_mail(contract: Contract, browser: Browser, person: str) -> None:
    """As whoever was asked instead: Core Signature sends them a link of their own."""
    async with screen(browser, _PHONE) as page:
        phone = Phone(page, contract.laptop.addresses["sandbox"])
        await phone.inbox(person)
        await phone.notice(contract.document).filter(has_text="Open the document").click()
        await phone.button("Sign").click()
        await expect(phone.heading("You have signed")).to_be_visible()


async def in_between(contract: Contract, browser: Browser) -> None:
    """What the command and the Web UI say while a signature is missing."""
    typed = contract.laptop.type("request", "show", contract.id, FORCE_COLOR="1", COLUMNS=str(_COLUMNS))
    async with screen(browser, _TERMINAL, _LEGIBLE) as page:
        await page.set_content(terminal(f"$ countersign request show {contract.id}\n{typed.stdout}"))
        await page.locator("pre").screenshot(path=FOLDER / "request-show.png")
    async with screen(browser, _WIDE_DESK) as page:
        await page.goto(f"{await web_ui(contract, page)}/user-metadata")
        await expect(page.frame_locator("iframe").last.get_by_role("heading", name="Waiting for")).to_be_visible()
        details = page.get_by_role("heading", name="Current Details").locator("xpath=../../..")
        await details.screenshot(path=FOLDER / "web-ui-details.png")


async def at_the_desk(contract: Contract, browser: Browser) -> None:
    """What whoever asked finds at the desk: the list on a screen, the request there and on a phone by night."""
    receiver = contract.laptop.addresses["receiver"]
    async with screen(browser, _SCREEN) as page:
        await come_in(Phone(page, contract.laptop.addresses["sandbox"]), contract.laptop, LEGAL)
        await page.goto(f"{receiver}/desk/asked")
        await expect(page.get_by_role("link", name=contract.document)).to_be_visible()
        await page.screenshot(path=FOLDER / "desk.png")
        await page.goto(f"{receiver}/desk/requests/{contract.id}")
        await expect(page.get_by_role("heading", name="What happened")).to_be_visible()
        await page.screenshot(path=FOLDER / "desk-request.png")
        await page.set_viewport_size({"width": _PHONE[0], "height": _PHONE[1]})
        await page.emulate_media(color_scheme="dark")
        await page.screenshot(path=FOLDER / "desk-phone.png")


async def timeline(contract: Contract, browser: Browser) -> None:
    """The whole life in the Web UI."""
    async with screen(browser, _DESK) as page:
        await page.goto(f"{await web_ui(contract, page)}/timeline")
        await expect(page.get_by_text("create at Core Signature")).to_be_visible()
        section = page.get_by_role("heading", name="Timeline").locator("xpath=../../..")
        await section.screenshot(path=FOLDER / "web-ui.png")


async def proof(laptop: Laptop, request: str, browser: Browser) -> None:
    """The evidence of the request, on the page that an auditor opens as a file."""
    pack = laptop.folder / f"{request}.zip"

    async def exported() -> Any:
        return (await asyncio.to_thread(laptop.type, "audit", "export", request, "-o", str(pack))).returncode == 0

    assert await eventually(exported)
    async with screen(browser, _PACK, _LEGIBLE) as page:
        await page.goto((DOCS / "verify.html").as_uri())
        await page.get_by_label("The public keys").fill((laptop.folder / "evidence.pem.pub").read_text())
        await page.get_by_label("The pack").set_input_files(pack)
        await expect(page.get_by_role("status")).to_contain_text("It holds")
        await page.screenshot(path=FOLDER / "verify.png")


async def begin(laptop: Laptop, browser: Browser) -> None:
    """What somebody sees at the desk who begins a request: its plan before it is sent, and the first page after it."""
    for number, (assignee, days) in enumerate((("legal-desk", 3), ("hr-desk", 0), ("hr-desk", 5), ("chair", 30)), 1):
        owner = "account-executive" if assignee == LEGAL else LEGAL
        file, due = laptop.folder / f"task-{number}.yaml", datetime.now(UTC).date() + timedelta(days=days or 1)
        file.write_text(
            f"{{id: paper-{number}, kind: team-task, title: Check the papers of {number}, owner: {owner}, "
            f'who: {{person: {assignee}}}, due: "{due}"}}'
        )
        await asyncio.to_thread(laptop.answer, "task", "start", str(file))
    async with screen(browser, _SCREEN) as page:
        await come_in(Phone(page, laptop.addresses["sandbox"]), laptop, LEGAL)
        await begin_at_desk(page, "New request")
        await page.get_by_label("Kind").select_option(label="Sales contract")
        await page.get_by_label("PDF", exact=True).set_input_files(laptop.folder / "example" / "msa.pdf")
        await page.get_by_label("Name of the document").fill("Order 4711")
        await page.get_by_role("button", name="Go on", exact=True).click()
        for person in (CUSTOMER, EXECUTIVE):
            await page.get_by_role("combobox", name=re.compile("^Add somebody")).fill(person)
            await page.get_by_role("button", name="Find", exact=True).click()
        for _ in range(2):  # It has no reviewers.
            await page.get_by_role("button", name="Go on", exact=True).click()
        await page.get_by_label("Due date").fill(f"{datetime.now(UTC) + timedelta(days=20):%Y-%m-%d}")
        await page.get_by_role("button", name="Go on", exact=True).click()
        await expect(page.get_by_role("heading", name="If nobody acts")).to_be_visible()
        await page.set_viewport_size({"width": _PLAN[0], "height": _PLAN[1]})
        await page.screenshot(path=FOLDER / "desk-plan.png")
        await page.get_by_role("button", name="Send", exact=True).click()
        await expect(page.get_by_role("status")).to_be_visible()
        await page.goto(f"{laptop.addresses['receiver']}/desk/asked")
        await expect(page.get_by_role("link", name="Order 4711")).to_be_visible()
        await page.goto(f"{laptop.addresses['receiver']}/desk")
        await page.set_viewport_size({"width": _SCREEN[0], "height": _SCREEN[1]})
        await page.screenshot(path=FOLDER / "desk-first.png")


async def onboard(laptop: Laptop, browser: Browser) -> None:
    """What the customer sees of their onboarding on the phone, and its owner at the desk."""
    await asyncio.to_thread(laptop.answer, "onboard", "start", str(laptop.folder / "example" / "acme.yaml"))

    async def has_been_asked() -> Any:
        view = await asyncio.to_thread(laptop.answer, "onboard", "show", "acme")
        return [part for part in view["stages"][0]["agreements"] if part["status"] == "sent"]

    assert await eventually(has_been_asked)
    link = await asyncio.to_thread(laptop.answer, "onboard", "link", "acme")
    async with screen(browser, _PHONE, _SHARP) as page:
        await page.goto(link["link"])
        await expect(page.get_by_role("heading", name="Your turn")).to_be_visible()
        await page.screenshot(path=FOLDER / "journey.png")
    view = await asyncio.to_thread(laptop.answer, "onboard", "show", "acme")
    async with screen(browser, _SCREEN) as page:
        await come_in(Phone(page, laptop.addresses["sandbox"]), laptop, view["requester"])
        await page.goto(f"{laptop.addresses['receiver']}/desk/onboardings/acme")
        await expect(page.get_by_role("heading", name="What happened")).to_be_visible()
        await page.screenshot(path=FOLDER / "desk-onboarding.png")


async def campaign(laptop: Laptop, browser: Browser) -> None:
    """What somebody is asked to acknowledge, the campaign before its owner, and the record of a larger one."""
    await asyncio.to_thread(laptop.answer, "campaign", "start", str(laptop.folder / "example" / "conduct.yaml"))

    async def are_all_told() -> Any:
        counts = (await asyncio.to_thread(laptop.answer, "campaign", "show", "conduct"))["counts"]
        return counts["told"] == sum(counts.values())

    assert await eventually(are_all_told)
    for person in ("account-executive", OFFICER, "operations-desk"):
        async with screen(browser, _PHONE, _SHARP) as page:
            phone = Phone(page, laptop.addresses["sandbox"])
            await phone.inbox(person)
            await phone.notice("Code of conduct").first.click()
            await expect(phone.button("Read and sign")).to_be_visible()
            await first_page_is_there(page)
            await page.screenshot(path=FOLDER / "acknowledge.png")
            await phone.button("Read and sign").click()
            await phone.button("Sign").click()
            await expect(phone.heading("You have signed")).to_be_visible()
    async with screen(browser, _TALL) as page:
        await come_in(Phone(page, laptop.addresses["sandbox"]), laptop, "hr-desk")
        await page.goto(f"{laptop.addresses['receiver']}/desk/campaigns/conduct")
        await expect(page.get_by_role("heading", name="What happened")).to_be_visible()
        await page.screenshot(path=FOLDER / "desk-campaign.png")
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "record.html"
        await write(record, a_record())
        async with screen(browser, _TALL) as page:
            await page.goto(record.as_uri())
            await page.screenshot(path=FOLDER / "campaign-report.png")


def a_record() -> CampaignReport:
    """180 people of five departments, of whom some acknowledge at once and others with each reminder."""
    chance, opens = random.Random(3), datetime(2026, 12, 1, 8, tzinfo=UTC)  # noqa: S311  nothing secret
    view = CampaignShow(
        id="conduct-2026",
        kind="code-of-conduct",
        status=Status.DONE_WITH_ERRORS,
        requester="compliance-desk",
        title="Code of conduct",
        version="2026.1",
        effective=opens.date(),
        approver="chair",
        opens_at=opens,
        due=date(2026, 12, 15),
        due_at=datetime(2026, 12, 16, 12, tzinfo=UTC),
        closes_at=datetime(2026, 12, 23, 12, tzinfo=UTC),
        outcomes=hashlib.sha256(b"outcomes").hexdigest(),
    )
    lines = [_make_outcome(number, view, chance) for number in range(1, 181)]
    return make_report(view, lines)


def _make_outcome(number: int, view: CampaignShow, chance: random.Random) -> MemberOutcome:
    department = ("Finance", "Legal", "Operations", "Sales", "Support")[number % 5]
    person, sent_at = f"employee-{number:03d}", view.opens_at.isoformat()
    line = MemberOutcome(
        number, person, f"{view.id}.{person}", "", sent_at, department=department, manager=f"{department.lower()}-lead"
    )
    line = line._replace(due=view.due.isoformat())
    if chance.random() < _SHARE:
        days = chance.choice((0, 0, 0, 0, 1, 1, 1, 3, 3, 3, 4, 6, 6, 7, 9, 9, 12, 13, 13, 14, 14, 16, 18))
        signed_at = view.opens_at + timedelta(days=days, hours=chance.triangular(0.2, 9, 1.5))
        late = signed_at.date() > view.due
        status = MemberStatus.LATE if late else MemberStatus.ACKNOWLEDGED
        return line._replace(status=status, signed_at=signed_at.isoformat(), late=late, reminders=min(5, days // 3))
    status = chance.choice((MemberStatus.DECLINED, MemberStatus.EXPIRED, MemberStatus.EXEMPT, MemberStatus.FAILED))
    return line._replace(status=status, reminders=5)


def terminal(output: str) -> str:
    """A page that looks like the terminal that printed this."""
    console = Console(record=True, width=_COLUMNS + 2, file=StringIO(), color_system="truecolor", force_terminal=True)
    console.print(Text.from_ansi(output.rstrip()))
    return console.export_html(inline_styles=True, theme=MONOKAI, code_format=_TERMINAL_PAGE)


async def web_ui(contract: Contract, page: Page) -> str:
    """The address of this run's pages: the Web UI itself finds the run."""
    base = contract.laptop.addresses["web_ui"]
    await page.goto(f"{base}/namespaces/default/workflows/signature-request%3A{contract.id}")
    await page.wait_for_url("**/timeline")
    return page.url.removesuffix("/timeline")


async def pass_days(contract: Contract, *steps: int) -> None:
    """Move the request's clock, one reminder at a time."""
    for days in steps:
        await asyncio.to_thread(contract.laptop.answer, "fast-forward", contract.id, f"{days}d")


async def pass_days_until_somebody_else_is_asked(contract: Contract) -> None:
    """Reminder after reminder; working hours and weekends make it a different number of days each time."""
    for _ in range(_MOST_STEPS):
        if (await contract.wait_for_view())["escalations"]:
            return
        await pass_days(contract, 3)
    raise AssertionError(f"nobody else was asked within {_MOST_STEPS} steps of three days")


@asynccontextmanager
async def screen(browser: Browser, size: tuple[int, int], scale: float = 1) -> AsyncIterator[Page]:
    """A page of this size in CSS pixels."""
    width, height = size
    context = await browser.new_context(viewport={"width": width, "height": height}, device_scale_factor=scale)
    try:
        yield await context.new_page()
    finally:
        await context.close()


async def main(path: str) -> None:
    """Take them all, on a stack of its own."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "data") as laptop:
        async with chromium(path) as browser:
            contract = Contract(laptop, "msa-0042", "Master services agreement")
            await asyncio.to_thread(laptop.answer, "request", "start", str(laptop.example))
            await contract.wait_for_view(lambda view: view["notifications"])
            await take(contract, browser)
            await proof(laptop, contract.id, browser)
            await begin(laptop, browser)
            await onboard(laptop, browser)
            await campaign(laptop, browser)
    for picture in sorted(FOLDER.glob("*.png")):
        print(f"{picture.stat().st_size // 1024:>5} kB  {picture.name}")


if __name__ == "__main__":
    browser_here = executable()
    asyncio.run(main(browser_here)) if browser_here else sys.exit(HOW_TO_HAVE_THEM)
