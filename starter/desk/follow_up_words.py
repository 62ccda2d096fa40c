"""What stands on the page of a request or a task, in its reader's words and on their clock."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from activities.due import Deadline
from activities.language import Language, phrase
from activities.links import at_desk
from activities.reader import Reader
from starter.desk.acts import ActionForm
from starter.desk.authentication import Visitor
from starter.desk.rows import UNTITLED, Name
from starter.desk.stages import StageRows, stages_of
from starter.desk.story import Day, by_day
from starter.page.chips import Chip, status_chip
from starter.page.offers import to_decide
from starter.page.options import answer_of
from starter.page.problems import problems_of
from starter.page.screens import Exchange
from starter.page.standing import (
    GOOD,
    STATES,
    WHO_WAS_ASKED,
    Called,
    ending_of,
    facts,
    hand_offs,
    living,
    people_in,
    unsaid,
    workflow_words,
)
from starter.told_once import SYSTEMS
from workflows.follow_up.handoff_lines import last_of
from workflows.kinds import WorkflowName
from workflows.model.entries import AskedQuestion
from workflows.model.lines import AssigneeLine, SignerLine
from workflows.model.request import SignerState
from workflows.model.settlement import HandoffState
from workflows.model.subject import Role
from workflows.model.views import OnboardingShow, RequestShow, Shown, TaskShow

_DECLINED: Final = phrase("{who} declined, with these words:")
_HAND_OFFS: Final = {
    HandoffState.PENDING: phrase("to be told"),
    HandoffState.DONE: phrase("told"),
    HandoffState.FAILED: phrase("is tried again"),
    HandoffState.DEAD: phrase("could not be told"),
}


@dataclass(frozen=True)
class PersonRow:
    """Somebody who was asked, how far they are, and since when."""

    name: str
    state: Chip
    at: str


@dataclass(frozen=True)
class TargetLineText:
    """Somebody downstream, and whether they were told."""

    name: str
    state: str


@dataclass(frozen=True)
class FollowUpText:
    """Everything that one reader is told; what they may not know is empty."""

    path: str
    """Where its page is, below the desk."""
    id: str
    title: str
    kind: str
    status: Chip
    sentences: tuple[str, ...]
    due: Deadline | None
    overdue: bool
    asked_by: str
    place: str
    people_are: str
    """What those who were asked are called, and how many of them have signed."""
    people: tuple[PersonRow, ...]
    text: str = ""
    """What is to be done, in the words of whoever asked."""
    problems: tuple[str, ...] = ()
    declined: str = ""
    reason: str = ""
    """Why somebody declined, in their own words."""
    exchanges: tuple[Exchange, ...] = ()
    targets: tuple[TargetLineText, ...] = ()
    days: tuple[Day, ...] = ()
    """What happened."""
    stages: tuple[StageRows, ...] = ()
    """Of an onboarding."""


async def told(
    shown: Shown,
    visitor: Visitor,
    name: Name,
    now: datetime,
    *,
    kind: str,
    everything: bool,
    titled: bool,
    steps: tuple[ActionForm, ...] = (),
) -> FollowUpText:
    """What somebody is told of it: `everything`, or where it stands; `titled`: what it is, and is called.

    `kind` is what its kind is called in their language.
    """
    reader, what, name = visitor.reader, WorkflowName(shown.type, shown.id), _or_workflow(name, visitor.reader.language)
    title = shown.title or shown.id if titled else reader.language.say(UNTITLED[what.kind], kind=kind)
    called = {id: await name(id) for id in (*people_in(shown), *(line.target for line in shown.handoffs))}
    base = FollowUpText(
        path=at_desk(what),
        id=shown.id,
        title=title,
        kind=kind,
        status=status_chip(shown.status, reader.language, what.kind),
        sentences=_sentences(shown, reader, called) if everything else facts(shown, reader, called),
        due=Deadline.sentence(shown.due_at, reader, now) if shown.due_at and not shown.status.ended else None,
        overdue=shown.overdue,
        asked_by=await _asker(shown, name),
        place=reader.place(now),
        people_are=_people_are(shown, reader.language),
        people=tuple([await _person(line, reader, name) for line in shown.lines]),
        text=shown.text if isinstance(shown, TaskShow) and titled else "",
        stages=await stages_of(shown, reader, name, now, everything=everything, steps=steps)
        if isinstance(shown, OnboardingShow) and titled
        else (),
    )
    if not everything:
        return base
    whole = await _with_everything(base, shown, reader, name, called)
    return replace(whole, days=await by_day(shown, reader, name, now))


async def _asker(shown: Shown, name: Name) -> str:
    """Who asks; what an onboarding asks to decide it asks by itself, and its deputy never did."""
    if to_decide(shown):
        return SYSTEMS["countersign"]
    return await name(shown.requester) if shown.requester else ""


def _or_workflow(name: Name, language: Language) -> Name:
    """What is told of an ending may also be a workflow of ours."""

    async def called(id: str) -> str:
        return workflow_words(id, language) or await name(id)

    return called


def _people_are(shown: Shown, language: Language) -> str:
    words = language.say(WHO_WAS_ASKED[shown.type])
    if not isinstance(shown, RequestShow):
        return words
    asked = [one for one in shown.signers if one.state is not SignerState.REASSIGNED and one.role is not Role.COPY]
    done = sum(one.state in GOOD for one in asked)
    signed = language.say_count("{count} of {all} has signed", "{count} of {all} have signed", done, all=len(asked))
    return f"{words} · {signed}"


def _sentences(shown: Shown, reader: Reader, called: Called) -> tuple[str, ...]:
    """Where it stands, for whoever may know everything."""
    language = reader.language
    if shown.status.ended:
        return ending_of(shown, language, called) + _answered(shown) + hand_offs(shown, language, called)
    return unsaid(shown, language) or living(shown, reader, called)


def _answered(shown: Shown) -> tuple[str, ...]:
    given = shown.answer if isinstance(shown, TaskShow) else None
    return (f"{given.label}: {given.text}",) if given and given.text else ()


async def _with_everything(
    base: FollowUpText, shown: Shown, reader: Reader, name: Name, called: Called
) -> FollowUpText:
    who, reason = _declined(shown)
    attention = [one.code for one in shown.attention]
    problem = shown.problem.code if shown.problem else None
    problems = problems_of(reader.language, problem, attention[0] if attention else None, shown.trouble)
    return FollowUpText(
        **{
            **vars(base),
            "problems": tuple(one for one in problems if one not in base.sentences),
            "declined": reader.language.say(_DECLINED, who=await name(who)) if reason else "",
            "reason": reason,
            "exchanges": tuple([await _exchange(one, reader.language, name) for one in shown.questions]),
            "targets": tuple(
                TargetLineText(called[line.target], reader.language.say(_HAND_OFFS[line.state]))
                for line in last_of(shown.handoffs)
            ),
        }
    )


async def _exchange(asked: AskedQuestion, language: Language, name: Name) -> Exchange:
    person = await name(asked.person)
    asker = language.say("{person} cannot go on", person=person) if asked.blocks else person
    return Exchange(asker, asked.text, answer_of(asked, language))


async def _person(line: SignerLine | AssigneeLine, reader: Reader, name: Name) -> PersonRow:
    at = reader.moment(line.at) if line.at else ""
    return PersonRow(await name(line.person), Chip.of(line.state, reader.language.say(STATES[line.state])), at)


def _declined(shown: Shown) -> tuple[str, str]:
    """Who declined, and what they said: the signer was promised that whoever asked is told."""
    signers = shown.signers if isinstance(shown, RequestShow) else ()
    return next(((line.person, line.reason) for line in signers if line.reason), ("", ""))
