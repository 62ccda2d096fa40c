"""Everything that outlives a workflow: the database by its nouns, and the files."""

import zlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from activities.documents.files import Files
from activities.errors import StoreFailure
from activities.records.absences import StoredAbsences
from activities.records.allowances import SharedAllowances
from activities.records.app_pushes import AppPushes
from activities.records.audiences import Audiences
from activities.records.budgets import Budgets
from activities.records.database import Database, insert_new
from activities.records.devices import StoredDevices
from activities.records.directory import StoredDirectory
from activities.records.downloads import Downloads
from activities.records.drafts import Drafts
from activities.records.ended import EndedFollowUps
from activities.records.erasures import Erasures
from activities.records.evidence import Evidence, Seals, file_part
from activities.records.figures import EndedFigures
from activities.records.hand_offs import HandOffs
from activities.records.handed_links import HandedLinks
from activities.records.holds import Holds
from activities.records.incidents import Incidents
from activities.records.log_pages import LogPages
from activities.records.notes import ProcessNotes
from activities.records.one_use import OneUse
from activities.records.outbound_mail import StoredOutboundMail
from activities.records.outcomes import Outcomes
from activities.records.people import OF_A_START, StoredPeople, keep_start
from activities.records.processes import Processes
from activities.records.receipts import Receipts
from activities.records.schema import EVIDENCE_PARTS, PEOPLE_IN_FULL, TEXTS
from activities.records.sessions import DeskSessions
from activities.records.settled import Records
from activities.records.starts import StartRecords
from activities.records.subscriptions import LinkSubscriptions, WebPushKeys
from activities.records.texts import Reference, Texts, keep_texts
from activities.records.tokens import Tokens
from activities.records.uploads import Uploads

DATABASE_FILE: Final = "countersign.sqlite3"
"""Where no URL is given: beside the files, which then must be a folder."""


