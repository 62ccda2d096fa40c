"""`countersign people …`: what is done to people of the directory, not to a request."""

from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter
from rich.text import Text

from activities.store.store import Store
from starter import clients
from starter.commands.arguments import AsJson
from starter.commands.person import device_rows
from starter.commands.printing import print_answer
from starter.desk.sessions import sign_out_everywhere
from starter.needs import Need
from starter.person import DeviceLine
from starter.startup import ready
from workflows.model.base import Model


class PersonDevices(Model):
    """The answer of `people devices`."""

    person: str
    devices: tuple[DeviceLine, ...]


async def devices(
    person: Annotated[str, Parameter(help="An id of the directory.")], /, *, json: AsJson = False
) -> None:
    """List somebody's devices: those of the people file, and those that the company's app has registered.

    Each is named by the hash that the ledger of notices has, never by its address.

    Parameters
    ----------
    json
        Print `{person, devices[{device, kind, platform, registered_at, seen_at, reachable, unseen, gone, gone_at}]}`.
    """
    settings = ready(Need.PEOPLE)
    directory = clients.directory(settings, Store(settings.store_url))
    known = await directory.person(person)
    lines = tuple(DeviceLine.of(one, datetime.now(UTC)) for one in await directory.known_devices(known))
    shown = device_rows(lines) if lines else Text(f"{known.id} has no device: nothing is pushed to them", "yellow")
    print_answer(PersonDevices(person=known.id, devices=lines), shown, as_json=json)


class SignedOut(Model):
    """The answer of `people sign-out`."""

    person: str
    signed_out: bool = True


async def sign_out(
    person: Annotated[str, Parameter(help="An id of the directory.")], /, *, json: AsJson = False
) -> None:
    """End every session of somebody at the desk, in whatever browser; they can ask for a new one.

    Parameters
    ----------
    json
        Print `{person, signed_out}`.
    """
    settings = ready(Need.PEOPLE)
    store = Store(settings.store_url)
    known = await clients.directory(settings, store).person(person)
    await sign_out_everywhere(store, known.id)
    print_answer(SignedOut(person=known.id), Text(f"{known.id} is signed out of the desk everywhere"), as_json=json)
