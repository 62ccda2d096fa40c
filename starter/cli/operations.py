"""Commands for an open request or task (starter/queries/commands.py)."""

import inspect
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Annotated, Any, Final, TypeVar

from cyclopts import Parameter, Token
from pydantic import TypeAdapter, ValidationError
from rich.console import Group

from activities.files.fields import DayOrInstant
from starter.boot.startup import ready
from starter.cli import printing
from starter.cli.actors import find_actor
from starter.cli.arguments import As, Id
from starter.cli.printing import patience
from starter.cli.terminal import Sentence
from starter.queries import commands, lookup
from starter.queries.filters import id_of
from starter.temporal.connection import Context, opened
from workflows.command_words import explain
from workflows.kinds import Kind, WorkflowName, kinds
from workflows.model.commands import (
    COMMANDS,
    OURS,
    PERSONS,
    AnyCommand,
    Command,
    Delegation,
    Exemption,
    Extension,
    Take,
)
from workflows.model.receipts import OperationState, Receipt
from workflows.names import EXTEND

AnyCommandT = TypeVar("AnyCommandT", bound=AnyCommand)
_ABSOLUTE: Final[TypeAdapter[datetime | date]] = TypeAdapter(DayOrInstant)
_FROM_NOW: Final = re.compile(r"\+([1-9][0-9]{0,2})([hdw])")
_NAMED: Final = re.compile(r"(?P<day>[a-z]+)(?: (?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d))?")
_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_OTHER_NAMES: Final = {"signer": ("--signer", "--person")}


def due_of(typed: str, now: datetime, zone: tzinfo | None = None) -> datetime | date:
    """`2026-12-11`, an instant with its offset, `+7d`, `+4h`, `tomorrow`, `friday 17:00`; raises `ValueError`. A day
    alone is its end of work, wherever the signers are. `zone` is by default this machine's.
    """
    phrase = " ".join(typed.casefold().split())
    if match := _FROM_NOW.fullmatch(phrase):
        return _from_now(int(match[1]), match[2], now, zone)
    if (match := _NAMED.fullmatch(phrase)) and (day := _day(match["day"], now.astimezone(zone).date())):
        if match["hour"] is None:
            return day
        due_at = datetime.combine(day, time(int(match["hour"]), int(match["minute"])), zone)
        return due_at.astimezone(UTC)
    try:
        return _ABSOLUTE.validate_python(typed)
    except ValidationError as error:
        raise ValueError(f"{error.errors()[0]['ctx']['error']}, or +7d, tomorrow, friday 17:00") from None


def _wait(_: type, tokens: Sequence[Token]) -> timedelta:
    match = re.fullmatch(r"([0-9]{1,3})([sm])", tokens[0].value)
    if not match:
        raise ValueError(f"{tokens[0].value} is not a time to wait such as 20s, 5m or 0s")
    return int(match[1]) * (timedelta(seconds=1) if match[2] == "s" else timedelta(minutes=1))


Op = Annotated[
    str | None, Parameter("--op", help="A name for this change: repeated under the same name, it is made once.")
]
Wait = Annotated[
    timedelta, Parameter("--wait", converter=_wait, help="How long to wait until it is done, such as 20s, 5m or 0s.")
]


@Parameter(name="*")
@dataclass(frozen=True)
class CommonOptions:
    """Options of all commands that change something."""

    as_: As = None
    op: Op = None
    wait: Wait = commands.CARRIED_OUT_WITHIN
    json: Annotated[bool, Parameter("--json", help="Print `{id, status, op, says, state, detail, outstanding}`.")] = (
        False
    )


PLAIN: Final = CommonOptions()


def is_due(_: object, typed: str) -> None:
    """Validates a due date."""
    due_of(typed, datetime.now(UTC))


def _from_now(number: int, unit: str, now: datetime, zone: tzinfo | None) -> datetime | date:
    if unit == "h":
        return (now + timedelta(hours=number)).replace(second=0, microsecond=0)
    return now.astimezone(zone).date() + timedelta(days=number * (7 if unit == "w" else 1))


def _day(day_name: str, today: date) -> date | None:
    if day_name in ("today", "tomorrow"):
        return today + timedelta(days=day_name == "tomorrow")
    meant = [number for number, name in enumerate(_WEEKDAYS) if day_name in (name, name[:3])]
    # Today's weekday means the next one.
    return today + timedelta(days=(meant[0] - today.weekday() - 1) % 7 + 1) if meant else None


