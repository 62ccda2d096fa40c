"""All places that say what a request waits for, read one by one and held against each other."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
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
from activities.keys import KeyRing
from activities.notifications.links import LinkUse
from activities.people.language import Language
from activities.people.reader import Reader
from activities.people.subscriptions import WebSubscriptions
from activities.records.ended import ListFilter
from starter.boot import clients
from starter.cli import start_files, tables
from starter.cli.printing import print_answer
from starter.queries import commands, lookup
from starter.queries import lists as pages
from starter.queries.lists import RequestLine
from starter.web.acting.forms import FormGuard
from starter.web.acting.versions import Versions
from starter.web.app import make_app
from starter.web.downloads import KeptFileAnswers, PersonalFiles
from starter.web.intake.catalogue import KindCatalogue
from starter.web.pages.identity import IdentityGate
from starter.web.pages.pages import Pages
from starter.web.pages.visits import PagePeople
from starter.web.proofs import IdentityCookies
from starter.web.rights import ReaderRoles
from starter.web.screens.rendering import OURS
from starter.web.screens.status import problems_of
from starter.web.screens.view_reader import ViewReader
from starter.web.screens.web_app import WebApp
from tests.faults.population import REQUESTER
from tests.faults.town import Town, eventually
from tests.starter.web.paging import form_of, make_link_devices, text_of
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
    def from_view(cls, view: RequestShow) -> "Answer":
        """The words for what the query answers."""
        waiting = tuple(
            f"{waiting_person.person} since {stamp(waiting_person.since)}" for waiting_person in view.waiting_for
        )
        following = view.next
        next_step = f"{following.what} {stamp(following.at)}: {following.why}" if following else ""
        return cls(view.says, waiting, stamp(view.due_at), next_step)

    @classmethod
    def of_details(cls, text: str) -> "Answer":
        """What the Web UI's details say, in Markdown."""
        waiting = re.findall(r"^- waiting for \*\*(.+)\*\* since (.+)$", text, re.MULTILINE)
        [(next_step, next_at, reason)] = re.findall(r"^- next: \*\*(.+?)\*\* (.*?) ?– (.+)$", text, re.MULTILINE) or [
            ("", "", "")
        ]
        return cls(
            says=_match_one(r"^### (.+)$", text),
            waiting_for=tuple(f"{person} since {turn_at}" for person, turn_at in waiting),
            due=_match_one(r"^- due (.+)$", text),
            next=f"{next_step} {next_at}: {reason}" if next_step else "",
        )

    @classmethod
    def of_terminal(cls, text: str) -> "Answer":
        """What `request show` prints for a program."""
        waiting = re.findall(r"^waiting for\t(.+), since (.+?)$", text, re.MULTILINE)
        [(next_step, next_at, reason)] = re.findall(r"^next\t(\S+) ?(.*?) ?\((.+)\)$", text, re.MULTILINE) or [
            ("", "", "")
        ]
        return cls(
            says=text.partition("\n")[0].strip(),
            waiting_for=tuple(f"{person} since {turn_at}" for person, turn_at in waiting),
            due=_match_one(r"^due\t(.+?)$", text),
            next=f"{next_step} {next_at}: {reason}" if next_step else "",
        )


async def everywhere(town: Town, id: str) -> RequestShow:
    """What the request's query answers, once it only waits; every other place was found to say the same."""
    await eventually(lambda: _is_at_rest(town, id))
    view: RequestShow = await town.handle(id).query(SignatureRequestWorkflow.show)
    expected = Answer.from_view(view)
    metadata: WorkflowMetadata = await town.handle(id).query(_METADATA, result_type=WorkflowMetadata)
    assert Answer.of_details(metadata.current_details) == expected
    assert await _searchable(town, id) == (_make_line(view), _stage(view))
    assert await eventually(lambda: _is_listed(town, view))
    await by_command_and_page(town, view)
    return view


