"""When the clocks of a request stand and go on, and what is said of it meanwhile. Pure."""

from datetime import UTC, datetime, timedelta

from tests.workflows.stage import a_request
from workflows.follow_up import commands as operations
from workflows.follow_up import commands as questions
from workflows.model.commands import PauseCommand, Question, Resumption, StopKind
from workflows.model.schedule import Schedule
from workflows.model.signature import ReportedDocument, ReportedSigner, SignerState
from workflows.model.subject import Code, Participant, Status
from workflows.signature.state import SignatureState

START = datetime(2026, 11, 2, 9, tzinfo=UTC)
DAY = timedelta(days=1)
BRIEF = a_request(Participant(person="customer-signer", order=1), Participant(person="chair", order=1)).brief
SENT = ReportedDocument(document="d", status=Status.SENT, raw="se")
AGENDA = Schedule(due_at=START + 30 * DAY)
DOUBTED = AGENDA.replace(doubt="people.yaml:3: unknown field")
WAITING = SignatureState.begin(BRIEF, START).observe(SENT, START)


def clock_of(progress: SignatureState, person: str) -> datetime | None:
    signer = progress.slots.find(person)
    return signer.clock_from if signer else None


def test_what_stood_for_a_question_moves_everybodys_clock_also_when_the_asker_signs_instead_of_waiting() -> None:
    questioned = questions.ask(WAITING, Question(person="customer-signer", text="Which annex?"), START + DAY)
    signed = SENT.replace(signers=(ReportedSigner(person="customer-signer", state=SignerState.SIGNED),))
    state = questioned.observe(signed, START + 6 * DAY)
    assert state.clock.stops == ()
    assert clock_of(state, "chair") == START + 5 * DAY
    assert state.plan.window_from == START + 5 * DAY


def test_the_clocks_stand_for_a_service_that_is_away_while_the_people_file_is_in_doubt() -> None:
    doubted = WAITING.planned(DOUBTED, START)
    assert (doubted.problems.current and doubted.problems.current.code, doubted.clock.stops) == (Code.DIRECTORY, ())
    unreachable = doubted.report_problem(Code.UNREACHABLE, "no answer", START + DAY, START + 2 * DAY)
    assert unreachable.problems.current is not None
    assert (unreachable.problems.current.code, unreachable.problems.current.since) == (Code.UNREACHABLE, START + DAY)
    assert [stop.kind for stop in unreachable.clock.stops] == [StopKind.PROBLEM]
    back = unreachable.resolve_problem(START + 4 * DAY)
    assert (back.problems.current, clock_of(back, "chair")) == (None, START + 3 * DAY)
    doubted_again = back.planned(DOUBTED, START + 4 * DAY)
    assert doubted_again.problems.current is not None
    assert (doubted_again.problems.current.code, doubted_again.problems.current.since) == (
        Code.DIRECTORY,
        START + 4 * DAY,
    )


def test_a_trouble_that_changes_its_code_began_when_the_first_did() -> None:
    unreachable = WAITING.report_problem(Code.UNREACHABLE, "no answer", START, START + DAY)
    refused = unreachable.report_problem(Code.UNAUTHORISED, "invalid_client", START + DAY, START + 2 * DAY)
    assert refused.problems.current is not None
    assert (refused.problems.current.code, refused.problems.current.since) == (Code.UNAUTHORISED, START)
    assert len(refused.clock.stops) == 1


def test_what_ended_a_request_stays_said_when_the_store_is_away_afterwards() -> None:
    failed = SignatureState.begin(BRIEF, START).fail(Code.ID_USED_BEFORE, "another document has the id", START)
    mended = failed.report_problem(Code.UNREACHABLE, "store away", START + DAY, START + DAY).resolve_problem(
        START + 2 * DAY
    )
    assert mended.problems.current == failed.problems.current


def test_what_ended_a_request_stays_said_although_something_else_was_wrong_before() -> None:
    unreachable = SignatureState.begin(BRIEF, START).report_problem(Code.UNREACHABLE, "no answer", START, START + DAY)
    failed = unreachable.fail(Code.CONVERT_ERROR, "cannot be converted", START + DAY)
    assert failed.resolve_problem(START + 2 * DAY).problems.current == failed.problems.current


def test_two_reasons_to_stand_are_one_pause() -> None:
    paused = operations.pause(WAITING, PauseCommand(actor="legal-desk"), START + DAY)
    unreachable = paused.report_problem(Code.UNREACHABLE, "no answer", START + 2 * DAY, START + 3 * DAY)
    resumed = operations.resume(unreachable, Resumption(actor="legal-desk"), START + 3 * DAY)
    assert clock_of(resumed, "chair") == START
    assert clock_of(resumed.resolve_problem(START + 5 * DAY), "chair") == START + 4 * DAY


def test_a_pause_that_began_before_the_signers_were_asked_moves_the_due_date_by_what_came_after_that_alone() -> None:
    paused = operations.pause(SignatureState.begin(BRIEF, START), PauseCommand(actor="legal-desk"), START)
    sent = paused.observe(SENT, START + 2 * DAY)
    assert sent.plan.window_from == START + 2 * DAY
    resumed = operations.resume(sent, Resumption(actor="legal-desk"), START + 5 * DAY)
    assert (resumed.plan.window_from, clock_of(resumed, "chair")) == (START + 5 * DAY, START + 5 * DAY)
