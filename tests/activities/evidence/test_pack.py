"""Packs: the same whenever they are made, and found out when anything in them was changed."""

import hashlib
import io
import json
import os
import random
import stat
import struct
import zipfile
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from activities.documents.files import SIGNED
from activities.evidence import archive, verification
from activities.evidence.archive import PackPart, write_archive
from activities.evidence.pack import PREDICATE, NotEnded
from activities.evidence.signing import EvidenceKey, PublicKeys, UnusableKey, canonical, statement
from activities.evidence.verification import VerifiedPack, newer_of, verify
from activities.records.evidence import SignedDocument, SignedFile
from activities.records.store import Store
from activities.records.user_texts import keep_page
from tests.activities.evidence.forgeries import FORGERIES, genuine
from tests.activities.evidence.kept import (
    ACME,
    AT,
    CONDUCT,
    MSA,
    keep_campaign,
    keep_evidence,
    keep_signed_request,
    key_in,
    make_request_of_signers,
    onboarded,
    packer,
    settle,
    told_later,
)
from tests.storage import altered
from workflows.kinds import Kind
from workflows.model.notifications import LogPage
from workflows.model.timeline import EventType, TimelineEntry


async def pack_of(folder: Path) -> Path:
    """One of a request."""
    with closing(Store(str(folder / "kept"))) as store:
        await keep_signed_request(store)
        await packer(store, folder).export(MSA, folder / "msa.zip")
    return folder / "msa.zip"


