"""Devices as apps register them: what lives, whose it is, what gives way."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from activities.people import devices as module
from activities.people.devices import KEPT_AT_MOST, REMEMBERED_AT_MOST, SENT_TO_AT_MOST, Devices
from activities.people.file_directory import FileDirectory
from activities.people.person import AddressKind, Person, Platform, PushDevice
from activities.records.devices import DevicesOfPerson, device_hash
from activities.records.store import Store
from tests.storage import altered, count

NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
DAY = timedelta(days=1)


def phone(token: str, **fields: object) -> PushDevice:
    return PushDevice.model_validate({"token": token, "platform": Platform.IOS, **fields})


def make_person(id: str, *devices: PushDevice) -> Person:
    return Person(id=id, name="N", email=f"{id}@example.com", zone="UTC", devices=devices)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path))


def reason_gone_by_device(known_devices: tuple[module.KnownDevice, ...]) -> dict[str, str | None]:
    return {known_device.device.value: known_device.invalid_reason for known_device in known_devices}


async def test_a_registration_is_kept_and_a_repetition_says_that_the_app_is_there_still(store: Store) -> None:
    devices, ada = Devices(store), make_person("ada")
    first = await devices.register("ada", phone("t"), NOW)
    repeated = await devices.register("ada", phone("t"), NOW + DAY)
    assert (first.new, repeated.new, first.device) == (True, False, device_hash("t"))
    [known_device] = await devices.list_devices(ada)
    assert (known_device.device.registered, known_device.device.last_seen_at) == (NOW, NOW + DAY)


async def test_an_installation_id_is_an_address_of_its_own_kind(store: Store) -> None:
    devices = Devices(store)
    await devices.register("ada", PushDevice(fid="f", platform=Platform.WEB), NOW)
    [known_device] = await devices.list_devices(make_person("ada"))
    assert (known_device.device.kind, known_device.device.value) == (AddressKind.FID, "f")
    with pytest.raises(ValueError, match="needs exactly one of token, fid"):
        PushDevice(platform=Platform.WEB)


async def test_the_file_and_what_apps_register_are_one_list_without_doubles(store: Store) -> None:
    devices, ada = Devices(store), make_person("ada", phone("a"), phone("b"))
    await devices.register("ada", phone("b"), NOW)
    await devices.register("ada", phone("c"), NOW)
    await devices.register("ada", phone("d"), NOW + DAY)
    known_devices = await devices.list_devices(ada)
    assert [known_device.device.value for known_device in known_devices] == ["a", "b", "d", "c"]
    assert [known_device.device.last_seen_at for known_device in known_devices] == [None, NOW, NOW + DAY, NOW]


async def test_a_device_that_was_given_up_lives_again_once_it_is_registered_anew(store: Store) -> None:
    devices, ada = Devices(store), make_person("ada")
    await devices.register("ada", phone("t"), NOW)
    [known_device] = await devices.list_devices(ada)
    await devices.mark_gone(make_person("ada"), known_device.device, "UNREGISTERED")
    assert reason_gone_by_device(await devices.list_devices(ada)) == {"t": "UNREGISTERED"}
    # Whoever sends an old list again says when it was registered: no later than it was given up.
    await devices.register("ada", phone("t", registered_at=NOW.isoformat()), NOW + DAY)
    assert reason_gone_by_device(await devices.list_devices(ada)) == {"t": "UNREGISTERED"}
    await devices.register("ada", phone("t"), NOW + DAY)
    assert reason_gone_by_device(await devices.list_devices(ada)) == {"t": None}


async def test_a_late_burial_of_an_older_registration_costs_the_new_one_nothing(store: Store) -> None:
    devices = Devices(store)
    await devices.register("ada", phone("t"), NOW)
    [known_before] = await devices.list_devices(make_person("ada"))
    await devices.withdraw(make_person("ada"), "t", NOW + DAY)
    await devices.register("ada", phone("t"), NOW + 2 * DAY)
    await devices.mark_gone(make_person("ada"), known_before.device, "UNREGISTERED")
    assert reason_gone_by_device(await devices.list_devices(make_person("ada"))) == {"t": None}


async def test_a_token_that_moves_to_somebody_else_leaves_its_old_owner(store: Store) -> None:
    devices, ada = Devices(store), make_person("ada", phone("of-file"))
    await devices.register("ada", phone("t"), NOW)
    registrations = [await devices.register("bob", phone(token), NOW + DAY) for token in ("t", "of-file")]
    assert [registration.has_moved for registration in registrations] == [True, False]
    assert reason_gone_by_device(await Devices(store).list_devices(ada)) == dict.fromkeys(
        ("of-file", "t"), "moved to somebody else"
    )
    assert reason_gone_by_device(await devices.list_devices(make_person("bob"))) == {"t": None, "of-file": None}
    await devices.register("ada", phone("t"), NOW + 2 * DAY)
    assert reason_gone_by_device(await devices.list_devices(ada))["t"] is None
    assert reason_gone_by_device(await Devices(store).list_devices(make_person("bob"))) == {
        "t": "moved to somebody else",
        "of-file": None,
    }


async def test_an_address_that_a_phone_had_is_nobody_s_who_had_it_before_either(store: Store) -> None:
    """Bob signs in on Ada's phone, whose token was renewed: the old one still rings there."""
    devices, ada = Devices(store), make_person("ada", phone("of-file"))
    await devices.register("ada", phone("old"), NOW)
    for old_token, new_token in (("old", "new"), ("of-file", "newer")):
        await devices.register("bob", phone(new_token), NOW + DAY)
        await devices.supersede(make_person("bob"), old_token, NOW + DAY)
    assert reason_gone_by_device(await Devices(store).list_devices(ada)) == dict.fromkeys(
        ("of-file", "old"), "moved to somebody else"
    )
    assert reason_gone_by_device(await devices.list_devices(make_person("bob"))) == {"new": None, "newer": None}


