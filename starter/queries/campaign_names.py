"""Names of a campaign's members, for auditors: from erasable content, never from the permanent record."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from activities.people.directory import Directory, DirectoryFailure
from activities.people.ids import stands_in_full
from activities.people.person import Reachable, SignersFile
from activities.records.rows import StoragePrefix
from activities.records.store import Store
from activities.records.user_texts import ERASED
from workflows.kinds import Kind
from workflows.model.views import CampaignShow

DEFAULT: Final = ("name", "email")


@dataclass(frozen=True)
class Names:
    """Columns of names, and their cells by id; empty for `--no-names`."""

    columns: tuple[str, ...] = ()
    known: Mapping[str, Reachable] = field(default_factory=dict, repr=False)

    def cells(self, person: str) -> dict[str, str]:
        """A member's cells: `(erased)` for a person of the table who was erased."""
        somebody = self.known.get(person)
        if somebody is None:
            return dict.fromkeys(self.columns, ERASED if stands_in_full(person) else "")
        return {name: str(getattr(somebody, name) or "") for name in self.columns}


NO_NAMES: Final = Names()


async def kept(store: Store, id: str) -> Mapping[str, Reachable]:
    """People described in full in a campaign's table, without erased ones."""
    content = await store.read_signers(StoragePrefix.of(Kind.CAMPAIGN.workflow_id(id)))
    return SignersFile.model_validate_json(content).signers if content else {}


async def names_of(store: Store, shown: CampaignShow, people: Iterable[str], directory: Directory | None) -> Names:
    """Names of a table's people from the store, of others from `directory`, if given."""
    columns = shown.campaign.report_columns if shown.campaign else DEFAULT
    known = dict(await kept(store, shown.id))
    for person in people if directory else ():
        if directory and person and not stands_in_full(person):
            try:
                known[person] = await directory.person(person)
            except DirectoryFailure:
                continue
    return Names(columns, known)


async def person_of(store: Store, id: str, typed: str) -> str:
    """The id of an e-mail address in a campaign's table; other text unchanged."""
    if "@" not in typed:
        return typed
    wanted = typed.strip().casefold()
    return next((person for person, one in (await kept(store, id)).items() if one.email.casefold() == wanted), typed)