def parts_of(pack: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(pack) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


async def written(pack: Path, parts: dict[str, bytes]) -> Path:
    """A pack of other parts, laid out as ours are."""
    await write_archive(pack, [PackPart.from_content(name, content) for name, content in parts.items()])
    return pack


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def faults(pack: Path, keys: PublicKeys | None = None) -> list[str]:
    return [fault.part for fault in verify(pack, keys).faults]


async def test_a_pack_says_who_has_proved_who_they_are_when_and_by_which_channel(tmp_path: Path) -> None:
    at = datetime(2026, 11, 3, 9, tzinfo=UTC)
    entry = TimelineEntry(at=at, happened=EventType.IDENTIFIED, about="sms", who="customer-signer")
    with closing(Store(str(tmp_path / "kept"))) as store:
        await keep_signed_request(store)
        for _ in range(2):
            await keep_page(store, MSA.workflow_id, LogPage(number=1_793_696_400_000_000, timeline=(entry,)))
        await packer(store, tmp_path).export(MSA, tmp_path / "msa.zip")
    timeline = json.loads(parts_of(tmp_path / "msa.zip")["timeline.json"])["timeline"]
    assert [(line["at"], line["who"], line["what"]) for line in timeline if line["happened"] == "identified"] == [
        ("2026-11-03T09:00:00Z", "customer-signer", "proved who they are by sms")
    ]
    assert faults(tmp_path / "msa.zip") == []


async def test_a_pack_has_all_that_is_on_record_and_holds(tmp_path: Path) -> None:
    pack = await pack_of(tmp_path)
    parts = parts_of(pack)
    assert list(parts) == [
        *("amendments/000001.json", "certificate.html", "hand-offs.json", "manifest.dsse.json", "manifest.json"),
        *("people.json", "record.json", "texts.json", "timeline.json"),
    ]
    manifest = json.loads(parts["manifest.json"])
    assert parts["manifest.json"] == canonical(manifest)
    assert (manifest["id"], manifest["type"], manifest["status"]) == ("msa-0042", "request", "signed")
    assert (manifest["amendment"], manifest["finished"]) == (1, True)
    for name, part in manifest["parts"].items():
        assert part["sha256"] == hashlib.sha256(parts[name]).hexdigest()
        assert part["bytes"] == len(parts[name])
    assert [hand_off["target"] for hand_off in json.loads(parts["hand-offs.json"])] == ["finance-1"]
    timeline = json.loads(parts["timeline.json"])
    assert {notification["stage"] for notification in timeline["notifications"]} == {"ready", "reminder-1"}
    assert {text["text"] for text in json.loads(parts["texts.json"]).values()} == {"Which annex?", "Annex B"}
    assert b"annex" not in parts["record.json"] + parts["timeline.json"] + parts["certificate.html"]
    assert b"Ada" in parts["people.json"]
    assert b"Ada" not in b"".join(content for name, content in parts.items() if name != "people.json")
    for part in (b"Master services agreement", b"chief-executive", b"1\xc3\x97", b"chair", b"ab" * 32):
        assert part in parts["certificate.html"]
    assert stat.S_IMODE(pack.stat().st_mode) == 0o600
    verified = verify(pack, PublicKeys.read(tmp_path / "evidence.pem.pub"))
    assert (verified.ok, verified.trusted, verified.id, verified.parts) == (True, True, "msa-0042", 7)


async def test_made_twice_on_two_machines_it_is_the_same_and_an_amendment_makes_another(
    tmp_path: Path, database_url: str
) -> None:
    stores = [Store(str(tmp_path / "kept"), database_url) for _ in range(2)]
    await keep_signed_request(stores[0])
    packs = [tmp_path / f"{number}.zip" for number in range(3)]
    for store, pack in zip(stores, packs, strict=False):
        await packer(store, tmp_path).export(MSA, pack)
    assert packs[0].read_bytes() == packs[1].read_bytes()
    await told_later(stores[0], MSA.workflow_id, 2)
    await packer(stores[1], tmp_path).export(MSA, packs[2])
    older, newer = verify(packs[0]), verify(packs[2])
    assert (older.ok, newer.ok) == (True, True)
    assert (older.amendment, newer.amendment) == (1, 2)
    assert newer_of(older, newer).startswith(f"{packs[2]} is newer: amendment 2; ")
    assert newer_of(older, verify(packs[1])) == "both are of amendment 1"
    for store in stores:
        store.close()


async def test_two_packs_of_one_age_that_differ_are_told_apart_by_their_parts(tmp_path: Path) -> None:
    pack = await pack_of(tmp_path)
    parts = parts_of(pack)
    rebuilt = await resigned(tmp_path, parts, "timeline.json", parts["timeline.json"].replace(b"ready", b"never"))
    assert newer_of(verify(pack), verify(rebuilt)) == "both are of amendment 1, and differ in timeline.json"
    extended_parts = parts | {f"x/{n}.json": b"{}" for n in range(10 * verification.DIFFERENCES_AT_MOST)}
    manifest = json.loads(parts["manifest.json"])
    manifest["parts"] |= {
        n: {"sha256": "0" * 64, "bytes": 2, "media_type": "x"} for n in extended_parts if n.startswith("x/")
    }
    difference = newer_of(verify(pack), verify(await sealed(tmp_path, extended_parts, manifest)))
    assert difference.count("x/") == verification.DIFFERENCES_AT_MOST and difference.endswith(", …")


async def test_with_another_key_it_stays_signed_by_the_first(tmp_path: Path) -> None:
    pack = await pack_of(tmp_path)
    first, content_before = key_in(tmp_path), pack.read_bytes()
    (tmp_path / "evidence.pem").unlink()
    second = key_in(tmp_path)
    assert first.id != second.id
    listed = PublicKeys.read(tmp_path / "evidence.pem.pub")
    assert list(listed.keys) == [first.id, second.id]
    with closing(Store(str(tmp_path / "kept"))) as store:
        await packer(store, tmp_path).export(MSA, pack)
        assert pack.read_bytes() == content_before
        await told_later(store, MSA.workflow_id, 2)
        await packer(store, tmp_path).export(MSA, tmp_path / "later.zip")
    assert [verify(path, listed).key for path in (pack, tmp_path / "later.zip")] == [first.id, second.id]


async def test_a_changed_byte_in_any_part_is_named(tmp_path: Path) -> None:
    """Of a request with all that is kept of one, an onboarding and a campaign."""
    with closing(Store(str(tmp_path / "kept"))) as store:
        await keep_evidence(store, await keep_signed_request(store))
        for workflow_name in (MSA, await onboarded(store), await keep_campaign(store)):
            await packer(store, tmp_path).export(workflow_name, tmp_path / f"{workflow_name.id}.zip")
    for workflow_name in (MSA, ACME, CONDUCT):
        parts = parts_of(tmp_path / f"{workflow_name.id}.zip")
        for name, content in parts.items():
            changed = parts | {name: content[:-2] + bytes([content[-2] ^ 1]) + content[-1:]}
            pack_faults = verify(await written(tmp_path / "changed.zip", changed)).faults
            assert [fault.part for fault in pack_faults] == [name]
            assert pack_faults[0].expected and pack_faults[0].found


@pytest.mark.long
async def test_each_byte_of_the_file_counts(tmp_path: Path) -> None:
    """Also those of the zip itself, around the parts."""
    pack = await pack_of(tmp_path)
    content = bytearray(pack.read_bytes())
    unseen = []
    for position in range(0, len(content), 7):
        content[position] ^= 1
        (tmp_path / "changed.zip").write_bytes(content)
        if verify(tmp_path / "changed.zip").ok:
            unseen.append(position)
        content[position] ^= 1
    assert unseen == []


async def test_a_missing_an_extra_and_a_renamed_part_are_named(tmp_path: Path) -> None:
    parts = parts_of(await pack_of(tmp_path))
    parts_without_record = {name: content for name, content in parts.items() if name != "record.json"}
    assert faults(await written(tmp_path / "a.zip", parts_without_record)) == ["record.json"]
    assert faults(await written(tmp_path / "a.zip", parts | {"more.json": b"{}"})) == ["more.json"]
    renamed = parts_without_record | {"records.json": parts["record.json"]}
    assert sorted(faults(await written(tmp_path / "a.zip", renamed))) == ["record.json", "records.json"]
    assert faults(await written(tmp_path / "a.zip", {"manifest.json": parts["manifest.json"]})) == [
        "manifest.dsse.json"
    ]


def _zipped(folder: Path, write: Callable[[zipfile.ZipFile], None]) -> Path:
    with zipfile.ZipFile(folder / "rude.zip", "w") as opened:
        write(opened)
    return folder / "rude.zip"


def _info(name: str, mode: int = stat.S_IFREG | 0o600) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr, info.create_system = mode << 16, 3
    return info


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x", "a//x", "C:\\x", "./x", "a/./x", "ü", "a/"])
def test_a_name_outside_is_refused(tmp_path: Path, name: str) -> None:
    rude = _zipped(tmp_path, lambda opened: opened.writestr(_info(name), b"x"))
    [fault] = verify(rude).faults
    assert "name inside" in fault.expected or "file" in fault.expected or "as it is written" in fault.expected
    assert _names(tmp_path) == ["rude.zip"]


def test_a_link_a_duplicate_and_a_bomb_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    link = _zipped(tmp_path, lambda opened: opened.writestr(_info("x", stat.S_IFLNK | 0o777), b"/etc/passwd"))
    assert [(fault.part, fault.found) for fault in verify(link).faults] == [("x", "a symbolic link")]

    def twice(opened: zipfile.ZipFile) -> None:
        for _ in range(2):
            with pytest.warns(UserWarning) if "x" in opened.namelist() else io.BytesIO():
                opened.writestr(_info("x"), b"x")

    assert [(fault.part, fault.found) for fault in verify(_zipped(tmp_path, twice)).faults] == [("x", "twice")]

    def bomb(opened: zipfile.ZipFile) -> None:
        info = _info("x")
        info.compress_type = zipfile.ZIP_DEFLATED
        opened.writestr(info, bytes(50 << 20))

    assert [(fault.part, fault.found) for fault in verify(_zipped(tmp_path, bomb)).faults] == [
        ("x", "one that is compressed")
    ]


def test_a_list_of_more_parts_than_any_pack_has_is_not_read(tmp_path: Path) -> None:
    end = struct.Struct("<4s4H2LH").pack(b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    part_count = 10 * archive.PARTS_AT_MOST
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, part_count, part_count, 46 * part_count, 0)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, 0, 1)
    (tmp_path / "many.zip").write_bytes(end64 + locator + end)
    assert "parts" in verify(tmp_path / "many.zip").faults[0].expected
    for content in (b"", b"PK", b"no zip at all" * 100, b"PK\5\6" + bytes(17), b"PK\5\6" + bytes(18)):
        (tmp_path / "none.zip").write_bytes(content)
        assert faults(tmp_path / "none.zip")


