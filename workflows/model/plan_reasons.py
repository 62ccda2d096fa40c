"""Why something is planned, moved, put off or left out: the reasons in a plan, for terminals and pages alike."""

from workflows.model.messages import MessageCode, phrase


class PlanReason(MessageCode):
    """A reason in a plan; `person` and `other` are ids, in whose place pages have names."""

    FIRST_REMINDER = "first_reminder", phrase("reminder {number} of {most}, {span} after the request arrived")
    NEXT_REMINDER = "next_reminder", phrase("reminder {number} of {most}, every {span}")
    OVERDUE_REMINDER = "overdue_reminder", phrase("overdue since {when}, every {span}")
    REQUESTED = "requested", phrase("asked for by {person}")
    SNOOZED = "snoozed_until", phrase("not now, they said: at {when}")
    BEFORE_DUE = "before_due", phrase("{span} before the due date")
    ON_DUE_DAY = "on_due_day", phrase("on the day of the due date")
    ON_LAST_WORKING_DAY = "on_last_working_day", phrase("on the last working day before the due date")
    NOT_OPENED = "not_opened_yet", phrase("not opened {span} after they were asked")
    ALERTED = "alerted", phrase("{person} was alerted")
    AFTER_DUE = "after_due", phrase("{span} after the due date")
    DUE_PASSED = "due_passed", phrase("the due date has passed")
    QUESTION = "question_asked", phrase("question {number} of {person}")
    QUESTION_STILL_OPEN = "question_still_open", phrase("question {number} is still open")
    QUESTION_NOT_ANSWERED = "question_not_answered", phrase("question {number} was not answered within {span}")

    NO_ANSWER = "no_answer", phrase("{span} without an answer")
    SHARE_PASSED = "share_passed", phrase("{percent} % of the time until the due date has passed")
    USED_UP = "used_up", phrase("all {count} reminders are used up")
    SOME_USED_UP = "some_used_up", phrase("only {count} of {most} reminders could come")
    NONE_SENT = "none_sent", phrase("no reminder could be sent")
    OVERDUE_NO_ANSWER = "overdue_no_answer", phrase("an overdue reminder without an answer")
    NO_TIME_LEFT = "no_time_left", phrase("no time was left before the due date")
    IS_ABSENT = "is_absent", phrase("{person} is absent")

    TO_ALTERNATE = "to_alternate", phrase("to {person}, the named alternate")
    TO_FALLBACK = "to_fallback", phrase("to {person}, the fallback of this kind")
    TO_MANAGER = "to_manager", phrase("to {person}, the manager of {other}")
    TO_DELEGATE = "to_delegate", phrase("to {person}, the delegate of {other}, who is absent")
    TO_REQUESTER = "to_requester", phrase("nobody is left to act, so the requester is told")
    TO_REQUESTER_AGAIN = "to_requester_again", phrase("to {person}, nobody else can see to it")
    NOT_TO_SIGNER = "not_to_signer", phrase("not to {person}, who is the silent signer")
    NOT_TO_REQUESTER = "not_to_requester", phrase("not to {person}, who is the requester")
    NOT_TO_ASKING_GROUP = "not_to_asking_group", phrase("not to {person}, who is of the group that asks")
    NOT_TO_ACTED = "not_to_acted", phrase("not to {person}, who has acted already")
    NOT_TO_ANOTHER = "not_to_another", phrase("not to {person}, who is asked too")
    NOT_TO_STRANGER = "not_to_stranger", phrase("not to {person}, who is not in the directory")
    NOT_TO_UNREACHED = "not_to_unreached", phrase("not to {person}, whom no notice has reached")
    NOT_TO_ABSENT = "not_to_absent", phrase("not to {person}, who is absent")
    NOT_TO_ASKER = "not_to_asker", phrase("not to {person}, who has asked it")
    NOT_TO_PHONELESS = "not_to_phoneless", phrase("not to {person}, who has no phone")
    HOURS_OF = "hours_of", phrase("{person} is not in the directory, so the hours are those of {other}")

    MOVED = "moved", phrase("moved from {when}")
    MOVED_EARLIER = "moved_earlier", phrase("moved earlier from {when}")
    PUT_OFF = "put_off", phrase("put off from {when}")
    INTO_WORKING_HOURS = "into_working_hours", phrase("moved into working hours")
    INTO_HOURS_OF = "into_hours_of", phrase("moved into the hours of {person}")
    EARLIER_INTO_HOURS = "earlier_into_hours", phrase("moved earlier, into working hours")
    EARLIER_TO_ACT = "earlier_to_act", phrase("moved earlier, so that a working day is left to act")
    APART = "apart", phrase("apart from other notices")
    SINCE_LAST_NOTICE = "since_last_notice", phrase("not before they have had {span} since their last notice")
    DAY_FOR_OTHERS = (
        "day_for_others",
        phrase("moved to where it is day for {people}, whom Core Signature mails as well"),
    )
    MAY_WAKE = "may_wake", phrase("although it may wake {people}")
    NO_BETTER_TIME = "no_better_time", phrase("there is no better time")
    NOTHING_REACHED = "nothing_reached", phrase("nothing has reached them for as long as the policy says")

    OUTSIDE_HOURS = "outside_hours", phrase("outside {hours}")
    DAY_OFF = "day_off", phrase("not a working day")
    HOLIDAY = "holiday", phrase("a public holiday ({holiday})")
    ABSENT = "absent", phrase("they are absent")

    NO_HOURS_BEFORE_DUE = "no_hours_before_due", phrase("no open hours before the due date")
    NO_HOURS_BEFORE_CLOSING = "no_hours_before_closing", phrase("no open hours before it closes")
    PAST_DUE = "past_due", phrase("after the due date")
    PAST_CLOSING = "past_closing", phrase("after it closes")
    OVER_WITHIN_THE_HOUR = "over_within_the_hour", phrase("it is over within the hour")
    OVER_AFTER_NOTICE = "over_after_notice", phrase("{span} after their last notice it is over")
    NOTICE_WITHIN_THE_HOUR = "notice_within_the_hour", phrase("another notice comes within the hour")
    NOTICE_BEFORE = "notice_before", phrase("they had a notice less than {span} before")
    WARNING_WITHIN_THE_HOUR = "warning_within_the_hour", phrase("a last warning comes within the hour")
    WARNINGS_BEGUN = "warnings_begun", phrase("the last warnings have begun")
    NEARER_WARNING = (
        "nearer_warning",
        phrase("the warning nearer to the due date comes by then or within the hour"),
    )
    NEARER_WARNING_THAT_DAY = (
        "nearer_warning_that_day",
        phrase("the warning nearer to the due date comes on that day"),
    )
    TURN_CAME_LATER = "turn_came_later", phrase("their turn came later than that")
    CHOSE_ANOTHER_TIME = "chose_another_time", phrase("they chose another time since")
    SAID_NOT_NOW = "said_not_now", phrase("they said not now")
    OTHERS_ASLEEP = "others_asleep", phrase("at no time of theirs is it day for {people}")
    NO_PHONE = "no_phone", phrase("they have no phone, and were written to at once")
    NOT_IN_THE_DIRECTORY = "not_in_the_directory", phrase("they are not in the directory")
    NOBODY_KNOWN = "nobody_known", phrase("nobody is known")

    NEVER_MADE = "never_made", phrase("it was never made at Core Signature")
    NEVER_SENT = "never_sent", phrase("it was never sent: Core Signature was still preparing the document")
    NEVER_REVIEWED = "never_reviewed", phrase("it was never sent: its review was not over")

    THEIR_TURN = "their_turn", phrase("it is their turn")
    CAN_FOLLOW = "can_follow", phrase("they can follow it at the desk")
    AFTER_THEIR_TURN = "after_their_turn", phrase("{span} after their turn came")
    LATE = "late", phrase("late")
    WHEN_REVIEW_IS_DUE = "when_review_is_due", phrase("when its review is due")
    EVERYBODY_SIGNED = "everybody_signed", phrase("everybody has signed")
    HANDED_OVER = "handed_over_to", phrase("handed over to {person}")
    DELEGATE_FROM_THE_START = (
        "delegate_from_the_start",
        phrase("{person} is absent, so the delegate is asked from the start"),
    )
    STAGE_BEGINS = "stage_begins", phrase("its stage begins")
    DONE_LATER = "done_later", phrase("{span} later")
    AUDIENCE_FROZEN = "audience_frozen", phrase("the list of people is final, and everybody is asked")
    WEEKLY = "weekly", phrase("how many have not acknowledged yet, once a week")
    OF_THEIR_PEOPLE = "of_their_people", phrase("who of their people has not acknowledged yet")
    WINDOW_ENDS = "window_ends", phrase("the window ends; who acts later is late")
    RECORD_MADE = "record_made", phrase("the record is made")
