"""What is remembered and told of one operation.

A receipt is short whatever the texts of the request, for it stands in the history of every update.
"""

from datetime import datetime
from typing import Final, Protocol

from temporalio import workflow

from workflows.follow_up.memory import FollowUpState, State
from workflows.follow_up.operation_ledger import CommandLog
from workflows.follow_up.operations import day_words
from workflows.model.entries import handing_over
from workflows.model.operations import (
    ID_AT_MOST,
    OTHER_CONTENT,
    Operation,
    OperationState,
    Outstanding,
    Receipt,
    digest_of,
)
from workflows.model.texts import NAMES_AT_MOST, clipped, name_fault, reason_fault
from workflows.model.views import Next
from workflows.model.wishes import (
    UPDATES,
    AnyCommand,
    Cancellation,
    Command,
    Delegation,
    Exemption,
    Extension,
    ReminderNow,
    Replay,
    Retry,
)

_SENTENCE_AT_MOST: Final = 240
"""Bytes, as the next one."""
_REASON_AT_MOST: Final = 60
_OUTSTANDING_AT_MOST: Final = 3


class ReceiptView(Protocol):
    """Of whatever a kind of follow-up shows, what a receipt says."""

    @property
    def says(self) -> str:
        """It all in one sentence."""

    @property
    def next(self) -> Next | None:
        """What happens next."""


def recorded(progress: State, id: str, wish: AnyCommand, now: datetime) -> State:
    """The memory once a wish has had its effect: its line says that it is done, or what is still to be done."""
    to_do = _to_do(progress, wish)
    one = Operation(
        id=id,
        what=UPDATES[type(wish)],
        digest=digest_of(wish),
        at=now,
        by=wish.actor if isinstance(wish, Command) else wish.person,
        state=OperationState.OPEN if to_do else OperationState.DONE,
        says=to_do or _done(progress, wish),
        about=_about(wish),
    )
    return progress.replace(operations=progress.operations.record(one))


def _about(wish: AnyCommand) -> str:
    match wish:
        case Delegation():
            return handing_over(wish.signer, wish.to)
        case Exemption():
            return wish.person
        case Replay():
            return wish.target
    return ""


def _to_do(progress: FollowUpState, wish: AnyCommand) -> str | None:
    says: str | None = None
    match wish:
        case Cancellation() if not progress.status.ended:
            says = progress.words.cancelling
        case ReminderNow():
            says = "tell everyone whose turn it is"
        case Replay():
            says = f"hand off to {wish.target} once more"
        case Delegation():
            says = f"hand over from {_about(wish)}"
        case Exemption() | Retry():
            says = "write it down, and see to whom it is about"
        case Extension() if progress.agenda is None and (progress.window_from or not progress.awaited.everyone):
            says = f"plan anew for {day_words(wish.due)}"
    return says


def _done(progress: FollowUpState, wish: AnyCommand) -> str:
    match wish:
        case Cancellation():
            return progress.status
        case Extension():
            return f"due {day_words(wish.due)}"
    return progress.timeline[-1].what


def update_id() -> str:
    """The id under which a wish was sent."""
    info = workflow.current_update_info()
    if info is None:
        raise RuntimeError("wishes are made by updates only")
    return info.id


def refused(operations: CommandLog, id: str, wish: AnyCommand, refusal: str | None) -> str | None:
    """What stands in the way of a wish; repeating what was taken is harmless, unless it is something else."""
    known = operations.of(id)
    if known is not None:
        return None if known.digest == digest_of(wish) else OTHER_CONTENT
    if why := refusal or _unfit(wish):
        return why
    return None if len(id.encode()) <= ID_AT_MOST else f"{id[:ID_AT_MOST]}… is too long a name"


def _unfit(wish: AnyCommand) -> str | None:
    """Of every text of every wish, also of one that nothing else looks at: what is kept has a bound."""
    for name, value in vars(wish).items():
        if isinstance(value, str) and (why := reason_fault(value, name)):
            return why
        if isinstance(value, tuple) and (why := _unfit_names(value, name)):
            return why
    return None


def _unfit_names(names: tuple[str, ...], what: str) -> str | None:
    if len(names) > NAMES_AT_MOST:
        return f"{what} names more than {NAMES_AT_MOST} people"
    return next(filter(None, (name_fault(one, what) for one in names)), None)


def receipt(progress: FollowUpState, shown: ReceiptView, operation: Operation) -> Receipt:
    """How an operation and its request stand."""
    waiting = progress.operations.open
    return Receipt(
        id=progress.request,
        status=progress.current_status,
        op=operation.id.removeprefix(f"{operation.what}-"),
        says=clipped(shown.says, _SENTENCE_AT_MOST),
        state=operation.state,
        detail=operation.says,
        digest=operation.digest,
        next=_short(shown.next) if shown.next else None,
        outstanding=tuple(
            Outstanding(what=one.what, since=one.at.replace(microsecond=0)) for one in waiting[:_OUTSTANDING_AT_MOST]
        ),
        further=len(waiting[_OUTSTANDING_AT_MOST:]),
    )


def _short(following: Next) -> Next:
    at = following.at.replace(microsecond=0) if following.at else None
    return following.replace(at=at, why=clipped(following.why, _REASON_AT_MOST))
