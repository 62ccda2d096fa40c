"""Who hears of an ending: whoever was asked, and nobody else."""

import pytest

from tests.workflows.fakes import World
from tests.workflows.stage import a_request, start_story
from workflows.model.commands import Cancellation, Delegation
from workflows.model.notifications import NoticeAction
from workflows.model.policy import Target, TellRequester
from workflows.model.signature import ReportedSigner, SignerState
from workflows.model.subject import Code, Participant, Role, Status
from workflows.signature.state import SignatureInput
from workflows.signature.workflow import SignatureRequestWorkflow

CANCEL = Cancellation(actor="legal-desk", reason="no longer needed")
BY_THE_THOUSAND = TellRequester(signed=False, started=False)
"""Of a requester who wants to hear of no signature."""


def one_of_thousands() -> SignatureInput:
    """A request of somebody who asks so many that each signature is no news."""
    request = a_request(handoff=())
    return request.replace(policy=request.policy.replace(tell_requester=BY_THE_THOUSAND))


def told_of_the_end(world: World) -> set[str]:
    """The people among the targets of the hand-off."""
    calls = [call.target.target for batch in world.handoff.batches for call in batch.calls]
    return {target.removeprefix("notice:") for target in calls if target.startswith("notice:")}


@pytest.mark.parametrize("code", [Code.CONVERT_ERROR, Code.SENDING_ERROR])
async def test_who_never_got_ready_hears_nothing_of_a_request_that_could_not_be_sent(code: Code) -> None:
    world = World()
    world.signatures.status = Status.CONVERTING
    async with start_story(world) as story:
        world.signatures.status, world.signatures.code = Status.FAILED, code
        await story.callback(code)
        assert (await story.handle.result()).outcome is Status.FAILED
        view = await story.read_view()
    assert told_of_the_end(world) == {"legal-desk"}
    assert "sent" not in [line.what for line in view.timeline]


async def test_a_cancellation_while_converting_is_told_to_the_requester_alone() -> None:
    world = World()
    world.signatures.status = Status.CONVERTING
    async with start_story(world) as story:
        await story.days_pass(0.0001)
        await story.handle.execute_update(SignatureRequestWorkflow.cancel, CANCEL)
        assert (await story.handle.result()).outcome is Status.CANCELLED
    assert (world.push.sent, told_of_the_end(world)) == ([], {"legal-desk"})


async def test_a_stand_in_for_somebody_absent_hears_nothing_either_when_it_cannot_be_sent() -> None:
    world = World()
    world.signatures.status, world.signatures.substituted = Status.CONVERTING, {"customer-signer": "delegate"}
    async with start_story(world) as story:
        world.signatures.status, world.signatures.code = Status.FAILED, Code.CONVERT_ERROR
        await story.callback("convert_error")
        await story.handle.result()
    assert told_of_the_end(world) == {"legal-desk"}


async def test_whose_place_was_handed_over_is_told_of_that_and_not_of_the_end() -> None:
    world = World()
    async with start_story(world) as story:
        await story.days_pass(1)
        command = Delegation(actor="legal-desk", signer="customer-signer", to="deputy")
        await story.handle.execute_update(SignatureRequestWorkflow.delegate, command)
        await story.days_pass(0.1)
        assert ("reassigned", "customer-signer") in world.push.stages()
        await story.handle.execute_update(SignatureRequestWorkflow.cancel, CANCEL)
        await story.handle.result()
    assert told_of_the_end(world) == {"legal-desk", "deputy"}


async def test_a_mail_that_came_back_alerts_the_requester_once() -> None:
    world = World()
    async with start_story(world, a_request()) as story:
        world.signatures.signers.append(ReportedSigner(person="customer-signer", state=SignerState.BOUNCED))
        for _ in range(2):
            await story.callback("signer_email_bounced")
            await story.days_pass(0.1)
        view = await story.read_view()
    assert world.push.stages() == [("ready", "customer-signer"), ("bounced", "legal-desk")]
    assert [attention.code for attention in view.attention] == ["mail_bounced"]
    (alert,) = [line for line in view.notifications if line.stage == "bounced"]
    assert alert.key == "msa-0042/bounced/legal-desk/customer-signer"


