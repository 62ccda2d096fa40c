"""What goes wrong around a campaign holds up nobody else, and stands in its record."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

import workflows.campaign.state as course
import workflows.follow_up.options as options
from activities.campaign.batch import BatchLimits
from activities.campaign.member_status import OpenMembers
from activities.campaign.population import find_changes
from activities.campaign.service import CampaignPeopleService
from activities.launch import launch
from activities.records.audiences import MemberRow
from activities.temporal import executions as runs
from activities.temporal.leases import unbroken
from starter.temporal.codec import data_converter
from tests.bench.audience import acknowledge
from tests.faults.town import eventually
from tests.servers import real_server
from tests.workflows.campaign.stage import (
    OWNER,
    CampaignStory,
    Company,
    PolledVisibility,
    a_file,
    a_person,
    in_days,
    staff,
    start_campaign,
    start_stage,
)
from tests.workflows.fakes import FakePushService, FakeSignatureService
from workflows.kinds import Kind
from workflows.model.campaign import CampaignOrder, DailyCheck, FrozenAudience
from workflows.model.commands import UPDATES, Cancellation, Exemption, Retry
from workflows.model.hand_off import SettledCampaign
from workflows.model.notifications import Delivery, DeliveryReport
from workflows.model.subject import Code, Status

DAY = {"window": "2d", "grace": "0d"}
TOMORROW = (datetime.now(UTC) + timedelta(days=1)).replace(hour=8, minute=0).isoformat(timespec="seconds")
"""At an hour from which what is tried every six hours is never tried just before a close, which is in the evening."""


@pytest.fixture
def tried_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails is tried again after hours: these days pass with what fails in them."""
    monkeypatch.setattr(options, "PROBE_FIRST", timedelta(hours=6))
    monkeypatch.setattr(options, "PROBE_AT_MOST", timedelta(hours=6))
    monkeypatch.setattr(course, "ROOM_PAUSES", (timedelta(hours=6),))


@pytest.mark.long
@pytest.mark.usefixtures("tried_seldom")
async def test_whom_the_provider_refuses_holds_up_nobody_and_stands_with_the_reason(tmp_path: Path) -> None:
    """Nobody waits for them: neither the others' turn to be asked, nor the record."""
    limits = BatchLimits(members=1, ahead=1)
    async with start_campaign(tmp_path, a_file(**DAY), staff("ada", "bo", "cas"), limits=limits) as campaign:
        campaign.provider.refused.add("conduct.ada")
        await campaign.wait_until(lambda view: view.asked == 3)
        await campaign.wait_until_notified("bo")
        await campaign.wait_until_notified("cas")
        assert [campaign.stages_sent_to(person) for person in ("ada", "bo", "cas")] == [[], ["ready"], ["ready"]]
        await campaign.days_pass(1)
        failed_view = await campaign.wait_until(lambda failed_view: failed_view.counts.failed == 1)
        assert (failed_view.counts.told, failed_view.errors) == (2, 1)
        await campaign.days_pass(4)
        settlement = await campaign.handle.result()
        lines = await campaign.lines()
    assert settlement.outcome is Status.DONE_WITH_ERRORS
    assert {person: line.status for person, line in lines.items()} == {
        "ada": "failed",
        "bo": "expired",
        "cas": "expired",
    }
    assert lines["ada"].reason == "the service says refused"


@pytest.mark.long
async def test_what_cannot_be_done_until_it_closes_is_left_and_the_record_is_made(
    tmp_path: Path,
) -> None:
    """A walk that fails and fails, here for want of visibility, keeps no campaign from closing."""
    async with start_campaign(tmp_path, a_file(**DAY), staff("ada", "bo")) as campaign:
        view = await campaign.wait_until_opened()
        assert view.closes_at is not None
        await campaign.client.get_workflow_handle(campaign.request("bo")).terminate("by hand")
        await campaign.at_rest()
        await campaign.env.sleep(view.closes_at - timedelta(hours=1) - await campaign.now())
        await campaign.at_rest()
        assert isinstance(campaign.visibility, PolledVisibility)
        campaign.visibility.is_away = True
        await campaign.send_command(Retry(actor=OWNER))
        await campaign.at_rest()
        await campaign.env.sleep(timedelta(minutes=2))
        assert (await campaign.read_view()).problem
        await campaign.send_command(Exemption(actor=OWNER, person="ada", reason="on leave"))
        await campaign.days_pass(1)
        settlement = await campaign.handle.result()
        lines = await campaign.lines()
    assert settlement.outcome is Status.DONE_WITH_ERRORS
    assert {person: line.status for person, line in lines.items()} == {"ada": "exempt", "bo": "failed"}
    assert lines["bo"].reason == "its workflow was terminated, and its document was cancelled"


