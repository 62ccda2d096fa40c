"""The first page as a picture: drawn once, in a process that a bad document may kill, and kept."""

import asyncio
import hashlib
import os
import struct
import sys
from pathlib import Path

import pytest

from activities.documents.files import PICTURES
from activities.errors import StoreFailure
from activities.records.cover_sheet import CoverSheet
from activities.records.store import Store
from starter.web.pages.drawing import WIDTH
from starter.web.pages.first_page import FirstPages
from workflows.kinds import Kind
from workflows.model.signature import Document, SignatureBrief

PDF = (Path(__file__).parents[4] / "deploy" / "examples" / "msa.pdf").read_bytes()


async def store_with(folder: Path, pdf: bytes) -> Store:
    """A store with one request about a document."""
    store = Store(folder.as_uri())
    document = Document(sha256=await store.files.put(pdf))
    await CoverSheet.keep(
        store, SignatureBrief(id="msa", kind="nda", title="MSA", document=document, requester="desk", people=())
    )
    return store


async def test_a_first_page_is_drawn_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await store_with(tmp_path, PDF)
    picture = await FirstPages(store).read("msa")
    assert picture is not None
    (width,) = struct.unpack(">I", picture[16:20])
    assert width in (WIDTH, WIDTH + 1)  # the library rounds up
    monkeypatch.setattr("sys.executable", "/nowhere")
    assert await FirstPages(store).read("msa") == picture


@pytest.mark.parametrize("pdf", [b"%PDF-1.4\n%%EOF\n", PDF[:200], b"\0" * 100_000], ids=["empty", "cut", "zeros"])
async def test_what_cannot_be_drawn_is_tried_once(tmp_path: Path, pdf: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await store_with(tmp_path, pdf)
    assert await FirstPages(store).read("msa") is None
    monkeypatch.setattr("sys.executable", "/nowhere")
    assert await FirstPages(store).read("msa") is None
    assert await store.starts.first_page(Kind.REQUEST.workflow_id("msa"), hashlib.sha256(pdf).hexdigest()) == ""


async def test_while_a_first_page_is_drawn_other_readers_get_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = FirstPages(await store_with(tmp_path / "store", PDF))
    gate, interpreter = tmp_path / "gate", tmp_path / "python"
    os.mkfifo(gate)
    interpreter.write_text(f'#!/bin/sh\nread -r line < "{gate}"\nexec "{sys.executable}" "$@"\n')
    interpreter.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(interpreter))
    drawing = asyncio.create_task(pages.read("msa"))
    with await asyncio.to_thread(gate.open, "w") as opened_gate:  # waits until the drawing process reads
        assert await asyncio.gather(*(pages.read("msa") for _ in range(9))) == [None] * 9
        opened_gate.write("go\n")
    assert await drawing is not None


async def test_a_request_that_nobody_knows_has_no_picture(tmp_path: Path) -> None:
    assert await FirstPages(Store(tmp_path.as_uri())).read("msa") is None


@pytest.mark.long
async def test_the_first_page_of_a_new_version_takes_the_place_of_the_last(tmp_path: Path) -> None:
    store = await store_with(tmp_path, PDF)
    first, workflow_id = await FirstPages(store).read("msa"), Kind.REQUEST.workflow_id("msa")
    [former] = await store.erasures.pictures([workflow_id])
    version = await store.files.put(PDF.replace(b"Master services", b"Framework supply"))
    assert await FirstPages(store).read("msa", version) not in (None, first)
    assert former not in await store.erasures.pictures([workflow_id])
    with pytest.raises(StoreFailure):
        await store.files.read(former, PICTURES)
