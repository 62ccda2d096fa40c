"""The texts of a follow-up's page, in its reader's words and clock; unknown timeline entries are shown as they are."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import groupby
from types import MappingProxyType
from typing import Final

from activities.notifications.links import at_desk
from activities.people.language import Language, phrase
from activities.people.reader import Deadline, Reader
from starter.queries.lookup import SYSTEMS, is_outcome, of_type, told_once
from starter.web.acting.actions import onboarding_to_decide
from starter.web.acting.forms import refusal_text
from starter.web.acting.kinds import KIND_PAGES
from starter.web.acting.versions import VERSION
from starter.web.desk.access import ActionForm
from starter.web.desk.sessions import Visitor
from starter.web.rights import Right, Rights
from starter.web.screens.screens import AnsweredQuestion, PersonRow
from starter.web.screens.status import (
    Chip,
    FindPerson,
    NamesById,
    StateOwner,
    answer_of,
    chip_of,
    count_signed,
    ending_sentences_of,
    hand_off_sentences,
    lines_heading,
    listed_lines,
    named_people,
    open_sentences,
    problems_of,
    proposed_people,
    public_sentences,
    status_chip,
    unknown_sentences,
    workflow_words,
)
from workflows.follow_up.notification_types import NotificationType, kind_of
from workflows.follow_up.outbox import last_of
from workflows.follow_up.view import told_entry
from workflows.kinds import WorkflowName, named
from workflows.model.campaign import CLOSED
from workflows.model.commands import KnownBy
from workflows.model.notifications import AppEventType
from workflows.model.schedule import EscalationReason, Reason, is_joined
from workflows.model.signature import DocumentVersion, SignerState
from workflows.model.subject import Role, Status
from workflows.model.timeline import AskedQuestion, EventType, TimelineEntry
from workflows.model.views import (
    AssigneeLine,
    OnboardingShow,
    PartLine,
    RequestShow,
    ReviewLine,
    Shown,
    SignerLine,
    WaitingPart,
)

EVENT_TEXTS: Final[Mapping[str, str]] = {
    EventType.STARTED: phrase("{who} asked for it"),
    EventType.SENT: phrase("The document was sent"),
    EventType.VIEWED: phrase("{who} opened it"),
    EventType.SIGNED: phrase("{who} signed"),
    EventType.APPROVED: phrase("{who} approved"),
    EventType.COPIED: phrase("{who} got a copy"),
    EventType.BOUNCED: phrase("The email to {who} came back"),
    EventType.DECLINED: phrase("{who} declined"),
    EventType.DONE: phrase("{who} has done it"),
    EventType.DONE_WITH_ERRORS: phrase("It is done, but not everybody has acknowledged it"),
    EventType.WAIVED: phrase("{who} waived it"),
    EventType.CANCELLED: phrase("It was cancelled ({who})"),
    EventType.EXPIRED: phrase("It expired"),
    EventType.FAILED: phrase("It failed"),
    EventType.UNKNOWN_STATUS: phrase("Core Signature says something unknown ({code})"),
    EventType.CANCELLATION_ASKED: phrase("{who} asked to cancel it"),
    EventType.REMINDER_ASKED: phrase("{who} asked for a reminder"),
    EventType.HAND_OVER_ASKED: phrase("{to} is to be asked instead of {who}"),
    EventType.LINK_ASKED: phrase("{who} asked for a new link"),
    EventType.REPLAY_ASKED: phrase("{who} is to be told of the ending once more"),
    EventType.EXEMPTION_ASKED: phrase("{who} wants {whom} to be exempt"),
    EventType.LATER_END_ASKED: phrase("{who} wants it to be open until {when}"),
    EventType.TAKEN: phrase("{who} sees to it"),
    EventType.PLACE_TAKEN: phrase("{who} signs for the group {part}"),
    EventType.PLACE_GIVEN_BACK: phrase("{who} could not sign for the group {part}"),
    EventType.RETRY_ASKED: phrase("{who} wants those asked again who could not be asked"),
    EventType.MEMBER_LATER_END_ASKED: phrase("{who} is to have until {when}"),
    EventType.MEMBER_RETRY_ASKED: phrase("{who} is to be asked again"),
    EventType.EXEMPTION_REFUSED: phrase("A change of the audience was not possible"),
    EventType.LATER_END_REFUSED: phrase("A change of the audience was not possible"),
    EventType.RETRY_REFUSED: phrase("A change of the audience was not possible"),
    EventType.CHANGES_ASKED: phrase("{who} asked for changes"),
    EventType.REVISED: phrase("{who} gave version {count}"),
    EventType.REVIEWER_EXEMPT: phrase("{who} need not review it"),
    EventType.REVIEWED: phrase("Version {count} was approved for sending"),
    EventType.HANDED_OVER: phrase("{to} is asked instead of {who}"),
    EventType.LINK_HANDED: phrase("A link to sign was handed to {who}"),
    EventType.NOT_HANDED_OVER: phrase("{to} could not be asked instead of {who}"),
    EventType.ESCALATED: phrase("{to} was asked to see to it, because {who} is silent"),
    EventType.AWAY: phrase("{who} is away"),
    EventType.BACK: phrase("{who} is back"),
    EventType.DUE_MOVED: phrase("{who} moved the due date to {when}"),
    EventType.SNOOZED: phrase("{who} wants to be reminded on {when}"),
    EventType.QUESTION_ASKED: phrase("{who} asked a question"),
    EventType.QUESTION_ANSWERED: phrase("{who} answered the question"),
    EventType.BLOCKED: phrase("{who} cannot go on"),
    EventType.UNBLOCKED: phrase("{who} cleared the way"),
    EventType.PAUSED: phrase("{who} paused it"),
    EventType.RESUMED: phrase("{who} resumed it"),
    EventType.WENT_ON: phrase("Reminders go on without an answer"),
    EventType.PROBLEM: phrase("Something is in the way"),
    EventType.MENDED: phrase("What was in the way is mended"),
    EventType.TERMINATED: phrase("It was broken off"),
    EventType.SUBSCRIBED: phrase("{who} is told of the ending as well"),
    EventType.UNSUBSCRIBED: phrase("{who} is not told of the ending any more"),
    EventType.TOLD: phrase("{who} was told"),
    EventType.PUT_OFF: phrase("A notice to {who} was put off"),
    EventType.HELD_BACK: phrase("{who} is told later"),
    EventType.SUPPRESSED: phrase("{who} was not told"),
    EventType.NOT_TOLD: phrase("{who} could not be told"),
    EventType.TAKEN_OFF: phrase("A notice was taken off the phone of {who}"),
    EventType.CODE_SENT: phrase("{who} was sent a code"),
    EventType.IDENTIFIED: phrase("{who} has proved who they are"),
    EventType.CODES_WRONG: phrase("Too many wrong codes were entered for {who}"),
    EventType.HAND_OFF_PENDING: phrase("{who} is being told of the ending"),
    EventType.HAND_OFF_DONE: phrase("{who} was told of the ending"),
    EventType.HAND_OFF_FAILED: phrase("{who} could not be told of the ending yet"),
    EventType.HAND_OFF_DEAD: phrase("{who} could not be told of the ending"),
    EventType.REPLAY_PENDING: phrase("{who} is being told of the ending"),
    EventType.REPLAY_DONE: phrase("{who} was told of the ending"),
    EventType.REPLAY_FAILED: phrase("{who} could not be told of the ending yet"),
    EventType.REPLAY_DEAD: phrase("{who} could not be told of the ending"),
    EventType.DOWNLOADED: phrase("{who} downloaded the document"),
    EventType.LOG_DOWNLOADED: phrase("{who} downloaded the signing log"),
    EventType.LINKS_REVOKED: phrase("{who} revoked the links by which systems download the documents"),
    EventType.ON_HOLD: phrase("{who} put it on legal hold: nothing of it is removed"),
    EventType.HOLD_RELEASED: phrase("{who} released a legal hold"),
    EventType.FILES_REMOVED: phrase("The signed files were removed: the time for which they are kept is over"),
    EventType.STAGE_BEGUN: phrase("The stage {part} has begun"),
    EventType.STAGE_DONE: phrase("The stage {part} is done"),
    EventType.PART_BEGUN: phrase("{part} has begun"),
    EventType.PART_NOT_STARTED: phrase("{part} could not be started"),
    EventType.PART_SIGNED: phrase("{part} is done"),
    EventType.PART_DONE: phrase("{part} is done"),
    EventType.PART_WAIVED: phrase("{part} was waived"),
    EventType.PART_DECLINED: phrase("{part} was declined"),
    EventType.PART_EXPIRED: phrase("{part} has expired"),
    EventType.PART_CANCELLED: phrase("{part} was cancelled"),
    EventType.PART_FAILED: phrase("{part} has failed"),
    EventType.PART_BROKEN_OFF: phrase("{part} was broken off"),
    EventType.NOBODY_ASKED: phrase("Nobody could be asked what is to become of {part}"),
    EventType.DECIDED_RESEND: phrase("{who} has {part} sent again"),
    EventType.DECIDED_REPLACE: phrase("{who} has {part} replaced"),
    EventType.DECIDED_WAIVE: phrase("{who} goes on without {part}"),
    EventType.DECIDED_STOP: phrase("{who} stops it because of {part}"),
    EventType.FROZEN: phrase("People to be asked: {count}"),
    EventType.WALKED_START: phrase("Asked: {count}"),
    EventType.WALKED_END: phrase("Requests that were ended: {count}"),
    EventType.WALKED_EXTEND: phrase("Requests that are open longer: {count}"),
    EventType.WALKED_REMIND: phrase("Reminded: {count}"),
    EventType.LEFT_START: phrase("Not everybody could be asked before it closed"),
    EventType.LEFT_END: phrase("Not every request could be ended before it closed"),
    EventType.LEFT_EXTEND: phrase("Not every request could be opened longer before it closed"),
    EventType.LEFT_REMIND: phrase("Not everybody could be reminded before it closed"),
    EventType.EXEMPT: phrase("{who} need not acknowledge"),
    EventType.EXTENDED: phrase("Everybody has until {when}"),
    EventType.MEMBER_EXTENDED: phrase("{who} has until {when}"),
    EventType.AGAIN: phrase("Asked again: {count}"),
    EventType.JOINED: phrase("Joined: {count}"),
    EventType.LEFT: phrase("Left: {count}"),
}
OUTCOME_TEXTS: Final[Mapping[str, str]] = {
    EventType.SIGNED: phrase("Everybody has signed"),
    EventType.DONE: phrase("It is done"),
    EventType.DECLINED: phrase("It was declined"),
    EventType.WAIVED: phrase("It was waived"),
}
"""Ends without a person."""
NOTIFICATION_TEXTS: Final[Mapping[str, str]] = {
    NotificationType.READY: phrase("{who} was asked"),
    NotificationType.FOLLOW: phrase("{who} was told where to follow it"),
    NotificationType.REMINDER: phrase("{who} was reminded"),
    NotificationType.SNOOZE: phrase("{who} was reminded at the time they wished"),
    NotificationType.FALLBACK: phrase("{who} was told by another way"),
    NotificationType.WARNING: phrase("{who} was warned that it is due soon"),
    NotificationType.OVERDUE: phrase("{who} was told that it is overdue"),
    NotificationType.ESCALATION: phrase("{who} was told that somebody is silent"),
    NotificationType.ESCALATED: phrase("{who} was told that somebody else was asked to see to it"),
    NotificationType.QUESTION: phrase("{who} was told of a question"),
    NotificationType.BLOCKED: phrase("{who} was told that somebody cannot go on"),
    NotificationType.UNANSWERED: phrase("{who} was told that a question is open"),
    NotificationType.ANSWER: phrase("{who} was told the answer"),
    NotificationType.BOUNCED: phrase("{who} was told that an email came back"),
    NotificationType.MISSING: phrase("{who} was told that somebody is not in the directory"),
    NotificationType.UNREACHED: phrase("{who} was told that somebody cannot be reached"),
    NotificationType.NOT_SENT: phrase("{who} was told that the document could not be sent yet"),
    NotificationType.REASSIGNED: phrase("{who} was told that somebody else is asked"),
    NotificationType.SETTLED: phrase("{who} was told how it ended"),
    NotificationType.UNDELIVERED: phrase("{who} was told that somebody could not be told"),
    NotificationType.NEWS: phrase("{who} was told that somebody is silent"),
    NotificationType.NOTICE: phrase("{who} got the news"),
    NotificationType.BEGUN: phrase("{who} was told that something was begun for them"),
    NotificationType.FINISHED: phrase("{who} was told that something was done for them"),
    NotificationType.LINK: phrase("{who} was sent their link once more"),
    NotificationType.MAIL: phrase("{who} got an email from Core Signature"),
}
REASON_TEXTS: Final[Mapping[str, str]] = {
    Reason.SIGNED: phrase("they have signed"),
    Reason.REVIEWED: phrase("they have reviewed it"),
    Reason.PLACE_TAKEN: phrase("somebody else of their group signs it"),
    Reason.NOT_THEIR_TURN: phrase("it was not their turn any more"),
    Reason.QUIET_HOURS: phrase("outside their hours"),
    Reason.TOO_SOON: phrase("they had heard of it shortly before"),
    Reason.ABSENT: phrase("they are away"),
    Reason.PAUSED: phrase("it is paused"),
    Reason.SNOOZED: phrase("they wished to be reminded later"),
    Reason.SETTLED: phrase("it had ended"),
    Reason.SUPERSEDED: phrase("it was planned anew"),
    Reason.ANSWERED: phrase("the question was answered"),
    Reason.NO_DEVICE: phrase("they have no device"),
    Reason.CAUGHT_UP: phrase("a later one said the same"),
    Reason.QUIET: phrase("they have heard enough for now"),
    Reason.JOINED: phrase("another notice has said so"),
    Reason.OPENED: phrase("they had opened it"),
    Reason.NO_CHANNEL: phrase("there is no other way to them"),
    Reason.UNDELIVERED: phrase("it did not arrive"),
    Reason.UNCONFIRMED: phrase("nobody knows whether it arrived"),
    Reason.UNKNOWN_PERSON: phrase("they are not in the directory"),
    Reason.DIRECTORY: phrase("the directory gave no answer"),
    Reason.REFUSED: phrase("the service refused it"),
    Reason.UNREACHABLE: phrase("the service did not answer"),
    Reason.UNAUTHORISED: phrase("the service does not let us in"),
    Reason.PUSH_MISMATCH: phrase("the device belongs to another push service"),
    Reason.OTHERS_ASLEEP: phrase("it would have woken others"),
    Reason.WITH_OTHERS: phrase("a mail for others reached them as well"),
    Reason.MAILED_RECENTLY: phrase("its document was mailed shortly before"),
    EscalationReason.MANUAL: phrase("by hand"),
    EscalationReason.ABSENCE: phrase("they are away"),
    EscalationReason.ESCALATION: phrase("they are silent"),
    CLOSED: phrase("the campaign was closed"),
}
"""Known reasons."""
EVENTS_AT_MOST: Final = 500
"""Newest ones; `request show --all` has all."""
_ENDED_WITH_WORDS: Final = (EventType.DONE, EventType.WAIVED)
"""Their `why` is a person's note or reason."""
_OF_NOTICES: Final = (
    EventType.TOLD,
    EventType.PUT_OFF,
    EventType.HELD_BACK,
    EventType.SUPPRESSED,
    EventType.NOT_TOLD,
)
_APP_TEXTS: Final = {
    AppEventType.RECEIVED: phrase("arrived on a device"),
    AppEventType.TAPPED: phrase("opened on a device"),
    AppEventType.DISMISSED: phrase("dismissed on a device"),
}
_OF_SOMEBODY_ELSE: Final = (
    EventType.HAND_OVER_ASKED,
    EventType.HANDED_OVER,
    EventType.NOT_HANDED_OVER,
    EventType.ESCALATED,
    EventType.EXEMPTION_ASKED,
)
_OF_STAGES: Final = (EventType.STAGE_BEGUN, EventType.STAGE_DONE)
"""`about` is a stage's name, which may equal a part's id."""
_OF_THE_MACHINE: Final = (
    EventType.PUT_OFF,
    EventType.HELD_BACK,
    EventType.SUPPRESSED,
    EventType.TAKEN_OFF,
    EventType.SUBSCRIBED,
    EventType.UNSUBSCRIBED,
    EventType.HAND_OFF_PENDING,
    EventType.HAND_OFF_DONE,
    EventType.HAND_OFF_FAILED,
    EventType.REPLAY_PENDING,
    EventType.REPLAY_DONE,
    EventType.REPLAY_FAILED,
)
KNOWN_TEXTS: Final[Mapping[str, str]] = {
    KnownBy.SIGN_IN: phrase("signed in at the desk"),
    KnownBy.LINK: phrase("by a personal link"),
    KnownBy.OIDC: phrase("signed in with the company's account"),
    KnownBy.CLAIMED: phrase("by command, as {account}; identity not verified"),
    KnownBy.TOKEN: phrase("by a program"),
    KnownBy.NEXUS: phrase("by a program"),
    KnownBy.HOOK: phrase("by a program"),
}
_TOLD_BY_THE_MACHINE: Final = (NotificationType.FOLLOW, NotificationType.SETTLED, NotificationType.NOTICE)
"""Automatic notices that change nothing."""
_NEAR_DAYS: Final = {0: phrase("Today"), 1: phrase("Yesterday")}
_ALWAYS: Final[Mapping[str, str]] = {EventType.HELD_BACK: Reason.QUIET}
"""The only possible reason."""
PARTS_SHOWN_AT_MOST: Final = 100
"""Of one stage; the rest are counted."""
_DECLINED: Final = phrase("{who} declined, with these words:")


