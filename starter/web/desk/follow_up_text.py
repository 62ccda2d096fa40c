"""The texts of a follow-up's page, in its reader's words and clock."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from activities.notifications.links import at_desk
from activities.people.language import Language, phrase
from activities.people.reader import Deadline, Reader
from starter.queries.lookup import SYSTEMS, of_type
from starter.web.actions import onboarding_to_decide
from starter.web.desk.access import ActionForm
from starter.web.desk.sessions import Visitor
from starter.web.desk.timeline import Day, by_day
from starter.web.kinds import KIND_PAGES
from starter.web.screens import Exchange, PersonRow
from starter.web.status import (
    Chip,
    FindPerson,
    NamesById,
    StateOwner,
    answer_of,
    chip_of,
    count_signed,
    ending_sentences_of,
    hand_off_sentences,
    named_people,
    open_sentences,
    problems_of,
    public_sentences,
    status_chip,
    unknown_sentences,
    workflow_words,
)
from workflows.follow_up.outbox import last_of
from workflows.kinds import WorkflowName, named
from workflows.model.timeline import AskedQuestion
from workflows.model.views import (
    AssigneeLine,
    OnboardingShow,
    PartLine,
    Shown,
    SignerLine,
    WaitingPart,
)

PARTS_SHOWN_AT_MOST: Final = 100
"""Of one stage; the rest are counted."""


@dataclass(frozen=True)
class PartRow:
    """A part: with whom it is, its dates, why it did not start, and decisions."""

    title: str
    state: Chip
    details: str
    due: Deadline | None
    path: str
    says: str
    choices: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class StageRows:
    """`more` counts hidden parts."""

    name: str
    state: Chip
    since: str
    parts: tuple[PartRow, ...]
    more: str


async def stages_of(
    shown: OnboardingShow,
    reader: Reader,
    name: FindPerson,
    now: datetime,
    *,
    everything: bool,
    steps: tuple[ActionForm, ...],
) -> tuple[StageRows, ...]:
    """Reasons only if the reader may know `everything`."""
    told, rows = _PartTexts(shown, reader, name, now, everything, steps), []
    for stage in shown.stages:
        state = chip_of(StateOwner.STAGE, stage.state, reader.language)
        since = reader.shortly(stage.since, now) if stage.since and stage.state == "open" else ""
        parts = tuple([await told.row(part) for part in stage.parts[:PARTS_SHOWN_AT_MOST]])
        left = len(stage.parts) - len(parts)
        more = reader.language.say_count("and {count} more", "and {count} more", left) if left else ""
        rows.append(StageRows(stage.name, state, since, parts, more))
    return tuple(rows)


@dataclass(frozen=True)
class _PartTexts:
    shown: OnboardingShow
    reader: Reader
    name: FindPerson
    now: datetime
    everything: bool
    steps: tuple[ActionForm, ...]

    async def row(self, part: PartLine) -> PartRow:
        what = named(part.workflow) if part.workflow else None
        choices = ((one.address, self.reader.language.say(one.spec.label)) for one in self.steps if one.part == part.id)
        return PartRow(
            part.title,
            chip_of(StateOwner.PART, part.state, self.reader.language),
            await self._details(part),
            self._due(part),
            at_desk(what) if what else "",
            part.says if self.everything and part.since is None else "",
            tuple(choices),
        )

    async def _details(self, part: PartLine) -> str:
        if part.state == "done" and part.at:
            return self.reader.shortly(part.at, self.now)
        waiting = [one for one in self.shown.waiting_for if one.part == part.id]
        if part.state != "open" or not waiting:
            return self._ended(part) if part.state == "undecided" else ""
        return await self._with(waiting)

    def _due(self, part: PartLine) -> Deadline | None:
        awaited = part.state == "open" and any(one.part == part.id for one in self.shown.waiting_for)
        return Deadline.sentence(part.due_at, self.reader, self.now) if part.due_at and awaited else None

    def _ended(self, part: PartLine) -> str:
        language = self.reader.language
        if part.status:
            return status_chip(part.status, language).text
        return language.say("could not be started") if part.since is None else language.say("was broken off")

    async def _with(self, waiting: list[WaitingPart]) -> str:
        beside = [await self.name(one.person) for one in waiting]
        people = self.reader.language.enumerate(dict.fromkeys(beside))
        since = self.reader.shortly(min(one.since for one in waiting), self.now)
        return self.reader.language.say("with {people} since {since}", people=people, since=since)


_DECLINED: Final = phrase("{who} declined, with these words:")


@dataclass(frozen=True)
class FollowUpText:
    """What one reader is told; what they may not know is empty."""

    path: str
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
    """Heading of `people`, with the number done."""
    people: tuple[PersonRow, ...]
    text: str = ""
    """The task, in the requester's words."""
    problems: tuple[str, ...] = ()
    declined: str = ""
    reason: str = ""
    exchanges: tuple[Exchange, ...] = ()
    targets: tuple[PersonRow, ...] = ()
    days: tuple[Day, ...] = ()
    stages: tuple[StageRows, ...] = ()


