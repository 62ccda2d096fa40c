"""The names of those who stand in full in a file: everywhere else they are an id, such as `signer-1`."""

from collections.abc import Mapping

from activities.store import Home, Store, StoreFailure
from workflows.kinds import Named
from workflows.model.base import Model


class _Person(Model):
    name: str


class _People(Model):
    """As much of `activities.person.SignersFile` as a name takes, without what reads files."""

    signers: Mapping[str, _Person]


async def names_in_full(store: Store, what: Named) -> Mapping[str, str]:
    """By their ids; empty when all are of the directory, they were erased, or the store does not answer."""
    try:
        content = await store.read_signers(Home.of(what.workflow_id))
    except StoreFailure:
        return {}
    people = _People.model_validate_json(content).signers if content else {}
    return {id: one.name for id, one in people.items()}