async def test_overlapping_parts_are_refused(tmp_path: Path) -> None:
    """Many entries of one content: a bomb without compression."""
    pack = await written(tmp_path / "a.zip", {"a": b"x" * 1000, "b": b"x"})
    content = pack.read_bytes()
    directory = content.index(b"PK\1\2")
    second = content.index(b"PK\1\2", directory + 4)
    position = second + 42
    pack.write_bytes(content[:position] + bytes(4) + content[position + 4 :])
    assert "to begin at" in verify(pack).faults[0].expected


async def test_a_pack_that_somebody_else_signed_is_told_from_ours(tmp_path: Path) -> None:
    parts = parts_of(await pack_of(tmp_path))
    our_keys = PublicKeys.read(tmp_path / "evidence.pem.pub")
    forger = key_in(tmp_path / "forger")
    record = parts["record.json"].replace(b'"signed"', b'"failed"')
    manifest = json.loads(parts["manifest.json"]) | {"status": "failed"}
    manifest["parts"]["record.json"] |= {"sha256": hashlib.sha256(record).hexdigest(), "bytes": len(record)}
    forged = parts | {"record.json": record, "manifest.json": canonical(manifest)}
    assert faults(await written(tmp_path / "forged.zip", forged), our_keys) == ["manifest.json"]
    digest = hashlib.sha256(forged["manifest.json"]).hexdigest()
    forged["manifest.dsse.json"] = forger.envelope(statement(PREDICATE, {"manifest.json": digest}, {}))
    await written(tmp_path / "forged.zip", forged)
    for keys in (our_keys, None):
        pack = verify(tmp_path / "forged.zip", keys)
        assert (pack.ok, pack.trusted, pack.key) == (True, False, forger.id)


