"""A link that is handed over, in the timeline of its request."""

from tests.workflows.fakes import World
from tests.workflows.follow_up.test_operations import read_refusal
from tests.workflows.signature.test_group_place import EVE, KIM, SAM, for_the_group, take
from tests.workflows.stage import start_story
from workflows.model.commands import LinkHandover
from workflows.model.timeline import EventType

HAND_OVER = LinkHandover(actor="legal-desk", signer="customer-signer")


async def test_the_timeline_says_by_whom_and_to_whom_and_only_who_is_asked_now_has_a_link() -> None:
    world = World()
    async with start_story(world, record="link-handed") as story:
        await story.days_pass(1)
        for signer in ("chief-executive", "stranger"):
            refusal = await read_refusal(story, HAND_OVER.replace(signer=signer))
            assert refusal == f"{signer} is not asked to sign now"
        receipts = [await story.send_command(HAND_OVER, op="op-1") for _ in range(2)]
        assert {receipt.detail for receipt in receipts} == {"a link to sign was handed over"}
        world.signatures.sign("customer-signer")
        await story.callback()
        await story.days_pass(0.1)
        assert await read_refusal(story, HAND_OVER) == "customer-signer is not asked to sign now"
        view = await story.read_view()
    handed = [(entry.who, entry.by) for entry in view.timeline if entry.happened == EventType.LINK_HANDED]
    assert handed == [("customer-signer", "legal-desk")]


async def test_a_member_of_a_group_gets_one_once_they_have_its_place() -> None:
    world = World()
    async with start_story(world, for_the_group()) as story:
        await story.days_pass(0.1)
        for member in (EVE, SAM):
            refusal = await read_refusal(story, HAND_OVER.replace(signer=member))
            assert refusal == f"anyone of legal may still sign: once {member} has taken its place, hand over a link"
        await take(story, SAM)
        assert (await story.send_command(HAND_OVER.replace(signer=SAM))).detail == "a link to sign was handed over"
        for member in (EVE, KIM):
            refusal = await read_refusal(story, HAND_OVER.replace(signer=member))
            assert refusal == f"{member} is not asked to sign now"
