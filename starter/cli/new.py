"""`countersign request new`: a request file to begin with."""

import asyncio
import csv
import sys
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from rich.text import Text

from activities.campaign.population import COLUMNS
from activities.policies.cascade import ResolvedPolicy
from activities.policies.catalogue import Catalogue
from starter.boot import clients
from starter.boot.startup import ready
from starter.cli.arguments import AsJson
from starter.cli.printing import note, print_answer
from starter.config.settings import Need
from starter.errors import Refusal
from workflows.model.base import Model

_FILE: Final = """\
# A request of the kind {kind}. Change what is here, look at its calendar, then start it:
#   countersign request plan {name}
#   countersign request start {name}

{id:<30} # left out, the same content is the same request
kind: {kind}
document:
  file: document.pdf           # a PDF beside this file, or below the folder in which the command is typed
{title:<30} # what people see
{requester:<30} # who asks, and is told of every ending: an id of the people file
signers:                       # one after the other; those with the same "order: 1" side by side
{signers}
  # - {{person: somebody, role: approve}}          # sign, approve, or copy for who only receives the result
  # - {{name: …, email: …, zone: Europe/Amsterdam}}   # somebody who is not in the people file

# due: 2026-12-11              # the end of that working day; left out: {window} after it was sent
# message: "Please sign before the kick-off."
# policy:                      # what is different for this request alone; the kind says:
{policy}
# subscribers: []              # workflow ids that get the signal "signature_settled"
"""
_STDOUT = "-"
SAYS: Final = {
    "person": "An id of the people file; then the columns of somebody in full stay empty",
    "name": "Of somebody who is in no people file: as it is written to them",
    "email": "Theirs; the same address is the same person, whatever else the rows say",
    "zone": "Their time zone, such as Europe/Amsterdam: they are reminded by day",
    "locale": "The language they are told in, such as nl; empty is en",
    "phone": "Their number with the country, such as +31201234567; may be empty",
    "manager": "Who hears that they have not acknowledged: an id of the people file; empty is that of the people file",
    "department": "What the report counts them under; empty is that of the people file",
}
_EXAMPLES: Final = (
    {"person": "chief-executive"},
    {
        "name": "Ada Example",
        "email": "ada@example.com",
        "zone": "Europe/Amsterdam",
        "locale": "nl",
        "department": "sales",
    },
)


def written(kind: str, resolved: ResolvedPolicy, *, name: str, requester: str, signers: tuple[str, ...]) -> str:
    """The file's text; `name` is the file's name."""
    policy = resolved.policy.model_dump(mode="json", by_alias=True, exclude={"handoff", "urgent"}, exclude_none=True)
    return _FILE.format(
        kind=kind,
        name=name,
        id=f"# id: {kind}-0042",
        title=f'  name: "{kind.replace("-", " ").replace("_", " ").capitalize()}"',
        requester=f"requester: {requester}",
        signers="\n".join(f"  - person: {signer}" for signer in signers),
        window=policy["window"],
        policy="\n".join(f"#   {field}: {_flow(value)}" for field, value in policy.items()),
    )


class WrittenFile(Model):
    """The answer of `request new`."""

    file: str
    kind: str


async def new(
    kind: str,
    /,
    *,
    signer: list[str] | None = None,
    requester: str | None = None,
    output: Annotated[str | None, Parameter(name=("--output", "-o"), allow_leading_hyphen=True)] = None,
    json: AsJson = False,
) -> None:
    """Write a request file of a kind, with every key explained, to edit and to start.

    Parameters
    ----------
    kind
        A kind of the catalogue.
    signer
        Who signs: an id of the people file; may be repeated. Left out, its first people stand for them.
    requester
        Who asks: an id of the people file.
    output
        The file that is written, `-` for standard output; default: the kind with `.yaml`. None is overwritten.
    json
        Print `{file, kind}`.
    """
    settings = ready(Need.PEOPLE)
    resolved = _of_requests(await asyncio.to_thread(Catalogue.read, settings.policies), kind)
    directory = clients.directory(settings, clients.store(settings))
    sample_ids = await directory.list_first_ids(3)
    for named in (*(signer or ()), *((requester,) if requester else ())):
        await directory.person(named)
    signers = tuple(signer or sample_ids[:1])
    asks = requester or next((id for id in sample_ids if id not in signers), signers[0])
    name = output or f"{kind}.yaml"
    text = written(kind, resolved, name=name, requester=asks, signers=signers)
    if name == _STDOUT:
        sys.stdout.write(text)
        return
    _keep(Path(name), text)
    next_step = f"put the document beside it, then: countersign request plan {name}"
    print_answer(WrittenFile(file=name, kind=kind), Text(f"✓ {name}\n{next_step}"), as_json=json)


class Column(Model):
    """A column of the table and its content."""

    column: str
    says: str


def template(*, json: AsJson = False) -> None:
    """Print a table of people to fill in, with two example rows: by id, and in full.

    Parameters
    ----------
    json
        Print what each column is for instead: `[{column, says}]`.
    """
    if json:
        print_answer([Column(column=name, says=SAYS[name]) for name in COLUMNS], Text(), as_json=True)
        return
    table = csv.DictWriter(sys.stdout, COLUMNS, restval="", lineterminator="\n")
    table.writeheader()
    table.writerows(_EXAMPLES)
    note("each row is somebody: an id of the people file, or name, email and zone; --json explains the columns")


def _flow(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return f'"{value}"' if ":" in str(value) else str(value)


def _of_requests(catalogue: Catalogue, kind: str) -> ResolvedPolicy:
    try:
        resolved = catalogue.resolve(catalogue.require_kind(kind, closes=True))
    except LookupError as unknown:
        raise Refusal(str(unknown)) from None
    if not resolved.policy.expires:
        raise Refusal(f'"{kind}" is a kind of tasks: it never expires, and a request closes some day')
    return resolved


def _keep(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise Refusal(f"{path} is there already: name another file with --output") from None
    except OSError as error:
        raise Refusal(f"{path} cannot be written: {error.strerror}") from error
