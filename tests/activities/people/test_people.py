"""The directory file: what is refused, what is read again, what stays dead."""

import asyncio
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from babel import Locale
from temporalio.exceptions import ApplicationError

from activities.files.reading import FileFaults
from activities.people.directory import (
    Directory,
    DirectoryAway,
    DirectoryFailure,
    UnknownGroup,
    UnknownPerson,
    UnusablePeople,
)
from activities.people.file_directory import FileDirectory
from activities.people.person import PeopleFile, Person, Platform, PushDevice, Reachable, SignersFile
from activities.records.store import Store
from activities.schedule.planner import PolicyPlanner
from tests.activities.launch.papers import PEOPLE
from workflows.kinds import Kind, kinds
from workflows.model.schedule import StandIn
from workflows.model.subject import Code

_ENTRY = "{{id: {id}, name: N, email: {id}@example.com, zone: Europe/Amsterdam{more}}}"


def entry(id: str, extra_fields: str = "") -> str:
    return "  - " + _ENTRY.format(id=id, more=", " + extra_fields if extra_fields else "")


def people(tmp_path: Path, text: str = PEOPLE) -> FileDirectory:
    (tmp_path / "people.yaml").write_text(text, "utf-8")
    return FileDirectory(tmp_path / "people.yaml", Store(str(tmp_path / "store")))


def faults(tmp_path: Path, *entries: str) -> str:
    file = tmp_path / "people.yaml"
    file.write_text("\n".join(["people:", *entries]), "utf-8")
    with pytest.raises(FileFaults) as caught:
        PeopleFile.read(file)
    return str(caught.value).replace(f"{tmp_path}/", "")


def change(file: Path, text: str) -> None:
    """Write the file again with a modification time that differs whatever the clock's resolution is."""
    later = file.stat().st_mtime_ns + 1_000_000_000
    file.write_text(text, "utf-8")
    os.utime(file, ns=(later, later))


async def test_persons_and_groups(tmp_path: Path) -> None:
    directory: Directory = people(tmp_path)
    chief = await directory.person("chief-executive")
    assert (chief.zone, chief.calendar, chief.locale, chief.manager) == ("Europe/Amsterdam", "NL", "nl", "chair")
    assert (chief.hours, chief.days) == ("09:00-18:00", "mon-fri")
    assert await directory.group("all-staff") == ("chief-executive", "legal-desk")


async def test_absence_is_whole_days_in_the_persons_zone(tmp_path: Path) -> None:
    chief = await people(tmp_path).person("chief-executive")
    assert not chief.absent_at(datetime(2026, 12, 23, 22, 59, tzinfo=UTC))
    assert chief.absent_at(datetime(2026, 12, 23, 23, 0, tzinfo=UTC))
    assert chief.absent_at(datetime(2027, 1, 2, 22, 59, tzinfo=UTC))
    assert not chief.absent_at(datetime(2027, 1, 2, 23, 0, tzinfo=UTC))


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12", "UTC"])
@pytest.mark.parametrize(
    ("begins", "ends", "expected_absences"),
    [
        ("2026-12-24", "9999-12-31", (False, True, True)),
        ("0001-01-01", "2026-12-26", (True, True, False)),
        ("0001-01-01", "9999-12-31", (True, True, True)),
        ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", (True, True, True)),
    ],
)
async def test_people_may_be_away_for_good(
    tmp_path: Path, zone: str, begins: str, ends: str, expected_absences: tuple[bool, ...]
) -> None:
    written = PEOPLE.replace("2026-12-24", begins).replace("2027-01-02", ends).replace("Europe/Amsterdam", zone)
    chief = await people(tmp_path, written).person("chief-executive")
    instants = [datetime(2026, 12, day, 12, tzinfo=UTC) for day in (1, 25, 31)]
    assert tuple(map(chief.absent_at, instants)) == expected_absences
    assert all(instant.astimezone(ZoneInfo("Pacific/Kiritimati")) for instant in chief.absences[0])


