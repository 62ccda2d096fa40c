"""Handing off once more to who was told before, or never was: what may be, and the line beside the original. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from workflows.follow_up.handoff import Outbox, OutboxEntry
from workflows.follow_up.handoff_lines import escalation_of
from workflows.follow_up.memory import FollowUpState, State
from workflows.follow_up.operation_ledger import CommandLog
from workflows.follow_up.show import stamp
from workflows.model.happened import EventType
from workflows.model.policy import Target
from workflows.model.records import HandOffOrder, RecordedHandOff
from workflows.model.settlement import HandoffLine, HandoffResult, HandoffState
from workflows.model.texts import clipped, name_fault
from workflows.model.wishes import Replay
from workflows.names import REPLAY

_NAMES_AT_MOST: Final = 300
"""Bytes."""


def refuse(memory: FollowUpState, wish: Replay) -> str | None:
    """Why a target cannot be handed off to once more, or not yet."""
    if why := name_fault(wish.actor) or name_fault(wish.target, "--target"):
        return why
    if not memory.status.ended and wish.target not in _last(memory.handoff):
        return f"nothing is handed off before the end: the {memory.words.subject} is {memory.status}"
    return refuse_of(memory.handoff, wish)


def refuse_of(ledger: Outbox, wish: Replay) -> str | None:
    """The same by the ledger alone: told is told unless they want it `again`, and who is being told waits for that.

    A replay that was asked for and not tried yet serves whoever asks meanwhile.
    """
    last = _last(ledger)
    entry = last.get(wish.target)
    if entry is None:
        names = clipped(", ".join(last), _NAMES_AT_MOST)
        told = f"they are {names}" if last else "nobody is (the key `on` of a target says of which)"
        return f"{wish.target} is none of those who are told of this end: {told}"
    if _is_asked_for(entry):
        return None
    if entry.state is HandoffState.PENDING:
        said = f" ({entry.why})" if entry.why else ""
        return f"{wish.target} is being told: attempt {entry.attempts + 1} is due {stamp(entry.due_at)}{said}"
    if entry.state is HandoffState.DONE and not wish.again:
        return f"{wish.target} was told {stamp(entry.at)}: insist with --again"
    return None


def refuse_closed(ledger: Outbox, wish: Replay) -> str | None:
    """The same once its run is closed."""
    entry = _last(ledger).get(wish.target)
    if entry is not None and entry.target == Target(target=wish.target):
        return f"{wish.target} cannot be told: its record does not say how"
    return refuse_of(ledger, wish)


def ask(memory: State, wish: Replay, now: datetime) -> State:
    """Have a target told once more, at once."""
    known = memory.replace(handoff=replayed(memory.handoff, wish, now))
    return known.note(now, EventType.REPLAY_WISHED, wish.target, None, by=wish.actor)


def replayed(ledger: Outbox, wish: Replay, now: datetime) -> Outbox:
    """The ledger with a fresh line for the target; of earlier replays, which are on record, the memory needs none."""
    last = _last(ledger)[wish.target]
    if _is_asked_for(last):
        return ledger
    fresh = OutboxEntry(
        target=last.target,
        escalation=last.escalation,
        replay=last.replay + 1,
        by=wish.actor,
        at=now,
        due_at=now,
    )
    kept = tuple(one for one in ledger.entries if one is not last or not one.replay)
    return ledger.replace(entries=(*kept, fresh))


def over(operations: CommandLog, ledger: Outbox, results: tuple[HandoffResult, ...]) -> CommandLog:
    """What became of the replays that were wished: told is done, dead is refused with the last answer."""
    tried = {result.target for result in results}
    for entry in ledger.entries:
        name = entry.target.target
        if name not in tried:
            continue
        if entry.replay and entry.state is HandoffState.DONE:
            operations = operations.done(REPLAY, f"told {name}" + (f": {entry.why}" if entry.why else ""), name)
        elif entry.replay and entry.state is HandoffState.DEAD:
            operations = operations.refused(REPLAY, f"could not tell {name}: {entry.why or 'no answer'}", name)
    return operations


def ledger_of(recalled: RecordedHandOff) -> Outbox:
    """The ledger as the record has it, once its run is closed: whoever was still to be told then is given up on."""
    order = recalled.order
    if order is None:
        return Outbox()
    targets = {target.target: target for target in (*order.targets, *_of_escalations(order, recalled.lines))}
    known = [_given_up(targets.get(line.target), line) for line in recalled.lines]
    tried = {line.target for line in recalled.lines}
    never = [
        OutboxEntry(target=target, state=HandoffState.DEAD, at=order.settled.at)
        for name, target in targets.items()
        if name not in tried
    ]
    return Outbox(of=order.subject.reference, entries=(*known, *never), batches=recalled.batches)


def _of_escalations(order: HandOffOrder, lines: Sequence[HandoffLine]) -> Iterator[Target]:
    """Those of the lines that heard of an escalation of which it is known what it was."""
    policy = {target.name: target for target in order.escalated}
    for line in lines:
        number, target = escalation_of(line.target), policy.get(Target(target=line.target).name)
        if target is not None and 0 < number <= len(order.escalations):
            yield target.of_escalation(number)


def _given_up(target: Target | None, line: HandoffLine) -> OutboxEntry:
    state = HandoffState.DEAD if line.state is HandoffState.PENDING else line.state
    return OutboxEntry(
        target=target or Target(target=line.target),
        state=state,
        attempts=line.attempts,
        at=line.at,
        why=line.why,
        replay=line.replay,
        by=line.by,
        escalation=escalation_of(line.target),
    )


def _is_asked_for(entry: OutboxEntry) -> bool:
    return entry.state is HandoffState.PENDING and entry.replay > 0 and entry.attempts == 0


def _last(ledger: Outbox) -> dict[str, OutboxEntry]:
    """The newest line of each target."""
    return {entry.target.target: entry for entry in ledger.entries if not entry.notice}
