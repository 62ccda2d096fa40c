"""Whoever opens nothing is told by another way, once; when that fails as well, whoever asked for it hears of it."""

from dataclasses import dataclass
from datetime import timedelta

from tests.workflows.fakes import FakePlanner, FakePushService, World
from tests.workflows.stage import start_story
from workflows.model.notifications import Channel, Delivery, DeliveryReport, DeviceOutcome, NotificationOutcome
from workflows.model.signature import SignerState


@dataclass
class Unconfirmed(FakePushService):
    """Mails of which nobody knows for a while whether they have arrived; that is asked for every quarter of an hour."""

    confirmed: bool = False

    async def deliver(self, delivery: Delivery) -> DeliveryReport:
        report = await super().deliver(delivery)
        if self.confirmed or "fallback" not in [line.stage for line in report.delivered]:
            return report
        asked_for = (DeviceOutcome(device="letters", outcome=NotificationOutcome.FAILED),)
        [line] = report.delivered
        line = line.replace(outcome=NotificationOutcome.FAILED, why="unconfirmed", devices=asked_for)
        return report.replace(delivered=(line,), open_devices=("letters",), retry_after=900)


def quiet_world() -> World:
    """Whose only step before the end is the other way, a day after the turn."""
    world = World()
    world.planner = FakePlanner(reminders=(), warnings=(), escalate_after=None, fallback=timedelta(days=1))
    return world


async def test_it_is_one_planned_step_that_says_what_comes_and_tells_once() -> None:
    world = quiet_world()
    world.push.by_mail = ["fallback"]
    async with start_story(world) as story:
        await story.days_pass(0.1)
        assert "a reminder follows" in (await story.read_view()).says
        await story.days_pass(3)
        assert [stage for stage, _ in world.push.stages()] == ["ready", "fallback"]
        line = (await story.read_view()).notifications[-1]
        assert (line.stage, line.person, line.channel) == ("fallback", "customer-signer", Channel.MAIL)


async def test_whom_a_mail_has_reached_already_needs_no_other_way() -> None:
    world = quiet_world()
    world.push.by_mail = ["ready"]
    async with start_story(world) as story:
        await story.days_pass(3)
        assert [stage for stage, _ in world.push.stages()] == ["ready"]


async def test_when_the_other_way_fails_as_well_whoever_asked_for_it_hears_of_it_once() -> None:
    world = quiet_world()
    world.push.fails = {"fallback": "undelivered"}
    async with start_story(world) as story:
        await story.days_pass(5)
        other_ways = [
            (notice.stage, notice.person) for notice in world.push.sent if notice.stage in ("fallback", "unreached")
        ]
        assert other_ways == [("fallback", "customer-signer"), ("unreached", "legal-desk")]
        view = await story.read_view()
        assert [(line.stage, line.why) for line in view.notifications if line.stage == "fallback"] == [
            ("fallback", "undelivered")
        ]


async def test_while_it_is_not_confirmed_it_is_asked_for_beside_all_else_and_nobody_is_called_out_of_reach() -> None:
    world = quiet_world()
    world.planner.reminders = (timedelta(days=1, minutes=10),)
    world.push = push = Unconfirmed(world.signatures)
    async with start_story(world) as story:
        await story.days_pass(1 + 20 / 1_440)
        push.confirmed = True
        await story.days_pass(20 / 1_440)
        view = await story.read_view()
    assert {line.stage: line.outcome for line in view.notifications} == {
        "ready": NotificationOutcome.ACCEPTED,
        "fallback": NotificationOutcome.ACCEPTED,
        "reminder-1": NotificationOutcome.ACCEPTED,
    }


async def test_what_is_never_confirmed_is_told_to_whoever_asked_for_it_in_the_end() -> None:
    world = quiet_world()
    world.push = push = Unconfirmed(world.signatures)
    async with start_story(world) as story:
        await story.days_pass(1 + 40 / 1_440)
        assert ("unreached", "legal-desk") not in push.stages()
        await story.days_pass(10 / 1_440)
        assert push.stages().count(("unreached", "legal-desk")) == 1


async def test_nobody_who_has_acted_is_told_by_another_way() -> None:
    world = quiet_world()
    async with start_story(world) as story:
        await story.days_pass(0.5)
        world.signatures.sign("customer-signer", SignerState.SIGNED)
        await story.callback("signer_signed")
        await story.days_pass(2)
        assert ("fallback", "customer-signer") not in world.push.stages()
