"""`person show`: how somebody is reached, what waits for them and what they were told, and no address of theirs."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from activities.people.directory import UnknownPerson
from activities.people.file_directory import FileDirectory
from activities.records.devices import device_hash
from activities.records.ended import ListFilter
from starter.cli.people import person_show
from starter.queries import lists as pages
from starter.temporal.connection import Context
from tests.faults.town import eventually
from tests.starter.queries.living import MSA, begin, wait_for_view
from tests.workflows.fakes import World
from tests.workflows.stage import workers

NOW = datetime(2026, 12, 28, 9, tzinfo=UTC)
PEOPLE = """\
people:
  - id: customer-signer
    name: Customer signer
    email: customer@example.org
    zone: America/New_York
    days: mon-thu
    absent: [{from: 2026-12-24, until: 2027-01-02}, {from: 2026-07-01, until: 2026-07-14}]
    devices: [{token: living, platform: ios}, {token: dead, platform: android}]
"""


@pytest.mark.real_server
async def test_a_person_is_shown_with_what_waits_for_them_and_what_they_were_told(
    context: Context, tmp_path: Path
) -> None:
    (tmp_path / "people.yaml").write_text(PEOPLE)
    async with workers(context.client, World()):
        directory = FileDirectory(tmp_path / "people.yaml", context.store)
        person = await directory.person("customer-signer")
        await directory.mark_gone(person, person.devices[1], "unregistered")
        await begin(context)
        await wait_for_view(context, lambda view: view.notifications)
        assert await eventually(lambda: is_listed(context))
        person_view = await person_show(context, directory, "customer-signer", now=NOW)
        with pytest.raises(UnknownPerson, match="did you mean customer-signer"):
            await person_show(context, directory, "costumer-signer")
    assert (person_view.hours, person_view.days, person_view.zone) == ("09:00-18:00", "mon-thu", "America/New_York")
    assert [(absence.begins, absence.ends) for absence in person_view.absences] == [
        (datetime(2026, 12, 24, 5, tzinfo=UTC), datetime(2027, 1, 3, 5, tzinfo=UTC))
    ]
    assert [(device.device, device.reachable) for device in person_view.devices] == [
        (device_hash("living"), True), (device_hash("dead"), False),
    ]  # fmt: skip
    assert ([line.id for line in person_view.waiting], person_view.waiting_in_all) == ([MSA], 1)
    assert [(line.request, line.stage) for line in person_view.notices] == [(MSA, "ready")]
    document = person_view.model_dump_json()
    assert not any(secret in document for secret in ("living", "@example.org", "Customer signer"))


async def is_listed(context: Context) -> bool:
    """Whether visibility has heard whom the request waits for."""
    return (await pages.page(context, ListFilter(person="customer-signer"), size=1)).total == 1
