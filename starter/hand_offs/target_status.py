"""How the targets stand, by the runs that still tell and by the index of the dead; and having them tried at once."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Final

from temporalio.client import Client
from temporalio.service import RPCError

from activities.spelling import did_you_mean
from activities.target_health import FAILING_FROM, KnownTarget, TargetCondition, TargetState
from starter.context import Context
from starter.error_types import Refusal
from starter.hand_offs import tellers
from starter.hand_offs.replays import the_dead
from workflows import names
from workflows.model.base import Model
from workflows.model.policy import Target
from workflows.model.settlement import HandoffLine, HandOffNow

ASKED_AT_MOST: Final = 2_000
"""Runs that are asked for a list; of more than that it says so."""
TARGETS_AT_MOST: Final = 1_000
"""Rows of a list: whoever subscribed is a target of its own."""
NAMED_AT_MOST: Final = 20
"""Targets that are named to whoever asks for one that there is not."""
Addresses = Mapping[str, Collection[str]]
"""The addresses that a target has in the catalogue now, in one kind or another, by its name."""


class TargetLine(Model):
    """How one target is; how many hand-offs wait for it, of those `failing` again and again, and how many died.

    `since` is the oldest of them, `next` when the first is tried again, `why` what it answered last.
    """

    target: str
    state: TargetState = TargetState.WORKING
    waiting: int = 0
    failing: int = 0
    dead: int = 0
    since: datetime | None = None
    next: datetime | None = None
    why: str | None = None

    def waits(self, line: HandoffLine) -> "TargetLine":
        """With one more that waits."""
        return self.replace(
            waiting=self.waiting + 1,
            failing=self.failing + (line.attempts >= FAILING_FROM),
            since=_first(self.since, line.at),
            next=_first(self.next, line.due_at),
            why=line.why or self.why,
        )

    def is_as(self, known: TargetCondition) -> "TargetLine":
        """With what is known of it at one of its addresses: of several it is as the worst."""
        state = max(self.state, known.is_, key=list(TargetState).index)
        return self.replace(state=state, since=_first(self.since, known.since), why=self.why or known.why)

    def died(self, at: datetime) -> "TargetLine":
        """With one more that is dead."""
        return self.replace(dead=self.dead + 1, since=_first(self.since, at))


class Targets(Model):
    """All that are not told everything, those with the most dead first; `unseen` runs were not asked."""

    targets: tuple[TargetLine, ...] = ()
    unseen: int = 0


async def standing(context: Context, of_catalogue: Addresses, seen: Callable[[int], None] = lambda _: None) -> Targets:
    """How every target stands for which something waits, or that never heard of something.

    An address that the catalogue has no more says something of a target for as long as anything waits for it.
    """
    found: dict[str, TargetLine] = {}
    asked = unseen = 0
    async for chunk in tellers.chunks(context.client):
        left = chunk[: max(0, ASKED_AT_MOST - asked)]
        asked, unseen = asked + len(left), unseen + len(chunk) - len(left)
        for telling in filter(None, await tellers.asked_each(context.client, left)):
            for line in telling.pending:
                _into(found, line.target, partial(TargetLine.waits, line=line))
            for line in telling.dead_while_open:
                _into(found, line.target, partial(TargetLine.died, at=line.at))
        seen(asked)
    async for dead in the_dead(context.store):
        _into(found, dead.target, partial(TargetLine.died, at=dead.died))
    for name in await context.store.hand_offs.targets():
        waits = name in found and found[name].waiting
        for known in (await _known(context, name)).addresses:
            counts = waits or known.address in of_catalogue.get(name, (known.address,))
            if counts and known.is_ is not TargetState.WORKING:
                _into(found, name, partial(TargetLine.is_as, known=known))
    rows = sorted(found.values(), key=lambda row: (-row.dead, -row.waiting, row.target))
    return Targets(targets=tuple(rows), unseen=unseen)


async def refuse_unknown(context: Context, target: str, of_catalogue: Addresses) -> None:
    """Raise `Refusal` for a target that the catalogue does not have and nobody waits for, and say what was meant."""
    name, known = _named(target), set(of_catalogue)
    if name in known:
        return
    found = await standing(context, of_catalogue)
    known |= {row.target for row in found.targets}
    if name not in known and not found.unseen:
        some = ", ".join(sorted(known)[:NAMED_AT_MOST])
        helps = did_you_mean(name, sorted(known)) or (f"; there are {some}" if some else "")
        raise Refusal(f"no target is called {target}{helps}")


async def hurry(context: Context, target: str | None, seen: Callable[[int], None] = lambda _: None) -> int:
    """Have a target, or all, tried at once by everything that waits to; how many runs were told so.

    One that is named is called again also when it had said that it wants no calls.
    """
    told, now = 0, datetime.now(UTC)
    if target is not None and (known := await _known(context, target)) != known.enabled(now):
        await context.store.hand_offs.keep_target(target, known.enabled(now).written)
    async for chunk in tellers.chunks(context.client):
        told += sum(await asyncio.gather(*(_told(context.client, one, target) for one in chunk)))
        seen(told)
    return told


async def _known(context: Context, name: str) -> KnownTarget:
    return KnownTarget.of(await context.store.hand_offs.read_target(name))


async def _told(client: Client, workflow_id: str, target: str | None) -> bool:
    """Whether a run was told; one that says that it does not wait for the target is left alone."""
    telling = await tellers.asked(client, workflow_id) if target is not None else None
    if telling is not None and not any(target in (line.target, _named(line.target)) for line in telling.pending):
        return False
    with suppress(RPCError):  # It has come to its end meanwhile.
        await client.get_workflow_handle(workflow_id).signal(names.HAND_OFF_NOW, HandOffNow(target=target))
        return True
    return False


def _into(found: dict[str, TargetLine], name: str, change: Callable[[TargetLine], TargetLine]) -> None:
    name = _named(name)
    if name not in found and len(found) >= TARGETS_AT_MOST:
        name = "…"
    found[name] = change(found.get(name, TargetLine(target=name)))


def _named(target: str) -> str:
    """As the policy has it; a subscriber is called by its workflow's id."""
    return target if ":" in target else Target(target=target).name


def _first(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((at for at in (one, other) if at is not None), default=None)
