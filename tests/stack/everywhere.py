"""All places that say what a request waits for, read one by one and held against each other."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager, redirect_stdout
from dataclasses import dataclass
from functools import partial
from io import StringIO
from typing import Final
from zoneinfo import ZoneInfo

import httpx
import pytest
from rich.console import RenderableType
from temporalio.api.sdk.v1 import WorkflowMetadata

from activities.core_signature.client import CoreSignatureClient
from activities.core_signature.signers import SignerSnapshots
from activities.notifications.links import LinkUse
from activities.people.language import Language
from activities.people.reader import Reader
from activities.records.ended import ListFilter
from starter.boot import clients
from starter.cli import start_files as requests
from starter.cli import tables as showing
from starter.cli.printing import print_answer
from starter.queries import commands as wishes
from starter.queries import lists as pages
from starter.queries import lookup
from starter.queries.lists import RequestLine
from starter.web.acting.forms import FormGuard
from starter.web.acting.versions import Versions
from starter.web.app import make_app
from starter.web.downloads import KeptFileAnswers, PersonalFiles
from starter.web.intake.catalogue import KindCatalogue
from starter.web.pages.pages import Pages
from starter.web.pages.visits import PagePeople
from starter.web.rights import ReaderRoles
from starter.web.screens.status import problems_of
from starter.web.screens.view_reader import ViewReader
from tests.faults.population import REQUESTER
from tests.faults.town import Town, eventually
from tests.starter.web.paging import form_of, text_of
from workflows import names
from workflows.follow_up.view import stamp
from workflows.kinds import referred
from workflows.model.hand_off import HandoffLine
from workflows.model.schedule import EscalationReason
from workflows.model.signature import SignerState
from workflows.model.subject import Status
from workflows.model.timeline import EventType
from workflows.model.views import AttentionCode, NextStep, RequestShow
from workflows.signature.workflow import SignatureRequestWorkflow

DUTCH: Final = "hr-desk"
"""Sees a request from outside and reads Dutch; the requester sees all of it in English."""
_METADATA: Final = "__temporal_workflow_metadata"


@dataclass(frozen=True)
class Answer:
    """Waiting for whom since when, until when, what is next and why: one place's words, empty where it has none."""

    says: str
    waiting_for: tuple[str, ...]
    due: str
    next: str

    @classmethod
    def of(cls, shown: RequestShow) -> "Answer":
        """The words for what the query answers."""
        waiting = tuple(f"{one.person} since {stamp(one.since)}" for one in shown.waiting_for)
        following = shown.next
        words = f"{following.what} {stamp(following.at)}: {following.why}" if following else ""
        return cls(shown.says, waiting, stamp(shown.due_at), words)

    @classmethod
    def of_details(cls, text: str) -> "Answer":
        """What the Web UI's details say, in Markdown."""
        waiting = re.findall(r"^- waiting for \*\*(.+)\*\* since (.+)$", text, re.MULTILINE)
        [(what, at, why)] = re.findall(r"^- next: \*\*(.+?)\*\* (.*?) ?– (.+)$", text, re.MULTILINE) or [("", "", "")]
        return cls(
            says=_only(r"^### (.+)$", text),
            waiting_for=tuple(f"{person} since {since}" for person, since in waiting),
            due=_only(r"^- due (.+)$", text),
            next=f"{what} {at}: {why}" if what else "",
        )

    @classmethod
    def of_terminal(cls, text: str) -> "Answer":
        """What `request show` prints for a program."""
        waiting = re.findall(r"^waiting for\t(.+), since (.+?)$", text, re.MULTILINE)
        [(what, at, why)] = re.findall(r"^next\t(\S+) ?(.*?) ?\((.+)\)$", text, re.MULTILINE) or [("", "", "")]
        return cls(
            says=text.partition("\n")[0].strip(),
            waiting_for=tuple(f"{person} since {since}" for person, since in waiting),
            due=_only(r"^due\t(.+?)$", text),
            next=f"{what} {at}: {why}" if what else "",
        )


