"""Buckets: a burst, then so many a second, for as many names as there is room for."""

import pytest
from starlette.requests import Request

from starter.web.allowances import BUCKETS_AT_MOST, LOOKS_OF_AN_ADDRESS, Allowances, Buckets, Rate
from tests.starter.web.paging import Watch

RATE = Rate(burst=3, per_second=0.5)


def call(host: str, method: str = "GET") -> Request:
    return Request({"type": "http", "method": method, "client": (host, 1), "headers": []})


def test_a_bucket_gives_a_burst_and_then_says_how_long_to_wait() -> None:
    watch = Watch()
    buckets = Buckets(RATE, watch)
    assert [buckets.wait("a") for _ in range(5)] == [0, 0, 0, 2, 2]
    assert buckets.wait("b") == 0
    watch.now = 2
    assert [buckets.wait("a") for _ in range(2)] == [0, 2]
    watch.now = 1_000
    assert [buckets.wait("a") for _ in range(4)] == [0, 0, 0, 2]


def test_ten_times_the_table_keeps_the_table_s_size_and_the_last_names() -> None:
    buckets = Buckets(RATE, Watch())
    for number in range(10 * BUCKETS_AT_MOST):
        assert buckets.wait(str(number)) == 0
    assert len(buckets) == BUCKETS_AT_MOST
    last = str(10 * BUCKETS_AT_MOST - 1)
    assert [buckets.wait(last) for _ in range(3)] == [0, 0, 2]


def test_a_bucket_that_is_full_again_takes_no_room() -> None:
    watch = Watch()
    buckets = Buckets(RATE, watch)
    for number in range(100):
        buckets.wait(str(number))
    watch.now = RATE.full_after + 0.1
    buckets.wait("one")
    assert len(buckets) == 1


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("203.0.113.1", "203.0.113.2", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("x" * 64, "x" * 6_400, True),
    ],
)
def test_an_ipv6_network_is_one_address(one: str, other: str, same: bool) -> None:
    allowances = Allowances(Watch())
    for _ in range(LOOKS_OF_AN_ADDRESS.burst):
        assert allowances.address(call(one)) == 0
    assert (allowances.address(call(other)) > 0) is same
    assert allowances.address(call(one, "POST")) == 0