async def test_an_onboarding_with_a_part_that_somebody_else_signed_is_not_trusted(tmp_path: Path) -> None:
    with closing(Store(str(tmp_path / "kept"))) as store:
        await onboarded(store)
        await packer(store, tmp_path).export(ACME, tmp_path / "acme.zip")
    our_keys, forger, name = (
        PublicKeys.read(tmp_path / "evidence.pem.pub"),
        key_in(tmp_path / "forger"),
        "parts/acme.1.1.zip",
    )
    parts = parts_of(tmp_path / "acme.zip")
    (tmp_path / "part.zip").write_bytes(parts[name])
    part = parts_of(tmp_path / "part.zip")
    digest = hashlib.sha256(part["manifest.json"]).hexdigest()
    envelope = forger.envelope(statement(PREDICATE, {"manifest.json": digest}, {}))
    await written(tmp_path / "part.zip", part | {"manifest.dsse.json": envelope})
    rebuilt = verify(await resigned(tmp_path, parts, name, (tmp_path / "part.zip").read_bytes()), our_keys)
    assert (rebuilt.ok, rebuilt.trusted, rebuilt.key) == (True, False, forger.id)


async def test_what_was_signed_of_another_shape_is_no_traceback(tmp_path: Path) -> None:
    key = key_in(tmp_path)

    async def verify_manifest(manifest: object, **extra_parts: bytes) -> VerifiedPack:
        content = canonical(manifest)
        envelope = key.envelope(statement(PREDICATE, {"manifest.json": hashlib.sha256(content).hexdigest()}, {}))
        parts = {"manifest.json": content, "manifest.dsse.json": envelope, **extra_parts}
        return verify(await written(tmp_path / "odd.zip", parts))

    marks = {"version": 1, "id": "x", "type": "request", "workflow_id": "x", "status": "signed", "finished": True}
    marks |= {"amendment": 0, "erasures": 0, "documents": 0, "removed": 0}
    shapes: tuple[object, ...] = ([], {}, {"version": 2}, marks, marks | {"parts": []}, marks | {"parts": {"a": 1}})
    for manifest in shapes:
        assert not (await verify_manifest(manifest)).ok, manifest
    odd = b'{"show": []}'
    part = {"sha256": hashlib.sha256(odd).hexdigest(), "bytes": len(odd)}
    assert not (await verify_manifest(marks | {"parts": {"record.json": part}}, **{"record.json": odd})).ok
    large = {"sha256": "0" * 64, "bytes": 10**15}
    assert not (await verify_manifest(marks | {"parts": {"record.json": large}}, **{"record.json": odd})).ok