@dataclass(frozen=True)
class TimelineLine:
    """`said` are somebody's own words, `notice` a notification, `machine` an automatic step; `known` is how its actor
    is known.
    """

    day: date
    at: str
    what: str
    why: str = ""
    known_by_text: str = ""
    app_text: str = ""
    """What the app reported last of a notification."""
    is_said: bool = False
    notice: bool = False
    machine: bool = False


@dataclass(frozen=True)
class LineGroup:
    """Consecutive lines; several automatic ones are `folded`."""

    events: tuple[TimelineLine, ...]
    folded: bool


@dataclass(frozen=True)
class Day:
    name: str
    lines: tuple[LineGroup, ...]


async def by_day(
    view: Shown, reader: Reader, name: FindPerson, now: datetime, *, texts: bool = True
) -> tuple[Day, ...]:
    """Newest first, in the reader's zone; without `texts` nothing that people wrote."""
    lines = await timeline_lines(view, reader, name)
    lines = lines if texts else tuple(replace(line, why="") if line.is_said else line for line in lines)
    days = groupby(lines, key=lambda event: event.day)
    return tuple(Day(_day_name(day, reader, now), tuple(_lines(events))) for day, events in days)


async def timeline_lines(view: Shown, reader: Reader, name: FindPerson) -> tuple[TimelineLine, ...]:
    titles = _titles(view)
    entries = told_once(view.timeline)[: -EVENTS_AT_MOST - 1 : -1]
    app_texts = {
        told_entry(line): reader.language.say(_APP_TEXTS[line.app_event])
        for line in view.notifications
        if line.app_event
    }
    return tuple(
        [replace(await _event(entry, titles, reader, name), app_text=app_texts.get(entry, "")) for entry in entries]
    )


