"""`countersign people …`: what is done to people of the directory, not to a request."""

from typing import Annotated

from cyclopts import Parameter
from rich.text import Text

from activities.store import Store
from starter import clients
from starter.commands.arguments import AsJson
from starter.commands.printing import answer
from starter.desk.sessions import sign_out_everywhere
from starter.needs import Need
from starter.startup import ready
from workflows.model.base import Model


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
    answer(SignedOut(person=known.id), Text(f"{known.id} is signed out of the desk everywhere"), as_json=json)
