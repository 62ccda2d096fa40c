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


def phone(token: str, **more: object) -> PushDevice:
    return PushDevice.model_validate({"token": token, "platform": Platform.IOS, **more})


def somebody(id: str, *devices: PushDevice) -> Person:
    return Person(id=id, name="N", email=f"{id}@example.com", zone="UTC", devices=devices)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path))


def states(known: tuple[module.KnownDevice, ...]) -> dict[str, str | None]:
    return {one.device.value: one.gone for one in known}


async def test_a_registration_is_kept_and_a_repetition_says_that_the_app_is_there_still(store: Store) -> None:
    devices, ada = Devices(store), somebody("ada")
    first = await devices.register("ada", phone("t"), NOW)
    again = await devices.register("ada", phone("t"), NOW + DAY)
    assert (first.new, again.new, first.device) == (True, False, device_hash("t"))
    [known] = await devices.known(ada)
    assert (known.device.registered, known.device.seen) == (NOW, NOW + DAY)


async def test_an_installation_id_is_an_address_of_its_own_kind(store: Store) -> None:
    devices = Devices(store)
    await devices.register("ada", PushDevice(fid="f", platform=Platform.WEB), NOW)
    [known] = await devices.known(somebody("ada"))
    assert (known.device.kind, known.device.value) == (AddressKind.FID, "f")
    with pytest.raises(ValueError, match="needs exactly one of token, fid"):
        PushDevice(platform=Platform.WEB)


async def test_the_file_and_what_apps_register_are_one_list_without_doubles(store: Store) -> None:
    devices, ada = Devices(store), somebody("ada", phone("a"), phone("b"))
    await devices.register("ada", phone("b"), NOW)
    await devices.register("ada", phone("c"), NOW)
    await devices.register("ada", phone("d"), NOW + DAY)
    known = await devices.known(ada)
    assert [one.device.value for one in known] == ["a", "b", "d", "c"]
    assert [one.device.seen for one in known] == [None, NOW, NOW + DAY, NOW]


async def test_a_device_that_was_given_up_lives_again_once_it_is_registered_anew(store: Store) -> None:
    devices, ada = Devices(store), somebody("ada")
    await devices.register("ada", phone("t"), NOW)
    [known] = await devices.known(ada)
    await devices.mark_gone(somebody("ada"), known.device, "UNREGISTERED")
    assert states(await devices.known(ada)) == {"t": "UNREGISTERED"}
    # Whoever sends an old list again says when it was registered: no later than it was given up.
    await devices.register("ada", phone("t", registered_at=NOW.isoformat()), NOW + DAY)
    assert states(await devices.known(ada)) == {"t": "UNREGISTERED"}
    await devices.register("ada", phone("t"), NOW + DAY)
    assert states(await devices.known(ada)) == {"t": None}


async def test_a_late_burial_of_an_older_registration_costs_the_new_one_nothing(store: Store) -> None:
    devices = Devices(store)
    await devices.register("ada", phone("t"), NOW)
    [before] = await devices.known(somebody("ada"))
    await devices.withdraw(somebody("ada"), "t", NOW + DAY)
    await devices.register("ada", phone("t"), NOW + 2 * DAY)
    await devices.mark_gone(somebody("ada"), before.device, "UNREGISTERED")
    assert states(await devices.known(somebody("ada"))) == {"t": None}


async def test_a_token_that_moves_to_somebody_else_leaves_its_old_owner(store: Store) -> None:
    devices, ada = Devices(store), somebody("ada", phone("of-file"))
    await devices.register("ada", phone("t"), NOW)
    moved = [await devices.register("bob", phone(one), NOW + DAY) for one in ("t", "of-file")]
    assert [one.moved for one in moved] == [True, False]
    assert states(await Devices(store).known(ada)) == dict.fromkeys(("of-file", "t"), "moved to somebody else")
    assert states(await devices.known(somebody("bob"))) == {"t": None, "of-file": None}
    await devices.register("ada", phone("t"), NOW + 2 * DAY)
    assert states(await devices.known(ada))["t"] is None
    assert states(await Devices(store).known(somebody("bob"))) == {"t": "moved to somebody else", "of-file": None}


async def test_an_address_that_a_phone_had_is_nobody_s_who_had_it_before_either(store: Store) -> None:
    """Bob signs in on Ada's phone, whose token was renewed: the old one still rings there."""
    devices, ada = Devices(store), somebody("ada", phone("of-file"))
    await devices.register("ada", phone("old"), NOW)
    for had, has in (("old", "new"), ("of-file", "newer")):
        await devices.register("bob", phone(has), NOW + DAY)
        await devices.supersede(somebody("bob"), had, NOW + DAY)
    assert states(await Devices(store).known(ada)) == dict.fromkeys(("of-file", "old"), "moved to somebody else")
    assert states(await devices.known(somebody("bob"))) == {"new": None, "newer": None}


