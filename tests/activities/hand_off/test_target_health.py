"""How targets are: told to whoever is on call once for each change, and called no more once they want no calls."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from activities.hand_off.target_health import (
    FAILING_FROM,
    TargetHealth,
    TargetState,
    after_call,
    enable,
    find_topic,
    state_of,
)
from activities.keys import KeyRing
from activities.notifications.links import SigningLinks
from activities.notifications.message import compose
from activities.people.reader import Reader
from activities.records.incidents import ADDRESSES_AT_MOST, OVER_AGAIN_AFTER, TARGETS, Incident
from activities.records.store import Store
from tests.activities.book import make_person
from tests.storage import altered, count
from tests.workflows.fakes import FakePushService, World, refusal
from tests.workflows.follow_up.test_replays import AT, ENDED, SUBJECT
from workflows.follow_up.outbox import HELD_FOR, RETRY_AFTER, Outbox
from workflows.follow_up.record import amendment
from workflows.model.hand_off import HandoffCall, HandoffReport, HandoffResult, HandoffState
from workflows.model.policy import Target
from workflows.model.records import HandoffBatch
from workflows.model.subject import Code

NOW = datetime(2026, 12, 4, 9, 30, tzinfo=UTC)
FINANCE = Target(target="finance", url="https://erp.example/hooks")
MOVED = FINANCE.replace(url="https://moved.example/hooks")
OK = HandoffResult(target="finance", ok=True)
DOWN = HandoffResult(target="finance", ok=False, why="HTTP 503")
GONE = HandoffResult(target="finance", ok=False, gone=True, disabled=True, why="HTTP 410")
ABORTED = HandoffResult(target="finance", ok=False, gone=True, why="HTTP 400")
LAST = len(RETRY_AFTER) + 1

WORKING, FAILING, DEAD, DISABLED = TargetState
BECOMES = {
    "one that works, and fails once": (WORKING, DOWN, 1, WORKING),
    "twice": (WORKING, DOWN, FAILING_FROM - 1, WORKING),
    "for half an hour": (WORKING, DOWN, FAILING_FROM, FAILING),
    "for three days": (FAILING, DOWN, LAST, DEAD),
    "dead of one ending, failing for another": (DEAD, DOWN, FAILING_FROM, DEAD),
    "gone": (WORKING, GONE, 1, DISABLED),
    "wants none of this one": (WORKING, ABORTED, 1, DEAD),
    "wants no more, though it took this one": (WORKING, OK.replace(disabled=True), 1, DISABLED),
    "fails once more after it wanted no more": (DISABLED, DOWN, LAST, DISABLED),
    "failing, and answers": (FAILING, OK, 1, WORKING),
    "dead, and answers": (DEAD, OK, 1, WORKING),
    "called again, and answers": (DISABLED, OK, 1, WORKING),
}


@pytest.mark.parametrize(("previous_state", "result", "attempt", "becomes"), BECOMES.values(), ids=BECOMES)
def test_how_a_target_is_after_a_call(
    previous_state: TargetState, result: HandoffResult, attempt: int, becomes: TargetState
) -> None:
    grade = [*TargetState].index(previous_state)
    incident = Incident(grade=grade, told=grade, since=NOW - timedelta(days=1))
    next_incident = after_call(incident, HandoffCall(target=FINANCE, attempt=attempt), result, NOW)
    assert state_of(next_incident) is becomes
    assert next_incident.has_news(NOW) is (previous_state is not becomes)
    assert next_incident.since == (incident.since if previous_state is becomes else NOW)


async def learn(
    health: TargetHealth, result: HandoffResult, attempt: int = 1, target: Target = FINANCE, now: datetime = NOW
) -> None:
    await health.learn([(HandoffCall(target=target, attempt=attempt), result)], now)


def stages(push: FakePushService) -> list[str]:
    return [f"{notice.stage} {notice.person}" for delivery in push.deliveries for notice in delivery.notices]


async def test_on_call_hears_of_each_change_once_however_many_requests_wait(tmp_path: Path) -> None:
    push, store = World().push, Store(str(tmp_path))
    health = TargetHealth(store, push, "on-call")
    for _ in range(50):
        await learn(health, DOWN, FAILING_FROM)
    for _ in range(50):
        await learn(health, DOWN, LAST)
    for _ in range(50):
        await learn(health, OK)
    assert stages(push) == ["handoff.failing on-call", "handoff.dead on-call", "handoff.recovered on-call"]
    assert (await store.incidents.open(TARGETS), count(store, "incidents")) == ((), 1)


@pytest.mark.long
@pytest.mark.parametrize("attempt", [FAILING_FROM, LAST], ids=["failing", "dead"])
async def test_a_target_that_takes_one_thing_and_not_the_next_is_well_again_once_an_hour(
    tmp_path: Path, attempt: int
) -> None:
    """Each minute of five hours one request is taken, and another one is not."""
    push = World().push
    health = TargetHealth(Store(str(tmp_path)), push, "on-call")
    for minute in range(300):
        now = NOW + timedelta(minutes=minute)
        await learn(health, OK if minute % 2 else DOWN, attempt, now=now)
    worse = "handoff.failing on-call" if attempt == FAILING_FROM else "handoff.dead on-call"
    pairs = 300 * timedelta(minutes=1) // OVER_AGAIN_AFTER
    assert stages(push) == [worse, "handoff.recovered on-call"] * pairs + [worse]


async def test_what_is_dead_for_one_and_failing_for_another_is_no_news_each_time(tmp_path: Path) -> None:
    push = World().push
    health = TargetHealth(Store(str(tmp_path)), push, "on-call")
    for _ in range(50):
        for attempt, result in ((FAILING_FROM, DOWN), (LAST, DOWN), (1, OK)):
            await learn(health, result, attempt)
    first = ["handoff.failing on-call", "handoff.dead on-call", "handoff.recovered on-call"]
    assert stages(push) == first + first[:2]


async def test_of_two_workers_that_learn_it_at_once_one_tells_it_and_what_the_other_learns_is_told_after(
    tmp_path: Path,
) -> None:
    push, store = World().push, Store(str(tmp_path))
    push.gate = asyncio.Event()
    first = asyncio.create_task(learn(TargetHealth(store, push, "on-call"), DOWN, FAILING_FROM))
    await push.delivering.wait()
    await learn(TargetHealth(store, push, "on-call"), DOWN, FAILING_FROM)
    await learn(TargetHealth(store, push, "on-call"), DOWN, LAST)
    push.gate.set()
    await first
    assert stages(push) == ["handoff.failing on-call", "handoff.dead on-call"]


async def test_a_worker_that_dies_while_it_tells_is_replaced_and_tells_it_under_the_same_name(tmp_path: Path) -> None:
    push, store = World().push, Store(str(tmp_path))
    push.gate = asyncio.Event()
    dies = asyncio.create_task(learn(TargetHealth(store, push, "on-call"), DOWN, FAILING_FROM))
    await push.delivering.wait()
    dies.cancel()
    push.gate = None
    await learn(TargetHealth(store, push, "on-call"), DOWN, FAILING_FROM)
    assert stages(push) == ["handoff.failing on-call"]
    altered(store, "UPDATE incidents SET telling_until = at")
    await learn(TargetHealth(store, push, "on-call"), DOWN, FAILING_FROM)
    links = SigningLinks("https://sign.example", KeyRing([SecretStr("l" * 32)]))
    first, second = (
        compose(delivery, delivery.notices[0], Reader.from_person(make_person("on-call")), links, "Acme")
        for delivery in push.deliveries
    )
    assert (first.key, first.title) == (second.key, "No hand-offs: finance")
    assert first.link == "https://sign.example/desk"


async def test_what_is_over_is_forgotten_after_a_day(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    health = TargetHealth(store, World().push, "on-call")
    await learn(health, DOWN, LAST)
    await learn(health, DOWN, LAST, target=MOVED)
    await learn(health, OK)
    now = datetime.now(UTC)
    assert (await store.incidents.drop_over(now), await store.incidents.drop_over(now + timedelta(days=2))) == (0, 1)
    [(target_key, incident)] = await store.incidents.open(TARGETS)
    assert (target_key, state_of(incident)) == (find_topic(MOVED), DEAD)


async def test_whom_no_push_reaches_now_is_told_with_the_next_call(tmp_path: Path) -> None:
    push = World().push
    health = TargetHealth(Store(str(tmp_path)), push, "on-call")
    push.failures = [refusal(Code.UNREACHABLE)]
    await learn(health, DOWN, FAILING_FROM)
    await learn(health, DOWN, FAILING_FROM + 1)
    await learn(health, DOWN, FAILING_FROM + 2)
    assert len(push.deliveries) == 2


async def test_what_nobody_on_call_has_taken_is_told_with_the_next_call(tmp_path: Path) -> None:
    push = World().push
    health = TargetHealth(Store(str(tmp_path)), push, "on-call")
    push.without_phone = ["on-call"]
    await learn(health, DOWN, FAILING_FROM)
    push.without_phone = []
    await learn(health, DOWN, FAILING_FROM + 1)
    await learn(health, DOWN, FAILING_FROM + 2)
    assert len(push.deliveries) == 2


async def test_who_was_not_reached_is_not_tried_for_each_target_of_a_batch(tmp_path: Path) -> None:
    push = World().push
    push.failures = [refusal(Code.UNREACHABLE)]
    targets = [FINANCE.replace(target=f"finance-{number}") for number in range(100)]
    batch = [(HandoffCall(target=target, attempt=FAILING_FROM), DOWN) for target in targets]
    store = Store(str(tmp_path))
    await TargetHealth(store, push, "on-call").learn(batch, NOW)
    assert len(push.deliveries) == 1
    assert len(await store.incidents.open(TARGETS)) == len(targets), "how each is was learnt all the same"


@pytest.mark.parametrize(
    "target",
    [
        Target(target="hr", person="hr-desk"),
        Target(target="board", group="directors"),
        Target(target="customer-onboarding:acme", workflow="customer-onboarding:acme"),
    ],
    ids=["person", "group", "subscriber"],
)
async def test_people_and_subscribers_are_no_systems(target: Target, tmp_path: Path) -> None:
    push, store = World().push, Store(str(tmp_path))
    await learn(TargetHealth(store, push, "on-call"), ABORTED, target=target)
    assert (push.deliveries, await store.incidents.open(TARGETS)) == ([], ())


async def test_what_wants_no_calls_is_not_called_until_somebody_says_so(tmp_path: Path) -> None:
    push, store = World().push, Store(str(tmp_path))
    health = TargetHealth(store, push, "on-call")
    assert await health.refusal(FINANCE) is None
    await learn(health, GONE)
    refusal = await health.refusal(FINANCE)
    assert refusal == "not called: HTTP 410; `countersign handoff retry --now --target finance` has it called again"
    await enable(store.incidents, "finance", NOW)
    assert await health.refusal(FINANCE) is None
    await learn(health, OK)
    assert stages(push) == ["handoff.dead on-call", "handoff.recovered on-call"]


async def test_an_address_that_wanted_no_calls_has_no_say_for_the_next_one(tmp_path: Path) -> None:
    """Requests that live keep the policy they began with, so calls of both addresses cross each other."""
    push, store = World().push, Store(str(tmp_path))
    health = TargetHealth(store, push, "on-call")
    await learn(health, GONE)
    assert await health.refusal(MOVED) is None
    await learn(health, OK, target=MOVED)
    await learn(health, GONE)
    assert await health.refusal(MOVED) is None, "also when one of the old address comes in between"
    assert await health.refusal(FINANCE) is not None, "and the old one is left alone"
    await learn(health, DOWN, FAILING_FROM, target=MOVED)
    assert await TargetHealth(store, push, "").refusal(FINANCE) is not None, "whatever becomes of the new one"
    assert stages(push) == ["handoff.dead on-call", "handoff.failing on-call"]
    incidents = str(await store.incidents.open(TARGETS))
    assert not any(secret in incidents for secret in ("erp.example", "hooks", "moved"))


@pytest.mark.long
async def test_of_ten_times_as_many_addresses_a_target_keeps_those_that_changed_last(tmp_path: Path) -> None:
    push, store = World().push, Store(str(tmp_path))
    health = TargetHealth(store, push, "")
    for number in range(10 * ADDRESSES_AT_MOST):
        await learn(health, GONE, target=FINANCE.replace(url=f"https://erp.example/{number}"))
    last = FINANCE.replace(url=f"https://erp.example/{10 * ADDRESSES_AT_MOST - 1}")
    assert state_of(await store.incidents.read(find_topic(last))) is DISABLED
    assert count(store, "incidents") == ADDRESSES_AT_MOST


def test_what_is_held_waits_without_an_attempt_and_is_looked_at_every_day() -> None:
    held_result = HandoffResult(target="finance", ok=False, held=True, why="not called: HTTP 410")
    ledger = Outbox.open((FINANCE,), (), AT)
    for day in range(1, 31):
        ledger = ledger.record((held_result,), AT + timedelta(days=day))
    (entry,) = ledger.entries
    assert (entry.state, entry.attempts, entry.due_at) == (HandoffState.PENDING, 0, AT + timedelta(days=30) + HELD_FOR)
    batch = HandoffBatch(subject=SUBJECT, settled=ENDED, calls=(HandoffCall(target=FINANCE),), number=2)
    (line,) = amendment(batch, HandoffReport(results=(held_result,)), AT).handoffs
    assert (line.state, line.attempts, line.why) == (HandoffState.PENDING, 0, "not called: HTTP 410")
    now = AT + timedelta(days=30)
    assert ledger.hurried("finance", now).next_at == now
    assert ledger.record((held_result.replace(retry_after=300),), now).next_at == now + timedelta(minutes=5)
