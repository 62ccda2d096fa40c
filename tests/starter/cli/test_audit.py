"""`countersign audit …` as it is typed: it needs the database and the files, and no server."""

import asyncio
import getpass
import json
import socket
import sqlite3
import subprocess
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from activities.evidence.signing import EvidenceKey, PublicKeys
from activities.records.store import DATABASE_FILE, Store
from starter.cli.audit import UNCONFIRMED
from tests.activities.evidence.kept import CONDUCT, acknowledged, signed, told_later
from tests.starter.terminal import type_
from workflows.kinds import Kind


class Desk:
    """A folder with records, and a terminal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = folder / "evidence.pem"
        EvidenceKey.ensure(self.key)
        with self.store() as store:
            asyncio.run(_fill(store))

    def store(self) -> closing[Store]:
        return closing(Store((self.folder / "store").as_uri()))

    def types(self, *words: str, **more: str) -> tuple[int, str, str]:
        there = {"COUNTERSIGN_DATA_DIR": str(self.folder), "TEMPORAL_ADDRESS": "127.0.0.1:1"}
        done = type_("audit", *words, **there, **more)
        return done.returncode, done.stdout, done.stderr

    def files_with(self, text: str) -> list[str]:
        """Outside of packs. By another process: to close a file of SQLite is to lose all locks on it."""
        words = ["grep", "-rlF", "--exclude=*.zip", text, str(self.folder)]
        return subprocess.run(words, capture_output=True, text=True, check=False).stdout.splitlines()  # noqa: S603

    def json(self, *words: str, code: int = 0) -> Any:
        done = self.types(*words, "--json")
        assert done[0] == code, done
        return json.loads(done[1])


async def _fill(store: Store) -> None:
    for id in ("msa-0042", "msa-0043"):
        await signed(store, id)
    await acknowledged(store)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_pack_is_written_and_verified(desk: Desk) -> None:
    pack = desk.folder / "msa.zip"
    code, says, _ = desk.types("export", "msa-0042", "-o", str(pack))
    assert (code, "msa-0042" in says, str(pack) in says) == (0, True, True)
    [written] = desk.json("export", "signature-request:msa-0042", "-o", str(pack))
    assert (written["id"], written["amendment"], written["finished"]) == ("msa-0042", 1, True)
    code, says, _ = desk.types("verify", str(pack))
    assert (code, "holds" in says, EvidenceKey.read(desk.key).id in says) == (0, True, True)
    [found] = desk.json("verify", str(pack), "--key", f"{desk.key}.pub")
    assert (found["ok"], found["trusted"], found["faults"]) == (True, True, [])
    content = pack.read_bytes()
    pack.write_bytes(content.replace(b"Annex B", b"Annex C"))
    code, says, _ = desk.types("verify", str(pack))
    assert (code, "does not hold" in says, "texts.json" in says) == (1, True, True)
    [found] = desk.json("verify", str(pack), code=1)
    assert [one["part"] for one in found["faults"]] == ["texts.json"]


def test_of_two_packs_of_one_id_it_says_which_is_newer(desk: Desk) -> None:
    packs = [str(desk.folder / name) for name in ("old.zip", "new.zip")]
    desk.json("export", "msa-0042", "-o", packs[0])
    with desk.store() as store:
        asyncio.run(told_later(store, Kind.REQUEST.workflow_id("msa-0042"), 2))
    desk.json("export", "msa-0042", "-o", packs[1])
    code, says, _ = desk.types("verify", *packs)
    assert (code, f"{packs[1]} is newer: amendment 2" in says) == (0, True)


def test_filters_find_many_and_a_campaign_has_its_own(desk: Desk) -> None:
    folder = desk.folder / "packs"
    written = desk.json("export", "--kind", "customer-contract", "-o", str(folder))
    assert sorted(one["id"] for one in written) == ["msa-0042", "msa-0043"]
    assert [one["ok"] for one in desk.json("verify", *(one["file"] for one in written))] == [True, True]
    assert desk.json("export", "--person", "nobody", "-o", str(folder)) == []
    assert len(desk.json("export", "--search", "msa-0043", "--status", "signed", "-o", str(folder))) <= 1
    assert len(desk.json("export", "--kind", "customer-contract", "--since", "2026-12-01", "-o", str(folder))) == 2
    assert desk.json("export", "--kind", "customer-contract", "--since", "2027-12-01", "-o", str(folder)) == []
    [campaign] = desk.json("export", CONDUCT.id, "-o", str(desk.folder / "conduct.zip"))
    assert campaign["type"] == "campaign"
    with zipfile.ZipFile(campaign["file"]) as pack:
        assert "outcomes.jsonl" in pack.namelist()


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("export", "nobody", "-o", "x.zip"), 1, "nobody has no record"),
        (("export", "../x", "-o", "x.zip"), 1, "is no id"),
        (("export", "msa-0042", "-o", "/proc/x.zip"), 1, "/proc/x.zip: "),
        (("export", "-o", "x"), 2, "give one ID"),
        (("export", "msa-0042", "--kind", "k", "-o", "x"), 2, "give one ID"),
        (("export", "--kind", "k", "--so-far", "-o", "x"), 2, "--so-far goes with an ID"),
        (("verify", "/nowhere.zip"), 1, "/nowhere.zip: No such file"),
        (("hold",), 2, "give an ID, or --list"),
        (("hold", "msa-0042"), 2, "--reason: why it is held"),
        (("hold", "msa-0042", "--list"), 2, "--list goes alone"),
        (("hold", "nobody", "--reason", "r"), 1, "nobody is not known"),
        (("erase", "--person", "ada@example.com", "--reason", "r"), 1, "--person takes an id, as records name people"),
        (("verify", "/nowhere.zip", "--key", "/etc/hostname"), 1, "Ed25519"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(desk: Desk, words: tuple[str, ...], code: int, says: str) -> None:
    found = desk.types(*words)
    assert (found[0], says in found[2]) == (code, True), found
    assert "Traceback" not in found[2]


def test_without_a_key_nothing_is_exported_and_packs_of_others_are_shown_as_such(desk: Desk) -> None:
    pack = str(desk.folder / "msa.zip")
    desk.json("export", "msa-0042", "-o", pack)
    desk.key.unlink()
    desk.key.with_name("evidence.pem.pub").unlink()
    code, _, says = desk.types("export", "msa-0042", "-o", pack)
    assert (code, "countersign init" in says) == (1, True)
    [found] = desk.json("verify", pack, code=3)
    assert (found["ok"], found["trusted"]) == (True, False)
    EvidenceKey.ensure(desk.key)
    for words in ((), ("--key", f"{desk.key}.pub")):
        code, says, _ = desk.types("verify", pack, *words)
        assert (code, says.partition("\n")[0], found["key"] in says) == (3, UNCONFIRMED, True)
    assert len(PublicKeys.read(desk.key).keys) == 1


def test_erase_removes_a_person_from_all_that_has_ended(desk: Desk) -> None:
    dry = desk.json("erase", "--person", "customer-signer", "--reason", "asked for it", "--dry-run")
    assert (len(dry["erased"]), dry["dry_run"], "packs" in dry["stays"]) == (2, True, True)
    with closing(sqlite3.connect(desk.folder / "store" / DATABASE_FILE)) as process:
        process.execute("SELECT count(*) FROM people_asked").fetchall()
        assert desk.files_with("ada@example.com")
        assert desk.json("erase", "--person", "customer-signer", "--reason", "asked for it")["erased"] == dry["erased"]
        assert desk.files_with("ada@example.com") == []


def test_what_is_on_hold_is_said_with_who_and_why_and_an_erasure_waits_for_its_release(desk: Desk) -> None:
    desk.json("hold", "msa-0042", "--reason", "matter 7")
    held = desk.json("hold", "msa-0042", "--reason", "matter 8")
    assert (held["held"], [one["reason"] for one in held["holds"]]) == (True, ["matter 7", "matter 8"])
    assert held["holds"][0]["by"] and held["holds"][0]["at"] and held["holds"][0]["released_at"] is None
    code, says, remark = desk.types("hold", "msa-0042", "--reason", "matter 7")
    assert (code, "matter 8" in says, "already" in remark) == (0, True, True)
    desk.json("hold", CONDUCT.id, "--reason", "matter 9")
    assert [one["reason"] for one in desk.json("hold", "--list")] == ["matter 9", "matter 7", "matter 8"]
    erased = desk.json("erase", "--person", "customer-signer", "--reason", "asked for it")
    request = Kind.REQUEST.workflow_id("msa-0042")
    assert (erased["erased"], list(erased["held"])) == ([Kind.REQUEST.workflow_id("msa-0043")], [request])
    code, says, _ = desk.types("erase", "--person", "customer-signer", "--reason", "asked for it")
    assert (code, "on legal hold" in says, "matter" in says) == (0, True, True)
    for words, refused in (
        (("--release",), "held for several reasons"),
        (("--release", "--reason", "matter 9"), 'not held for the reason "matter 9"'),
    ):
        code, _, says = desk.types("hold", "msa-0042", *words)
        assert (code, refused in says) == (1, True), says
    for matter, left in (("matter 7", True), ("matter 8", False)):
        assert desk.json("hold", "msa-0042", "--release", "--reason", matter)["held"] is left
    code, _, says = desk.types("hold", "msa-0042", "--release")
    assert (code, "not on hold by itself" in says) == (1, True)
    assert [one["reason"] for one in desk.json("hold", "--list")] == ["matter 9"]
    assert desk.types("hold", CONDUCT.id, "--release")[0] == 0
    assert "Nothing is on legal hold" in desk.types("hold", "--list")[1]


def test_where_claimed_actors_do_not_count_nothing_is_held_released_or_erased(desk: Desk) -> None:
    erase = "erase", "--person", "customer-signer", "--reason", "asked for it"
    for words in (
        ("hold", "msa-0042", "--reason", "matter 7"),
        ("hold", "msa-0042", "--release"),
        erase,
    ):
        code, _, says = desk.types(*words, COUNTERSIGN_ACTORS="verified")
        assert (code, "cannot prove who acts" in says) == (1, True), says
    assert desk.types(*erase, "--dry-run", COUNTERSIGN_ACTORS="verified")[0] == 0
    assert desk.json("hold", "--list") == []


def test_who_holds_releases_and_erases_is_recorded_with_the_user_and_host(desk: Desk) -> None:
    desk.json("hold", "msa-0042", "--reason", "matter 7", "--as", "legal-desk")
    [held] = desk.json("hold", "msa-0042", "--release", "--as", "chief")["holds"]
    at = f"({getpass.getuser()}@{socket.gethostname()})"
    assert (held["by"], held["released_by"]) == (f"claimed:legal-desk {at}", f"claimed:chief {at}")
    desk.json("erase", "--person", "customer-signer", "--reason", "asked for it", "--as", "privacy-desk")
    with desk.store() as store:
        [erased] = asyncio.run(store.erasures.of(Kind.REQUEST.workflow_id("msa-0042")))
    assert erased.by == f"claimed:privacy-desk {at}"