async def everywhere(town: Town, id: str) -> RequestShow:
    """What the request's query answers, once it only waits; every other place was found to say the same."""
    await eventually(lambda: _at_rest(town, id))
    shown: RequestShow = await town.handle(id).query(SignatureRequestWorkflow.show)
    expected = Answer.of(shown)
    metadata: WorkflowMetadata = await town.handle(id).query(_METADATA, result_type=WorkflowMetadata)
    assert Answer.of_details(metadata.current_details) == expected
    assert await _searchable(town, id) == (_line(shown), _stage(shown))
    assert await eventually(lambda: _listed(town, shown))
    await by_command_and_page(town, shown)
    return shown


async def by_command_and_page(town: Town, shown: RequestShow) -> None:
    """Hold what `request show` and the pages say of a request against what is known of it."""
    found = await requests.show(town.context, shown.id)
    assert RequestShow.model_validate_json(_printed(found, "", as_json=True)) == found
    assert Answer.of_terminal(_printed(found, showing.of_shown(found))) == Answer.of(shown)
    assert (found.status, found.problem, found.signers) == (shown.status, shown.problem, shown.signers)
    assert (found.handoffs, found.escalations, found.partial) == (shown.handoffs, shown.escalations, False)
    async with browsing(town) as browser:
        await _by_page(town, shown, browser)


@asynccontextmanager
async def browsing(town: Town) -> AsyncIterator[httpx.AsyncClient]:
    """A browser before pages that remember no look of the seconds before."""
    ours, client, store = town.settings, town.context.client, town.context.store
    guard = FormGuard(ours.link_secret, ours.link_base)
    roles = ReaderRoles(town.directory, ours.operators, KindCatalogue(ours.policies))
    async with aclosing(CoreSignatureClient(clients.signature_config(ours))) as signatures:
        pages = Pages(
            clients.links(ours),
            town.directory,
            store,
            signatures,
            guard,
            asked=SignerSnapshots(store),
            look=ViewReader(client, store),
            send=partial(wishes.carry_out, client),
            who=PagePeople(town.directory, store, ours.company),
            files=PersonalFiles(store, roles, KeptFileAnswers(store)),
            versions=Versions(store, ours.signature.max_upload_mb),
        )
        transport = httpx.ASGITransport(make_app(pages.routes()))
        async with httpx.AsyncClient(transport=transport) as browser:
            yield browser


async def remembered(town: Town, shown: RequestShow) -> None:
    """Hold what is left of a closed request, once Temporal has forgotten it, against what was said before."""
    left = await lookup.recorded(town.context.store, referred(shown.id))
    assert isinstance(left, RequestShow)
    assert Answer.of(left) == Answer.of(shown)
    assert (left.status, left.problem, left.signers) == (shown.status, shown.problem, shown.signers)
    assert left.escalations == shown.escalations
    # The record's instant of a hand-off is that of the call, the workflow's that of the answer.
    assert [_but_for_its_instant(line) for line in left.handoffs] == [
        _but_for_its_instant(line) for line in shown.handoffs
    ]


