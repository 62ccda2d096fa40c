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
from deploy.demo.proof import proved
from deploy.demo.scene import NotSeen, Scene
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
        raise NotSeen("a new onboarding", f"{started.id}, which was there before")
    return f"the account executive starts {started.id}: two agreements, the account, the customer's details, a welcome"


async def _created(scene: Scene) -> str:
    for request in (scene.request, scene.second):
        facts = {"external_id": request}
        await scene.until(f"the request {request}", partial(scene.ledger, "request_created", **facts))
        if (made := len(await scene.ledger("document_created", **facts))) != 1:
            raise NotSeen("exactly one document", f"{made} documents")
    await scene.until("the status sent", partial(_status, scene, Status.SENT))
    return "Core Signature has both documents and their requests, each once"


async def _request_notice(scene: Scene, person: str, stage: str, words: str) -> str:
    pushes = await scene.until(f"{stage} on the phone of {person}", lambda: scene.pushes(person, stage))
    await scene.until(f"{stage} in the ledger of notices", partial(_is_logged, scene, person, stage))
    return f"{words}: “{pushes[-1]['title']}”"


async def _other_notice(scene: Scene, person: str, stage: str, words: str, subject: str = "") -> str:
    """A notice of the onboarding or of one of its parts."""
    about = f"{scene.onboarding}{subject}"
    pushes = await scene.until(f"{stage} on the phone of {person}", lambda: scene.pushes(person, stage, about))
    return f"{words}: “{pushes[-1]['title']}”"


async def _customer_signs(scene: Scene) -> str:
    await scene.signs(CUSTOMER, scene.request)
    signer = await scene.until(f"the signature of {CUSTOMER}", lambda: _signed(scene, CUSTOMER))
    await scene.until(
        "the status sent: it is the turn of somebody who has not opened it", partial(_status, scene, Status.SENT)
    )
    return f"the customer opens our page on the phone and signs the first agreement ({signer})"


async def _customer_signs_the_second(scene: Scene) -> str:
    await scene.signs(CUSTOMER, scene.second)
    await scene.until("the second agreement signed", partial(_part_is, scene, "data", "done"))
    return await _other_notice(scene, TEAM, "settled", "and the second, now complete: operations is told", ".1.2")


async def _stage(scene: Scene, name: str, words: str) -> str:
    await scene.until(f"the stage {name}", partial(_in_stage, scene, name))
    page = await scene.opens(scene.journey_link)
    if f"Stage 2 of 4: {name}" not in page.text:
        raise NotSeen(f"{name} on the customer's page", f"a page without it ({page.status})")
    return words


async def _task_done(scene: Scene, person: str, part: str, subject: str, words: str, *, answer: str = "") -> str:
    await scene.does(person, f"{scene.onboarding}{subject}", answer)
    await scene.until(f"{part} done", partial(_part_is, scene, part, "done"))
    return words


async def _next_day(scene: Scene) -> str:
    await scene.forward(timedelta(days=1))
    if await scene.pushes(CUSTOMER, "reminder-1"):
        raise NotSeen("no reminder on the first day", "one")
    return "a day passes; nobody is reminded yet"


async def _completed(scene: Scene) -> str:
    calls = await scene.until("a call to the CRM", lambda: scene.ledger("downstream", target="crm"))
    body = json.loads(calls[-1]["raw"])
    ended = {one["id"]: one["state"] for one in body["data"]["parts"]}
    expected = {"services": "signed", "data": "signed", "account": "done", "billing": "done"}
    if (body["type"], len(calls), ended) != ("onboarding.completed", 1, expected):
        raise NotSeen(f"one call onboarding.completed with {expected}", f"{len(calls)} calls, the last {body['type']}")
    return "the CRM is called once, with how every part ended"


async def _reminder(scene: Scene, number: int) -> str:
    there = (await scene.forward_to_next("remind")).astimezone(OFFICE)
    if not (there.weekday() < 5 and 9 <= there.hour < 18):
        raise NotSeen("a reminder in working hours", f"{there:%a %H:%M} in {OFFICE.key}")
    words = f"{there:%A %H:%M} at the office: reminder {number} of 3"
    return await _request_notice(scene, EXECUTIVE, f"reminder-{number}", words)


