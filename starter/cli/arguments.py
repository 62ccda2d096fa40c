"""What several words are given."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

Id = Annotated[str, Parameter(help="Its id, or its whole workflow id.")]
AsJson = Annotated[bool, Parameter(name="--json")]
"""The parameter `--json` that every command takes."""
As = Annotated[str | None, Parameter("--as", help="Who acts; default: COUNTERSIGN_ACTOR, else user@host.")]
Watch = Annotated[
    bool,
    Parameter(
        name="--watch",
        help="Read it again every few seconds and redraw it, until Ctrl-C; with --json a line whenever it has changed.",
    ),
]
ReadyFile = Annotated[Path | None, Parameter(help="A file that is written when the process is ready.")]
JsonLog = Annotated[bool, Parameter(name="--json", help="Log in JSON on a terminal, too.")]


def _known_option(_: object, value: str | None) -> None:
    if value is not None and value.startswith("-") and value != "-":
        raise ValueError(f"there is no option {value}")


RequestFile = Annotated[str, Parameter(allow_leading_hyphen=True, validator=_known_option)]
"""`-` is standard input, and a mistyped option is not taken for a file."""


def csv_or_json(**typed: object) -> None:
    """Refuse what does not go together of `stats`."""
    if typed.get("csv") and typed.get("json"):
        raise ValueError("give --csv or --json, not both")


def files_or_rows(**typed: object) -> None:
    """Refuse what does not go together of `start`."""
    rows = [typed.get("template"), typed.get("csv")]
    if any(rows) and not all(rows):
        raise ValueError("--template and --csv go together")
    if bool(typed.get("files")) == any(rows):
        raise ValueError("give one or more files, or --template with --csv")


def failed_or_person(**typed: object) -> None:
    """Refuse `campaign retry` of nobody, and of everybody and somebody."""
    if bool(typed.get("failed")) is bool(typed.get("person")):
        raise ValueError("give --failed, or --person P")


def one_decision(**typed: object) -> None:
    """Refuse what does not go together of `onboard decide`."""
    choices = [choice for choice in ("resend", "replace", "waive", "stop") if typed.get(choice)]
    if len(choices) != 1:
        raise ValueError("give exactly one of --resend, --replace FILE, --waive and --stop")
    if typed.get("signer") and choices != ["resend"]:
        raise ValueError("--signer goes with --resend")
    if choices[0] in ("waive", "stop") and not typed.get("reason"):
        raise ValueError(f"--{choices[0]} needs --reason")


def one_answer(**typed: object) -> None:
    """Refuse what does not go together of `request review`."""
    if bool(typed.get("approve")) is bool(typed.get("changes")):
        raise ValueError("give --approve, or --changes TEXT")


def one_target(**typed: object) -> None:
    """Refuse what does not go together of `fast-forward`."""
    if (typed.get("duration") is None) is not bool(typed.get("to_next")):
        raise ValueError("give a duration such as 3d, or --to-next")


def plan_or_year(**typed: object) -> None:
    """Refuse what does not go together of `campaign schedule`."""
    if typed.get("plan") and typed.get("year") is not None:
        raise ValueError("give --plan, which only shows, or --year, which gives content")


def only_now(**typed: object) -> None:
    """Refuse a retry that would change nothing: each attempt comes by itself when it is due."""
    if not typed.get("now"):
        raise ValueError("add --now to try at once; without it each is tried again when it is due")


def only_dead(**typed: object) -> None:
    """Refuse a replay of many that were told: one at a time is replayed with `--again`."""
    if not typed.get("dead"):
        raise ValueError(
            "add --dead: only what is dead is replayed together; `request replay ID --target T --again` does one"
        )


def hold_or_list(**typed: object) -> None:
    """Refuse a hold without its reason, and what is done to none."""
    if typed.get("list_"):
        if typed.get("id") or typed.get("reason") or typed.get("release"):
            raise ValueError("--list goes alone: it lists all that is held")
    elif not typed.get("id"):
        raise ValueError("give an ID, or --list for all that is held")
    elif not (typed.get("reason") or typed.get("release")):
        raise ValueError("give --reason: why it is held, such as the matter or its number")


def adopt_or_list(**typed: object) -> None:
    """Refuse a document without its kind and owner, and what is done to none."""
    given = [name for name in ("document", "kind", "owner") if typed.get(name)]
    if typed.get("list_"):
        if given:
            raise ValueError("--list goes alone: it lists the documents that nothing follows up")
    elif len(given) != len(("document", "kind", "owner")):
        raise ValueError("give a DOCUMENT with --kind K and --owner P, or --list for those that nothing follows up")


def one_or_many(**typed: object) -> None:
    """Refuse what is done to one and to many."""
    filters = [name for name in ("kind", "person", "requester", "status", "search", "since") if typed.get(name)]
    if bool(typed.get("id")) is bool(filters):
        raise ValueError("give one ID, or --kind, --person, --requester, --status, --search, --since")
    if filters and typed.get("so_far"):
        raise ValueError("--so-far goes with an ID: what filters find has ended")
