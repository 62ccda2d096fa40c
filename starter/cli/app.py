"""The `countersign` command: its words, its help, and its true exit codes (0 done, 1 refused, 2 usage)."""

import ast
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NoReturn

from cyclopts import App, CycloptsError, Parameter, UnknownCommandError, ValidationError
from cyclopts.command_spec import CommandSpec
from cyclopts.group_extractors import groups_from_app
from rich.console import Console
from rich.text import Text

from starter.boot import exits, processes
from starter.cli import arguments
from starter.cli.terminal import Terminal
from starter.errors import Refusal


@dataclass(frozen=True)
class Group:
    """The commands below one word, each as `module:function`: of this folder, or with the full name of a module."""

    help: str
    commands: Mapping[str, str]


_OF_COUNTERSIGN: Final = {
    "worker": "stack:worker",
    "webhook": "stack:webhook",
    "dev": "stack:dev",
    "demo": "stack:demo",
    "fast-forward": "setup:fast_forward",
    "stats": "stats:stats",
    "open": "tail:open_page",
    "tail": "tail:tail",
    "reconcile": "setup:reconcile",
    "init": "setup:init",
    "doctor": "setup:doctor",
    "completion": "completion:completion",
    "login": "login:login",
}
"""Each as `module:function` of this folder."""
_FOLLOWED_UP: Final = ("answer", "take", "resume", "remind", "extend", "delegate", "pause", "ask", "replay", "cancel")


def _described(kind: str, *command_words: str) -> dict[str, str]:
    """Words of a kind as their one description has them, which no other word waits for; a test compares both."""
    return {command_word: f"operations:{kind}_{command_word}" for command_word in command_words}


GROUPS: Final[dict[str, Group]] = {
    "request": Group(
        "One signature request: start it, look at it, change it, end it.",
        {
            "start": "start:request",
            "new": "new:new",
            "show": "show:request",
            "list": "listing:requests",
            **_described("request", *_FOLLOWED_UP, "exempt"),
            "review": "review:review",
            "revise": "review:revise",
            "plan": "plan:plan",
            "download": "download:download",
            "links": "download:links",
            "link": "handed_link:link",
            "adopt": "adopt:adopt",
            "fast-forward": "setup:fast_forward_request",
        },
    ),
    "task": Group(
        "One task of a person or a team: start it, look at it, change it, end it.",
        {
            "start": "start:task",
            "show": "show:task",
            "list": "listing:tasks",
            **_described("task", "done", "waive", "block", "unblock", *_FOLLOWED_UP),
            "fast-forward": "setup:fast_forward_task",
        },
    ),
    "onboard": Group(
        "One customer onboarding: start it, look at it, decide about it, end it.",
        {
            "start": "start:onboarding",
            "show": "show:onboarding",
            "list": "listing:onboardings",
            **{name: f"onboard:{name}" for name in ("decide", "done", "answer")},
            **_described("onboarding", "cancel", "replay", "take"),
            "plan": "plan:onboarding",
            "map": "onboard:map_deal",
            "link": "onboard:link",
            "preview": "onboard:preview",
            "fast-forward": "setup:fast_forward_onboarding",
        },
    ),
    "campaign": Group(
        "One campaign: start it, see who has not acknowledged, change it, print its report.",
        {
            "start": "start:campaign",
            "show": "show:campaign",
            "list": "listing:campaigns",
            "report": "campaign:report",
            "sample": "campaign:sample",
            **{name: f"campaign:{name}" for name in ("exempt", "extend", "retry")},
            **_described("campaign", "remind", "cancel", "replay", "take"),
            "plan": "plan:campaign",
            "template": "new:template",
            "schedule": "campaign:schedule",
            "fast-forward": "setup:fast_forward_campaign",
        },
    ),
    "handoff": Group(
        "Targets of the hand-off: their status, and repeating deliveries.",
        {
            "list": "handoff:list_",
            "retry": "handoff:retry",
            "replay": "handoff:replay",
            "listen": "handoff:listen",
        },
    ),
    "audit": Group(
        "Evidence for auditors: export and verify packs, legal holds, erasure of a person.",
        {
            "export": "audit:export",
            "verify": "audit:verify_packs",
            "hold": "audit:hold",
            "erase": "audit:erase",
        },
    ),
    "people": Group(
        "The people of the directory.",
        {
            "devices": "people:devices",
            "sign-out": "people:sign_out",
            "away": "people:enter_absence",
            "back": "people:back",
            "import": "people:import_",
            "confirm": "people:confirm",
        },
    ),
    "token": Group(
        "Tokens by which programs call the API.",
        {"new": "token:new", "list": "token:list_", "revoke": "token:revoke"},
    ),
    "tenant": Group(
        "Your tenant at Core Signature: test what Countersign assumes about it.",
        {"try": "tenant:try_"},
    ),
    "database": Group(
        "The database.",
        {"upgrade": "setup:upgrade"},
    ),
    "person": Group(
        "One person of the directory.",
        {"show": "people:show"},
    ),
}
"""The words with commands below them; a further kind adds its own."""

