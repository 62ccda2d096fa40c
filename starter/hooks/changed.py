"""What becomes of a deal that sends other content than its onboarding was started from: its owner is asked to look.

They are asked by a task of theirs, followed up like any other, once for each content.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog
from temporalio.client import Client

from activities import runs
from activities.directory import Directory, UnknownPerson
from activities.files.reading import FileFaults, PlainFile
from activities.files.yaml_lines import Parsed
from activities.language import phrase
from activities.policies.catalogue import Catalogue
from activities.reader import language_of
from activities.starting import path
from activities.store.home import StoragePrefix
from activities.store.store import Store
from activities.tasks import input as tasks
from workflows.kinds import Kind, WorkflowName
from workflows.model.records import SettledRecord
from workflows.names import REQUESTER
from workflows.onboarding.part import DECISION

TOLD_AT_MOST: Final = 20
"""Tasks about one onboarding; a source that sends without end is told of no more."""
_LOGGER: Final = structlog.get_logger("countersign.hooks")
_TITLE: Final = phrase("Decide: {id} has changed in {source}")
_TEXT: Final = phrase(
    "Deal {deal} of {source} sent other content than this onboarding was started from, or what {source} sends is read "
    "otherwise by now. {standing}"
)
_PLEASE_LOOK: Final = phrase("Please look at the deal, and at the page of {id} at the desk.")
_LIVES: Final = phrase("The onboarding goes on as it was started.")
_HAS_ENDED: Final = phrase("The onboarding has ended, and nothing of it changes.")


@dataclass(frozen=True)
class OtherContent:
    """What a deal of a source has sent that its onboarding was not started from."""

    onboarding: WorkflowName
    fingerprint: str
    deal: str
    source: str
    others: tuple[str, ...]
    """Who may hear that its owner is asked, where that is known: else whom the directory has above them."""


@dataclass(frozen=True)
class ChangedDeals:
    """Asks owners to look at what has changed."""

    client: Client
    store: Store
    directory: Directory
    catalogue: Catalogue

    async def tell(self, other: OtherContent, *, now: datetime) -> None:
        """Ask the owner of the onboarding that was started, who may be another one now; raises what a start does.

        An owner who cannot be asked any more is a line of the log: whoever sent the deal can do nothing about it.
        """
        onboarding = other.onboarding
        about = f"{onboarding.id}.changed-"
        known = await self.client.count_workflows(f"WorkflowId STARTS_WITH '{Kind.TASK.workflow_id(about)}'")
        if known.count >= TOLD_AT_MOST:
            _LOGGER.warning("deal changed too often to tell of it again", onboarding=onboarding.id)
            return
        owner, lives = await self._standing(onboarding.workflow_id)
        others = other.others or await self._above(owner)
        say = (await language_of(self.directory, owner, onboarding.workflow_id)).say
        why = say(_TEXT, deal=other.deal, source=other.source, standing=say(_LIVES if lives else _HAS_ENDED))
        task = {
            "id": f"{about}{other.fingerprint[:12]}",
            "kind": DECISION,
            "title": say(_TITLE, id=onboarding.id, source=other.source),
            "text": f"{why}\n\n{say(_PLEASE_LOOK, id=onboarding.id)}",
            "who": {"person": owner},
            "owner": next((one for one in others if one != owner), owner),
        }
        file = PlainFile("deal", Path(), Parsed(task, {}, ()))
        try:
            prepared = await tasks.prepare_task(file, catalogue=self.catalogue, directory=self.directory, now=now)
            await path.start(self.client, self.store, prepared, parent=onboarding.workflow_id)
        except FileFaults as faults:
            _LOGGER.error("deal changed and nobody can be asked", onboarding=onboarding.id, why=faults.in_short)
        except (path.IdTaken, path.BrokenOff):
            """They were asked before, with somebody else to hear of it, or somebody has put an end to it."""

    async def _above(self, owner: str) -> tuple[str, ...]:
        """Who hears when a decision of the owner waits, as far as the directory says."""
        try:
            person = await self.directory.person(owner)
        except UnknownPerson:
            return ()
        return tuple(filter(None, (person.manager, person.delegate)))

    async def _standing(self, workflow_id: str) -> tuple[str, bool]:
        """Whose onboarding it is, and whether it lives."""
        if record := await self.store.read_record(StoragePrefix.of(workflow_id)):
            return SettledRecord.model_validate_json(record).show.requester, False
        run = await runs.described(self.client, workflow_id)
        return run.known[REQUESTER], run.status.open