@dataclass(frozen=True)
class VersionRows:
    """A version of a document in review; `changes` are what is new in it, `words` what was to be changed."""

    title: str
    given_at: str
    path: str
    people: tuple[PersonRow, ...]
    changes: str
    remark: str


@dataclass(frozen=True)
class PartRow:
    """A part: with whom it is, its dates, why it did not start, why it was declined, and decisions."""

    title: str
    state: Chip
    details: str
    due: Deadline | None
    path: str
    says: str
    reason: str
    choices: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class StageRows:
    """`more` counts hidden parts."""

    name: str
    state: Chip
    since: str
    parts: tuple[PartRow, ...]
    more_text: str


async def stages_of(
    view: OnboardingShow,
    reader: Reader,
    name: FindPerson,
    now: datetime,
    *,
    everything: bool,
    steps: tuple[ActionForm, ...],
    reasons: Mapping[str, str],
) -> tuple[StageRows, ...]:
    """Why a part did not start only if the reader may know `everything`; `reasons` are why people declined, by part."""
    texts, rows = _PartTexts(view, reader, name, now, everything, steps, reasons), []
    for stage in view.stages:
        state = chip_of(StateOwner.STAGE, stage.state, reader.language)
        since_text = reader.shortly(stage.since, now) if stage.since and stage.state == "open" else ""
        parts = tuple([await texts.row(part) for part in stage.parts[:PARTS_SHOWN_AT_MOST]])
        hidden_count = len(stage.parts) - len(parts)
        more_text = (
            reader.language.say_count("and {count} more", "and {count} more", hidden_count) if hidden_count else ""
        )
        rows.append(StageRows(stage.name, state, since_text, parts, more_text))
    return tuple(rows)


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
    taken_by: str
    """Who of the group that asks sees to it."""
    place_text: str
    people_are: str
    """Heading of `people`, with the number done."""
    people: tuple[PersonRow, ...]
    text: str = ""
    """The task, in the requester's words."""
    problems: tuple[str, ...] = ()
    declined: str = ""
    reason: str = ""
    exchanges: tuple[AnsweredQuestion, ...] = ()
    targets: tuple[PersonRow, ...] = ()
    days: tuple[Day, ...] = ()
    stages: tuple[StageRows, ...] = ()
    versions: tuple[VersionRows, ...] = ()

    @property
    def to_decide(self) -> tuple[PartRow, ...]:
        """Parts about which the reader may decide."""
        return tuple(part for stage in self.stages for part in stage.parts if part.choices)