async def test_a_pack_whose_manifest_is_not_of_its_record_does_not_hold(tmp_path: Path) -> None:
    """Also by somebody who has our key."""
    parts = parts_of(await pack_of(tmp_path))
    manifest = json.loads(parts["manifest.json"])
    for name, value, part in (
        ("id", "msa-0043", "record.json"),
        ("status", "declined", "manifest.json"),
        ("status", "signed\x1b[2J", "manifest.json"),
    ):
        [fault] = verify(await sealed(tmp_path, parts, manifest | {name: value})).faults
        assert (fault.part, fault.found.isprintable()) == (part, True)
    listed_parts = {name: part for name, part in manifest["parts"].items() if name != "record.json"}
    parts_without_record = {name: content for name, content in parts.items() if name != "record.json"}
    assert faults(await sealed(tmp_path, parts_without_record, manifest | {"parts": listed_parts})) == ["record.json"]


ODD: tuple[object, ...] = (None, [], {}, -1, 1e308, True, "\x1b[2Jholds\u202e", "2026-12-04T09:30:00", [[]], {"a": {}})


def replace_random_value(value: object, chance: random.Random) -> object:
    """JSON with one value replaced, somewhere in it."""
    if isinstance(value, dict) and value and chance.random() < 0.95:
        name = chance.choice(list(value))
        return {**value, name: replace_random_value(value[name], chance)}
    if isinstance(value, list) and value and chance.random() < 0.95:
        index = chance.randrange(len(value))
        return [*value[:index], replace_random_value(value[index], chance), *value[index + 1 :]]
    return chance.choice(ODD)


@pytest.mark.long
async def test_whatever_a_signed_pack_says_is_no_traceback_and_nothing_that_a_terminal_obeys(tmp_path: Path) -> None:
    """Anybody can sign a pack with a key of theirs."""
    chance = random.Random(29)  # noqa: S311  nothing secret
    with closing(Store(str(tmp_path / "kept"))) as store:
        await keep_evidence(store, await keep_signed_request(store))
        for workflow_name in (MSA, await onboarded(store), await keep_campaign(store)):
            await packer(store, tmp_path).export(workflow_name, tmp_path / f"{workflow_name.id}.zip")
    for workflow_name in (MSA, ACME, CONDUCT):
        parts = parts_of(tmp_path / f"{workflow_name.id}.zip")
        manifest = json.loads(parts["manifest.json"])
        names = sorted(name for name in parts if name.endswith((".json", ".jsonl")) and name != "manifest.dsse.json")
        for _ in range(200):
            name = chance.choice(names)
            *lines, last = parts[name].splitlines()
            content = b"".join(
                [*(line + b"\n" for line in lines), canonical(replace_random_value(json.loads(last), chance))]
            )
            if name == "manifest.json":
                verified = verify(await sealed(tmp_path, parts, json.loads(content)))
            else:
                content += b"\n" if name.endswith("l") else b""
                part_entry = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
                listed = {**manifest["parts"], name: part_entry}
                verified = verify(await sealed(tmp_path, parts | {name: content}, manifest | {"parts": listed}))
            texts = [text for fault in verified.faults for text in (fault.part, fault.expected, fault.found)]
            texts += [verified.id, verified.type, verified.status, verified.workflow_id, verified.key, *verified.notes]
            assert [text for text in texts if not text.isprintable()] == []


async def test_what_was_kept_at_the_end_and_what_the_provider_gave_are_in_it(tmp_path: Path) -> None:
    with closing(Store(str(tmp_path / "kept"))) as store:
        await keep_signed_request(store)
        await keep_evidence(store)
        await packer(store, tmp_path).export(MSA, tmp_path / "msa.zip")
    parts = parts_of(tmp_path / "msa.zip")
    assert parts["signed.pdf"] == b"%PDF-1.7 signed"
    assert parts["history/1.jsonl"] and parts["payloads/1.jsonl"] and parts["identities.jsonl"]
    assert json.loads(parts["policy.json"]) == {"window": "90d"}
    assert json.loads(parts["request.json"]) == {"kind": "customer-contract"}
    manifest = json.loads(parts["manifest.json"])
    assert (manifest["documents"], manifest["lacks"]) == (1, {"signing-log.pdf": "it is not ready"})
    assert manifest["erasable"] == [
        *("identities.jsonl", "payloads/1.jsonl", "people.json", "request.json", "signed.pdf", "texts.json"),
    ]
    assert verify(tmp_path / "msa.zip").faults == []
    for name, old_bytes, new_bytes in (
        ("history/1.jsonl", b"STARTED", b"STORTED"),
        ("payloads/1.jsonl", b"input", b"inpat"),
        ("identities.jsonl", b"Ada", b"Eve"),
        ("signed.pdf", b"signed", b"forged"),
    ):
        changed = await resigned(tmp_path, parts, name, parts[name].replace(old_bytes, new_bytes))
        assert faults(changed) == [name]


