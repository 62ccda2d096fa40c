"""The `countersign` command: its words, its help, and its true exit codes (0 done, 1 refused, 2 usage)."""

import sys
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final, NoReturn

from cyclopts import App, CycloptsError, Parameter, UnknownCommandError
from rich.text import Text

from starter import exits
from starter.commands import words
from starter.terminal import Terminal

_DEV: Final = "--dev"


def _version() -> str:
    try:
        return version("countersign")
    except PackageNotFoundError:
        return "from source"


def _in_one_line(error: CycloptsError) -> Text:
    says = _unknown(error, error.app) if isinstance(error, UnknownCommandError) and error.app else str(error)
    return Text(f"{says}\nTry: {' '.join(('countersign', *(error.command_chain or ())))} --help")


def _unknown(error: UnknownCommandError, app: App) -> str:
    """Cyclopts itself names only the words that are imported by now."""
    from activities.spelling import did_you_mean  # noqa: PLC0415  no word that is right waits for it

    typed = (error.unused_tokens or [""])[0]
    known = sorted(name for name in app if not name.startswith("-"))
    return f'Unknown command "{typed}"{did_you_mean(typed, known)}\nThere are: {", ".join(known)}.'


def _default(value: object) -> str | None:
    """What help says of a default: nothing of what is off or left out."""
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g}s"
    return str(value) if value else None


app = words.LazyApp(
    name="countersign",
    help=(
        "Every signature request is one durable Temporal workflow: sent, announced, reminded, escalated, settled.\n\n"
        "`countersign --dev DIR …` works with the stack of `countersign dev` in that folder; without it, with the one "
        "of this folder or the nearest above."
    ),
    version=_version,
    result_action="return_value",
    default_parameter=Parameter(show_default=_default, negative=()),
    exit_on_error=False,
    error_formatter=_in_one_line,
    console=Terminal(),
    error_console=Terminal(stderr=True, soft_wrap=True),
)
words.register(app)


def _refusals() -> tuple[type[Exception], ...]:
    from starter.refusals import REFUSALS  # noqa: PLC0415  of all words: those of the one that failed are there by now

    return REFUSALS


def main() -> NoReturn:
    """Run what was typed and end the process with its code."""
    typed = sys.argv[1:]
    word = next(iter(typed[2:] if typed[:1] == [_DEV] else typed), "")
    exits.run(
        lambda: app(_for_stack(typed)),
        refusals=_refusals,
        usage=(CycloptsError,),
        service=word == "webhook",
        until_stopped=word in ("worker", "dev"),
    )


def _for_stack(typed: list[str]) -> list[str]:
    """The words behind `--dev DIR`, for the stack of that folder; raises `Refusal` when there is none."""
    if typed[:1] != [_DEV] or len(typed) == 1:
        return typed
    from starter import settings  # noqa: PLC0415  no other word of the command waits for them

    settings.choose_stack(Path(typed[1]))
    return typed[2:]
