"""Phones that a stage leaves open are tried again beside the story, which waits for none of them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from tests.workflows.fakes import FakePlanner, FakePushService, World
from tests.workflows.stage import PARALLEL, Story, a_request, start_story
from workflows.follow_up.commands import extend
from workflows.follow_up.notification_log import PENDING_DEVICES_AT_MOST, PendingDevice, PendingDevices, left_open
from workflows.model.commands import Answer, Extension, PauseCommand, Question, Resumption, Stop, StopKind
from workflows.model.notifications import (
    Delivery,
    DeliveryReport,
    DeliveryResult,
    DeviceOutcome,
    NotificationOrder,
    NotificationOutcome,
    PostponedNotification,
)
from workflows.model.schedule import ActionType, ScheduledAction
from workflows.model.signature import ReportedDocument, ReportedSigner, SignerState
from workflows.model.subject import Participant, Status
from workflows.signature.state import SignatureInput, SignatureState

SIGNER = "customer-signer"
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass
class Throttled(FakePushService):
    """Everybody has a phone that takes everything; `further` ones take nothing for so long after the first notice."""

    further: dict[str, tuple[str, ...]] = field(default_factory=dict)
    deaf: tuple[str, ...] = ()
    """Whoever has no phone but further ones."""
    refused: tuple[str, ...] = ()
    """Whose phones take nothing of what we send."""
    told_to_wait: bool = True
    """Whether it is said for how long."""
    lasts: timedelta = HOUR
    began_at: datetime | None = None
    pushed: list[tuple[timedelta, str, str]] = field(default_factory=list)
    """What further phones took: how long after the first notice, which stage, and which phone."""

    async def deliver(self, delivery: Delivery) -> DeliveryReport:
        report = await super().deliver(delivery)
        now = delivery.now or LONG_AGO
        self.began_at = self.began_at or now
        lines = tuple(self._push_to_devices(line, delivery, now - self.began_at) for line in report.delivered)
        open_ = tuple(
            device.device for line in lines for device in line.devices if device.outcome is NotificationOutcome.FAILED
        )
        wait = (self.began_at + self.lasts - now).total_seconds() if open_ and self.told_to_wait else 0
        return report.replace(delivered=lines, open_devices=open_, retry_after=wait)

    def _push_to_devices(self, line: DeliveryResult, delivery: Delivery, elapsed: timedelta) -> DeliveryResult:
        if line.outcome in (NotificationOutcome.SUPPRESSED, NotificationOutcome.FAILED):
            return line
        if line.person in self.refused:
            return line.replace(devices=(), outcome=NotificationOutcome.FAILED, why="refused")
        own_devices = () if delivery.devices is not None or line.person in self.deaf else (f"{line.person}~1",)
        further = [device for device in self.further.get(line.person, ()) if device in (delivery.devices or (device,))]
        taking_devices = (*own_devices, *(further if elapsed >= self.lasts else ()))
        self.pushed += [(elapsed, line.stage, device) for device in further if device in taking_devices]
        devices = tuple(
            DeviceOutcome(
                device=device, outcome=line.outcome if device in taking_devices else NotificationOutcome.FAILED
            )
            for device in (*own_devices, *further)
        )
        if taking_devices:
            return line.replace(devices=devices)
        return line.replace(devices=devices, outcome=NotificationOutcome.FAILED, why="unreachable")


def throttled_world(**further: int) -> tuple[World, Throttled]:
    """People with so many further phones, who are reminded, escalated and given up within two hours."""
    world = World()
    world.planner = FakePlanner(
        reminders=(HOUR / 2,), warnings=(), escalate_after=HOUR * 3 / 4, window=timedelta(hours=2)
    )
    phones = {person: tuple(f"{person}~{n}" for n in range(2, count + 2)) for person, count in further.items()}
    world.push = slow = Throttled(world.signatures, further=phones)
    return world, slow


def urgent(*people: str) -> SignatureInput:
    """An urgent request to these, all at once."""
    request = a_request(*(Participant(person=person, order=1) for person in people or (SIGNER,)))
    return request.replace(brief=request.brief.replace(urgent=True))


async def pass_minutes(story: Story, minutes: float) -> None:
    """Move the clock."""
    await story.days_pass(minutes / 1_440)


async def delays_after_first(story: Story) -> dict[str, timedelta]:
    """When each stage had its line, counted from the first."""
    lines = (await story.read_view()).notifications
    return {line.stage: line.at - lines[0].at for line in lines}


async def test_a_phone_that_is_throttled_for_an_hour_holds_up_neither_reminder_nor_escalation() -> None:
    world, push = throttled_world(**{"customer-signer": 1})
    async with start_story(world, urgent(), record="phone-throttled") as story:
        await pass_minutes(story, 50)
        delay_by_stage = await delays_after_first(story)
        assert delay_by_stage["reminder-1"] - HOUR / 2 < MINUTE
        assert delay_by_stage["escalation"] - HOUR * 3 / 4 < MINUTE
        assert push.pushed == []
        await pass_minutes(story, 20)
        [(elapsed, stage, phone)] = push.pushed
    assert (stage, phone) == ("reminder-1", "customer-signer~2"), "what it is told is what was said last"
    assert HOUR <= elapsed < HOUR + MINUTE


async def test_it_expires_on_the_minute_too() -> None:
    world, push = throttled_world(**{"customer-signer": 1})
    push.lasts = timedelta(days=1)
    async with start_story(world, urgent()) as story:
        settled = await story.handle.result()
        began = (await story.read_view()).notifications[0].at
    assert settled.outcome is Status.EXPIRED
    assert settled.at - began - 2 * HOUR < MINUTE
    assert push.pushed == []


async def test_who_signs_meanwhile_gets_no_push_any_more() -> None:
    world, push = throttled_world(**{"customer-signer": 1, "chair": 1})
    async with start_story(world, urgent(SIGNER, "chief-executive")) as story:
        await pass_minutes(story, 50)
        world.signatures.sign(SIGNER, SignerState.SIGNED)
        await story.callback("signer_signed")
        await pass_minutes(story, 65)
    assert [(stage, phone) for _, stage, phone in push.pushed if stage != "withdrawal"] == [("escalation", "chair~2")]


async def test_a_fresh_run_in_between_loses_no_phone_and_tells_none_twice() -> None:
    world, push = throttled_world(**{"customer-signer": 2})
    world.planner = FakePlanner(reminders=(), escalate_after=None)
    async with start_story(world, urgent()) as story:
        await pass_minutes(story, 20)
        async with story.nobody_works(10 / 1_440):
            pass
        await pass_minutes(story, 40)
        view = await story.read_view()
    assert [(stage, phone) for _, stage, phone in push.pushed] == [
        ("ready", "customer-signer~2"),
        ("ready", "customer-signer~3"),
    ]
    assert [line.outcome for line in view.notifications if line.stage == "ready"] == [NotificationOutcome.ACCEPTED]


async def test_ten_signers_with_ten_throttled_phones_each_are_told_once_each_by_one_more_call() -> None:
    people = [f"signer-of-{number}" for number in range(10)]
    world, push = throttled_world(**dict.fromkeys(people, 10))
    world.planner = FakePlanner(reminders=(), escalate_after=None)
    async with start_story(world, urgent(*people)) as story:
        await pass_minutes(story, 90)
    phones = {f"{person}~{number}" for person in people for number in range(2, 12)}
    assert sorted(phone for _, _, phone in push.pushed) == sorted(phones)
    first, second = push.deliveries
    assert (first.devices, len(second.devices or ())) == (None, 100)


async def test_what_a_throttled_phone_never_takes_is_tried_three_times_more_and_then_left_alone() -> None:
    world, push = throttled_world(**{"customer-signer": 1})
    world.planner = FakePlanner(reminders=(), escalate_after=None)
    push.lasts = timedelta(days=20)
    async with start_story(world, urgent()) as story:
        await story.days_pass(10)
    assert [delivery.devices for delivery in push.deliveries] == [None, *[("customer-signer~2",)] * 3]


async def test_a_pause_holds_up_the_phones_left_open_until_it_is_over() -> None:
    world, push = throttled_world(**{"customer-signer": 1})
    async with start_story(world, urgent()) as story:
        await pass_minutes(story, 10)
        await story.send_command(PauseCommand(actor="legal-desk"))
        await pass_minutes(story, 120)
        assert push.pushed == []
        await story.send_command(Resumption(actor="legal-desk"))
        await pass_minutes(story, 1)
    assert [(stage, phone) for _, stage, phone in push.pushed] == [("ready", "customer-signer~2")]


async def test_a_question_that_is_answered_reaches_no_phone_later() -> None:
    world, push = throttled_world(**{"legal-desk": 1})
    world.planner = FakePlanner(reminders=(), escalate_after=None)
    async with start_story(world, urgent()) as story:
        await pass_minutes(story, 1)
        await story.send_command(Question(person=SIGNER, text="Which annex?"))
        await pass_minutes(story, 10)
        assert [delivery.notices[0].stage for delivery in push.deliveries] == ["ready", "question-1"]
        await story.send_command(Answer(actor="legal-desk", text="Annex B."))
        await pass_minutes(story, 120)
    assert [stage for _, stage, _ in push.pushed if stage.startswith("question")] == []


async def test_an_alert_that_no_phone_takes_at_once_is_an_escalation_when_one_has_taken_it() -> None:
    world, push = throttled_world(chair=1)
    push.deaf = ("chair",)
    async with start_story(world, urgent()) as story:
        await pass_minutes(story, 50)
        assert (await story.read_view()).escalations == ()
        await pass_minutes(story, 45)
        view = await story.read_view()
    [(elapsed, stage, phone)] = push.pushed
    assert (stage, phone, elapsed - HOUR < MINUTE) == ("escalation", "chair~2", True)
    assert [(escalation.from_, escalation.to) for escalation in view.escalations] == [(SIGNER, "chair")]
    assert ("escalated", SIGNER) in push.stages()


async def test_an_alert_that_reaches_nobody_is_no_escalation_and_goes_to_whoever_is_next() -> None:
    world, push = throttled_world()
    push.refused = ("chair",)
    async with start_story(world, urgent()) as story:
        await pass_minutes(story, 46)
        view = await story.read_view()
    escalation_lines = [(line.person, line.outcome) for line in view.notifications if line.stage == "escalation"]
    assert escalation_lines == [("chair", NotificationOutcome.FAILED), ("legal-desk", NotificationOutcome.ACCEPTED)]
    assert [(escalation.from_, escalation.to) for escalation in view.escalations] == [(SIGNER, "legal-desk")]


async def test_an_alert_that_a_phone_never_takes_goes_to_whoever_is_next_too() -> None:
    world, push = throttled_world(chair=1)
    push.deaf, push.lasts, push.told_to_wait = ("chair",), timedelta(days=1), False
    async with start_story(world, urgent()) as story:
        await pass_minutes(story, 50)
        view = await story.read_view()
    assert [(escalation.from_, escalation.to) for escalation in view.escalations] == [(SIGNER, "legal-desk")]
    [alert] = [line for line in view.notifications if (line.stage, line.person) == ("escalation", "legal-desk")]
    assert alert.at - view.notifications[0].at < HOUR * 3 / 4 + 3 * MINUTE


@dataclass
class GoneByNight(FakePushService):
    """The one phone of a signer that is busy at first and gone at the next try, when a mail would wake others."""

    async def deliver(self, delivery: Delivery) -> DeliveryReport:
        report = await super().deliver(delivery)
        reminders = [notice for notice in delivery.notices if notice.stage == "reminder-1"]
        if delivery.devices is not None:
            [reminder] = reminders
            put_off = PostponedNotification(
                key=reminder.key, stage=reminder.stage, person=reminder.person, why="others_asleep"
            )
            return DeliveryReport(put_off=(put_off,))
        if not reminders or self.stages().count(("reminder-1", SIGNER)) > 1:
            return report
        busy = (DeviceOutcome(device="phone", outcome=NotificationOutcome.FAILED),)
        lines = tuple(line.replace(outcome=NotificationOutcome.FAILED, devices=busy) for line in report.delivered)
        return report.replace(delivered=lines, open_devices=("phone",))


async def test_a_reminder_that_is_put_off_while_it_is_tried_again_comes_when_it_may() -> None:
    world, _ = throttled_world()
    world.push = GoneByNight(world.signatures)
    async with start_story(world, urgent()) as story:
        await pass_minutes(story, 32)
        assert "reminder-1" not in await delays_after_first(story)
        await pass_minutes(story, 20)
        view = await story.read_view()
    assert [line.outcome for line in view.notifications if line.stage == "reminder-1"] == [NotificationOutcome.ACCEPTED]


def make_pending_device(
    person: str, stage: str, kind: ActionType | None = None, about_person: str | None = None
) -> PendingDevice:
    """A phone of somebody that is left open by a stage."""
    notice = NotificationOrder(
        key=f"msa-0042/{stage}/{person}/{about_person}", stage=stage, person=person, about=about_person
    )
    action = ScheduledAction(at=NOW, kind=kind, stage=stage, person=person, to=person) if kind else None
    return PendingDevice(notice=notice, moment=action, devices=(f"{person}~2",), tries=1, at=NOW)


def make_state(*entries: PendingDevice) -> SignatureState:
    """A request of which these are left open."""
    document = ReportedDocument(document="d", status=Status.SENT, raw="se")
    sent = SignatureState.begin(a_request(*PARALLEL).brief, NOW).observe(document, NOW)
    return sent.update_part("notifications", devices=PendingDevices(entries=entries))


OTHER = "chief-executive"
READY, ALERT = (
    make_pending_device(SIGNER, "ready"),
    make_pending_device("chair", "escalation", ActionType.ESCALATE, SIGNER),
)
WARNING = make_pending_device(OTHER, "warning-1d", ActionType.WARN)
QUESTION = make_pending_device("legal-desk", "question-1")


def sign_first(state: SignatureState) -> SignatureState:
    """The customer has signed."""
    return state.observe(
        ReportedDocument(
            document="d",
            status=Status.SENT,
            raw="se",
            signers=(ReportedSigner(person=SIGNER, state=SignerState.SIGNED),),
        ),
        NOW,
    )


@pytest.mark.parametrize(
    ("happens", "stay"),
    [
        (sign_first, (WARNING, QUESTION)),
        (lambda state: extend(state, Extension(actor="a", due=NOW + timedelta(days=9)), NOW), (READY, ALERT, QUESTION)),
        (lambda state: state.end(Status.CANCELLED, NOW, decided_by="a"), ()),
        (lambda state: state.go_on(StopKind.QUESTION, NOW), (READY, ALERT, WARNING)),
        (lambda state: state.carried_over(), (READY, ALERT, WARNING, QUESTION)),
    ],
    ids=["signed", "extended", "ended", "answered", "fresh run"],
)
def test_nobody_is_told_later_what_is_untrue_by_then(
    happens: Callable[[SignatureState], SignatureState], stay: tuple[PendingDevice, ...]
) -> None:
    assert happens(make_state(READY, ALERT, WARNING, QUESTION)).notifications.devices.entries == stay


def test_while_a_question_waits_nobody_is_nudged_by_a_phone_left_open() -> None:
    questioned = make_state(READY, WARNING, QUESTION)
    assert questioned.retries(NOW) == (QUESTION, READY)
    questioned = questioned.replace(
        clock=questioned.clock.with_stop(Stop(kind=StopKind.QUESTION, since=NOW, who=SIGNER))
    )
    assert questioned.retries(NOW) == (QUESTION, READY)
    questioned = questioned.update_part("notifications", devices=PendingDevices(entries=(WARNING,)))
    assert questioned.retries(NOW) == ()
    assert questioned.notifications.devices.next_at(NOW) is None, "no alarm that finds nothing to do"


def test_whose_phone_may_be_tried_at_once_does_not_wait_for_one_that_asks_for_an_hour() -> None:
    lines = tuple(
        DeliveryResult(
            key=pending_device.key,
            stage="ready",
            person=pending_device.notice.person,
            outcome=NotificationOutcome.FAILED,
            devices=tuple(
                DeviceOutcome(device=device, outcome=NotificationOutcome.FAILED) for device in pending_device.devices
            ),
        )
        for pending_device in (READY, make_pending_device(OTHER, "ready"))
    )
    report = DeliveryReport(
        delivered=lines, open_devices=(f"{SIGNER}~2", f"{OTHER}~2"), waits=(3_600, 5), retry_after=3_600
    )
    pending_devices = [
        pending_device.replace(tries=0) for pending_device in (READY, make_pending_device(OTHER, "ready"))
    ]
    assert [pending_device.at - NOW for pending_device in left_open(pending_devices, report, NOW)] == [
        HOUR,
        timedelta(seconds=5),
    ]
    older = report.replace(waits=())
    assert [pending_device.at - NOW for pending_device in left_open(pending_devices, older, NOW)] == [HOUR, HOUR]


def test_a_later_stage_is_what_a_phone_left_open_gets_and_ten_times_too_many_stay_within_the_bound() -> None:
    later = make_pending_device(OTHER, "overdue-1", ActionType.OVERDUE)
    line = DeliveryResult(key=later.key, stage=later.notice.stage, person=OTHER)
    assert make_state(READY, WARNING).record_attempts((later,), (line,), (later,)).notifications.devices.entries == (
        READY,
        later,
    )
    assert make_state(READY, WARNING).record_attempts((later,), (), ()).notifications.devices.entries == (
        READY,
        WARNING,
    ), "was not told"
    pending_devices = tuple(
        make_pending_device(f"signer-{number}", "ready") for number in range(10 * PENDING_DEVICES_AT_MOST)
    )
    assert (
        make_state().record_attempts(pending_devices, (), pending_devices).notifications.devices.entries
        == pending_devices[-PENDING_DEVICES_AT_MOST:]
    )