async def test_a_pack_has_nothing_of_a_start_that_was_refused(tmp_path: Path) -> None:
    """Of which a crash left what it had stored."""
    with closing(Store(str(tmp_path / "kept"))) as store:
        await keep_signed_request(store)
        await keep_evidence(store)
        await store.people.keep(MSA.workflow_id, "f" * 64, None)
        await store.people.choose(MSA.workflow_id, "f" * 64)
        await packer(store, tmp_path).export(MSA, tmp_path / "before.zip")
        mallory = b'{"signers":{"p-0123456789ab":{"name":"Mallory"}}}'
        await store.keep_input(MSA.workflow_id, "e" * 64, mallory, {"message": "Dear Mallory"}, b'{"kind":"offer"}')
        await packer(store, tmp_path).export(MSA, tmp_path / "msa.zip")
    assert verify(tmp_path / "msa.zip").faults == []
    assert (tmp_path / "msa.zip").read_bytes() == (tmp_path / "before.zip").read_bytes()


async def resigned(folder: Path, parts: dict[str, bytes], name: str, content: bytes) -> Path:
    """The pack with another part, rebuilt by somebody who has our key."""
    assert content != parts[name]
    manifest = json.loads(parts["manifest.json"])
    manifest["parts"][name] |= {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    return await sealed(folder, parts | {name: content}, manifest)


async def sealed(folder: Path, parts: dict[str, bytes], manifest: dict[str, object]) -> Path:
    """A pack of these parts with this manifest, signed by our key."""
    content = canonical(manifest)
    digests = {"manifest.json": hashlib.sha256(content).hexdigest()}
    envelope = key_in(folder).envelope(statement(PREDICATE, digests, {}))
    return await written(folder / "rebuilt.zip", parts | {"manifest.json": content, "manifest.dsse.json": envelope})


async def test_an_onboarding_has_whole_packs_of_its_parts(tmp_path: Path) -> None:
    with closing(Store(str(tmp_path / "kept"))) as store:
        await onboarded(store)
        await packer(store, tmp_path).export(ACME, tmp_path / "acme.zip")
        await packer(store, tmp_path).export(MSA._replace(id="acme.1.1"), tmp_path / "part.zip")
    parts = parts_of(tmp_path / "acme.zip")
    assert parts["parts/acme.1.1.zip"] == (tmp_path / "part.zip").read_bytes()
    assert verify(tmp_path / "acme.zip").ok
    inner = (tmp_path / "part.zip").read_bytes().replace(b"Annex B", b"Annex C")
    rebuilt = await resigned(tmp_path, parts, "parts/acme.1.1.zip", inner)
    assert faults(rebuilt) == ["parts/acme.1.1.zip: texts.json"]


async def test_a_campaign_has_its_audience_its_changes_and_one_outcome_a_person(
    tmp_path: Path, database_url: str
) -> None:
    with closing(Store(str(tmp_path / "kept"), database_url)) as store:
        await keep_campaign(store, 25)
        await packer(store, tmp_path).export(CONDUCT, tmp_path / "conduct.zip")
        await packer(store, tmp_path).export(CONDUCT, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == (tmp_path / "conduct.zip").read_bytes()
    parts = parts_of(tmp_path / "conduct.zip")
    assert {"audience.json", "audience/000001.json", "audience/000002.json", "population.json"} <= set(parts)
    lines = [json.loads(line) for line in parts["outcomes.jsonl"].splitlines()]
    assert len({line["person"] for line in lines}) == 25
    assert "signed_at" not in lines[9] and lines[9]["status"] == "expired"
    record = json.loads(parts["record.json"])["show"]
    assert record["outcomes"] == hashlib.sha256(parts["population.json"] + parts["outcomes.jsonl"]).hexdigest()
    assert record["frozen"]["sha256"] == hashlib.sha256(parts["audience.json"]).hexdigest()
    for text in (b"2026.1", b"2026-12-01", b"chair", b"2026-12-15"):
        assert text in parts["certificate.html"]
    assert verify(tmp_path / "conduct.zip").faults == []


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("outcomes.jsonl", lambda content: content.replace(b"expired", b"acknowledged", 1)),
        ("outcomes.jsonl", lambda content: content.split(b"\n", 1)[1]),
        ("audience.json", lambda content: content.replace(b"person-3", b"person-x", 1)),
        ("audience/000001.json", lambda content: content.replace(b"desk", b"dusk")),
        ("population.json", lambda content: content.replace(b'"opening":25', b'"opening":24')),
    ],
)
async def test_a_campaign_that_was_rebuilt_with_our_own_key_contradicts_its_record(
    tmp_path: Path, name: str, change: Callable[[bytes], bytes]
) -> None:
    with closing(Store(str(tmp_path / "kept"))) as store:
        await keep_campaign(store, 25)
        await packer(store, tmp_path).export(CONDUCT, tmp_path / "conduct.zip")
    parts = parts_of(tmp_path / "conduct.zip")
    assert faults(await resigned(tmp_path, parts, name, change(parts[name])))