async def build_text(
    view: Shown,
    visitor: Visitor,
    name: FindPerson,
    now: datetime,
    *,
    kind: str,
    rights: Rights,
    titled: bool,
    steps: tuple[ActionForm, ...] = (),
    reasons: Mapping[str, str] = MappingProxyType({}),
) -> FollowUpText:
    """As much as `rights` let them see; `titled` the title and content. `kind` is its name in their language."""
    everything, texts = Right.WHOLE in rights, Right.TEXTS in rights
    reader, workflow, name = (
        visitor.reader,
        WorkflowName(view.type, view.id),
        _or_workflow(name, visitor.reader.language),
    )
    title = view.title or view.id if titled else reader.language.say(KIND_PAGES[workflow.kind].untitled, kind=kind)
    named = (*named_people(view), *proposed_people(view), *(line.target for line in view.handoffs))
    called = {id: await name(id) for id in named}
    base = FollowUpText(
        path=at_desk(workflow),
        id=view.id,
        title=title,
        kind=kind,
        status=status_chip(view.status, reader.language, workflow.kind),
        sentences=_sentences(view, reader, called, texts=texts)
        if everything
        else public_sentences(view, reader, called),
        due=Deadline.sentence(view.due_at, reader, now) if view.due_at and not view.status.has_ended else None,
        overdue=view.overdue,
        asked_by=await _asker(view, name),
        taken_by=await name(view.taken_by) if view.taken_by else "",
        place_text=reader.zone_name(now),
        people_are=_people_are(view, reader.language),
        people=tuple([await _person(line, reader, name) for line in listed_lines(view)]),
        text=view.instructions if titled else "",
        stages=await stages_of(
            of_type(OnboardingShow, view), reader, name, now, everything=everything, steps=steps, reasons=reasons
        )
        if view.in_stages and titled
        else (),
    )
    if not everything:
        return base
    full_text = _with_problems(base, view, reader, called)
    full_text = await _with_texts(full_text, view, reader, name) if texts else full_text
    return replace(full_text, days=await by_day(view, reader, name, now, texts=texts))


