"""The life of a campaign: everybody of a frozen audience is asked, and each stands once in its record."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from temporalio.exceptions import ApplicationError

from activities.campaign.batch import BatchLimits, request_of
from activities.launch import launch
from activities.records.audiences import Member, MemberRow
from tests.workflows.campaign.stage import OWNER, ZONE, a_file, a_person, in_days, staff, start_campaign
from workflows.kinds import Kind
from workflows.model.campaign import ChangeKind, Counts
from workflows.model.commands import Cancellation, Exemption, Extension, ReminderCommand, Retry
from workflows.model.file_faults import FileFault
from workflows.model.hand_off import SettledRequest
from workflows.model.receipts import OperationState, Receipt
from workflows.model.signature import ReportedSigner, SignerState
from workflows.model.subject import Status
from workflows.model.views import AttentionCode, CampaignShow
from workflows.names import OPERATION, SHOW

pytestmark = pytest.mark.long

OF_THE_SILENT = [Kind.REQUEST.workflow_id(f"conduct.{person}") for person in ("bo", "cas")]
DAY = timedelta(days=1)
WINDOW = 14 * DAY
"""Of the kind of `KINDS`."""
THREE = ("ada", "bo", "cas")
A_WEEK = {"window": "4d", "grace": "2d"}
"""Each day has its look, and one is like another: how three weeks pass is seen in one story."""
COME_AND_GO = {**A_WEEK, "leavers": "drop", "joiners": {"rule": "add", "within": "3d"}}


def status_by_person(lines: dict[str, Any]) -> dict[str, str]:
    """Everyone by status."""
    return {person: line.status for person, line in lines.items()}


async def test_everybody_is_asked_once_and_stands_in_the_record_with_an_outcome(tmp_path: Path) -> None:
    async with start_campaign(tmp_path, a_file(**A_WEEK), staff(*THREE), record="campaign-happy") as campaign:
        opened = await campaign.wait_until_opened()
        assert opened.frozen is not None
        assert (opened.frozen.rows, opened.frozen.errors) == (3, 0)
        assert [campaign.stages_sent_to(person) for person in THREE] == [["ready"]] * 3
        await campaign.end_request("ada")
        await campaign.end_request("bo", Status.DECLINED)
        await campaign.days_pass(8)
        settlement = await campaign.handle.result()
        lines, outcomes = await campaign.lines(), await campaign.outcomes()
    assert settlement.outcome is Status.DONE_WITH_ERRORS
    assert status_by_person(lines) == {"ada": "acknowledged", "bo": "declined", "cas": "expired"}
    assert (settlement.counts.acknowledged, settlement.counts.declined, settlement.counts.expired) == (1, 1, 1)
    assert settlement.counts.total == opened.frozen.rows
    assert campaign.stages_sent_to(OWNER).count("settled") == 1
    assert (lines["ada"].department, lines["ada"].manager) == ("sales", "chair")
    assert outcomes.population == {"opening": 3, "close": 3, "came": [], "left": []}


@pytest.mark.parametrize(
    ("last", "outcome", "notified_targets"),
    [
        (Status.SIGNED, Status.DONE, {"everything", "errors-or-done"}),
        (Status.DECLINED, Status.DONE_WITH_ERRORS, {"everything", "errors-or-done", "errors"}),
        (None, Status.DONE_WITH_ERRORS, {"everything", "errors-or-done", "errors"}),
    ],
)
async def test_each_ending_is_handed_off_by_default_and_the_outcome_says_whether_everybody_has(
    tmp_path: Path, last: Status | None, outcome: Status, notified_targets: set[str]
) -> None:
    targets = {"everything": None, "errors": ["done_with_errors"], "errors-or-done": ["done", "done_with_errors"]}
    policy = {
        "handoff": [{"target": name, "person": name, **({"on": on} if on else {})} for name, on in targets.items()]
    }
    people = [*staff("ada", "bo"), *(a_person(name, groups=()) for name in targets)]
    async with start_campaign(tmp_path, a_file(**A_WEEK, policy=policy), people) as campaign:
        await campaign.wait_until_opened()
        await campaign.end_request("ada")
        if last is not None:
            await campaign.end_request("bo", last)
        await campaign.days_pass(8)
        assert (await campaign.handle.result()).outcome is outcome
    assert {name for name in targets if campaign.stages_sent_to(name) == ["settled"]} == notified_targets


async def test_a_campaign_that_is_cancelled_is_handed_off_too(tmp_path: Path) -> None:
    policy = {"handoff": [{"target": "grc", "person": "grc"}]}
    async with start_campaign(tmp_path, a_file(policy=policy), [*staff("ada"), a_person("grc", groups=())]) as campaign:
        await campaign.wait_until_opened()
        await campaign.send_command(Cancellation(actor=OWNER, reason="the wrong document"))
        assert (await campaign.handle.result()).outcome is Status.CANCELLED
    assert campaign.stages_sent_to("grc") == ["settled"]


@pytest.mark.parametrize("count", Counts.model_fields)
def test_whoever_was_to_acknowledge_and_has_not_is_amiss(count: str) -> None:
    fine = {"acknowledged", "late", "exempt", "dropped", "cancelled"}
    assert Counts(**{count: 1}).amiss == (0 if count in fine else 1)


async def test_the_silent_are_reminded_on_their_own_calendar_and_their_manager_hears_once_a_day(tmp_path: Path) -> None:
    async with start_campaign(tmp_path, a_file(), staff(*THREE)) as campaign:
        opened = (await campaign.handle.describe()).start_time
        await campaign.wait_until_opened()
        await campaign.end_request("ada")
        await campaign.days_pass(10)
        assert campaign.stages_sent_to("chair") == []
        assert campaign.stages_sent_to("cas") == ["ready", "reminder-1", "reminder-2", "reminder-3"]
        await campaign.days_pass(20)
        await campaign.handle.result()
        ends: list[SettledRequest] = [
            await campaign.client.get_workflow_handle(id, result_type=SettledRequest).result() for id in OF_THE_SILENT
        ]
        last_end = max(settlement.at for settlement in ends)
    sent = [notice for delivery in campaign.push.deliveries for notice in delivery.notices]
    zone = ZoneInfo(ZONE["zone"])
    looks = [(day, opened + day * DAY) for day in range(1, 30)]
    due = (opened + WINDOW).astimezone(zone).date()
    expected = [
        day for day, check_at in looks if check_at.astimezone(zone).date() >= due - 2 * DAY and check_at < last_end
    ]
    assert [stage for stage in campaign.stages_sent_to("chair") if stage.startswith("digest")] == [
        f"digest-{day}" for day in expected
    ]
    counted = [(notice.count, notice.overdue) for notice in sent if notice.stage.startswith("digest")]
    overdue = [2 if looks[day - 1][1].astimezone(zone).date() > due else 0 for day in expected]
    assert counted == [(2, number) for number in overdue], "how many are missing, and how many of these are overdue"
    assert {0, 2} == set(overdue)
    weekly = [(notice.stage, notice.count, notice.total) for notice in sent if notice.stage.startswith("progress")]
    missing = [2 if opened + day * DAY < last_end else 0 for day in (7, 14, 21)]
    assert weekly == [(f"progress-{7 * week}", count, 3) for week, count in enumerate(missing, 1)], "of how many"
    assert [stage.partition("-")[0] for stage in campaign.stages_sent_to("cas")][4:] == [
        *["warning"] * 3,
        *["overdue"] * 2,
        "settled",
    ]
    assert "ada" not in [person for stage, person in campaign.push.stages() if stage.startswith("warning")]
    assert [stage for stage in campaign.stages_sent_to(OWNER) if stage.startswith("progress")] == [
        "progress-7",
        "progress-14",
        "progress-21",
    ]


async def test_who_acknowledges_in_the_days_of_grace_is_late(tmp_path: Path) -> None:
    async with start_campaign(tmp_path, a_file(**A_WEEK), staff(*THREE)) as campaign:
        await campaign.wait_until_opened()
        await campaign.days_pass(5)  # in the middle of the days of grace, whatever the hour it was started at
        await campaign.end_request("ada")
        await campaign.days_pass(3)
        settlement = await campaign.handle.result()
        lines = await campaign.lines()
    assert (lines["ada"].status, lines["ada"].late, settlement.late) == ("late", True, True)


async def test_whoever_joins_has_a_window_of_their_own_and_the_close_waits_for_it(tmp_path: Path) -> None:
    file = a_file(**A_WEEK, joiners={"rule": "add", "within": "4d"})
    async with start_campaign(tmp_path, file, staff("ada")) as campaign:
        await campaign.wait_until_opened()
        await campaign.end_request("ada")
        await campaign.days_pass(1)
        campaign.company.hires(a_person("newcomer"))
        await campaign.days_pass(1)
        await campaign.wait_until_notified("newcomer")
        view = await campaign.wait_until(lambda view: view.changes == 1)
        assert view.closes_at is not None
        assert view.closes_at.date() == in_days(await campaign.now(), 4 + 1 + 2)
        assert view.due == campaign.workflow_input.campaign.due
        await campaign.days_pass(5)
        assert (await campaign.read_view()).status is Status.OPEN
        await campaign.end_request("newcomer")
        await campaign.days_pass(3)
        await campaign.handle.result()
        lines, outcomes = await campaign.lines(), await campaign.outcomes()
    assert [stage for stage in campaign.stages_sent_to("chair") if stage == "digest-4"]
    assert status_by_person(lines) == {"ada": "acknowledged", "newcomer": "late"}
    assert outcomes.population is not None
    assert outcomes.population["came"] == [{"person": "newcomer", "decided": "added"}]
    assert [change["what"] for change in outcomes.changes] == [ChangeKind.JOINED]


async def test_whoever_joins_where_that_is_ignored_is_in_the_reconciliation_only(tmp_path: Path) -> None:
    async with start_campaign(tmp_path, a_file(**A_WEEK), staff("ada")) as campaign:
        await campaign.wait_until_opened()
        campaign.company.hires(a_person("newcomer"))
        await campaign.days_pass(8)
        await campaign.handle.result()
        lines, outcomes = await campaign.lines(), await campaign.outcomes()
    assert list(lines) == ["ada"]
    assert outcomes.population == {
        "opening": 1,
        "close": 2,
        "came": [{"person": "newcomer", "decided": "ignored"}],
        "left": [],
    }


@pytest.mark.parametrize(("rule", "state"), [("drop", "dropped"), ("keep", "expired")])
async def test_whoever_leaves_is_dropped_or_kept_as_the_file_says(tmp_path: Path, rule: str, state: str) -> None:
    async with start_campaign(tmp_path, a_file(**A_WEEK, leavers=rule), staff(*THREE)) as campaign:
        await campaign.wait_until_opened()
        campaign.company.loses("cas")
        await campaign.days_pass(8)
        await campaign.handle.result()
        lines, outcomes = await campaign.lines(), await campaign.outcomes()
    assert lines["cas"].status == state
    assert outcomes.population is not None
    decided = "dropped" if rule == "drop" else "kept"
    assert outcomes.population["left"] == [{"person": "cas", "decided": decided}]


async def test_who_comes_back_is_asked_again_and_stands_once(tmp_path: Path) -> None:
    async with start_campaign(tmp_path, a_file(**COME_AND_GO), staff(*THREE)) as campaign:
        await campaign.wait_until_opened()
        campaign.company.loses("cas")
        await campaign.days_pass(2)
        campaign.company.hires(a_person("cas"))
        await campaign.days_pass(2)
        await campaign.wait_until_notified("cas", times=2)
        await campaign.days_pass(6)
        await campaign.handle.result()
        lines = await campaign.lines()
    assert status_by_person(lines) == {"ada": "expired", "bo": "expired", "cas": "expired"}
    assert (lines["cas"].request, lines["cas"].row) == ("conduct.cas.r2", 3)


async def test_who_is_exempt_is_asked_no_more_and_stands_with_the_reason(tmp_path: Path) -> None:
    async with start_campaign(tmp_path, a_file(**A_WEEK), staff(*THREE), record="campaign-exempt") as campaign:
        await campaign.wait_until_opened()
        await campaign.end_request("ada")
        receipt = await campaign.send_command(
            Exemption(actor=OWNER, person="bo", reason="on leave for the year"), op="exempt-1"
        )
        assert receipt.state is OperationState.OPEN
        # Ada has acknowledged since: a receipt counts nobody anew, and says when that was done.
        assert receipt.says.startswith("0 of 3 had acknowledged on ")
        await campaign.wait_until(lambda view: view.changes == 1)
        await campaign.at_rest()
        await campaign.send_command(Exemption(actor=OWNER, person="ada", reason="too late"), op="exempt-2")
        await campaign.send_command(Exemption(actor=OWNER, person="nobody", reason="who"), op="exempt-3")
        await campaign.wait_until(lambda view: sum(entry.what == "exemption refused" for entry in view.timeline) == 2)
        refused = [entry.why for entry in (await campaign.read_view()).timeline if entry.what == "exemption refused"]
        await campaign.days_pass(8)
        await campaign.handle.result()
        lines = await campaign.lines()
    assert refused == ["ada has acknowledged already", "nobody is not in the audience"]
    assert status_by_person(lines) == {"ada": "acknowledged", "bo": "exempt", "cas": "expired"}
    assert lines["bo"].reason.startswith("text:") or "change-1" in lines["bo"].reason
    assert not [stage for stage in campaign.stages_sent_to("bo") if stage.startswith("reminder")]


async def test_a_later_end_is_everybodys(tmp_path: Path) -> None:
    async with start_campaign(
        tmp_path, a_file(**A_WEEK | {"grace": "0d"}), staff(*THREE), record="campaign-extended"
    ) as campaign:
        await campaign.wait_until_opened()
        later = in_days(await campaign.now(), 10)
        assert "give a date" in await campaign.read_refusal(
            Extension(actor=OWNER, due=await campaign.now() + timedelta(days=20))
        )
        assert "give a later day" in await campaign.read_refusal(
            Extension(actor=OWNER, due=in_days(await campaign.now(), 3))
        )
        await campaign.send_command(Exemption(actor=OWNER, person="cas", reason="on leave"))
        await campaign.wait_until(lambda view: view.changes == 1)
        await campaign.send_command(Extension(actor=OWNER, due=later, reason="the board meets"))
        extended = await campaign.wait_until(lambda view: view.due == later)
        assert "the board meets" in [entry.why for entry in extended.timeline]
        view = await campaign.wait_until(
            lambda view: [entry for entry in view.timeline if entry.what.startswith("requests extended:")]
        )
        assert [(entry.what, entry.why) for entry in view.timeline if entry.what.startswith("requests extended:")] == [
            ("requests extended: 2", "extended")
        ]
        await campaign.days_pass(8)
        assert (await campaign.read_view()).status is Status.OPEN
        await campaign.end_request("ada")
        await campaign.days_pass(4)
        await campaign.handle.result()
        lines = await campaign.lines()
    assert status_by_person(lines) == {"ada": "acknowledged", "bo": "expired", "cas": "exempt"}
    assert {line.due for line in lines.values()} == {later.isoformat()}


async def test_everybody_who_has_not_acknowledged_is_reminded_once(tmp_path: Path) -> None:
    async with start_campaign(tmp_path, a_file(**A_WEEK), staff(*THREE), record="campaign-reminded") as campaign:
        await campaign.wait_until_opened()
        await campaign.end_request("ada")
        receipt = await campaign.send_command(ReminderCommand(actor=OWNER), op="remind-1")
        assert (receipt.state, receipt.detail) == (OperationState.OPEN, "tell everyone whose turn it is")
        first = await campaign.wait_until(lambda view: list(reminders(view)))
        assert list(reminders(first)) == [("reminded: 0", "2 could not be")], "they were told within the hour"
        await campaign.send_command(ReminderCommand(actor=OWNER, force=True), op="remind-2")
        await campaign.wait_until(lambda view: ("reminded: 2", None) in reminders(view))
        done = await campaign.handle.query(OPERATION, "remind-2", result_type=Receipt)
        assert (done.state, done.detail) == (OperationState.DONE, "reminded: 2")
        await campaign.at_rest()
        assert [campaign.stages_sent_to(person).count("reminder-manual-1") for person in THREE] == [0, 1, 1]
        await campaign.days_pass(8)
        await campaign.handle.result()


def reminders(view: CampaignShow) -> Iterator[tuple[str, str | None]]:
    """What came of the reminders of everybody, with the reason."""
    return ((entry.what, entry.why) for entry in view.timeline if entry.what.startswith("reminded:"))


async def test_one_member_is_given_longer_with_the_reason_and_the_campaign_stays_open_for_them(tmp_path: Path) -> None:
    async with start_campaign(tmp_path, a_file(**A_WEEK | {"grace": "0d"}), staff(*THREE)) as campaign:
        opened = await campaign.wait_until_opened()
        later = in_days(await campaign.now(), 10)
        longer = Extension(actor=OWNER, due=later, person="bo", reason="at sea until then")
        assert "no id of the audience" in await campaign.read_refusal(longer.replace(person="Bo <bo@us.example>"))
        await campaign.end_request("ada")
        await campaign.send_command(longer)
        extended_view = await campaign.wait_until(
            lambda extended_view: [
                entry for entry in extended_view.timeline if entry.what.startswith("requests extended:")
            ]
        )
        of_bo = [(entry.what, entry.because) for entry in extended_view.timeline if entry.who == "bo"]
        assert of_bo == [(f"to have until {later}", f"at sea until then, by {OWNER}"), (f"has until {later}", "")]
        assert (
            extended_view.due,
            [entry.why for entry in extended_view.timeline if entry.what == "requests extended: 1"],
        ) == (
            opened.due,
            ["extended"],
        )
        assert opened.closes_at and extended_view.closes_at
        assert extended_view.closes_at - opened.closes_at == (later - opened.due)
        for person in ("bo", "ada", "nobody"):
            await campaign.send_command(longer.replace(person=person))
        await campaign.wait_until(lambda view: sum(entry.what == "later end refused" for entry in view.timeline) == 3)
        refused = [entry.why for entry in (await campaign.read_view()).timeline if entry.what == "later end refused"]
        views = {
            person: await campaign.client.get_workflow_handle(campaign.request(person)).query(SHOW)
            for person in ("bo", "cas")
        }
        await campaign.days_pass(8)
        await campaign.end_request("bo")
        await campaign.days_pass(4)
        await campaign.handle.result()
        lines = await campaign.lines()
    assert refused == [
        f"bo has until {later} already: give a later day",
        "ada has acknowledged already",
        "nobody is not in the audience",
    ]
    reasons = {
        person: [entry["why"] for entry in member_view["timeline"] if entry["why"]]
        for person, member_view in views.items()
    }
    assert ("at sea until then" in reasons["bo"], "at sea until then" in reasons["cas"]) == (True, False)
    assert status_by_person(lines) == {"ada": "acknowledged", "bo": "acknowledged", "cas": "expired"}
    assert [lines[person].due for person in THREE] == [str(opened.due), str(later), str(opened.due)]


async def test_one_of_those_who_could_not_be_asked_is_asked_again(tmp_path: Path) -> None:
    file = a_file(**A_WEEK, audience={"people": ["ada", "newcomer", "another"]})
    async with start_campaign(tmp_path, file, staff("ada")) as campaign:
        await campaign.wait_until_opened()
        campaign.company.hires(a_person("newcomer"), a_person("another"))
        for person in ("nobody", "ada"):
            await campaign.send_command(Retry(actor=OWNER, person=person))
        await campaign.send_command(Retry(actor=OWNER, person="newcomer"))
        await campaign.wait_until_notified("newcomer")
        view = await campaign.wait_until(lambda view: view.changes == 1)
        await campaign.at_rest()
        assert campaign.stages_sent_to("another") == []
    assert [entry.why for entry in view.timeline if entry.what == "retry refused"] == [
        "nobody is not in the audience",
        "ada has not failed: told",
    ]
    retries = [(entry.who, entry.by) for entry in view.timeline if entry.what == "to be asked again"]
    assert retries == [("nobody", OWNER), ("ada", OWNER), ("newcomer", OWNER)]


async def test_a_row_that_is_wrong_holds_up_no_other_and_is_asked_once_it_is_mended(tmp_path: Path) -> None:
    file = a_file(**A_WEEK, audience={"people": ["ada", "newcomer", "ada", "bo"]})
    async with start_campaign(tmp_path, file, staff("ada", "bo"), record="campaign-retried") as campaign:
        opened = await campaign.wait_until_opened()
        assert opened.frozen is not None
        assert (opened.frozen.rows, opened.frozen.errors) == (4, 2)
        assert [attention.code for attention in opened.attention] == [AttentionCode.NOT_ASKED]
        campaign.company.hires(a_person("newcomer"))
        await campaign.send_command(Retry(actor=OWNER))
        await campaign.wait_until(lambda view: view.changes == 1)
        await campaign.wait_until_notified("newcomer")
        assert campaign.stages_sent_to("ada") == ["ready"]
        await campaign.days_pass(8)
        settlement = await campaign.handle.result()
        outcomes = await campaign.outcomes()
    assert settlement.outcome is Status.DONE_WITH_ERRORS
    assert [(line.row, line.person, line.status) for line in outcomes.lines] == [
        (1, "ada", "expired"),
        (2, "newcomer", "expired"),
        (3, "ada", "errors"),
        (4, "bo", "expired"),
    ]
    assert outcomes.lines[2].fault == FileFault.ROW_TWICE.to_message(row=1)


async def test_a_request_that_somebody_terminated_is_an_error_and_is_taken_up_again(tmp_path: Path) -> None:
    """Under its own id: another request would ask for a second signature, and what is signed on the first be lost."""
    async with start_campaign(tmp_path, a_file(**A_WEEK), staff(*THREE)) as campaign:
        await campaign.wait_until_opened()
        await campaign.send_command(Retry(actor=OWNER))
        refused = await campaign.wait_until(
            lambda view: [entry.why for entry in view.timeline if entry.what == "retry refused"]
        )
        assert [entry.why for entry in refused.timeline if entry.what == "retry refused"] == [
            "nobody has failed: no row is wrong, and every request could be made"
        ]
        await campaign.client.get_workflow_handle(campaign.request("bo")).terminate("by hand")
        await campaign.days_pass(1)
        failed_view = await campaign.wait_until(lambda failed_view: failed_view.counts.failed == 1)
        assert failed_view.attention
        await campaign.send_command(Retry(actor=OWNER))
        await campaign.wait_until_notified("bo", times=2)
        await campaign.end_request("bo")
        await campaign.days_pass(8)
        settlement = await campaign.handle.result()
        lines = await campaign.lines()
    assert (settlement.outcome, settlement.counts.failed) == (Status.DONE_WITH_ERRORS, 0)
    assert (lines["bo"].request, lines["bo"].status) == ("conduct.bo", "acknowledged")
    assert {order.brief.id for order in campaign.provider.created} == {f"conduct.{person}" for person in THREE}


@pytest.mark.parametrize("cancelled", [False, True])
async def test_of_what_somebody_terminated_no_document_is_left_to_be_signed(tmp_path: Path, cancelled: bool) -> None:
    """Neither of whoever need not acknowledge, nor once it is over; whoever has signed meanwhile has acknowledged."""
    async with start_campaign(tmp_path, a_file(**A_WEEK), staff(*THREE), limits=BatchLimits(members=1)) as campaign:
        await campaign.wait_until_opened()
        for person in THREE:
            await campaign.client.get_workflow_handle(campaign.request(person)).terminate("by hand")
        await campaign.send_command(Exemption(actor=OWNER, person="ada", reason="on leave"))
        await campaign.wait_until(lambda _: campaign.provider.statuses["conduct.ada"] is Status.CANCELLED)
        acted_at = await campaign.now() + timedelta(days=0 if cancelled else 6)
        acted = ReportedSigner(person="bo", state=SignerState.SIGNED, at=acted_at)
        campaign.provider.statuses["conduct.bo"], campaign.provider.acted["conduct.bo"] = Status.SIGNED, [acted]
        if cancelled:
            await campaign.send_command(Cancellation(actor=OWNER, reason="the wrong version"))
        await campaign.days_pass(0 if cancelled else 8)
        settlement = await campaign.handle.result()
        lines = await campaign.lines()
    assert settlement.outcome is (Status.CANCELLED if cancelled else Status.DONE_WITH_ERRORS)
    assert status_by_person(lines) == {"ada": "exempt", "bo": "acknowledged" if cancelled else "late", "cas": "failed"}
    assert lines["cas"].reason == "its workflow was terminated, and its document was cancelled"
    assert {campaign.provider.statuses[f"conduct.{person}"] for person in ("ada", "cas")} == {Status.CANCELLED}
    assert len(campaign.provider.created) == 3, "nothing is made of what is only ended"


async def test_a_request_that_has_failed_for_good_is_asked_again_by_another_one(tmp_path: Path) -> None:
    async with start_campaign(tmp_path, a_file(**A_WEEK), staff("ada", "bo")) as campaign:
        await campaign.wait_until_opened()
        await campaign.end_request("bo", Status.FAILED)
        await campaign.days_pass(1)
        await campaign.wait_until(lambda view: view.counts.failed == 1)
        await campaign.send_command(Retry(actor=OWNER))
        await campaign.wait_until_notified("bo", times=2)
        await campaign.days_pass(8)
        await campaign.handle.result()
        lines = await campaign.lines()
    assert lines["bo"].request == "conduct.bo.r2"


async def test_a_campaign_that_is_cancelled_asks_nobody_more_and_ends_what_is_open(tmp_path: Path) -> None:
    async with start_campaign(
        tmp_path, a_file(), staff(*THREE), limits=BatchLimits(members=1), record="campaign-cancelled"
    ) as campaign:
        await campaign.wait_until_opened()
        await campaign.end_request("ada")
        await campaign.send_command(Cancellation(actor=OWNER, reason="the wrong version"))
        await campaign.wait_until(lambda view: view.counts.cancelled == 2)
        settlement = await campaign.handle.result()
        lines = await campaign.lines()
    # Of each member's own request its owner hears nothing: one notice tells of all.
    assert [stage for stage in campaign.stages_sent_to(OWNER) if stage == "settled"] == ["settled"]
    assert settlement.outcome is Status.CANCELLED
    assert status_by_person(lines) == {"ada": "acknowledged", "bo": "cancelled", "cas": "cancelled"}


async def test_a_campaign_that_is_cancelled_before_its_opening_has_asked_nobody(tmp_path: Path) -> None:
    next_year = (datetime.now(UTC) + timedelta(days=365)).isoformat(timespec="seconds")
    async with start_campaign(tmp_path, a_file(opens=next_year), staff(*THREE)) as campaign:
        await campaign.wait_until(lambda view: view.says.startswith("Opens"))
        await campaign.send_command(Cancellation(actor=OWNER, reason="next year"))
        settlement = await campaign.handle.result()
    assert (settlement.outcome, settlement.counts.total, settlement.audience_sha256) == (Status.CANCELLED, 0, None)
    assert not campaign.provider.created


async def test_somebody_in_full_is_asked_and_keeps_their_id_though_the_secret_is_another(tmp_path: Path) -> None:
    tmp_path.joinpath("staff.csv").write_text(
        "name,email,zone,department\n"
        "Di Roe,di@plant.example,Europe/Amsterdam,plant\n"
        "Ed,not an address,Europe/Amsterdam,\n"
    )
    file = a_file(**A_WEEK, audience={"file": "staff.csv"}, message="Please read it.")
    async with start_campaign(tmp_path, file, staff()) as campaign:
        opened = await campaign.wait_until_opened()
        assert opened.frozen is not None
        assert (opened.frozen.rows, opened.frozen.errors) == (2, 1)
        member = (await campaign.members())[0]
        assert member.person.startswith("p-")
        assert campaign.stages_sent_to(member.person) == ["ready"], "known to their request by the id of the table"
        assert "di@plant.example" not in json.dumps(
            [event.SerializeToString().hex() for event in await campaign.history()]
        )
        await campaign.days_pass(8)
        settlement = await campaign.handle.result()
        lines = await campaign.lines()
    assert settlement.counts.expired == 1
    assert lines[member.person].department == "plant"
    assert "email" in next(line.reason for line in lines.values() if line.status == "errors")


async def test_somebody_who_could_not_be_asked_can_be_exempt(tmp_path: Path) -> None:
    async with start_campaign(
        tmp_path, a_file(**A_WEEK, audience={"people": ["ada", "nobody"]}), staff("ada")
    ) as campaign:
        await campaign.wait_until_opened()
        await campaign.send_command(Exemption(actor=OWNER, person="nobody", reason="has left"))
        await campaign.wait_until(lambda view: view.changes == 1)
        await campaign.end_request("ada")
        await campaign.days_pass(8)
        settlement = await campaign.handle.result()
        lines = await campaign.lines()
    assert settlement.outcome is Status.DONE
    assert status_by_person(lines) == {"ada": "acknowledged", "nobody": "exempt"}


async def test_a_people_file_that_is_faulty_drops_nobody(tmp_path: Path) -> None:
    async with start_campaign(tmp_path, a_file(leavers="drop"), staff(*THREE)) as campaign:
        await campaign.wait_until_opened()
        (tmp_path / "people.yaml").write_text("people: [{id: ada}]")
        await campaign.days_pass(2)
        assert (await campaign.read_view()).changes == 0
        campaign.company.hires()
        await campaign.days_pass(1)
        assert (await campaign.read_view()).changes == 0


async def test_an_audience_that_is_not_the_one_that_was_frozen_stops_the_campaign(tmp_path: Path) -> None:
    async with start_campaign(tmp_path, a_file(**A_WEEK), staff(*THREE)) as campaign:
        opened = await campaign.wait_until_opened()
        assert opened.frozen is not None
        frozen = tmp_path / "store" / "audiences" / opened.frozen.sha256
        frozen_bytes = frozen.read_bytes()
        frozen.write_bytes(frozen_bytes.replace(b"cas", b"dee"))
        assert opened.closes_at is not None
        await campaign.env.sleep(opened.closes_at - await campaign.now() + timedelta(minutes=1))
        view = await campaign.wait_until(lambda view: view.problem)
        assert view.problem is not None
        assert view.problem.code == "unbalanced"
        frozen.write_bytes(frozen_bytes)
        await campaign.days_pass(1)
        settlement = await campaign.handle.result()
    assert (settlement.outcome, settlement.counts.expired) == (Status.DONE_WITH_ERRORS, 3)


async def test_a_push_service_that_is_away_holds_up_no_campaign(tmp_path: Path) -> None:
    async with start_campaign(tmp_path, a_file(window="9d", grace="5d"), staff(*THREE)) as campaign:
        await campaign.wait_until_opened()
        for person in THREE:
            await campaign.end_request(person)
        await campaign.days_pass(6)
        campaign.push.failures = [ApplicationError("revoked", type="unauthorised", non_retryable=True)]
        await campaign.days_pass(1)
        view = await campaign.read_view()
        assert (view.problem, campaign.push.failures) == (None, [])
        await campaign.days_pass(9)
        assert (await campaign.handle.result()).outcome is Status.DONE
    assert [stage for stage in campaign.stages_sent_to(OWNER) if stage.startswith("progress")] == ["progress-14"]


async def test_somebody_whose_id_another_request_has_stands_as_failed(tmp_path: Path) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    file = a_file(opens=tomorrow.isoformat(timespec="seconds"))
    async with start_campaign(tmp_path, file, staff(*THREE), requests_too=True) as campaign:
        await campaign.wait_until(lambda view: view.says.startswith("Opens"))
        conflicting_request = request_of(
            campaign.workflow_input.campaign,
            "0" * 64,
            Member(MemberRow(1, "bo"), campaign.workflow_input.campaign.due),
            None,
        )
        await launch.start(campaign.client, campaign.company.store, conflicting_request)
        await campaign.at_rest()
        await campaign.env.sleep(
            campaign.workflow_input.campaign.opens_at - await campaign.now() + timedelta(minutes=1)
        )
        await campaign.wait_until(lambda view: view.asked == 3)
        await campaign.at_rest()
        refused = [entry.why for entry in (await campaign.read_view()).timeline if entry.what.startswith("asked: ")]
        await campaign.send_command(Cancellation(actor=OWNER, reason="the wrong version"))
        settlement = await campaign.handle.result()
        lines = await campaign.lines()
    assert refused == ["1 could not be"]
    assert settlement.counts.failed == 1
    assert (lines["bo"].status, lines["bo"].reason) == ("failed", "another request had its id already")


async def test_who_has_acknowledged_stays_so_though_they_leave_and_come_back(tmp_path: Path) -> None:
    async with start_campaign(tmp_path, a_file(**COME_AND_GO), staff(*THREE)) as campaign:
        await campaign.wait_until_opened()
        await campaign.end_request("cas")
        campaign.company.loses("cas")
        await campaign.days_pass(2)
        campaign.company.hires(a_person("cas"))
        await campaign.days_pass(2)
        await campaign.days_pass(4)
        await campaign.handle.result()
        lines, outcomes = await campaign.lines(), await campaign.outcomes()
    assert campaign.stages_sent_to("cas").count("ready") == 1
    assert (lines["cas"].status, lines["cas"].request, lines["cas"].row) == ("acknowledged", "conduct.cas", 3)
    assert outcomes.population == {"opening": 3, "close": 3, "came": [], "left": []}


async def test_a_group_that_is_no_more_drops_nobody_and_stops_nothing(tmp_path: Path) -> None:
    async with start_campaign(tmp_path, a_file(**COME_AND_GO), staff("ada")) as campaign:
        await campaign.wait_until_opened()
        campaign.company.loses("ada")
        await campaign.days_pass(2)
        assert (await campaign.read_view()).problem is None
        await campaign.days_pass(6)
        await campaign.handle.result()
        lines, outcomes = await campaign.lines(), await campaign.outcomes()
    assert (status_by_person(lines), outcomes.population) == ({"ada": "expired"}, None)


@pytest.mark.long
async def test_a_people_file_that_was_cut_short_drops_nobody(tmp_path: Path) -> None:
    people = [f"employee-{number}" for number in range(24)]
    async with start_campaign(tmp_path, a_file(**COME_AND_GO), staff(*people)) as campaign:
        await campaign.wait_until_opened()
        for person in people[:22]:
            campaign.company.loses(person)
        await campaign.days_pass(1)
        assert (await campaign.read_view()).changes == 0
        campaign.company.hires(*(a_person(person) for person in people[2:22]))
        await campaign.days_pass(1)
        dropped_view = await campaign.wait_until(lambda dropped_view: dropped_view.changes == 1)
        assert dropped_view.counts.told == 24
        await campaign.wait_until(lambda view: any(entry.what == "requests ended: 2" for entry in view.timeline))


async def test_who_comes_after_everybodys_last_day_is_not_asked(tmp_path: Path) -> None:
    async with start_campaign(tmp_path, a_file(**COME_AND_GO), staff("ada")) as campaign:
        await campaign.wait_until_opened()
        await campaign.days_pass(5)
        campaign.company.hires(a_person("latecomer"))
        await campaign.days_pass(4)
        await campaign.handle.result()
        outcomes = await campaign.outcomes()
    assert campaign.stages_sent_to("latecomer") == []
    assert outcomes.population is not None
    assert outcomes.population["came"] == [{"person": "latecomer", "decided": "ignored"}]


async def test_somebody_who_is_in_the_group_twice_is_one_person(tmp_path: Path) -> None:
    async with start_campaign(tmp_path, a_file(**COME_AND_GO), staff("ada")) as campaign:
        await campaign.wait_until_opened()
        campaign.company.hires(a_person("newcomer", groups=("all-staff", "all-staff")))
        await campaign.days_pass(1)
        await campaign.wait_until_notified("newcomer")
        await campaign.days_pass(8)
        settlement = await campaign.handle.result()
    assert (settlement.outcome, settlement.counts.total) == (Status.DONE_WITH_ERRORS, 2)
