"""Plays the demo on a stack of its own, step by step, until one fails."""

import asyncio
import json
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from stat import S_ISDIR
from time import monotonic
from typing import Any, Final
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime
from rich.console import Group
from rich.table import Table
from rich.text import Text
from standardwebhooks import Webhook, WebhookVerificationError

from activities.http.client import ServiceFailure
from deploy.demo.proof import describe_verification
from deploy.demo.scene import Scene, StepFailure
from deploy.local.environment import LOOPBACK, looks_of
from deploy.local.folder import DataFolder
from deploy.local.stack import planned
from starter.boot import evidence
from starter.cli import start_files as requests
from starter.cli.terminal import Terminal
from starter.config import settings
from starter.config.settings import Need
from starter.errors import Refusal
from starter.temporal.connection import opened
from workflows.kinds import Kind, WorkflowName
from workflows.model.base import Model
from workflows.model.hand_off import HandoffState
from workflows.model.notifications import NotificationOutcome
from workflows.model.subject import Status
from workflows.model.views import RequestShow

CUSTOMER: Final = "customer-signer"
EXECUTIVE: Final = "chief-executive"
ALTERNATE: Final = "operating-officer"
OWNER: Final = "account-executive"
TEAM: Final = "operations-desk"
OFFICE: Final = ZoneInfo("Europe/Amsterdam")
Play = Callable[[Scene], Awaitable[str]]
_PREFIX: Final = "countersign-demo-"
_DATE_WIDTH: Final = len("Wed 25 Nov 13:22 UTC")


@dataclass(frozen=True)
class StoryStep:
    """`name` is for programs; `play` acts, checks, and returns a description."""

    name: str
    play: Play


async def _start(scene: Scene) -> str:
    prepared = await requests.read(scene.settings, str(scene.example), kind=Kind.ONBOARDING)
    started = await requests.start(scene.context, prepared)
    scene.onboarding = started.id
    if not started.created:
        raise StepFailure("a new onboarding", f"{started.id}, which was there before")
    return f"the account executive starts {started.id}: two agreements, the account, the customer's details, a welcome"


async def _created(scene: Scene) -> str:
    for request in (scene.request, scene.second):
        facts = {"external_id": request}
        await scene.wait_until(f"the request {request}", partial(scene.ledger, "request_created", **facts))
        if (document_count := len(await scene.ledger("document_created", **facts))) != 1:
            raise StepFailure("exactly one document", f"{document_count} documents")
    await scene.wait_until("the status sent", partial(_status, scene, Status.SENT))
    return "Core Signature has both documents and their requests, each once"


async def _request_notice(scene: Scene, person: str, stage: str, description: str) -> str:
    pushes = await scene.wait_until(f"{stage} on the phone of {person}", lambda: scene.pushes(person, stage))
    await scene.wait_until(f"{stage} in the ledger of notices", partial(_is_logged, scene, person, stage))
    return f"{description}: “{pushes[-1]['title']}”"


async def _other_notice(scene: Scene, person: str, stage: str, description: str, subject: str = "") -> str:
    """A notice of the onboarding or of one of its parts."""
    subject_id = f"{scene.onboarding}{subject}"
    pushes = await scene.wait_until(
        f"{stage} on the phone of {person}", lambda: scene.pushes(person, stage, subject_id)
    )
    return f"{description}: “{pushes[-1]['title']}”"


async def _customer_signs(scene: Scene) -> str:
    await scene.signs(CUSTOMER, scene.request)
    signer = await scene.wait_until(f"the signature of {CUSTOMER}", lambda: _signed(scene, CUSTOMER))
    await scene.wait_until(
        "the status sent: it is the turn of somebody who has not opened it", partial(_status, scene, Status.SENT)
    )
    return f"the customer opens our page on the phone and signs the first agreement ({signer})"


async def _customer_signs_the_second(scene: Scene) -> str:
    await scene.signs(CUSTOMER, scene.second)
    await scene.wait_until("the second agreement signed", partial(_part_is, scene, "data", "done"))
    return await _other_notice(scene, TEAM, "settled", "and the second, now complete: operations is told", ".1.2")


async def _customer_subscribes(scene: Scene) -> str:
    scene.browser = await scene.subscribes(CUSTOMER)
    return "the customer opens the onboarding's page, and lets the browser notify: no app is needed"


