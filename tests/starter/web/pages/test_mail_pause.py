"""When a mail may be asked for again."""

from datetime import UTC, datetime, timedelta

import pytest

from starter.web.allowances import PAUSE, MailPause


class Clock:
    """One that is set by hand."""

    now = datetime(2026, 11, 26, 14, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def asked(pause: MailPause, request: str = "a") -> bool:
    with pause.asking(request) as may_be:
        return may_be


def test_once_an_hour_for_each_request() -> None:
    clock = Clock()
    pause = MailPause(clock)
    assert [asked(pause), asked(pause), asked(pause, "b")] == [True, False, True]
    clock.now += PAUSE - timedelta(seconds=1)
    assert not asked(pause)
    clock.now += timedelta(seconds=1)
    assert [asked(pause), asked(pause)] == [True, False]


def test_while_one_is_on_its_way_there_is_no_other() -> None:
    pause = MailPause(Clock())
    with pause.asking("a"):
        assert not asked(pause)


def test_what_failed_may_be_asked_for_again() -> None:
    pause = MailPause(Clock())
    with pytest.raises(TimeoutError), pause.asking("a"):
        raise TimeoutError
    assert asked(pause)
