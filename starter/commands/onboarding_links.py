"""`countersign onboard link` and `preview`: the page of an onboarding, for the customer and as the customer sees it."""

from typing import Annotated, Literal

from cyclopts import Parameter
from rich.text import Text

from starter import clients
from starter.commands.arguments import AsJson, Id
from starter.commands.printing import print_answer
from starter.context import Context, opened
from starter.lookup import show_of
from starter.needs import Need
from starter.onboarding.links import page_link, preview_link
from starter.startup import ready
from workflows.kinds import Kind
from workflows.model.views import OnboardingShow

Person = Annotated[str | None, Parameter(help="Somebody of the customer, by the id in the onboarding; the customer.")]


async def link(id: Id, /, *, person: Person = None, renew: bool = False, json: AsJson = False) -> None:
    """Print the link to somebody's own page of an onboarding. Whoever has it acts as them: send it to nobody else.

    Parameters
    ----------
    renew
        Make a new one: those made before are no longer valid, and offer to have the new one sent.
    json
        Print `{id, person, link, until}`.
    """
    settings = ready(Need.LINKS)
    async with opened(settings) as context:
        shown = await _shown(context, id)
        made = await page_link(context.store, clients.links(settings), shown, person, renew=renew)
    says = "A new link; earlier ones are no longer valid" if renew else "The link"
    print_answer(made, Text(f"{says} of {made.person} to {made.id}:"), as_json=json, link=made.link)


async def preview(
    id: Id, /, *, view: Literal["customer"] = "customer", person: Person = None, json: AsJson = False
) -> None:
    """Print a link to an onboarding's page as the customer sees it. Nothing can be done from there, and it closes soon.

    Parameters
    ----------
    view
        As whom.
    json
        Print `{id, person, link, until}`.
    """
    settings = ready(Need.LINKS)
    async with opened(settings) as context:
        shown = await _shown(context, id)
    made = preview_link(clients.links(settings), shown, person)
    print_answer(
        made, Text(f"What the {view} sees of {made.id}, until {made.until:%H:%M} UTC:"), as_json=json, link=made.link
    )


async def _shown(context: Context, id: str) -> OnboardingShow:
    found = await show_of(Kind.ONBOARDING, context, id)
    if not isinstance(found, OnboardingShow):
        raise TypeError(f"{type(found).__name__} where an onboarding was asked for")
    return found
