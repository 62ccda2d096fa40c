"""What bounds a campaign: its audience, how far one walk goes, how far it is ahead of Core Signature, its changes."""

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import ActivityEnvironment

from activities.campaign import batch as walks
from activities.campaign.batch import BatchFacts, BatchJob, BatchLimits
from activities.campaign.member_status import OpenMembers
from activities.campaign.population import PERSON_AT_MOST, read
from activities.files.reading import FileFaults
from activities.records.audiences import AUDIENCE_AT_MOST, Member, MemberRow
from starter.temporal.codec import terse_data_converter
from tests.messages import english_of
from tests.servers import time_skipping
from tests.workflows.campaign.stage import OWNER, Company, a_file, staff
from workflows.campaign import state as campaign_state
from workflows.campaign.state import CHANGES_AT_MOST, WAITING_CHANGES_AT_MOST, CampaignInput, CampaignState
from workflows.campaign.view import show
from workflows.model.campaign import (
    AudienceChange,
    Batch,
    BatchResult,
    BatchWork,
    CampaignOrder,
    ChangeKind,
    ChangeResult,
    Counts,
    DailyCheckResult,
    FrozenAudience,
)
from workflows.model.commands import Exemption, Retry

NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)


@dataclass
class Ahead:
    """Visibility that says so many requests wait for Core Signature; the walk ends when it has said all."""

    says: list[int]
    question_count: int = 0
    tours: list[BatchJob] = field(default_factory=list)

    async def open_of(self, campaign: str) -> OpenMembers:
        """See `Visibility`."""
        return OpenMembers()

    async def unusual_of(self, campaign: str) -> OpenMembers:
        """See `Visibility`."""
        return OpenMembers()

    async def going_on(self, campaign: str) -> int:
        """See `Visibility`."""
        return 0

    async def waiting(self, campaign: str) -> int:
        """See `Visibility`."""
        self.question_count += 1
        if len(self.says) == 1:
            self.tours[0].stop()
        return self.says.pop(0)


async def make_course(folder: Path) -> tuple[Company, CampaignState]:
    company = Company(folder, staff("ada"))
    prepared = await company.prepared(a_file(opens="2026-12-01"), NOW)
    course = CampaignState.begin(prepared.workflow_input.campaign, NOW)
    return company, course.froze(FrozenAudience(sha256="ab" * 32, rows=1, errors=0, at=NOW), NOW)


def make_start_batch(campaign_input: CampaignInput) -> Batch:
    """A walk that asks everybody."""
    order = CampaignOrder(campaign=campaign_input.campaign, fingerprint=campaign_input.fingerprint, now=NOW)
    return Batch(order=order, work=BatchWork.START)


async def run_walk(
    folder: Path, waiting_counts: list[int], limits: BatchLimits, members: int = 40
) -> tuple[BatchResult, Ahead]:
    """A walk over people whom nobody can ask: it starts nothing."""
    company, _ = await make_course(folder)
    campaign_input = (await company.prepared(a_file(), NOW)).workflow_input
    walk = make_start_batch(campaign_input)
    ahead = Ahead(waiting_counts)
    job = BatchJob(cast(Client, None), company.store, walk, BatchFacts(ahead), limits)
    ahead.tours.append(job)
    crowd = [Member(MemberRow(number, "", says="is wrong"), date(2026, 12, 15)) for number in range(1, members + 1)]
    return await job.run(crowd[: limits.members], len(crowd)), ahead


async def test_one_walk_sees_to_so_many_and_says_where_to_go_on(tmp_path: Path) -> None:
    batch_result, _ = await run_walk(tmp_path, [0, 0, 0], BatchLimits(members=30))
    assert (batch_result.after, batch_result.over) == (30, False)


async def test_nobody_is_asked_while_enough_requests_wait_for_core_signature(tmp_path: Path) -> None:
    batch_result, ahead = await run_walk(tmp_path, [176], BatchLimits(ahead=200))
    assert (batch_result.after, batch_result.over, ahead.question_count) == (0, False, 1)
    batch_result, ahead = await run_walk(tmp_path, [175, 185, 186], BatchLimits(ahead=200))
    assert (batch_result.after, batch_result.over, ahead.question_count) == (40, True, 2)


