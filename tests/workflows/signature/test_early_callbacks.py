"""A callback may come before the document shows what it tells of: it is read once more, and nobody waits for days."""

import pytest

from tests.workflows.fakes import World
from tests.workflows.stage import start_story

MINUTE = 1 / (24 * 60)


@pytest.mark.long
async def test_who_is_next_is_asked_soon_although_the_document_showed_the_signature_late() -> None:
    world = World()
    async with start_story(world) as story:
        await story.callback("signer_signed")
        await story.at_rest()
        read = len(world.signatures.observations)
        world.signatures.sign("customer-signer")
        await story.days_pass(2 * MINUTE)
        assert ("ready", "chief-executive") in world.push.stages()
        await story.days_pass(1)
        assert len(world.signatures.observations) == read + 1


async def test_what_the_document_never_shows_is_read_once_more_and_no_more() -> None:
    world = World()
    async with start_story(world) as story:
        for event in ("one", "one", "two"):
            await story.callback("signer_signed", event)
        await story.at_rest()
        read = len(world.signatures.observations)
        await story.days_pass(1)
        assert len(world.signatures.observations) == read + 1


async def test_a_signature_that_is_seen_at_once_costs_one_reading() -> None:
    world = World()
    async with start_story(world) as story:
        world.signatures.sign("customer-signer")
        await story.callback("signer_signed")
        await story.days_pass(1)
        assert len(world.signatures.observations) == 1
