"""When a mail may be asked for again."""

from datetime import timedelta
from pathlib import Path

import pytest

from activities.records.store import Store
from starter.web.http.allowances import PAUSE, MailPause
from tests.starter.web.paging import Watch
from tests.storage import take_table_away


async def may_ask(pause: MailPause, request: str = "a") -> bool:
    async with pause.asking(request) as may_be:
        return may_be


async def test_once_an_hour_for_each_request_whichever_process_is_asked(tmp_path: Path) -> None:
    watch = Watch()
    pause, other_pause = (MailPause(Store(str(tmp_path)), watch.clock) for _ in range(2))
    assert [
        await may_ask(pause),
        await may_ask(other_pause),
        await may_ask(pause),
        await may_ask(other_pause, "b"),
    ] == [
        True,
        False,
        False,
        True,
    ]
    watch.now += (PAUSE - timedelta(seconds=1)).total_seconds()
    assert not await may_ask(other_pause)
    watch.now += 1
    assert [await may_ask(other_pause), await may_ask(pause)] == [True, False]


async def test_while_one_is_on_its_way_there_is_no_other(tmp_path: Path) -> None:
    pause, other_pause = (MailPause(Store(str(tmp_path)), Watch().clock) for _ in range(2))
    async with pause.asking("a"):
        assert [await may_ask(pause), await may_ask(other_pause)] == [False, False]


async def test_what_failed_may_be_asked_for_again(tmp_path: Path) -> None:
    pause, other_pause = (MailPause(Store(str(tmp_path)), Watch().clock) for _ in range(2))
    with pytest.raises(TimeoutError):
        async with pause.asking("a"):
            raise TimeoutError
    assert await may_ask(other_pause)


async def test_while_the_database_is_away_each_process_counts_for_itself(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    pause, other_pause = (MailPause(store, Watch().clock) for _ in range(2))
    await store.database.check()
    with take_table_away(store, "allowances"):
        assert [await may_ask(pause), await may_ask(pause), await may_ask(other_pause), await may_ask(other_pause)] == [
            True,
            False,
        ] * 2
