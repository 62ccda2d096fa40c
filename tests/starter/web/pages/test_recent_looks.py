"""One look serves many: at the same time, and for some seconds."""

import asyncio

from starter.web.screens.view_reader import FRESH_SECONDS, RECENT_AT_MOST, ViewCache
from tests.starter.web.paging import Watch
from workflows.model.subject import Status
from workflows.model.views import RequestShow


class GatedViews:
    """Our own side, which answers once the gate is open."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.requests: list[str] = []

    async def look(self, request: str) -> RequestShow | None:
        """Where the request stands."""
        self.requests.append(request)
        await self.gate.wait()
        return RequestShow(id=request, kind="nda", status=Status.SENT)


async def test_who_asks_at_the_same_time_waits_for_the_same_answer_and_who_leaves_takes_it_from_nobody() -> None:
    side = GatedViews()
    looks = ViewCache(side.look, Watch())
    waiting = [asyncio.create_task(looks("link", "msa")) for _ in range(100)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    side.gate.set()
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert {answer.id for answer in answers[1:] if isinstance(answer, RequestShow)} == {"msa"}
    assert side.requests == ["msa"]


async def test_an_answer_is_used_for_seconds_unless_somebody_acts() -> None:
    side, watch = GatedViews(), Watch()
    side.gate.set()
    looks = ViewCache(side.look, watch)
    for now, request_count in ((0.0, 1), (FRESH_SECONDS - 0.1, 1), (FRESH_SECONDS, 2)):
        watch.now = now
        await looks("link", "msa")
        assert len(side.requests) == request_count
    await looks.anew("link", "msa")
    looks.forget("link")
    await looks("link", "msa")
    assert len(side.requests) == 4


async def test_each_link_of_a_request_has_a_look_of_its_own() -> None:
    side = GatedViews()
    side.gate.set()
    looks = ViewCache(side.look, Watch())
    for link in ("of the first", "of the second", "of the first"):
        await looks(link, "msa")
    assert side.requests == ["msa", "msa"]


async def test_ten_times_the_links_keep_the_table_s_size_and_each_is_answered() -> None:
    side = GatedViews()
    looks = ViewCache(side.look, Watch())
    waiting = [asyncio.create_task(looks(str(number), str(number))) for number in range(10 * RECENT_AT_MOST)]
    await asyncio.sleep(0)
    assert len(looks) == RECENT_AT_MOST
    side.gate.set()
    answers = await asyncio.gather(*waiting)
    assert [answer.id for answer in answers if answer] == [str(number) for number in range(10 * RECENT_AT_MOST)]


async def test_what_is_old_takes_no_room() -> None:
    side, watch = GatedViews(), Watch()
    side.gate.set()
    looks = ViewCache(side.look, watch)
    for number in range(100):
        await looks(str(number), str(number))
    watch.now = FRESH_SECONDS
    await looks("link", "msa")
    assert len(looks) == 1
