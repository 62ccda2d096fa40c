"""The pages of a list that changes while it is looked through, and lists that cannot be looked through."""

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

import httpx
import pytest
from temporalio.exceptions import ApplicationError

from activities.core_signature.client import CoreSignatureClient
from activities.reconciliation.service import TOLD_REMEMBERED, Pass, PassLimits, PassMark
from tests.activities.core_signature.requests import mock_config
from tests.activities.reconciliation.test_reconciliation import MINUTE, PAGE, office
from workflows.model.subject import Code

NOW: Final = datetime(2026, 11, 27, 12, tzinfo=UTC)
SIZE: Final = 10
WHOLE: Final = PassLimits(pages=1_000)


@dataclass
class Provider:
    """Lists events by their numbers, newest first, ten a page; `between` is called after each page."""

    numbers: list[int]
    between: Callable[["Provider"], object] = lambda _: None
    asked_pages: list[int] = field(default_factory=list)

    def answer(self, request: httpx.Request) -> httpx.Response:
        """A token, or a page."""
        if request.url.path.endswith("/token"):
            return httpx.Response(200, json={"access_token": "t", "expires_in": 900})
        page = int(request.url.params["page"])
        self.asked_pages.append(page)
        following_events = self.numbers[page * SIZE :]
        page_events = [_event(number) for number in self.numbers[(page - 1) * SIZE : page * SIZE]]
        body = {"count": len(self.numbers), "next": "more" if following_events else None, "results": page_events}
        self.between(self)
        return httpx.Response(200, json=body)


def _event(number: int) -> dict[str, Any]:
    happened_at = NOW - timedelta(hours=2) + timedelta(seconds=number)
    return {
        "uuid": f"{number}",
        "event_type": "signed",
        "timestamp": happened_at.isoformat(),
        "document": {"uuid": "d"},
    }


@asynccontextmanager
async def looking(provider: Provider) -> AsyncIterator[Callable[..., Any]]:
    """Looks through the whole list, in parts of so many pages; answers what was seen."""
    async with aclosing(CoreSignatureClient(mock_config(), transport=httpx.MockTransport(provider.answer))) as client:

        async def look(limits: PassLimits = WHOLE) -> set[int]:
            seen_events, mark, is_over = set[int](), PassMark(until=NOW - timedelta(days=30)), False
            while not is_over:
                part = Pass(client, limits, mark, NOW)
                while not part.is_over and (events := await part.next_page()) is not None:
                    seen_events |= {int(event.uuid) for event in events}
                mark, is_over = PassMark.model_validate_json(part.mark.model_dump_json()), part.is_over
            return seen_events

        yield look


@pytest.mark.parametrize("limits", [WHOLE, PassLimits(pages=1), PassLimits(pages=3)])
@pytest.mark.parametrize("seed", range(3))
async def test_whatever_comes_between_two_pages_all_that_was_there_is_looked_at(seed: int, limits: PassLimits) -> None:
    chance = Random(seed)  # noqa: S311  a story, no secret
    numbers = list(range(200, 0, -1))

    def between(provider: Provider) -> None:
        newer = range(provider.numbers[0] + chance.choice([0, 0, 1, 7]), provider.numbers[0], -1)
        provider.numbers = [*newer, *provider.numbers]

    async with looking(Provider(list(numbers), between)) as look:
        assert set(numbers) - await look(limits) == set()


async def test_of_a_list_that_shrinks_while_it_is_read_only_what_moves_past_the_next_page_is_left_out() -> None:
    """A request whose event is left out reads its document before its next reminder, within a week."""
    provider = Provider(list(range(200, 0, -1)))

    def between(changing_provider: Provider) -> None:
        if len(changing_provider.asked_pages) == 3:
            changing_provider.numbers = changing_provider.numbers[4:]

    provider.between = between
    async with looking(provider) as look:
        assert set(range(1, 201)) - await look() == {167, 168, 169, 170}
        assert provider.asked_pages == list(range(1, 21))
        provider.between = lambda _: None
        assert set(provider.numbers) - await look() == set()