async def test_a_walk_that_finds_no_room_while_none_is_made_gives_its_place_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a campaign that waits for Core Signature holds up no other; one that is made begins the patience anew."""
    monkeypatch.setattr(walks, "_CHECK_EVERY", 0)
    batch_result, ahead = await run_walk(
        tmp_path, [200, 200, 199, 200, 198, 175, 199, 199, 199, 0], BatchLimits(ahead=200, patience=2)
    )
    assert (batch_result.after, batch_result.full, batch_result.over, ahead.question_count) == (25, True, False, 9)


async def test_there_is_looked_for_room_less_and_less_often_until_somebody_was_asked(tmp_path: Path) -> None:
    _, course = await make_course(tmp_path)
    pauses = []
    for position in (0, 0, 0, *(7,) * 10):
        course = course.batch_done(BatchResult(after=position, full=True), NOW)
        again_at = course.jobs.running[0].again_at
        assert again_at is not None
        pauses.append((again_at - NOW).total_seconds())
    assert pauses == [5, 10, 20, 5, 10, 20, 40, 80, 160, 300, 300, 300, 300]
    assert course.batch_done(BatchResult(after=7), NOW).jobs.running[0].again_at is None


async def test_a_walk_that_is_begun_when_the_campaign_has_closed_asks_nobody(tmp_path: Path) -> None:
    """No worker was there while there was time."""
    company, _ = await make_course(tmp_path)
    campaign_input = (await company.prepared(a_file(), NOW)).workflow_input
    walk = make_start_batch(campaign_input).replace(until=datetime.now(UTC))
    job = BatchJob(cast(Client, None), company.store, walk, BatchFacts(Ahead([])), BatchLimits())
    batch_result = await job.run([Member(MemberRow(1, "ada"), campaign_input.campaign.due)], 1)
    assert (batch_result.after, batch_result.over) == (0, False)


async def test_that_a_campaign_has_closed_is_known_by_the_server_s_clock(tmp_path: Path) -> None:
    """Ours is years behind it."""
    company, _ = await make_course(tmp_path)
    campaign_input = (await company.prepared(a_file(), NOW)).workflow_input
    closes = datetime.now(UTC) + timedelta(days=3650)
    env = ActivityEnvironment()
    env.info = replace(env.info, started_time=closes)

    async def walked() -> BatchResult:
        walk = make_start_batch(campaign_input).replace(until=closes)
        job = BatchJob(cast(Client, None), company.store, walk, BatchFacts(Ahead([])), BatchLimits())
        return await job.run([Member(MemberRow(1, "ada"), campaign_input.campaign.due)], 1)

    batch_result = await env.run(walked)
    assert (batch_result.after, batch_result.over) == (0, False)


@pytest.mark.long
async def test_whoever_was_asked_before_is_asked_and_not_refused(tmp_path: Path) -> None:
    """A worker that died before it could say how far it came, or `start --again`: the walk goes over them once more."""
    async with time_skipping() as env:
        company, _ = await make_course(tmp_path)
        campaign_input = (await company.prepared(a_file(), NOW)).workflow_input
        walk = make_start_batch(campaign_input)
        crowd = [Member(MemberRow(number, f"p{number}"), campaign_input.campaign.due) for number in range(30)]
        for _ in range(2):
            job = BatchJob(env.client, company.store, walk, BatchFacts(Ahead([0, 0, 0])), BatchLimits())
            batch_result = await job.run(crowd, len(crowd))
            assert (batch_result.done, batch_result.refused, batch_result.over) == (30, 0, True)


@dataclass
class Server:
    """A server that does not take the start of some, as one whose id is too long for it."""

    refuses: str
    status_code: RPCStatusCode
    started: list[str] = field(default_factory=list)

    async def start_workflow(self, *_: object, id: str, **__: object) -> SimpleNamespace:
        """See `Client`."""
        if id.endswith(self.refuses):
            raise RPCError("not this one", self.status_code, b"")
        self.started.append(id)
        return SimpleNamespace(id=id, result_run_id="run")


async def run_walk_on(server: Server, folder: Path) -> BatchResult:
    company, _ = await make_course(folder)
    campaign_input = (await company.prepared(a_file(), NOW)).workflow_input
    walk = make_start_batch(campaign_input)
    job = BatchJob(cast(Client, server), company.store, walk, BatchFacts(Ahead([0, 0])), BatchLimits())
    members = [
        Member(MemberRow(1, "ada"), campaign_input.campaign.due),
        Member(MemberRow(2, "bo"), campaign_input.campaign.due),
    ]
    return await job.run(members, 2)


async def test_somebody_whom_the_server_does_not_take_holds_up_no_other(tmp_path: Path) -> None:
    server = Server(".ada", RPCStatusCode.INVALID_ARGUMENT)
    batch_result = await run_walk_on(server, tmp_path)
    assert (batch_result.done, batch_result.refused, batch_result.over) == (1, 1, True)
    assert server.started == ["signature-request:conduct.bo"]


async def test_a_server_that_is_away_is_asked_again_for_everybody(tmp_path: Path) -> None:
    with pytest.raises(RPCError, match="not this one"):
        await run_walk_on(Server(".ada", RPCStatusCode.UNAVAILABLE), tmp_path)


@pytest.mark.parametrize("opens", ["2028-12-01", "2226-12-01T09:00:00Z", "9999-12-31"])
async def test_an_opening_more_than_two_years_away_is_no_day_that_is_meant(tmp_path: Path, opens: str) -> None:
    company = Company(tmp_path, staff("ada"))
    with pytest.raises(FileFaults, match=r"opens: is more than two years away"):
        await company.prepared(a_file(opens=opens), NOW)
    assert (await company.prepared(a_file(opens="2028-11-30"), NOW)).workflow_input.campaign.opens_at.year == 2028


async def test_a_campaign_with_reviewers_is_refused_with_what_it_has_instead(tmp_path: Path) -> None:
    company = Company(tmp_path, staff("ada"))
    with pytest.raises(FileFaults, match=r"reviewers: a campaign has none: its document names the approver"):
        await company.prepared(a_file(reviewers=[{"person": "chair"}]))


@pytest.mark.long
def test_a_table_of_more_people_than_an_audience_has_is_refused_in_one_line(tmp_path: Path) -> None:
    table = tmp_path / "staff.csv"
    table.write_text("person\n" + "ada\n" * (AUDIENCE_AT_MOST + 1))
    with pytest.raises(FileFaults, match=r"staff\.csv:200002: has more than 200,000 rows: divide it"):
        read(table, secret=None)


async def test_each_payload_of_a_campaign_of_ten_thousand_with_the_most_changes_is_below_1_mib(tmp_path: Path) -> None:
    """People stand in the store: a history has counts, positions, and the changes that are not carried out yet."""
    company, _ = await make_course(tmp_path)
    campaign_input = (await company.prepared(a_file(), NOW)).workflow_input
    course = CampaignState.begin(campaign_input.campaign, NOW)
    course = course.froze(FrozenAudience(sha256="ab" * 32, rows=10_000, errors=0, at=NOW), NOW)
    for number in range(CHANGES_AT_MOST):
        change = AudienceChange(number=number, what=ChangeKind.JOINED, by=OWNER, at=NOW, person="p" * PERSON_AT_MOST)
        course = course.changed(ChangeResult(change=change, sha256="ab" * 32, people=10, new=10), NOW)
        course = course.paged(course.page)
    for _ in range(WAITING_CHANGES_AT_MOST):
        course = campaign_state.exempt(
            course, Exemption(actor=OWNER, person="p" * PERSON_AT_MOST, reason="r" * 1_000), NOW
        )
    looked = DailyCheckResult(
        changes=tuple(ChangeResult(change=change, sha256="ab" * 32) for change in course.jobs.waiting), counts=Counts()
    )
    for value in (
        campaign_input.replace(carried=course.carried_over()),
        make_start_batch(campaign_input),
        looked,
        show(campaign_input, course, NOW),
    ):
        assert terse_data_converter.payload_converter.to_payload(value).ByteSize() < 1024 * 1024


async def test_more_changes_than_can_wait_to_be_written_down_are_refused(tmp_path: Path) -> None:
    _, course = await make_course(tmp_path)
    command = Retry(actor="compliance-desk")
    for _ in range(WAITING_CHANGES_AT_MOST):
        assert campaign_state.refuse_retry(course, command, NOW) is None
        course = campaign_state.retry(course, command, NOW)
    assert (
        english_of(campaign_state.refuse_retry(course, command, NOW))
        == "too many changes wait to be written down: try again later"
    )
    assert len(course.model_dump_json()) < 32_000
