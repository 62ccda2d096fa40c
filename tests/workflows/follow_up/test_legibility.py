"""What lists know of a request without asking its workflow, on the server that keeps it."""

import pytest

from tests.faults.town import eventually
from tests.servers import real_server
from tests.workflows.fakes import World
from tests.workflows.stage import PARALLEL, Story, a_request, begin, workers
from workflows.follow_up.view import PEOPLE_AT_MOST
from workflows.model.commands import Answer, Question
from workflows.model.signature import SignerState
from workflows.model.subject import Participant, Status
from workflows.names import STATUS, TURN_AT, WAITING_FOR
from workflows.signature.workflow import SignatureRequestWorkflow as Request

pytestmark = pytest.mark.real_server


async def wait_for_listed_people(story: Story, count: int) -> tuple[str, ...]:
    """Whom the request is listed as waiting for, once there are so many; since when, if there is anybody."""

    async def listed() -> list[tuple[str, ...]]:
        attributes = (await story.handle.describe()).typed_search_attributes
        people = tuple(attributes.get(WAITING_FOR) or ())
        assert bool(people) is (attributes.get(TURN_AT) is not None)
        return [people] if len(people) == count else []

    [listed_people] = await eventually(listed)
    return listed_people


@pytest.mark.long
async def test_a_crowd_is_listed_up_to_the_bound_and_found_by_person() -> None:
    """More than 2,048 bytes would fail every workflow task; ids of 100 characters are allowed."""
    crowd = tuple(Participant(person=f"{'long-id-' * 11}{number:04}", order=1) for number in range(10 * PEOPLE_AT_MOST))
    world = World()
    async with real_server() as env, workers(env.client, world):
        story = await begin(env, world, a_request(*crowd))
        listed = await wait_for_listed_people(story, 16)
        assert listed[-1] == "+more"

        async def count_found() -> int | None:
            return (await env.client.count_workflows(f"{WAITING_FOR.name} = '{crowd[3].person}'")).count or None

        assert await eventually(count_found) == 1


@pytest.mark.long
async def test_whoever_has_signed_is_listed_no_more_and_who_owes_an_answer_is_until_it_is_there() -> None:
    world = World()
    async with real_server() as env, workers(env.client, world):
        story = await begin(env, world, a_request(*PARALLEL))
        assert await wait_for_listed_people(story, 2) == ("customer-signer", "chief-executive")
        await story.handle.execute_update(Request.ask, Question(person="chief-executive", text="Which annex?"))
        assert await wait_for_listed_people(story, 3) == ("legal-desk", "customer-signer", "chief-executive")
        await story.handle.execute_update(Request.answer, Answer(actor="legal-desk", text="The second."))
        assert await wait_for_listed_people(story, 2) == ("customer-signer", "chief-executive")
        world.signatures.sign("customer-signer")
        await story.callback()
        assert await wait_for_listed_people(story, 1) == ("chief-executive",)
        world.signatures.sign("chief-executive")
        world.signatures.status = Status.SIGNED
        await story.callback()
        await story.handle.result()
        assert await wait_for_listed_people(story, 0) == ()


@pytest.mark.long
async def test_whoever_has_opened_it_is_not_said_to_have_once_it_is_somebody_else_s_turn() -> None:
    world = World()
    async with real_server() as env, workers(env.client, world):
        story = await begin(env, world, a_request())

        async def listed(status: Status) -> bool:
            attributes = (await story.handle.describe()).typed_search_attributes
            return attributes.get(STATUS) == status == (await story.handle.query(Request.show)).status

        assert await wait_for_listed_people(story, 1) == ("customer-signer",)
        world.signatures.status = Status.VIEWED
        world.signatures.sign("customer-signer", SignerState.VIEWED)
        await story.callback()
        assert await eventually(lambda: listed(Status.VIEWED))
        world.signatures.sign("customer-signer")
        await story.callback()
        assert await eventually(lambda: listed(Status.SENT))
        assert await wait_for_listed_people(story, 1) == ("chief-executive",)
        world.signatures.sign("chief-executive", SignerState.VIEWED)
        await story.callback()
        assert await eventually(lambda: listed(Status.VIEWED))