def _lines(events: Iterable[TimelineLine]) -> Iterator[LineGroup]:
    for machine, events_of_kind in groupby(events, key=lambda event: event.machine):
        lines = tuple(events_of_kind)
        yield LineGroup(lines, folded=machine and len(lines) > 1)


def _day_name(day: date, reader: Reader, now: datetime) -> str:
    written, day_name = reader.date(day), _NEAR_DAYS.get((reader.day(now) - day).days)
    return f"{reader.language.say(day_name)} · {written}" if day_name else written


def _titles(view: Shown) -> Mapping[str, str]:
    """Titles of an onboarding's parts by id."""
    return {part.id: part.title for part in view.parts}


async def _event(entry: TimelineEntry, titles: Mapping[str, str], reader: Reader, name: FindPerson) -> TimelineLine:
    say = reader.language.say
    values, template = await _values(entry, titles, reader, name), _template(entry)
    return TimelineLine(
        day=reader.day(entry.at),
        at=reader.clock(entry.at),
        what=say(template, **values) if template else " ".join(filter(None, (entry.what, values.get("who")))),
        why=await _reason_text(entry, reader, name),
        known_by_text=_known_by_text(entry, reader.language),
        is_said=entry.said or entry.happened in _ENDED_WITH_WORDS,
        notice=entry.happened in _OF_NOTICES,
        machine=_is_of_the_machine(entry),
    )