_CHECKED: Final = {
    **{
        f"setup:fast_forward{kind}": arguments.one_target
        for kind in ("", "_request", "_task", "_onboarding", "_campaign")
    },
    "onboard:decide": arguments.one_decision,
    "review:review": arguments.one_answer,
    "adopt:adopt": arguments.adopt_or_list,
    "campaign:retry": arguments.failed_or_person,
    "stats:stats": arguments.csv_or_json,
    "start:request": arguments.files_or_rows,
    "start:onboarding": arguments.files_or_rows,
    "start:campaign": arguments.files_or_rows,
    "campaign:schedule": arguments.plan_or_year,
    "handoff:retry": arguments.only_now,
    "handoff:replay": arguments.only_dead,
    "audit:export": arguments.one_or_many,
    "audit:hold": arguments.hold_or_list,
    "download:download": arguments.one_or_many,
}
"""What is looked at whole before the word does anything."""


class LazyApp(App):
    """Words that are imported when they are typed, and for the help that lists them only if it cannot do without."""

    def help_print(self, tokens: str | Iterable[str] | None = None, *, console: Console | None = None) -> None:
        """See `App`: what is not imported has no explanation of its own."""
        _, apps, _ = self.parse_commands(tokens)
        commands = [command.app for _, group in groups_from_app(apps[-1]) for command in group]
        summaries = [
            (command, _summary(command.import_path)) for command in commands if isinstance(command, CommandSpec)
        ]
        if not all(summary for _, summary in summaries):
            apps[-1].resolved_commands()
            summaries = []
        for command, summary in summaries:
            command.help = summary
        super().help_print(tokens, console=console)
        for command, _ in summaries:
            command.help = None  # the help of the word itself is the whole docstring


def _summary(import_path: str) -> str | None:
    """The first paragraph of a function's docstring, from its source, so that a list of words imports none of them.
    None where the source does not show which function it is.
    """
    module, _, name = import_path.partition(":")
    if module == f"{__package__}.operations":
        from workflows.command_words import explain  # noqa: PLC0415  only the help of these words waits for it

        kind, _, command_word = name.partition("_")
        return explain(kind, command_word)
    docstrings = _docstrings(module).get(name, [])
    return docstrings[0].partition("\n\n")[0] if len(docstrings) == 1 else None