async def test_who_is_not_there_is_named_with_a_hint(tmp_path: Path) -> None:
    directory = people(tmp_path)
    with pytest.raises(UnknownPerson, match=r'"cheif-executive" is not in people.yaml, did you mean chief-executive'):
        await directory.person("cheif-executive")
    with pytest.raises(UnknownGroup, match=r'"director" is not in people.yaml, did you mean directors'):
        await directory.group("director")


@pytest.mark.parametrize(
    ("extra_fields", "fault"),
    [
        ("manager: nobody", "people.yaml:3: people[1].manager: nobody is not in this file"),
        ("delegate: chiar", "delegate: chiar is not in this file, did you mean chair?"),
        ("manager: second", "manager: goes round in a circle: second → second"),
        ("locale: xx-klingon", "locale: is not a locale such as en"),
        ("calendar: Holland", "calendar: must be a country such as NL"),
        ('hours: "18:00-09:00"', "hours: must be working hours"),
        ("days: mon-funday", "days: must be weekdays"),
        ("absent: [{from: 2026-12-24, until: 2026-12-23}]", "absent[0]: ends before it begins"),
        ("absent: [{from: tomorrow, until: 2026-12-23}]", "absent[0].from: must be a date such as"),
        ("phone: 0612345678", "phone: must be a text, not a number (put it in quotes)"),
        ("devices: [{token: a b, platform: android}]", "devices[0].token: must be 1-4096 printable characters"),
        ("devices: [{token: t, platform: pager}]", "devices[0].platform: must be one of 'android', 'ios' or 'web'"),
        (
            "devices: [{token: t, platform: ios}, {token: t, platform: ios}]",
            "a device token that is in this file twice",
        ),
    ],
)
def test_refused_fields(tmp_path: Path, extra_fields: str, fault: str) -> None:
    assert fault in faults(tmp_path, entry("chair"), entry("second", extra_fields))


def test_refused_ids_and_zones(tmp_path: Path) -> None:
    messages = faults(
        tmp_path,
        entry("chair"),
        entry("chair"),
        entry("signer-1"),
        entry("a/b"),
        "  - {id: x, name: N, email: nowhere, zone: Europe/Amsterdm}",
    )
    assert messages.split("\n") == [
        "people.yaml:3: people[1].id: chair is in this file twice",
        "people.yaml:4: people[2].id: is reserved for people who stand in full in a file",
        "people.yaml:5: people[3].id: must be 1-100 characters of A-Z a-z 0-9 . _ -, not only dots",
        "people.yaml:6: people[4].email: is not an e-mail address",
        "people.yaml:6: people[4].zone: 'Europe/Amsterdm' is no time zone, did you mean Europe/Amsterdam?",
    ]


async def test_a_circle_of_managers_is_told_once(tmp_path: Path) -> None:
    messages = faults(tmp_path, entry("c", "manager: a"), entry("a", "manager: b"), entry("b", "manager: c"))
    assert messages == "people.yaml:3: people[1].manager: goes round in a circle: a → b → c → a"


async def test_a_token_of_two_people_is_refused_without_being_shown(tmp_path: Path) -> None:
    device = "devices: [{token: secret-token, platform: ios}]"
    messages = faults(tmp_path, entry("a", device), entry("b", device))
    assert messages == "people.yaml:3: people[1].devices: has a device token that is in this file twice"


SECRETS = ("jan.secret@acme.example", "Jan Secret", "Secret", "0031 20 777 0199", "secret-token-" + "x" * 90)


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "written",
    [
        *(
            f"- {{id: a, name: N, email: a@example.com, zone: UTC, {field}: SECRET}}"
            for field in ("locale", "calendar", "hours", "days", "phone", "absent", "devices")
        ),
        "- {id: a, name: N, email: a@example.com, zone: SECRET}",
        "- {id: a, name: N, email: a@example.com, zone: UTC, devices: [{token: t, platform: SECRET}]}",
        "- {id: a, name: N, email: a@example.com, zone: UTC, absent: [{from: SECRET, until: 2026-12-24}]}",
        "- {id: a, name: N, email: a@example.com, zone: !!str SECRET}",
    ],
)
async def test_a_fault_never_repeats_what_stands_in_a_wrong_place(tmp_path: Path, written: str, secret: str) -> None:
    messages = faults(tmp_path, "  " + written.replace("SECRET", f'"{secret}"'))
    assert messages.startswith("people.yaml:2: people[0].")
    assert not any(secret_part in messages for secret_part in ("ecret", "777", "Jan"))