async def _browser_notice(scene: Scene, subject: str) -> str:
    """The notice of the phone, by web push."""
    pushes = await scene.pushes(CUSTOMER, "ready", f"{scene.onboarding}{subject}")
    facts = {"token": scene.browser, "title": pushes[-1]["title"]}
    await scene.wait_until("the same in the browser", lambda: scene.ledger("push", **facts))
    return f"and as a web push in their browser: “{facts['title']}”"


async def _stage(scene: Scene, name: str, description: str) -> str:
    await scene.wait_until(f"the stage {name}", partial(_in_stage, scene, name))
    page = await scene.opens(scene.journey_link)
    if f"Stage 2 of 4: {name}" not in page.text:
        raise StepFailure(f"{name} on the customer's page", f"a page without it ({page.status})")
    return description


async def _task_done(scene: Scene, person: str, part: str, subject: str, description: str, *, answer: str = "") -> str:
    await scene.does(person, f"{scene.onboarding}{subject}", answer)
    await scene.wait_until(f"{part} done", partial(_part_is, scene, part, "done"))
    return description


async def _next_day(scene: Scene) -> str:
    await scene.forward(timedelta(days=1))
    if await scene.pushes(CUSTOMER, "reminder-1"):
        raise StepFailure("no reminder on the first day", "one")
    return "a day passes; nobody is reminded yet"


async def _completed(scene: Scene) -> str:
    calls = await scene.wait_until("a call to the CRM", lambda: scene.ledger("downstream", target="crm"))
    body = json.loads(calls[-1]["raw"])
    state_by_part = {part["id"]: part["state"] for part in body["data"]["parts"]}
    expected = {"services": "signed", "data": "signed", "account": "done", "billing": "done"}
    if (body["type"], len(calls), state_by_part) != ("onboarding.completed", 1, expected):
        raise StepFailure(
            f"one call onboarding.completed with {expected}", f"{len(calls)} calls, the last {body['type']}"
        )
    return "the CRM is called once, with how every part ended"


async def _reminder(scene: Scene, number: int) -> str:
    reminded_at = (await scene.forward_to_next("remind")).astimezone(OFFICE)
    if not (reminded_at.weekday() < 5 and 9 <= reminded_at.hour < 18):
        raise StepFailure("a reminder in working hours", f"{reminded_at:%a %H:%M} in {OFFICE.key}")
    description = f"{reminded_at:%A %H:%M} at the office: reminder {number} of 3"
    return await _request_notice(scene, EXECUTIVE, f"reminder-{number}", description)


async def _escalation(scene: Scene) -> str:
    await scene.forward_to_next("escalate")
    await _request_notice(scene, EXECUTIVE, "reassigned", "")
    description = await _request_notice(
        scene, ALTERNATE, "ready", "the reminders are used up: the operating officer is asked instead"
    )
    view = await scene.query_request()
    if [(entry.from_, entry.to) for entry in view.escalations] != [(EXECUTIVE, ALTERNATE)]:
        raise StepFailure(f"one escalation from {EXECUTIVE} to {ALTERNATE}", f"{len(view.escalations)} others")
    return description


async def _old_link_dead(scene: Scene) -> str:
    pushes = await scene.pushes(EXECUTIVE, "ready")
    page = await scene.opens(pushes[-1]["data"]["link"])
    if "Read and sign" in page.text:
        raise StepFailure("a dead link", "a page that still offers to sign")
    return "the chief executive's link no longer leads to a signature"


async def _alternate_signs(scene: Scene) -> str:
    await scene.signs_by_mail(ALTERNATE)
    signer = await scene.wait_until(f"the signature of {ALTERNATE}", lambda: _signed(scene, ALTERNATE))
    await scene.wait_until("the status signed", partial(_status, scene, Status.SIGNED))
    return f"the operating officer signs from Core Signature's mail ({signer})"


async def _target_done(scene: Scene, target: str) -> None:
    await scene.wait_until(f"the hand-off to {target} done", partial(_is_target_done, scene, target))


async def _team(scene: Scene, target: str, person: str, description: str) -> str:
    notice = await _request_notice(scene, person, "settled", description)
    await _target_done(scene, target)
    return notice