async def test_a_registration_from_before_it_was_given_up_says_why_nothing_is_sent(store: Store) -> None:
    devices, dated = Devices(store), phone("t").model_copy(update={"registered_at": NOW})
    await devices.register("ada", dated, NOW)
    await devices.withdraw(somebody("ada"), "t", NOW + DAY)
    assert (await devices.register("ada", dated, NOW + 2 * DAY)).gone == "withdrawn"
    assert (await devices.register("ada", phone("t"), NOW + 2 * DAY)).gone is None
    assert states(await devices.known(somebody("ada"))) == {"t": None}


async def test_what_was_never_registered_and_what_gave_way_leave_nothing_behind(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "KEPT_AT_MOST", 5)
    devices = Devices(store)
    for number in range(50):
        await devices.withdraw(somebody("ada"), f"unknown-{number}", NOW)
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
    assert set(states(await Devices(store).known(somebody("bob")))) == {"t2", "t3", "t4"}
    assert states(await Devices(store).known(ada)) == dict.fromkeys(("of-file", "t"), "moved to somebody else")
    assert count(store, "device_owners") == 4
    await devices.register("ada", phone("t"), NOW + 9 * DAY)
    assert states(await Devices(store).known(ada)) == {"of-file": "moved to somebody else", "t": None}


async def test_what_another_process_registers_counts_a_minute_later_and_one_listing_does_until_then(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, listed = Clock(), 0
    ours, theirs, ada = Devices(store, clock), Devices(store), somebody("ada")
    read = store.devices.of

    async def counted(person: str, also: Sequence[str] = ()) -> DevicesOfPerson:
        nonlocal listed
        listed += 1
        return await read(person, also)

    monkeypatch.setattr(store.devices, "of", counted)
    assert await ours.known(ada) == ()
    await theirs.register("ada", phone("t"), NOW)
    listed = 0
    assert [await ours.known(ada) for _ in range(100)] == [()] * 100
    clock.now = module.FRESH_SECONDS
    assert states(await ours.known(ada)) == {"t": None}
    assert listed == 1


async def test_people_beyond_those_remembered_are_looked_up_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REMEMBERED_AT_MOST", REMEMBERED_AT_MOST // 100)
    devices = Devices(store)
    for number in range(REMEMBERED_AT_MOST // 10):
        await devices.known(somebody(f"p{number}"))
    assert len(devices._recent) == REMEMBERED_AT_MOST // 100


async def test_of_ten_thousand_registrations_for_one_person_the_last_are_kept_and_sent_to(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT_AT_MOST", KEPT_AT_MOST // 4)
    devices, many = Devices(store), KEPT_AT_MOST * 5 // 2  # Ten times what is kept here.
    for number in range(many):
        await devices.register("ada", phone(f"t{number}"), NOW + timedelta(seconds=number))
    known = await devices.known(somebody("ada", phone("of-file")))
    assert len(known) == KEPT_AT_MOST // 4 + 1
    living = [one.device.value for one in known if one.gone is None]
    assert living == ["of-file", *(f"t{many - number}" for number in range(1, SENT_TO_AT_MOST))]
    assert {one.gone for one in known if one.gone} == {"gave way to those seen later"}


async def test_who_stands_in_full_has_the_devices_of_their_own_file_alone(store: Store) -> None:
    devices = Devices(store)
    await devices.register("signer-1", phone("of-another"), NOW)
    assert states(await devices.known(somebody("signer-1", phone("a")))) == {"a": None}


def test_a_device_that_was_not_seen_for_thirty_days_cannot_be_relied_on() -> None:
    seen = phone("t", seen_at=NOW.isoformat())
    assert not seen.unseen(NOW + 29 * DAY)
    assert seen.unseen(NOW + 30 * DAY)
    assert not phone("t", registered_at="2020-01-01").unseen(NOW)
    assert "secret" not in repr(phone("secret"))


async def test_a_late_report_of_an_older_registration_does_not_take_the_place_of_why_a_newer_one_is_invalid(
    store: Store,
) -> None:
    devices = Devices(store)
    await devices.register("ada", phone("t"), NOW)
    [before] = await devices.known(somebody("ada"))
    await devices.register("ada", phone("t", registered_at=(NOW + DAY).isoformat()), NOW + DAY)
    await devices.withdraw(somebody("ada"), "t", NOW + 2 * DAY)
    await devices.mark_gone(somebody("ada"), before.device, "UNREGISTERED")
    assert states(await devices.known(somebody("ada"))) == {"t": "withdrawn"}


async def test_of_registrations_at_once_for_two_people_one_is_the_owner(store: Store) -> None:
    devices = Devices(store)
    await asyncio.gather(*(devices.register(who, phone("t"), NOW) for who in 10 * ("ada", "bob")))
    known = [states(await Devices(store).known(somebody(who)))["t"] for who in ("ada", "bob")]
    assert sorted(known, key=str) == [None, "moved to somebody else"]


async def test_a_device_of_the_file_that_is_given_up_stays_so_and_its_address_is_not_stored(store: Store) -> None:
    devices, ada = Devices(store), somebody("ada", phone("of-file"))
    await devices.mark_gone(ada, ada.devices[0], "UNREGISTERED")
    assert states(await Devices(store).known(ada)) == {"of-file": "UNREGISTERED"}
    assert (await store.devices.people(), altered(store, "DELETE FROM devices WHERE address IS NULL")) == (
        frozenset(),
        1,
    )
