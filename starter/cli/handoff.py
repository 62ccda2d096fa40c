"""`countersign handoff …`: targets of all hand-offs, and retries in bulk."""

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import httpx
from cyclopts import Parameter, Token
from rich.console import Group
from rich.text import Text

from activities.files.reading import FileFaults
from activities.hand_off.target_health import TargetState, address_of
from activities.http.client import make_client
from activities.policies.catalogue import Catalogue
from starter.boot.startup import ready
from starter.cli.actors import find_actor
from starter.cli.arguments import AsJson
from starter.cli.printing import note, print_answer, progress
from starter.cli.tables import color_state
from starter.cli.terminal import PrintedInstant, Rows
from starter.config.environment import DevStack
from starter.config.settings import Settings
from starter.errors import Refusal
from starter.queries import targets as replays
from starter.queries.targets import Addresses, DeadTarget, ReplayedDead, ReplayResult, TargetLine
from starter.temporal.connection import opened
from workflows.model.base import Model
from workflows.model.commands import Replay

EVERY: Final = 1.0
"""Seconds between two reads of the ledger."""
_DOWNSTREAM: Final = "downstream"


class Call(Model):
    """A hand-off call with the receiver's answer, or `error`."""

    at: str
    target: str
    type: str
    webhook_id: str
    signed: bool
    status: int | None
    error: str | None
    body: Any

    @classmethod
    def from_entry(cls, entry: Mapping[str, Any]) -> "Call":
        """From a ledger entry."""
        body, headers, became = entry["body"], entry["headers"], entry.get("forwarded") or {}
        return cls(
            at=entry["at"],
            target=entry["target"],
            type=str(body.get("type", "")) if isinstance(body, dict) else "",
            webhook_id=headers.get("webhook-id", ""),
            signed="webhook-signature" in headers,
            status=became.get("status"),
            error=became.get("error") if became else "not forwarded",
            body=body,
        )

    @property
    def is_taken(self) -> bool:
        """Whether the receiver accepted it."""
        return self.status is not None and 200 <= self.status < 300


def stack_of(settings: Settings) -> DevStack:
    """The selected laptop stack; raises `Refusal`."""
    if settings.surroundings.dev is None:
        reason = (
            settings.surroundings.passed_over
            or "start `countersign dev`, or name its folder: `countersign --dev FOLDER …`"
        )
        raise Refusal(f"hand-off calls are forwarded on the laptop stack only: {reason}")
    return settings.surroundings.dev


def secrets_of(stack: DevStack) -> Mapping[str, str]:
    """The secret of each target that this stack signs."""
    listed = stack.env.get("COUNTERSIGN_HANDOFF_SECRETS", "")
    return dict(pair.split("=", 1) for pair in listed.split(",") if "=" in pair)


@asynccontextmanager
async def forwarding(stack: DevStack, address: str, stop: asyncio.Event) -> AsyncIterator[AsyncIterator[Call]]:
    """Forward calls until `stop` is set, yielding each once answered."""
    async with make_client() as client:
        sandbox = _Sandbox(client, stack.sandbox)
        last_number = await sandbox.want(address)
        try:
            yield _calls(sandbox, address, last_number, stop)
        finally:
            await sandbox.end()


class RetryResult(Model):
    """The answer of `handoff retry --now`: how many runs were signalled."""

    told: int


async def list_(
    *,
    dead: bool = False,
    failing: bool = False,
    json: AsJson = False,
) -> None:
    """List the targets with open or dead deliveries, most dead ones first.

    Parameters
    ----------
    dead
        Only those with dead deliveries.
    failing
        Only those that failed three times or more, and are still tried.
    json
        Print `[{target, state, waiting, failing, dead, since, next, why}]`.
    """
    settings = ready()
    async with opened(settings) as context:
        of_catalogue = await asyncio.to_thread(_of_catalogue, settings)
        with _bar("asking", quiet=json) as show_count:
            state = await replays.standing(context, of_catalogue, show_count)
    rows = [row for row in state.targets if (row.dead or not dead) and (row.failing or not failing)]
    print_answer(rows, _table(rows), as_json=json)
    if state.unseen:
        note(f"{state.unseen:,} more still tell somebody, and were not asked")


