"""A group told of an ending: who was reached stays reached, and one bad phone rings nobody else's again."""

from dataclasses import replace
from pathlib import Path

import pytest

from activities.hand_off import people as handoff_people
from activities.hand_off.people import GROUP_AT_MOST
from activities.notifications.service import NotificationService
from activities.people.file_directory import FileDirectory
from activities.records.store import Store
from deploy.sandbox.server import RunningSandbox
from tests.activities.hand_off.test_hand_off import AT, House, house, record
from tests.activities.notifications.conftest import (
    a_worker,
    cloud,
    core,
    directory,
    fcm,
    links,
    notices,
    sandbox,
    signatures,
    store,
)
from tests.activities.notifications.stage import EXECUTIVES, PEOPLE, arm, mark, pushes, sends
from tests.activities.notifications.test_fallback import list_messages as letters
from tests.activities.notifications.test_fallback import reaching, worker
from workflows.follow_up.outbox import Outbox, state_after
from workflows.follow_up.record import call_of
from workflows.model.hand_off import HandoffCall, HandoffResult, HandoffState
from workflows.model.notifications import NotificationOutcome
from workflows.model.policy import Target

__all__ = [
    "a_worker",
    "cloud",
    "core",
    "directory",
    "fcm",
    "house",
    "links",
    "notices",
    "reaching",
    "sandbox",
    "signatures",
    "store",
    "worker",
]

BOARD = Target(target="board", group="directors")


@pytest.fixture
def ledger() -> Outbox:
    """The board is to be told."""
    return Outbox.open((BOARD,), (), AT)


async def try_next_call(house: House, ledger: Outbox) -> tuple[Outbox, HandoffResult]:
    """The ledger after the next call of the board, and what that came to."""
    now = ledger.next_at or AT
    [entry] = ledger.due(now)
    results = await house.tell(calls=(call_of(entry),), at=now)
    return ledger.record(results, now), results[0]


async def try_to_the_end(house: House, ledger: Outbox) -> Outbox:
    """The ledger when nobody is called any more."""
    while ledger.next_at:
        ledger, _ = await try_next_call(house, ledger)
    return ledger


async def test_a_group_of_which_one_is_missed_is_tried_again(
    house: House, sandbox: RunningSandbox, ledger: Outbox
) -> None:
    arm(sandbox, fault="503", contains="finance-chief~1", retry_after=30)
    ledger, first = await try_next_call(house, ledger)
    assert (first.ok, first.gone, first.partly, first.retry_after) == (False, False, True, 30)
    assert first.why == "1 of 2 not reached: unreachable"
    ledger, second = await try_next_call(house, ledger)
    assert (second.ok, second.why) == (True, None)
    assert sorted(push["person"] for push in pushes(sandbox)) == ["chief-executive"] * 3 + ["finance-chief"]
    assert ledger.entries[0].reached == ()


async def test_of_an_ending_that_is_told_again_only_those_of_a_group_hear_whom_it_has_missed(
    house: House, sandbox: RunningSandbox
) -> None:
    """As of a reset, whose memory does not say who has it: the record does."""
    arm(sandbox, fault="503", contains="finance-chief~1", times=None)
    await house.tell(BOARD, record=record(), at=AT)
    sandbox.state.faults.clear()
    people_before = [push["person"] for push in pushes(sandbox)]
    [result] = await house.tell(BOARD, record=record(), at=AT)
    assert (result.ok, result.why) == (True, None)
    assert [push["person"] for push in pushes(sandbox)] == [*people_before, "finance-chief"]


async def test_a_group_that_everybody_has_left_but_those_who_know_is_done(
    house: House, sandbox: RunningSandbox
) -> None:
    (first,) = await house.tell(BOARD)
    send_count = len(sends(sandbox))
    arrived = tuple(line.person for line in first.delivered if line.outcome is NotificationOutcome.ACCEPTED)
    (second,) = await house.tell(calls=(HandoffCall(target=BOARD, attempt=2, reached=arrived),))
    assert (second.ok, second.delivered) == (True, ())
    assert len(sends(sandbox)) == send_count


async def test_a_phone_that_is_never_reached_rings_no_other_and_leaves_the_group_done(
    house: House, sandbox: RunningSandbox, ledger: Outbox
) -> None:
    arm(sandbox, fault="503", contains="finance-chief~1", times=None)
    (entry,) = (await try_to_the_end(house, ledger)).entries
    assert (entry.state, entry.attempts) == (HandoffState.DONE, 10)
    assert (entry.why or "").startswith("1 of 2 not reached: ")
    assert [push["person"] for push in pushes(sandbox)] == ["chief-executive"] * 3


async def test_who_has_a_letter_gets_no_other_because_somebody_elses_phone_is_never_reached(
    house: House, reaching: NotificationService, sandbox: RunningSandbox, ledger: Outbox, tmp_path: Path
) -> None:
    without_phone = "  - {id: archive, name: Archive, email: archive@example.test, zone: UTC, groups: [directors]}"
    (tmp_path / "people.yaml").write_text(f"{PEOPLE.rstrip()}\n{without_phone.replace('archive', 'board-secretary')}\n")
    arm(sandbox, fault="503", contains="finance-chief~1", times=None)
    ledger = await try_to_the_end(replace(house, push=reaching), ledger)
    assert ledger.entries[0].attempts == 10
    assert letters(sandbox) == [("email", "board-secretary@example.test")]