def _known_by_text(entry: TimelineEntry, language: Language) -> str:
    """How the actor of a call is known."""
    known_by, _, actor = (entry.actor or "").partition(":")
    account = actor.rpartition(" (")[2].removesuffix(")")
    return language.say(KNOWN_TEXTS[known_by], account=account) if known_by in KNOWN_TEXTS else ""


def _is_of_the_machine(entry: TimelineEntry) -> bool:
    is_automatic = entry.happened == EventType.TOLD and kind_of(entry.about) in _TOLD_BY_THE_MACHINE
    return is_automatic or entry.happened in _OF_THE_MACHINE


async def _reason_text(entry: TimelineEntry, reader: Reader, name: FindPerson) -> str:
    """Text in brackets: a person's words, else a known reason and who wanted it.

    Answers of services and rules of the planner are for operators.
    """
    written_reason, theirs = entry.why or "", entry.said or entry.happened in _ENDED_WITH_WORDS
    if entry.happened not in EVENT_TEXTS or (theirs and entry.who not in SYSTEMS):
        return written_reason
    language = reader.language
    if entry.happened == EventType.PROBLEM:
        [text] = problems_of(language, entry.about, None, None)
    else:
        reason = REASON_TEXTS.get(
            Reason.JOINED if is_joined(written_reason) else _ALWAYS.get(entry.happened, written_reason)
        )
        text = language.say(reason) if reason else refusal_text(language, entry.refusal)
    is_another = entry.by not in (*SYSTEMS, entry.who, entry.actor)
    wanted_by = language.say("by {who}", who=await name(entry.by)) if entry.by and is_another else ""
    return ", ".join(filter(None, (text, wanted_by)))


