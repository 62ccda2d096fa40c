"""The words of the command: help that a newcomer can act on, JSON everywhere, exit codes 0, 1 and 2, no traceback."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from cyclopts import App
from rich.console import Console

from starter.boot import processes as modules
from starter.cli import app as command_line
from starter.cli.app import app
from starter.errors import Exit
from starter.queries.commands import CommandRefused
from tests.starter.terminal import make_complete_environment, type_, type_before_nobody
from workflows.model.rejections import Rejection

NOBODY = {"TEMPORAL_ADDRESS": "127.0.0.1:1"}


def list_commands(group: App, *chain: str) -> Iterator[tuple[str, ...]]:
    """Every command as it is typed."""
    for name in group:
        if name.startswith("-"):
            continue
        inner = group[name]
        if inner.default_command is None:
            yield from list_commands(inner, *chain, name)
        else:
            yield (*chain, name)


COMMANDS = sorted(list_commands(app))
OF_CAMPAIGN = (
    *("cancel", "exempt", "extend", "fast-forward", "list", "plan", "remind", "replay", "report"),
    *("retry", "sample", "schedule", "show", "start", "take", "template"),
)
OF_ONBOARD = (
    "answer",
    "cancel",
    "decide",
    "done",
    "fast-forward",
    "link",
    "list",
    "map",
    "plan",
    "preview",
    "replay",
    "show",
    "start",
    "take",
)
OF_TASK = (
    *("answer", "ask", "block", "cancel", "delegate", "done", "extend", "fast-forward", "list"),
    *("pause", "remind", "replay", "resume", "show", "start", "take", "unblock", "waive"),
)
STARTED = ("request", "onboard", "campaign")
"""Kinds of which several are started at once."""


def print_help(*typed: str, application: App = app) -> str:
    console = Console(file=StringIO(), width=200)
    with console.capture() as captured:
        application([*typed, "--help"], console=console)
    return captured.get()


def test_the_words_are_those_of_the_contract() -> None:
    assert [" ".join(command) for command in COMMANDS] == [
        "audit erase",
        "audit export",
        "audit hold",
        "audit verify",
        *(f"campaign {subcommand}" for subcommand in OF_CAMPAIGN),
        "completion",
        "database upgrade",
        "demo",
        "dev",
        "doctor",
        "fast-forward",
        "handoff list",
        "handoff listen",
        "handoff replay",
        "handoff retry",
        "init",
        "login",
        *(f"onboard {subcommand}" for subcommand in OF_ONBOARD),
        "open",
        "people away",
        "people back",
        "people confirm",
        "people devices",
        "people import",
        "people sign-out",
        "person show",
        "reconcile",
        "request adopt",
        "request answer",
        "request ask",
        "request cancel",
        "request delegate",
        "request download",
        "request exempt",
        "request extend",
        "request fast-forward",
        "request link",
        "request links",
        "request list",
        "request new",
        "request pause",
        "request plan",
        "request remind",
        "request replay",
        "request resume",
        "request review",
        "request revise",
        "request show",
        "request start",
        "request take",
        "stats",
        "tail",
        *(f"task {subcommand}" for subcommand in OF_TASK),
        "tenant try",
        "token list",
        "token new",
        "token revoke",
        "webhook",
        "worker",
    ]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_word_explains_itself_and_speaks_json(command: tuple[str, ...]) -> None:
    help_text = print_help(*command)
    assert "--json" in help_text
    rows = [line.strip("│ ") for line in help_text.splitlines() if line.startswith("│")]
    unexplained = [row for row in rows if len(row.replace("*", "").split()) < 3]
    assert not unexplained
    assert "--no-" not in help_text.replace("--no-names", ""), "only --no-names is of the outside contract"


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_says_no_default_of_what_is_off_or_left_out(command: tuple[str, ...]) -> None:
    help_text = " ".join(print_help(*command).split())
    assert not any(
        default in help_text for default in ("[default: ]", "[default: ()]", "[default: False]", "[default: None]")
    )


@pytest.mark.parametrize("groups", [(), *((name,) for name in command_line.GROUPS)], ids=" ".join)
def test_a_list_of_commands_explains_each_in_the_first_words_of_its_own_help(groups: tuple[str, ...]) -> None:
    """Lists read them from the source of commands that are not imported."""
    console, application = Console(width=400), command_line.LazyApp(name="countersign", result_action="return_value")
    command_line.register(application)
    with console.capture() as captured:
        application([*groups, "--help"], console=console)
    rows = [line.strip("│ ").split(maxsplit=1) for line in captured.get().splitlines() if line.startswith("│")]
    for name, summary in (row for row in rows if not row[0].startswith("-")):
        assert f" {summary}" in f" {' '.join(print_help(*groups, name, application=application).split())}"


@pytest.mark.parametrize("command", ["cancel", "extend", "show"])
def test_a_campaign_has_help_of_its_own(command: str) -> None:
    of_campaign, of_request = (print_help(kind, command).splitlines()[2:] for kind in ("campaign", "request"))
    assert of_campaign[:2] != of_request[:2]


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (("fast-forward", "msa-0042"), "give a duration such as 3d, or --to-next"),
        (("fast-forward", "msa-0042", "3d", "--to-next"), "give a duration such as 3d, or --to-next"),
        (
            ("bogus",),
            'Unknown command "bogus"\nThere are: audit, campaign, completion, database, demo, dev, doctor,',
        ),
        (("docter",), 'Unknown command "docter", did you mean doctor?'),
        (
            ("request", "strat", "msa.yaml"),
            'Unknown command "strat", did you mean start?\nThere are: adopt, answer,',
        ),
        (("campaign", "shedule"), 'Unknown command "shedule", did you mean schedule?'),
        (("request", "cancel", "msa-0042"), "--reason requires an argument"),
        (("request", "answer", "msa-0042"), "--text requires an argument"),
        (("request", "delegate", "msa-0042", "--to", "chair"), "--signer requires an argument"),
        (("stats", "--csv", "--json"), "give --csv or --json, not both"),
        (("stats", "--since", "yesterday"), "--since"),
        (("request", "extend", "msa-0042", "--due", "3d"), "must be a date such as 2026-12-11 or an instant"),
        (("request", "extend", "msa-0042", "--due", "2026-12-11T17:00"), "with its offset"),
        (("request", "start", "--josn", "msa.yaml"), "there is no option --josn"),
        *(((kind, "start"), "give one or more files, or --template with --csv") for kind in STARTED),
        *(((kind, "start", "a.yaml", "--csv", "a.csv"), "--template and --csv go together") for kind in STARTED),
        (("request", "adopt"), "give a DOCUMENT with --kind K and --owner P, or --list"),
        (("request", "adopt", "4711", "--list"), "--list goes alone"),
        (("task", "fast-forward", "keys"), "give a duration such as 3d, or --to-next"),
        (("fast-forward", "msa-0042", "3 days"), "3 days is not a duration such as 4h, 3d or 2w"),
    ],
)
def test_wrong_usage_is_2_and_points_to_the_help(typed: tuple[str, ...], message: str) -> None:
    process = type_(*typed)
    assert (process.returncode, process.stdout) == (2, "")
    assert message in process.stderr
    assert "Try: countersign" in process.stderr
    assert "Traceback" not in process.stderr


MEANT: dict[str, dict[str, object]] = {
    "--wait": {"20s": timedelta(seconds=20), "5m": timedelta(minutes=5), "0s": timedelta()},
    "--since": {"12h": timedelta(hours=12), "2d": timedelta(days=2), "1w": timedelta(weeks=1)},
    "--signs": {"a@+2d": ("a@+2d",), "a@+2d,b@+3h": ("a@+2d,b@+3h",)},
    "--signer": {"a=b": ("a=b",)},
}
"""What the texts of options mean that a converter of ours reads."""
TYPED = {
    "--wait": "request remind msa",
    "--since": "handoff replay --dead",
    "--signs": "request plan msa.yaml",
    "--signer": "onboard decide acme --part msa --resend",
}


@pytest.mark.parametrize(("option", "text"), [(option, text) for option, texts in MEANT.items() for text in texts])
def test_what_is_typed_means_what_it_says(option: str, text: str) -> None:
    """Through the whole of the command, as it reaches the function of the word."""
    _, bound, _ = app.parse_args([*TYPED[option].split(), option, text], exit_on_error=False, print_error=False)
    arguments = bound.arguments
    name = option.removeprefix("--")
    assert (arguments[name] if name in arguments else getattr(arguments["manner"], name)) == MEANT[option][text]


def test_each_converter_of_the_command_is_in_the_table() -> None:
    option_names = set()
    for command in COMMANDS:
        subcommand: App = app
        for name in command:
            subcommand = subcommand[name]
        read = (argument for argument in subcommand.assemble_argument_collection() if argument.parameter.converter)
        option_names |= {
            argument.name
            for argument in read
            if getattr(argument.parameter.converter, "__module__", "").startswith("starter")
        }
    assert option_names == set(MEANT)


def test_a_server_that_is_not_there_is_1_in_one_line() -> None:
    process = type_("request", "show", "msa-0042", **NOBODY)
    assert (process.returncode, process.stdout) == (1, "")
    assert process.stderr == "no Temporal server at 127.0.0.1:1: connection refused\n"


def test_a_faulty_file_is_refused_before_any_server_is_asked(tmp_path: Path) -> None:
    people = tmp_path / "people.yaml"
    people.write_text("people: [{id: a, name: A, email: a@example.com, zone: Europe/Amsterdam}]\n")
    process = type_("request", "start", "-", stdin="kind: contract\n", COUNTERSIGN_PEOPLE=str(people), **NOBODY)
    assert (process.returncode, process.stdout) == (1, "")
    assert 'stdin:1: kind: "contract" is not a kind of policies.yaml' in process.stderr
    assert "document: " in process.stderr
    assert "Temporal" not in process.stderr


FILES = {
    "request": "kind: sales-contract\ndocument: msa.pdf\nrequester: a\nsigners: [a]\n",
    "task": "kind: team-task\ntitle: Account\nwho: {person: a}\nowner: b\n",
    "onboard": "owner: a\ncustomer: {company: Acme, person: b}\nstages: [{name: one}]\n",
    "campaign": "document: {file: conduct.pdf, version: '1'}\naudience: {group: all}\nowner: a\n",
}


@pytest.mark.parametrize("meant", FILES)
@pytest.mark.parametrize("command", FILES)
def test_a_file_of_another_kind_is_sent_to_its_own_word_in_one_line(command: str, meant: str, tmp_path: Path) -> None:
    file, people = tmp_path / "file.yaml", tmp_path / "people.yaml"
    people.write_text("people: [{id: a, name: A, email: a@example.com, zone: Europe/Amsterdam}]\n")
    file.write_text(FILES[meant], "utf-8")
    process = type_(command, "start", str(file), COUNTERSIGN_PEOPLE=str(people), **NOBODY)
    assert (process.returncode, process.stdout) == (1, "")
    names = {"onboard": "onboarding"}
    file_kind, command_kind = names.get(meant, meant), names.get(command, command)
    article = "an" if file_kind == "onboarding" else "a"
    message = f"{file}:1: is {article} {file_kind}, no {command_kind}: `countersign {meant} start` starts it\n"
    assert (process.stderr == message) is (command != meant)


@pytest.mark.long
def test_each_fault_of_the_people_file_is_told_once(tmp_path: Path) -> None:
    people, request = tmp_path / "people.yaml", tmp_path / "msa.yaml"
    people.write_text("people: [{id: a}]\n")
    (tmp_path / "msa.pdf").write_bytes(b"%PDF-1.4")
    request.write_text("kind: customer-contract\ndocument: msa.pdf\nrequester: a\nsigners: [a]\n")
    process = type_("request", "start", str(request), COUNTERSIGN_PEOPLE=str(people), **NOBODY)
    assert (process.returncode, process.stdout) == (1, "")
    faults = [
        f"{people}:1: people[0].{fault}\n"
        for fault in ("name: is missing", "phone: needs email or phone", "zone: is missing")
    ]
    assert sorted(process.stderr.splitlines(keepends=True)) == faults


def test_what_is_not_set_is_named() -> None:
    process = type_("request", "start", "msa.yaml", **NOBODY)
    [missing, way_out] = process.stderr.splitlines()
    assert (process.returncode, missing) == (
        1,
        "COUNTERSIGN_PEOPLE: is missing (The people file; or `database`, for people who are pushed (SCIM))",
    )
    assert "`countersign dev` starts one" in way_out
    process = type_("request", "start", "msa.yaml", COUNTERSIGN_LOG_LEVEL="warning", **NOBODY)
    assert process.stderr == f"{missing}\n"


@pytest.mark.parametrize("typed", [("--help",), ("doctor",), ("doctor", "--json")], ids=" ".join)
def test_a_reader_who_went_away_is_a_broken_pipe_however_it_is_printed(typed: tuple[str, ...], tmp_path: Path) -> None:
    """`countersign … | true`: a refusal it is not."""
    process = type_before_nobody(*typed, COUNTERSIGN_DATA_DIR=str(tmp_path), **NOBODY)
    assert (process.returncode, process.stderr) == (Exit.BROKEN_PIPE, "")


@pytest.mark.long
@pytest.mark.parametrize(
    ("typed", "unneeded"),
    [
        (("--version",), ("asyncio", "httpx", "pydantic", "temporalio")),
        *(
            (
                typed,
                ("activities", "asyncio", "authlib", "joserfc", "pydantic", "sqlalchemy", "temporalio", "workflows"),
            )
            for typed in (("--help",), ("audit", "--help"), ("token", "--help"))
        ),
        (("dev", "--help"), ("asyncio", "httpx", "pydantic", "sqlalchemy", "temporalio")),
        (
            ("request", "show", "msa-0042"),
            ("authlib", "babel", "holidays", "httpx", "jinja2", "opentelemetry.sdk", "regex", "ruamel", "starlette"),
        ),
        (("database", "upgrade", "--help"), ("alembic",)),
        (
            ("request", "remind", "msa-0042"),
            ("alembic", "authlib", "httpx", "jinja2", "opentelemetry.sdk", "starlette"),
        ),
        (("request", "plan", "nowhere.yaml"), ("jinja2", "opentelemetry.sdk", "starlette")),
        (
            ("campaign", "report", "conduct"),
            ("jinja2", "starlette"),
        ),
    ],
    ids=" ".join,
)
def test_a_word_waits_for_no_import_that_only_others_need(
    typed: tuple[str, ...], unneeded: tuple[str, ...], tmp_path: Path
) -> None:
    script = f"""