async def _finance(scene: Scene) -> str:
    calls = await scene.wait_until("a call to finance", lambda: scene.ledger("downstream", target="finance"))
    secret = scene.settings.handoff.secrets["finance"][0].get_secret_value()
    try:
        body = Webhook(secret).verify(calls[-1]["raw"], calls[-1]["headers"])
    except (WebhookVerificationError, ValueError) as wrong:
        raise StepFailure("a call signed with the secret of finance", f"a wrong signature ({wrong})") from None
    data: dict[str, Any] = body["data"]
    if (data["request"], data["outcome"]) != (scene.request, "signed"):
        raise StepFailure(f"{scene.request} signed", f"{data['request']} {data['outcome']}")
    await _target_done(scene, "finance")
    return "finance is called over HTTP; the signature of the call is verified"


async def _document(scene: Scene) -> str:
    """From the customer's page and by the link in finance's event it is what Core Signature has, byte by byte."""
    notice = (await scene.pushes(CUSTOMER, "ready"))[-1]
    [call, *_] = await scene.ledger("downstream", target="finance")
    document_link = json.loads(call["raw"])["data"]["document"]
    if document_link is None:
        raise StepFailure("the signed document in the event", "an event without it")
    hashes = {
        "Core Signature": await scene.hash_at_core_signature(),
        "the customer's page": sha256(await scene.downloads(notice["data"]["link"])).hexdigest(),
        "the event": document_link["sha256"],
        "the event's link": sha256(await scene.fetches(document_link["url"])).hexdigest(),
    }
    if None in hashes.values() or len(set(hashes.values())) != 1:
        raise StepFailure(
            "one document everywhere", ", ".join(f"{location}: {hash}" for location, hash in hashes.items())
        )
    short_hash = document_link["sha256"][:12]
    return f"the customer downloads the signed PDF, finance has the same from its link: SHA-256 {short_hash}…"


async def _proof(scene: Scene) -> str:
    await evidence.packer(scene.settings, scene.context.store).export(
        WorkflowName(Kind.REQUEST, scene.request), scene.pack
    )
    return f"its evidence pack holds, {await describe_verification(scene.pack, evidence.public_keys(scene.settings))}"


async def _screens_clean(scene: Scene) -> str:
    async def clean() -> bool:
        screens = [await scene.visible(person) for person in (CUSTOMER, EXECUTIVE, ALTERNATE)]
        return not any(notice["action"] in ("sign", "approve") for screen in screens for notice in screen)

    await scene.wait_until("no request to sign on any phone", clean)
    return "notifications that asked for a signature are withdrawn from the phones"


async def _record(scene: Scene) -> str:
    for workflow_id in (Kind.REQUEST.workflow_id(scene.request), Kind.ONBOARDING.workflow_id(scene.onboarding)):
        await scene.wait_until(f"the record of {workflow_id}", partial(scene.context.store.records.read, workflow_id))
    await scene.wait_until("every target done", partial(_are_all_done, scene))
    return "the settled records are written, every target is done"


async def _part_is(scene: Scene, part: str, state: str) -> bool:
    stages = (await scene.journey()).stages
    return any(part_view.id == part and part_view.state == state for stage in stages for part_view in stage.parts)


async def _in_stage(scene: Scene, name: str) -> bool:
    view = await scene.journey()
    return view.stage == name and not view.status.has_ended


async def _status(scene: Scene, status: Status) -> bool:
    return (await scene.query_request()).status is status


async def _is_logged(scene: Scene, person: str, stage: str) -> bool:
    return any(
        line.person == person and line.stage == stage and line.outcome is NotificationOutcome.ACCEPTED
        for line in (await scene.query_request()).notifications
    )


async def _signed(scene: Scene, person: str) -> str | None:
    view: RequestShow = await scene.query_request()
    signed_entries = await scene.ledger("signer_signed", external_id=scene.request)
    by_us = any(line.person == person and line.state == "signed" for line in view.signers)
    return f"{len(signed_entries)} of 2 signatures" if by_us else None


async def _is_target_done(scene: Scene, target: str) -> bool:
    return any(
        line.target == target and line.state is HandoffState.DONE for line in (await scene.query_request()).handoffs
    )


async def _are_all_done(scene: Scene) -> bool:
    view = await scene.query_request()
    return bool(view.handoffs) and all(line.state is HandoffState.DONE for line in view.handoffs)


