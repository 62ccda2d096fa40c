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
from tests.activities.evidence.kept import CONDUCT, keep_campaign, keep_signed_request, told_later
from tests.starter.terminal import type_
from workflows.kinds import Kind


class AuditDesk:
    """A folder with records, and a terminal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = folder / "evidence.pem"
        EvidenceKey.ensure(self.key)
        with self.store() as store:
            asyncio.run(_fill(store))

    def store(self) -> closing[Store]:
        return closing(Store((self.folder / "store").as_uri()))

    def types(self, *arguments: str, **overrides: str) -> tuple[int, str, str]:
        environment = {"COUNTERSIGN_DATA_DIR": str(self.folder), "TEMPORAL_ADDRESS": "127.0.0.1:1"}
        process = type_("audit", *arguments, **environment, **overrides)
        return process.returncode, process.stdout, process.stderr

    def files_with(self, text: str) -> list[str]:
        """Outside of packs. By another process: to close a file of SQLite is to lose all locks on it."""
        command = ["grep", "-rlF", "--exclude=*.zip", text, str(self.folder)]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()  # noqa: S603

    def json(self, *arguments: str, code: int = 0) -> Any:
        outcome = self.types(*arguments, "--json")
        assert outcome[0] == code, outcome
        return json.loads(outcome[1])


async def _fill(store: Store) -> None:
    for id in ("msa-0042", "msa-0043"):
        await keep_signed_request(store, id)
    await keep_campaign(store)


@pytest.fixture
def desk(tmp_path: Path) -> AuditDesk:
    return AuditDesk(tmp_path)


@pytest.mark.long
def test_a_pack_is_written_and_verified(desk: AuditDesk) -> None:
    pack = desk.folder / "msa.zip"
    code, output, _ = desk.types("export", "msa-0042", "-o", str(pack))
    assert (code, "msa-0042" in output, str(pack) in output) == (0, True, True)
    [written] = desk.json("export", "signature-request:msa-0042", "-o", str(pack))
    assert (written["id"], written["amendment"], written["finished"]) == ("msa-0042", 1, True)
    code, output, _ = desk.types("verify", str(pack))
    assert (code, "holds" in output, EvidenceKey.read(desk.key).id in output) == (0, True, True)
    [report] = desk.json("verify", str(pack), "--key", f"{desk.key}.pub")
    assert (report["ok"], report["trusted"], report["faults"]) == (True, True, [])
    content = pack.read_bytes()
    pack.write_bytes(content.replace(b"Annex B", b"Annex C"))
    code, output, _ = desk.types("verify", str(pack))
    assert (code, "does not hold" in output, "texts.json" in output) == (1, True, True)
    [report] = desk.json("verify", str(pack), code=1)
    assert [fault["part"] for fault in report["faults"]] == ["texts.json"]


@pytest.mark.long
def test_of_two_packs_of_one_id_it_says_which_is_newer(desk: AuditDesk) -> None:
    packs = [str(desk.folder / name) for name in ("old.zip", "new.zip")]
    desk.json("export", "msa-0042", "-o", packs[0])
    with desk.store() as store:
        asyncio.run(told_later(store, Kind.REQUEST.workflow_id("msa-0042"), 2))
    desk.json("export", "msa-0042", "-o", packs[1])
    code, output, _ = desk.types("verify", *packs)
    assert (code, f"{packs[1]} is newer: amendment 2" in output) == (0, True)


@pytest.mark.long
def test_filters_find_many_and_a_campaign_has_its_own(desk: AuditDesk) -> None:
    folder = desk.folder / "packs"
    written = desk.json("export", "--kind", "customer-contract", "-o", str(folder))
    assert sorted(pack["id"] for pack in written) == ["msa-0042", "msa-0043"]
    assert [pack["ok"] for pack in desk.json("verify", *(pack["file"] for pack in written))] == [True, True]
    assert desk.json("export", "--person", "nobody", "-o", str(folder)) == []
    assert len(desk.json("export", "--search", "msa-0043", "--status", "signed", "-o", str(folder))) <= 1
    assert len(desk.json("export", "--kind", "customer-contract", "--since", "2026-12-01", "-o", str(folder))) == 2
    assert desk.json("export", "--kind", "customer-contract", "--since", "2027-12-01", "-o", str(folder)) == []
    [campaign] = desk.json("export", CONDUCT.id, "-o", str(desk.folder / "conduct.zip"))
    assert campaign["type"] == "campaign"
    with zipfile.ZipFile(campaign["file"]) as pack:
        assert "outcomes.jsonl" in pack.namelist()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
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
def test_what_cannot_be_is_refused_in_one_line(
    desk: AuditDesk, arguments: tuple[str, ...], code: int, message: str
) -> None:
    outcome = desk.types(*arguments)
    assert (outcome[0], message in outcome[2]) == (code, True), outcome
    assert "Traceback" not in outcome[2]


@pytest.mark.long
def test_without_a_key_nothing_is_exported_and_packs_of_others_are_shown_as_such(desk: AuditDesk) -> None:
    pack = str(desk.folder / "msa.zip")
    desk.json("export", "msa-0042", "-o", pack)
    desk.key.unlink()
    desk.key.with_name("evidence.pem.pub").unlink()
    code, _, output = desk.types("export", "msa-0042", "-o", pack)
    assert (code, "countersign init" in output) == (1, True)
    [report] = desk.json("verify", pack, code=3)
    assert (report["ok"], report["trusted"]) == (True, False)
    EvidenceKey.ensure(desk.key)
    for arguments in ((), ("--key", f"{desk.key}.pub")):
        code, output, _ = desk.types("verify", pack, *arguments)
        assert (code, output.partition("\n")[0], report["key"] in output) == (3, UNCONFIRMED, True)
    assert len(PublicKeys.read(desk.key).keys) == 1


@pytest.mark.long
def test_erase_removes_a_person_from_all_that_has_ended(desk: AuditDesk) -> None:
    dry = desk.json("erase", "--person", "customer-signer", "--reason", "asked for it", "--dry-run")
    assert (len(dry["erased"]), dry["dry_run"], "packs" in dry["stays"]) == (2, True, True)
    with closing(sqlite3.connect(desk.folder / "store" / DATABASE_FILE)) as process:
        process.execute("SELECT count(*) FROM people_asked").fetchall()
        assert desk.files_with("ada@example.com")
        assert desk.json("erase", "--person", "customer-signer", "--reason", "asked for it")["erased"] == dry["erased"]
        assert desk.files_with("ada@example.com") == []


@pytest.mark.long
def test_what_is_on_hold_is_said_with_who_and_why_and_an_erasure_waits_for_its_release(desk: AuditDesk) -> None:
    desk.json("hold", "msa-0042", "--reason", "matter 7")
    record = desk.json("hold", "msa-0042", "--reason", "matter 8")
    assert (record["held"], [hold["reason"] for hold in record["holds"]]) == (True, ["matter 7", "matter 8"])
    assert record["holds"][0]["by"] and record["holds"][0]["at"] and record["holds"][0]["released_at"] is None
    code, output, remark = desk.types("hold", "msa-0042", "--reason", "matter 7")
    assert (code, "matter 8" in output, "already" in remark) == (0, True, True)
    desk.json("hold", CONDUCT.id, "--reason", "matter 9")
    assert [hold["reason"] for hold in desk.json("hold", "--list")] == ["matter 9", "matter 7", "matter 8"]
    erased = desk.json("erase", "--person", "customer-signer", "--reason", "asked for it")
    request = Kind.REQUEST.workflow_id("msa-0042")
    assert (erased["erased"], list(erased["held"])) == ([Kind.REQUEST.workflow_id("msa-0043")], [request])
    code, output, _ = desk.types("erase", "--person", "customer-signer", "--reason", "asked for it")
    assert (code, "on legal hold" in output, "matter" in output) == (0, True, True)
    for arguments, refused in (
        (("--release",), "held for several reasons"),
        (("--release", "--reason", "matter 9"), 'not held for the reason "matter 9"'),
    ):
        code, _, output = desk.types("hold", "msa-0042", *arguments)
        assert (code, refused in output) == (1, True), output
    for matter, is_held in (("matter 7", True), ("matter 8", False)):
        assert desk.json("hold", "msa-0042", "--release", "--reason", matter)["held"] is is_held
    code, _, output = desk.types("hold", "msa-0042", "--release")
    assert (code, "not on hold by itself" in output) == (1, True)
    assert [hold["reason"] for hold in desk.json("hold", "--list")] == ["matter 9"]
    assert desk.types("hold", CONDUCT.id, "--release")[0] == 0
    assert "Nothing is on legal hold" in desk.types("hold", "--list")[1]


@pytest.mark.long
def test_where_claimed_actors_do_not_count_nothing_is_held_released_or_erased(desk: AuditDesk) -> None:
    erase = "erase", "--person", "customer-signer", "--reason", "asked for it"
    for arguments in (
        ("hold", "msa-0042", "--reason", "matter 7"),
        ("hold", "msa-0042", "--release"),
        erase,
    ):
        code, _, error_output = desk.types(*arguments, COUNTERSIGN_ACTORS="verified")
        assert (code, "cannot prove who acts" in error_output) == (1, True), error_output
    assert desk.types(*erase, "--dry-run", COUNTERSIGN_ACTORS="verified")[0] == 0
    assert desk.json("hold", "--list") == []


@pytest.mark.long
def test_who_holds_releases_and_erases_is_recorded_with_the_user_and_host(desk: AuditDesk) -> None:
    desk.json("hold", "msa-0042", "--reason", "matter 7", "--as", "legal-desk")
    [hold] = desk.json("hold", "msa-0042", "--release", "--as", "chief")["holds"]
    origin = f"({getpass.getuser()}@{socket.gethostname()})"
    assert (hold["by"], hold["released_by"]) == (f"claimed:legal-desk {origin}", f"claimed:chief {origin}")
    desk.json("erase", "--person", "customer-signer", "--reason", "asked for it", "--as", "privacy-desk")
    with desk.store() as store:
        [erased] = asyncio.run(store.erasures.list_done(Kind.REQUEST.workflow_id("msa-0042")))
    assert erased.by == f"claimed:privacy-desk {origin}"