async def retry(
    *,
    now: bool = False,
    target: str | None = None,
    json: AsJson = False,
) -> None:
    """Try at once what is due to be tried again later; what fails is tried again as planned.

    Parameters
    ----------
    now
        Required, as a confirmation.
    target
        Only this target, also if it had said that it wants no more calls.
    json
        Print `{told}`.
    """
    settings = ready()
    async with opened(settings) as context:
        if target is not None:
            await replays.refuse_unknown(context, target, await asyncio.to_thread(_of_catalogue, settings))
        with _bar("telling", quiet=json) as show_count:
            count = await replays.hurry(context, target, show_count)
    print_answer(
        RetryResult(told=count),
        Text(f"{count:,} {'is' if count == 1 else 'are'} trying now" if count else "Nothing waits to be tried"),
        as_json=json,
    )


def _ago(_: type, tokens: Sequence[Token]) -> timedelta:
    match = re.fullmatch(r"([1-9][0-9]{0,3})([hdw])", tokens[0].value)
    if not match:
        raise ValueError(f"{tokens[0].value} is not a time such as 12h, 2d or 1w")
    return int(match[1]) * {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}[match[2]]


async def replay(
    *,
    dead: bool = False,
    since: Annotated[timedelta | None, Parameter(converter=_ago)] = None,
    target: str | None = None,
    as_: Annotated[str | None, Parameter("--as")] = None,
    json: AsJson = False,
) -> None:
    """Deliver again what is dead, some at a time, behind everything else; repeated, it continues where it stopped.

    A target that takes nothing of the first twenty is left alone.

    Parameters
    ----------
    dead
        Required, as a confirmation; what was delivered is replayed one by one (`request replay --again`).
    since
        Only what died since, such as 12h, 2d or 1w ago.
    target
        Only this target.
    as_
        Who acts; default: COUNTERSIGN_ACTOR, else user@host.
    json
        Print `{told, tried, refused, left, failing[]}`.
    """
    settings = ready()
    died_since = datetime.now(UTC) - since if since else None
    actor = await find_actor(settings, as_)
    order = actor.mark(Replay(actor=actor.name, target=""))
    async with opened(settings) as context:
        with _bar("replaying", quiet=json) as show_count:

            async def replay_target(target: DeadTarget) -> ReplayResult:
                return await replays.replay(context, target, order)

            targets = replays.all_dead(context, died_since, target)
            result = await replays.replay_each(targets, replay_target, lambda so_far: show_count(so_far.total_count))
        if target is not None and not result.total_count:
            await replays.refuse_unknown(context, target, await asyncio.to_thread(_of_catalogue, settings))
    print_answer(result, _result_view(result), as_json=json)


async def listen(
    *,
    forward_to: str,
    json: AsJson = False,
) -> None:
    """Forward the hand-off calls of the laptop stack to a receiver of yours, and print each, until Ctrl-C.

    The receiver's answer is the target's: what it refuses is tried again, and 410 ends it.

    Parameters
    ----------
    forward_to
        Where it listens, such as http://127.0.0.1:3000/hooks.
    json
        Print `{at, target, type, webhook_id, signed, status, error, body}`, one line for each call.
    """
    stack = stack_of(ready())
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    for target, secret in secrets_of(stack).items():
        note(f"calls to {target} are signed with {secret}")
    async with forwarding(stack, forward_to, stop) as calls:
        note(f"forwarding to {forward_to}; Ctrl-C ends it")
        async for call in calls:
            print_answer(call, _call(call), as_json=json)
            sys.stdout.flush()  # Each line is flushed, for readers of a pipe.