@pytest.mark.usefixtures("tried_seldom")
@pytest.mark.parametrize("is_back", [False, True])
async def test_an_audience_that_cannot_be_frozen_until_it_closes_ends_the_campaign_in_words(
    tmp_path: Path, is_back: bool
) -> None:
    """It says so while it is tried again; nobody is asked after the last day, and its owner hears of the end."""
    async with start_campaign(tmp_path, a_file(**DAY, opens=TOMORROW), staff("ada")) as campaign:
        campaign.company.loses("ada")
        await campaign.days_pass(2)
        view = await campaign.read_view()
        assert (view.status, view.problem and view.problem.code) == (Status.OPEN, Code.DIRECTORY)
        assert "all-staff" in view.says
        assert view.closes_at is not None
        await campaign.env.sleep(view.closes_at - timedelta(minutes=5) - await campaign.now())
        if is_back:  # The last time it was tried before the close is over.
            await campaign.at_rest()
            campaign.company.hires(a_person("ada"))
        await campaign.days_pass(1)
        settlement = await campaign.handle.result()
        view = await campaign.read_view()
    assert (settlement.outcome, settlement.counts.total, settlement.audience_sha256) == (Status.FAILED, 0, None)
    assert view.problem and view.problem.code is Code.NOT_OPENED
    assert view.says.endswith(": its window was over" if is_back else ': the group "all-staff" is not in people.yaml')
    assert view.closes_at is not None
    assert timedelta() <= settlement.at - view.closes_at < timedelta(hours=7)
    assert campaign.stages_sent_to(OWNER) == ["settled"]
    assert not campaign.provider.created


@pytest.mark.long
@pytest.mark.usefixtures("tried_seldom")
async def test_a_walk_for_which_there_is_no_room_until_it_closes_is_left_and_the_record_is_made(tmp_path: Path) -> None:
    """Core Signature is away, and says nothing: whom nobody came to was not asked, and nobody is waited for."""
    async with start_campaign(
        tmp_path, a_file(**DAY, opens=TOMORROW), staff("ada", "bo"), limits=BatchLimits(patience=0)
    ) as campaign:
        assert isinstance(campaign.visibility, PolledVisibility)
        campaign.visibility.is_full = True
        await campaign.days_pass(2)
        await campaign.send_command(Exemption(actor=OWNER, person="ada", reason="on leave"))
        await campaign.wait_until(lambda view: view.changes == 1)
        view = await campaign.read_view()
        assert (view.problem, view.says) == (None, "Opening: 0 of 2 asked")
        await campaign.days_pass(3)
        settlement = await campaign.handle.result()
        lines = await campaign.lines()
    assert settlement.outcome is Status.DONE_WITH_ERRORS
    assert {person: line.status for person, line in lines.items()} == {"ada": "exempt", "bo": "not_started"}
    assert view.closes_at is not None
    assert settlement.at - view.closes_at < timedelta(minutes=1)
    assert not campaign.provider.created


@pytest.mark.long
async def test_a_campaign_that_is_cancelled_on_its_way_asks_nobody_more(tmp_path: Path) -> None:
    """G4: two of six are being asked; the others stand in the record as not started, and have no workflow."""
    people = [f"one-of-six-{number}" for number in range(6)]
    async with start_campaign(tmp_path, a_file(), staff(*people), limits=BatchLimits(members=2, ahead=2)) as campaign:
        gate = campaign.provider.gate = asyncio.Event()
        await campaign.wait_until(lambda view: view.asked == 2)
        wrong = Cancellation(actor=OWNER, reason="the wrong version")
        await campaign.handle.execute_update(UPDATES[Cancellation], wrong)
        await eventually(lambda: campaign.is_asked_to_end(people[0]))
        gate.set()
        settlement = await campaign.handle.result()
        lines = await campaign.lines()
        asked_people = [person for person in people if await campaign.has_request(person)]
        ends = [
            entry.what for entry in (await campaign.read_view()).timeline if entry.what.startswith("requests ended: ")
        ]
    assert settlement.outcome is Status.CANCELLED
    assert [lines[person].status for person in people] == [*["cancelled"] * 2, *["not_started"] * 4]
    assert asked_people == people[:2]
    assert ends == ["requests ended: 2"]
    assert not [stage for stage, _ in campaign.push.stages() if stage == "ready"]