async def _escalation(scene: Scene) -> str:
    await scene.forward_to_next("escalate")
    await _request_notice(scene, EXECUTIVE, "reassigned", "")
    told = await _request_notice(
        scene, ALTERNATE, "ready", "the reminders are used up: the operating officer is asked instead"
    )
    shown = await scene.shown()
    if [(entry.from_, entry.to) for entry in shown.escalations] != [(EXECUTIVE, ALTERNATE)]:
        raise NotSeen(f"one escalation from {EXECUTIVE} to {ALTERNATE}", f"{len(shown.escalations)} others")
    return told


async def _old_link_dead(scene: Scene) -> str:
    pushes = await scene.pushes(EXECUTIVE, "ready")
    page = await scene.opens(pushes[-1]["data"]["link"])
    if "Read and sign" in page.text:
        raise NotSeen("a dead link", "a page that still offers to sign")
    return "the chief executive's link no longer leads to a signature"


async def _alternate_signs(scene: Scene) -> str:
    await scene.signs_by_mail(ALTERNATE)
    signer = await scene.until(f"the signature of {ALTERNATE}", lambda: _signed(scene, ALTERNATE))
    await scene.until("the status signed", partial(_status, scene, Status.SIGNED))
    return f"the operating officer signs from Core Signature's mail ({signer})"


async def _target_done(scene: Scene, target: str) -> None:
    await scene.until(f"the hand-off to {target} done", partial(_done, scene, target))


async def _team(scene: Scene, target: str, person: str, words: str) -> str:
    told = await _request_notice(scene, person, "settled", words)
    await _target_done(scene, target)
    return told


async def _finance(scene: Scene) -> str:
    calls = await scene.until("a call to finance", lambda: scene.ledger("downstream", target="finance"))
    secret = scene.settings.handoff.secrets["finance"][0].get_secret_value()
    try:
        body = Webhook(secret).verify(calls[-1]["raw"], calls[-1]["headers"])
    except (WebhookVerificationError, ValueError) as wrong:
        raise NotSeen("a call signed with the secret of finance", f"a wrong signature ({wrong})") from None
    data: dict[str, Any] = body["data"]
    if (data["request"], data["outcome"]) != (scene.request, "signed"):
        raise NotSeen(f"{scene.request} signed", f"{data['request']} {data['outcome']}")
    await _target_done(scene, "finance")
    return "finance is called over HTTP; the signature of the call is verified"


async def _document(scene: Scene) -> str:
    """From the customer's page and by the link in finance's event it is what Core Signature has, byte by byte."""
    notice = (await scene.pushes(CUSTOMER, "ready"))[-1]
    [call, *_] = await scene.ledger("downstream", target="finance")
    told = json.loads(call["raw"])["data"]["document"]
    if told is None:
        raise NotSeen("the signed document in the event", "an event without it")
    hashes = {
        "Core Signature": await scene.hash_at_core_signature(),
        "the customer's page": sha256(await scene.downloads(notice["data"]["link"])).hexdigest(),
        "the event": told["sha256"],
        "the event's link": sha256(await scene.fetches(told["url"])).hexdigest(),
    }
    if None in hashes.values() or len(set(hashes.values())) != 1:
        raise NotSeen("one document everywhere", ", ".join(f"{where}: {hash}" for where, hash in hashes.items()))
    return f"the customer downloads the signed PDF, finance has the same from its link: SHA-256 {told['sha256'][:12]}…"


async def _proof(scene: Scene) -> str:
    await evidence.packer(scene.settings, scene.context.store).export(
        WorkflowName(Kind.REQUEST, scene.request), scene.pack
    )
    return f"its evidence pack holds, {await proved(scene.pack, evidence.public_keys(scene.settings))}"


async def _screens_clean(scene: Scene) -> str:
    async def clean() -> bool:
        screens = [await scene.visible(person) for person in (CUSTOMER, EXECUTIVE, ALTERNATE)]
        return not any(notice["action"] in ("sign", "approve") for screen in screens for notice in screen)

    await scene.until("no request to sign on any phone", clean)
    return "notifications that asked for a signature are withdrawn from the phones"


async def _record(scene: Scene) -> str:
    for workflow_id in (Kind.REQUEST.workflow_id(scene.request), Kind.ONBOARDING.workflow_id(scene.onboarding)):
        await scene.until(f"the record of {workflow_id}", partial(scene.context.store.records.read, workflow_id))
    await scene.until("every target done", partial(_all_done, scene))
    return "the settled records are written, every target is done"


async def _part_is(scene: Scene, part: str, state: str) -> bool:
    stages = (await scene.journey()).stages
    return any(one.id == part and one.state == state for stage in stages for one in stage.parts)


