"""Everything that can stand in the way of what people wish, in English for whoever typed a command.

Pages say each in their reader's language, without the ids and flags of the command (starter/page/form_answers.py).
"""

from workflows.model.in_words import InWords


class Rejection(InWords):
    """Why something that somebody wishes is not done."""

    TOO_LATE = "too_late", "too late: the {subject} is {status}"
    HAS_ENDED = "has_ended", "the request has ended already ({status})"
    NO_REASON = "no_reason", "a cancellation needs a reason"
    EMPTY = "empty", "{what} is empty"
    TOO_LONG = "too_long", "{what} is longer than {most} characters"
    UNSEEN = "unseen", "{what} has the character {character}, which people cannot see"
    OTHER_CONTENT = "other_content", "another change has this name already: leave out --op, or choose another"
    NOT_DONE = "not_done", "the {subject} could not do it"

    NOBODYS_TURN = "nobodys_turn", "it is nobody's turn yet"
    NOT_THEIR_TURN = "not_their_turn", "it is not {person}'s turn"
    JUST_TOLD = "just_told", "they were told less than an hour ago"
    PAUSED = "paused", "the {subject} is paused: resume it first"
    PAUSED_ALREADY = "paused_already", "it was paused by {who} already"
    NOT_PAUSED = "not_paused", "it is not paused"

    TOO_FAR = "too_far", "{day} is more than two years away"
    PAST = "past", "{day} has passed"
    NEARLY_OVER = "nearly_over", "{day} is over, or nearly: give a time too, such as {day}T18:00Z"
    NO_LATER_REMINDER = "no_later_reminder", "there is no later reminder left"
    TIME_PAST = "time_past", "that time has passed"
    AFTER_CLOSING = "after_closing", "that is after it closes"
    AFTER_WARNING = "after_warning", "that is after the last warning"

    QUESTION_OPEN = "question_open", "a question is open already"
    TOO_MANY_QUESTIONS = "too_many_questions", "{most} questions were asked already, and there can be no more"
    NO_QUESTION = "no_question", "no question is open"
    BLOCKED = "blocked", "it is blocked already"
    NOT_BLOCKED = "not_blocked", "the {subject} is not blocked"

    NOT_ASKED = "not_asked", "{person} is not one of the {awaited}s of this {subject}"
    ONLY_COPIED = "only_copied", "{person} only gets a copy, there is nothing to hand over"
    UNKNOWN_THERE = "unknown_there", "Core Signature does not know {person} as a signer of this request"
    HAS_ACTED = "has_acted", "{person} has {state} already"
    HAS_HANDED_OVER = "has_handed_over", "{person} has handed their place over already"
    NOT_YET_THEIR_TURN = "not_yet_their_turn", "it is not {person}'s turn yet"
    ASKED_FOR_IT = "asked_for_it", "{person} asked for {what}"
    ASKED_BEFORE = "asked_before", "{person} was asked before"
    ASKED_ALREADY = "asked_already", "{person} is already one of the {awaited}s"
    NO_COLLEAGUE = "no_colleague", "{person} is not one of the colleagues to whom it can be handed over"
    AWAY = "away", "{person} is away"
    HANDED_OVER_TOO_OFTEN = "handed_over_too_often", "the {subject} was handed over too often already"
    REFUSED_THERE = "refused_there", "Core Signature refuses it: {says}"

    NOT_IN_AUDIENCE = "not_in_audience", "{person} is not in the audience"
    OUT_ALREADY = "out_already", "{person} is {state} already"
    NOBODY_FAILED = "nobody_failed", "nobody has failed: no row is wrong, and every request could be made"
    NOBODY_MENDED = (
        "nobody_mended",
        "nobody can be asked who could not be asked before: the report says what is wrong with each",
    )

    ANSWER_NEEDED = "answer_needed", "an answer is needed: {label}"
    TO_DECIDE = "to_decide", "it asks for a decision, so decide: {command}"
    NO_PART = "no_part", "no part is called {part}: it has {parts}"
    NOTHING_TO_DECIDE = "nothing_to_decide", "{part} is {state}: there is nothing to decide about it"
    NO_FILE = "no_file", "a replacement needs a file"
    STARTED_TOO_OFTEN = "started_too_often", "{part} was started {count} times already"
