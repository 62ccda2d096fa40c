"""From push to opened to done: whose first notice a phone took, when they pressed the button, when they acted."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest

from activities.records.store import Store
from starter.cli.stats import push_picture
from starter.queries import stats as push_stats
from starter.queries.stats import Courses, gather_push_stats
from starter.temporal.connection import Context
from tests.faults.town import eventually
from tests.starter.queries.living import MSA, begin, shown_when
from tests.workflows.fakes import World
from tests.workflows.stage import workers
from workflows.kinds import Kind
from workflows.model.notifications import Channel, Notification, NotificationOutcome
from workflows.model.signature import SignerState
from workflows.model.subject import Role, Status
from workflows.model.views import RequestShow, SignerLine

NOW = datetime(2026, 11, 2, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)


def told(person: str, stage: str = "ready", channel: Channel = Channel.PUSH, why: str | None = None) -> Notification:
    outcome = NotificationOutcome.FAILED if why else NotificationOutcome.ACCEPTED
    return Notification(key=f"r/{stage}/{person}", stage=stage, person=person, channel=channel, outcome=outcome, at=NOW)


def shown(kind: str, *lines: Notification, signed: dict[str, datetime] | None = None) -> RequestShow:
    people = {line.person for line in lines}
    signers = tuple(
        SignerLine(person=one, order=1, role=Role.SIGN, state=SignerState.SIGNED, at=(signed or {}).get(one))
        for one in people
    )
    return RequestShow(id="r", kind=kind, status=Status.SIGNED, notifications=lines, signers=signers)


def test_times_are_medians_of_those_to_whose_phones_the_first_notice_went() -> None:
    courses = Courses()
    for hours in (1, 2, 30):
        signed = {"a": NOW + (hours + 1) * HOUR}
        courses.add(
            shown("nda", told("a"), told("a", "fallback", Channel.MAIL), signed=signed), {"a": NOW + hours * HOUR}
        )
    courses.add(shown("nda", told("by-mail", channel=Channel.MAIL), told("missed", why="unreachable")), {})
    courses.add(shown("msa", told("silent")), {})
    [nda, msa] = courses.stats.kinds
    assert (nda.kind, nda.pushed, nda.opened, nda.acted, nda.other_way) == ("nda", 3, 3, 3, 3)
    assert (nda.to_open_seconds, nda.opened_to_acted_seconds, nda.to_acted_seconds) == (7200, 3600, 10_800)
    assert (msa.pushed, msa.opened, msa.to_open_seconds) == (1, 0, None)
    assert (courses.stats.ended, courses.stats.waiting) == (5, 0)


def test_a_clock_that_was_moved_makes_no_time_negative() -> None:
    courses = Courses()
    courses.add(shown("nda", told("a")), {"a": NOW - 100 * HOUR})
    assert courses.stats.kinds[0].to_open_seconds == 0


def test_ten_times_the_kinds_and_people_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(push_stats, "PEOPLE_AT_MOST", 5)
    courses = Courses()
    for number in range(push_stats.KINDS_AT_MOST * 10):
        courses.add(shown(f"kind-{number}", told("a")), {})
    for number in range(50):
        courses.add(shown("crowded", told(f"p{number}")), {})
    found = courses.stats
    assert (len(found.kinds), found.more_kinds) == (push_stats.KINDS_AT_MOST, push_stats.KINDS_AT_MOST * 9 + 1)
    assert (found.kinds[0].kind, found.kinds[0].pushed) == ("crowded", 5)


def test_the_picture_has_a_bar_for_each_kind_that_was_opened() -> None:
    courses = Courses()
    courses.add(shown("nda", told("a"), signed={"a": NOW + 2 * HOUR}), {"a": NOW + HOUR})
    drawn = fromstring(push_picture(courses.stats))  # noqa: S314  our own picture
    texts = {element.text for element in drawn.iter() if element.text}
    assert {"nda", "until opened", "until done", "From push to done: 1 ended, 0 waiting"} <= texts


async def test_the_first_time_that_it_was_opened_counts(tmp_path: Path) -> None:
    store, of = Store(str(tmp_path)), Kind.REQUEST.workflow_id("r")
    for at in (NOW, NOW + HOUR):
        await store.log_pages.mark_opened(of, "a", at)
    assert await store.log_pages.opened(of, ["a", "b"]) == {"a": NOW}


@pytest.mark.real_server
async def test_what_still_waits_is_asked_itself(context: Context) -> None:
    async with workers(context.client, World()):
        await begin(context)
        await shown_when(context, lambda it: it.notifications)
        await context.store.log_pages.mark_opened(Kind.REQUEST.workflow_id(MSA), "customer-signer", datetime.now(UTC))

        async def listed() -> push_stats.PushStats | None:
            found = await gather_push_stats(context.client, context.store, lambda _: None)
            return found if found.kinds else None

        found = await eventually(listed)
    assert (found.waiting, found.kinds[0].pushed, found.kinds[0].opened, found.kinds[0].acted) == (1, 1, 1, 0)
