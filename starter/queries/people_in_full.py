"""Names of people whom a file describes in full, for whoever works with the command and may know them."""

from collections.abc import Iterable, Mapping

from activities.errors import StoreFailure
from activities.people.ids import stands_in_full
from activities.records.store import Store
from starter.queries.lists import RequestLine
from workflows.kinds import WorkflowName, named
from workflows.model.base import Model


async def names_in_full(store: Store, workflow: WorkflowName) -> Mapping[str, str]:
    """Names of people described in full in its file, by id (`p-<12 hex>`). Empty if there are none, they were erased,
    or the store does not answer.
    """
    try:
        content = await store.people.read(workflow.workflow_id)
    except StoreFailure:
        return {}
    people = _People.model_validate_json(content).signers if content else {}
    return {id: person.name for id, person in people.items()}


async def name_people(store: Store, lines: Iterable[RequestLine]) -> tuple[RequestLine, ...]:
    """The lines with names in place of the ids of people described in full."""
    return tuple([await _name_people_of(store, line) for line in lines])


class _Person(Model):
    name: str


class _People(Model):
    """The part of `activities.people.person.SignersFile` with names, without importing the file readers."""

    signers: Mapping[str, _Person]


async def _name_people_of(store: Store, line: RequestLine) -> RequestLine:
    workflow_name = named(line.workflow_id)
    if workflow_name is None or not any(map(stands_in_full, line.waiting_for)):
        return line
    names = await names_in_full(store, workflow_name)
    return line.replace(waiting_for=tuple(names.get(id, id) for id in line.waiting_for))
