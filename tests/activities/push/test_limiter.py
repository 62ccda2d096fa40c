"""The limit per device: so many a minute, each device for itself, and nothing remembered for longer."""

from activities.push.limiter import DeviceLimiter


class Clock:
    """Seconds that pass when told."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_the_message_above_the_limit_waits_until_the_first_is_a_minute_old() -> None:
    clock = Clock()
    limiter = DeviceLimiter(2, clock)
    assert limiter.seconds_to_wait("a") == 0
    clock.now += 10
    assert limiter.seconds_to_wait("a") == 0
    assert limiter.seconds_to_wait("a") == 50
    assert limiter.seconds_to_wait("b") == 0
    clock.now += 50
    assert limiter.seconds_to_wait("a") == 0
    assert limiter.seconds_to_wait("a") == 10


def test_a_device_takes_240_a_minute() -> None:
    limiter = DeviceLimiter(clock=Clock())
    assert [limiter.seconds_to_wait("a") for _ in range(241)] == [0] * 240 + [60]


def test_old_devices_are_forgotten() -> None:
    clock = Clock()
    limiter = DeviceLimiter(2, clock)
    for number in range(1_000):
        limiter.seconds_to_wait(f"device-{number}")
    clock.now += 61
    limiter.seconds_to_wait("another")
    assert list(limiter._sends) == ["another"]
