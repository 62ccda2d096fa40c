"""`countersign onboard …`: what an owner does to a living onboarding, and to the parts of it."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter, Token
from rich.text import Text

from activities.files.pdf import LocalDocuments
from activities.files.reading import FileFaults, FileText
from activities.files.yaml_lines import dump
from activities.launch.doors import CheckContext
from activities.onboarding.intake import PartNotFailed, RestartedPart, UnknownSigner
from activities.people.directory import UnusablePeople
from starter.boot import clients
from starter.boot.startup import ready
from starter.cli.actors import find_actor
from starter.cli.arguments import AsJson, Id, RequestFile
from starter.cli.operations import PLAIN, CommonOptions, OperationWords
from starter.cli.printing import note, print_answer
from starter.config.settings import Need, Settings
from starter.config.values import SOURCE
from starter.errors import Exit, Refusal
from starter.queries.filters import id_of
from starter.queries.lookup import find_best_view, show_as
from starter.queries.onboarding import page_link, part_of, preview_link
from starter.temporal.connection import Context, opened
from starter.web.http.bodies import NotReadable, parse
from starter.web.intake.hook_mapping import MappedOnboarding, MappingFailed, SourceMapping
from workflows.kinds import Kind, WorkflowName, named
from workflows.model.base import Model
from workflows.model.commands import Answer, Decision, PartOutcome, TaskCompletion, Unblock
from workflows.model.views import OnboardingShow

Part = Annotated[str, Parameter(help="The part's id, as the file or `onboard show` has it.")]
Person = Annotated[str | None, Parameter(help="Somebody of the customer, by the id in the onboarding; the customer.")]


async def running(context: Context, typed: str, part: str) -> WorkflowName:
    """What runs a part, or ran it last; `Refusal` when nothing did, or there is no such part."""
    line, _ = await part_of(context, typed, part)
    name = named(line.workflow or "")
    if name is None:
        raise Refusal(f"{part} is {line.state}: nobody was asked for it yet")
    return name


async def task_of(context: Context, typed: str, part: str) -> WorkflowName:
    """The task that a part is; `Refusal` for an agreement as well."""
    name = await running(context, typed, part)
    if name.kind.spec.document:
        raise Refusal(f"{part} is an agreement: it is signed, and cannot be said to be done")
    return name


async def answer_to(context: Context, name: WorkflowName, actor: str, text: str) -> Answer:
    """The answer to what a part waits for: a question, or why somebody cannot go on."""
    question = (await find_best_view(context.client, context.store, name)).question
    command = Unblock if question is not None and question.blocks else Answer
    return command(actor=actor, text=text)


async def replaced(settings: Settings, context: Context, typed: str, part: str, file: str) -> str:
    """Keep another file for a part, checked in full; its reference. `FileFaults` with everything that is wrong."""
    written = (await asyncio.to_thread(FileText.read, file)).parse()
    part_start, sources = await _read_part(settings, context, typed, part)
    try:
        return await part_start.from_file(written, sources)
    except UnusablePeople as unusable:
        raise unusable.faults from None


async def with_signers(
    settings: Settings, context: Context, typed: str, part: str, successors: Mapping[str, str]
) -> str:
    """Keep what an agreement was started from with other signers; its reference."""
    part_start, sources = await _read_part(settings, context, typed, part)
    try:
        return await part_start.with_signers(successors, sources)
    except UnknownSigner as nobody:
        raise Refusal(f"{part}: {nobody}") from None
    except UnusablePeople as unusable:
        raise unusable.faults from None


async def _read_part(settings: Settings, context: Context, typed: str, part: str) -> tuple[RestartedPart, CheckContext]:
    documents = LocalDocuments(settings.signature.max_upload_mb, fallback_folder=Path.cwd())
    sources = await clients.intake(settings, clients.directory(settings, context.store)).read_check_context(documents)
    line, name = await part_of(context, typed, part)
    try:
        return await RestartedPart.read(context.store, id_of(Kind.ONBOARDING, typed), name, line), sources
    except PartNotFailed as nothing:
        raise Refusal(str(nothing)) from None


def _exchanges(_: object, tokens: Sequence[Token]) -> tuple[str, ...]:
    typed = tuple(token.value for token in tokens)
    for exchange in typed:
        if not all(exchange.partition("=")):
            raise ValueError(f"{exchange} is not OLD=NEW such as customer-signer=customer-colleague")
    return typed


async def _keep_content(id: str, part: str, file: str | None, exchanges: Sequence[str]) -> str:
    """Keep what a part is started from: another file, or what it was with other signers; its reference."""
    settings = ready(Need.PEOPLE)
    async with opened(settings) as context:
        if file:
            return await replaced(settings, context, id, part, file)
        successors = {signer: new for signer, _, new in (exchange.partition("=") for exchange in exchanges)}
        return await with_signers(settings, context, id, part, successors)


class _OnboardWords(OperationWords):
    async def decide(
        self,
        id: Id,
        /,
        *,
        part: Part,
        resend: bool = False,
        signer: Annotated[tuple[str, ...], Parameter(converter=_exchanges)] = (),
        replace: RequestFile | None = None,
        waive: bool = False,
        stop: bool = False,
        reason: str = "",
        options: CommonOptions = PLAIN,
    ) -> None:
        """Decide about a part that was declined, expired or terminated: resend, replace, waive or stop.

        Parameters
        ----------
        resend
            Start it again, as it was.
        signer
            With --resend: somebody else signs in the place of somebody, OLD=NEW; may be repeated.
        replace
            Start it from another file: a request, of a task or step a task. The requester need not be named again.
        waive
            Go on without it; needs --reason.
        stop
            End the whole onboarding; needs --reason.
        reason
            Why; recorded in the timeline.
        """
        content = await _keep_content(id, part, replace, signer) if replace or signer else None
        choice = (
            PartOutcome.RESEND
            if resend
            else PartOutcome.REPLACE
            if replace
            else PartOutcome.WAIVE
            if waive
            else PartOutcome.STOP
        )

        def decision(actor: str) -> Decision:
            return Decision(actor=actor, part=part, choice=choice, reason=reason, content=content)

        await self.carry_out(id, decision, options)

    async def mark_done(self, id: Id, part: Part, /, *, note: str = "", options: CommonOptions = PLAIN) -> None:
        """Mark a task or a step of it as done.

        Parameters
        ----------
        note
            A note for the timeline of the task.
        """
        async with opened(ready()) as context:
            task = await task_of(context, id, part)
        await OperationWords(task.kind).carry_out(
            task.id, lambda actor: TaskCompletion(actor=actor, note=note), options
        )

    async def say(
        self,
        id: Id,
        part: Part,
        text: Annotated[str, Parameter(help="At most 1,000 characters.")],
        /,
        *,
        options: CommonOptions = PLAIN,
    ) -> None:
        """Answer the open question of a part, or say that its obstacle is removed."""
        settings = ready()
        async with opened(settings) as context:
            name = await running(context, id, part)
            command = await answer_to(context, name, (await find_actor(settings, options.as_)).name, text)
        await OperationWords(name.kind).carry_out(name.id, lambda _: command, options)


_WORDS = _OnboardWords(Kind.ONBOARDING)
decide, done, answer = _WORDS.decide, _WORDS.mark_done, _WORDS.say


async def link(id: Id, /, *, person: Person = None, renew: bool = False, json: AsJson = False) -> None:
    """Print the link to somebody's own page of an onboarding. Whoever has it can act as them: send it to nobody else.

    Parameters
    ----------
    renew
        Make a new one: those made before are no longer valid, and offer to have the new one sent.
    json
        Print `{id, person, link, until}`.
    """
    settings = ready(Need.LINKS)
    async with opened(settings) as context:
        view = await show_as(OnboardingShow, context, id)
        page = await page_link(context.store, clients.links(settings), view, person, renew=renew)
    label = "A new link; earlier ones are no longer valid" if renew else "The link"
    print_answer(page, Text(f"{label} of {page.person} to {page.id}:"), as_json=json, link=page.link)


async def preview(
    id: Id, /, *, view: Literal["customer"] = "customer", person: Person = None, json: AsJson = False
) -> None:
    """Print a read-only link to an onboarding's page as the customer sees it; it expires soon.

    Parameters
    ----------
    view
        As whom.
    json
        Print `{id, person, link, until}`.
    """
    settings = ready(Need.LINKS)
    async with opened(settings) as context:
        onboarding_view = await show_as(OnboardingShow, context, id)
    page = preview_link(clients.links(settings), onboarding_view, person)
    print_answer(
        page, Text(f"What the {view} sees of {page.id}, until {page.until:%H:%M} UTC:"), as_json=json, link=page.link
    )


class MappedEvent(Model):
    """The answer of `onboard map`; no id if the mapping skips the event."""

    id: str | None = None
    file: Mapping[str, Any] | None = None
    faults: tuple[str, ...] = ()


async def map_deal(sample: RequestFile, /, *, source: str, json: AsJson = False) -> Exit:
    """Print the onboarding file that a source's JSON becomes, with its faults; nothing is started.

    Parameters
    ----------
    sample
        What the source would send; `-` reads standard input.
    source
        Its name: the mapping is `<source>.yaml` in COUNTERSIGN_HOOK_MAPPINGS.
    json
        Print `{id, file, faults}`.
    """
    settings = ready(Need.PEOPLE)
    mapped = await asyncio.to_thread(_map, settings, source, sample)
    if mapped is None:
        print_answer(MappedEvent(), Text("no onboarding: the mapping's when lets this event pass by"), as_json=json)
        return Exit.DONE
    faults = await _faults(settings, mapped)
    if json:
        print_answer(MappedEvent(id=mapped.id, file=mapped.file.plain, faults=faults), "", as_json=True)
    else:
        dump(mapped.file.plain, sys.stdout)
        note("\n".join(faults) or f"right: it would be started as {mapped.id}")
    return Exit.REFUSED if faults else Exit.DONE


def _map(settings: Settings, source: str, sample: str) -> MappedOnboarding | None:
    if settings.hook.mappings is None:
        raise Refusal("COUNTERSIGN_HOOK_MAPPINGS: is missing")
    if not SOURCE.fullmatch(source):
        raise Refusal("--source: a source has at most 20 of a-z, 0-9 and '_'")
    mapping = SourceMapping.read(settings.hook.mappings, source)
    try:
        return mapping.file_of(parse(FileText.read(sample).text.encode()))
    except (NotReadable, MappingFailed) as refused:
        raise Refusal(f"{sample}: {refused}") from None


async def _faults(settings: Settings, mapped: MappedOnboarding) -> tuple[str, ...]:
    try:
        intake = clients.intake(settings, clients.directory(settings, clients.store(settings)))
        await intake.check(Kind.ONBOARDING, mapped.file, LocalDocuments(settings.signature.max_upload_mb))
    except FileFaults as faults:
        return tuple(map(str, faults.faults))
    return ()
