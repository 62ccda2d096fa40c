"""Signal `part_turn` from a part to its onboarding: for whom it waits now."""

import asyncio
from datetime import datetime, timedelta
from typing import Final

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

from workflows.follow_up.input import FollowUpInput
from workflows.follow_up.state import FollowUpState, LifecycleState
from workflows.follow_up.view import PEOPLE_AT_MOST
from workflows.model.views import FollowUpShow, PartTurn, WaitingFor
from workflows.names import PART_TURN

_AS_EXPECTED_WITHIN: Final = timedelta(minutes=1)
"""After the start: an onboarding takes the first turn for begun when it has started the part."""


def onboarding_of(request: FollowUpInput, state: LifecycleState) -> str | None:
    """Workflow id of the subscribed onboarding that it is a part of, else None."""
    onboarding_id = request.subject.onboarding_workflow_id
    hears = (
        onboarding_id in (*request.subscribers, *state.outbox.subscribers)
        and onboarding_id not in state.outbox.unsubscribed
    )
    return onboarding_id if hears else None


def turn_of(view: FollowUpShow, instant: datetime) -> PartTurn:
    """For whom it waits now."""
    asks = WaitingFor(person=view.answers, since=view.question.at) if view.question else None
    return PartTurn(id=view.id, at=instant, waiting_for=view.waiting_for[:PEOPLE_AT_MOST], asks=asks)


def is_as_expected(request: FollowUpInput, state: FollowUpState, turn: PartTurn) -> bool:
    """Whether the onboarding already assumes this: its people asked first are pending."""
    people = tuple(waiting.person for waiting in turn.waiting_for)
    late = any(waiting.since - state.lifecycle.started_at > _AS_EXPECTED_WITHIN for waiting in turn.waiting_for)
    is_own_part = onboarding_of(request, state) in request.subscribers
    return is_own_part and not late and turn.asks is None and people in ((), request.first_turn[:PEOPLE_AT_MOST])


class TurnSignal:
    """Sends the signal once per turn, and anew in each history: the last one may not have left the previous one."""

    def __init__(self) -> None:
        self._last_turn: PartTurn | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def send(self, request: FollowUpInput, state: FollowUpState, view: FollowUpShow) -> None:
        """Tell the onboarding of a new turn; it hears of the end by the hand-off."""
        onboarding = onboarding_of(request, state)
        if onboarding is None or state.status.has_ended:
            return
        turn, first_run = turn_of(view, workflow.now()), workflow.info().continued_run_id is None
        if self._last_turn is None and first_run and is_as_expected(request, state, turn):
            return
        if self._last_turn is None or not turn.is_as(self._last_turn):
            self._last_turn = turn
            # Keep a reference: an unreferenced task may be garbage-collected.
            self._tasks = [task for task in self._tasks if not task.done()]
            self._tasks.append(asyncio.create_task(_signal(onboarding, turn), name="turn"))


async def _signal(onboarding: str, turn: PartTurn) -> None:
    """A closed onboarding is ignored."""
    try:
        await workflow.get_external_workflow_handle(onboarding).signal(PART_TURN, turn)
    except FailureError as failure:
        if is_cancelled_exception(failure):
            raise
