"""Many requests or onboardings at once: all are checked before the first is started, and a second start is harmless."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol, TypeVar

from temporalio.service import RPCError

from activities.directory import Directory, UnusablePeople
from activities.files.reading import FileFaults, FileText, PlainFile
from activities.files.table import Table, write
from activities.policies.catalogue import Catalogue
from activities.requests.documents import LocalDocuments
from activities.requests.input import PreparedRequest
from activities.requests.template import Template
from activities.starting import path
from activities.store.store import Store
from starter import clients, requests, together
from starter.context import Context
from starter.error_types import Refusal
from starter.refusals import REFUSALS
from starter.requests import StartAnswer
from starter.settings import Settings
from starter.temporal_refusals import TemporalRefused
from workflows.kinds import Kind
from workflows.model.base import Model

AT_ONCE: Final = 32
"""Those that are being started at the same time."""
FILES_AT_MOST: Final = 10_000
"""Those of one start, however many files they come from."""

Ready_co = TypeVar("Ready_co", bound=path.PreparedStart, covariant=True)


class Prepare(Protocol[Ready_co]):
    """Checks one file in full; `FileFaults` with all that is wrong with it."""

    def __call__(
        self,
        written: PlainFile,
        *,
        catalogue: Catalogue,
        directory: Directory,
        now: datetime,
        documents: LocalDocuments,
    ) -> Awaitable[Ready_co]:
        """What may be started."""
        ...


@dataclass(frozen=True)
class StartOutcome:
    """What became of one of many; `started` is None when it was not, and `says` why."""

    prepared: path.PreparedStart
    started: StartAnswer | None = None
    says: str = "not started: start again"

    @property
    def id(self) -> str:
        """What it is known by."""
        return self.prepared.given.subject.id

    @property
    def kind(self) -> Kind:
        """What it is."""
        return self.prepared.given.subject.type

    @property
    def created(self) -> bool:
        """Whether it was started now, and was not there before."""
        return self.started is not None and self.started.created

    @property
    def words(self) -> str:
        """What became of it, in words."""
        if self.started is None:
            return self.says
        return "started" if self.started.created else "was there before"

    @property
    def answer(self) -> "ManyAnswer":
        """The same for programs."""
        if self.started is None:
            return ManyAnswer(id=self.id, workflow_id=self.kind.workflow_id(self.id), says=self.says)
        return ManyAnswer(**dict(self.started), says=self.words)


class RequestDryRun(Model):
    """The answer of `request start --dry-run` for one request: what would be started."""

    id: str
    kind: str
    document: str
    requester: str
    signers: tuple[str, ...]

    @classmethod
    def of(cls, prepared: PreparedRequest) -> "RequestDryRun":
        """What is known of it before it is started."""
        brief = prepared.request.brief
        people = tuple(one.person for one in brief.people)
        return cls(id=brief.id, kind=brief.kind, document=brief.title, requester=brief.requester, signers=people)


class ManyAnswer(Model):
    """The answer of `start_many` for one of many; `run_id` is None for one that was not started."""

    id: str
    workflow_id: str
    run_id: str | None = None
    created: bool = False
    url: str | None = None
    says: str


async def read_rows_files(
    settings: Settings,
    prepare: Prepare[Ready_co],
    files: Iterable[str],
    *,
    now: datetime | None = None,
    directory: Directory | None = None,
) -> list[Ready_co]:
    """Check everything that some files say, each of which may have several documents.

    Whoever looks people up afterwards gives the `directory`: a large one is then read once. Raises `FileFaults` with
    everything that is wrong with any of them.
    """
    plain = [text.parse() for file in files for text in await asyncio.to_thread(_documents, file)]
    if len(plain) > FILES_AT_MOST:
        raise Refusal(f"{len(plain):,} at once are more than {FILES_AT_MOST:,}: divide them")
    prepared, faults = await _checked(settings, prepare, plain, now, directory)
    if faults:
        raise FileFaults(fault for each in faults for fault in each.faults)
    return prepared


async def read_table(
    settings: Settings, prepare: Prepare[Ready_co], template: str, table: Table, *, now: datetime | None = None
) -> list[Ready_co]:
    """Check what every row of a table makes of a template, in the order of the rows.

    Raises `FileFaults` with everything that is wrong with the template or any row.
    """
    written = await asyncio.to_thread(FileText.read, template)
    filled = Template.of(written, table)
    prepared, faults = await _checked(settings, prepare, filled.files(), now)
    if faults:
        raise filled.common(faults)
    return prepared


async def start_many(
    context: Context,
    prepared: Sequence[path.PreparedStart],
    *,
    again: bool = False,
    done: Callable[[int, StartOutcome], None],
) -> None:
    """Start them, or recognise those that were started before; what becomes of each is told with its position.

    One that is refused holds up no other. Who asked for several requests hears once that they were sent. When Temporal
    is gone the rest is left: start them again.
    """
    waiting = iter(range(len(prepared)))
    gone = asyncio.Event()
    wanted, sent = together.joined(prepared), list[PreparedRequest]()

    async def one_by_one() -> None:
        for number in waiting:
            if gone.is_set():
                return
            one = wanted[number]
            outcome = await _started(context, one, again=again, gone=gone)
            if isinstance(one, PreparedRequest) and one is not prepared[number] and outcome.created:
                sent.append(one)
            done(number, outcome)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(AT_ONCE, len(prepared))):
            group.create_task(one_by_one())
    if not gone.is_set():
        await together.tell(context.client, sent)


def write_results(path: Path, table: Table, outcomes: Sequence[StartOutcome]) -> None:
    """Write what became of every row beside its own cells: id, link, what was done."""
    own = (next((str(one.kind) for one in outcomes), Kind.REQUEST), "link", "result")
    rows = (
        (one.id, one.started.url or "" if one.started else "", one.words, *row.cells.values())
        for row, one in zip(table.rows, outcomes, strict=True)
    )
    write(path, (*own, *table.columns), rows, delimiter=table.delimiter)


async def _started(context: Context, prepared: path.PreparedStart, *, again: bool, gone: asyncio.Event) -> StartOutcome:
    try:
        return StartOutcome(prepared, await requests.start(context, prepared, again=again))
    except RPCError as error:
        gone.set()
        return StartOutcome(prepared, None, f"not started: {TemporalRefused(error, context.client.namespace)}")
    except (Refusal, *REFUSALS) as refused:
        return StartOutcome(prepared, None, " ".join(str(refused).split()))


def _documents(file: str) -> list[FileText]:
    return list(FileText.read(file).documents())


async def _checked(
    settings: Settings,
    prepare: Prepare[Ready_co],
    plain: Iterable[PlainFile],
    now: datetime | None,
    directory: Directory | None = None,
) -> tuple[list[Ready_co], list[FileFaults]]:
    """What is right, and what is wrong with the others; two of one id that differ are wrong, too."""
    catalogue = await asyncio.to_thread(clients.catalogue, settings)
    directory = directory or clients.directory(settings, Store(settings.store_url))
    documents = LocalDocuments(settings.signature.max_upload_mb, below=Path.cwd())
    prepared: list[Ready_co] = []
    faults: list[FileFaults] = []
    ids: dict[str, str] = {}
    for file in plain:
        try:
            one = await prepare(
                file, catalogue=catalogue, directory=directory, now=now or datetime.now(UTC), documents=documents
            )
        except FileFaults as found:
            faults.append(found)
        except UnusablePeople as unusable:
            raise unusable.faults from None
        else:
            subject, fingerprint = one.given.subject, one.given.fingerprint
            if ids.setdefault(subject.id, fingerprint) != fingerprint:
                says = f"{subject.id} is the id of another {subject.type} of this start, too"
                faults.append(file.faults([(("id",), says)]))
            prepared.append(one)
    return prepared, faults
