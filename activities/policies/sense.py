"""Whether a policy can work: what contradicts itself is refused with the reason, before anything is sent.

A higher layer may cut short what a lower one says: a near due date simply leaves late reminders out, and `request
plan` shows it. What a layer asks for itself, and its own or a lower layer leaves no room for, is a mistake.
"""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import TypeAlias

from activities.calendars.wall_clock import in_words, length
from activities.files.yaml_lines import FieldPath
from activities.policies.cascade import REQUEST, Resolved
from workflows.model.policy import OVERDUE_AT_MOST, Escalation

Senseless: TypeAlias = Iterator[tuple[FieldPath, str]]
"""Fields of the policy, each with what is wrong with it."""


def senseless(resolved: Resolved, within: timedelta | None = None) -> Senseless:
    """What cannot work whoever signs; `within` is the time that a request's own due date leaves."""
    yield from _too_late(resolved, within)
    yield from _after_closing(resolved)
    escalation = resolved.policy.escalation
    if escalation is None:
        return
    if resolved.policy.reminders is None and {escalation.after, escalation.or_} <= {"used-up", None}:
        yield ("escalation", "after"), "never comes, because there are no reminders to use up"
    if not _reachable(escalation):
        yield ("escalation",), "has nobody to escalate to: name alternates or a fallback, or ask manager or delegate"


def self_serving(resolved: Resolved, asking: str | None, asked: frozenset[str]) -> Senseless:
    """What cannot work for who asks and those who are asked: nobody is the alternate of themselves."""
    escalation = resolved.policy.escalation
    if escalation is None:
        return
    if asking in escalation.alternates and resolved.layer("escalation.alternates") == REQUEST:
        yield ("escalation", "alternates"), f"{asking} asks for it and cannot be the alternate"
    elif set(escalation.to) == {"alternates"} and escalation.alternates and _named(escalation) <= {asking, *asked}:
        yield ("escalation", "alternates"), "ask for it or are asked themselves, and nobody else is to be asked"


def _too_late(resolved: Resolved, within: timedelta | None) -> Senseless:
    policy, room = resolved.policy, _Room(resolved, within)
    if (reminders := policy.reminders) is not None:
        last = length(reminders.first) + (reminders.most - 1) * length(reminders.every)
        parts = ("reminders.first", "reminders.every", "reminders.most")
        if room.lacks(last, parts):
            yield ("reminders",), f"the last of {reminders.most} comes after {_days(last)}, {room}"
    for ahead in policy.warnings:
        if room.lacks(length(ahead), ("warnings",)):
            yield ("warnings",), f"{in_words(ahead)} before the due date is before the request is sent, {room}"
    if policy.fallback_after and room.lacks(length(policy.fallback_after), ("fallback_after",)):
        yield ("fallback_after",), f"{in_words(policy.fallback_after)} is too late, {room}"
    for name, trigger in _timed(policy.escalation):
        if room.lacks(length(trigger), (f"escalation.{name}",)):
            yield ("escalation", name), f"{in_words(trigger)} is too late, {room}"


def _after_closing(resolved: Resolved) -> Senseless:
    """Overdue reminders need a grace to come in, and one that no layer fills with more than anybody reads."""
    overdue, grace = resolved.policy.overdue, resolved.policy.grace
    if overdue is None or not resolved.policy.expires:
        return
    most, closing = length(grace) // length(overdue.every), f"it closes {in_words(grace)} after the due date"
    asked = max(resolved.rank(resolved.layer(part)) for part in ("overdue.every", "overdue.most"))
    if length(overdue.every) >= length(grace) and asked >= resolved.rank(resolved.layer("grace")):
        yield ("overdue",), f"the first comes {in_words(overdue.every)} after the due date, but {closing}"
    if overdue.most is None and most > OVERDUE_AT_MOST:
        yield (
            ("overdue", "every"),
            f"makes {most} reminders, because {closing}: at most {OVERDUE_AT_MOST}, or give most",
        )


def _timed(escalation: Escalation | None) -> Iterator[tuple[str, str]]:
    """The triggers that are durations."""
    triggers = (("after", escalation.after), ("or", escalation.or_)) if escalation else ()
    for name, trigger in triggers:
        if trigger is not None and trigger != "used-up" and not trigger.endswith("%"):
            yield name, trigger


class _Room:
    """The time in which everything must happen, and which layer gave it."""

    def __init__(self, resolved: Resolved, within: timedelta | None) -> None:
        self._resolved = resolved
        self._due = within is not None
        self._time = length(resolved.policy.window) if within is None else within
        self._rank = resolved.rank(REQUEST) if within is not None else resolved.rank(resolved.layer("window"))

    def lacks(self, time: timedelta, parts: Iterable[str]) -> bool:
        """Whether something takes longer, and a layer says so that knew how much time there is."""
        asked = max(self._resolved.rank(self._resolved.layer(part)) for part in parts)
        return time >= self._time and asked >= self._rank

    def __str__(self) -> str:
        return "after the due date" if self._due else f"but the window is {in_words(self._resolved.policy.window)}"


def _reachable(escalation: Escalation) -> bool:
    asks = [link for link in escalation.to if link != "alternates" or escalation.alternates]
    return bool(asks) or escalation.fallback is not None


def _named(escalation: Escalation) -> set[str]:
    return {*escalation.alternates, *([escalation.fallback] if escalation.fallback else [])}


def _days(time: timedelta) -> str:
    if time >= timedelta(days=1):
        return in_words(f"{time // timedelta(days=1)}d")
    return in_words(f"{time // timedelta(hours=1)}h") if time >= timedelta(hours=1) else "minutes"
