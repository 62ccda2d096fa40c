"""How long stages take, and for whom they wait, from what was kept of onboardings that have ended."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import fromstring

import pytest

from starter.cli.stats import long, stages_picture
from starter.queries.stats import stats
from tests.servers import own_part
from tests.starter.terminal import type_
from tests.workflows.onboarding import test_journey as journeys
from tests.workflows.onboarding.stage import LIVE, a_file, onboarding
from tests.workflows.onboarding.test_words import ACCOUNT, address_of, given
from workflows.model.commands import Decision, PartOutcome
from workflows.model.onboarding import PartSeen
from workflows.model.subject import Status
from workflows.model.views import OnboardingShow, PartLine, StageLine, TurnLine
from workflows.onboarding.state import OnboardingInput, OnboardingState
from workflows.onboarding.view import show
from workflows.onboarding.workflow import decide

NOW = datetime(2026, 11, 2, tzinfo=UTC)


def day(number: float) -> datetime:
    return NOW + timedelta(days=number)


def part(id: str, team: str | None, since: float, at: float) -> PartLine:
    return PartLine(id=id, title=id, state="done", team=team, since=day(since), at=day(at))


def ended(*stages: StageLine) -> OnboardingShow:
    return OnboardingShow(id="acme", kind="customer-onboarding", status=Status.DONE, title="Acme", stages=stages)


def stage(ends: float, **parts: Any) -> StageLine:
    return StageLine(name="set-up", state="done", since=day(0), at=day(ends), **parts)


def test_each_hour_counts_for_those_who_were_waited_for_and_the_rest_is_ours() -> None:
    tasks = (part("account", "operations", 0, 4),)
    agreements = (part("msa", "customer", 0, 2), part("nda", "chief-executive", 0, 2))
    [found] = stats([ended(stage(5, agreements=agreements, tasks=tasks))]).stages
    lost = {one.who: round(one.seconds / 86_400, 3) for one in found.lost}
    # Two days for three of them, two more for operations alone, and a day in which nobody was asked.
    assert lost == {"customer": 0.667, "operations": 2.667, "us": 1.667}
    assert [one.who for one in found.lost] == ["customer", "operations", "us"]
    assert sum(one.share for one in found.lost) == pytest.approx(1, abs=0.001)


def test_of_an_agreement_each_signer_s_own_time_counts_for_them() -> None:
    """The customer signed after 41 s; then a colleague of theirs had a day, and the chief executive two."""
    seconds = 41 / 86_400
    turns = (
        TurnLine(people=("ada",), since=day(0)),
        TurnLine(people=("bo",), since=day(seconds)),
        TurnLine(people=("chief-executive",), since=day(seconds + 1)),
    )
    signed = part("msa", "customer", 0, seconds + 3).replace(members=("ada",), turns=turns)
    shown = ended(stage(seconds + 3, agreements=(signed,))).replace(customer="ada", colleagues=("bo",))
    [found] = stats([shown]).stages
    assert [(one.who, one.seconds) for one in found.lost] == [("customer", 41 + 86_400), ("us", 2 * 86_400)]


def test_a_task_that_its_team_has_handed_over_is_ours_from_then_on() -> None:
    turns = (TurnLine(people=("fay",), since=day(0)), TurnLine(people=("chair",), since=day(3)))
    done = part("account", "operations", 0, 4).replace(members=("fay",), turns=turns)
    [found] = stats([ended(stage(4, tasks=(done,)))]).stages
    assert [(one.who, one.seconds) for one in found.lost] == [("operations", 3 * 86_400), ("us", 86_400)]


def after_minutes(number: int) -> datetime:
    return journeys.NOW + timedelta(minutes=number)


def until_ended(given: OnboardingInput, status: Status | None) -> OnboardingState:
    """The customer is asked from the start and ends the agreement after 5 minutes; None: it was terminated."""
    journey = journeys.begun(given).heard(journeys.turn("acme.1.1", 0, "customer-signer"))
    run = journey.parts[0].run
    at = after_minutes(5)
    return journey.seen(PartSeen(id=run, status=status, broken=status is None, resumable=status is None, at=at), at)


def decided(journey: OnboardingState, choice: PartOutcome) -> OnboardingState:
    """By the owner, 3 minutes after the end."""
    return decide(
        journey, Decision(actor="owner", part="part-1", choice=choice, reason="So.", content="c2"), after_minutes(8)
    )


def signed_again(journey: OnboardingState) -> OnboardingState:
    """By the customer, 2 minutes after the decision."""
    [part] = journey.parts
    journey = journey.begun(part, after_minutes(8)).heard(journeys.turn(part.run, 8, "customer-signer"))
    return journey.seen(PartSeen(id=part.run, status=Status.SIGNED, at=after_minutes(10)), after_minutes(10))


_FAILED: Final = (Status.DECLINED, Status.EXPIRED, Status.CANCELLED, Status.FAILED, None)


@pytest.mark.parametrize(
    ("status", "choice", "minutes"),
    [
        (Status.SIGNED, None, {"customer": 5}),
        (Status.WAIVED, None, {"customer": 5}),
        *((status, PartOutcome.WAIVE, {"customer": 5, "us": 3}) for status in _FAILED),
        *((status, PartOutcome.RESEND, {"customer": 7, "us": 3}) for status in _FAILED),
        *((status, PartOutcome.REPLACE, {"customer": 7, "us": 3}) for status in _FAILED),
    ],
)
def test_the_waits_of_a_stage_add_up_to_its_time_however_its_part_ended(
    status: Status | None, choice: PartOutcome | None, minutes: dict[str, int]
) -> None:
    given = journeys.an_input()
    journey = until_ended(given, status)
    if choice:
        journey = decided(journey, choice)
        journey = signed_again(journey) if choice.again else journey
    left_at = after_minutes(sum(minutes.values()))
    shown = show(given, journey.leave(left_at), left_at)
    assert (shown.stages[0].since, shown.stages[0].at) == (journeys.NOW, left_at)
    [stage] = stats([shown]).stages
    assert {lost.who: lost.seconds / 60 for lost in stage.lost} == minutes
    assert stage.median_seconds == sum(lost.seconds for lost in stage.lost)


def test_the_median_is_of_those_who_passed_the_stage() -> None:
    open_still = StageLine(name="set-up", state="stopped", since=day(0))
    found = stats([ended(stage(days)) for days in (1, 2, 30)] + [ended(open_still)])
    assert found.onboardings == 4
    assert (found.stages[0].onboardings, found.stages[0].median_seconds) == (3, 2 * 86_400)


def test_the_picture_says_what_it_draws() -> None:
    steps = (part("billing", "customer", 0, 3),)
    drawn = fromstring(stages_picture(stats([ended(stage(4, steps=steps))])))  # noqa: S314  our own picture
    texts = [line for element in drawn.iter() if element.text for line in element.text.splitlines()]
    assert "set-up: 4 d, customer 75 %, us 25 %" in texts
    assert {"customer", "us", "set-up"} <= set(texts)


@pytest.mark.parametrize(
    ("seconds", "says"), [(0, "0 min"), (150, "2 min"), (5400, "1 h 30 min"), (90_000, "1 d 1 h"), (172_800, "2 d")]
)
def test_a_time_in_words(seconds: float, says: str) -> None:
    assert long(seconds) == says


@pytest.mark.real_server
async def test_figures_come_from_the_records_of_those_that_have_ended(tmp_path: Path, dev_server: str) -> None:
    async with onboarding(tmp_path, a_file(ACCOUNT, LIVE), server=own_part(dev_server)) as it:
        await it.done("account", "operations-desk")
        await it.ended()
        there = {**given(tmp_path), **address_of(it.client)}
        typed = ("stats", "--onboarding")
        async with asyncio.timeout(20):
            while not (told := json.loads((await asyncio.to_thread(type_, *typed, "--json", **there)).stdout))[
                "stages"
            ]:
                pass
        table = await asyncio.to_thread(type_, *typed, "--picture", str(tmp_path / "stages.svg"), **there)
    assert told["onboardings"] == 1
    assert [(one["name"], one["onboardings"]) for one in told["stages"]] == [("account set-up", 1), ("live", 1)]
    assert told["stages"][0]["lost"][0]["who"] == "operations"
    assert table.stdout.startswith("1 onboarding has ended")
    assert (tmp_path / "stages.svg").read_bytes().startswith(b"<svg")
