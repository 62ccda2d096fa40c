"""Rejections: why a command is refused; checks and cleaning of texts.

Their English is for the command line; pages have sentences without ids and flags (starter/web/acting/messages.py).
"""

import json
import unicodedata
from typing import Final

from workflows.model.messages import Message, MessageCode, phrase

TEXT_AT_MOST: Final = 1_000
"""Characters of a reason, a question or an answer: all of them stay in the memory of the request."""
NAME_AT_MOST: Final = 200
"""Characters of the name of who wants something."""
NAMES_AT_MOST: Final = 20
"""People whom one command names."""
_CONTROLS: Final = (*range(9), *range(0x0B, 0x20), *range(0x7F, 0xA0))
_TURNING: Final = (0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A))
_HIDDEN: Final = frozenset(map(chr, (*_CONTROLS, *_TURNING)))
"""What moves a terminal's cursor, or turns the direction of whatever follows."""
_LAYOUT: Final = frozenset("\t\n")
"""What a text of several lines may have and a name may not."""
_TO_LINES: Final = dict.fromkeys(map(ord, _HIDDEN | _LAYOUT), "\n")
_MORE: Final = "…"


class Rejection(MessageCode):
    """Why a command is refused."""

    TOO_LATE = "too_late", "too late: the {subject} is {status}"
    HAS_ENDED = "has_ended", "the request has ended already ({status})"
    NO_REASON = "no_reason", "a cancellation needs a reason"
    EMPTY = "empty", "{what} is empty"
    TOO_LONG = "too_long", "{what} is longer than {most} characters"
    UNSEEN = "unseen", "{what} has the character {character}, which people cannot see"
    OTHER_CONTENT = "other_content", "another change has this name already: leave out --op, or choose another"
    NOT_DONE = "not_done", "the {subject} could not do it"
    OP_TOO_LONG = "op_too_long", "{op}… is too long a name"
    TOO_MANY_NAMES = "too_many_names", "{what} names more than {most} people"

    NOBODYS_TURN = "nobodys_turn", phrase("it is nobody's turn yet")
    NOT_THEIR_TURN = "not_their_turn", "it is not {person}'s turn"
    JUST_TOLD = "just_told", "they were told less than an hour ago: insist with --force"
    NEXT_TURN = "next_turn", "too late: it is the turn of others"
    PAUSED = "paused", "the {subject} is paused: resume it first"
    PAUSED_ALREADY = "paused_already", "it was paused by {who} already"
    NOT_PAUSED = "not_paused", phrase("it is not paused")

    TOO_FAR = "too_far", "{day} is more than two years away"
    PAST = "past", "{day} has passed"
    NEARLY_OVER = "nearly_over", "{day} is over, or nearly: give a time too, such as {day}T18:00Z"
    NO_LATER_REMINDER = "no_later_reminder", phrase("there is no later reminder left")
    TIME_PAST = "time_past", phrase("that time has passed")
    AFTER_CLOSING = "after_closing", phrase("that is after it closes")
    AFTER_WARNING = "after_warning", phrase("that is after the last warning")

    QUESTION_OPEN = "question_open", phrase("a question is open already")
    TOO_MANY_QUESTIONS = "too_many_questions", "{most} questions were asked already, and there can be no more"
    NO_QUESTION = "no_question", "no question is open"
    BLOCKED = "blocked", phrase("it is blocked already")
    NOT_BLOCKED = "not_blocked", "the {subject} is not blocked"

    NOT_ASKED = "not_asked", "{person} is not one of the {awaited}s of this {subject}"
    NO_MAILBOX = "no_mailbox", "{person} has no e-mail address, to which Core Signature would send it"
    ONLY_COPIED = "only_copied", "{person} only gets a copy, there is nothing to hand over"
    UNKNOWN_THERE = "unknown_there", "Core Signature does not know {person} as a signer of this request"
    HAS_ACTED = "has_acted", "{person} has {state} already"
    HAS_HANDED_OVER = "has_handed_over", "{person} has handed their place over already"
    PLACE_TAKEN = "place_taken", "{person} signs it for the group already"
    NO_PLACE = "no_place", "{person} signs for no group here"
    NOT_YET_THEIR_TURN = "not_yet_their_turn", "it is not {person}'s turn yet"
    ASKED_FOR_IT = "asked_for_it", "{person} asked for {what}"
    ASKED_BEFORE = "asked_before", "{person} was asked before"
    ASKED_ALREADY = "asked_already", "{person} is already one of the {awaited}s"
    NO_COLLEAGUE = "no_colleague", "{person} is not one of the colleagues to whom it can be handed over"
    AWAY = "away", "{person} is away"
    AWAY_UNLESS_FORCED = "away_unless_forced", "{person} is away: insist with --force"
    NOT_IN_DIRECTORY = "not_in_directory", '"{person}" is not in {where}{hint}'
    DELEGATES_IN_A_CIRCLE = "delegates_in_a_circle", "the delegates go round in a circle: {circle}"
    ENDS_BEFORE = "ends_before", "ends before it begins"
    TOO_MANY_ABSENCES = "too_many_absences", "{most} absences of {whom} were entered already"
    HANDED_OVER_TOO_OFTEN = "handed_over_too_often", "the {subject} was handed over too often already"
    VERIFIED_PLACE = (
        "verified_place",
        "{person} has to prove who they are, and Core Signature would not ask that of another person: cancel it and "
        "send it anew",
    )
    REFUSED_THERE = "refused_there", phrase("Core Signature refuses it: {says}")

    NOT_TO_SIGN_NOW = "not_to_sign_now", "{person} is not asked to sign now"
    PLACE_OPEN = "place_open", "anyone of {group} may still sign: once {person} has taken its place, hand over a link"
    TOO_MANY_LINKS = "too_many_links", "{most} links of {person} were handed over within a day"
    LINK_OVER = "link_over", phrase("the link that was handed over has been used, or is a day old: hand over another")

    NO_GROUP = "no_group", "no group asked for it, so there is nobody to take it on from"
    ALL_HEAR = "all_hear", phrase("all of the group hear of it, whoever sees to it")
    TAKEN_TOO_OFTEN = "taken_too_often", "the {subject} was taken on too often already"
    TAKEN_ALREADY = "taken_already", "{person} has taken it on already"
    TAKEN_MEANWHILE = "taken_meanwhile", "another member of the group has just taken it on"
    NOT_IN_GROUP = "not_in_group", "{person} is not a member of the group {group}, which asks for it"

    NOT_IN_AUDIENCE = "not_in_audience", "{person} is not in the audience"
    OUT_ALREADY = "out_already", "{person} is {state} already"
    NOT_OPEN = "not_open", "{person} is not asked any more: {state}"
    HAS_LATER = "has_later", "{person} has until {day} already: give a later day"
    NOT_FAILED = "not_failed", "{person} has not failed: {state}"
    NOBODY_FAILED = "nobody_failed", "nobody has failed: no row is wrong, and every request could be made"
    NOBODY_MENDED = (
        "nobody_mended",
        "those who could not be asked still cannot be: the report says what is wrong with each",
    )

    NO_MEMBER_ID = "no_member_id", "the person is no id of the audience: the report has them"
    CLOSING = "closing", "too late: the campaign is being closed"
    NOT_OPENED = "not_opened", "the campaign has not opened yet"
    ENDS_WITH_A_DAY = (
        "ends_with_a_day",
        "a campaign ends with a day, which is over for everybody at another hour: give a date",
    )
    ALL_HAVE_LATER = "all_have_later", "everybody has until {day} already: give a later day"
    CHANGED_TOO_OFTEN = "changed_too_often", "the audience was changed {most:,} times already"
    TOO_MANY_CHANGES = "too_many_changes", "too many changes wait to be written down: try again later"

    NOT_IN_REVIEW = "not_in_review", "the request is not in review: it is {status}"
    NO_REVIEWER = "no_reviewer", "{person} is not a reviewer whose answer is awaited: {awaited} (--as says who reviews)"
    OWN_REVIEW = "own_review", "{person} asked for it, and nobody reviews their own request"
    ONE_ANSWER = "one_answer", phrase("either approve it, or say what is to be changed")
    NO_CHANGES_ASKED = "no_changes_asked", "no changes are asked for: a new version can be given once they are"
    SAME_VERSION = "same_version", phrase("the new version is identical to the old one")
    OLD_VERSION = "old_version", phrase("there is a new version since then: read it first")
    EXEMPTS_OWN = "exempts_own", "{person} asked for it, and cannot exempt its reviewers"
    LAST_REVIEWER = "last_reviewer", "nobody would have approved it: cancel it, and start it without reviewers"

    ANSWER_NEEDED = "answer_needed", "an answer is needed: {label}"
    TO_DECIDE = "to_decide", "it asks for a decision, so decide: {command}"
    NO_PART = "no_part", "no part is called {part}: it has {parts}"
    NOTHING_TO_DECIDE = "nothing_to_decide", "{part} is {state}: there is nothing to decide about it"
    NO_FILE = "no_file", phrase("a replacement needs a file")
    STARTED_TOO_OFTEN = "started_too_often", "{part} was started {count} times already"
    NOT_OF_CUSTOMER = "not_of_customer", "{person} is none of the customer's people"

    IS_A_TARGET = "is_a_target", "{workflow} is the name of a target of the hand-off"
    TOO_MANY_SUBSCRIBERS = "too_many_subscribers", "too many have subscribed already"
    WAITS_FOR_PART = "waits_for_part", "{workflow} waits for this part of it: end the part, or the onboarding"
    SUBSCRIBERS_HEAR = "subscribers_hear", "too late: the {subject} is {status}, and whoever subscribed is told"
    NO_HAND_OFF_YET = "no_hand_off_yet", "nothing is handed off before the end: the {subject} is {status}"
    NO_TARGET = "no_target", "{target} is none of those who are told of this end: they are {targets}"
    NO_TARGETS = (
        "no_targets",
        "{target} is none of those who are told of this end: nobody is (the key `on` of a target says of which)",
    )
    BEING_TOLD = "being_told", "{target} is being told: attempt {attempt} is due {due}{why}"
    TOLD_ALREADY = "told_already", "{target} was told {at}: insist with --again"
    CANNOT_BE_TOLD = "cannot_be_told", "{target} cannot be told: its record does not say how"
    NOT_TOLD = "not_told", "could not tell {target}: {answer}"
    NO_RECORD = "no_record", "its record does not say whom it was handed off to"
    NOT_RECALLED = "not_recalled", "its record cannot be read: {says}"
    GIVEN_UP = "given_up", "given up: the workflow was cancelled in Temporal"
    TOO_MANY_REPLAYS = "too_many_replays", "too many replays of it are asked for already"
    HAND_OFF_ENDING = (
        "hand_off_ending",
        "the one before was cancelled in Temporal and is just ending: ask again in a minute",
    )

    NO_DATE = "no_date", phrase("a date such as 2026-12-11 is needed")
    EARLIER_THAN_DUE = (
        "earlier_than_due",
        "{words} from now is {day}, earlier than it is due: {due}; give the date itself to shorten it",
    )
    CANNOT_WAIT = "cannot_wait", phrase("it cannot be put off until then any more")
    NOBODY_OF_THAT_NAME = "nobody_of_that_name", phrase("nobody in the directory has this name, id or address")
    SEVERAL_OF_THAT_NAME = "several_of_that_name", phrase("several people have this name: choose one of them")
    CANNOT_TAKE = "cannot_take", phrase("it cannot be handed over to this person any more")
    NO_VERSION = (
        "no_version",
        phrase("it is no PDF that can be sent: empty, too large, of another kind, or with a password"),
    )
    TOO_MANY_KINDS = "too_many_kinds", "more than {most} kinds"
    NO_KIND = "no_kind", '"{kind}" is no kind of the catalogue{hint}'


