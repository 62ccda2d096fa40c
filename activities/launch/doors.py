"""The one intake of every door (command, API, desk, hook, hand-off, Nexus, year, adoption, table): what is started was
checked and admitted here, and nothing else calls `launch.start`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol, Self

from temporalio.client import Client

from activities.files.pdf import LocalDocuments
from activities.files.reading import FileText, PlainFile
from activities.launch import launch
from activities.launch.launch import PreparedStart, StartResult
from activities.people.directory import Directory
from activities.policies.catalogue import Catalogue
from activities.records.store import Store
from workflows.kinds import Kind

MAX_UPLOAD_MEGABYTES: Final = 20
Clock = Callable[[], datetime]
CHECKS: Final[dict[Kind, Callable[..., Awaitable[PreparedStart]]]] = {}
"""How a file of each kind is checked: `(written, sources)`, with what else the kind knows. Each kind adds its own where
it is described. Raises `FileFaults` with all faults, and `DirectoryFailure`.
"""


def wall_clock() -> datetime:
    """As of when files are checked; the workflows that they start have their own clocks."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class CheckContext:
    """What a file is checked against, as of `now`. `templates_folder` has those of onboardings, `is_part_of_parent`
    says that an onboarding checks its own part.
    """

    catalogue: Catalogue
    directory: Directory
    now: datetime
    documents: LocalDocuments = field(default_factory=lambda: LocalDocuments(MAX_UPLOAD_MEGABYTES))
    templates_folder: Path | None = None
    is_part_of_parent: bool = False


class StartCaller(Protocol):
    """Who starts something."""

    @property
    def actor(self) -> str | None:
        """Who called, and how that is known (`KnownBy`); None for one of our own workflows."""
        ...

    def may_begin(self, kind: str, requester: str) -> bool:
        """Whether they may begin one of this kind of the catalogue for this requester."""
        ...


@dataclass(frozen=True)
class TrustedCaller:
    """May begin anything: an operator at a terminal, a system with a secret of its own, one of our own workflows."""

    actor: str | None = None

    def may_begin(self, kind: str, requester: str) -> bool:
        return True


OWN_WORKFLOW_CALLER: Final = TrustedCaller()


class NotPermitted(Exception):
    """The caller may not begin one of this kind for this requester."""

    def __init__(self, kind: str, requester: str) -> None:
        super().__init__(f"the caller may not start {kind} for {requester}")
        self.kind = kind
        self.requester = requester


@dataclass(frozen=True)
class AdmittedStart:
    """What was checked, and its caller may begin; `prepared` has the type that the check of its kind returns."""

    prepared: Any
    actor: str | None = None

    async def start(self, client: Client, store: Store, **options: Any) -> StartResult:
        """As `launch.start`."""
        return await launch.start(client, store, self.prepared, actor=self.actor, **options)


def admit(prepared: PreparedStart, caller: StartCaller = OWN_WORKFLOW_CALLER) -> AdmittedStart:
    """Raises `NotPermitted`."""
    subject = prepared.workflow_input.subject
    if not caller.may_begin(subject.kind, subject.requester):
        raise NotPermitted(subject.kind, subject.requester)
    return AdmittedStart(prepared, caller.actor)


@dataclass(frozen=True)
class Intake:
    """Reads the catalogue anew for each check."""

    directory: Directory
    read_catalogue: Callable[[], Catalogue]
    clock: Clock = wall_clock
    templates: Path | None = None

    @classmethod
    def from_policies_file(cls, policies: Path, directory: Directory, clock: Clock = wall_clock) -> Self:
        """With the catalogue of a file, and the templates beside it."""
        return cls(directory, partial(Catalogue.read, policies), clock, policies.parent)

    async def with_one_catalogue(self) -> Self:
        """For many files, with the catalogue as it is now. Raises `FileFaults` of the catalogue."""
        catalogue = await asyncio.to_thread(self.read_catalogue)
        return replace(self, read_catalogue=lambda: catalogue)

    async def read_check_context(
        self, documents: LocalDocuments | None = None, now: datetime | None = None
    ) -> CheckContext:
        """Raises `FileFaults` of the catalogue."""
        return CheckContext(
            await asyncio.to_thread(self.read_catalogue),
            self.directory,
            now or self.clock(),
            documents or LocalDocuments(MAX_UPLOAD_MEGABYTES),
            self.templates,
        )

    async def check(
        self,
        kind: Kind,
        file: FileText | PlainFile,
        documents: LocalDocuments | None = None,
        caller: StartCaller = OWN_WORKFLOW_CALLER,
        *,
        now: datetime | None = None,
        **options: Any,
    ) -> AdmittedStart:
        """A file that is right, ready to be started; starts nothing. `options` are what the check of the kind takes.
        Raises `FileFaults` with all faults, `DirectoryFailure`, `NotPermitted`.
        """
        return admit(await CHECKS[kind](file, await self.read_check_context(documents, now), **options), caller)
