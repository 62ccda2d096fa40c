"""Buckets: a burst, then so many a second, for as many names as there is room for, of a process or of all."""

from pathlib import Path

import pytest
from starlette.requests import Request

from activities.records.allowances import Rate
from activities.records.store import Store
from starter.web.http.allowances import (
    BUCKETS_AT_MOST,
    LOOKS_OF_AN_ADDRESS,
    PRESSES_OF_A_LINK,
    Allowances,
    Buckets,
    SharedBuckets,
)
from tests.starter.web.paging import Watch
from tests.storage import take_table_away

RATE = Rate(burst=3, per_second=0.5)


def call(host: str, method: str = "GET") -> Request:
    return Request({"type": "http", "method": method, "client": (host, 1), "headers": []})


def test_a_bucket_gives_a_burst_and_then_says_how_long_to_wait() -> None:
    watch = Watch()
    buckets = Buckets(RATE, watch.clock)
    assert [buckets.wait("a") for _ in range(5)] == [0, 0, 0, 2, 2]
    assert buckets.wait("b") == 0
    watch.now = 2
    assert [buckets.wait("a") for _ in range(2)] == [0, 2]
    watch.now = 1_000
    assert [buckets.wait("a") for _ in range(4)] == [0, 0, 0, 2]


def test_ten_times_the_table_keeps_the_table_s_size_and_the_last_names() -> None:
    buckets = Buckets(RATE, Watch().clock)
    for number in range(10 * BUCKETS_AT_MOST):
        assert buckets.wait(str(number)) == 0
    assert len(buckets) == BUCKETS_AT_MOST
    last = str(10 * BUCKETS_AT_MOST - 1)
    assert [buckets.wait(last) for _ in range(3)] == [0, 0, 2]


def test_a_bucket_that_is_full_again_takes_no_room() -> None:
    watch = Watch()
    buckets = Buckets(RATE, watch.clock)
    for number in range(100):
        buckets.wait(str(number))
    watch.now = RATE.full_after + 0.1
    buckets.wait("one")
    assert len(buckets) == 1


@pytest.mark.parametrize(
    ("address", "other_address", "is_same_network"),
    [
        ("203.0.113.1", "203.0.113.2", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("x" * 64, "x" * 6_400, True),
    ],
)
def test_an_ipv6_network_is_one_address(
    tmp_path: Path, address: str, other_address: str, is_same_network: bool
) -> None:
    allowances = Allowances(Store(str(tmp_path)), Watch().clock)
    for _ in range(LOOKS_OF_AN_ADDRESS.burst):
        assert allowances.address(call(address)) == 0
    assert (allowances.address(call(other_address)) > 0) is is_same_network
    assert allowances.address(call(address, "POST")) == 0


async def test_all_processes_together_take_so_many_presses_of_a_link_and_each_so_many_looks(tmp_path: Path) -> None:
    watch = Watch()
    processes = [Allowances(Store(str(tmp_path)), watch.clock) for _ in range(2)]
    presses = [
        await process.link(call("203.0.113.1", "POST"), "link")
        for _ in range(PRESSES_OF_A_LINK.burst)
        for process in processes
    ]
    assert sum(not wait for wait in presses) == PRESSES_OF_A_LINK.burst
    assert [await process.link(call("203.0.113.1"), "link") for process in processes] == [0, 0]
    watch.now += 10
    assert sorted([await process.link(call("203.0.113.1", "POST"), "link") for process in processes]) == [0, 10]


async def test_while_the_database_is_away_each_process_counts_alone(tmp_path: Path) -> None:
    store, watch = Store(str(tmp_path)), Watch()
    processes = [SharedBuckets(store, "press", RATE, watch.clock) for _ in range(2)]
    assert [await processes[0].wait("a") for _ in range(2)] == [0, 0]
    with take_table_away(store, "allowances"):
        assert [await processes[0].wait("a") for _ in range(2)] == [0, 2]
        assert [await processes[1].wait("a") for _ in range(4)] == [0, 0, 0, 2]
        await processes[1].refill("a")
        assert await processes[1].wait("a") == 0
