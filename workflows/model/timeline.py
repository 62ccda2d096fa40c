"""The timeline: event types and entries with their English words; questions and reassignments."""

from typing import Annotated, Any, Final

from pydantic import AwareDatetime, Field, computed_field, model_validator

from workflows.model.base import InWords, Model
from workflows.model.messages import Message
from workflows.model.schedule import EscalationReason, why_words


class EventType(InWords):
    """Types of timeline entries; pages translate them (starter/web/desk/follow_up_text.py).

    `about` is a replacement, a day or an instant (`day_words`), a count, a code, a stage, or a part's id.
    """

    STARTED = "started"
    SENT = "sent"
    VIEWED = "viewed"
    SIGNED = "signed"
    """By somebody, or by all: the request."""
    APPROVED = "approved"
    COPIED = "copied"
    BOUNCED = "bounced"
    DECLINED = "declined"
    DONE = "done"
    DONE_WITH_ERRORS = "done_with_errors"
    WAIVED = "waived"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    FAILED = "failed"
    UNKNOWN_STATUS = "unknown_status", "unknown status {about}"

    CANCELLATION_ASKED = "cancellation_asked", "cancellation asked for"
    REMINDER_ASKED = "reminder_asked", "reminder asked for"
    HAND_OVER_ASKED = "hand_over_asked", "to be handed over to {about}"
    LINK_ASKED = "link_asked", "link asked for"
    REPLAY_ASKED = "replay_asked", "replay asked for"
    EXEMPTION_ASKED = "exemption_asked", "exemption asked for: {about}"
    LATER_END_ASKED = "later_end_asked", "later end asked for: {about}"
    RETRY_ASKED = "retry_asked", "retry asked for"
    TAKEN = "taken", "taken on"
    MEMBER_LATER_END_ASKED = "member_later_end_asked", "to have until {about}"
    MEMBER_RETRY_ASKED = "member_retry_asked", "to be asked again"
    EXEMPTION_REFUSED = "exemption_refused", "exemption refused"
    LATER_END_REFUSED = "later_end_refused", "later end refused"
    RETRY_REFUSED = "retry_refused", "retry refused"

    CHANGES_ASKED = "changes_asked", "changes asked for"
    REVISED = "revised", "version {about} given"
    REVIEWER_EXEMPT = "reviewer_exempt", "need not review"
    REVIEWED = "reviewed", "version {about} approved for sending"

    PLACE_TAKEN = "place_taken", "signs for the group {about}"
    PLACE_GIVEN_BACK = "place_given_back", "could not sign for the group {about}"
    HANDED_OVER = "handed_over", "handed over to {about}"
    LINK_HANDED = "link_handed", "a link to sign was handed over"
    NOT_HANDED_OVER = "not_handed_over", "not handed over to {about}"
    ESCALATED = "escalated", "escalated to {about}"
    AWAY = "away", "away"
    BACK = "back", "back"
    DUE_MOVED = "due_moved", "due date moved to {about}"
    SNOOZED = "snoozed", "not now, but {about}"
    QUESTION_ASKED = "question_asked", "question {about} asked"
    QUESTION_ANSWERED = "question_answered", "question {about} answered"
    BLOCKED = "blocked"
    UNBLOCKED = "unblocked"
    PAUSED = "paused"
    RESUMED = "resumed"
    WENT_ON = "went_on", "the clocks go on"
    PROBLEM = "problem", "problem {about}"
    MENDED = "mended", "problem mended"
    TERMINATED = "terminated", "its workflow was terminated"
    """It was begun anew only to be ended."""
    SUBSCRIBED = "subscribed"
    UNSUBSCRIBED = "unsubscribed"

    TOLD = "told", "{about}"
    """`about` is the stage, here and below."""
    PUT_OFF = "put_off", "{about} put off"
    HELD_BACK = "held_back", "{about} delayed"
    SUPPRESSED = "suppressed", "{about} suppressed"
    NOT_TOLD = "not_told", "{about} failed"
    TAKEN_OFF = "taken_off", "notice taken off the phone"

    CODE_SENT = "code_sent", "code sent by {about}"
    """Of our page, which writes it to the store, and so are the next two; `about` is the channel."""
    IDENTIFIED = "identified", "proved who they are by {about}"
    CODES_WRONG = "codes_wrong", "too many wrong codes"

    HAND_OFF_PENDING = "hand_off_pending", "hand-off pending"
    HAND_OFF_DONE = "hand_off_done", "hand-off done"
    HAND_OFF_FAILED = "hand_off_failed", "hand-off failed"
    HAND_OFF_DEAD = "hand_off_dead", "hand-off dead"
    REPLAY_PENDING = "replay_pending", "replay {about} pending"
    REPLAY_DONE = "replay_done", "replay {about} done"
    REPLAY_FAILED = "replay_failed", "replay {about} failed"
    REPLAY_DEAD = "replay_dead", "replay {about} dead"

    DOWNLOADED = "downloaded", "document downloaded"
    """Of a view alone, and so are the next: no workflow knows of downloads, holds and removals."""
    LOG_DOWNLOADED = "log_downloaded", "signing log downloaded"
    LINKS_REVOKED = "links_revoked", "download links of targets revoked"
    ON_HOLD = "on_hold", "put on legal hold"
    HOLD_RELEASED = "hold_released", "legal hold released"
    FILES_REMOVED = "files_removed", "signed files removed: their retention is over"

    STAGE_BEGUN = "stage_begun", "stage begun: {about}"
    STAGE_DONE = "stage_done", "stage done: {about}"
    PART_BEGUN = "part_begun", "begun: {about}"
    PART_NOT_STARTED = "part_not_started", "could not be started: {about}"
    PART_SIGNED = "part_signed", "signed: {about}"
    PART_DONE = "part_done", "done: {about}"
    PART_WAIVED = "part_waived", "waived: {about}"
    PART_DECLINED = "part_declined", "declined: {about}"
    PART_EXPIRED = "part_expired", "expired: {about}"
    PART_CANCELLED = "part_cancelled", "cancelled: {about}"
    PART_FAILED = "part_failed", "failed: {about}"
    PART_BROKEN_OFF = "part_broken_off", "broken off: {about}"
    NOBODY_ASKED = "nobody_asked", "nobody could be asked: {about}"
    DECIDED_RESEND = "decided_resend", "decided: resend {about}"
    DECIDED_REPLACE = "decided_replace", "decided: replace {about}"
    DECIDED_WAIVE = "decided_waive", "decided: waive {about}"
    DECIDED_STOP = "decided_stop", "decided: stop {about}"

    FROZEN = "frozen", "people to be asked: {about}"
    WALKED_START = "walked_start", "asked: {about}"
    WALKED_END = "walked_end", "requests ended: {about}"
    WALKED_EXTEND = "walked_extend", "requests extended: {about}"
    WALKED_REMIND = "walked_remind", "reminded: {about}"
    LEFT_START = "left_start", "start: left behind {about}"
    LEFT_END = "left_end", "end: left behind {about}"
    LEFT_EXTEND = "left_extend", "extend: left behind {about}"
    LEFT_REMIND = "left_remind", "remind: left behind {about}"
    EXEMPT = "exempt"
    EXTENDED = "extended", "everybody has until {about}"
    MEMBER_EXTENDED = "member_extended", "has until {about}"
    AGAIN = "again", "asked again: {about}"
    JOINED = "joined", "joined: {about}"
    LEFT = "left", "left: {about}"