async def _by_page(town: Town, shown: RequestShow, browser: httpx.AsyncClient) -> None:
    """The requester reads it all on their own clock, others the bare facts in Dutch; who is awaited finds a button.

    Who has acted finds a receipt for good; of all others the page is gone once it has ended.
    """
    links = clients.links(town.settings)

    async def page(person: str, use: LinkUse) -> httpx.Response:
        return await browser.get(links.link(shown.id, person, use))

    english = text_of((await page(REQUESTER, LinkUse.VIEW)).text)
    assert ("Due" in english) is (shown.due_at is not None and not shown.status.ended)
    dutch = text_of((await page(DUTCH, LinkUse.VIEW)).text)
    called = {one.person: (await town.directory.person(one.person, shown.id)).name for one in shown.signers}
    assert [fact for fact in _told_to_requester(shown, _awaited(shown, called)) if fact not in english] == []
    assert [fact for fact in _facts(shown, called) if fact not in dutch] == []
    assert [reason for reason in _reasons(shown) if reason in dutch] == []
    opened = {line.person: await page(line.person, LinkUse.SIGN) for line in shown.signers}
    acted = {line.person for line in shown.signers if line.state in _ACTED}
    gone = {person for person, one in opened.items() if one.status_code == httpx.codes.GONE}
    assert gone == (opened.keys() - acted if shown.status.ended else set())
    assert [person for person in acted if _receipt(shown, person) not in text_of(opened[person].text)] == []
    if shown.status is not Status.CONVERTING:
        asked = {person for person, one in opened.items() if form_of(one.text)}
        assert asked == {one.person for one in shown.waiting_for}


def _awaited(shown: RequestShow, called: dict[str, str]) -> dict[str, str]:
    return {one.person: called[one.person] for one in shown.waiting_for}


def _receipt(shown: RequestShow, person: str) -> str:
    """What is read by who has acted, in English."""
    [line] = [one for one in shown.signers if one.person == person]
    when = Reader(Language.of("en"), ZoneInfo("Europe/Amsterdam"), lambda _: True).instant(line.at) if line.at else ""
    return f"You {_ACTED[line.state]} {shown.document} on {when}."


def _told_to_requester(shown: RequestShow, called: dict[str, str]) -> list[str]:
    """What the requester's page tells: names and instants, else what is in the way."""
    reader = Reader(Language.of("en"), ZoneInfo("Europe/Amsterdam"), lambda _: True)
    following = shown.next
    if shown.status.ended or shown.status is Status.CONVERTING:
        return []
    if following and following.at and (following.what is not NextStep.WAIT or shown.question):
        return [reader.instant(following.at), *called.values()]
    if shown.problem and shown.says.startswith("Problem"):
        return list(problems_of(reader.language, shown.problem.code, None, None))
    if any(one.code is AttentionCode.PAUSED for one in shown.attention):
        [*_, why] = (entry.why for entry in shown.timeline if entry.happened == EventType.PAUSED)
        return ["nobody is reminded until it is resumed", *filter(None, [why])]
    return ["It is being ended."] if following and following.what is NextStep.END else list(called.values())


def _facts(shown: RequestShow, called: dict[str, str]) -> list[str]:
    """What the Dutch page tells in its own words: people and instants, and nothing of why."""
    reader = Reader(Language.of("nl"), ZoneInfo("Europe/Amsterdam"), lambda _: True)
    if shown.status.ended:
        refused = [f"{called[one.person]} heeft het geweigerd." for one in shown.signers if one.state == "declined"]
        return refused or [_DUTCH_ENDINGS[shown.status]]
    called = _awaited(shown, called)
    due = [reader.instant(shown.due_at)] if shown.due_at else []
    following = shown.next
    if following and following.at and following.what is not NextStep.WAIT:
        return [*due, reader.instant(following.at), *called.values()]
    if shown.problem and shown.says.startswith("Problem"):
        return [*due, reader.instant(shown.problem.since), "is er een belemmering"]
    if shown.status is Status.CONVERTING:
        return [*due, "Core Signature bereidt het document voor."]
    if following and following.what is NextStep.END:
        return [*due, "Het wordt beëindigd."]
    return [*due, *called.values(), "Wanneer het verdergaat"]


def _reasons(shown: RequestShow) -> list[str]:
    """What only the requester is told: why it stands still, what is in the way, whom of ours we tell of the ending."""
    why = shown.next.why.partition(": ")[2] if shown.next and shown.next.what == "wait" else ""
    problem = shown.problem.says if shown.problem else ""
    told = [line.target for line in shown.handoffs if line.target in shown.says]
    return [reason for reason in (why, problem, *told, shown.says) if reason]


