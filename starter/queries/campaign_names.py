"""Names of a campaign's members, for auditors: from erasable content, never from the permanent record."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from activities.campaign.audience import Audiences
from activities.documents.errors import DocumentDamaged, DocumentMissing
from activities.errors import did_you_mean
from activities.people.directory import Directory, DirectoryFailure
from activities.people.ids import stands_in_full
from activities.people.person import Reachable, SignersFile
from activities.records.rows import StoragePrefix
from activities.records.store import Store
from activities.records.user_texts import ERASED
from starter.errors import Refusal
from workflows.kinds import Kind
from workflows.model.rejections import Rejection
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


async def member_of(store: Store, shown: CampaignShow, typed: str, directory: Directory | None) -> str:
    """The id of a member, by that id or their e-mail address; `Refusal` for whom the audience does not have.

    Of a campaign that has not opened, and where the audience cannot be read, the worker finds that out.
    """
    if shown.frozen is None or shown.campaign is None:
        return typed
    try:
        audience = await Audiences(store).read(shown.campaign, shown.frozen.sha256, shown.changed)
    except (DocumentMissing, DocumentDamaged):
        return typed
    ids = tuple(dict.fromkeys(member.person for member in audience.members if member.person))
    if typed in ids:
        return typed
    wanted = typed.strip().casefold()
    known = (await names_of(store, shown, ids, directory)).known if "@" in typed else {}
    found = next((id for id in ids if id in known and known[id].email.casefold() == wanted), None)
    if found is None:
        says = Rejection.NOT_IN_AUDIENCE.says(person=typed)
        raise Refusal(f"nothing was changed: {says}{did_you_mean(typed, ids)}")
    return found