@dataclass
class Interrupted(FakePushService):
    """Tells one at a time; it is cancelled in the first call, and reports what it has done as the real one does."""

    attempt: ActivityEnvironment = field(default_factory=ActivityEnvironment)

    async def deliver(self, delivery: Delivery) -> DeliveryReport:
        """See the port."""
        stopped = asyncio.Event()

        async def work() -> DeliveryReport:
            if not self.deliveries:
                self.attempt.cancel()
                await stopped.wait()
            return await super(Interrupted, self).deliver(delivery)

        return await unbroken(work(), stopped.set)


async def test_the_daily_look_of_a_campaign_that_was_cancelled_meanwhile_tells_nobody_more(tmp_path: Path) -> None:
    """Managers of 60, of whom the first is being told: the others are in the same call and in the next one."""
    heads = [a_person(f"head-{number:02}", groups=()) for number in range(60)]
    company = Company(tmp_path, [*staff(), *heads, *(a_person(f"one-{head['id']}", head["id"]) for head in heads)])
    campaign_input = (await company.prepared(a_file())).workflow_input
    everybody = [f"one-{manager['id']}" for manager in heads]
    push, nobody = Interrupted(FakeSignatureService(), at_most=1), cast(Any, None)
    people = CampaignPeopleService(nobody, company.store, company.directory, push, visibility=AllOpen(everybody))
    now = datetime.now(UTC)
    order = CampaignOrder(campaign=campaign_input.campaign, fingerprint=campaign_input.fingerprint, now=now)
    order = order.replace(frozen=await people.freeze(order))
    looked = await push.attempt.run(people.check, DailyCheck(order=order, day=1, due=in_days(now, 1)))
    assert push.stages() == [("digest-1", "head-00")]
    assert (looked.over, looked.counts.open) == (False, 60)
    assert looked.ago


@dataclass
class AllOpen:
    """Visibility for which the requests of all of them are open."""

    people: list[str]

    async def open_of(self, campaign: str) -> OpenMembers:
        """See `Visibility`."""
        return OpenMembers({f"{campaign}.{person}": Status.SENT for person in self.people})

    async def unusual_of(self, campaign: str) -> OpenMembers:
        """See `Visibility`."""
        return OpenMembers()

    async def going_on(self, campaign: str) -> int:
        """See `Visibility`."""
        return len(self.people)

    async def waiting(self, campaign: str) -> int:
        """See `Visibility`."""
        return 0


@pytest.mark.long
async def test_a_campaign_goes_on_in_fresh_histories_and_none_is_long(tmp_path: Path) -> None:
    """G6: pages of one row each, on a server that suggests a fresh history after 30 events."""
    rows = [f"nobody-{number}" for number in range(36)]
    few = ("--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=30")
    server = real_server(*few, converter=data_converter(()))
    file = a_file(audience={"people": [*rows, "ada"]})
    async with start_campaign(tmp_path, file, staff("ada"), limits=BatchLimits(members=1), server=server) as campaign:
        await campaign.wait_until(lambda view: view.asked == len(rows) + 1)
        listed = [
            run
            async for run in runs.listed(campaign.client, f"WorkflowId = '{Kind.CAMPAIGN.workflow_id(campaign.id)}'")
        ]
        longest = max([await campaign.events(run.run_id) for run in listed])
    assert len(listed) > 5
    assert longest < 50


@pytest.mark.long
async def test_a_campaign_has_no_event_for_each_person(tmp_path: Path) -> None:
    """G6: of three hundred here; `chaos/test_campaigns.py` has fifty thousand."""
    await count_events(tmp_path, people=300)