def _template(entry: TimelineEntry) -> str:
    """Empty for an unknown entry, or one that lacks its person."""
    if is_outcome(entry):
        return OUTCOME_TEXTS[entry.happened]
    template = EVENT_TEXTS.get(entry.happened, "")
    if entry.happened == EventType.TOLD:
        template = NOTIFICATION_TEXTS.get(kind_of(entry.about) or "", template)
    return template if entry.who or "{who}" not in template else ""


async def _values(entry: TimelineEntry, titles: Mapping[str, str], reader: Reader, name: FindPerson) -> dict[str, str]:
    subject = entry.about
    named = subject if entry.happened in _OF_STAGES else titles.get(subject, subject)
    values = {"part": named, "count": subject, "code": subject, "when": _on_their_clock(subject, reader)}
    if entry.happened in _OF_SOMEBODY_ELSE:
        values |= dict.fromkeys(("to", "whom"), await name(subject))
    return values | ({"who": SYSTEMS.get(entry.who) or await name(entry.who)} if entry.who else {})


def _on_their_clock(written: str, reader: Reader) -> str:
    """A day or a UTC instant of the timeline; other text unchanged."""
    try:
        if written.endswith(" UTC"):
            return reader.instant_without_zone(datetime.strptime(written, "%Y-%m-%d %H:%M UTC").replace(tzinfo=UTC))
        return reader.date(date.fromisoformat(written))
    except ValueError:
        return written


@dataclass(frozen=True)
class _PartTexts:
    view: OnboardingShow
    reader: Reader
    name: FindPerson
    now: datetime
    everything: bool
    steps: tuple[ActionForm, ...]
    reasons: Mapping[str, str]

    async def row(self, part: PartLine) -> PartRow:
        name = named(part.workflow) if part.workflow else None
        choices = (
            (step.address, self.reader.language.say(step.spec.label)) for step in self.steps if step.part == part.id
        )
        return PartRow(
            part.title,
            chip_of(StateOwner.PART, part.state, self.reader.language),
            await self._details(part),
            self._due(part),
            at_desk(name) if name else "",
            part.says if self.everything and part.since is None else "",
            self.reasons.get(part.id, ""),
            tuple(choices),
        )

    async def _details(self, part: PartLine) -> str:
        if part.state == "done" and part.at:
            return self.reader.shortly(part.at, self.now)
        waiting = [turn for turn in self.view.waiting_for if turn.part == part.id]
        if part.state != "open" or not waiting:
            return self._ending(part) if part.state == "undecided" else ""
        return await self._describe_wait(waiting)

    def _due(self, part: PartLine) -> Deadline | None:
        awaited = part.state == "open" and any(turn.part == part.id for turn in self.view.waiting_for)
        return Deadline.sentence(part.due_at, self.reader, self.now) if part.due_at and awaited else None

    def _ending(self, part: PartLine) -> str:
        language = self.reader.language
        if part.status:
            return status_chip(part.status, language).text
        return language.say("could not be started") if part.since is None else language.say("was broken off")

    async def _describe_wait(self, waiting: list[WaitingPart]) -> str:
        names = [await self.name(turn.person) for turn in waiting]
        people = self.reader.language.enumerate(dict.fromkeys(names))
        since_text = self.reader.shortly(min(turn.since for turn in waiting), self.now)
        return self.reader.language.say("with {people} since {since}", people=people, since=since_text)


async def _asker(view: Shown, name: FindPerson) -> str:
    """The requester; an onboarding's decision is asked by Countersign."""
    if onboarding_to_decide(view):
        return SYSTEMS["countersign"]
    return await name(view.requester) if view.requester else ""


