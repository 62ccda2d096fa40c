"""What a person on call reads: other people's words as they were written."""

from datetime import UTC, datetime

import pytest

from starter import tables
from starter.commands.printing import answer
from starter.requests import RequestLine
from workflows.model.entries import AskedQuestion, TimelineEntry
from workflows.model.request import Status
from workflows.model.views import RequestShow

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
