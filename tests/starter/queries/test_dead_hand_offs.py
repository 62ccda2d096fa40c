"""Many dead hand-offs are replayed some at a time, each once, and a target that takes nothing is left alone."""

from datetime import timedelta
from pathlib import Path

import pytest

from activities.records import hand_offs
from activities.records.store import Store
from starter.queries.targets import IN_VAIN_AT_MOST, REPLAYS_AT_ONCE
from tests.starter.queries.dying import LONG_AGO, Replays, dead_lines, many_dead, record_ended
from tests.starter.terminal import type_
from workflows.kinds import Kind


async def test_two_hundred_are_replayed_some_at_a_time_and_each_once(tmp_path: Path) -> None:
    store, replays = Store(str(tmp_path)), Replays(refused=frozenset({"r-00007"}))
    await many_dead(store, 200)
    outcome = await replays.all(store)
    assert (outcome.told, outcome.refused, outcome.total_count) == (199, 1, 200)
    assert set(replays.replay_counts.values()) == {1}
    assert replays.most_in_flight <= REPLAYS_AT_ONCE
    second_replays = Replays()
    await second_replays.all(store)
    assert second_replays.ops == replays.ops


async def test_only_what_died_since_and_of_the_target_that_is_wanted(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    await many_dead(store, 5)
    await record_ended(store, "both", *dead_lines("archive", "finance"))
    assert (await Replays().all(store, ended_since=LONG_AGO + timedelta(hours=3))).told == 2
    assert (await Replays().all(store, target="archive")).told == 1
    await record_ended(store, "escalated", *dead_lines("archive/escalated-2"))
    assert (await Replays().all(store, target="archive")).told == 2
    assert (await Replays().all(store, target="archive/escalated-2")).told == 1


async def test_of_more_than_are_read_at_once_none_is_left_out_or_read_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hand_offs, "READ_AT_ONCE", 10)
    store, replays = Store(str(tmp_path)), Replays()
    await many_dead(store, 100)
    await store.records.amend(Kind.REQUEST.workflow_id("r-00009"), 1, b"{}", dead_lines("archive", "hr"))
    await replays.all(store)
    assert (sum(replays.replay_counts.values()), replays.replay_counts["r-00009"]) == (102, 3)
    [finance, archive, hr] = await store.hand_offs.dead_counts()
    assert (finance.name, finance.dead, finance.since) == ("finance", 100, LONG_AGO)
    assert {archive.name, hr.name} == {"archive", "hr"}


async def test_a_target_that_takes_nothing_is_left_alone_and_others_are_not(tmp_path: Path) -> None:
    store, replays = Store(str(tmp_path)), Replays(down=True)
    await many_dead(store, 200)
    outcome = await replays.all(store)
    assert outcome.tried <= IN_VAIN_AT_MOST + REPLAYS_AT_ONCE
    assert (outcome.tried + outcome.left, outcome.failing) == (200, ("finance",))


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (("retry",), "add --now to try at once"),
        (("replay",), "add --dead: only what is dead"),
        (("replay", "--dead", "--since", "yesterday"), "yesterday is not a time such as 12h, 2d or 1w"),
    ],
    ids=" ".join,
)
def test_what_makes_no_sense_is_refused_in_words(typed: tuple[str, ...], message: str) -> None:
    process = type_("handoff", *typed)
    assert (process.returncode, message in " ".join(process.stderr.replace("│", " ").split())) == (2, True)
