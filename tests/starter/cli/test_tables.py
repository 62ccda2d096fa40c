"""What a person on call reads: other people's words as they were written."""

import io
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from rich.console import RenderableType

from activities.people.person import Reachable, SignersFile
from activities.records.store import Store
from starter.cli import tables
from starter.cli.handoff import _table
from starter.cli.people import DeviceLine, device_rows
from starter.cli.printing import print_answer
from starter.cli.start_files import RequestDryRun
from starter.cli.terminal import Terminal
from starter.queries.lists import RequestLine
from starter.queries.people_in_full import name_people, names_in_full
from starter.queries.targets import TargetLine
from tests.activities.launch.papers import PEOPLE, Desk
from workflows.follow_up.view import handed_off_entry, told_entry
from workflows.kinds import Kind, WorkflowName
from workflows.model.hand_off import HandoffLine, HandoffState
from workflows.model.notifications import Channel, Notification, NotificationOutcome
from workflows.model.signature import SignerState
from workflows.model.subject import Role, Status
from workflows.model.timeline import AskedQuestion, EventType, TimelineEntry
from workflows.model.views import AssigneeLine, NextAction, NextStep, RequestShow, SignerLine, TaskShow, WaitingFor

AT = datetime(2026, 11, 26, 14, 0, tzinfo=UTC)


def print_view(view: RequestShow, capsys: pytest.CaptureFixture[str]) -> str:
    print_answer(view, tables.of_shown(view), as_json=False)
    return " ".join(capsys.readouterr().out.split())


def test_questions_and_answers_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    first = AskedQuestion(number=1, person="signer", text="Which annex?", at=AT, answer="B.")
    second = first.replace(number=2, text="And when?", answer=None)
    view = RequestShow(id="msa", kind="nda", status=Status.SENT, question=second, answered=(first,))
    output = print_view(view, capsys)
    assert "2026-11-26T14:00:00Z signer Which annex? B." in output
    assert "2026-11-26T14:00:00Z signer And when? not answered yet" in output