@lru_cache
def _docstrings(module: str) -> dict[str, list[str]]:
    """By the name of a function or method; several where classes have methods of one name."""
    spec = find_spec(module)
    tree = ast.parse(Path(spec.origin).read_text("utf-8") if spec and spec.origin else "")
    docstrings: dict[str, list[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            docstrings.setdefault(node.name, []).append(ast.get_docstring(node) or "")
    return docstrings


def register(app: App) -> None:
    """Add all words to the command."""
    for name, path in _OF_COUNTERSIGN.items():
        _add(app, name, path)
    for group_name in GROUPS:
        _add_group(app, group_name)


def _add_group(app: App, group_name: str) -> None:
    group = LazyApp(name=group_name, help=GROUPS[group_name].help)
    for name, path in GROUPS[group_name].commands.items():
        _add(group, name, path)
    app.command(group)


def _add(app: App, name: str, path: str) -> None:
    full_path = path if "." in path else f"{__package__}.{path}"
    app.command(full_path, name=name, validator=_CHECKED.get(path))


_DEV: Final = "--dev"


def _in_one_line(error: CycloptsError) -> Text:
    if isinstance(error, UnknownCommandError) and error.app:
        message = _unknown(error, error.app)
    else:
        message = _invalid(error) if isinstance(error, ValidationError) else str(error)
    return Text(f"{message}\nTry: {' '.join(('countersign', *(error.command_chain or ())))} --help")


def _invalid(error: ValidationError) -> str:
    """Without the value, which the message repeats where it helps, and which is a tuple of what may be repeated."""
    if error.argument is None or not error.argument.tokens:
        return error.exception_message
    name = error.argument.tokens[0].keyword or error.argument.name.lstrip("-").upper()
    return f"Invalid value for {name}: {error.exception_message}"


def _unknown(error: UnknownCommandError, app: App) -> str:
    """Cyclopts itself names only the words that are imported by now."""
    from activities.errors import did_you_mean  # noqa: PLC0415  no word that is right waits for it

    typed = (error.unused_tokens or [""])[0]
    candidates = sorted(name for name in app if not name.startswith("-"))
    return f'Unknown command "{typed}"{did_you_mean(typed, candidates)}\nThere are: {", ".join(candidates)}.'


def _default(value: object) -> str | None:
    """What help says of a default: nothing of what is off or left out."""
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g}s"
    return str(value) if value else None


app = LazyApp(
    name="countersign",
    help=(
        "Each signature request is one durable Temporal workflow: sent, notified, reminded, escalated, handed off.\n\n"
        "`countersign --dev DIR …` works with the stack of `countersign dev` in that folder; without it, with the one "
        "of this folder or the nearest above."
    ),
    version=processes.release,
    result_action="return_value",
    default_parameter=Parameter(show_default=_default, negative=()),
    exit_on_error=False,
    error_formatter=_in_one_line,
    console=Terminal(),
    error_console=Terminal(stderr=True, soft_wrap=True),
)
register(app)


def main() -> NoReturn:
    """Run what was typed and end the process with its code."""
    typed = sys.argv[1:]
    first_word = next(iter(typed[2:] if typed[:1] == [_DEV] else typed), "")
    exits.run(
        lambda: _called(typed),
        refusals=_refusals,
        usage=(CycloptsError,),
        service=first_word == "webhook",
        until_stopped=first_word in ("worker", "dev"),
    )


def _refusals() -> tuple[type[Exception], ...]:
    from starter.boot.refusals import REFUSALS  # noqa: PLC0415  their imports are heavy, and needed only when a command failed

    return REFUSALS


def _called(typed: list[str]) -> object:
    own_groups = {*GROUPS}
    processes.load_kinds()
    for further in GROUPS.keys() - own_groups:
        _add_group(app, further)
    try:
        return app(_for_stack(typed))
    except Refusal as refusal:
        if refusal.message and "--json" in typed:
            sys.stderr.write(json.dumps(refusal.message.model_dump(mode="json"), ensure_ascii=False) + "\n")
        raise


def _for_stack(typed: list[str]) -> list[str]:
    """The words behind `--dev DIR`, for the stack of that folder; raises `Refusal` when there is none."""
    if typed[:1] != [_DEV] or len(typed) == 1:
        return typed
    import starter.config.settings as settings  # noqa: PLC0415  no other word of the command waits for them

    settings.choose_stack(Path(typed[1]))
    return typed[2:]
