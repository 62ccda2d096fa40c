"""`countersign request link`: hand over a link of one signer, as an address and as a QR code."""

import secrets
import sys
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import segno
from cyclopts import Parameter
from rich.text import Text

from starter.boot import clients
from starter.boot.startup import ready
from starter.cli.actors import find_actor
from starter.cli.arguments import As, AsJson, Id
from starter.cli.operations import Op, OperationWords, Wait
from starter.cli.printing import patience, print_answer
from starter.config.settings import Need
from starter.queries import commands
from starter.queries.filters import id_of
from starter.queries.handed_links import LinkIssuer
from starter.temporal.connection import opened
from workflows.kinds import Kind
from workflows.model.commands import LinkHandover

_OP_BYTES = 6


async def link(
    id: Id,
    /,
    *,
    signer: Annotated[str, Parameter(("--signer", "--person"))],
    qr: Annotated[bool, Parameter("--qr", negative="")] = False,
    as_: As = None,
    op: Op = None,
    wait: Wait = commands.CARRIED_OUT_WITHIN,
    json: AsJson = False,
) -> None:
    """Hand over a link of one signer: it leads to Core Signature once, within a day. The timeline says who did it.

    Parameters
    ----------
    signer
        Who signs by it: an id of the directory, or the position in the file, such as `signer-2`.
    qr
        Print it as a QR code as well.
    json
        Print `{id, person, link, until}`.
    """
    settings = ready(Need.LINKS)
    actor = await find_actor(settings, as_)
    command = actor.mark(LinkHandover(actor=actor.name, signer=signer))
    op, id = op or secrets.token_hex(_OP_BYTES), id_of(Kind.REQUEST, id)
    async with opened(settings) as context, patience("handing it over", quiet=json):
        command = await OperationWords(Kind.REQUEST).with_ids(context, id, command)
        send = partial(commands.make, context, id, command, op=op, kind=Kind.REQUEST, wait=wait)
        issuer = LinkIssuer(context.store, clients.links(settings))
        page = await issuer.issue(id, command, op, datetime.now(UTC), send)
    heading = Text(f"{page.person} signs by this link, once, until {page.until:%Y-%m-%d %H:%M} UTC:")
    print_answer(page, heading, as_json=json, link=page.link)
    if qr and not json:
        segno.make_qr(page.link).terminal(sys.stdout, compact=True)