@pytest.mark.parametrize("text", ["[/bold]", "[red]urgent", "price [EUR]", ":warning:"])
def test_brackets_of_other_people_are_brackets(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    entry = TimelineEntry(at=AT, happened=EventType.DECLINED, who="signer", why=text)
    view = RequestShow(id="msa", kind="nda", status=Status.DECLINED, timeline=(entry,), says=text)
    assert print_view(view, capsys).count(text) == 2


def test_a_list_shows_both_where_a_request_stood_and_that_nobody_goes_on_with_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = RequestLine(id="msa", kind="nda", status="sent", trouble="timed out")
    print_answer([line], tables.of_list([line]), as_json=False)
    assert "msa nda sent timed out" in " ".join(capsys.readouterr().out.split())


def test_what_became_of_the_workflow_stands_beside_the_problem(capsys: pytest.CaptureFixture[str]) -> None:
    line = RequestLine(id="msa", kind="nda", status="sent", problem="unauthorised", trouble="stuck")
    print_answer([line], tables.of_list([line]), as_json=False)
    assert "sent unauthorised, stuck" in " ".join(capsys.readouterr().out.split())


LONG = TimelineEntry(
    at=AT, happened=EventType.ESCALATED, about="chief-executive", who="customer-signer", why="silent for 12 days\nagain"
)
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


def render(columns: int | None, view: RenderableType | None = None) -> str:
    """What is printed on a terminal of so many columns, or into a pipe; by default what `show` does."""
    paper = io.StringIO()
    terminal = Terminal(file=paper, force_terminal=columns is not None, width=columns, no_color=True, zone=UTC, now=AT)
    terminal.show(tables.of_shown(WHOLE) if view is None else view)
    return re.sub(r"\x1b\[[0-9;]*m", "", paper.getvalue())


@pytest.mark.parametrize("columns", [20, 30, 39, 40, 50, 60, 80, 200])
def test_a_narrow_terminal_loses_no_character_and_breaks_no_time(columns: int) -> None:
    output = render(columns)
    assert output.count("26 Nov 14:00") >= 3
    lost = Counter("".join(render(500).split())) - Counter("".join(output.split()))
    assert not lost - Counter("target at signer"), "names of columns that lead their paragraphs"


def test_a_pipe_gets_one_line_a_row_with_tabs_between_the_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert render(None).splitlines()[-1].split("\t") == [
        "2026-11-26T14:00:00Z", "escalated to chief-executive", "customer-signer", "silent for 12 days again",
    ]  # fmt: skip


def test_a_task_says_what_is_to_be_done_and_who_was_asked() -> None:
    task = TaskShow(
        id="acme.account",
        kind="team-task",
        status=Status.DONE,
        title="Create the account",
        text="With the data of the order form.",
        people=(
            AssigneeLine(person="operations-desk", state="done", at=AT),
            AssigneeLine(person="operating-officer", state="spared", at=AT),
        ),
        done_by="operations-desk",
    )
    output = render(80, tables.of_shown(task))
    for text in ("acme.account  team-task", "Create the account", "With the data of the order form."):
        assert text in output
    assert (
        output.index("operations-desk")
        < output.index("done")
        < output.index("operating-officer")
        < output.index("spared")
    )


async def test_whoever_stands_in_full_in_a_file_is_named_beside_their_id(tmp_path: Path) -> None:
    store, workflow_name = Store(tmp_path.as_uri()), WorkflowName(Kind.REQUEST, WHOLE.id)
    buyer = Reachable(name="Dolores Haze", email="buyer@example.org", zone="Europe/Paris")
    await store.people.keep(workflow_name.workflow_id, "f" * 64, SignersFile.dump_signers([buyer], ["signer-1"]) or b"")
    view = WHOLE.replace(
        signers=(WHOLE.signers[0].replace(person="signer-1"), WHOLE.signers[0]),
        waiting_for=(WaitingFor(person="signer-1", since=AT),),
        says="Waiting for signer-1; the next steps are being planned",
    )
    output = render(80, tables.of_shown(view, names=await names_in_full(store, workflow_name)))
    assert "Waiting for Dolores Haze; the next" in output
    assert "waiting for  signer-1 (Dolores Haze), since" in output
    assert "1. signer-1 (Dolores Haze)" in output and "1. customer-signer " in output
    assert await names_in_full(store, workflow_name._replace(id="another")) == {}


@pytest.mark.parametrize("kind", [Kind.REQUEST, Kind.ONBOARDING])
async def test_a_list_names_people_who_stand_in_full_in_a_file(tmp_path: Path, kind: Kind) -> None:
    store, buyer = Store(tmp_path.as_uri()), "p-86a41ffdd689"
    line = RequestLine(id="acme", kind="nda", status="sent", workflow_id=kind.workflow_id("acme"))
    line = line.replace(waiting_for=(buyer, "operations-desk"))
    content = SignersFile.dump_signers(
        [Reachable(name="Dolores Haze", email="buyer@example.org", zone="Europe/Paris")], [buyer]
    )
    await store.people.keep(line.workflow_id, "f" * 64, content)
    unknown = line.replace(workflow_id=kind.workflow_id("other"))
    named, unnamed = await name_people(store, [line, unknown])
    assert named.waiting_for == ("Dolores Haze", "operations-desk")
    assert unnamed.waiting_for == (buyer, "operations-desk")


def test_a_list_of_tasks_has_titles_and_owners() -> None:
    head, *_ = render(None, tables.of_list([LISTED], Kind.TASK)).splitlines()
    assert head.split("\t") == [
        "task", "title", "kind", "status", "waiting for", "since", "due", "owner", "problem",
    ]  # fmt: skip


LISTED = RequestLine(
    id="customer-contract-" + "r" * 40,
    kind="customer-contract",
    status="converting",
    problem="provider_unsure",
    due_at=AT,
    document="Master services agreement\twith\nannexes",
    waiting_for=("customer-signer", "chief-executive", "+more"),
    since=AT - timedelta(days=3),
    overdue=True,
)


def test_a_list_for_a_program_has_every_column_and_instants_in_utc() -> None:
    head, *rows = render(None, tables.of_list([LISTED] * 2)).splitlines()
    assert head.split("\t") == [
        "request", "document", "kind", "status", "waiting for", "since", "due", "requester", "problem",
    ]  # fmt: skip
    assert rows[0].split("\t") == [
        LISTED.id, "Master services agreement with annexes", "customer-contract", "converting",
        "customer-signer,chief-executive,+more", "2026-11-23T14:00:00Z", "2026-11-26T14:00:00Z", "", "provider_unsure",
    ]  # fmt: skip
    assert rows[0] == rows[1]


@pytest.mark.parametrize("columns", [30, 40, 80, 120, 200])
def test_a_list_for_people_breaks_no_id_on_any_terminal(columns: int) -> None:
    output = render(columns, tables.of_list([LISTED]))
    assert LISTED.id in output
    assert "chief-executive" in output and "customer-signer" in output and "+1 more" in output
    assert "26 Nov 14:00" in output and "3 d" in output
    assert "requester" not in output, "a column in which nothing stands"
    assert output.rstrip().endswith("times in UTC")


IDS = tuple(f"{noun}-of-the-{'long-' * 5}{noun}" for noun in ("request", "kind", "asked", "asking", "device"))


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("table", [*tables.TABLES, "hand-offs", "devices", "show"])
def test_a_long_id_is_never_folded(table: str, columns: int) -> None:
    """Texts give way, then columns that can be missed, then the table: `IDS` are what people copy."""
    request_id, kind, signer, asking, device = IDS
    three_days_ago = AT - timedelta(days=3)
    line = LISTED.replace(id=request_id, kind=kind, waiting_for=(signer,), requester=asking, stage="account set-up")
    views: dict[str, tuple[RenderableType, set[str]]] = {
        "hand-offs": (_table([TargetLine(
            target=request_id, dead=2, failing=1, since=three_days_ago, next=AT, why="500 " * 9,
        )]), {request_id}),
        "devices": (
            device_rows([DeviceLine(
                device=device, kind="token", platform="android", registered_at=three_days_ago, seen_at=three_days_ago,
                reachable=False, unseen=True, gone="unregistered", gone_at=AT,
            )]),
            {device},
        ),
        "show": (tables.of_shown(WHOLE.replace(
            id=request_id, kind=kind, signers=(WHOLE.signers[0].replace(person=signer),),
            handoffs=(WHOLE.handoffs[0].replace(target=asking),),
        )), {request_id, kind, signer, asking}),
    }  # fmt: skip
    listed = {request_id, signer} if columns < 120 or table == Kind.ONBOARDING else {request_id, kind, signer, asking}
    view, expected_ids = views.get(table) or (tables.of_list([line], Kind(table)), listed)
    output = render(columns, view)
    assert [id for id in expected_ids if id not in output] == []
    assert [line for line in output.splitlines() if len(line) > columns] == [], "the terminal would break these"


def test_what_can_be_missed_gives_way_to_the_table_and_is_named() -> None:
    output = render(80, tables.of_list([LISTED.replace(id="msa-0042", requester="legal-desk", problem=None)]))
    assert output.splitlines()[0].split()[:2] == ["request", "document"]
    assert "legal-desk" not in output and "customer-contract" not in output
    assert "kind and requester: with --json, or on a wider terminal" in output


def test_the_year_is_said_where_it_is_another_one() -> None:
    line = LISTED.replace(due_at=AT + timedelta(days=60))
    assert "25 Jan 2027 14:00" in render(200, tables.of_list([line]))


def test_people_read_the_clock_on_their_wall_and_are_told_which() -> None:
    paper = io.StringIO()
    zone = ZoneInfo("Europe/Amsterdam")
    Terminal(file=paper, force_terminal=True, width=200, no_color=True, zone=zone, now=AT).show(
        tables.of_list([LISTED])
    )
    assert "26 Nov 15:00" in paper.getvalue() and "times in CET (UTC+01:00)" in paper.getvalue()


def make_ordinary_view() -> RequestShow:
    """An ordinary request: two signers, three reminders, an escalation."""
    days = [AT - timedelta(days=number) for number in range(12, 0, -1)]
    stages = ("ready", "reminder-1", "reminder-2", "reminder-3", "escalation", "ready")
    notices = [
        Notification(
            key=str(sent_at),
            stage=stage,
            person="chief-executive",
            channel=Channel.PUSH,
            at=sent_at,
            outcome="accepted",
        )
        for sent_at, stage in zip(days, stages, strict=False)
    ]
    events = [TimelineEntry(at=viewed_at, happened=EventType.VIEWED, who="chief-executive") for viewed_at in days]
    signers = [SignerLine(person=f"signer-{n}", order=n, role=Role.SIGN, state=SignerState.TURN) for n in (1, 2)]
    return WHOLE.replace(
        document="Master services agreement",
        waiting_for=(WaitingFor(person="chief-executive", since=AT),),
        next=NextAction(what=NextStep.REMIND, at=AT, why="every 3 days, in the working hours of chief-executive"),
        due_at=AT,
        signers=tuple(signers),
        notifications=tuple(notices),
        timeline=tuple(events),
        handoffs=(),
    )


def test_an_ordinary_request_is_one_screen_with_one_list_of_what_happened_and_the_rest_is_counted() -> None:
    lines = render(80, tables.of_shown(make_ordinary_view(), in_full=False)).splitlines()
    assert len(lines) <= tables.SCREEN
    assert lines[-1] == "and 10 earlier (--all has them)"
    instants = [line[:12] for line in lines if re.match(r"\d\d Nov", line)]
    assert instants == sorted(instants) and len(instants) == 8


def test_whoever_wants_it_all_has_the_notices_among_the_events_in_the_order_of_time() -> None:
    rows = [line.split("\t") for line in render(None, tables.of_shown(make_ordinary_view())).splitlines()]
    happened = [line for line in rows if re.match(r"\d{4}-", line[0])]
    assert [line[0] for line in happened] == sorted(line[0] for line in happened)
    assert len(happened) == 18
    assert ["2026-11-15T14:00:00Z", "reminder-1", "chief-executive", "push: accepted"] in happened


def test_people_read_words_and_not_those_of_the_code() -> None:
    def line(stage: str, reason: str | None = None) -> Notification:
        outcome = NotificationOutcome.SUPPRESSED if reason else NotificationOutcome.ACCEPTED
        return Notification(key=stage, stage=stage, person="chair", outcome=outcome, why=reason, at=AT)

    handed = TimelineEntry(at=AT, happened=EventType.HANDED_OVER, about="a", who="b", why="manual", by="legal-desk")
    pause = TimelineEntry(at=AT, happened=EventType.PAUSED, who="b", why="quiet", said=True)
    view = make_ordinary_view().replace(
        notifications=(line("reminder-1", "too_soon"), line("notice-notice-1"), line("reminder-2", "as it is")),
        timeline=(handed, pause),
    )
    output = render(None, tables.of_shown(view))
    for text in (
        "reminder-1\tchair\tpush: suppressed (they had heard of it shortly before)",
        "\tnotice-1\tchair\tpush: accepted",
        "push: suppressed (as it is)",
        "handed over to a\tb\tby hand, by legal-desk",
        "paused\tb\tquiet",
        "1. signer-1\tsign\tasked",
    ):
        assert text in output
    assert "too_soon" not in output and "turn" not in output and "notice-notice" not in output


def test_what_the_timeline_has_of_a_notice_or_a_hand_off_is_said_once() -> None:
    view = make_ordinary_view()
    hand_off = HandoffLine(target="hr", state=HandoffState.DONE, attempts=1, at=AT)
    twice = view.replace(
        handoffs=(hand_off,),
        timeline=(*view.timeline, *map(told_entry, view.notifications), handed_off_entry(hand_off)),
    )
    assert render(None, tables.of_shown(twice)) == render(None, tables.of_shown(view.replace(handoffs=(hand_off,))))


def test_no_fact_of_the_timeline_is_told_twice_in_a_row() -> None:
    later = AT + timedelta(minutes=5)
    entries = (
        TimelineEntry(at=AT, happened=EventType.SIGNED, who="chair"),
        TimelineEntry(at=AT, happened=EventType.SIGNED, who="core-signature"),
        TimelineEntry(at=AT, happened=EventType.DECLINED, who="chair", why="too dear", said=True),
        TimelineEntry(at=AT, happened=EventType.DECLINED, who="core-signature", why="too dear", said=True),
        TimelineEntry(at=AT, happened=EventType.HAND_OVER_ASKED, who="a", about="b", by="legal-desk"),
        TimelineEntry(at=AT, happened=EventType.HANDED_OVER, who="a", about="b", by="legal-desk", why="manual"),
        TimelineEntry(at=AT, happened=EventType.CANCELLATION_ASKED, who="legal-desk", why="late", said=True),
        TimelineEntry(at=AT, happened=EventType.CANCELLATION_ASKED, who="hr-desk", why="late", said=True),
        TimelineEntry(at=AT + timedelta(seconds=59), happened=EventType.CANCELLED, who="legal-desk", why="late"),
        TimelineEntry(at=later, happened=EventType.CANCELLED, who="hr-desk", why="late"),
    )
    output = render(None, tables.of_shown(WHOLE.replace(handoffs=(), timeline=entries)))
    assert [line.split("\t")[1:3] for line in output.splitlines() if line.startswith("2026")] == [
        ["signed", "chair"],
        ["signed by everybody", "core-signature"],
        ["declined", "chair"],
        ["handed over to b", "a"],
        ["cancellation asked for", "hr-desk"],
        ["cancelled", "legal-desk"],
        ["cancelled", "hr-desk"],
    ]


def test_of_a_crowd_those_who_have_not_signed_are_shown_first() -> None:
    crowd = tuple(
        SignerLine(person=f"p{n}", order=1, role=Role.SIGN, state=SignerState.SIGNED if n < 90 else SignerState.TURN)
        for n in range(100)
    )
    output = render(80, tables.of_shown(WHOLE.replace(signers=crowd), in_full=False))
    assert "p90" in output and "p95" in output and "p1 " not in output
    assert "and 94 more signers (--all has them)" in output


def test_the_sentence_is_told_on_the_clock_of_whoever_reads() -> None:
    paper = io.StringIO()
    zone = ZoneInfo("Europe/Amsterdam")
    Terminal(file=paper, force_terminal=True, width=80, color_system=None, zone=zone, now=AT).show(
        tables.of_shown(WHOLE)
    )
    assert paper.getvalue().startswith("Waiting for customer-signer until Thu 26 Nov 15:00\n")
    assert render(None).startswith("Waiting for customer-signer until Thu 26 Nov 2026 14:00 UTC\n")


def test_a_target_that_was_never_told_is_not_said_to_work() -> None:
    rows = [TargetLine(target="crm", waiting=1, why="404"), TargetLine(target="erp", waiting=1)]
    assert [line.split()[1:4] for line in render(80, _table(rows)).splitlines()[1:]] == [
        ["not", "told", "yet"], ["working", "1", ],
    ]  # fmt: skip


async def test_a_dry_run_shows_a_group_and_its_members(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    members = "".join(
        f"  - {{id: {id}, name: N, email: {id}@example.com, zone: UTC, groups: [legal]}}\n" for id in ("eve", "kim")
    )
    prepared = await Desk(tmp_path, PEOPLE + members).prepare(signers=[{"group": "legal"}, {"person": "chair"}])
    answer = RequestDryRun.from_prepared(prepared)
    assert (answer.signers, answer.groups) == (("eve", "kim", "chair"), {"legal": ("eve", "kim")})
    print_answer([answer], tables.of_dry_run([prepared]), as_json=False)
    output = capsys.readouterr().out
    assert "eve (legal)" in output and "kim (legal)" in output


def test_who_signs_for_a_group_is_shown_and_who_need_not_any_more(capsys: pytest.CaptureFixture[str]) -> None:
    signer = SignerLine(person="eve", order=1, role=Role.SIGN, state=SignerState.SIGNED, at=AT, team="legal")
    signers = (signer, signer.replace(person="kim", state=SignerState.SPARED))
    output = print_view(RequestShow(id="msa", kind="nda", status=Status.SENT, signers=signers), capsys)
    assert "1. eve (legal) sign signed" in output
    assert f"1. kim (legal) sign {SignerState.SPARED.english}" in output
