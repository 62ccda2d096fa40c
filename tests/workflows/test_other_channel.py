"""Whoever opens nothing is told by another way, once; when that fails as well, whoever asked for it hears of it."""

from datetime import timedelta

from tests.workflows.fakes import FakePlanner, World
from tests.workflows.stage import story
from workflows.model.notices import Channel
from workflows.model.request import SignerState


def quiet_world() -> World:
    """Whose only step before the end is the other way, a day after the turn."""
    world = World()
    world.planner = FakePlanner(reminders=(), warnings=(), escalate_after=None, fallback=timedelta(days=1))
    return world


async def test_it_is_one_planned_step_that_says_what_comes_and_tells_once() -> None:
    world = quiet_world()
    world.push.by_mail = ["fallback"]
    async with story(world) as it:
        await it.days_pass(0.1)
        assert "a reminder follows" in (await it.shown()).says
        await it.days_pass(3)
        assert [stage for stage, _ in world.push.stages()] == ["ready", "fallback"]
        line = (await it.shown()).notifications[-1]
        assert (line.stage, line.person, line.channel) == ("fallback", "customer-signer", Channel.MAIL)


async def test_whom_a_mail_has_reached_already_needs_no_other_way() -> None:
    world = quiet_world()
    world.push.by_mail = ["ready"]
    async with story(world) as it:
        await it.days_pass(3)
        assert [stage for stage, _ in world.push.stages()] == ["ready"]


async def test_when_the_other_way_fails_as_well_whoever_asked_for_it_hears_of_it_once() -> None:
    world = quiet_world()
    world.push.fails = {"fallback": "undelivered"}
    async with story(world) as it:
        await it.days_pass(5)
        told = [(one.stage, one.person) for one in world.push.sent if one.stage in ("fallback", "unreached")]
        assert told == [("fallback", "customer-signer"), ("unreached", "legal-desk")]
        shown = await it.shown()
        assert [(one.stage, one.why) for one in shown.notifications if one.stage == "fallback"] == [
            ("fallback", "undelivered")
        ]


async def test_nobody_who_has_acted_is_told_by_another_way() -> None:
    world = quiet_world()
    async with story(world) as it:
        await it.days_pass(0.5)
        world.signatures.sign("customer-signer", SignerState.SIGNED)
        await it.callback("signer_signed")
        await it.days_pass(2)
        assert ("fallback", "customer-signer") not in world.push.stages()