@pytest.mark.parametrize("secret", ["jan.secret@acme.example", "Jan Secret", "+31207770199", "secret=" + "x" * 60])
@pytest.mark.parametrize(
    "written",
    [
        '- {id: a, name: N, email: a@example.com, zone: UTC, "SECRET": 1}',
        '- {id: a, name: N, email: a@example.com, zone: UTC, "SECRET": 1, "SECRET": 2}',
        '- {id: "SECRET", name: N, email: a@example.com, zone: UTC, manager: "SECRET"}',
        '- {id: b, name: N, email: a@example.com, zone: UTC, manager: secre}\n  - {id: "SECRET"}',
        "- {id: b, name: N, email: a@example.com, zone: UTC, manager: d}\n"
        '  - {id: d, name: N, email: a@example.com, zone: UTC, manager: "SECRET"}\n'
        '  - {id: "SECRET", name: N, email: a@example.com, zone: UTC, manager: b}',
        "- {id: a, name: N, email: *SECRET, zone: UTC}",
        "- {id: a, name: N, email: !SECRET x, zone: UTC}",
    ],
)
async def test_neither_names_of_fields_nor_hints_repeat_what_may_be_personal(
    tmp_path: Path, written: str, secret: str
) -> None:
    messages = faults(tmp_path, "  " + written.replace("SECRET", secret))
    assert not any(secret_part in messages for secret_part in ("ecret", "777", "Jan"))


async def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    directory = people(tmp_path)
    assert (await directory.person("chief-executive")).manager == "chair"
    change(tmp_path / "people.yaml", PEOPLE.replace("manager: chair", "manager: legal-desk"))
    assert (await directory.person("chief-executive")).manager == "legal-desk"


async def test_a_file_that_became_faulty_keeps_the_last_good_state_and_says_so(tmp_path: Path) -> None:
    directory = people(tmp_path)
    await directory.person("chair")
    change(tmp_path / "people.yaml", PEOPLE.replace("manager: chair", "manager: nobody"))
    assert (await directory.person("chief-executive")).manager == "chair"
    assert directory.warning is not None
    assert "nobody is not in this file" in directory.warning
    change(tmp_path / "people.yaml", PEOPLE + " ")
    await directory.person("chair")
    assert directory.warning is None


async def test_a_fault_that_nobody_thought_of_is_a_warning_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = people(tmp_path)
    await directory.person("chair")

    def stumble(*_: object, **__: object) -> None:
        raise OverflowError("chair@example.com")

    monkeypatch.setattr(Locale, "parse", stumble)
    change(tmp_path / "people.yaml", PEOPLE + " ")
    assert (await directory.person("chair")).name == "Chair"
    assert directory.warning == (
        f"{tmp_path / 'people.yaml'}: cannot be read, by a fault of Countersign (OverflowError)"
    )
    with pytest.raises(UnusablePeople, match=r"by a fault of Countersign \(OverflowError\)"):
        await people(tmp_path).person("chair")


async def test_a_reading_that_was_broken_off_is_taken_up_again(tmp_path: Path) -> None:
    directory = people(tmp_path)
    await directory.person("chair")
    change(tmp_path / "people.yaml", PEOPLE.replace("name: Chair", "name: New chair"))
    reading = asyncio.create_task(directory.person("chair"))
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert (await directory.person("chair")).name == "New chair"


async def test_the_failure_is_one_line_and_knows_all_faults(tmp_path: Path) -> None:
    with pytest.raises(UnusablePeople) as caught:
        await people(tmp_path, "people:\n" + entry("a", "manager: b") + "\n" + entry("c", "delegate: d")).person("a")
    assert str(caught.value) == f"{tmp_path}/people.yaml:2: people[0].manager: b is not in this file (and 1 more)"
    assert [fault.path for fault in caught.value.faults.faults] == ["people[0].manager", "people[1].delegate"]