async def test_a_part_begins_with_the_last_page_of_the_one_before_so_that_a_few_that_move_up_are_seen() -> None:
    provider = Provider(list(range(200, 0, -1)))
    provider.between = lambda changing_provider: (
        changing_provider.numbers.pop(0) if len(changing_provider.asked_pages) % 3 == 0 else None
    )
    async with looking(provider) as look:
        assert set(range(1, 201)) - await look(PassLimits(pages=3)) == set()


@pytest.mark.parametrize(
    ("order", "message"), [("oldest first", "lists events oldest first"), ("no time", "have no time")]
)
async def test_a_list_that_cannot_be_swept_is_refused_in_words(order: str, message: str, tmp_path: Path) -> None:
    async with office(tmp_path) as back_office:
        for number in range(2 * PAGE):
            back_office.happens("ours", ago=number * MINUTE)
        if order == "no time":
            view = back_office.sandbox.core_signature.views.event
            back_office.sandbox.core_signature.views.event = lambda event: {**view(event), "timestamp": None}  # type: ignore[method-assign]
        with pytest.raises(ApplicationError, match=message) as failure:
            await back_office.sweeps()
        assert (failure.value.type, failure.value.non_retryable) == (Code.PROVIDER_UNSURE, True)


@pytest.mark.parametrize("late", [1, 2, 4])
async def test_events_that_were_recorded_late_stop_no_sweep_though_they_stand_first(late: int, tmp_path: Path) -> None:
    async with office(tmp_path) as back_office:
        ids = [f"r-{number:02}" for number in range(2 * PAGE)]
        await back_office.begins(*ids, "late")
        for number, id in enumerate(ids):
            back_office.happens(id, ago=(60 - number) * MINUTE)
        for number in range(late):
            back_office.happens("late", ago=timedelta(days=1) - number * MINUTE)
        swept = await back_office.sweeps()
        newest = back_office.now - (60 - len(ids) + 1) * MINUTE
        assert (swept.told, swept.over, swept.until) == (len(ids) + 1, True, newest)


async def test_the_order_of_a_list_of_one_page_does_not_count(tmp_path: Path) -> None:
    async with office(tmp_path) as back_office:
        ids = [f"r-{number}" for number in range(PAGE)]
        await back_office.begins(*ids)
        for number, id in enumerate(ids):
            back_office.happens(id, ago=(number + 1) * MINUTE)
        swept = await back_office.sweeps()
        assert (swept.told, swept.over, swept.until) == (PAGE, True, back_office.now - MINUTE)


async def test_twenty_thousand_requests_are_remembered_to_have_been_told_and_of_ten_times_as_many_the_latest() -> None:
    """One that is forgotten is told again of each of its older events, and reads its document each time."""
    async with aclosing(CoreSignatureClient(mock_config())) as client:
        for told_count, remembered in ((20_000, 20_000), (200_000, TOLD_REMEMBERED)):
            part = Pass(client, WHOLE, PassMark(until=NOW), NOW)
            part.told_at_by_request = {f"r-{number}": NOW + timedelta(seconds=number) for number in range(told_count)}
            told_requests = part.mark.told
            assert (len(told_requests), f"r-{told_count - 1}" in told_requests) == (remembered, True)


async def test_a_request_is_told_once_however_many_of_its_events_were_missed(tmp_path: Path) -> None:
    async with office(tmp_path) as back_office:
        ids = [f"r-{number:02}" for number in range(PAGE + 2)]
        await back_office.begins(*ids)
        for number in range(4 * len(ids)):
            back_office.happens(ids[number % len(ids)], "signer_viewed", ago=timedelta(hours=3) - number * MINUTE)
        while not (await back_office.sweeps(pages=2)).over:
            pass
        assert [len(await back_office.heard(id)) for id in ids] == [1] * len(ids)
