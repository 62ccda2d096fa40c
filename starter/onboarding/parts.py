"""One part of a living onboarding, as its owner speaks of it: what runs it, and what it is started from next."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from activities.directory import UnusablePeople
from activities.files.reading import FileText
from activities.onboarding.again import NoSuchSigner, RestartedPart
from activities.onboarding.content import read_what
from activities.onboarding.input import Sources
from activities.requests.documents import LocalDocuments
from activities.spelling import did_you_mean
from activities.store.home import StoragePrefix
from starter import clients
from starter.context import Context
from starter.error_types import Refusal
from starter.lookup import look_at, show_of
from starter.settings import Settings
from workflows.kinds import Kind, WorkflowName, named
from workflows.model.lines import PartLine
from workflows.model.onboarding import PartKind
from workflows.model.views import OnboardingShow
from workflows.model.wishes import Answer, Unblock


async def running(context: Context, typed: str, part: str) -> WorkflowName:
    """What runs a part, or ran it last; `Refusal` when nothing did, or there is no such part."""
    line, _ = _part(await _view_of_part(context, typed), part)
    what = named(line.workflow or "")
    if what is None:
        raise Refusal(f"{part} is {line.state}: nobody was asked for it yet")
    return what


async def task_of(context: Context, typed: str, part: str) -> WorkflowName:
    """The task that a part is; `Refusal` for an agreement as well."""
    what = await running(context, typed, part)
    if what.kind is not Kind.TASK:
        raise Refusal(f"{part} is an agreement: it is signed, and cannot be said to be done")
    return what


async def answer_to(context: Context, what: WorkflowName, actor: str, text: str) -> Answer:
    """The answer to what a part waits for: a question, or why somebody cannot go on."""
    question = (await look_at(context.client, context.store, what)).question
    wish = Unblock if question is not None and question.blocks else Answer
    return wish(actor=actor, text=text)


async def replaced(settings: Settings, context: Context, typed: str, part: str, file: str) -> str:
    """Keep another file for a part, checked in full; its reference. `FileFaults` with everything that is wrong."""
    written = (await asyncio.to_thread(FileText.read, file)).parse()
    again, sources = await _again(settings, context, typed, part)
    try:
        return await again.from_file(written, sources)
    except UnusablePeople as unusable:
        raise unusable.faults from None


async def with_signers(settings: Settings, context: Context, typed: str, part: str, others: Mapping[str, str]) -> str:
    """Keep what an agreement was started from with other signers; its reference."""
    again, sources = await _again(settings, context, typed, part)
    try:
        return await again.with_signers(others, sources)
    except NoSuchSigner as nobody:
        raise Refusal(f"{part}: {nobody}") from None
    except UnusablePeople as unusable:
        raise unusable.faults from None


async def _again(settings: Settings, context: Context, typed: str, part: str) -> tuple[RestartedPart, Sources]:
    shown = await _view_of_part(context, typed)
    line, what = _part(shown, part)
    if line.content is None:
        raise Refusal(f"{part} is {line.state}: there is nothing to decide about it")
    home = StoragePrefix.of(Kind.ONBOARDING.workflow_id(shown.id))
    before = await read_what(context.store, home, line.content, part)
    sources = Sources(
        catalogue=await asyncio.to_thread(clients.catalogue, settings),
        directory=clients.directory(settings, context.store),
        documents=LocalDocuments(settings.signature.max_upload_mb, below=Path.cwd()),
        now=datetime.now(UTC),
    )
    return RestartedPart(context.store, home, what, before), sources


async def _view_of_part(context: Context, typed: str) -> OnboardingShow:
    shown = await show_of(Kind.ONBOARDING, context, typed)
    if not isinstance(shown, OnboardingShow):
        raise TypeError(f"{type(shown).__name__} where an onboarding was asked for")
    if not shown.stages:
        raise Refusal(f"{shown.id}: {shown.says}")
    return shown


def _part(shown: OnboardingShow, id: str) -> tuple[PartLine, PartKind]:
    parts: dict[str, tuple[PartLine, PartKind]] = {}
    for stage in shown.stages:
        parts |= {one.id: (one, PartKind.AGREEMENT) for one in stage.agreements}
        parts |= {one.id: (one, PartKind.TASK) for one in stage.tasks}
        parts |= {one.id: (one, PartKind.STEP) for one in stage.steps}
    if id not in parts:
        raise Refusal(f"{shown.id} has no part {id}{did_you_mean(id, parts)}")
    return parts[id]