async def by_command_and_page(town: Town, view: RequestShow) -> None:
    """Hold what `request show` and the pages say of a request against what is known of it."""
    shown_by_command = await start_files.show(town.context, view.id)
    assert RequestShow.model_validate_json(_printed(shown_by_command, "", as_json=True)) == shown_by_command
    assert Answer.of_terminal(_printed(shown_by_command, tables.of_shown(shown_by_command))) == Answer.from_view(view)
    assert (shown_by_command.status, shown_by_command.problem, shown_by_command.signers) == (
        view.status,
        view.problem,
        view.signers,
    )
    assert (shown_by_command.handoffs, shown_by_command.escalations, shown_by_command.partial) == (
        view.handoffs,
        view.escalations,
        False,
    )
    async with browsing(town) as browser:
        await _by_page(town, view, browser)


@asynccontextmanager
async def browsing(town: Town) -> AsyncIterator[httpx.AsyncClient]:
    """A browser before pages that remember no look of the seconds before."""
    own_settings, client, store = town.settings, town.context.client, town.context.store
    guard = FormGuard(KeyRing(own_settings.secrets_of_links), own_settings.link_base)
    roles = ReaderRoles(town.directory, own_settings.operators, KindCatalogue(own_settings.policies))
    async with aclosing(CoreSignatureClient(clients.signature_config(own_settings))) as signatures:
        links, look = clients.links(own_settings), ViewReader(client, store)
        web_app = WebApp(OURS, WebSubscriptions(store))
        pages = Pages(
            links,
            town.directory,
            store,
            signatures,
            guard,
            snapshots=SignerSnapshots(store),
            look=look,
            send=partial(commands.carry_out, client),
            people=PagePeople(town.directory, store, own_settings.company),
            files=PersonalFiles(store, roles, KeptFileAnswers(store)),
            versions=Versions(store, own_settings.signature.max_upload_mb),
            devices=make_link_devices(web_app, links, town.directory, store, guard, look),
            identity=IdentityGate(
                store,
                town.directory,
                IdentityCookies(KeyRing(own_settings.secrets_of_links), own_settings.link_base),
                None,
                lambda: datetime.now(UTC),
            ),
        )
        transport = httpx.ASGITransport(make_app(pages.routes()))
        async with httpx.AsyncClient(transport=transport) as browser:
            yield browser


async def check_record(town: Town, view: RequestShow) -> None:
    """Hold what is left of a closed request, once Temporal has forgotten it, against what was said before."""
    recorded = await lookup.recorded(town.context.store, referred(view.id))
    assert isinstance(recorded, RequestShow)
    assert Answer.from_view(recorded) == Answer.from_view(view)
    assert (recorded.status, recorded.problem, recorded.signers) == (view.status, view.problem, view.signers)
    assert recorded.escalations == view.escalations
    # The record's instant of a hand-off is that of the call, the workflow's that of the answer.
    assert [_but_for_its_instant(line) for line in recorded.handoffs] == [
        _but_for_its_instant(line) for line in view.handoffs
    ]


async def _by_page(town: Town, view: RequestShow, browser: httpx.AsyncClient) -> None:
    """The requester reads it all on their own clock, others the bare facts in Dutch; who is awaited finds a button.

    Who has acted finds a receipt for good; of all others the page is gone once it has ended.
    """
    links = clients.links(town.settings)

    async def page(person: str, use: LinkUse) -> httpx.Response:
        return await browser.get(links.link(view.id, person, use))

    english = text_of((await page(REQUESTER, LinkUse.VIEW)).text)
    assert ("Due" in english) is (view.due_at is not None and not view.status.has_ended)
    dutch = text_of((await page(DUTCH, LinkUse.VIEW)).text)
    called = {signer.person: (await town.directory.person(signer.person, view.id)).name for signer in view.signers}
    assert [fact for fact in _told_to_requester(view, _select_awaited(view, called)) if fact not in english] == []
    assert [fact for fact in _facts(view, called) if fact not in dutch] == []
    assert [reason for reason in _reasons(view) if reason in dutch] == []
    opened = {line.person: await page(line.person, LinkUse.SIGN) for line in view.signers}
    acted = {line.person for line in view.signers if line.state in _ACTED}
    people_without_page = {person for person, response in opened.items() if response.status_code == httpx.codes.GONE}
    assert people_without_page == (opened.keys() - acted if view.status.has_ended else set())
    assert [person for person in acted if _make_receipt(view, person) not in text_of(opened[person].text)] == []
    if view.status is not Status.CONVERTING:
        people_asked = {person for person, response in opened.items() if form_of(response.text)}
        assert people_asked == {waiting_person.person for waiting_person in view.waiting_for}


