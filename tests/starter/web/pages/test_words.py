"""What pages say, in every language: each screen there is, and where a request stands."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.core_signature.signing_page import SigningPage, SigningState
from activities.people.language import LANGUAGES, Language
from activities.people.reader import Deadline
from starter.web.pages.link_screens import MAIL_SENT, ended_screen, signing_screen, status_screen, task_screen
from starter.web.screens.screens import FOREIGN_FORM, NO_ANSWER, NOT_KNOWN_NOW, NOT_OURS, Screen, ScreenDraft
from starter.web.screens.status import problems_of
from tests.activities.reading import reading
from workflows.model.commands import Problem
from workflows.model.hand_off import HandoffLine, HandoffState
from workflows.model.signature import SignerState
from workflows.model.subject import Code, Role, Status
from workflows.model.timeline import AskedQuestion, EventType, TimelineEntry
from workflows.model.views import (
    AssigneeLine,
    Attention,
    AttentionCode,
    Choices,
    NextAction,
    NextStep,
    RequestShow,
    SignerLine,
    TaskShow,
    WaitingFor,
)
from workflows.task.state import AssigneeState

NOW = datetime(2026, 12, 10, 9, 0, tzinfo=UTC)
DUE = datetime(2026, 12, 11, 17, 0, tzinfo=UTC)
LATER = datetime(2026, 12, 11, 8, 0, tzinfo=UTC)
WHEN = "vr 11 dec 2026, 09:00 (Amsterdam)"


def make_view(**changes: Any) -> RequestShow:
    """A request that waits for the chief executive, with a reminder to come."""
    view = RequestShow(
        id="msa-0042",
        kind="customer-contract",
        document="Agreement",
        requester="legal-desk",
        status=Status.SENT,
        due_at=DUE,
        says="Waiting for chief-executive",
        waiting_for=(WaitingFor(person="chief-executive", since=NOW),),
        next=NextAction(what=NextStep.REMIND, at=LATER, why="silent"),
        signers=tuple(
            SignerLine(person=f"signer-{n}", order=n, role=Role.SIGN, state=state)
            for n, state in enumerate(SignerState, start=1)
        ),
    )
    return view.replace(**changes)


def render_sentences(language: str = "nl", **changes: Any) -> tuple[str, ...]:
    return status_screen(make_view(**changes), "legal-desk", reading(language), NOW).sentences


def render_sentences_outside(language: str = "nl", **changes: Any) -> tuple[str, ...]:
    """What anybody else reads: an alternate, a signer who was replaced, a team that is told of endings."""
    return status_screen(make_view(**changes), "customer-deputy", reading(language), NOW).sentences


_TASK = TaskShow(id="keys", kind="task", title="Keys", status=Status.OPEN, requester="office", due_at=DUE, people=())
_MINE = Choices(person="porter", snoozes_left=1, snooze_until=None, hand_over=True, ask=True)
_ENDINGS = (Status.DONE, Status.WAIVED, Status.CANCELLED, Status.EXPIRED)
TASKS = (
    _TASK.replace(choices=(_MINE,)),
    _TASK.replace(people=(AssigneeLine(person="porter", state=AssigneeState.REASSIGNED),)),
    *(_TASK.replace(people=(AssigneeLine(person="caretaker", state=state),)) for state in AssigneeState),
    *(_TASK.replace(status=status, done_by=person) for status in _ENDINGS for person in ("porter", "caretaker", None)),
)


def words_of(screen: Screen) -> list[str]:
    button = [screen.button.label, screen.button.hint] if screen.button else []
    rows = [row.state.text for row in screen.signers if row.state]
    return [
        screen.heading,
        *filter(None, [screen.signers_are]),
        *screen.sentences,
        *([screen.due.relative_text] if screen.due else []),
        *([screen.state.text] if screen.state else []),
        *button,
        *rows,
    ]


def every_screen(code: str) -> list[Screen]:
    """Each screen that there is, in one language."""
    reader = reading(code)
    pages = [
        SigningPage(state, document="Agreement", approves=approves)
        for state in SigningState
        for approves in (False, True)
    ]
    pages.append(SigningPage(SigningState.BY_MAIL, document="Agreement", request="to be mailed alone"))
    endings = [status for status in Status if status.has_ended]
    drafts: list[ScreenDraft] = [NOT_OURS, FOREIGN_FORM, NO_ANSWER, NOT_KNOWN_NOW, MAIL_SENT]
    return [
        *(draft.in_language(reader.language) for draft in drafts),
        *(signing_screen(page, DUE, reader, NOW) for page in pages),
        *(ended_screen(outcome, reader.language) for outcome in [None, *endings]),
        *(status_screen(make_view(status=status), "legal-desk", reader, NOW) for status in Status),
        *(status_screen(make_view(status=status), "signer-1", reader, NOW) for status in Status),
        *(status_screen(make_view(**changes), "customer-deputy", reader, NOW) for _, changes, _ in OUTSIDE),
        *(task_screen(task, "porter", reader, NOW) for task in TASKS),
        *(status_screen(task, "customer-deputy", reader, NOW) for task in TASKS),
    ]


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != "en"])
def test_no_screen_is_left_in_english(code: str) -> None:
    pairs = zip(every_screen("en"), every_screen(code), strict=True)
    english = {
        text for english_screen, screen in pairs for text in set(words_of(english_screen)) & set(words_of(screen))
    }
    assert english == set()


@pytest.mark.parametrize("code", LANGUAGES)
def test_no_placeholder_is_left_on_a_screen(code: str) -> None:
    for screen in every_screen(code):
        assert screen.language.code == code
        assert not any({"{", "}"} & set(text) for text in words_of(screen))


def test_the_due_date_is_near_on_a_page_as_well() -> None:
    screen = signing_screen(SigningPage(SigningState.OPEN, document="Agreement"), DUE, reading("de"), NOW)
    assert screen.due == Deadline("Fällig morgen 18:00", "Fr., 11. Dez. 2026, 18:00 (Amsterdam)")
    overdue = signing_screen(SigningPage(SigningState.OPEN), DUE, reading("de"), DUE + timedelta(hours=1))
    assert overdue.due == Deadline("Überfällig seit heute 18:00", "Fr., 11. Dez. 2026, 18:00 (Amsterdam)")


def test_in_english_the_requester_reads_it_on_their_own_clock_as_in_any_language() -> None:
    assert render_sentences("en") == (
        "Waiting for chief-executive.",
        "A reminder follows on Fri, 11 Dec 2026, 09:00 (Amsterdam).",
    )


OUTSIDE: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    (
        "a problem of ours",
        {
            "says": "Problem unauthorised since Thu: canary",
            "problem": Problem(code=Code.UNAUTHORISED, since=LATER, says="canary"),
            "next": NextAction(what=NextStep.WAIT, at=LATER, why="trying again: canary"),
        },
        ("Since Fri, 11 Dec 2026, 09:00 (Amsterdam) something is in the way. Nothing is lost.",),
    ),
    (
        "a pause",
        {
            "says": "Waiting for chief-executive; reminders are paused: paused by canary: canary",
            "next": NextAction(what=NextStep.WAIT, at=None, why="paused by canary: canary"),
            "attention": (Attention(code=AttentionCode.PAUSED, since=NOW, says="paused by canary: canary"),),
            "timeline": (TimelineEntry(at=NOW, happened=EventType.PAUSED, who="canary", why="canary", said=True),),
        },
        ("Waiting for chief-executive.", "When it goes on is not known at the moment."),
    ),
    (
        "a cancellation under way",
        {"says": "Being cancelled at Core Signature", "next": NextAction(what=NextStep.END, at=None, why="canary")},
        ("It is being ended.",),
    ),
    (
        "a request of which no worker speaks",
        {"says": "No worker answers; canary", "partial": True, "waiting_for": (), "next": None},
        ("Where it stands is not known at the moment. Please look again later.",),
    ),
    *(
        (
            f"a workflow that was {ending}",
            {"says": "The workflow: canary", "trouble": ending, "waiting_for": (), "next": None},
            (sentence,),
        )
        for ending, sentence in (
            (
                "terminated",
                "Nobody follows this up any more. Please ask whoever sent it to you before you do anything.",
            ),
            ("paused", "It stands still at the moment. Please ask whoever sent it to you."),
        )
    ),
    (
        "a doubt that stops no clock",
        {"problem": Problem(code=Code.DIRECTORY, since=LATER, says="canary")},
        ("Waiting for chief-executive.", "A reminder follows on Fri, 11 Dec 2026, 09:00 (Amsterdam)."),
    ),
    (
        "an end that somebody is still to be told of",
        {
            "status": Status.FAILED,
            "says": "Failed Thu: canary; telling canary",
            "problem": Problem(code=Code.SENDING_ERROR, since=LATER, says="canary"),
            "handoffs": (HandoffLine(target="canary", state=HandoffState.DEAD, attempts=1, at=NOW),),
        },
        ("It could not be sent for signature.",),
    ),
]


@pytest.mark.parametrize(("changes", "facts"), [case[1:] for case in OUTSIDE], ids=[case[0] for case in OUTSIDE])
def test_outsiders_read_facts_and_never_our_reasons_people_or_targets(
    changes: dict[str, Any], facts: tuple[str, ...]
) -> None:
    assert (
        tuple(text.replace("\u2068", "").replace("\u2069", "") for text in render_sentences_outside("en", **changes))
        == facts
    )
    for code in LANGUAGES:
        assert "canary" not in " ".join(render_sentences_outside(code, **changes))


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        (NextStep.REMIND, f"Op {WHEN} volgt een herinnering."),
        (NextStep.WARN, f"Op {WHEN} volgt een laatste waarschuwing."),
        (NextStep.ESCALATE, f"Op {WHEN} wordt iemand anders ingelicht."),
        (NextStep.EXPIRE, f"Het verloopt op {WHEN}."),
    ],
)
def test_what_happens_next_is_said_in_the_readers_language(kind: NextStep, sentence: str) -> None:
    assert render_sentences(next=NextAction(what=kind, at=LATER, why="silent")) == (
        "Wacht op chief-executive.",
        sentence,
    )


def test_every_step_of_the_agenda_has_a_sentence() -> None:
    ahead = set(NextStep) - {NextStep.WAIT, NextStep.HAND_OFF, NextStep.END}
    assert all(len(render_sentences(next=NextAction(what=step, at=LATER, why="silent"))) == 2 for step in ahead)


def test_a_problem_is_told_with_who_can_mend_it_and_not_in_the_words_of_the_command() -> None:
    problem = Problem(code=Code.REFUSED, since=LATER, says="HTTP 403: look at COUNTERSIGN_SIGNATURE_SCOPE")
    next_step = NextAction(what=NextStep.WAIT, at=LATER, why="trying again")
    since_text, mended = f"Sinds {WHEN} is er een belemmering:", render_sentences(problem=problem, next=next_step)[1]
    assert render_sentences(problem=problem, next=next_step) == (since_text, mended)
    assert mended == problems_of(reading("nl").language, Code.REFUSED, None, None)[0] != problem.says
    assert render_sentences("en", problem=problem, next=next_step)[1] == (
        "A service refuses what it is asked; the operators are needed."
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"trouble": "terminated", "says": "The workflow was terminated and does nothing more; before that: canary"},
            (
                "Somebody ended its workflow in Temporal.",
                "Nobody is told anything until the operators have seen to it.",
            ),
        ),
        (
            {"trouble": "paused", "says": "canary: unpause it in the Web UI"},
            ("It is paused.", "Nobody is told anything until the operators have seen to it."),
        ),
        (
            {"partial": True, "says": "No worker answers: start `countersign worker`", "waiting_for": (), "next": None},
            ("Where it stands is not known at the moment. Please look again later.",),
        ),
        (
            {
                "says": "Waiting for chief-executive; the clocks stand: paused by hr: canary",
                "next": NextAction(what=NextStep.WAIT, at=None, why="canary"),
                "attention": (Attention(code=AttentionCode.PAUSED, since=NOW, says="canary"),),
                "timeline": (TimelineEntry(at=NOW, happened=EventType.PAUSED, who="hr", why="Insolvent?", said=True),),
            },
            (
                "Waiting for chief-executive.",
                "Paused by HR desk: nobody is reminded until it is resumed at the desk.",
                "Insolvent?",
            ),
        ),
    ],
    ids=["terminated", "paused in Temporal", "no worker", "paused"],
)
def test_whoever_asked_reads_what_can_be_done_and_nothing_to_type(
    changes: dict[str, Any], expected: tuple[str, ...]
) -> None:
    screen = status_screen(make_view(**changes), "legal-desk", reading("en"), NOW, {"hr": "HR desk"})
    assert tuple(text.replace("\u2068", "").replace("\u2069", "") for text in screen.sentences) == expected
    for code in [code for code in LANGUAGES if code != "en"]:
        assert not set(render_sentences(code, **changes)) & set(expected) - {"Insolvent?"}


def test_while_a_question_waits_the_requester_reads_names_and_their_own_clock() -> None:
    question = AskedQuestion(number=1, person="chief-executive", text="Which annex?", at=NOW)
    sentence = "Waiting for chief-executive; reminders are paused until Fri 11 Dec 2026 08:00 UTC: a question"
    view = make_view(question=question, says=sentence, next=NextAction(what=NextStep.WAIT, at=LATER, why="a question"))
    called = {"chief-executive": "Chief Executive"}
    for code, expected in (
        ("en", "Reminders wait until Fri, 11 Dec 2026, 09:00 (Amsterdam) for the answer to a question."),
        ("nl", f"Herinneringen wachten tot {WHEN} op het antwoord op een vraag."),
    ):
        waiting, next_text = status_screen(view, "legal-desk", reading(code), NOW, called).sentences
        assert ("Chief Executive" in waiting, next_text) == (True, expected)


def test_a_fault_of_the_people_file_stops_no_clock_so_what_follows_is_told() -> None:
    problem = Problem(code=Code.DIRECTORY, since=LATER, says="people.yaml:7: zone: unknown")
    following = NextAction(what=NextStep.EXPIRE, at=LATER, why="silent")
    assert render_sentences(problem=problem, next=following) == render_sentences(next=following)


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_standstill_is_told_in_the_readers_language_and_never_as_something_else(code: str) -> None:
    ends = render_sentences(
        code, says="Being cancelled", next=NextAction(what=NextStep.END, at=None, why="being cancelled")
    )
    assert ends == (reading(code).language.say("It is being ended."),)
    unplanned = render_sentences(
        code, says="being planned", waiting_for=(), next=NextAction(what=NextStep.WAIT, at=None, why="planned")
    )
    assert unplanned == (reading(code).language.say("When it goes on is not known at the moment."),)


def test_the_heading_says_that_a_decision_is_waited_for() -> None:
    task = TaskShow(
        id="acme.1.1.decide", kind="onboarding-decision", title="Decide", status=Status.OPEN, requester="legal-desk"
    )
    team_task = task.replace(kind="team-task")
    headings = [
        status_screen(follow_up_task, "legal-desk", reading("en"), NOW).heading for follow_up_task in (task, team_task)
    ]
    assert headings[0] == "Waiting for a decision" != headings[1]


@pytest.mark.parametrize("person", ["legal-desk", "customer-deputy"])
def test_who_has_heard_enough_is_not_told_so_about_themselves(person: str) -> None:
    view = make_view(next=NextAction(what=NextStep.HELD, at=LATER, why="quiet", to=person))
    reader = replace(reading("en"), id=person)
    sentences = status_screen(view, person, reader, NOW, {"legal-desk": "Legal"}).sentences
    assert f"You will hear of it on {reader.instant(LATER)}." in sentences
    assert "heard enough" not in " ".join(sentences)


@pytest.mark.parametrize(
    ("step", "named", "unnamed"),
    [
        (NextStep.QUESTION, "Legal will be told again on {when} that a question is open.", "Whoever is to answer"),
        (NextStep.HELD, "Legal has heard enough for now and will hear of it on {when}.", "Somebody"),
    ],
)
def test_what_follows_is_told_with_who_hears_it_and_outsiders_are_told_no_names(
    step: NextStep, named: str, unnamed: str
) -> None:
    view = make_view(next=NextAction(what=step, at=LATER, why="open", to="legal-desk"))
    called = {"legal-desk": "Legal"}
    inside = status_screen(view, "legal-desk", reading("en"), NOW, called).sentences[1]
    outside = status_screen(view, "customer-deputy", reading("en"), NOW, called).sentences[1]
    assert inside == named.format(when=reading("en").instant(LATER))
    assert outside == inside.replace("Legal", unnamed)


@pytest.mark.parametrize(
    ("states", "sentence"),
    [
        ((HandoffState.PENDING, HandoffState.DONE, HandoffState.FAILED), "Nog in te lichten: target-0 en target-2."),
        ((HandoffState.DONE, HandoffState.DEAD), "Niet bereikt: target-1."),
        ((HandoffState.DONE,), None),
    ],
)
def test_after_the_end_the_requester_reads_who_is_still_to_be_told(
    states: tuple[HandoffState, ...], sentence: str | None
) -> None:
    lines = tuple(HandoffLine(target=f"target-{n}", state=state, attempts=1, at=NOW) for n, state in enumerate(states))
    ended_text = "Iedereen heeft ondertekend."
    assert render_sentences(status=Status.SIGNED, handoffs=lines) == (
        (ended_text, sentence) if sentence else (ended_text,)
    )


def test_an_ending_behind_a_dead_link_does_not_name_the_document() -> None:
    assert ended_screen(Status.DECLINED, Language.from_tag("es")).sentences == (
        "Un firmante lo ha rechazado.",
        "Ya no tiene que hacer nada más.",
    )
