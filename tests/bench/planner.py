"""`make bench BENCH=planner`: ten thousand agendas of the default policy, for people all over the world, one core."""

import asyncio
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from rich.text import Text

from activities.people.file_directory import FileDirectory
from activities.records.store import Store
from activities.schedule.planner import PolicyPlanner
from workflows.model.policy import Policy
from workflows.model.schedule import PlanningInput, Turn
from workflows.model.signature import Document, SignatureBrief
from workflows.model.subject import Participant

NAME: Final = "planner"
AGENDAS: Final = 10_000
AIM_SECONDS: Final = 10.0
_PLACES: Final = (
    ("Europe/Amsterdam", "NL"),
    ("America/New_York", "US"),
    ("Asia/Tokyo", "JP"),
    ("Asia/Kolkata", "IN"),
    ("Europe/Berlin", "DE-BY"),
    ("Pacific/Auckland", "NZ"),
    ("America/Sao_Paulo", "BR"),
)
_PEOPLE: Final = 210
_POLICY: Final = Policy(hours="working")
_FIRST: Final = datetime(2026, 11, 2, 8, tzinfo=UTC)


@dataclass(frozen=True)
class Planned:
    """How many agendas were made, with how many moments, in how much processor time."""

    agendas: int
    moments: int
    seconds: float

    @property
    def is_met(self) -> bool:
        """Whether the aim for ten thousand was met at this pace."""
        return self.seconds * AGENDAS / self.agendas <= AIM_SECONDS

    def as_json(self) -> dict[str, dict[str, float]]:
        """The shape of BENCH_JSON."""
        return {f"{NAME}.cpu_s": {"ours": round(self.seconds, 2), "aim": AIM_SECONDS, "agendas": self.agendas}}

    def in_words(self) -> Text:
        """One line, green when the aim was met."""
        return Text(
            f"{self.agendas:,} agendas, {self.moments:,} moments: {self.seconds:.1f} s of one core "
            f"(aim ≤ {AIM_SECONDS:g} s)",
            "green" if self.is_met else "red",
        )


async def measure(agendas: int = AGENDAS) -> Planned:
    """Plan so many requests, each for another person, sent minute by minute, from a people file."""
    with tempfile.TemporaryDirectory() as folder:
        planner = PolicyPlanner(await asyncio.to_thread(_directory, Path(folder)))
        plannings = [_planning(number) for number in range(agendas)]
        await planner.plan(plannings[0])
        return await _timed(planner, plannings)


async def _timed(planner: PolicyPlanner, plannings: Sequence[PlanningInput]) -> Planned:
    started_at, action_count = time.process_time(), 0
    for planning in plannings:
        agenda = await planner.plan(planning)
        action_count += len(agenda.actions) + len(agenda.dropped)
    return Planned(len(plannings), action_count, time.process_time() - started_at)


def _planning(number: int) -> PlanningInput:
    turn_starts_at = _FIRST + timedelta(minutes=number)
    person = f"person-{1 + number % (_PEOPLE - 1)}"
    brief = SignatureBrief(
        id=f"request-{number}",
        kind="base",
        title="Agreement",
        document=Document(),
        requester="person-0",
        people=(Participant(person=person, order=1),),
    )
    turns = (Turn(person=person, since=turn_starts_at),)
    return PlanningInput(
        subject=brief, policy=_POLICY, due=None, window_from=turn_starts_at, turns=turns, now=turn_starts_at
    )


def _directory(folder: Path) -> FileDirectory:
    """Everybody has a manager, a calendar and a place; one in ten is absent for two weeks."""
    file = folder / "people.json"
    file.write_text(json.dumps({"people": [_person(number) for number in range(_PEOPLE)]}), "utf-8")
    return FileDirectory(file, Store(str(folder / "store")))


def _person(number: int) -> dict[str, object]:
    zone, calendar = _PLACES[number % len(_PLACES)]
    id = f"person-{number}"
    person = {"id": id, "name": "N", "email": f"{id}@example.com", "zone": zone, "calendar": calendar}
    manager = {"manager": f"person-{number - 1}"} if number else {}
    absences = [{"from": "2026-11-05", "until": "2026-11-19"}] if number % 10 == 9 else []
    return {**person, **manager, "absent": absences}