def _select_awaited(view: RequestShow, names_by_person: dict[str, str]) -> dict[str, str]:
    return {waiting_person.person: names_by_person[waiting_person.person] for waiting_person in view.waiting_for}


def _make_receipt(view: RequestShow, person: str) -> str:
    """What is read by who has acted, in English."""
    [line] = [signer for signer in view.signers if signer.person == person]
    acted_at_text = (
        Reader(Language.from_tag("en"), ZoneInfo("Europe/Amsterdam"), lambda _: True).instant(line.at)
        if line.at
        else ""
    )
    return f"You {_ACTED[line.state]} {view.document} on {acted_at_text}."


def _told_to_requester(view: RequestShow, names_by_person: dict[str, str]) -> list[str]:
    """What the requester's page tells: names and instants, else what is in the way."""
    reader = Reader(Language.from_tag("en"), ZoneInfo("Europe/Amsterdam"), lambda _: True)
    following = view.next
    if view.status.has_ended or view.status is Status.CONVERTING:
        return []
    if following and following.at and (following.what is not NextStep.WAIT or view.question):
        return [reader.instant(following.at), *names_by_person.values()]
    if view.problem and view.says.startswith("Problem"):
        return list(problems_of(reader.language, view.problem.code, None, None))
    if any(notice.code is AttentionCode.PAUSED for notice in view.attention):
        [*_, pause_reason] = (entry.why for entry in view.timeline if entry.happened == EventType.PAUSED)
        return ["nobody is reminded until it is resumed", *filter(None, [pause_reason])]
    return ["It is being ended."] if following and following.what is NextStep.END else list(names_by_person.values())


def _facts(view: RequestShow, names_by_person: dict[str, str]) -> list[str]:
    """What the Dutch page tells in its own words: people and instants, and nothing of why."""
    reader = Reader(Language.from_tag("nl"), ZoneInfo("Europe/Amsterdam"), lambda _: True)
    if view.status.has_ended:
        refused = [
            f"{names_by_person[signer.person]} heeft het geweigerd."
            for signer in view.signers
            if signer.state == "declined"
        ]
        return refused or [_DUTCH_ENDINGS[view.status]]
    names_by_person = _select_awaited(view, names_by_person)
    due = [reader.instant(view.due_at)] if view.due_at else []
    following = view.next
    if following and following.at and following.what is not NextStep.WAIT:
        return [*due, reader.instant(following.at), *names_by_person.values()]
    if view.problem and view.says.startswith("Problem"):
        return [*due, reader.instant(view.problem.since), "is er een belemmering"]
    if view.status is Status.CONVERTING:
        return [*due, "Core Signature bereidt het document voor."]
    if following and following.what is NextStep.END:
        return [*due, "Het wordt beëindigd."]
    return [*due, *names_by_person.values(), "Wanneer het verdergaat"]


def _reasons(view: RequestShow) -> list[str]:
    """What only the requester is told: why it stands still, what is in the way, whom of ours we tell of the ending."""
    wait_reason = view.next.why.partition(": ")[2] if view.next and view.next.what == "wait" else ""
    problem = view.problem.says if view.problem else ""
    open_targets = [line.target for line in view.handoffs if line.target in view.says]
    return [reason for reason in (wait_reason, problem, *open_targets, view.says) if reason]


