"""A group told of an ending: who was reached stays reached, and one bad phone rings nobody else's again."""

import pytest

from activities import handoff_people
from deploy.sandbox.server import RunningSandbox
from tests.activities.push.conftest import core, directory, fcm, links, notices, sandbox, signatures, store
from tests.activities.push.stage import EXECUTIVES, arm, mark, pushes, sends
from tests.activities.test_handoff import AT, House, house
from workflows.follow_up.handoff import HandoffLedger, state_after
from workflows.model.notices import Outcome
from workflows.model.policy import Target
from workflows.model.settlement import HandoffCall, HandoffResult, HandoffState

__all__ = ["core", "directory", "fcm", "house", "links", "notices", "sandbox", "signatures", "store"]

BOARD = Target(target="board", group="directors")


def arrived(result: HandoffResult) -> tuple[str, ...]:
    """The keys of the notices that have arrived."""
    return tuple(line.key for line in result.delivered if line.outcome is Outcome.ACCEPTED)


def again(first: HandoffResult) -> HandoffCall:
    """The second call of the board, after this first one."""
    return HandoffCall(target=BOARD, attempt=2, reached=arrived(first))


async def test_a_group_of_which_one_is_missed_is_tried_again(
    house: House,
    sandbox: RunningSandbox,
) -> None:
    arm(sandbox, fault="503", contains="finance-chief~1", retry_after=30)
    (first,) = await house.tell(BOARD)
    assert (first.ok, first.gone, first.partly, first.retry_after) == (False, False, True, 30)
    assert first.why == "1 of 2 not reached: unreachable"
    (second,) = await house.tell(calls=(again(first),))
    assert (second.ok, second.why) == (True, None)
    assert sorted(push["person"] for push in pushes(sandbox)) == ["chief-executive"] * 3 + ["finance-chief"]


async def test_a_group_that_everybody_has_left_but_those_who_know_is_done(
    house: House, sandbox: RunningSandbox
) -> None:
    (first,) = await house.tell(BOARD)
    told = len(sends(sandbox))
    (second,) = await house.tell(calls=(again(first),))
    assert (second.ok, second.delivered) == (True, ())
    assert len(sends(sandbox)) == told


async def test_a_phone_that_is_never_reached_rings_no_other_and_leaves_the_group_done(
    house: House,
    sandbox: RunningSandbox,
) -> None:
    arm(sandbox, fault="503", contains="finance-chief~1", times=None)
    ledger, now = HandoffLedger.open((BOARD,), (), AT), AT
    reached: tuple[str, ...] = ()
    while ledger.next_at:
        now, attempt = ledger.next_at, ledger.entries[0].attempts + 1
        call = HandoffCall(target=BOARD, attempt=attempt, reached=reached)
        results = await house.tell(calls=(call,), at=now)
        ledger, reached = ledger.record(results, now), (*reached, *arrived(results[0]))
    (entry,) = ledger.entries
    assert (entry.state, entry.attempts) == (HandoffState.DONE, 10)
    assert (entry.why or "").startswith("1 of 2 not reached: ")
    assert [push["person"] for push in pushes(sandbox)] == ["chief-executive"] * 3


async def test_a_phone_that_dies_before_it_was_reached_ends_the_group_at_once(
    house: House, sandbox: RunningSandbox
) -> None:
    arm(sandbox, fault="503", contains="finance-chief~1")
    (first,) = await house.tell(BOARD)
    mark(sandbox, "finance-chief~1", "unregistered")
    (second,) = await house.tell(calls=(again(first),))
    assert (second.ok, second.gone, second.partly) == (False, True, True)
    assert second.why == "1 of 2 not reached: no_device"
    assert state_after(second, attempts=2) is HandoffState.DONE


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


@pytest.fixture
def one_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups so large that a call takes only one of their members."""
    monkeypatch.setattr(handoff_people, "AT_MOST", 1)


async def told(house: House, ledger: HandoffLedger, reached: tuple[str, ...]) -> tuple[HandoffLedger, tuple[str, ...]]:
    """The ledger after one call of the board, and who was reached by then."""
    (entry,) = ledger.due(ledger.next_at or AT)
    call = HandoffCall(target=BOARD, reached=reached, missed=entry.missed, passing=entry.passing)
    results = await house.tell(calls=(call,), at=AT)
    return ledger.record(results, ledger.next_at or AT), (*reached, *arrived(results[0]))


@pytest.mark.usefixtures("one_a_call")
async def test_a_large_group_is_told_in_several_calls_of_one_attempt(house: House, sandbox: RunningSandbox) -> None:
    ledger, reached = await told(house, HandoffLedger.open((BOARD,), (), AT), ())
    assert (ledger.entries[0].attempts, ledger.next_at) == (0, AT)
    ledger, reached = await told(house, ledger, reached)
    assert (ledger.entries[0].state, ledger.entries[0].attempts) == (HandoffState.DONE, 1)
    assert sorted(push["person"] for push in pushes(sandbox)) == ["chief-executive"] * 3 + ["finance-chief"]


@pytest.mark.usefixtures("one_a_call")
async def test_whom_a_large_group_misses_in_the_first_call_is_tried_again_after_the_last(
    house: House, sandbox: RunningSandbox
) -> None:
    for token in EXECUTIVES:
        arm(sandbox, fault="503", contains=token)
    ledger, reached = await told(house, HandoffLedger.open((BOARD,), (), AT), ())
    assert ledger.entries[0].missed == ("chief-executive",)
    ledger, reached = await told(house, ledger, reached)
    (entry,) = ledger.entries
    assert (entry.state, entry.attempts, entry.missed) == (HandoffState.PENDING, 1, ())
    ledger, reached = await told(house, ledger, reached)
    assert ledger.entries[0].state is HandoffState.DONE
    assert sorted(push["person"] for push in pushes(sandbox)) == ["chief-executive"] * 3 + ["finance-chief"]