async def _in_stage(scene: Scene, name: str) -> bool:
    shown = await scene.journey()
    return shown.stage == name and not shown.status.ended


async def _status(scene: Scene, status: Status) -> bool:
    return (await scene.shown()).status is status


async def _is_logged(scene: Scene, person: str, stage: str) -> bool:
    return any(
        line.person == person and line.stage == stage and line.outcome is NotificationOutcome.ACCEPTED
        for line in (await scene.shown()).notifications
    )


async def _signed(scene: Scene, person: str) -> str | None:
    shown: RequestShow = await scene.shown()
    seen = await scene.ledger("signer_signed", external_id=scene.request)
    by_us = any(line.person == person and line.state == "signed" for line in shown.signers)
    return f"{len(seen)} of 2 signatures" if by_us else None


async def _done(scene: Scene, target: str) -> bool:
    return any(line.target == target and line.state is HandoffState.DONE for line in (await scene.shown()).handoffs)


async def _all_done(scene: Scene) -> bool:
    shown = await scene.shown()
    return bool(shown.handoffs) and all(line.state is HandoffState.DONE for line in shown.handoffs)


STORY: Final = (
    StoryStep("started", _start),
    StoryStep("created", _created),
    StoryStep("customer told", partial(_request_notice, person=CUSTOMER, stage="ready", words="the customer's phone")),
    StoryStep("next day", _next_day),
    StoryStep("customer signed", _customer_signs),
    StoryStep("second agreement signed", _customer_signs_the_second),
    StoryStep(
        "executive told",
        partial(_request_notice, person=EXECUTIVE, stage="ready", words="the chief executive's turn"),
    ),
    *(StoryStep(f"reminder {number}", partial(_reminder, number=number)) for number in (1, 2, 3)),
    StoryStep("reassigned", _escalation),
    StoryStep("old link dead", _old_link_dead),
    StoryStep("alternate signed", _alternate_signs),
    StoryStep(
        "owner told", partial(_request_notice, person=OWNER, stage="settled", words="the account executive is told")
    ),
    StoryStep("hr told", partial(_team, target="hr", person="hr-desk", words="HR is told")),
    StoryStep("finance told", _finance),
    StoryStep("operations told", partial(_team, target="operations", person=TEAM, words="operations is told")),
    StoryStep(
        "customer success told",
        partial(_team, target="customer-success", person="success-desk", words="customer success is told"),
    ),
    StoryStep("phones clean", _screens_clean),
    StoryStep(
        "journey moved",
        partial(_stage, name="account set-up", words="the customer's page says: account set-up, with operations"),
    ),
    StoryStep(
        "operations asked",
        partial(_other_notice, person=TEAM, stage="ready", subject=".2.1", words="operations: it is their turn"),
    ),
    StoryStep(
        "account created",
        partial(_task_done, person=TEAM, part="account", subject=".2.1", words="operations has created the account"),
    ),
    StoryStep(
        "customer hears of it",
        partial(_other_notice, person=CUSTOMER, stage="finished-account", words="the customer hears that it is done"),
    ),
    StoryStep(
        "customer asked",
        partial(_other_notice, person=CUSTOMER, stage="ready", subject=".3.1", words="the customer's next step"),
    ),
    StoryStep(
        "customer's step done",
        partial(
            _task_done,
            person=CUSTOMER,
            part="billing",
            subject=".3.1",
            words="the customer says where the invoices go, on the phone",
            answer="Acme, Accounts payable, 1 Rue du Port, Paris",
        ),
    ),
    StoryStep(
        "customer welcomed",
        partial(_other_notice, person=CUSTOMER, stage="notice-notice-1", words="the service is active"),
    ),
    StoryStep(
        "completed",
        partial(_other_notice, person=OWNER, stage="settled", words="the account executive: all is done"),
    ),
    StoryStep("crm told", _completed),
    StoryStep("recorded", _record),
    StoryStep("document downloaded", _document),
    StoryStep("evidence verified", _proof),
)


_PREFIX: Final = "countersign-demo-"


def fresh() -> Path:
    """Removes earlier demo folders without a running stack."""
    for earlier in _ours():
        DataFolder(earlier).discard()
    return Path(tempfile.mkdtemp(prefix=_PREFIX))


def _ours() -> Iterator[Path]:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(FileNotFoundError):
            known = folder.lstat()
            if S_ISDIR(known.st_mode) and known.st_uid == os.getuid():
                yield folder


_DATE_WIDTH: Final = len("Wed 25 Nov 13:22 UTC")


