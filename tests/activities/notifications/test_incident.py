"""An incident: on-call is told once that it is open, that it is worse, and that it is over."""

from datetime import UTC, datetime, timedelta

import pytest

from activities.records.incidents import OVER_AGAIN_AFTER, Incident

NOW = datetime(2026, 12, 4, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("grades", "expected_grades"),
    [
        ((0, 0), []),
        ((1, 1, 1), [1]),
        ((1, 2, 1, 2), [1, 2]),
        ((1, 0, 0), [1, 0]),
        ((2, 1, 0), [2, 0]),
        ((1, 0, 1, 0, 1), [1, 0, 1]),
    ],
    ids=["none", "open", "worse", "over", "better", "comes and goes"],
)
def test_on_call_is_told_once_of_each_change(grades: tuple[int, ...], expected_grades: list[int]) -> None:
    incident, heard = Incident(), []
    for minute, grade in enumerate(grades):
        now = NOW + timedelta(minutes=minute)
        incident = incident.becomes(grade, now)
        if incident.has_news(now):
            heard.append(grade)
            incident = incident.heard(now)
    assert heard == expected_grades


def test_that_it_is_over_is_told_once_an_hour() -> None:
    incident = Incident().becomes(1, NOW).heard(NOW).becomes(0, NOW).heard(NOW)
    reopened = incident.becomes(1, NOW).heard(NOW).becomes(0, NOW)
    assert not reopened.has_news(NOW + OVER_AGAIN_AFTER - timedelta(seconds=1))
    assert reopened.has_news(NOW + OVER_AGAIN_AFTER)


def test_of_what_nobody_heard_nobody_hears_that_it_is_over() -> None:
    assert not Incident().becomes(1, NOW).becomes(0, NOW).has_news(NOW)
