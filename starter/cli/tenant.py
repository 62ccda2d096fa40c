"""`countersign tenant …`: trying the real tenant."""

import re
import sys
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter, Token
from rich.text import Text

from activities.core_signature.signers import folded
from activities.people.person import PushDevice
from starter.boot import clients
from starter.boot.startup import ready
from starter.cli.arguments import AsJson
from starter.cli.printing import note, patience, print_answer
from starter.cli.terminal import Rows, Terminal
from starter.config.settings import Need, Settings
from starter.errors import Exit, Refusal
from starter.tenant.facts import FactFinding, Verdict
from starter.tenant.recording import ANSWERS, REPORT
from starter.tenant.report import counts, mends, write_report
from starter.tenant.trial import Trial, TrialPlan
from workflows.model.base import Model

_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+|[^@\s]+@localhost")
_WAIT: Final = timedelta(minutes=10)
_UNITS: Final = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1)}
LONGEST_WAIT: Final = timedelta(minutes=45)
"""For the signer of the test document."""
_MARKS: Final = {Verdict.HOLDS: ("✓", "green"), Verdict.DIFFERS: ("✗", "bold red"), Verdict.NOT_SEEN: ("·", "dim")}


class TrialAnswer(Model):
    """The answer of `tenant try`; `ok` if nothing differs and all was tried."""

    ok: bool
    facts: tuple[FactFinding, ...]
    left: tuple[str, ...]
    folder: str


def _span(_: type, tokens: Sequence[Token]) -> timedelta:
    match = re.fullmatch(r"(\d{1,4})([smh])", tokens[0].value)
    span = int(match[1]) * _UNITS[match[2]] if match else None
    if span is None or span > LONGEST_WAIT:
        raise ValueError(f"{tokens[0].value} is not a time such as 90s or 10m, and at most 45m")
    return span


def _is_email(_: object, value: str | None) -> None:
    if value is not None and not _EMAIL.fullmatch(value):
        raise ValueError(f"{value} is not an e-mail address")


Address = Annotated[str, Parameter(validator=_is_email)]


async def try_(
    *,
    to: Address,
    person: str | None = None,
    forward_to: Annotated[str | None, Parameter(validator=_is_email)] = None,
    wait: Annotated[timedelta, Parameter(converter=_span)] = _WAIT,
    output: Annotated[Path | None, Parameter(name=("--output", "-o"))] = None,
    yes: bool = False,
    json: AsJson = False,
) -> Exit:
    """Send two test documents to yourself, and report whether each assumed fact about Core Signature and the push
    service holds, differs (and which setting to change) or was not seen.

    One is yours to sign or decline, the other is forwarded, cancelled and deleted. No other document is touched, and
    what is open at the end is cancelled, also after Ctrl-C. Exit code 1 if something differs.

    Parameters
    ----------
    to
        Your own e-mail address.
    person
        Somebody of the people file: one message is pushed to their first device.
    forward_to
        A second address of yours, to which the second document is forwarded; default: yours with +countersign.
    wait
        How long to wait for your signature, such as 90s or 10m, at most 45m; 0s: do not wait.
    output
        A new folder for the report and the answers, without names, addresses, hosts and secrets; default:
        tenant-trial-DATE-TIME.
    yes
        Send without asking first.
    json
        Print `{ok, facts[{id, fact, verdict, says, settings}], left[], folder}`; it needs --yes.
    """
    settings = ready(Need.SIGNATURE, *((Need.PEOPLE, Need.PUSH) if person else ()))
    other = forward_to or to.replace("@", "+countersign@", 1)
    if folded(other) == folded(to):
        raise Refusal("--forward-to: must be another address than --to")
    device = await _device(settings, person) if person else None
    folder = output or Path(f"tenant-trial-{datetime.now().astimezone():%Y%m%d-%H%M%S}")
    if not (yes or _agreed(settings, to, other, device, asked=not json)):
        raise Refusal("nothing was sent: say y, or --yes")
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise Refusal(f"{folder}: {error.strerror}; name a new folder with --output") from error
    plan = TrialPlan(to=to, forward_to=other, wait=wait, device=device)
    return await _tried(Trial(settings, plan, _TerminalProgress(quiet=json)), folder, json=json)


async def _tried(trial: Trial, folder: Path, *, json: bool) -> Exit:
    whole = False
    try:
        await trial.run()
        whole = True
    finally:
        trial.recording.write(folder)
        write_report(folder, trial.findings, trial.left)
        if not whole:
            note(f"broken off; left behind: {'; '.join(trial.left) or 'nothing'}; the report is in {folder}")
    findings, left = tuple(trial.findings), tuple(trial.left)
    clear = not any(one.verdict is Verdict.DIFFERS for one in findings)
    ok = clear and any(one.verdict is Verdict.HOLDS for one in findings)
    print_answer(TrialAnswer(ok=ok, facts=findings, left=left, folder=str(folder)), _view(findings), as_json=json)
    if not json:
        note(f"{counts(findings)}. Left behind: {'; '.join(left) or 'nothing'}.")
        note(f"{folder}: {REPORT} and {ANSWERS}; `make test TENANT={folder}` plays the answers to our client")
    return Exit.DONE if ok else Exit.REFUSED


def _view(findings: Sequence[FactFinding]) -> Rows:
    """What was not told while it ran, and at the end, where it is looked for, what differs."""
    table = Rows("", "fact", "", "", whole=("fact",))
    for verdict in (Verdict.NOT_SEEN, Verdict.DIFFERS):
        for one in (one for one in findings if one.verdict is verdict):
            table.add(Text(*_MARKS[one.verdict]), one.id, one.fact, f"{one.verdict}: {mends(one)}")
    return table


class _TerminalProgress:
    """Tells of a trial on the terminal while it runs."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._console = Terminal(highlight=False, markup=False, emoji=False)

    def step(self, says: str) -> None:
        self._print(Text(says, "bold"))

    def found(self, finding: FactFinding) -> None:
        mark, style = _MARKS[finding.verdict]
        says = mends(finding)
        self._print(
            Text.assemble(
                f"  {mark} ",
                (f"{finding.id} {finding.verdict}", style),
                f": {finding.fact}{f' ({says})' if says else ''}",
            )
        )

    def note(self, says: str) -> None:
        if not self._quiet:
            note(says)

    def wait(self, says: str) -> AbstractAsyncContextManager[None]:
        return patience(says, quiet=self._quiet)

    def _print(self, text: Text) -> None:
        if not self._quiet:
            self._console.print(text, soft_wrap=True)
            sys.stdout.flush()


def _agreed(settings: Settings, to: str, other: str, device: PushDevice | None, *, asked: bool) -> bool:
    """Whether somebody at a terminal agrees."""
    if not asked or not sys.stdin.isatty():
        return False
    note(f'At {settings.signature.url} two documents called "Countersign trial" are made and sent to {to};')
    note(f"one is yours to sign, the other is forwarded to {other}, cancelled and deleted.")
    if device:
        note(f"One message is pushed to a device ({device.platform}).")
    return input("Send them? [y/N] ").strip().casefold() in ("y", "yes")


async def _device(settings: Settings, person: str) -> PushDevice:
    store = clients.store(settings)
    try:
        directory = clients.directory(settings, store)
        devices = await directory.devices(await directory.person(person))
    finally:
        store.close()
    if not devices:
        off = "push is off" if settings.push.dialect == "off" else "they have no device that is reachable"
        raise Refusal(f"--person {person}: {off}")
    return devices[0]