@dataclass(frozen=True)
class OperationWords:
    """Commands that change an open one of one kind."""

    kind: Kind

    async def extend(
        self,
        id: Id,
        /,
        *,
        due: Annotated[str, Parameter(validator=is_due)],
        reason: str = "",
        options: CommonOptions = PLAIN,
    ) -> None:
        """Move the due date; warnings and reminders are planned anew.

        Parameters
        ----------
        due
            A date such as 2026-12-11 (the end of that working day), an instant with its offset, or counted from now:
            +7d, +4h (neither shortens), tomorrow, "friday 17:00".
        reason
            Why; recorded in the timeline.
        """
        due_at = due_of(due, datetime.now(UTC))

        async def later(context: Context) -> None:
            if due.lstrip().startswith("+"):
                await commands.refuse_earlier(context, self.kind, id, due, due_at)

        await self.carry_out(id, lambda actor: Extension(actor=actor, due=due_at, reason=reason), options, first=later)

    async def carry_out(
        self,
        id: str,
        command_of: Callable[[str], AnyCommand],
        options: CommonOptions,
        first: Callable[[Context], Awaitable[None]] | None = None,
    ) -> None:
        """Carry out the command made by `command_of` for its actor, and print the result. `first` may refuse what needs
        a look at it, beside what the directory refuses.
        """
        settings = ready()
        actor = await find_actor(settings, options.as_)
        command = actor.mark(command_of(actor.name))
        async with opened(settings) as context, patience("recorded; carrying it out", quiet=options.json):
            if first is not None:
                await first(context)
            await self._refuse_people(context, id, command)
            command = await self.with_ids(context, id, command)
            receipt = await commands.make(context, id, command, op=options.op, kind=self.kind, wait=options.wait)
        printing.print_answer(receipt, _receipt_view(receipt), as_json=options.json)

    async def with_ids(self, context: Context, id: str, command: AnyCommandT) -> AnyCommandT:
        """The command with ids in place of positions such as `signer-2`."""
        positions = {
            name: str(position) for name in PERSONS if str(position := getattr(command, name, "")).startswith("signer-")
        }
        if not positions:
            return command
        workflow = WorkflowName(self.kind, id_of(self.kind, id))
        view = await lookup.find_best_view(context.client, context.store, workflow)
        return command.replace(
            **{name: lookup.resolve_position(view, position) for name, position in positions.items()}
        )

    async def _refuse_people(self, context: Context, id: str, command: AnyCommand) -> None:
        """Refuse whom only the directory knows to be the wrong one."""
        is_of_review = isinstance(command, Exemption) and self.kind.spec.document
        if not isinstance(command, Delegation | Take) and not is_of_review:
            return
        from starter.cli import known_people  # noqa: PLC0415  no other word looks anybody up

        settings = ready()
        if isinstance(command, Delegation):
            await known_people.refuse_stranger(settings, context.store, command.to)
            return
        asker = (await lookup.show_of(self.kind, context, id)).requester
        if isinstance(command, Take):
            await known_people.refuse_outsider(settings, context.store, command.person, asker)
        elif isinstance(command, Exemption):
            await known_people.refuse_own(settings, context.store, command.actor, asker)


def described(operations: OperationWords, command_word: str) -> Callable[..., Awaitable[None]]:
    """The command of a word, by its description: its explanation, its arguments with their help."""
    model = COMMANDS[command_word]
    fields = {name: field for name, field in model.model_fields.items() if name not in OURS}

    async def carry_out(id: str, manner: CommonOptions = PLAIN, **typed: Any) -> None:
        sender = {"actor": ""} if issubclass(model, Command) else {}
        command = model.model_validate({**typed, **sender})
        await operations.carry_out(id, lambda actor: command.replace(actor=actor) if sender else command, manner)

    options = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if field.is_required() else field.default,
            annotation=Annotated[field.annotation, Parameter(_OTHER_NAMES.get(name), help=field.description)],
        )
        for name, field in fields.items()
    ]
    id_parameter = [inspect.Parameter("id", inspect.Parameter.POSITIONAL_ONLY, annotation=Id)]
    common = [inspect.Parameter("manner", inspect.Parameter.KEYWORD_ONLY, default=PLAIN, annotation=CommonOptions)]
    carry_out.__signature__ = inspect.Signature([*id_parameter, *options, *common])  # type: ignore[attr-defined]
    carry_out.__annotations__ = {}
    carry_out.__doc__ = explain(operations.kind, command_word)
    return carry_out


def _receipt_view(receipt: Receipt) -> Group:
    # The result, then the request's status once it is done, since it changes until then.
    if receipt.state is OperationState.OPEN:
        return Group(Sentence(f"asked for, still to be done: {receipt.detail}", "yellow"))
    lines = [Sentence(f"✓ {receipt.detail}", "green")] if receipt.detail else []
    return Group(*lines, Sentence(receipt.says))


def __getattr__(name: str) -> Callable[..., Awaitable[None]]:
    """`request_remind`: the words of kinds, as `starter/cli/app.py` names them."""
    kind, _, command_word = name.partition("_")
    if kind not in kinds() or command_word not in Kind(kind).spec.commands:
        raise AttributeError(name)
    operations = OperationWords(Kind(kind))
    return operations.extend if command_word == EXTEND else described(operations, command_word)