def _or_workflow(name: FindPerson, language: Language) -> FindPerson:
    """Names also workflows that are told of an end."""

    async def called(id: str) -> str:
        return workflow_words(id, language) or await name(id)

    return called


def _people_are(view: Shown, language: Language) -> str:
    heading = lines_heading(view, language)
    signed_count, everyone = count_signed(view)
    if not everyone:
        return heading
    signed = language.say_count(
        "{count} of {all} has signed", "{count} of {all} have signed", signed_count, all=everyone
    )
    return f"{heading} · {signed}"


def _sentences(view: Shown, reader: Reader, called: NamesById, *, texts: bool) -> tuple[str, ...]:
    language = reader.language
    if view.status.has_ended:
        answered = _answered(view) if texts else ()
        return ending_sentences_of(view, language, called) + answered + hand_off_sentences(view, language, called)
    return unknown_sentences(view, language) or open_sentences(view, reader, called, texts=texts)


def _answered(view: Shown) -> tuple[str, ...]:
    answer = view.given_answer
    return (f"{answer.label}: {answer.text}",) if answer and answer.text else ()


def _with_problems(base: FollowUpText, view: Shown, reader: Reader, called: NamesById) -> FollowUpText:
    attention = [incident.code for incident in view.attention]
    problem = view.problem.code if view.problem else None
    problems = problems_of(reader.language, problem, attention[0] if attention else None, view.trouble)
    if substitutes := proposed_people(view):
        names = reader.language.enumerate([called[person] for person in substitutes])
        problems += (reader.language.say("Could act instead: {who}.", who=names),)
    return replace(
        base,
        problems=tuple(text for text in problems if text not in base.sentences),
        targets=tuple(
            PersonRow(called[line.target], at=chip_of(StateOwner.TARGET, line.state, reader.language).text)
            for line in last_of(view.handoffs)
        ),
    )


async def _with_texts(base: FollowUpText, view: Shown, reader: Reader, name: FindPerson) -> FollowUpText:
    """With what people wrote."""
    person, reason = _declined(view)
    if view.status is Status.REVIEW:  # Its reviewers stand below its versions.
        signers = tuple([await _person(line, reader, name) for line in of_type(RequestShow, view).signers])
        base = replace(base, people=signers, people_are=reader.language.say(KIND_PAGES[view.type].lines))
    return replace(
        base,
        declined=reader.language.say(_DECLINED, who=await name(person)) if reason else "",
        reason=reason,
        exchanges=tuple([await _exchange(question, reader.language, name) for question in view.questions]),
        versions=tuple([await _version(version, view, reader, name) for version in reversed(view.reviewed_versions)]),
    )


async def _version(version: DocumentVersion, view: Shown, reader: Reader, name: FindPerson) -> VersionRows:
    lines = [review for review in view.all_reviews if review.round == version.number and review.role is Role.REVIEW]
    return VersionRows(
        title=reader.language.say("Version {number}", number=version.number),
        given_at=reader.instant_without_zone(version.at),
        path=f"{at_desk(WorkflowName(view.type, view.id))}/{VERSION}/{version.number}",
        people=tuple([await _person(review, reader, name) for review in lines]),
        changes=next((review.reason or "" for review in view.all_reviews if _brought(review, version)), ""),
        remark=next((review.reason for review in lines if review.reason), ""),
    )


def _brought(line: ReviewLine, version: DocumentVersion) -> bool:
    return line.state is SignerState.REVISED and line.round == version.number - 1


async def _exchange(question: AskedQuestion, language: Language, name: FindPerson) -> AnsweredQuestion:
    person = await name(question.person)
    asker = language.say("{person} cannot go on", person=person) if question.blocks else person
    return AnsweredQuestion(asker, question.text, answer_of(question, language))


async def _person(line: SignerLine | AssigneeLine, reader: Reader, name: FindPerson) -> PersonRow:
    acted_at = reader.instant_without_zone(line.at) if line.at else ""
    team = f" ({line.team})" if isinstance(line, SignerLine) and line.team else ""
    return PersonRow(await name(line.person) + team, chip_of(StateOwner.PERSON, line.state, reader.language), acted_at)


def _declined(view: Shown) -> tuple[str, str]:
    """Who declined and why: the signer was promised that the requester is told."""
    return next(iter(view.reasons.items()), ("", ""))