async def test_a_requester_who_wants_to_hear_of_no_signature_hears_of_none() -> None:
    world = World()
    async with start_story(world, one_of_thousands()) as story:
        await story.days_pass(0.1)
        world.signatures.sign("customer-signer")
        world.signatures.sign("chief-executive")
        world.signatures.status = Status.SIGNED
        await story.callback()
        assert (await story.handle.result()).outcome is Status.SIGNED
        view = await story.read_view()
    assert "legal-desk" not in told_of_the_end(world) | {line.person for line in view.notifications}


@pytest.mark.parametrize("outcome", [Status.DECLINED, Status.EXPIRED, Status.FAILED])
async def test_of_every_other_ending_they_hear_all_the_same(outcome: Status) -> None:
    world = World()
    async with start_story(world, one_of_thousands()) as story:
        await story.days_pass(0.1)
        world.signatures.status = outcome
        await story.callback("declined")
        assert (await story.handle.result()).outcome is outcome
    assert "legal-desk" in told_of_the_end(world)


@pytest.mark.parametrize(
    ("outcome", "notified_targets"),
    [(Status.DECLINED, {"archive", "ledger"}), (Status.EXPIRED, {"archive"}), (Status.SIGNED, {"erp"})],
)
async def test_of_systems_those_hear_of_an_ending_that_asked_for_it(
    outcome: Status, notified_targets: set[str]
) -> None:
    asked_for = {
        "erp": (Status.SIGNED,),
        "ledger": (Status.DECLINED,),
        "archive": (Status.DECLINED, Status.CANCELLED, Status.EXPIRED),
    }
    targets = tuple(Target(target=name, url=f"https://{name}.example/", on=on) for name, on in asked_for.items())
    world = World()
    async with start_story(world, a_request(Participant(person="customer-signer", order=1), handoff=targets)) as story:
        await story.days_pass(0.1)
        world.signatures.status = outcome
        await story.callback("declined")
        await story.handle.result()
    assert {
        call.target.target for batch in world.handoff.batches for call in batch.calls if call.target.url
    } == notified_targets


@pytest.mark.parametrize(("mails_endings", "notified_people"), [(True, []), (False, ["customer-signer", "auditor"])])
async def test_signers_and_copies_hear_of_a_signed_request_from_us_where_core_mails_nobody(
    mails_endings: bool, notified_people: list[str]
) -> None:
    world = World()
    world.signatures.mails_endings = mails_endings
    people = (Participant(person="customer-signer", order=1), Participant(person="auditor", order=1, role=Role.COPY))
    async with start_story(world, a_request(*people, handoff=())) as story:
        await story.days_pass(0.1)
        world.signatures.sign("customer-signer")
        world.signatures.sign("auditor", SignerState.COPIED)
        world.signatures.status = Status.SIGNED
        await story.callback()
        assert (await story.handle.result()).outcome is Status.SIGNED
    news = [notice for notice in world.handoff.notices if notice.action is NoticeAction.OPEN]
    assert [notice.person for notice in news] == ["legal-desk", *notified_people]


async def test_what_their_phone_still_shows_of_a_signed_request_is_taken_off_without_a_sound() -> None:
    world = World()
    async with start_story(world, one_of_thousands()) as story:
        world.signatures.signers.append(ReportedSigner(person="customer-signer", state=SignerState.BOUNCED))
        await story.callback("signer_email_bounced")
        await story.days_pass(0.1)
        assert ("bounced", "legal-desk") in world.push.stages()
        world.signatures.sign("customer-signer")
        world.signatures.status = Status.SIGNED
        await story.callback()
        await story.handle.result()
    (notice,) = [notice for notice in world.handoff.notices if notice.person == "legal-desk"]
    assert (notice.stage, notice.action) == ("withdrawal", NoticeAction.WITHDRAW)