async def _calls(sandbox: "_Sandbox", address: str, last_number: int, stop: asyncio.Event) -> AsyncIterator[Call]:
    while not stop.is_set():
        await _wait(stop)
        for entry in await sandbox.ledger(last_number):
            last_number = entry["n"]
            if entry["type"] == _DOWNSTREAM:
                yield Call.from_entry(entry)
        await sandbox.want(address)


async def _wait(stop: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(stop.wait(), EVERY)
    except TimeoutError:
        return


class _Sandbox:
    """The sandbox's control API; raises `Refusal`."""

    def __init__(self, client: httpx.AsyncClient, base: str) -> None:
        self._client = client
        self._base = f"{base}/_sandbox"

    async def want(self, address: str) -> int:
        """Renew the lease; the ledger's last number."""
        answer = await self._ask("POST", "/forward", {"to": address})
        if answer.status_code >= 400:
            raise Refusal(
                f"{address} is no address that calls could be forwarded to, such as http://127.0.0.1:3000/hooks"
            )
        last_number: int = answer.json()["after"]
        return last_number

    async def ledger(self, last_number: int) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = (await self._ask("GET", f"/ledger?after={last_number}")).json()
        return entries

    async def end(self) -> None:
        """End the lease."""
        try:
            await self._client.request("DELETE", f"{self._base}/forward")
        except httpx.HTTPError:
            return

    async def _ask(self, method: str, path: str, body: object = None) -> httpx.Response:
        try:
            return await self._client.request(method, f"{self._base}{path}", json=body)
        except httpx.HTTPError as error:
            raise Refusal("the laptop stack has ended: its sandbox gives no answer") from error


def _call(call: Call) -> Text:
    became = f"HTTP {call.status}" if call.status is not None else f"no answer ({call.error})"
    signed = "" if call.signed else ", unsigned"
    return Text.assemble(
        f"{call.at}  {call.target}  {call.type}  {call.webhook_id}{signed}  ",
        (became, "green" if call.is_taken else "red"),
    )


def _of_catalogue(settings: Settings) -> Addresses:
    """The catalogue's targets with their addresses; none if it is faulty, which is not the question here."""
    try:
        catalogue = Catalogue.read(settings.policies)
    except FileFaults:
        return {}
    addresses: dict[str, set[str]] = {}
    for kind in catalogue.kinds:
        for target in catalogue.resolve(kind).policy.handoff:
            addresses.setdefault(target.name, set()).add(address_of(target))
    return addresses


def _table(rows: Sequence[TargetLine]) -> Rows | Text:
    if not rows:
        return Text("Every target has heard of everything")
    table = Rows("target", "is", "waiting", "failing", "dead", "since", "next", "why", whole_columns=("target",))
    for row in rows:
        counts = (str(count or "") for count in (row.waiting, row.failing, row.dead))
        # It counts as working until three attempts have failed.
        untold = row.state is TargetState.WORKING and row.waiting and row.why
        state = Text("not told yet", "yellow") if untold else color_state(row.state)
        table.add(row.target, state, *counts, PrintedInstant(row.since), PrintedInstant(row.next), row.why or "")
    return table


def _result_view(result: ReplayedDead) -> Group:
    if not result.total_count:
        return Group(Text("Nothing is dead"))
    parts = [Text(f"{result.told:,} were told", "green" if result.told else "")]
    if result.tried:
        parts.append(Text(f"{result.tried:,} were not yet, and are tried again", "yellow"))
    if result.refused:
        parts.append(Text(f"{result.refused:,} were refused: `request replay` of one says why", "yellow"))
    if result.left:
        parts.append(Text(f"{result.left:,} are left: {', '.join(result.failing)} took nothing", "red"))
    return Group(*parts)


@contextmanager
def _bar(doing: str, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    with progress(doing, quiet=quiet) as bar:
        yield lambda count: bar(description=f"{doing}: {count:,}")
