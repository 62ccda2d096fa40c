"""A campaign on a server as it runs in production: its visibility, its clock moved with those of its requests."""

from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client

from activities.campaign.batch import BatchLimits, request_of
from activities.campaign.service import CampaignPeopleService
from activities.launch import launch as path
from activities.records.audiences import Member, MemberRow
from activities.records.outcomes import MemberOutcome
from activities.temporal import executions as runs
from starter.errors import Refusal
from starter.queries import campaign as composed
from starter.queries import fast_forward
from starter.queries.campaign import CampaignPicture
from tests.faults.town import eventually
from tests.servers import PUNCTUAL_TIMERS, own_part, real_server
from tests.workflows.campaign.stage import OWNER, Campaigns, Ended, a_file, campaign, staff
from workflows.model.campaign import CampaignOrder, SettleOrder
from workflows.model.commands import Cancellation, Exemption
from workflows.model.signature import SignerSeen, SignerState
from workflows.model.subject import Status

PEOPLE = tuple(f"employee-{number}" for number in range(4))


@pytest.mark.long
@pytest.mark.real_server
async def test_a_campaign_goes_on_as_requests_are_made_and_moves_with_their_clocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = real_server(*PUNCTUAL_TIMERS)
    file = a_file(policy={"hours": "any", "reminders": {"first": "1d"}})
    async with campaign(tmp_path, file, staff(*PEOPLE), server=server, limits=BatchLimits(ahead=30)) as it:
        await it.opened()
        assert sorted(it.told(person)[0] for person in PEOPLE) == ["ready"] * 4
        with monkeypatch.context() as few, pytest.raises(Refusal, match="4 open ones are more than 3 to move together"):
            few.setattr(fast_forward, "TOGETHER_AT_MOST", 3)
            await fast_forward.forward(it.client, it.handle.id, timedelta(days=1))
        moved = await fast_forward.forward(it.client, it.handle.id, timedelta(days=1, hours=1))
        assert moved.reached
        assert [it.told(person) for person in PEOPLE] == [["ready", "reminder-1"]] * 4
        shown = await it.shown()
        assert (shown.counts.told, shown.counts.not_told) == (4, 0)
        await it.wish(Cancellation(actor=OWNER, reason="the wrong version"))
        ended = await it.handle.result()
    assert (ended.outcome, ended.counts.cancelled) == (Status.CANCELLED, 4)


@pytest.mark.real_server
async def test_whose_request_was_deleted_or_is_anothers_stands_as_failed_at_once_and_with_the_reason(
    tmp_path: Path, dev_server: str
) -> None:
    """As the daily look has them: what `campaign show` and the report say does not wait for it."""
    async with campaign(tmp_path, a_file(), staff("ada", "bo", "cas"), server=own_part(dev_server)) as it:
        await it.opened()
        await it.signs("ada")
        for person in ("bo", "cas"):
            await deleted(it.client, it.request(person))
        anothers = request_of(it.given.campaign, "0" * 64, Member(MemberRow(1, "cas"), it.given.campaign.due), None)
        await path.start(it.client, it.company.store, anothers)
        seen, lines = await eventually(lambda: failed(it, 2))
    reasons = {line.person: line.reason for line in lines}
    assert reasons == {
        "ada": "",
        "bo": "there is neither a workflow nor a record of it",
        "cas": "another request had its id already",
    }
    assert (seen.shown.counts.acknowledged, seen.shown.errors) == (1, 2)
    assert seen.shown.says.startswith("1 of 3 have acknowledged; open until ")


@pytest.mark.real_server
@pytest.mark.parametrize("cancelled", [False, True])
async def test_of_what_temporal_has_forgotten_a_signature_counts_and_no_document_is_left_to_be_signed(
    tmp_path: Path, dev_server: str, cancelled: bool
) -> None:
    """As of what was terminated by hand once its retention is over: whether it was signed only Core Signature knows."""
    async with campaign(tmp_path, a_file(), staff("ada", "bo", "cas", "dee"), server=own_part(dev_server)) as it:
        await it.opened()
        for person in ("ada", "bo", "cas"):
            await deleted(it.client, it.request(person))
        acted = SignerSeen(person="ada", state=SignerState.SIGNED, at=await it.now())
        it.provider.statuses["conduct.ada"], it.provider.acted["conduct.ada"] = Status.SIGNED, [acted]
        await it.wish(Exemption(actor=OWNER, person="cas", reason="on leave"))
        await eventually(lambda: is_cancelled(it, "cas"))
        if cancelled:
            await it.wish(Cancellation(actor=OWNER, reason="the wrong version"))
            await it.handle.result()
            lines = await it.lines()
        else:
            await it.signs("dee")
            lines = await eventually(lambda: closed(it))
    assert lines["ada"].status == "acknowledged"
    assert (lines["bo"].status, lines["bo"].reason) == (
        "failed",
        "there was neither a workflow nor a record of it, and its document was cancelled",
    )
    assert lines["cas"].status == "exempt"
    assert it.provider.statuses["conduct.bo"] is Status.CANCELLED
    assert len(it.provider.created) == 4, "nothing is made of what is only ended"


async def is_cancelled(it: Campaigns, person: str) -> bool:
    """Whether nobody can sign somebody's document any more."""
    return it.provider.statuses[f"{it.id}.{person}"] is Status.CANCELLED


async def closed(it: Campaigns) -> dict[str, MemberOutcome] | None:
    """The lines of the record that would be made now, None while somebody is waited for."""
    shown, company = await it.shown(), it.company
    order = CampaignOrder(
        campaign=it.given.campaign,
        frozen=shown.frozen,
        changed=shown.changed,
        changes=shown.changes,
        asked=shown.asked,
        changes_asked=shown.changes,
        fingerprint=it.given.fingerprint,
        now=await it.now(),
    )
    people = CampaignPeopleService(it.client, company.store, company.directory, it.push, visibility=it.visibility)
    tally = await people.settle(SettleOrder(order=order, expected=4))
    if tally.outcomes is None:
        return None
    return {line.person: line for line in (await Ended.read(company.store, tally.outcomes)).lines}


async def deleted(client: Client, workflow_id: str, within: float = 20) -> None:
    """As an operator does it; once it is gone."""
    of = WorkflowExecution(workflow_id=workflow_id)
    gone = DeleteWorkflowExecutionRequest(namespace=client.namespace, workflow_execution=of)
    await client.workflow_service.delete_workflow_execution(gone)

    async def probe() -> bool:
        return await runs.found(client, workflow_id) is None

    await eventually(probe, within)


async def failed(it: Campaigns, count: int) -> tuple[CampaignPicture, list[MemberOutcome]] | None:
    """Everyone by status once so many have failed, and all of them are told apart from who was broken off."""
    seen = await composed.picture(it.client, it.company.store, it.id)
    lines = await seen.lines.read() if seen.lines else []
    told_apart = seen.shown.counts.failed == count and "was" not in "".join(one.reason for one in lines)
    return (seen, lines) if told_apart else None