import os, sys
from starter.boot import exits
exits.os._exit = lambda code: os.write(2, " ".join(sys.modules).encode())
from starter.__main__ import main
sys.argv = ["countersign", *{typed!r}]
main()
"""
    process = subprocess.run(  # noqa: S603  our own interpreter
        [sys.executable, "-c", script],
        env={**modules.environment(), **make_complete_environment(tmp_path), **NOBODY},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    imported = set(process.stderr.split())
    assert "starter.__main__" in imported
    assert sorted(imported.intersection(unneeded)) == []


@pytest.mark.long
def test_the_imports_of_a_word_cause_no_full_garbage_collection(tmp_path: Path) -> None:
    script = """
import gc, os, sys
from starter.boot import exits
exits.os._exit = lambda code: os.write(2, b"full collections: %d" % gc.get_stats()[2]["collections"])
from starter.__main__ import main
sys.argv = ["countersign", "request", "show", "msa-0042"]
main()
"""
    process = subprocess.run(  # noqa: S603  our own interpreter
        [sys.executable, "-c", script],
        env={**modules.environment(), **make_complete_environment(tmp_path), **NOBODY},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "full collections: 0" in process.stderr


def test_the_version_is_told() -> None:
    process = type_("--version")
    assert process.returncode == 0
    assert process.stdout.strip()


def test_the_stack_of_another_folder_is_named_before_the_word(tmp_path: Path) -> None:
    process = type_before_nobody("--dev", str(tmp_path), "request", "list")
    assert process.returncode == Exit.REFUSED
    assert process.stderr == f"--dev {tmp_path}: no stack of `countersign dev` runs on this folder\n"


@pytest.mark.long
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_every_word_and_option(shell: str) -> None:
    process = type_("completion", shell)
    assert (process.returncode, process.stderr) == (0, "")
    assert [part for command in COMMANDS for part in command if part not in process.stdout] == []
    assert "--requester" in process.stdout or "-l requester" in process.stdout


@pytest.mark.parametrize(
    ("command", "workflow_id"), [("request", "task:a"), ("task", "signature-request:a"), ("campaign", "task:a")]
)
def test_fast_forward_below_a_word_takes_ids_of_this_kind_alone(tmp_path: Path, command: str, workflow_id: str) -> None:
    process = type_before_nobody(command, "fast-forward", workflow_id, "1d")
    assert process.returncode == Exit.REFUSED
    assert f'"{workflow_id}" is no ' in process.stderr


@pytest.mark.parametrize(
    ("typed", "error_output"), [(["x"], ""), (["x", "--json"], '{"code": "blocked", "values": {}}\n')]
)
def test_a_refused_command_with_json_has_its_code_and_values_on_the_error_output(
    typed: list[str], error_output: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(arguments: list[str]) -> None:
        raise CommandRefused(Rejection.BLOCKED.to_message())

    monkeypatch.setattr(command_line, "app", refuse)
    with pytest.raises(CommandRefused):
        command_line._called(typed)
    assert capsys.readouterr() == ("", error_output)
