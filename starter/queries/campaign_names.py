"""Who the people of a campaign are, for an auditor: from what can be erased, and never in what is kept for ever."""

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
    """The columns that say who somebody is, and what stands in them, by their ids; nothing for `--no-names`."""

    columns: tuple[str, ...] = ()
    known: Mapping[str, Reachable] = field(default_factory=dict, repr=False)

    def cells(self, person: str) -> dict[str, str]:
        """What stands in the columns of somebody: `(erased)` of somebody of the table who is not kept any more."""
        somebody = self.known.get(person)
        if somebody is None:
            return dict.fromkeys(self.columns, ERASED if stands_in_full(person) else "")
        return {name: str(getattr(somebody, name) or "") for name in self.columns}


NO_NAMES: Final = Names()


async def kept(store: Store, id: str) -> Mapping[str, Reachable]:
    """Those who stand in full in the table of a campaign, as far as they were not erased."""
    content = await store.read_signers(StoragePrefix.of(Kind.CAMPAIGN.workflow_id(id)))
    return SignersFile.model_validate_json(content).signers if content else {}


async def names_of(store: Store, shown: CampaignShow, people: Iterable[str], directory: Directory | None) -> Names:
    """Who these are: of a table by what was kept of it, others by the `directory`, where there is one."""
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
    """The id that an e-mail address stands for in the table of a campaign; what is no address, or nobody's, stays."""
    if "@" not in typed:
        return typed
    wanted = typed.strip().casefold()
    return next((person for person, one in (await kept(store, id)).items() if one.email.casefold() == wanted), typed)