async def build_text(
    shown: Shown,
    visitor: Visitor,
    name: FindPerson,
    now: datetime,
    *,
    kind: str,
    everything: bool,
    titled: bool,
    steps: tuple[ActionForm, ...] = (),
) -> FollowUpText:
    """`everything` includes reasons; `titled` the title and content. `kind` is its name in their language."""
    reader, what, name = visitor.reader, WorkflowName(shown.type, shown.id), _or_workflow(name, visitor.reader.language)
    title = shown.title or shown.id if titled else reader.language.say(KIND_PAGES[what.kind].untitled, kind=kind)
    called = {id: await name(id) for id in (*named_people(shown), *(line.target for line in shown.handoffs))}
    base = FollowUpText(
        path=at_desk(what),
        id=shown.id,
        title=title,
        kind=kind,
        status=status_chip(shown.status, reader.language, what.kind),
        sentences=_sentences(shown, reader, called) if everything else public_sentences(shown, reader, called),
        due=Deadline.sentence(shown.due_at, reader, now) if shown.due_at and not shown.status.ended else None,
        overdue=shown.overdue,
        asked_by=await _asker(shown, name),
        place=reader.place(now),
        people_are=_people_are(shown, reader.language),
        people=tuple([await _person(line, reader, name) for line in shown.lines]),
        text=shown.instructions if titled else "",
        stages=await stages_of(of_type(OnboardingShow, shown), reader, name, now, everything=everything, steps=steps)
        if shown.in_stages and titled
        else (),
    )
    if not everything:
        return base
    whole = await _with_everything(base, shown, reader, name, called)
    return replace(whole, days=await by_day(shown, reader, name, now))


async def _asker(shown: Shown, name: FindPerson) -> str:
    """The requester; an onboarding's decision is asked by Countersign."""
    if onboarding_to_decide(shown):
        return SYSTEMS["countersign"]
    return await name(shown.requester) if shown.requester else ""


def _or_workflow(name: FindPerson, language: Language) -> FindPerson:
    """Names also workflows that are told of an end."""

    async def called(id: str) -> str:
        return workflow_words(id, language) or await name(id)

    return called


def _people_are(shown: Shown, language: Language) -> str:
    words = language.say(KIND_PAGES[shown.type].lines)
    done, everyone = count_signed(shown)
    if not everyone:
        return words
    signed = language.say_count("{count} of {all} has signed", "{count} of {all} have signed", done, all=everyone)
    return f"{words} · {signed}"


def _sentences(shown: Shown, reader: Reader, called: NamesById) -> tuple[str, ...]:
    language = reader.language
    if shown.status.ended:
        return (
            ending_sentences_of(shown, language, called)
            + _answered(shown)
            + hand_off_sentences(shown, language, called)
        )
    return unknown_sentences(shown, language) or open_sentences(shown, reader, called)


def _answered(shown: Shown) -> tuple[str, ...]:
    given = shown.given_answer
    return (f"{given.label}: {given.text}",) if given and given.text else ()


async def _with_everything(
    base: FollowUpText, shown: Shown, reader: Reader, name: FindPerson, called: NamesById
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
                PersonRow(called[line.target], at=chip_of(StateOwner.TARGET, line.state, reader.language).text)
                for line in last_of(shown.handoffs)
            ),
        }
    )


async def _exchange(asked: AskedQuestion, language: Language, name: FindPerson) -> Exchange:
    person = await name(asked.person)
    asker = language.say("{person} cannot go on", person=person) if asked.blocks else person
    return Exchange(asker, asked.text, answer_of(asked, language))


async def _person(line: SignerLine | AssigneeLine, reader: Reader, name: FindPerson) -> PersonRow:
    at = reader.moment(line.at) if line.at else ""
    return PersonRow(await name(line.person), chip_of(StateOwner.PERSON, line.state, reader.language), at)


def _declined(shown: Shown) -> tuple[str, str]:
    """Who declined and why: the signer was promised that the requester is told."""
    return next(iter(shown.reasons.items()), ("", ""))
