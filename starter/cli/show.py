"""`show` of a request, task, onboarding or campaign."""

from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

from rich.console import Group
from rich.text import Text

from activities.errors import StoreFailure
from starter.boot.startup import ready
from starter.cli import tables as showing
from starter.cli.arguments import AsJson, Id, Watch
from starter.cli.printing import patience, print_answer
from starter.cli.terminal import Rows, Terminal
from starter.config.settings import Need
from starter.queries import campaign as campaigns
from starter.queries import lookup
from starter.queries import onboarding as composed
from starter.queries.people_in_full import names_in_full
from starter.temporal.connection import Context, opened
from workflows.kinds import Kind, WorkflowName
from workflows.model.views import RequestShow, Shown


@dataclass(frozen=True)
class Show:
    """`show` of one kind."""

    kind: Kind

    names_people: ClassVar[bool] = True
    """Whether it names those who stand in full in its file; where parts ask the people, they have ids of the parts."""

    async def look(self, context: Context, id: str, *, in_full: bool) -> Shown:
        """Everything known of it."""
        return await lookup.show_of(self.kind, context, id, in_full=in_full)

    async def show(self, id: Id, /, *, all: bool = False, watch: Watch = False, json: AsJson = False) -> None:
        """Show what it waits for, until when, what happens next, and what was done.

        Answers also when no worker runs (then marked `partial`) and when Temporal has deleted it
        (from its settled record).

        Parameters
        ----------
        all
            The whole timeline, with what does not fit on the screen and what only the store has.
        json
            Print everything as JSON.
        """
        if watch:
            await self._watch(id, in_full=all, json=json)
            return
        async with opened(ready()) as context:
            async with patience(f"asking the {self.kind}", quiet=json):
                view = await self.look(context, id, in_full=all)
                with suppress(StoreFailure):
                    view = await lookup.with_holds(context.store, view)
            name = WorkflowName(self.kind, view.id)
            url = await lookup.web_ui_page(context, name)
            names = await names_in_full(context.store, name) if self.names_people and not json else {}
        in_full = all or not Terminal().is_terminal
        print_answer(view, showing.of_shown(view, in_full=in_full, names=names), as_json=json, link=url)

    async def _watch(self, id: str, *, in_full: bool, json: bool) -> None:
        from starter.cli.watching import watch  # noqa: PLC0415  what is printed once waits for no screen

        names: dict[str, str] = {}
        async with opened(ready()) as context:

            async def read() -> Shown:
                view = await self.look(context, id, in_full=in_full)
                if self.names_people and not (json or names):
                    names.update(await names_in_full(context.store, WorkflowName(self.kind, view.id)))
                return view

            await watch(
                read,
                lambda view: showing.of_shown(view, in_full=in_full or not Terminal().is_terminal, names=names),
                as_json=json,
                is_over=lambda view: view.status.has_ended,
            )


class _OfRequests(Show):
    async def show(
        self, id: Id, /, *, all: bool = False, watch: Watch = False, passwords: bool = False, json: AsJson = False
    ) -> None:
        """Show what it waits for, until when, what happens next, and what was done.

        Answers also when no worker runs (then marked `partial`) and when Temporal has deleted it
        (from its settled record).

        Parameters
        ----------
        all
            The whole timeline, with what does not fit on the screen and what only the store has.
        passwords
            Only the passwords of signers with `verify: password`, for you to tell them.
        json
            Print everything as JSON.
        """
        if not passwords:
            await super().show(id, all=all, watch=watch, json=json)
            return
        from activities.core_signature.passwords import SignerPasswords  # noqa: PLC0415  few ask for them

        settings = ready(Need.LINKS)
        async with opened(settings) as context:
            view = lookup.of_type(RequestShow, await self.look(context, id, in_full=False))
        password_by_person = SignerPasswords(settings.secret_of_ids).derive_all(view.id, view.signers)
        table = Rows("signer", "password", whole_columns=("password",))
        for person, password in password_by_person.items():
            table.add(person, password)
        text = Group(table) if password_by_person else Text("No signer is verified by a password")
        print_answer({"id": view.id, "passwords": password_by_person}, text, as_json=json)


request = _OfRequests(Kind.REQUEST).show
task = Show(Kind.TASK).show


class _OfOnboardings(Show):
    names_people = False

    async def look(self, context: Context, id: str, *, in_full: bool) -> Shown:
        return await composed.show(context, id, in_full=in_full)


onboarding = _OfOnboardings(Kind.ONBOARDING).show


class _OfCampaigns(Show):
    names_people = False

    async def show(self, id: Id, /, *, all: bool = False, watch: Watch = False, json: AsJson = False) -> None:
        """Show how many have acknowledged, who has not, when it is expected to be complete, and what was done.

        Answers also when no worker runs (then marked `partial`) and when Temporal has deleted it
        (from its settled record).

        Parameters
        ----------
        all
            Every department and manager, and everything that happened.
        json
            Print everything as JSON.
        """
        await super().show(id, all=all, watch=watch, json=json)

    async def look(self, context: Context, id: str, *, in_full: bool) -> Shown:
        return await campaigns.show(context, id, in_full=in_full)


campaign = _OfCampaigns(Kind.CAMPAIGN).show
