"""`countersign tenant …`: trying the real tenant."""

import re
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter, Token

from activities.core_signature.signers import folded
from activities.people.person import PushDevice, WebDevice
from starter.boot import clients
from starter.boot.startup import ready
from starter.cli.arguments import AsJson
from starter.cli.printing import note, print_answer
from starter.cli.terminal import Rows
from starter.config.settings import Need, Settings
from starter.errors import Exit, Refusal
from starter.tenant.facts import FactFinding, Verdict, judge_recording
from starter.tenant.recording import ANSWERS
from starter.tenant.trial import Trial, TrialPlan
from workflows.model.base import Model

_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+|[^@\s]+@localhost")
_DEFAULT_WAIT: Final = timedelta(minutes=10)
LONGEST_WAIT: Final = timedelta(minutes=45)
"""For the signer of the test document."""
_MARKS: Final = {Verdict.HOLDS: "✓", Verdict.NOT_SEEN: "·", Verdict.DIFFERS: "✗"}
"""In the order of the table: what differs is where it is looked for, at the end."""


class TrialAnswer(Model):
    """The answer of `tenant try`; `ok` if nothing differs and something holds."""

    ok: bool
    facts: tuple[FactFinding, ...]
    left: tuple[str, ...]
    folder: str


def _parse_wait(_: type, tokens: Sequence[Token]) -> timedelta:
    match = re.fullmatch(r"(\d{1,4})([sm])", tokens[0].value)
    wait = int(match[1]) * timedelta(**{"seconds" if match[2] == "s" else "minutes": 1}) if match else None
    if wait is None or wait > LONGEST_WAIT:
        raise ValueError(f"{tokens[0].value} is not a time such as 90s or 10m, and at most 45m")
    return wait


def _check_email(_: object, text: str | None) -> None:
    if text is not None and not _EMAIL.fullmatch(text):
        raise ValueError(f"{text} is not an e-mail address")


async def try_(
    *,
    to: Annotated[str, Parameter(validator=_check_email)],
    person: str | None = None,
    forward_to: Annotated[str | None, Parameter(validator=_check_email)] = None,
    wait: Annotated[timedelta, Parameter(converter=_parse_wait)] = _DEFAULT_WAIT,
    output: Annotated[Path | None, Parameter(name=("--output", "-o"))] = None,
    yes: bool = False,
    json: AsJson = False,
) -> Exit:
    """Send three test documents to yourself, and report whether each assumed fact about Core Signature and the push
    service holds, differs (and which setting to change) or was not seen.

    The first is yours to sign or decline; the second is forwarded, the third has a password, and both are cancelled and
    deleted. No other document is touched, and what is open at the end is cancelled, also after Ctrl-C. Exit code 1 if
    something differs.

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
        A new folder for the answers, without names, addresses, hosts and secrets; default: tenant-trial-DATE-TIME.
    yes
        Send without asking first.
    json
        Print `{ok, facts[{id, fact, verdict, says, settings}], left[], folder}`; it needs --yes.
    """
    settings = ready(Need.SIGNATURE, *((Need.PEOPLE, Need.PUSH) if person else ()))
    forward_address = forward_to or to.replace("@", "+countersign@", 1)
    if folded(forward_address) == folded(to):
        raise Refusal("--forward-to: must be another address than --to")
    device = await _load_device(settings, person) if person else None
    if not (yes or (not json and _asks_consent(settings, to, forward_address, device))):
        raise Refusal("nothing was sent: say y, or --yes")
    folder = output or Path(f"tenant-trial-{datetime.now().astimezone():%Y%m%d-%H%M%S}")
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise Refusal(f"{folder}: {error.strerror}; name a new folder with --output") from error
    trial = Trial(settings, TrialPlan(address=to, forward_address=forward_address, wait=wait, device=device), note)
    try:
        await trial.run()
    finally:
        trial.recording.write(folder)
        answer = _summarise(trial, folder)
        print_answer(answer, _build_table(answer.facts), as_json=json)
        note(f"Left behind: {'; '.join(answer.left) or 'nothing'}.")
        note(f"{folder}: {ANSWERS}; `make test TENANT={folder}` plays the answers to our client")
    return Exit.DONE if answer.ok else Exit.REFUSED


def _summarise(trial: Trial, folder: Path) -> TrialAnswer:
    facts = judge_recording(trial.recording)
    verdicts = {finding.verdict for finding in facts}
    ok = Verdict.HOLDS in verdicts and Verdict.DIFFERS not in verdicts
    return TrialAnswer(ok=ok, facts=facts, left=trial.leftovers, folder=str(folder))


def _build_table(facts: Sequence[FactFinding]) -> Rows:
    table = Rows("", "id", "fact", "seen", "setting", whole_columns=("id",))
    for verdict, mark in _MARKS.items():
        for finding in (finding for finding in facts if finding.verdict is verdict):
            reason = f"{verdict}: {finding.says}" if finding.says else str(verdict)
            table.add(mark, finding.id, finding.fact, reason, ", ".join(finding.settings))
    return table


def _asks_consent(settings: Settings, address: str, forward_address: str, device: PushDevice | None) -> bool:
    """Whether somebody at a terminal agrees."""
    if not sys.stdin.isatty():
        return False
    note(f'At {settings.signature.url} two documents called "Countersign trial" are made and sent to {address};')
    note(f"one is yours to sign, the other is forwarded to {forward_address}, cancelled and deleted.")
    if device:
        note(f"One message is pushed to a device ({device.platform}).")
    return input("Send them? [y/N] ").strip().casefold() in ("y", "yes")


async def _load_device(settings: Settings, person: str) -> PushDevice:
    store = clients.store(settings)
    try:
        directory = clients.directory(settings, store)
        of_person = await directory.devices(await directory.person(person))
        # The push service of the app is tried: a browser has its vendor's.
        devices = [device for device in of_person if not isinstance(device, WebDevice)]
    finally:
        store.close()
    if not devices:
        is_off = settings.push.dialect == "off"
        raise Refusal(f"--person {person}: {'push is off' if is_off else 'they have no device that is reachable'}")
    return devices[0]
