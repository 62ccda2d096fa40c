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


async def waiting(it: Story, count: int) -> tuple[str, ...]:
    """Whom the request is listed as waiting for, once there are so many; since when, if there is anybody."""

    async def listed() -> list[tuple[str, ...]]:
        known = (await it.handle.describe()).typed_search_attributes
        people = tuple(known.get(WAITING_FOR) or ())
        assert bool(people) is (known.get(TURN_AT) is not None)
        return [people] if len(people) == count else []

    [found] = await eventually(listed)
    return found


async def test_a_crowd_is_listed_up_to_the_bound_and_found_by_person() -> None:
    """More than 2,048 bytes would fail every workflow task; ids of 100 characters are allowed."""
    crowd = tuple(Participant(person=f"{'long-id-' * 11}{number:04}", order=1) for number in range(10 * PEOPLE_AT_MOST))
    world = World()
    async with real_server() as env, workers(env.client, world):
        it = await begin(env, world, a_request(*crowd))
        listed = await waiting(it, 16)
        assert listed[-1] == "+more"

        async def found() -> int | None:
            return (await env.client.count_workflows(f"{WAITING_FOR.name} = '{crowd[3].person}'")).count or None

        assert await eventually(found) == 1


async def test_whoever_has_signed_is_listed_no_more_and_who_owes_an_answer_is_until_it_is_there() -> None:
    world = World()
    async with real_server() as env, workers(env.client, world):
        it = await begin(env, world, a_request(*PARALLEL))
        assert await waiting(it, 2) == ("customer-signer", "chief-executive")
        await it.handle.execute_update(Request.ask, Question(person="chief-executive", text="Which annex?"))
        assert await waiting(it, 3) == ("legal-desk", "customer-signer", "chief-executive")
        await it.handle.execute_update(Request.answer, Answer(actor="legal-desk", text="The second."))
        assert await waiting(it, 2) == ("customer-signer", "chief-executive")
        world.signatures.sign("customer-signer")
        await it.callback()
        assert await waiting(it, 1) == ("chief-executive",)
        world.signatures.sign("chief-executive")
        world.signatures.status = Status.SIGNED
        await it.callback()
        await it.handle.result()
        assert await waiting(it, 0) == ()


async def test_whoever_has_opened_it_is_not_said_to_have_once_it_is_somebody_else_s_turn() -> None:
    world = World()
    async with real_server() as env, workers(env.client, world):
        it = await begin(env, world, a_request())

        async def listed(status: Status) -> bool:
            known = (await it.handle.describe()).typed_search_attributes
            return known.get(STATUS) == status == (await it.handle.query(Request.show)).status

        assert await waiting(it, 1) == ("customer-signer",)
        world.signatures.status = Status.VIEWED
        world.signatures.sign("customer-signer", SignerState.VIEWED)
        await it.callback()
        assert await eventually(lambda: listed(Status.VIEWED))
        world.signatures.sign("customer-signer")
        await it.callback()
        assert await eventually(lambda: listed(Status.SENT))
        assert await waiting(it, 1) == ("chief-executive",)
        world.signatures.sign("chief-executive", SignerState.VIEWED)
        await it.callback()
        assert await eventually(lambda: listed(Status.VIEWED))