async def test_without_a_record_nothing_is_written(tmp_path: Path) -> None:
    with closing(Store(str(tmp_path / "kept"))) as store:
        with pytest.raises(NotEnded):
            await packer(store, tmp_path).export(MSA, tmp_path / "msa.zip")
        await keep_signed_request(store)
        assert altered(store, "DELETE FROM texts WHERE name = 'answer-1'") == 1
        await packer(store, tmp_path).export(MSA, tmp_path / "msa.zip")
    assert verify(tmp_path / "msa.zip").ok
    assert _names(tmp_path) == ["evidence.pem", "evidence.pem.pub", "kept", "msa.zip"]


async def test_a_target_that_cannot_be_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(Store(str(tmp_path / "kept"))) as store:
        await keep_signed_request(store)
        with pytest.raises(FileNotFoundError):
            await packer(store, tmp_path).export(MSA, tmp_path / "nowhere" / "msa.zip")
        with pytest.raises(IsADirectoryError):
            await packer(store, tmp_path).export(MSA, tmp_path / "kept")

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            await packer(store, tmp_path).export(MSA, tmp_path / "msa.zip")
    assert _names(tmp_path) == ["evidence.pem", "evidence.pem.pub", "kept"]


async def test_a_part_that_is_larger_than_what_is_read_whole_is_named_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = parts_of(await pack_of(tmp_path))
    for name, content in (("manifest.json", bytes(10 * 65_536)), ("manifest.dsse.json", bytes(10 * 65_536))):
        monkeypatch.setattr(verification, "MANIFEST_BYTES_AT_MOST", 65_536)
        [fault] = verify(await written(tmp_path / "large.zip", parts | {name: content})).faults
        assert (fault.part, fault.expected, fault.found) == (name, "at most 65,536 bytes", "655,360")
    monkeypatch.setattr(verification, "PART_BYTES_AT_MOST", len(parts["record.json"]) // 10)
    assert [(fault.part, fault.expected[:7]) for fault in verify(tmp_path / "msa.zip").faults] == [
        ("record.json", "at most")
    ]


async def test_of_ten_times_as_many_faults_the_first_are_named(tmp_path: Path) -> None:
    parts = parts_of(await pack_of(tmp_path))
    extra_parts = {f"more/{number}.json": b"{}" for number in range(10 * verification.FAULTS_AT_MOST)}
    assert len(faults(await written(tmp_path / "many.zip", parts | extra_parts))) == verification.FAULTS_AT_MOST


def test_a_file_of_keys_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    for content, message in (
        (b"no key", "Ed25519"),
        (bytes(1 << 20), "bytes"),
        (b"-----BEGIN PUBLIC KEY-----\nx", "Ed25519"),
    ):
        (tmp_path / "key.pem").write_bytes(content)
        with pytest.raises(UnusableKey, match=message):
            PublicKeys.read(tmp_path / "key.pem")
    with pytest.raises(UnusableKey, match="Ed25519"):
        EvidenceKey.read(tmp_path / "key.pem")
    with pytest.raises(UnusableKey, match="countersign init"):
        EvidenceKey.read(tmp_path / "none.pem")


async def test_a_request_of_a_hundred_signers_has_a_pack(tmp_path: Path) -> None:
    request_view = make_request_of_signers(MSA.id, 100)
    with closing(Store(str(tmp_path / "kept"))) as store:
        await settle(store, request_view)
        await keep_evidence(store)
        await packer(store, tmp_path).export(MSA, tmp_path / "msa.zip")
    assert verify(tmp_path / "msa.zip").ok
    page = parts_of(tmp_path / "msa.zip")["certificate.html"].decode()
    assert [line.person for line in request_view.signers if line.person not in page] == []


async def test_the_certificate_names_the_group_for_which_somebody_signed(tmp_path: Path) -> None:
    request_view = make_request_of_signers(MSA.id, 1)
    [line] = request_view.signers
    with closing(Store(str(tmp_path / "kept"))) as store:
        await settle(store, request_view.replace(signers=(line.replace(team="directors", taken_at=AT),)))
        await keep_evidence(store)
        await packer(store, tmp_path).export(MSA, tmp_path / "msa.zip")
    page = parts_of(tmp_path / "msa.zip")["certificate.html"].decode()
    assert f"<code>{line.person}</code> for <code>directors</code>" in page


async def test_with_documents_a_campaign_has_those_of_its_members_and_says_how_many_have_none(tmp_path: Path) -> None:
    with closing(Store(str(tmp_path / "kept"))) as store:
        await keep_campaign(store, 5)
        for number in (1, 2, 3):
            pdf = b"%PDF-1.7 of " + str(number).encode()
            file = SignedFile(await store.files.put(pdf, SIGNED), len(pdf))
            member = Kind.REQUEST.workflow_id(f"{CONDUCT.id}.person-{number}")
            await store.evidence.keep_signed(member, SignedDocument(file, None, None, AT), AT)
        await store.files.remove(file.sha256, SIGNED)
        for name, documents in (("without.zip", False), ("with.zip", True), ("again.zip", True)):
            await packer(store, tmp_path).export(CONDUCT, tmp_path / name, documents=documents)
    assert (tmp_path / "with.zip").read_bytes() == (tmp_path / "again.zip").read_bytes()
    assert (verify(tmp_path / "with.zip").faults, verify(tmp_path / "with.zip").documents) == ([], 2)
    parts = parts_of(tmp_path / "with.zip")
    assert parts["documents/conduct.person-1.pdf"] == b"%PDF-1.7 of 1"
    manifest = json.loads(parts["manifest.json"])
    assert manifest["lacks"]["documents/conduct.person-3.pdf"] == "it was removed"
    assert manifest["lacks"]["documents/"].startswith("of 2 requests none is kept")
    assert not any(name.startswith("documents/") for name in parts_of(tmp_path / "without.zip"))


async def test_verify_refuses_each_forged_layout(tmp_path: Path) -> None:
    pack = await pack_of(tmp_path)
    parts, keys = parts_of(pack), PublicKeys.read(tmp_path / "evidence.pem.pub")
    assert genuine(parts) == pack.read_bytes()
    accepted = []
    for name, forge in FORGERIES.items():
        (tmp_path / "forged.zip").write_bytes(forge(parts))
        if verify(tmp_path / "forged.zip", keys).ok:
            accepted.append(name)
    assert accepted == []


async def test_a_pack_with_numbers_of_64_bits_holds_and_a_forged_count_in_it_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With smaller limits: of 2 GiB and 65,535 parts."""
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 2_000)
    monkeypatch.setattr(archive, "_LIMIT_64", 2_000)
    pack = await pack_of(tmp_path)
    assert verify(pack).faults == []
    content = bytearray(pack.read_bytes())
    content[content.rindex(b"PK\6\6") + 24] += 1
    pack.write_bytes(content)
    assert faults(pack) == ["the file"]
    for module in (zipfile, archive):
        monkeypatch.setattr(module, "ZIP_FILECOUNT_LIMIT", 5)
        monkeypatch.setattr(module, "ZIP64_LIMIT" if module is zipfile else "_LIMIT_64", (1 << 31) - 1)
    assert verify(await pack_of(tmp_path)).faults == []