async def test_a_store_that_is_away_is_no_fault_of_the_file(tmp_path: Path) -> None:
    directory = people(tmp_path, "people:\n" + entry("a"))
    person, store = await directory.person("a"), tmp_path / "store"
    shutil.rmtree(store, ignore_errors=True)
    store.write_text("no folder")
    dead = PushDevice(token="token", platform=Platform.ANDROID)
    lookups = [
        directory.devices(person),
        directory.mark_gone(person, dead, "UNREGISTERED"),
        directory.registered(),
        directory.person("signer-1", Kind.REQUEST.workflow_id("r1")),
    ]
    for lookup in lookups:
        with pytest.raises(
            DirectoryAway,
            match=r"^the database cannot be used: ",
        ):
            await lookup
    with pytest.raises(ApplicationError) as caught:
        await PolicyPlanner(directory).check(
            StandIn(person="signer-1", at=datetime.now(UTC), beside=Kind.REQUEST.workflow_id("r1"))
        )
    assert (caught.value.type, caught.value.non_retryable) == (Code.UNREACHABLE, False)


async def test_a_file_that_never_was_good_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(DirectoryFailure, match="cannot be read"):
        await FileDirectory(tmp_path / "missing.yaml", Store(str(tmp_path))).person("chair")


async def test_a_dead_device_stays_dead_after_a_restart(tmp_path: Path) -> None:
    first_directory = people(tmp_path)
    chief = await first_directory.person("chief-executive")
    for _ in range(2):
        await first_directory.mark_gone(chief, chief.devices[0], "UNREGISTERED")
    restarted_directory = people(tmp_path)
    living = await restarted_directory.devices(await restarted_directory.person("chief-executive"))
    assert [device.token for device in living] == ["chief-executive~2"]


@pytest.mark.parametrize(
    ("registered", "alive"),
    [(None, False), ("2020-01-01", False), ("2999-01-01T09:00:00Z", True)],
)
async def test_a_phone_that_registers_again_lives_again(tmp_path: Path, registered: str | None, alive: bool) -> None:
    directory = people(tmp_path)
    chief = await directory.person("chief-executive")
    await directory.mark_gone(chief, chief.devices[0], "UNREGISTERED")
    registered_phone = PushDevice.model_validate({**dict(chief.devices[0]), "registered_at": registered})
    assert await directory.devices(chief.model_copy(update={"devices": (registered_phone,)})) == (
        (registered_phone,) if alive else ()
    )
    await directory.mark_gone(chief, registered_phone, "UNREGISTERED")
    assert await directory.devices(chief.model_copy(update={"devices": (registered_phone,)})) == ()


@pytest.mark.parametrize("kind", [Kind.REQUEST, Kind.TASK, Kind.ONBOARDING, Kind.CAMPAIGN])
async def test_who_stands_in_full_is_found_beside_their_own_workflow_only(tmp_path: Path, kind: Kind) -> None:
    store, home = Store(str(tmp_path / "store")), kind.workflow_id("r1")
    in_full = Reachable(name="Buyer", email="buyer@example.org", zone="Asia/Tokyo")
    await store.people.keep(home, "a" * 64, SignersFile.dump_signers([None, in_full], [None, "signer-2"]) or b"")
    directory = people(tmp_path)
    assert await directory.person("signer-2", home) == Person(id="signer-2", **dict(in_full))
    for id, home_of_lookup in (("signer-1", home), ("signer-2", f"{home}2"), ("signer-2", None)):
        with pytest.raises(UnknownPerson):
            await directory.person(id, home_of_lookup)
    for other_kind in set(kinds()) - {kind}:
        with pytest.raises(UnknownPerson):
            await directory.person("signer-2", other_kind.workflow_id("r1"))


async def test_an_id_that_only_looks_similar_is_of_the_directory(tmp_path: Path) -> None:
    assert (await people(tmp_path, "people:\n" + entry("signer-desk")).person("signer-desk", "task:r1")).name == "N"


def test_a_person_shows_nothing_personal() -> None:
    representation = repr(Person(id="p", name="Some Name", email="p@example.com", zone="UTC", phone="+31 20 555 0100"))
    assert not any(secret in representation for secret in ("Some Name", "p@example.com", "555"))