_ACTED: Final[Mapping[str, str]] = {
    SignerState.SIGNED: "have signed",
    SignerState.APPROVED: "have approved",
    SignerState.DECLINED: "declined",
}
_DUTCH_ENDINGS: Final = {
    Status.SIGNED: "Iedereen heeft ondertekend.",
    Status.EXPIRED: "Er is niet op tijd ondertekend.",
}


def _line(shown: RequestShow) -> RequestLine:
    """The line of `request list` that says the same."""
    problem = shown.problem.code if shown.problem else None
    attention = shown.attention[0].code if shown.attention and not problem else None
    owes_an_answer = (shown.requester,) if shown.question and shown.waiting_for else ()
    return RequestLine(
        id=shown.id,
        kind=shown.kind,
        status=shown.status,
        problem=problem,
        attention=attention,
        due_at=shown.due_at,
        document=shown.document,
        requester=shown.requester,
        waiting_for=(*owes_an_answer, *(one.person for one in shown.waiting_for)),
        since=min((one.since for one in shown.waiting_for), default=None),
    )


def _stage(shown: RequestShow) -> str:
    if shown.status.ended:
        return "settled"
    if any(entry.reason is EscalationReason.ESCALATION for entry in shown.escalations):
        return "escalated"
    return "sending" if shown.status is Status.CONVERTING else "signing"


async def _searchable(town: Town, id: str) -> tuple[RequestLine, str | None]:
    """What the search attributes say."""
    described = await town.handle(id).describe()
    known = described.typed_search_attributes
    code = known.get(names.PROBLEM)
    line = RequestLine(
        id=id,
        kind=known.get(names.KIND) or "",
        status=known.get(names.STATUS) or "",
        problem=None if lookup.needs_attention(code) else code,
        attention=code if lookup.needs_attention(code) else None,
        due_at=known.get(names.DUE_AT),
        document=await described.memo_value(names.MEMO_DOCUMENT),
        requester=known.get(names.REQUESTER) or "",
        waiting_for=tuple(known.get(names.WAITING_FOR) or ()),
        since=known.get(names.TURN_AT),
    )
    return line, known.get(names.STAGE)


async def _listed(town: Town, shown: RequestShow) -> bool:
    """Whether `request list` says so too, and `--attention` names it when it needs a person."""
    lines = [line async for line in pages.everything(town.context, ListFilter(attention=False)) if line.id == shown.id]
    troubled = [line.id async for line in pages.everything(town.context, ListFilter(attention=True))]
    told = [line.replace(open=True, overdue=False, started_at=None, workflow_id="", stage="") for line in lines]
    return told == [_line(shown)] and (shown.id in troubled) is bool(shown.problem or shown.attention)


def _printed(value: object, view: RenderableType, *, as_json: bool = False) -> str:
    with pytest.MonkeyPatch.context() as terminal, redirect_stdout(StringIO()) as printed:
        terminal.setenv("COLUMNS", "2000")
        print_answer(value, view, as_json=as_json)
    return printed.getvalue()


async def _at_rest(town: Town, id: str) -> bool:
    """Whether every callback has been told, or lost on the way, and the workflow has nothing to do but wait."""
    events = {entry["event"] for entry in await town.vendor.ledger("event", external_id=id)}
    callbacks = await town.vendor.ledger("callback", external_id=id)
    over = {entry["event"] for entry in callbacks if entry["status"] == httpx.codes.OK or entry["error"] == "dropped"}
    raw = (await town.handle(id).describe()).raw_description
    return events == over and not raw.pending_activities and not raw.HasField("pending_workflow_task")


def _but_for_its_instant(line: HandoffLine) -> tuple[object, ...]:
    return line.target, line.state, line.attempts, line.why


def _only(pattern: str, text: str) -> str:
    [found] = re.findall(pattern, text, re.MULTILINE) or [""]
    return str(found)