_ACTED: Final[Mapping[str, str]] = {
    SignerState.SIGNED: "have signed",
    SignerState.APPROVED: "have approved",
    SignerState.DECLINED: "declined",
}
_DUTCH_ENDINGS: Final = {
    Status.SIGNED: "Iedereen heeft ondertekend.",
    Status.EXPIRED: "Er is niet op tijd ondertekend.",
}


def _make_line(view: RequestShow) -> RequestLine:
    """The line of `request list` that says the same."""
    problem = view.problem.code if view.problem else None
    attention = view.attention[0].code if view.attention and not problem else None
    owes_an_answer = (view.requester,) if view.question and view.waiting_for else ()
    return RequestLine(
        id=view.id,
        kind=view.kind,
        status=view.status,
        problem=problem,
        attention=attention,
        due_at=view.due_at,
        document=view.document,
        requester=view.requester,
        waiting_for=(*owes_an_answer, *(waiting_person.person for waiting_person in view.waiting_for)),
        since=min((waiting_person.since for waiting_person in view.waiting_for), default=None),
    )


def _stage(view: RequestShow) -> str:
    if view.status.has_ended:
        return "settled"
    if any(entry.reason is EscalationReason.ESCALATION for entry in view.escalations):
        return "escalated"
    return "sending" if view.status is Status.CONVERTING else "signing"


async def _searchable(town: Town, id: str) -> tuple[RequestLine, str | None]:
    """What the search attributes say."""
    described = await town.handle(id).describe()
    attributes = described.typed_search_attributes
    code = attributes.get(names.PROBLEM)
    line = RequestLine(
        id=id,
        kind=attributes.get(names.KIND) or "",
        status=attributes.get(names.STATUS) or "",
        problem=None if lookup.needs_attention(code) else code,
        attention=code if lookup.needs_attention(code) else None,
        due_at=attributes.get(names.DUE_AT),
        document=await described.memo_value(names.MEMO_DOCUMENT),
        requester=attributes.get(names.REQUESTER) or "",
        waiting_for=tuple(attributes.get(names.WAITING_FOR) or ()),
        since=attributes.get(names.TURN_AT),
    )
    return line, attributes.get(names.STAGE)


async def _is_listed(town: Town, view: RequestShow) -> bool:
    """Whether `request list` says so too, and `--attention` names it when it needs a person."""
    lines = [line async for line in pages.everything(town.context, ListFilter(attention=False)) if line.id == view.id]
    troubled = [line.id async for line in pages.everything(town.context, ListFilter(attention=True))]
    comparable_lines = [
        line.replace(open=True, overdue=False, started_at=None, workflow_id="", stage="") for line in lines
    ]
    return comparable_lines == [_make_line(view)] and (view.id in troubled) is bool(view.problem or view.attention)


def _printed(value: object, view: RenderableType, *, as_json: bool = False) -> str:
    with pytest.MonkeyPatch.context() as terminal, redirect_stdout(StringIO()) as printed:
        terminal.setenv("COLUMNS", "2000")
        print_answer(value, view, as_json=as_json)
    return printed.getvalue()


async def _is_at_rest(town: Town, id: str) -> bool:
    """Whether every callback has been told, or lost on the way, and the workflow has nothing to do but wait."""
    events = {entry["event"] for entry in await town.vendor.ledger("event", external_id=id)}
    callbacks = await town.vendor.ledger("callback", external_id=id)
    settled_events = {
        entry["event"] for entry in callbacks if entry["status"] == httpx.codes.OK or entry["error"] == "dropped"
    }
    raw = (await town.handle(id).describe()).raw_description
    return events == settled_events and not raw.pending_activities and not raw.HasField("pending_workflow_task")


def _but_for_its_instant(line: HandoffLine) -> tuple[object, ...]:
    return line.target, line.state, line.attempts, line.why


def _match_one(pattern: str, text: str) -> str:
    [match] = re.findall(pattern, text, re.MULTILINE) or [""]
    return str(match)
