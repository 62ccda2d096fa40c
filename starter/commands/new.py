"""`countersign request new`: a request file to begin with."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.text import Text

from activities.policies.cascade import Resolved
from activities.policies.catalogue import Catalogue
from activities.store.store import Store
from starter import clients
from starter.commands.arguments import AsJson
from starter.commands.printing import print_answer
from starter.error_types import Refusal
from starter.needs import Need
from starter.new_request import written
from starter.startup import ready
from workflows.model.base import Model

_STDOUT = "-"


class Written(Model):
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
    """Write a request file of a kind, with a word about every key, to change and then to start.

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
    directory = clients.directory(settings, Store(settings.store_url))
    some = await directory.some(3)
    for named in (*(signer or ()), *((requester,) if requester else ())):
        await directory.person(named)
    signers = tuple(signer or some[:1])
    asks = requester or next((id for id in some if id not in signers), signers[0])
    name = output or f"{kind}.yaml"
    text = written(kind, resolved, name=name, requester=asks, signers=signers)
    if name == _STDOUT:
        sys.stdout.write(text)
        return
    _keep(Path(name), text)
    next_step = f"put the document beside it, then: countersign request plan {name}"
    print_answer(Written(file=name, kind=kind), Text(f"✓ {name}\n{next_step}"), as_json=json)


def _of_requests(catalogue: Catalogue, kind: str) -> Resolved:
    try:
        resolved = catalogue.resolve(catalogue.known(kind, closes=True))
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