class StepTold(Model):
    """`at` is the request's date, `says` what was seen, or what was there instead."""

    name: str
    seen: bool
    at: AwareDatetime | None = None
    says: str = ""


class DemoTold(Model):
    """The answer of `demo`; `ok` only if every step was seen. `seconds` are real ones."""

    ok: bool
    seconds: float
    steps: tuple[StepTold, ...]


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

    def step(self, told: StepTold) -> None:
        line = Table.grid(padding=(0, 1))
        line.add_column(style="cyan", width=_DATE_WIDTH, no_wrap=True)
        line.add_column(style="green" if told.seen else "bold red")
        line.add_column()
        line.add_row(_date(told.at), "✓" if told.seen else "✗", Text(told.says))
        self._console.print(line)

    def look(self, lines: tuple[tuple[str, str], ...]) -> None:
        """Where to look at the results."""
        self._console.print()
        for what, where in lines:
            self._console.print(Text(f"  {what:<24}", "dim").append(where, "default"), soft_wrap=True)


def verdict(told: DemoTold) -> Group:
    """The last line."""
    days = _days(told.steps)
    if told.ok:
        line = Text(f"Every step was seen: {days} days of the calendar in {told.seconds:.0f} s.", "bold green")
    else:
        first, *others = [step.name for step in told.steps if not step.seen]
        line = Text(
            f"Not seen: {first}; {len(others)} steps after it were not played ({told.seconds:.0f} s).", "bold red"
        )
    return Group(Text(), line)


def _days(steps: tuple[StepTold, ...]) -> int:
    dates = [step.at for step in steps if step.at]
    return (max(dates) - min(dates)).days if dates else 0


def _date(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%a %d %b %H:%M} UTC" if at else ""


async def run(*, keep: bool, quiet: bool) -> DemoTold:
    """With `keep` the stack stays until Ctrl-C. Raises `StackFailure`."""
    began = monotonic()
    report = StoryReport(quiet=quiet)
    folder = await asyncio.to_thread(fresh)
    async with planned(folder, LOOPBACK, looks_of(os.environ)) as stack, stack.up(report.say):
        async with _scene(folder) as scene:
            steps = [step async for step in _play_all(scene, report)]
            told = DemoTold(ok=all(s.seen for s in steps), seconds=round(monotonic() - began, 1), steps=tuple(steps))
            for failure in stack.failures:
                report.say(str(failure))
            report.look(_places(scene, folder, keep=keep))
        if keep:
            report.say("\nCtrl-C ends the stack")
            raise await stack.until_one_ends()
    return told


@asynccontextmanager
async def _scene(folder: Path) -> AsyncIterator[Scene]:
    # Finds the stack by its folder, as a second terminal would.
    found = settings.load(Need.PEOPLE, environment={"COUNTERSIGN_DATA_DIR": str(folder)})
    async with opened(found) as context, aclosing(Scene(context, found)) as scene:
        yield scene


async def _play_all(scene: Scene, report: StoryReport) -> AsyncIterator[StepTold]:
    """Each step's result; ends after the first failure."""
    story_goes_on = True
    for step in STORY:
        if story_goes_on:
            with report.going_on(step.name):
                told = await _play(step, scene)
            report.step(told)
            story_goes_on = told.seen
        else:
            told = StepTold(name=step.name, seen=False, says="not played: an earlier step was not seen")
        yield told


async def _play(step: StoryStep, scene: Scene) -> StepTold:
    try:
        says = await step.play(scene)
    except (Refusal, ServiceFailure) as failure:
        return StepTold(name=step.name, seen=False, says=f"{step.name}: {failure}")
    return StepTold(name=step.name, seen=True, at=await scene.now(), says=says)


def _places(scene: Scene, folder: Path, *, keep: bool) -> tuple[tuple[str, str], ...]:
    phones = [(f"phone, {who}", f"{scene.addresses.sandbox}/inbox/{who}") for who in (CUSTOMER, EXECUTIVE)]
    web_ui = scene.context.url(Kind.ONBOARDING.workflow_id(scene.onboarding)) or scene.addresses.web_ui
    living = (("Web UI", web_ui), ("the customer's page", scene.journey_link), *phones)
    kept = (
        ("evidence", str(scene.pack)),
        ("records", str(folder / "store" / "countersign.sqlite3")),
        ("logs", str(folder / "logs")),
        ("start it again", f"countersign dev --data {folder}"),
    )
    return (*living, *kept) if keep else kept