async def count_events(folder: Path, people: int) -> int:
    """The events of a campaign of so many who have all acknowledged by the time it sees to them."""
    async with start_stage(folder, staff()) as stage:
        table = [f"Person {number},person-{number}@us.example,Europe/Amsterdam" for number in range(people)]
        (folder / "staff.csv").write_text("\n".join(["name,email,zone", *table]))
        now = await stage.env.get_current_time()
        prepared = await stage.company.prepared(a_file(audience={"file": "staff.csv"}, **DAY), now)
        campaign_input = await prepared.store_input(stage.company.store)
        order = CampaignOrder(campaign=campaign_input.campaign, fingerprint=campaign_input.fingerprint, now=now)
        nobody: Any = None
        frozen = await CampaignPeopleService(nobody, stage.company.store, stage.company.directory, nobody).freeze(order)
        await acknowledge(folder, order.replace(frozen=frozen))
        started = await launch.start(stage.client, stage.company.store, prepared)
        handle = stage.client.get_workflow_handle(started.workflow_id, result_type=SettledCampaign)
        campaign = CampaignStory(
            stage.env, stage.company, stage.provider, stage.push, stage.visibility, campaign_input, handle
        )
        await eventually(lambda: has_asked(campaign, people), timeout_seconds=1_200)
        await campaign.days_pass(4)
        settlement = await handle.result()
        first = stage.client.get_workflow_handle(started.workflow_id, run_id=started.run_id)
        events = [event async for event in first.fetch_history_events()]
    assert settlement.counts.acknowledged == people
    assert events[-1].event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED
    assert not [event for event in events if event.HasField("workflow_execution_signaled_event_attributes")]
    assert len(events) < 150 + people / 100
    return len(events)


async def has_asked(campaign: CampaignStory, people: int) -> bool:
    return (await campaign.read_view()).asked == people


async def test_the_audience_is_frozen_from_the_people_file_as_it_is_and_from_no_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Elsewhere a look-up does not wait for a changed file to be read; who is missing in an audience is not asked."""
    monkeypatch.setattr("activities.people.file_directory._PATIENCE", 0.0)
    company = Company(tmp_path, staff("ada"))
    campaign_input = (await company.prepared(a_file())).workflow_input
    nobody: Any = None
    people = CampaignPeopleService(nobody, company.store, company.directory, nobody)
    order = CampaignOrder(
        campaign=campaign_input.campaign, fingerprint=campaign_input.fingerprint, now=datetime.now(UTC)
    )
    company.hires(a_person("newcomer"))
    assert (await people.freeze(order)).rows == 2
    company.hires(a_person("latecomer", manager="nobody-here"))
    with pytest.raises(ApplicationError, match="nobody-here is not in this file") as refused:
        await people.freeze(order)
    assert refused.value.type == Code.DIRECTORY


async def test_who_has_joined_is_seen_by_the_people_file_as_it_is_and_a_faulty_one_moves_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once it is read: the look of a day after an edit has nobody of the day before."""
    monkeypatch.setattr("activities.people.file_directory._PATIENCE", 0.0)
    company = Company(tmp_path, staff("ada"))
    campaign_input = (await company.prepared(a_file(joiners={"rule": "add", "within": "7d"}))).workflow_input
    now = datetime.now(UTC)
    order = CampaignOrder(campaign=campaign_input.campaign, fingerprint=campaign_input.fingerprint, now=now)
    audiences = company.store.audiences
    frozen = FrozenAudience(sha256=await audiences.freeze([MemberRow(1, "ada")]), rows=1, errors=0, at=now)
    order = order.replace(frozen=frozen)
    await audiences.up_to_date(order)
    look, lines = DailyCheck(order=order, day=1, due=in_days(now, 14)), company.store.outcomes.running(order)
    company.hires(a_person("newcomer"))
    [joined] = await find_changes(look, audiences.members(order.workflow_id), lines, company.directory)
    assert [row.person for row in joined.rows] == ["newcomer"]
    company.hires(a_person("latecomer", manager="nobody-here"))
    assert await find_changes(look, audiences.members(order.workflow_id), lines, company.directory) == []