STORY: Final = (
    StoryStep("started", _start),
    StoryStep("created", _created),
    StoryStep(
        "customer told", partial(_request_notice, person=CUSTOMER, stage="ready", description="the customer's phone")
    ),
    StoryStep("next day", _next_day),
    StoryStep("customer signed", _customer_signs),
    StoryStep("second agreement signed", _customer_signs_the_second),
    StoryStep(
        "executive told",
        partial(_request_notice, person=EXECUTIVE, stage="ready", description="the chief executive's turn"),
    ),
    *(StoryStep(f"reminder {number}", partial(_reminder, number=number)) for number in (1, 2, 3)),
    StoryStep("reassigned", _escalation),
    StoryStep("old link dead", _old_link_dead),
    StoryStep("alternate signed", _alternate_signs),
    StoryStep(
        "owner told",
        partial(_request_notice, person=OWNER, stage="settled", description="the account executive is told"),
    ),
    StoryStep("hr told", partial(_team, target="hr", person="hr-desk", description="HR is told")),
    StoryStep("finance told", _finance),
    StoryStep("operations told", partial(_team, target="operations", person=TEAM, description="operations is told")),
    StoryStep(
        "customer success told",
        partial(_team, target="customer-success", person="success-desk", description="customer success is told"),
    ),
    StoryStep("phones clean", _screens_clean),
    StoryStep(
        "journey moved",
        partial(_stage, name="account set-up", description="the customer's page says: account set-up, with operations"),
    ),
    StoryStep("customer's browser subscribed", _customer_subscribes),
    StoryStep(
        "operations asked",
        partial(_other_notice, person=TEAM, stage="ready", subject=".2.1", description="operations: it is their turn"),
    ),
    StoryStep(
        "account created",
        partial(
            _task_done, person=TEAM, part="account", subject=".2.1", description="operations has created the account"
        ),
    ),
    StoryStep(
        "customer hears of it",
        partial(
            _other_notice, person=CUSTOMER, stage="finished-account", description="the customer hears that it is done"
        ),
    ),
    StoryStep(
        "customer asked",
        partial(_other_notice, person=CUSTOMER, stage="ready", subject=".3.1", description="the customer's next step"),
    ),
    StoryStep("customer's browser told", partial(_browser_notice, subject=".3.1")),
    StoryStep(
        "customer's step done",
        partial(
            _task_done,
            person=CUSTOMER,
            part="billing",
            subject=".3.1",
            description="the customer says where the invoices go, on the phone",
            answer="Acme, Accounts payable, 1 Rue du Port, Paris",
        ),
    ),
    StoryStep(
        "customer welcomed",
        partial(_other_notice, person=CUSTOMER, stage="notice-notice-1", description="the service is active"),
    ),
    StoryStep(
        "completed",
        partial(_other_notice, person=OWNER, stage="settled", description="the account executive: all is done"),
    ),
    StoryStep("crm told", _completed),
    StoryStep("recorded", _record),
    StoryStep("document downloaded", _document),
    StoryStep("evidence verified", _proof),
)


def fresh() -> Path:
    """Removes earlier demo folders without a running stack."""
    for earlier in _own_folders():
        DataFolder(earlier).discard()
    return Path(tempfile.mkdtemp(prefix=_PREFIX))


class StepResult(Model):
    """`at` is the request's date, `says` what was seen, or what was there instead."""

    name: str
    seen: bool
    at: AwareDatetime | None = None
    says: str = ""


class DemoResult(Model):
    """The answer of `demo`; `ok` only if every step was seen. `seconds` are real ones."""

    ok: bool
    seconds: float
    steps: tuple[StepResult, ...]


class StoryReport:
    """Prints progress; silent with `--json`."""

    def __init__(self, *, quiet: bool) -> None:
        self._console = Terminal(quiet=quiet, highlight=False)

    def say(self, line: str) -> None:
        self._console.print(Text(line, "dim"))

    @contextmanager
    def going_on(self, name: str) -> Iterator[None]:
        """Show the current wait, on a terminal."""
        with self._console.status(Text(name)):
            yield

    def step(self, result: StepResult) -> None:
        line = Table.grid(padding=(0, 1))
        line.add_column(style="cyan", width=_DATE_WIDTH, no_wrap=True)
        line.add_column(style="green" if result.seen else "bold red")
        line.add_column()
        line.add_row(_date(result.at), "✓" if result.seen else "✗", Text(result.says))
        self._console.print(line)

    def look(self, lines: tuple[tuple[str, str], ...]) -> None:
        """Where to look at the results."""
        self._console.print()
        for label, address in lines:
            self._console.print(Text(f"  {label:<24}", "dim").append(address, "default"), soft_wrap=True)