async def test_a_registration_from_before_it_was_given_up_says_why_nothing_is_sent(store: Store) -> None:
    devices, dated = Devices(store), phone("t").model_copy(update={"registered_at": NOW})
    await devices.register("ada", dated, NOW)
    await devices.withdraw(make_person("ada"), "t", NOW + DAY)
    assert (await devices.register("ada", dated, NOW + 2 * DAY)).reason == "withdrawn"
    assert (await devices.register("ada", phone("t"), NOW + 2 * DAY)).reason is None
    assert reason_gone_by_device(await devices.list_devices(make_person("ada"))) == {"t": None}


@pytest.mark.long
async def test_what_was_never_registered_and_what_gave_way_leave_nothing_behind(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "KEPT_AT_MOST", 5)
    devices = Devices(store)
    for number in range(50):
        await devices.withdraw(make_person("ada"), f"unknown-{number}", NOW)
        await devices.register("ada", phone(f"t{number}"), NOW + timedelta(seconds=number))
    assert (count(store, "devices"), count(store, "device_owners")) == (5, 5)


async def test_who_had_a_token_before_has_it_no_more_when_its_new_owner_has_many_others(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The phone is Bob's: what Ada is asked to sign must not be read there."""
    monkeypatch.setattr(module, "KEPT_AT_MOST", 3)
    (tmp_path / "people.yaml").write_text(
        "people:\n"
        "  - {id: ada, name: N, email: ada@example.com, zone: UTC, devices: [{token: of-file, platform: ios}]}\n"
    )
    directory = FileDirectory(tmp_path / "people.yaml", store)
    devices, ada = Devices(store, in_file=directory.has_device), await directory.person("ada")
    await devices.register("ada", phone("t"), NOW)
    for number, token in enumerate(("t", "of-file", "t1", "t2", "t3", "t4")):
        await devices.register("bob", phone(token), NOW + number * DAY)
    assert set(reason_gone_by_device(await Devices(store).list_devices(make_person("bob")))) == {"t2", "t3", "t4"}
    assert reason_gone_by_device(await Devices(store).list_devices(ada)) == dict.fromkeys(
        ("of-file", "t"), "moved to somebody else"
    )
    assert count(store, "device_owners") == 4
    await devices.register("ada", phone("t"), NOW + 9 * DAY)
    assert reason_gone_by_device(await Devices(store).list_devices(ada)) == {
        "of-file": "moved to somebody else",
        "t": None,
    }


async def test_what_another_process_registers_counts_a_minute_later_and_one_listing_does_until_then(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, listed = Clock(), 0
    our_devices, their_devices, ada = Devices(store, clock), Devices(store), make_person("ada")
    read = store.devices.read_person

    async def counted(person: str, also: Sequence[str] = ()) -> DevicesOfPerson:
        nonlocal listed
        listed += 1
        return await read(person, also)

    monkeypatch.setattr(store.devices, "read_person", counted)
    assert await our_devices.list_devices(ada) == ()
    await their_devices.register("ada", phone("t"), NOW)
    listed = 0
    assert [await our_devices.list_devices(ada) for _ in range(100)] == [()] * 100
    clock.now = module.FRESH_SECONDS
    assert reason_gone_by_device(await our_devices.list_devices(ada)) == {"t": None}
    assert listed == 1


async def test_people_beyond_those_remembered_are_looked_up_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REMEMBERED_AT_MOST", REMEMBERED_AT_MOST // 100)
    devices = Devices(store)
    for number in range(REMEMBERED_AT_MOST // 10):
        await devices.list_devices(make_person(f"p{number}"))
    assert len(devices._recent) == REMEMBERED_AT_MOST // 100


@pytest.mark.long
async def test_of_ten_thousand_registrations_for_one_person_the_last_are_kept_and_sent_to(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT_AT_MOST", KEPT_AT_MOST // 4)
    devices, registration_count = Devices(store), KEPT_AT_MOST * 5 // 2  # Ten times what is kept here.
    for number in range(registration_count):
        await devices.register("ada", phone(f"t{number}"), NOW + timedelta(seconds=number))
    known_devices = await devices.list_devices(make_person("ada", phone("of-file")))
    assert len(known_devices) == KEPT_AT_MOST // 4 + 1
    living = [known_device.device.value for known_device in known_devices if known_device.invalid_reason is None]
    assert living == ["of-file", *(f"t{registration_count - number}" for number in range(1, SENT_TO_AT_MOST))]
    assert {known_device.invalid_reason for known_device in known_devices if known_device.invalid_reason} == {
        "gave way to those seen later"
    }


async def test_who_stands_in_full_has_the_devices_of_their_own_file_alone(store: Store) -> None:
    devices = Devices(store)
    await devices.register("signer-1", phone("of-another"), NOW)
    assert reason_gone_by_device(await devices.list_devices(make_person("signer-1", phone("a")))) == {"a": None}


def test_a_device_that_was_not_seen_for_thirty_days_cannot_be_relied_on() -> None:
    seen_phone = phone("t", seen_at=NOW.isoformat())
    assert not seen_phone.unseen(NOW + 29 * DAY)
    assert seen_phone.unseen(NOW + 30 * DAY)
    assert not phone("t", registered_at="2020-01-01").unseen(NOW)
    assert "secret" not in repr(phone("secret"))


async def test_a_late_report_of_an_older_registration_does_not_take_the_place_of_why_a_newer_one_is_invalid(
    store: Store,
) -> None:
    devices = Devices(store)
    await devices.register("ada", phone("t"), NOW)
    [known_before] = await devices.list_devices(make_person("ada"))
    await devices.register("ada", phone("t", registered_at=(NOW + DAY).isoformat()), NOW + DAY)
    await devices.withdraw(make_person("ada"), "t", NOW + 2 * DAY)
    await devices.mark_gone(make_person("ada"), known_before.device, "UNREGISTERED")
    assert reason_gone_by_device(await devices.list_devices(make_person("ada"))) == {"t": "withdrawn"}


async def test_of_registrations_at_once_for_two_people_one_is_the_owner(store: Store) -> None:
    devices = Devices(store)
    await asyncio.gather(*(devices.register(person, phone("t"), NOW) for person in 10 * ("ada", "bob")))
    reasons = [
        reason_gone_by_device(await Devices(store).list_devices(make_person(person)))["t"] for person in ("ada", "bob")
    ]
    assert sorted(reasons, key=str) == [None, "moved to somebody else"]


async def test_a_device_of_the_file_that_is_given_up_stays_so_and_its_address_is_not_stored(store: Store) -> None:
    devices, ada = Devices(store), make_person("ada", phone("of-file"))
    await devices.mark_gone(ada, ada.devices[0], "UNREGISTERED")
    assert reason_gone_by_device(await Devices(store).list_devices(ada)) == {"of-file": "UNREGISTERED"}
    assert (await store.devices.people(), altered(store, "DELETE FROM devices WHERE address IS NULL")) == (
        frozenset(),
        1,
    )
