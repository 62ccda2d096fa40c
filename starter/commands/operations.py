"""`countersign request …`: what an operator does to a living request; every word goes the same way (wishes.py)."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final

from cyclopts import Parameter, Token
from rich.console import Group

from starter import wishes
from starter.commands.arguments import RequestId
from starter.commands.printing import answer, patience
from starter.context import opened
from starter.due_words import due_of
from starter.startup import ready
from starter.terminal import Sentence
from workflows.model.operations import OperationState, Receipt
from workflows.model.wishes import Answer, Cancellation, Delegation, Extension, Pause, ReminderNow, Resumption, Wish


def _wait(_: type, tokens: Sequence[Token]) -> timedelta:
    match = re.fullmatch(r"([0-9]{1,3})([sm])", tokens[0].value)
    if not match:
        raise ValueError(f"{tokens[0].value} is not a time to wait such as 20s, 5m or 0s")
    return int(match[1]) * (timedelta(seconds=1) if match[2] == "s" else timedelta(minutes=1))


@Parameter(name="*")
@dataclass(frozen=True)
class Manner:
    """Who changes a request, under what name, and how the answer is told: the options that all these commands share."""

    as_: Annotated[str | None, Parameter("--as", help="Who wants it; default: COUNTERSIGN_ACTOR, else user@host.")] = (
        None
    )
    op: Annotated[
        str | None, Parameter("--op", help="Names this one change: repeated with the same name it is made once.")
    ] = None
    wait: Annotated[
        timedelta,
        Parameter("--wait", converter=_wait, help="How long to watch until it is done, such as 20s, 5m or 0s."),
    ] = wishes.CARRIED_OUT_WITHIN
    json: Annotated[
        bool, Parameter("--json", negative=(), help="Print `{id, status, op, says, state, detail, outstanding}`.")
    ] = False


_PLAIN: Final = Manner()


def _due(_: type, tokens: Sequence[Token]) -> datetime | date:
    return due_of(tokens[0].value, datetime.now(UTC))


async def remind(id: RequestId, /, *, force: bool = False, manner: Manner = _PLAIN) -> None:
    """Tell everyone whose turn it is, now.

    Parameters
    ----------
    force
        Even if they were told within the hour.
    """
    await _carry_out(id, lambda actor: ReminderNow(actor=actor, force=force), manner)


async def delegate(id: RequestId, /, *, signer: str, to: str, force: bool = False, manner: Manner = _PLAIN) -> None:
    """Have somebody else asked instead of a signer, at Core Signature too: the old link dies.

    Parameters
    ----------
    signer
        The signer who hands over: an id of the directory.
    to
        Who is asked instead: an id of the directory.
    force
        Even if they are away.
    """
    await _carry_out(id, lambda actor: Delegation(actor=actor, signer=signer, to=to, force=force), manner)


async def extend(
    id: RequestId, /, *, due: Annotated[datetime | date, Parameter(converter=_due)], manner: Manner = _PLAIN
) -> None:
    """Move the due date; warnings and reminders are planned anew.

    Parameters
    ----------
    due
        A date such as 2026-12-11 (the end of that working day), an instant with its offset, or counted from now:
        +7d, +4h, tomorrow, "friday 17:00".
    """
    await _carry_out(id, lambda actor: Extension(actor=actor, due=due), manner)


async def pause(id: RequestId, /, *, reason: str = "", manner: Manner = _PLAIN) -> None:
    """Let the clocks of a request stand: nobody is told anything until it is resumed.

    Parameters
    ----------
    reason
        Why; it stands in the timeline.
    """
    await _carry_out(id, lambda actor: Pause(actor=actor, reason=reason), manner)


async def resume(id: RequestId, /, *, manner: Manner = _PLAIN) -> None:
    """Let the clocks of a paused request go on."""
    await _carry_out(id, lambda actor: Resumption(actor=actor), manner)


async def answer_(id: RequestId, /, *, text: str, manner: Manner = _PLAIN) -> None:
    """Answer the signer's question that a request waits for; the clocks go on.

    Parameters
    ----------
    text
        What the signer is told, at most 1,000 characters.
    """
    await _carry_out(id, lambda actor: Answer(actor=actor, text=text), manner)


async def cancel(id: RequestId, /, *, reason: str, manner: Manner = _PLAIN) -> None:
    """End a request: it is cancelled at Core Signature and everyone concerned is told. What is signed stays signed.

    Parameters
    ----------
    reason
        Why; it stands in the timeline.
    """
    await _carry_out(id, lambda actor: Cancellation(actor=actor, reason=reason), manner)


async def _carry_out(id: str, wish_of: Callable[[str], Wish], manner: Manner) -> None:
    settings = ready()
    wish = wish_of(manner.as_ or settings.acting).replace(op=manner.op)
    async with opened(settings) as context, patience("taken down, now being done", quiet=manner.json):
        receipt = await wishes.make(context, id, wish, wait=manner.wait)
    answer(receipt, _told(receipt), as_json=manner.json)


def _told(receipt: Receipt) -> Group:
    """What came of it, then where the request stands: not before it is done, for until then that changes."""
    if receipt.state is OperationState.OPEN:
        return Group(Sentence(f"asked for, still to be done: {receipt.detail}", "yellow"))
    done = [Sentence(f"✓ {receipt.detail}", "green")] if receipt.detail else []
    return Group(*done, Sentence(receipt.says))
