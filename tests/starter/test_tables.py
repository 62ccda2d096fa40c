"""What a person on call reads: other people's words as they were written."""

import io
import re
from collections import Counter
from datetime import UTC, datetime

import pytest

from starter import tables
from starter.commands.printing import answer
from starter.requests import RequestLine
from starter.terminal import Terminal
from workflows.model.entries import AskedQuestion, TimelineEntry
from workflows.model.request import Role, SignerState, Status
from workflows.model.settlement import HandoffLine, HandoffState
from workflows.model.views import RequestShow, SignerLine

AT = datetime(2026, 11, 26, 14, 0, tzinfo=UTC)


def printed(shown: RequestShow, capsys: pytest.CaptureFixture[str]) -> str:
    answer(shown, tables.of_request(shown), as_json=False)
    return " ".join(capsys.readouterr().out.split())


def test_questions_and_answers_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    first = AskedQuestion(number=1, person="signer", text="Which annex?", at=AT, answer="B.")
    second = first.replace(number=2, text="And when?", answer=None)
    shown = RequestShow(id="msa", kind="nda", status=Status.SENT, question=second, answered=(first,))
    told = printed(shown, capsys)
    assert "26 Nov 14:00 signer Which annex? B." in told
    assert "26 Nov 14:00 signer And when? not answered yet" in told


@pytest.mark.parametrize("words", ["[/bold]", "[red]urgent", "price [EUR]", ":warning:"])
def test_brackets_of_other_people_are_brackets(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    entry = TimelineEntry(at=AT, what="declined", who="signer", why=words)
    shown = RequestShow(id="msa", kind="nda", status=Status.DECLINED, timeline=(entry,), says=words)
    assert printed(shown, capsys).count(words) == 2


def test_a_list_shows_both_where_a_request_stood_and_that_nobody_goes_on_with_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = RequestLine(id="msa", kind="nda", status="sent", trouble="timed out")
    answer([line], tables.of_list([line]), as_json=False)
    assert "msa nda sent timed out" in " ".join(capsys.readouterr().out.split())


def test_what_became_of_the_workflow_stands_beside_the_problem(capsys: pytest.CaptureFixture[str]) -> None:
    line = RequestLine(id="msa", kind="nda", status="sent", problem="unauthorised", trouble="stuck")
    answer([line], tables.of_list([line]), as_json=False)
    assert "sent unauthorised, stuck" in " ".join(capsys.readouterr().out.split())


LONG = TimelineEntry(at=AT, what="escalated to chief-executive", who="customer-signer", why="silent for 12 days\nagain")
WHOLE = RequestShow(
    id="msa-0042",
    kind="customer-contract",
    status=Status.SENT,
    says="Waiting for customer-signer until Thu 26 Nov 2026 14:00 UTC",
    signers=(SignerLine(person="customer-signer", order=1, role=Role.SIGN, state=SignerState.TURN, at=AT),),
    handoffs=(
        HandoffLine(target="customer-onboarding:acme", state=HandoffState.PENDING, attempts=3, at=AT, why="500"),
    ),
    timeline=(LONG,),
)


def on(columns: int | None) -> str:
    """What `show` prints on a terminal of so many columns, or into a pipe."""
    paper = io.StringIO()
    Terminal(file=paper, force_terminal=columns is not None, width=columns, no_color=True).show(
        tables.of_request(WHOLE)
    )
    return re.sub(r"\x1b\[[0-9;]*m", "", paper.getvalue())


@pytest.mark.parametrize("columns", [20, 30, 39, 40, 50, 60, 80, 200])
def test_a_narrow_terminal_loses_no_character_and_breaks_no_time(columns: int) -> None:
    told = on(columns)
    assert told.count("26 Nov 14:00") == 3
    assert Counter("".join(told.split())) == Counter("".join(on(None).split()))


def test_a_pipe_gets_one_line_a_row_however_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    told = [line.rstrip() for line in on(None).splitlines()]
    assert told[-1].split("  ") == [
        "26 Nov 14:00", "escalated to chief-executive", "customer-signer", "silent for 12 days again",
    ]  # fmt: skip
    many = RequestLine(id="r" * 100, kind="k" * 100, status="converting", problem="provider_unsure", due_at=AT)
    paper = io.StringIO()
    Terminal(file=paper).show(tables.of_list([many] * 3))
    assert [line.split()[0] for line in paper.getvalue().splitlines()] == ["request", *["r" * 100] * 3]