def text_fault(text: str, field: str) -> Message | None:
    """Why a required text is refused, else None."""
    return reason_fault(text, field) if text.strip() else Rejection.EMPTY.to_message(what=field)


def reason_fault(text: str, field: str = "the reason") -> Message | None:
    """Why an optional text is refused, else None."""
    return _fault(text, field, TEXT_AT_MOST, _HIDDEN)


def name_fault(name: str, field: str = "the name of who wants it") -> Message | None:
    """Why a name is refused, else None; it appears inside sentences."""
    return _fault(name, field, NAME_AT_MOST, _HIDDEN | _LAYOUT)


def plain(text: str) -> str:
    """In NFC, with unix line ends, without invisible characters."""
    folded = unicodedata.normalize("NFC", text.replace("\r\n", "\n"))
    return "".join(char for char in folded if char not in _HIDDEN and not _is_half(char))


def in_one_line(text: str) -> str:
    """With one space for each run of line ends and invisible characters."""
    return " ".join(filter(None, text.translate(_TO_LINES).split("\n")))


def cleaned(text: str) -> str:
    """A machine's text without invisible characters and excess length."""
    # Clipped first as well, because what comes from Temporal may have megabytes.
    return plain(text[: 2 * TEXT_AT_MOST])[:TEXT_AT_MOST].strip()


def name_told(name: str) -> str:
    """A name from another system, cleaned."""
    return in_one_line(cleaned(name))[:NAME_AT_MOST]


def clipped(text: str, byte_limit: int) -> str:
    """The text, or its beginning with an ellipsis, within `byte_limit` bytes of JSON."""
    if _bytes(text) <= byte_limit:
        return text
    shortened = text[:byte_limit]
    while _bytes(shortened + _MORE) > byte_limit:
        shortened = shortened[: -max(1, (_bytes(shortened + _MORE) - byte_limit) // 6)]
    return shortened + _MORE


def _fault(text: str, field: str, at_most: int, hidden: frozenset[str]) -> Message | None:
    if len(text) > at_most:
        return Rejection.TOO_LONG.to_message(what=field, most=at_most)
    hidden_character = next((char for char in text if char in hidden or _is_half(char)), None)
    return (
        Rejection.UNSEEN.to_message(what=field, character=f"U+{ord(hidden_character):04X}")
        if hidden_character
        else None
    )


def _is_half(char: str) -> bool:
    """Whether it is a lone surrogate, which no encoding takes."""
    return "\ud800" <= char <= "\udfff"


def _bytes(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode()) - 2
