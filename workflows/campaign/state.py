"""The state of a campaign: counts and positions in the audience, never a list of people. Pure."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Self

from pydantic import AwareDatetime

from workflows.follow_up.commands import living_refusal, refuse_extend
from workflows.follow_up.input import FollowUpInput
from workflows.follow_up.state import FollowUpWords, Lifecycle, LifecycleState
from workflows.model.base import Model
from workflows.model.campaign import (
    AudienceChange,
    BatchResult,
    BatchWork,
    Campaign,
    ChangeKind,
    ChangeResult,
    Counts,
    DailyCheckResult,
    FrozenAudience,
    OutcomeCounts,
)
from workflows.model.commands import Exemption, Extension, ReminderCommand, Retry
from workflows.model.messages import Message
from workflows.model.rejections import Rejection, name_fault, text_fault
from workflows.model.subject import Status, Subject
from workflows.model.timeline import EventType
from workflows.model.views import Attention, AttentionCode
from workflows.names import EXEMPT, EXTEND, REMIND, RETRY

WAITING_CHANGES_AT_MOST: Final = 50
"""Changes waiting to be stored."""
CHANGES_AT_MOST: Final = 1_000
"""Changes of one audience: each is applied to all of it whenever it is read."""
CLOSING: Final = Rejection.CLOSING.to_message()
ROOM_PAUSES: Final = (*(timedelta(seconds=5) * 2**power for power in range(6)), timedelta(minutes=5))
"""Pauses while too many requests wait for Core Signature and none is created."""
_WEEK: Final = 7
_WORD_OF: Final = {ChangeKind.EXEMPT: EXEMPT, ChangeKind.EXTENDED: EXTEND, ChangeKind.AGAIN: RETRY}
"""The update of each change."""
_EVENTS_OF: Final = {
    ChangeKind.EXEMPT: (EventType.EXEMPTION_ASKED, EventType.EXEMPTION_REFUSED),
    ChangeKind.EXTENDED: (EventType.LATER_END_ASKED, EventType.LATER_END_REFUSED),
    ChangeKind.AGAIN: (EventType.RETRY_ASKED, EventType.RETRY_REFUSED),
}
"""That somebody asks for a change, and that it cannot be."""
_EVENTS_OF_ONE: Final = {
    ChangeKind.EXTENDED: EventType.MEMBER_LATER_END_ASKED,
    ChangeKind.AGAIN: EventType.MEMBER_RETRY_ASKED,
}
"""The former of one member."""
_WORDS: Final = FollowUpWords(
    subject="campaign",
    awaited="request",
    awaited_action="everybody's acknowledgement",
    not_the_owner="it and cannot be asked",
    cancelling="end its open requests",
)
_OF_IDS: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
_ID_AT_MOST: Final = 100


class Reminder(Model):
    """A reminder of everybody who has not acknowledged, numbered from 1; `force` also within the hour."""

    number: int
    by: str
    force: bool = False


class RunningBatch(Model):
    """A batch job: its position in the audience, and the change or reminder it is for."""

    work: BatchWork
    after: int = 0
    done: int = 0
    refused: int = 0
    change: AudienceChange | None = None
    reminder: Reminder | None = None
    in_vain: int = 0
    """How often in a row there was no room."""
    again_at: AwareDatetime | None = None
    """When to check for room again."""

    def full(self, previous_position: int, now: datetime) -> Self:
        in_vain = self.in_vain + 1 if self.after == previous_position else 1
        pause = ROOM_PAUSES[min(in_vain, len(ROOM_PAUSES)) - 1]
        return self.replace(in_vain=in_vain, again_at=now + pause)


def last_instant(day: date) -> datetime:
    """The first instant at which a day is over everywhere on earth."""
    return datetime.combine(day + timedelta(days=1), time(12), UTC)


class Window(Model):
    """When it opens, the last day of everybody who was there then, the last day that anybody has, days of grace."""

    opens_at: AwareDatetime
    everybodys_due: date
    last_due: date
    grace: int

    @property
    def due_at(self) -> datetime:
        return last_instant(self.everybodys_due)

    @property
    def closes_at(self) -> datetime:
        return last_instant(self.last_due) + timedelta(days=self.grace)


class Audience(Model):
    """The frozen audience and its changes, by counts and positions."""

    frozen: FrozenAudience | None = None
    members: int = 0
    """Everybody who was ever in it."""
    asked: int = 0
    """How many of the frozen audience have been asked."""
    changes: int = 0
    head: str | None = None
    """SHA-256 of the last change."""
    changes_asked: int = 0
    """The last change whose people were all asked."""


class Jobs(Model):
    """Batch jobs, the first one running; changes that are still to be written down."""

    running: tuple[RunningBatch, ...] = ()
    waiting: tuple[AudienceChange, ...] = ()
    reminders: int = 0
    """How many reminders were asked for."""


class DailyChecks(Model):
    """How many are over, how many the present one makes up for, and whom it has told last."""

    days: int = 0
    missed: int = 0
    told_to: str = ""


class CountState(Model):
    """The last counts; at the closing the outcome and how often it was waited for open requests."""

    counts: Counts = Counts()
    counted_at: AwareDatetime | None = None
    outcome: OutcomeCounts | None = None
    ends_everybody: bool = False
    waits: int = 0


class CampaignState(LifecycleState):
    @property
    def vocabulary(self) -> FollowUpWords:
        return _WORDS

    window: Window
    audience: Audience = Audience()
    jobs: Jobs = Jobs()
    daily: DailyChecks = DailyChecks()
    tally: CountState = CountState()

    @classmethod
    def begin(cls, campaign: Campaign, now: datetime) -> Self:
        due = campaign.due
        return cls(
            lifecycle=Lifecycle(id=campaign.id, started_at=now, status=Status.OPEN),
            window=Window(opens_at=campaign.opens_at, everybodys_due=due, last_due=due, grace=campaign.grace),
        ).note(now, EventType.STARTED, campaign.requester, None)

    @property
    def due_at(self) -> datetime:
        return self.window.due_at

    @property
    def closes_at(self) -> datetime:
        return self.window.closes_at

    @property
    def phase(self) -> str:
        """`scheduled`, `opening`, `open` or `closing`."""
        if self.audience.frozen is None:
            return "scheduled"
        if self.lifecycle.ending or self.closing:
            return "closing"
        asks = (batch.change is None and batch.work is BatchWork.START for batch in self.jobs.running)
        return "opening" if any(asks) else "open"

    def attention(self) -> Iterator[Attention]:
        if (faulty := self.tally.counts.faulty) and self.tally.counted_at:
            sentence = f"{faulty} could not be asked: `campaign report` says why, `campaign retry --failed` tries again"
            yield Attention(code=AttentionCode.NOT_ASKED, since=self.tally.counted_at, says=sentence)

    @property
    def look_due_at(self) -> datetime:
        """When the next daily check is due; the first is a day after the opening."""
        return self.window.opens_at + timedelta(days=self.daily.days + 1)

    @property
    def weekly(self) -> bool:
        return (self.daily.days + 1) // _WEEK > (self.daily.days - self.daily.missed) // _WEEK

    def froze(self, frozen: FrozenAudience, now: datetime) -> Self:
        updated = (
            self.update_part("audience", frozen=frozen, members=frozen.rows)
            .update_part("jobs", running=(RunningBatch(work=BatchWork.START),))
            .update_part(
                "tally", counts=Counts(not_told=frozen.rows - frozen.errors, errors=frozen.errors), counted_at=now
            )
        )
        return updated.note(now, EventType.FROZEN, None, frozen.sha256[:12], about_id=frozen.rows)

    def batch_done(self, result: BatchResult, now: datetime) -> Self:
        batch, *later_jobs = self.jobs.running
        on = batch.replace(after=result.after, done=batch.done + result.done, refused=batch.refused + result.refused)
        on = on.full(batch.after, now) if result.full else on.replace(in_vain=0, again_at=None)
        asked_up_to = result.after if batch.change is None and batch.work is BatchWork.START else self.audience.asked
        updated = self.update_part("audience", asked=asked_up_to).update_part(
            "jobs", running=(*later_jobs,) if result.over else (on, *later_jobs)
        )
        if not result.over:
            return updated
        if on.change and on.work is BatchWork.START:
            updated = updated.update_part("audience", changes_asked=on.change.number)
        if on.reminder:
            says = EventType.WALKED_REMIND.format_english(about=str(on.done))
            updated = updated.replace(commands=updated.commands.mark_done(REMIND, says))
        refused = f"{on.refused} could not be" if on.refused else None
        summary = ", ".join(filter(None, (on.change.what if on.change else None, refused))) or None
        return updated.note(now, EventType(f"walked_{on.work}"), None, summary, about_id=on.done)

    def drop_interrupted_job(self, now: datetime) -> Self:
        """Drop the first batch job, which the closing interrupted."""
        batch, *later_jobs = self.jobs.running
        updated = self.update_part("jobs", running=(*later_jobs,))
        if batch.reminder:
            updated = updated.replace(commands=updated.commands.refused(REMIND, CLOSING))
        return updated.note(now, EventType(f"left_{batch.work}"), None, CLOSING, about_id=batch.after)

    def change_asked(self, kind: ChangeKind, sender: str, now: datetime, **details: object) -> Self:
        """Queue a requested change; it gets its number when it is stored."""
        change = AudienceChange(number=0, what=kind, by=sender, at=now).replace(**details)
        updated, (asked_for, _) = self.update_part("jobs", waiting=(*self.jobs.waiting, change)), _EVENTS_OF[kind]
        if change.person and (of_one := _EVENTS_OF_ONE.get(kind)):
            reason = change.reason or None
            return updated.note(
                now, of_one, change.person, reason, about_id=change.due or "", is_quote=True, sender=sender
            )
        return updated.note(
            now, asked_for, sender, change.reason or None, about_id=change.person or change.due or "", is_quote=True
        )

    @property
    def to_write(self) -> AudienceChange | None:
        """The next change to store, with its number."""
        return self.jobs.waiting[0].replace(number=self.audience.changes + 1) if self.jobs.waiting else None

    def wrote(self, changed: ChangeResult, now: datetime) -> Self:
        """The first queued change was stored or refused."""
        change, *later_changes = self.jobs.waiting
        command_word, person = _WORD_OF[change.what], change.person or ""
        updated = self.update_part("jobs", waiting=tuple(later_changes))
        if changed.change is None:
            refusal = changed.refused or Rejection.NOT_DONE.to_message(subject=self.vocabulary.subject)
            refused_state = updated.replace(commands=self.commands.refused(command_word, refusal, person))
            return refused_state.note(now, _EVENTS_OF[change.what][1], change.person, refusal)
        accepted_state = updated.replace(
            commands=self.commands.mark_done(command_word, _describe_change(changed.change, changed.people), person)
        )
        return accepted_state.changed(changed, now)

    def changed(self, changed: ChangeResult, now: datetime) -> Self:
        """A change is in force: a batch job for its people begins."""
        change = changed.change
        if change is None:
            return self
        updated = (
            self.update_part(
                "audience", changes=change.number, head=changed.sha256, members=self.audience.members + changed.new
            )
            .update_part(
                "window",
                everybodys_due=self._move_due(change),
                last_due=max(self.window.last_due, changed.due or self.window.last_due),
            )
            .update_part(
                "jobs", running=self._add_batch(RunningBatch(work=change.what.work, change=change.replace(reason="")))
            )
        )
        return updated.note(
            now, _event_of(change), change.person, None, about_id=_subject_of_change(change, changed.people)
        )

    def with_reminder(self, sender: str, *, force: bool, now: datetime) -> Self:
        """One that is being sent serves later requests too."""
        if any(batch.reminder for batch in self.jobs.running):
            return self
        reminder = Reminder(number=self.jobs.reminders + 1, by=sender, force=force)
        batches = self._add_batch(RunningBatch(work=BatchWork.REMIND, reminder=reminder))
        return self.update_part("jobs", reminders=reminder.number, running=batches).note(
            now, EventType.REMINDER_ASKED, sender, None
        )

    def _add_batch(self, batch: RunningBatch) -> tuple[RunningBatch, ...]:
        """Batch jobs with one more; those that wait for Core Signature do not delay others."""
        return tuple(sorted((*self.jobs.running, batch), key=lambda job: job.work is BatchWork.START))

    def _move_due(self, change: AudienceChange) -> date:
        extended = change.due if change.what is ChangeKind.EXTENDED and not change.person else None
        return max(self.window.everybodys_due, extended or self.window.everybodys_due)

    def looked(self, looked: DailyCheckResult, now: datetime) -> Self:
        updated = self
        for change in looked.changes:
            updated = updated.changed(change, now)
        counted = updated.update_part("tally", counts=looked.counts, counted_at=now - looked.ago)
        if not looked.over:
            return counted.update_part("daily", told_to=looked.after)
        return counted.update_part("daily", days=self.daily.days + 1, missed=0, told_to="")

    def missed_looks(self, now: datetime) -> Self:
        """Of missed daily checks only one is made up for."""
        late = (now - self.look_due_at) // timedelta(days=1)
        return (
            self.update_part("daily", days=self.daily.days + late, missed=self.daily.missed + late)
            if late > 0
            else self
        )

    @property
    def unfinished(self) -> bool:
        """Whether batch jobs or changes are left."""
        return bool(self.jobs.running or self.jobs.waiting)

    def end_everybody(self) -> Self:
        """Begin the batch job that ends all open requests, once; the waits start anew."""
        if self.tally.ends_everybody:
            return self
        batches = (RunningBatch(work=BatchWork.END),) if self.audience.frozen else ()
        waits = 0 if self.lifecycle.ending else self.tally.waits
        return self.update_part("jobs", running=batches, waiting=()).update_part(
            "tally", ends_everybody=True, waits=waits
        )

    @property
    def closing(self) -> bool:
        """Whether the record is being made: the audience changes no more."""
        return self.tally.ends_everybody or self.tally.waits > 0

    def waited(self) -> Self:
        return self.update_part("tally", waits=self.tally.waits + 1)

    def tallied(self, tally: OutcomeCounts, now: datetime) -> Self:
        return self.update_part("tally", counts=tally.counts, counted_at=now, outcome=tally)


def _describe_change(change: AudienceChange, people: int) -> str:
    return _event_of(change).format_english(about=_subject_of_change(change, people))


def _event_of(change: AudienceChange) -> EventType:
    of_one = change.what is ChangeKind.EXTENDED and change.person
    return EventType.MEMBER_EXTENDED if of_one else EventType(change.what)


def _subject_of_change(change: AudienceChange, people: int) -> str:
    return str(change.due if change.what is ChangeKind.EXTENDED else people)


class CampaignInput(FollowUpInput):
    """Input; `carried` is set by continue-as-new only."""

    campaign: Campaign
    carried: CampaignState | None = None

    @property
    def subject(self) -> Subject:
        return self.campaign.subject


def refuse_exempt(state: CampaignState, command: Exemption, now: datetime) -> Message | None:
    """Why no member can be exempted now; whether this one can be, only the record knows."""
    if refusal := _not_now(state, command.actor, now) or text_fault(command.reason, "the reason"):
        return refusal
    return _no_id(command.person)


def exempt(state: CampaignState, command: Exemption, now: datetime) -> CampaignState:
    """Queue an exemption."""
    return state.change_asked(ChangeKind.EXEMPT, command.actor, now, person=command.person, reason=command.reason)


def refuse_later(state: CampaignState, command: Extension, now: datetime) -> Message | None:
    if refusal := _not_now(state, command.actor, now) or refuse_extend(state, command, now):
        return refusal
    if isinstance(command.due, datetime):
        return Rejection.ENDS_WITH_A_DAY.to_message()
    if command.person:
        return _no_id(command.person)
    due = state.window.everybodys_due
    return None if command.due > due else Rejection.ALL_HAVE_LATER.to_message(day=due)


def later(state: CampaignState, command: Extension, now: datetime) -> CampaignState:
    """Queue an extension for all open members, or one of them."""
    details = {"person": command.person or None, "due": command.due, "reason": command.reason}
    return state.change_asked(ChangeKind.EXTENDED, command.actor, now, **details)


def refuse_retry(state: CampaignState, command: Retry, now: datetime) -> Message | None:
    return _not_now(state, command.actor, now) or (_no_id(command.person) if command.person else None)


def retry(state: CampaignState, command: Retry, now: datetime) -> CampaignState:
    """Queue a retry; which members could not be asked is found when it is carried out."""
    return state.change_asked(ChangeKind.AGAIN, command.actor, now, person=command.person or None)


def refuse_remind(state: CampaignState, command: ReminderCommand, now: datetime) -> Message | None:
    """Why nobody can be reminded now; who was notified within the hour, only their requests know."""
    return _not_open(state, command.actor, now)


def remind(state: CampaignState, command: ReminderCommand, now: datetime) -> CampaignState:
    """Begin the batch job that reminds everybody who has not acknowledged."""
    return state.with_reminder(command.actor, force=command.force, now=now)


def _no_id(person: str) -> Message | None:
    is_id = _OF_IDS.issuperset(person) and 0 < len(person) <= _ID_AT_MOST
    return None if is_id else Rejection.NO_MEMBER_ID.to_message()


def _not_open(state: CampaignState, actor: str, now: datetime) -> Message | None:
    if refusal := living_refusal(state) or name_fault(actor):
        return refusal
    if state.audience.frozen is None:
        return Rejection.NOT_OPENED.to_message()
    return CLOSING if state.closing or now >= state.closes_at else None


def _not_now(state: CampaignState, actor: str, now: datetime) -> Message | None:
    if refusal := _not_open(state, actor, now):
        return refusal
    if state.audience.changes + len(state.jobs.waiting) >= CHANGES_AT_MOST:
        return Rejection.CHANGED_TOO_OFTEN.to_message(most=CHANGES_AT_MOST)
    return Rejection.TOO_MANY_CHANGES.to_message() if len(state.jobs.waiting) >= WAITING_CHANGES_AT_MOST else None
