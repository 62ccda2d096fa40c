"""Handing off once more to who was told before, or never was: what may be, and the line beside the original. Pure."""

from datetime import datetime
from typing import Final

from workflows.follow_up.handoff import HandoffEntry, HandoffLedger
from workflows.follow_up.memory import FollowUp, Memory
from workflows.follow_up.operation_ledger import OperationLedger
from workflows.follow_up.show import stamp
from workflows.model.settlement import HandoffState
from workflows.model.texts import clipped, name_fault
from workflows.model.wishes import Replay
from workflows.names import REPLAY

_NAMES_AT_MOST: Final = 300
"""Bytes."""


def refuse(memory: FollowUp, wish: Replay) -> str | None:
    """Why a target cannot be handed off to once more, or not yet."""
    if why := name_fault(wish.actor) or name_fault(wish.target, "--target"):
        return why
    if not memory.status.ended:
        return f"nothing is handed off before the end: the {memory.words.subject} is {memory.status}"
    return refuse_of(memory.handoff, wish)


def refuse_of(ledger: HandoffLedger, wish: Replay) -> str | None:
    """The same by the ledger alone: told is told unless they want it `again`, and who is being told waits for that."""
    last = _last(ledger)
    entry = last.get(wish.target)
    if entry is None:
        names = clipped(", ".join(last), _NAMES_AT_MOST)
        return f"{wish.target} is none of its targets: " + (f"they are {names}" if last else "it has none")
    if entry.state is HandoffState.PENDING:
        said = f" ({entry.why})" if entry.why else ""
        return f"{wish.target} is being told: attempt {entry.attempts + 1} is due {stamp(entry.due_at)}{said}"
    if entry.state is HandoffState.DONE and not wish.again:
        return f"{wish.target} was told {stamp(entry.at)}: insist with --again"
    return None


def ask(memory: Memory, wish: Replay, now: datetime) -> Memory:
    """Have a target told once more, at once."""
    known = memory.replace(handoff=replayed(memory.handoff, wish, now))
    return known.note(now, "replay asked for", wish.target, f"by {wish.actor}")


def replayed(ledger: HandoffLedger, wish: Replay, now: datetime) -> HandoffLedger:
    """The ledger with a fresh line for the target; of earlier replays, which are on record, the memory needs none."""
    last = _last(ledger)[wish.target]
    fresh = HandoffEntry(target=last.target, replay=last.replay + 1, by=wish.actor, at=now, due_at=now)
    kept = tuple(one for one in ledger.entries if one is not last or not one.replay)
    return ledger.replace(entries=(*kept, fresh))


def over(operations: OperationLedger, ledger: HandoffLedger) -> OperationLedger:
    """What became of the replays that were wished: told is done, dead is refused with the last answer."""
    for entry in ledger.entries:
        name = entry.target.target
        if entry.replay and entry.state is HandoffState.DONE:
            operations = operations.done(REPLAY, f"told {name}" + (f": {entry.why}" if entry.why else ""), name)
        elif entry.replay and entry.state is HandoffState.DEAD:
            operations = operations.refused(REPLAY, f"could not tell {name}: {entry.why or 'no answer'}", name)
    return operations


def _last(ledger: HandoffLedger) -> dict[str, HandoffEntry]:
    """The newest line of each target."""
    return {entry.target.target: entry for entry in ledger.entries if not entry.notice}
