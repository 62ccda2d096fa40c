"""More of the lives by chance that every run of the tests begins with."""

import pytest

from tests.workflows.follow_up.test_lives import LIVES, assert_it_keeps_what_is_promised

pytestmark = pytest.mark.timeout(900)


@pytest.mark.parametrize("seeds", range(9))
def test_ten_times_the_lives_keep_what_is_promised(seeds: int) -> None:
    for seed in range(LIVES * (seeds + 1), LIVES * (seeds + 2)):
        assert_it_keeps_what_is_promised(seed)
