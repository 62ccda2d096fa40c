"""A campaign on a server as it runs in production: its visibility, its clock moved with those of its requests."""

from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client

from activities.campaign.batch import BatchLimits, request_of
from activities.campaign.service import CampaignPeopleService
from activities.launch import launch
from activities.records.audiences import Member, MemberRow
from activities.records.outcomes import MemberOutcome
from activities.temporal import executions as runs
from starter.errors import Refusal
from starter.queries import campaign as composed
from starter.queries import fast_forward
from starter.queries.campaign import CampaignPicture
from tests.faults.town import eventually
from tests.servers import PUNCTUAL_TIMERS, own_part, real_server
from tests.workflows.campaign.stage import OWNER, CampaignOutcomes, CampaignStory, a_file, staff, start_campaign
from workflows.model.campaign import CampaignOrder, SettleOrder
from workflows.model.commands import Cancellation, Exemption
from workflows.model.signature import ReportedSigner, SignerState
from workflows.model.subject import Status

pytestmark = pytest.mark.long

PEOPLE = tuple(f"employee-{number}" for number in range(4))


@pytest.mark.long
@pytest.mark.real_server
async def test_a_campaign_goes_on_as_requests_are_made_and_moves_with_their_clocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = real_server(*PUNCTUAL_TIMERS)
    file = a_file(policy={"hours": "any", "reminders": {"first": "1d"}})
    async with start_campaign(tmp_path, file, staff(*PEOPLE), server=server, limits=BatchLimits(ahead=30)) as campaign:
        await campaign.wait_until_opened()
        assert sorted(campaign.stages_sent_to(person)[0] for person in PEOPLE) == ["ready"] * 4
        with monkeypatch.context() as few, pytest.raises(Refusal, match="4 open ones are more than 3 to move together"):
            few.setattr(fast_forward, "TOGETHER_AT_MOST", 3)
            await fast_forward.forward(campaign.client, campaign.handle.id, timedelta(days=1))
        forwarding = await fast_forward.forward(campaign.client, campaign.handle.id, timedelta(days=1, hours=1))
        assert forwarding.reached
        assert [campaign.stages_sent_to(person) for person in PEOPLE] == [["ready", "reminder-1"]] * 4
        view = await campaign.read_view()
        assert (view.counts.told, view.counts.not_told) == (4, 0)
        await campaign.send_command(Cancellation(actor=OWNER, reason="the wrong version"))
        settlement = await campaign.handle.result()
    assert (settlement.outcome, settlement.counts.cancelled) == (Status.CANCELLED, 4)


@pytest.mark.real_server
async def test_whose_request_was_deleted_or_is_anothers_stands_as_failed_at_once_and_with_the_reason(
    tmp_path: Path, dev_server: str
) -> None:
    """As the daily look has them: what `campaign show` and the report say does not wait for it."""
    async with start_campaign(tmp_path, a_file(), staff("ada", "bo", "cas"), server=own_part(dev_server)) as campaign:
        await campaign.wait_until_opened()
        await campaign.end_request("ada")
        for person in ("bo", "cas"):
            await delete_workflow(campaign.client, campaign.request(person))
        anothers = request_of(
            campaign.workflow_input.campaign,
            "0" * 64,
            Member(MemberRow(1, "cas"), campaign.workflow_input.campaign.due),
            None,
        )
        await launch.start(campaign.client, campaign.company.store, anothers)
        picture, lines = await eventually(lambda: read_picture_with_failures(campaign, 2))
    reasons = {line.person: line.reason for line in lines}
    assert reasons == {
        "ada": "",
        "bo": "there is neither a workflow nor a record of it",
        "cas": "another request had its id already",
    }
    assert (picture.view.counts.acknowledged, picture.view.errors) == (1, 2)
    assert picture.view.says.startswith("1 of 3 have acknowledged; open until ")


@pytest.mark.real_server
@pytest.mark.parametrize("cancelled", [False, True])
async def test_of_what_temporal_has_forgotten_a_signature_counts_and_no_document_is_left_to_be_signed(
    tmp_path: Path, dev_server: str, cancelled: bool
) -> None:
    """As of what was terminated by hand once its retention is over: whether it was signed only Core Signature knows."""
    async with start_campaign(
        tmp_path, a_file(), staff("ada", "bo", "cas", "dee"), server=own_part(dev_server)
    ) as campaign:
        await campaign.wait_until_opened()
        for person in ("ada", "bo", "cas"):
            await delete_workflow(campaign.client, campaign.request(person))
        acted = ReportedSigner(person="ada", state=SignerState.SIGNED, at=await campaign.now())
        campaign.provider.statuses["conduct.ada"], campaign.provider.acted["conduct.ada"] = Status.SIGNED, [acted]
        await campaign.send_command(Exemption(actor=OWNER, person="cas", reason="on leave"))
        await eventually(lambda: is_cancelled(campaign, "cas"))
        if cancelled:
            await campaign.send_command(Cancellation(actor=OWNER, reason="the wrong version"))
            await campaign.handle.result()
            lines = await campaign.lines()
        else:
            await campaign.end_request("dee")
            lines = await eventually(lambda: read_closing_lines(campaign))
    assert lines["ada"].status == "acknowledged"
    assert (lines["bo"].status, lines["bo"].reason) == (
        "failed",
        "there was neither a workflow nor a record of it, and its document was cancelled",
    )
    assert lines["cas"].status == "exempt"
    assert campaign.provider.statuses["conduct.bo"] is Status.CANCELLED
    assert len(campaign.provider.created) == 4, "nothing is made of what is only ended"


async def is_cancelled(campaign: CampaignStory, person: str) -> bool:
    """Whether nobody can sign somebody's document any more."""
    return campaign.provider.statuses[f"{campaign.id}.{person}"] is Status.CANCELLED


async def read_closing_lines(campaign: CampaignStory) -> dict[str, MemberOutcome] | None:
    """The lines of the record that would be made now, None while somebody is waited for."""
    view, company = await campaign.read_view(), campaign.company
    order = CampaignOrder(
        campaign=campaign.workflow_input.campaign,
        frozen=view.frozen,
        changed=view.changed,
        changes=view.changes,
        asked=view.asked,
        changes_asked=view.changes,
        fingerprint=campaign.workflow_input.fingerprint,
        now=await campaign.now(),
    )
    people = CampaignPeopleService(
        campaign.client, company.store, company.directory, campaign.push, visibility=campaign.visibility
    )
    tally = await people.settle(SettleOrder(order=order, expected=4))
    if tally.outcomes is None:
        return None
    return {line.person: line for line in (await CampaignOutcomes.read(company.store, tally.outcomes)).lines}


async def delete_workflow(client: Client, workflow_id: str, within_seconds: float = 20) -> None:
    """As an operator does it; once it is gone."""
    execution = WorkflowExecution(workflow_id=workflow_id)
    deletion = DeleteWorkflowExecutionRequest(namespace=client.namespace, workflow_execution=execution)
    await client.workflow_service.delete_workflow_execution(deletion)

    async def probe() -> bool:
        return await runs.find_run(client, workflow_id) is None

    await eventually(probe, within_seconds)


async def read_picture_with_failures(
    campaign: CampaignStory, count: int
) -> tuple[CampaignPicture, list[MemberOutcome]] | None:
    """Everyone by status once so many have failed, and all of them are told apart from who was broken off."""
    picture = await composed.picture(campaign.client, campaign.company.store, campaign.id)
    lines = await picture.lines.read() if picture.lines else []
    told_apart = picture.view.counts.failed == count and "was" not in "".join(line.reason for line in lines)
    return (picture, lines) if told_apart else None
