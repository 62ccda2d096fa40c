"""What whoever asked is offered at the start: the way to the page at the desk, once, and at no cost."""

import pytest

from tests.workflows.fakes import World
from tests.workflows.stage import PARALLEL, TARGETS, a_request, start_story
from tests.workflows.task.test_tasks import ADA, BEN, OPEN_END, OWNER, a_task, start_task
from workflows.model.commands import TaskCompletion
from workflows.model.notifications import NoticeAction
from workflows.model.policy import Policy, TellRequester
from workflows.model.subject import Participant, Status
from workflows.signature.state import SignatureInput

OFFER = ("follow", "legal-desk")


def make_offering_request(*signers: Participant, tell: TellRequester | None = None) -> SignatureInput:
    """A request under the policy that holds where nobody says otherwise."""
    return a_request(*signers).replace(policy=Policy(handoff=TARGETS, tell_requester=tell or TellRequester()))


async def test_whoever_asked_is_offered_to_follow_it_with_the_first_notice_of_all_and_never_again() -> None:
    world = World()
    async with start_story(world, make_offering_request(), record="offered-to-follow") as story:
        await story.days_pass(4)
        assert world.push.stages() == [("ready", "customer-signer"), OFFER, ("reminder-1", "customer-signer")]
        assert [len(delivery.notices) for delivery in world.push.deliveries] == [2, 1]
        world.signatures.sign("customer-signer")
        await story.callback("signer_signed")
        await story.days_pass(1)
        assert world.push.stages().count(OFFER) == 1
        world.signatures.sign("chief-executive")
        world.signatures.status = Status.SIGNED
        await story.callback("signed")
        await story.handle.result()


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(make_offering_request(tell=TellRequester(started=False)), id="by-the-policy"),
        pytest.param(
            make_offering_request(*PARALLEL, Participant(person="legal-desk", order=1)), id="who-signs-as-well"
        ),
    ],
)
async def test_who_wants_no_offer_or_is_asked_themselves_gets_none(request_: SignatureInput) -> None:
    world = World()
    async with start_story(world, request_) as story:
        await story.days_pass(0.1)
        assert world.push.stages()
        assert OFFER not in world.push.stages()


async def test_of_a_signature_that_is_no_news_the_offer_leaves_the_phone() -> None:
    world = World()
    async with start_story(world, make_offering_request(tell=TellRequester(signed=False))) as story:
        await story.days_pass(0.1)
        world.signatures.sign("customer-signer")
        world.signatures.sign("chief-executive")
        world.signatures.status = Status.SIGNED
        await story.callback("signed")
        await story.handle.result()
    actions = {notice.person: notice.action for notice in world.handoff.notices}
    assert actions["legal-desk"] is NoticeAction.WITHDRAW


async def test_the_owner_of_a_task_is_offered_to_follow_it_once() -> None:
    world = World()
    async with start_task(world, a_task(policy=OPEN_END.replace(tell_requester=TellRequester()))) as task:
        assert world.push.stages() == [("ready", ADA), ("ready", BEN), ("follow", OWNER)]
        assert len(world.push.deliveries) == 1
        await task.send_command(TaskCompletion(actor=ADA))
        await task.handle.result()
        assert [stage for stage, _ in world.push.stages()].count("follow") == 1
