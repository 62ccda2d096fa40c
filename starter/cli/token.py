"""`countersign token …`: tokens by which programs call the API."""

import asyncio
import re
from datetime import UTC, datetime
from typing import Annotated, Final

from cyclopts import Parameter
from pydantic import AwareDatetime
from rich.text import Text

from activities.people.rights import TokenRights
from activities.policies.catalogue import Catalogue, UnknownKind
from activities.records.tokens import NameTaken, TokenRow, TooManyTokens
from starter.boot import clients
from starter.boot.startup import ready
from starter.cli.actors import find_starter
from starter.cli.arguments import AsJson
from starter.cli.printing import print_answer
from starter.cli.terminal import PrintedInstant, Rows
from starter.config.settings import Settings
from starter.errors import Refusal
from workflows.model.base import Model

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


def _is_name(_: object, name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name} is no name of a token: expected 1-40 characters of a-z, 0-9 and -, such as crm")


Name = Annotated[str, Parameter(help="Its name, such as crm: the timeline has it as token:crm.", validator=_is_name)]


class TokenLine(Model):
    """A line of `token list`."""

    name: str
    may: tuple[str, ...]
    made_at: AwareDatetime
    made_by: str
    used_at: AwareDatetime | None
    revoked_at: AwareDatetime | None

    @classmethod
    def from_row(cls, row: TokenRow) -> "TokenLine":
        return cls(**row._asdict())


class NewToken(Model):
    """The answer of `token new`."""

    name: str
    may: tuple[str, ...]
    token: str


class RevokedToken(Model):
    """The answer of `token revoke`."""

    name: str
    revoked: bool


def _are_rights(_: object, written: str) -> None:
    TokenRights.read(_listed(written))


async def new(name: Name, /, *, may: Annotated[str, Parameter(validator=_are_rights)], json: AsJson = False) -> None:
    """Make a token by which a program calls the API. It is printed only once: we store its hash alone.

    Parameters
    ----------
    may
        Its rights, separated by commas: read, start, change; each may be limited to a kind of the catalogue or to a
        requester, such as start:offer-letter or read@hr-desk. Directory, alone: push people and groups (SCIM).
    json
        Print `{name, may, token}`.
    """
    settings, rights = ready(), TokenRights.read(_listed(may))
    await asyncio.to_thread(_refuse_unknown_kinds, settings, rights)
    actor = await find_starter(settings)
    try:
        token = await clients.store(settings).tokens.make(name, rights.written, actor, datetime.now(UTC))
    except (NameTaken, TooManyTokens) as refused:
        raise Refusal(str(refused)) from None
    new_token = NewToken(name=name, may=rights.written, token=token)
    message = Text(f"The token {name} may {', '.join(new_token.may)}. Keep it: it is not shown again.\n{token}")
    print_answer(new_token, message, as_json=json)


async def list_(*, json: AsJson = False) -> None:
    """List the tokens by name, with their rights and when each was used last.

    Parameters
    ----------
    json
        Print `[{name, may, made_at, made_by, used_at, revoked_at}]`.
    """
    lines = [TokenLine.from_row(row) for row in await clients.store(ready()).tokens.all()]
    table = Rows("name", "may", "made", "by", "used", "revoked", whole_columns=("name",))
    for line in lines:
        cells = (
            PrintedInstant(line.made_at),
            line.made_by,
            PrintedInstant(line.used_at),
            PrintedInstant(line.revoked_at),
        )
        table.add(line.name, ", ".join(line.may), *cells)
    print_answer(lines, table if lines else Text("No tokens"), as_json=json)


async def revoke(name: Name, /, *, json: AsJson = False) -> None:
    """Revoke a token: from now on each call with it is refused.

    Parameters
    ----------
    json
        Print `{name, revoked}`; `revoked` is false if it was revoked before.
    """
    store = clients.store(ready())
    revoked = await store.tokens.revoke(name, datetime.now(UTC))
    if not revoked and name not in [row.name for row in await store.tokens.all()]:
        raise Refusal(f"there is no token {name}: countersign token list has them")
    message = f"The token {name} counts no more" if revoked else f"The token {name} was revoked already"
    print_answer(RevokedToken(name=name, revoked=revoked), Text(message), as_json=json)


def _listed(written: str) -> list[str]:
    return [right.strip() for right in written.split(",")]


def _refuse_unknown_kinds(settings: Settings, rights: TokenRights) -> None:
    kinds = [right.of for right in rights.all if right.of]
    if kinds:
        catalogue = Catalogue.read(settings.policies)
        for kind in kinds:
            try:
                catalogue.require_kind(kind)
            except UnknownKind as unknown:
                raise Refusal(f"--may: {unknown}") from None