class Store:
    """`files` is an fsspec URL, `database` an SQLAlchemy URL. Calls are idempotent and raise `StoreAway` or
    `DatabaseAway`; the constructor raises `StoreFailure`.
    """

    def __init__(self, files: str, database: str | None = None) -> None:  # noqa: PLR0915  a line a noun
        self.files: Final = Files(files)
        """Documents and tables by hash."""
        self.database: Final = Database(database or _default_database(self.files))
        self.records: Final = Records(self.database)
        """Settled records and their amendments."""
        self.erasures: Final = Erasures(self.database)
        """People who were erased, or are to be."""
        self.holds: Final = Holds(self.database)
        """Legal holds."""
        self.seals: Final = Seals(self.database)
        """Signatures of evidence packs."""
        self.ended_follow_ups: Final = EndedFollowUps(self.database)
        """Lists of records."""
        self.figures: Final = EndedFigures(self.database)
        """What is counted of them."""
        self.evidence: Final = Evidence(self.database)
        """What is kept at the end beside the record: signed documents, histories, identities."""
        self.downloads: Final = Downloads(self.database)
        """Links to kept files, and who downloaded them."""
        self.starts: Final = StartRecords(self.database)
        """What is known of a follow-up from its start on."""
        self.log_pages: Final = LogPages(self.database)
        """Pages of the notification log."""
        self.texts: Final = Texts(self.database)
        """What people wrote, apart and erasable."""
        self.people: Final = StoredPeople(self.database)
        """People described in full, and the index of the people file."""
        self.directory: Final = StoredDirectory(self.database)
        """People and groups that the company's directory pushes."""
        self.devices: Final = StoredDevices(self.database)
        self.handed_links: Final = HandedLinks(self.database)
        """Links of signers that are handed over."""
        self.app_pushes: Final = AppPushes(self.database)
        """Pushes to the app, and what it reported of them."""
        self.link_subscriptions: Final = LinkSubscriptions(self.database)
        """Browsers behind links."""
        self.web_push_keys: Final = WebPushKeys(self.database)
        self.hand_offs: Final = HandOffs(self.database)
        self.incidents: Final = Incidents(self.database)
        """Targets and push credentials that are unwell."""
        self.outbound_mail: Final = StoredOutboundMail(self.database)
        """State of emails and SMS, so that none is sent twice."""
        self.one_use: Final = OneUse(self.database)
        """Used links and codes."""
        self.desk_sessions: Final = DeskSessions(self.database)
        self.allowances: Final = SharedAllowances(self.database)
        """What may be done how often, for all processes together."""
        self.budgets: Final = Budgets(self.database)
        """Which notices count against a budget, wait for it, or were joined into another."""
        self.audiences: Final = Audiences(self.database, self.files)
        """Members of campaigns, frozen and changed, and what yearly ones open with."""
        self.outcomes: Final = Outcomes(self.database)
        """How members of campaigns stand."""
        self.processes: Final = Processes(self.database)
        self.receipts: Final = Receipts(self.database)
        self.tokens: Final = Tokens(self.database)
        """Those of programs that call the API."""
        self.uploads: Final = Uploads(self.database)
        """Who uploaded a document by the API."""
        self.absences: Final = StoredAbsences(self.database)
        """Absences that people entered."""
        self.drafts: Final = Drafts(self.database, self.files)
        """What people write at the desk and have not sent."""
        self.notes: Final = ProcessNotes(self.database)

    def close(self) -> None:
        """Close idle connections."""
        self.database.close()

    async def keep_input(
        self,
        workflow_id: str,
        fingerprint: str,
        people: bytes | None,
        texts: Mapping[str, str | None],
        file: bytes | None = None,
    ) -> Mapping[str, str]:
        """Store people described in full, texts that are not empty, and the file, for the start of this fingerprint, in
        one transaction; the texts' references by the ids that were given.
        """
        start = fingerprint[:OF_A_START]
        stored = {id: (f"{id.lower().replace('_', '-')}-{start}", text) for id, text in texts.items() if text}
        part = {"name": file_part(fingerprint), "content": zlib.compress(file or b"", 9)}

        def change(connection: Connection) -> Mapping[tuple[str, str], Reference]:
            keep_start(workflow_id, fingerprint, people, connection)
            if file is not None:
                insert_new(connection, EVIDENCE_PARTS, workflow_id=workflow_id, **part)
            return keep_texts(workflow_id, stored.values(), connection)

        references = await self.database.write(change)
        return {id: str(references[named]) for id, named in stored.items()}

    async def forget_input(self, workflow_id: str, fingerprint: str) -> None:
        """Remove what the start of this fingerprint stored, unless it is the one that runs."""
        start, people, part, text = fingerprint[:OF_A_START], PEOPLE_IN_FULL.c, EVIDENCE_PARTS.c, TEXTS.c
        refused_people = people.workflow_id == workflow_id, people.fingerprint == start, people.chosen.is_(False)
        file = part.workflow_id == workflow_id, part.name == file_part(fingerprint)
        texts = text.workflow_id == workflow_id, text.name.like(f"%-{start}%")

        def change(connection: Connection) -> None:
            if connection.execute(PEOPLE_IN_FULL.delete().where(*refused_people)).rowcount:
                connection.execute(EVIDENCE_PARTS.delete().where(*file))
                connection.execute(TEXTS.delete().where(*texts))

        await self.database.write(change)

    async def check(self) -> None:
        """Use both as requests will; raises `StoreFailure`."""
        await self.database.check()
        await self.files.check()


@lru_cache(maxsize=4)
def store_at(files: str, database: str) -> Store:
    """The one store of this process at these URLs, so that whoever asks again and again opens no more connections."""
    return Store(files, database)


def _default_database(files: Files) -> str:
    if not files.local:
        raise StoreFailure("files elsewhere need a database that is named: COUNTERSIGN_DATABASE")
    return f"sqlite:///{Path(files.root) / DATABASE_FILE}"
