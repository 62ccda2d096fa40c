"""What one person hears in an hour, of whatever it is: five notices, and the next are one."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationError

from activities.notifications.budget import NotificationBudgets
from activities.notifications.service import NotificationService
from activities.people.person import Platform, PushDevice, Reachable, SignersFile
from activities.records import budgets
from activities.records.store import Store
from deploy.sandbox.server import RunningSandbox
from tests.activities.notifications.stage import brief, notice, only, pushes, sends
from tests.activities.notifications.test_quiet import DAY, HOUR, NOON, QUIET, WHO, describe_outcome, make_part_delivery
from tests.storage import count, take_table_away
from workflows.model.notifications import Delivery
from workflows.model.subject import Code
from workflows.names import notice_key

MOST = 5


def make_delivery(number: int, person: str = WHO, *, later: timedelta = timedelta(), **brief_fields: bool) -> Delivery:
    """One of many requests that have nothing to do with each other."""
    id = f"nda-{number}"
    order = notice(person).replace(key=notice_key(id, "ready", person))
    return Delivery(subject=brief(person).replace(id=id, **brief_fields), notices=(order,), now=NOON + later)


@pytest.fixture
def another(a_worker: Callable[..., NotificationService], store: Store) -> Callable[[], NotificationService]:
    """One worker more, with a connection of its own to the same database."""

    def make_worker() -> NotificationService:
        return a_worker(budgets=NotificationBudgets(Store(store.files.address), MOST, "1h"))

    return make_worker


@pytest.fixture
def notices(another: Callable[[], NotificationService]) -> NotificationService:
    return another()


@pytest.mark.long
async def test_of_forty_asks_five_ring_and_the_others_are_one_notice_with_the_list_behind_it(
    sandbox: RunningSandbox, notices: NotificationService
) -> None:
    for n in range(5):
        assert describe_outcome(await notices.deliver(make_delivery(n, later=timedelta(minutes=n)))) == "accepted"
    (first,) = (await notices.deliver(make_delivery(5, later=timedelta(minutes=9)))).held
    assert (first.outcome, first.why, first.says) == ("suppressed", "quiet", "5 notices in 1 hour")
    held_until = [
        (await notices.deliver(make_delivery(n, later=timedelta(minutes=10)))).held[0].until for n in range(6, 40)
    ]
    assert (first.until, set(held_until)) == (NOON + HOUR, {NOON + HOUR + budgets.AFTER_THE_FIRST})
    assert describe_outcome(await notices.deliver(make_delivery(5, later=HOUR))) == "accepted"
    push = pushes(sandbox)[-1]
    assert push["title"] == "35 things wait for you"
    assert (push["data"]["link"], push["data"]["action"]) == ("https://sign.example/desk", "open")
    for n in range(6, 40):
        line = only(await notices.deliver(make_delivery(n, later=held_until[0] - NOON)))
        assert (line.outcome, line.why, line.reached) == ("suppressed", f"joined into nda-5/ready/{WHO}", True)
    assert len(pushes(sandbox)) == 6
    assert describe_outcome(await notices.deliver(make_delivery(41, later=2 * HOUR))) == "accepted"
    assert "things" not in pushes(sandbox)[-1]["title"]


async def test_others_are_told_at_once(notices: NotificationService) -> None:
    for n in range(6):
        await notices.deliver(make_delivery(n))
    assert describe_outcome(await notices.deliver(make_delivery(7, person="legal-desk"))) == "accepted"


async def test_what_is_urgent_is_never_held_and_takes_no_place(notices: NotificationService) -> None:
    for n in range(2 * MOST):
        assert describe_outcome(await notices.deliver(make_delivery(n, urgent=True))) == "accepted"
    for n in range(MOST):
        assert describe_outcome(await notices.deliver(make_delivery(100 + n))) == "accepted"
    assert describe_outcome(await notices.deliver(make_delivery(200, urgent=True))) == "accepted"


async def test_an_onboarding_gives_its_customer_a_budget_of_its_own_in_which_everything_else_counts(
    notices: NotificationService,
) -> None:
    assert describe_outcome(await notices.deliver(make_delivery(1))) == "accepted"
    for n in range(2):
        assert describe_outcome(await notices.deliver(make_part_delivery(n))) == "accepted"
    (late,) = (await notices.deliver(make_part_delivery(4))).held
    assert (late.says, late.until) == ("3 notices in 1 day", NOON + HOUR)
    assert [describe_outcome(await notices.deliver(make_delivery(n))) for n in (2, 3, 4)] == ["accepted"] * 2 + [
        "suppressed: quiet"
    ]


async def test_what_waits_for_somebody_of_the_directory_is_one_notice_with_the_list_behind_it_also_of_an_onboarding(
    sandbox: RunningSandbox, notices: NotificationService
) -> None:
    one_notice_budget = QUIET.replace(most=1)
    for n in (1, 2):
        await notices.deliver(make_part_delivery(n, quiet=one_notice_budget))
    assert (
        describe_outcome(await notices.deliver(make_part_delivery(3, quiet=one_notice_budget, now=NOON + DAY)))
        == "accepted"
    )
    push = pushes(sandbox)[-1]
    assert (push["title"], push["data"]["link"]) == ("2 things wait for you", "https://sign.example/desk")


async def test_who_has_no_desk_opens_the_first_of_what_waits(
    sandbox: RunningSandbox, a_worker: Callable[..., NotificationService], store: Store
) -> None:
    buyer = "p-0123456789ab"
    phone = PushDevice(token="finance-chief~1", platform=Platform.IOS)
    buyer_in_full = Reachable(name="Buyer", email="buyer@acme.test", zone="UTC", devices=(phone,))
    for n in range(3):
        await store.people.keep(
            make_delivery(n).subject.workflow_id, "f" * 64, SignersFile.dump_signers([buyer_in_full], [buyer]) or b""
        )
    notices = a_worker(budgets=NotificationBudgets(store, 1))
    for n in range(3):
        await notices.deliver(make_delivery(n, buyer))
    assert describe_outcome(await notices.deliver(make_delivery(1, buyer, later=HOUR))) == "accepted"
    push = pushes(sandbox)[-1]
    assert (push["title"], push["data"]["request"]) == ("2 things wait for you", "nda-1")
    assert push["data"]["link"].startswith("https://sign.example/open/")


async def test_two_workers_at_once_count_in_one_database(
    sandbox: RunningSandbox, another: Callable[[], NotificationService]
) -> None:
    async def tell_until_counted(worker: NotificationService, number: int) -> str:
        while True:  # As by Temporal, where the other worker has the file for longer than a statement waits.
            with suppress(ApplicationError):
                return describe_outcome(await worker.deliver(make_delivery(number)))

    workers = another(), another()
    outcomes = await asyncio.gather(*(tell_until_counted(workers[n % 2], n) for n in range(40)))
    assert (outcomes.count("accepted"), outcomes.count("suppressed: quiet")) == (MOST, 40 - MOST)
    assert len(pushes(sandbox)) == MOST


async def test_a_database_that_is_away_delays_everybody_and_tells_nobody_twice(
    sandbox: RunningSandbox, notices: NotificationService, store: Store
) -> None:
    await store.check()
    with take_table_away(store, "notices"):
        for n in range(3):
            with pytest.raises(ApplicationError) as failed:
                await notices.deliver(make_delivery(n))
            assert (failed.value.type, failed.value.non_retryable) == (Code.UNREACHABLE, False)
    assert sends(sandbox) == []
    assert [describe_outcome(await notices.deliver(make_delivery(n))) for n in range(3)] == ["accepted"] * 3
    assert len(pushes(sandbox)) == 3


@pytest.mark.long
async def test_of_ten_times_as_many_a_hundred_are_spoken_for_and_the_others_by_the_next(
    sandbox: RunningSandbox, notices: NotificationService
) -> None:
    for n in range(400):
        await notices.deliver(make_delivery(n))
    titles = []
    for n in range(5, 400):
        if (
            describe_outcome(await notices.deliver(make_delivery(n, later=HOUR + budgets.AFTER_THE_FIRST)))
            == "accepted"
        ):
            titles.append(pushes(sandbox)[-1]["title"])
    titles_count = budgets.SPOKEN_FOR_AT_MOST + 1
    assert titles == [*[f"{titles_count} things wait for you"] * 3, f"{395 - 3 * titles_count} things wait for you"]


async def test_without_a_limit_nothing_is_counted(a_worker: Callable[..., NotificationService], store: Store) -> None:
    notices = a_worker(budgets=NotificationBudgets(store, 0))
    assert [describe_outcome(await notices.deliver(make_delivery(n))) for n in range(20)] == ["accepted"] * 20
    assert count(store, "notices") == 0