class EscalationEntry(Model):
    """Who was asked or alerted instead of the signer `from_`."""

    from_: str = Field(alias="from")
    to: str
    reason: EscalationReason
    at: AwareDatetime


class TimelineEntry(Model):
    """An event: type, person, reason."""

    at: AwareDatetime
    happened: Annotated[EventType | str, Field(union_mode="left_to_right")]
    """What newer code has noted, and this does not know, is in the words that it came with."""
    about: str = ""
    who: str | None = None
    why: str | None = None
    refusal: Message | None = None
    """Of what was refused: the message whose English `why` is."""
    said: bool = False
    """`why` are somebody's own words: what is written once has a reference in their place."""
    by: str | None = None
    """Who wanted it, where `who` is whom or what it is about."""
    actor: str | None = None
    """Of a call by a person or program: who, and how that is known, such as `sign-in:ada` (`KnownBy`)."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def what(self) -> str:
        """The event in English."""
        return self.happened.format_english(about=self.about) if isinstance(self.happened, EventType) else self.happened

    @property
    def because(self) -> str:
        """Reason and actor in English."""
        reason = self.why or ""
        reason_text = reason if self.said else why_words(reason)
        actor = self.actor or self.by
        return ", ".join(filter(None, (reason_text, actor and f"by {actor}")))

    @model_validator(mode="before")
    @classmethod
    def _in_words_at_least(cls, content: Any) -> Any:
        if isinstance(content, dict) and "what" in content and content.get("happened") not in _KNOWN:
            return content | {"happened": content["what"]}
        return content


class Reassignment(Model):
    """A slot that is to be reassigned, and who wants it."""

    from_: str
    to: str
    reason: EscalationReason
    who: str
    force: bool = False
    """Whether they are to be asked although they are away."""

    @property
    def subject_key(self) -> str:
        """From and to, as the command log tells reassignments apart."""
        return handing_over(self.from_, self.to)

    @property
    def by_hand(self) -> bool:
        """Whether a person requested it, not the policy."""
        return self.reason is EscalationReason.MANUAL


def handing_over(signer: str, successor: str) -> str:
    """From and to in words."""
    return f"{signer} to {successor}"


class AskedQuestion(Model):
    """A signer's question and its answer.

    `to` is the present holder of the slot of `person`: an open question moves with the slot.
    """

    number: int
    person: str
    to: str | None = None
    text: str
    at: AwareDatetime
    answer: str | None = None
    blocks: bool = False
    """It is no question but why they cannot go on; the answer is what they were told when it was cleared."""

    @property
    def holder(self) -> str:
        """Who waits for the answer: the asker, or the present holder of their slot."""
        return self.to or self.person

    @property
    def description(self) -> str:
        """An open question or obstacle in words."""
        if self.blocks:
            return f"blocked by {self.person}"
        return f"question {self.number} of {self.person} waits for an answer"


class PostponedPerson(Model):
    """A person who could not be notified, and until when nothing is tried."""

    person: str
    until: AwareDatetime


class AskedReminder(Model):
    """A requested reminder that was not sent yet."""

    number: int
    who: str


_KNOWN: Final = frozenset(EventType)