@pytest.mark.parametrize("target", [Target(target="t", person="deputy"), Target(target="t", group="phoneless")])
async def test_attempts_are_one_letter_and_each_replay_is_another(
    house: House, reaching: NotificationService, sandbox: RunningSandbox, tmp_path: Path, target: Target
) -> None:
    person = "  - {id: deputy, name: D, email: deputy@example.test, zone: UTC, groups: [phoneless]}"
    (tmp_path / "people.yaml").write_text(f"people:\n{person}\n")
    for replay, written in ((0, 1), (0, 1), (1, 2), (1, 2), (2, 3)):
        call = HandoffCall(target=target, replay=replay)
        (result,) = await replace(house, push=reaching).tell(calls=(call,))
        assert (result.ok, letters(sandbox)) == (True, [("email", "deputy@example.test")] * written)


async def test_a_phone_that_dies_before_it_was_reached_ends_the_group_at_once(
    house: House, sandbox: RunningSandbox, ledger: Outbox
) -> None:
    arm(sandbox, fault="503", contains="finance-chief~1")
    ledger, _ = await try_next_call(house, ledger)
    mark(sandbox, "finance-chief~1", "unregistered")
    ledger, second = await try_next_call(house, ledger)
    assert (second.ok, second.gone, second.partly) == (False, True, True)
    assert second.why == "1 of 2 not reached: no_device"
    assert ledger.entries[0].state is HandoffState.DONE


async def test_a_group_of_which_nobody_was_ever_reached_is_dead(house: House, sandbox: RunningSandbox) -> None:
    arm(sandbox, fault="503", times=None)
    (result,) = await house.tell(BOARD)
    assert (result.ok, result.gone, result.partly) == (False, False, False)
    assert state_after(result, attempts=9) is HandoffState.PENDING
    assert state_after(result, attempts=10) is HandoffState.DEAD


async def test_one_dead_phone_of_a_group_does_not_keep_it_open(
    house: House,
    sandbox: RunningSandbox,
) -> None:
    mark(sandbox, "finance-chief~1", "unregistered")
    (result,) = await house.tell(BOARD)
    assert (result.ok, result.why) == (True, "1 of 2 not reached: no_device")


class Crowded(FileDirectory):
    """Each group has very many members."""

    async def group(self, name: str) -> tuple[str, ...]:
        return tuple(f"p-{n}" for n in range(10 * GROUP_AT_MOST))


async def test_a_group_ten_times_as_large_as_is_remembered_is_told_nothing_and_the_target_dead(
    house: House, sandbox: RunningSandbox, ledger: Outbox, tmp_path: Path, store: Store
) -> None:
    crowded = replace(house, directory=Crowded(tmp_path / "people.yaml", store))
    (entry,) = (await try_to_the_end(crowded, ledger)).entries
    assert (entry.state, entry.attempts) == (HandoffState.DEAD, 1)
    assert entry.why == "10,000 members, and a target has at most 1,000"
    assert sends(sandbox) == []


async def test_who_had_it_and_has_left_counts_to_the_size_of_a_group(house: House, sandbox: RunningSandbox) -> None:
    former_members = tuple(f"p-{n}" for n in range(GROUP_AT_MOST - 1))
    (result,) = await house.tell(calls=(HandoffCall(target=BOARD, attempt=2, reached=former_members),))
    assert (result.gone, result.why) == (True, "1,001 members, and a target has at most 1,000")
    assert sends(sandbox) == []


@pytest.fixture
def one_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups so large that a call takes only one of their members."""
    monkeypatch.setattr(handoff_people, "AT_MOST", 1)


@pytest.mark.usefixtures("one_a_call")
async def test_a_large_group_is_told_in_several_calls_of_one_attempt(
    house: House, sandbox: RunningSandbox, ledger: Outbox
) -> None:
    ledger, _ = await try_next_call(house, ledger)
    assert (ledger.entries[0].attempts, ledger.next_at) == (0, AT)
    ledger, _ = await try_next_call(house, ledger)
    assert (ledger.entries[0].state, ledger.entries[0].attempts) == (HandoffState.DONE, 1)
    assert sorted(push["person"] for push in pushes(sandbox)) == ["chief-executive"] * 3 + ["finance-chief"]


@pytest.mark.usefixtures("one_a_call")
async def test_whom_a_large_group_misses_in_the_first_call_is_tried_again_after_the_last(
    house: House, sandbox: RunningSandbox, ledger: Outbox
) -> None:
    for token in EXECUTIVES:
        arm(sandbox, fault="503", contains=token)
    ledger, _ = await try_next_call(house, ledger)
    assert ledger.entries[0].missed == ("chief-executive",)
    ledger, _ = await try_next_call(house, ledger)
    (entry,) = ledger.entries
    assert (entry.state, entry.attempts, entry.missed) == (HandoffState.PENDING, 1, ())
    ledger, _ = await try_next_call(house, ledger)
    assert ledger.entries[0].state is HandoffState.DONE
    assert sorted(push["person"] for push in pushes(sandbox)) == ["chief-executive"] * 3 + ["finance-chief"]