def verdict(result: DemoResult) -> Group:
    """The last line."""
    days = _days(result.steps)
    if result.ok:
        line = Text(f"Every step was seen: {days} days of the calendar in {result.seconds:.0f} s.", "bold green")
    else:
        first, *later_steps = [step.name for step in result.steps if not step.seen]
        line = Text(
            f"Not seen: {first}; {len(later_steps)} steps after it were not played ({result.seconds:.0f} s).",
            "bold red",
        )
    return Group(Text(), line)


async def run(*, keep: bool, quiet: bool) -> DemoResult:
    """With `keep` the stack stays until Ctrl-C. Raises `StackFailure`."""
    began = monotonic()
    report = StoryReport(quiet=quiet)
    folder = await asyncio.to_thread(fresh)
    async with planned(folder, LOOPBACK, looks_of(os.environ)) as stack, stack.start(report.say):
        async with _scene(folder) as scene:
            steps = [step async for step in _play_all(scene, report)]
            result = DemoResult(
                ok=all(s.seen for s in steps), seconds=round(monotonic() - began, 1), steps=tuple(steps)
            )
            for failure in stack.failures:
                report.say(str(failure))
            report.look(_places(scene, folder, keep=keep))
        if keep:
            report.say("\nCtrl-C ends the stack")
            raise await stack.until_one_ends()
    return result


def _own_folders() -> Iterator[Path]:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(FileNotFoundError):
            status = folder.lstat()
            if S_ISDIR(status.st_mode) and status.st_uid == os.getuid():
                yield folder


def _days(steps: tuple[StepResult, ...]) -> int:
    dates = [step.at for step in steps if step.at]
    return (max(dates) - min(dates)).days if dates else 0


def _date(instant: datetime | None) -> str:
    return f"{instant.astimezone(UTC):%a %d %b %H:%M} UTC" if instant else ""


@asynccontextmanager
async def _scene(folder: Path) -> AsyncIterator[Scene]:
    # Finds the stack by its folder, as a second terminal would.
    loaded_settings = settings.load(Need.PEOPLE, environment={"COUNTERSIGN_DATA_DIR": str(folder)})
    async with opened(loaded_settings) as context, aclosing(Scene(context, loaded_settings)) as scene:
        yield scene


async def _play_all(scene: Scene, report: StoryReport) -> AsyncIterator[StepResult]:
    """Each step's result; ends after the first failure."""
    story_goes_on = True
    for step in STORY:
        if story_goes_on:
            with report.going_on(step.name):
                result = await _play(step, scene)
            report.step(result)
            story_goes_on = result.seen
        else:
            result = StepResult(name=step.name, seen=False, says="not played: an earlier step was not seen")
        yield result


async def _play(step: StoryStep, scene: Scene) -> StepResult:
    try:
        description = await step.play(scene)
    except (Refusal, ServiceFailure) as failure:
        return StepResult(name=step.name, seen=False, says=f"{step.name}: {failure}")
    return StepResult(name=step.name, seen=True, at=await scene.now(), says=description)


def _places(scene: Scene, folder: Path, *, keep: bool) -> tuple[tuple[str, str], ...]:
    phones = [(f"phone, {person}", f"{scene.addresses.sandbox}/inbox/{person}") for person in (CUSTOMER, EXECUTIVE)]
    web_ui = scene.context.url(Kind.ONBOARDING.workflow_id(scene.onboarding)) or scene.addresses.web_ui
    living = (("Web UI", web_ui), ("the customer's page", scene.journey_link), *phones)
    kept_places = (
        ("evidence", str(scene.pack)),
        ("records", str(folder / "store" / "countersign.sqlite3")),
        ("logs", str(folder / "logs")),
        ("start it again", f"countersign dev --data {folder}"),
    )
    return (*living, *kept_places) if keep else kept_places
