"""What can happen to whatever is followed up, and how the timeline says so in English."""

from enum import StrEnum
from typing import Self


class Happened(StrEnum):
    """The kinds of lines of a timeline; pages say each in their reader's language (starter/desk/story.py).

    `about` is who is asked instead, a day or an instant (`day_words`), a count, a code, a stage, or the id of a part.
    """

    english: str

    def __new__(cls, word: str, english: str = "") -> Self:
        """What it is called in histories and records, and for people where that is not the same."""
        one = str.__new__(cls, word)
        one._value_, one.english = word, english or word
        return one

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

    CANCELLATION_WISHED = "cancellation_wished", "cancellation asked for"
    REMINDER_WISHED = "reminder_wished", "reminder asked for"
    HAND_OVER_WISHED = "hand_over_wished", "to be handed over to {about}"
    LINK_WISHED = "link_wished", "link asked for"
    REPLAY_WISHED = "replay_wished", "replay asked for"
    EXEMPTION_WISHED = "exemption_wished", "exemption asked for: {about}"
    LATER_END_WISHED = "later_end_wished", "later end asked for: {about}"
    RETRY_WISHED = "retry_wished", "retry asked for"
    EXEMPTION_REFUSED = "exemption_refused", "exemption refused"
    LATER_END_REFUSED = "later_end_refused", "later end refused"
    RETRY_REFUSED = "retry_refused", "retry refused"

    HANDED_OVER = "handed_over", "handed over to {about}"
    NOT_HANDED_OVER = "not_handed_over", "not handed over to {about}"
    ESCALATED = "escalated", "escalated to {about}"
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
    SUBSCRIBED = "subscribed"
    UNSUBSCRIBED = "unsubscribed"

    TOLD = "told", "{about}"
    """`about` is the stage, here and below."""
    PUT_OFF = "put_off", "{about} put off"
    HELD_BACK = "held_back", "{about} held back"
    SUPPRESSED = "suppressed", "{about} suppressed"
    NOT_TOLD = "not_told", "{about} failed"
    TAKEN_OFF = "taken_off", "notice taken off the phone"

    HAND_OFF_PENDING = "hand_off_pending", "hand-off pending"
    HAND_OFF_DONE = "hand_off_done", "hand-off done"
    HAND_OFF_FAILED = "hand_off_failed", "hand-off failed"
    HAND_OFF_DEAD = "hand_off_dead", "hand-off dead"
    REPLAY_PENDING = "replay_pending", "replay {about} pending"
    REPLAY_DONE = "replay_done", "replay {about} done"
    REPLAY_FAILED = "replay_failed", "replay {about} failed"
    REPLAY_DEAD = "replay_dead", "replay {about} dead"

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

    FROZEN = "frozen", "audience of {about} frozen"
    WALKED_START = "walked_start", "start: seen to {about}"
    WALKED_END = "walked_end", "end: seen to {about}"
    WALKED_EXTEND = "walked_extend", "extend: seen to {about}"
    LEFT_START = "left_start", "start: left behind {about}"
    LEFT_END = "left_end", "end: left behind {about}"
    LEFT_EXTEND = "left_extend", "extend: left behind {about}"
    EXEMPT = "exempt"
    EXTENDED = "extended", "everybody has until {about}"
    AGAIN = "again", "asked again: {about}"
    JOINED = "joined", "joined: {about}"
    LEFT = "left", "left: {about}"

    def says(self, about: str) -> str:
        """It in words."""
        return self.english.format(about=about)
