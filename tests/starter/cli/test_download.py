"""`countersign request download` and `links` as they are typed: verified files, noted downloads, revoked links."""

import asyncio
import hashlib
import json
from collections.abc import Coroutine
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from pydantic import SecretStr

from activities.documents.files import SIGNED
from activities.hand_off.downloads import DownloadLinks
from activities.keys import KeyRing
from activities.records.downloads import Download, LinkName, Way
from activities.records.evidence import KeptFileName, SignedDocument, SignedFile
from activities.records.store import Store
from tests.activities.evidence.kept import keep_signed_request
from tests.starter.terminal import type_
from workflows.kinds import Kind

R = TypeVar("R")
NOW = datetime(2027, 1, 4, 9, tzinfo=UTC)
MSA = Kind.REQUEST.workflow_id("msa-0042")


class DownloadDesk:
    """A folder with records of two signed requests, and a terminal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.does(_fill)

    def does(self, work: Any) -> Any:
        with closing(Store((self.folder / "store").as_uri())) as store:
            return asyncio.run(_awaited(work(store)))

    def types(self, *arguments: str) -> tuple[int, str, str]:
        process = type_("request", *arguments, COUNTERSIGN_DATA_DIR=str(self.folder), TEMPORAL_ADDRESS="127.0.0.1:1")
        return process.returncode, process.stdout, process.stderr


async def _awaited(work: Coroutine[Any, Any, R]) -> R:
    return await work


def contents(id: str) -> tuple[bytes, bytes]:
    return f"%PDF-1.7 {id}".encode(), f"%PDF-1.7 log of {id}".encode()


async def _fill(store: Store) -> None:
    for id in ("msa-0042", "msa-0043"):
        workflow_name = await keep_signed_request(store, id)
        pdf, log = [SignedFile(await store.files.put(content, SIGNED), len(content)) for content in contents(id)]
        await store.evidence.keep_signed(workflow_name.workflow_id, SignedDocument(pdf, log), NOW)


@pytest.fixture
def desk(tmp_path: Path) -> DownloadDesk:
    return DownloadDesk(tmp_path)


def test_the_signed_document_and_its_log_are_written_and_noted(desk: DownloadDesk) -> None:
    code, output, _ = desk.types("download", "msa-0042", "-o", str(desk.folder / "out"), "--as", "ada", "--json")
    assert code == 0
    [written] = json.loads(output)
    content = (desk.folder / "out" / "msa-0042-document.pdf").read_bytes()
    assert content == contents("msa-0042")[0]
    assert (written["sha256"], written["bytes"]) == (hashlib.sha256(content).hexdigest(), len(content))
    assert desk.types("download", "msa-0042", "-o", str(desk.folder / "out"), "--log")[0] == 0
    names = {"msa-0042-document.pdf", "msa-0042-signing-log.pdf"}
    assert {path.name for path in (desk.folder / "out").iterdir()} == names
    first, second = desk.does(lambda store: store.downloads.list_downloads(MSA))
    assert isinstance(first, Download)
    assert (first.who, first.way, first.file) == ("ada", Way.COMMAND, KeptFileName.DOCUMENT)
    assert ("@" in second.who, second.file) == (True, KeptFileName.SIGNING_LOG)


def test_filters_download_all_that_they_find_and_say_what_is_missing(desk: DownloadDesk) -> None:
    file = desk.does(lambda store: store.evidence.signed(MSA)).document
    desk.does(lambda store: store.files.remove(file.sha256, SIGNED))
    code, output, aside = desk.types("download", "--since", "2020-01-01", "-o", str(desk.folder / "out"), "--json")
    reason_by_id = {line["id"]: line["why"] for line in json.loads(output)}
    assert (code, set(reason_by_id)) == (0, {"msa-0042", "msa-0043"})
    assert "the file was erased" in reason_by_id.values()
    assert "of 2 have no such file" in aside


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("download",), "give one ID, or --kind"),
        (("download", "msa-0042", "--kind", "offer-letter"), "give one ID, or --kind"),
        (("download", "unknown"), "unknown: no such file is kept, or not yet"),
        (("download", "a b"), "id"),
    ],
)
def test_what_cannot_be_downloaded_is_one_line(desk: DownloadDesk, arguments: tuple[str, ...], message: str) -> None:
    code, _, error_output = desk.types(*arguments)
    assert code in (1, 2)
    assert message in error_output
    assert "Traceback" not in error_output


@pytest.mark.long
def test_links_are_listed_and_revoked(desk: DownloadDesk) -> None:
    async def issue(store: Store) -> str:
        links = DownloadLinks(store, "https://x.example", KeyRing([SecretStr("s" * 32)]), timedelta(days=36_500))
        return (await links.link(LinkName(MSA, "finance", KeptFileName.DOCUMENT), NOW)).url

    assert "No target has got a link" in desk.types("links", "msa-0042")[1]
    url = desk.does(issue)
    code, output, _ = desk.types("links", "msa-0042", "--json")
    [link] = json.loads(output)["links"]
    assert (code, link["target"], link["revoked"]) == (0, "finance", False)
    assert url.rpartition("/")[2] not in output
    revoked = json.loads(desk.types("links", "msa-0042", "--revoke", "--as", "legal-desk", "--json")[1])
    assert revoked["revoked"] == 1
    assert revoked["links"][0]["revoked_by"].startswith("claimed:legal-desk (")
    assert "revoked" in desk.types("links", "msa-0042")[1]
    assert desk.does(issue) != url
