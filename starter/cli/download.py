"""`countersign request download` and `request links`: files that are kept of ended requests, and who may fetch them."""

import asyncio
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Group
from rich.text import Text

from activities.documents.files import StoredFile
from activities.errors import DocumentDamaged, DocumentMissing
from activities.hand_off.downloads import kept_file
from activities.records.downloads import Download, DownloadLinkRow, Way
from activities.records.ended import ListFilter
from activities.records.evidence import KeptFileName
from activities.records.store import Store
from starter.boot import clients
from starter.boot.startup import ready
from starter.cli.actors import find_actor
from starter.cli.arguments import As, AsJson
from starter.cli.audit import select_ended
from starter.cli.printing import note, print_answer, progress
from starter.cli.terminal import Rows
from starter.errors import Refusal
from starter.queries.filters import id_of
from workflows.kinds import Kind, WorkflowName

_PIECE = 1 << 18


@dataclass(frozen=True)
class DownloadResult:
    """`file` is where it was written; without one `why` says why there is none."""

    id: str
    file: Path | None = None
    sha256: str | None = None
    bytes: int = 0
    why: str | None = None


async def download(
    id: Annotated[str | None, Parameter(help="Its id.")] = None,
    /,
    *,
    output: Annotated[Path, Parameter(name=("--output", "-o"))] = Path(),
    log: bool = False,
    kind: str | None = None,
    person: str | None = None,
    requester: str | None = None,
    search: str = "",
    since: datetime | None = None,
    as_: Annotated[str | None, Parameter("--as")] = None,
    json: AsJson = False,
) -> None:
    """Write the signed document of a request that has ended into a folder, verified by its hash; with filters those of
    all requests that match. Each download is recorded.

    Parameters
    ----------
    output
        The folder; it is made if it does not exist.
    log
        The signing log of Core Signature instead.
    kind
        All of this kind of the catalogue.
    person
        All in which this person was asked.
    requester
        All that this person requested.
    search
        All whose title, people or id have words that begin with each of these words.
    since
        All that ended since this day.
    as_
        Who downloads; default: COUNTERSIGN_ACTOR, else user@host.
    json
        Print `[{id, file, sha256, bytes, why}]`.
    """
    settings = ready()
    store = clients.store(settings)
    file, actor = KeptFileName.SIGNING_LOG if log else KeptFileName.DOCUMENT, as_ or settings.acting
    if id is not None:
        names = [WorkflowName(Kind.REQUEST, id_of(Kind.REQUEST, id))]
    else:
        filters = ListFilter(kind=kind, person=person, requester=requester, search=search)
        names = await (await select_ended(store, filters, since)).ids(store)
    written = await _downloads(store, names, file, output, actor, quiet=json)
    if id is not None and written[0].why:
        raise Refusal(f"{written[0].id}: {written[0].why}")
    print_answer(written, _table(written), as_json=json)
    if missing := [result for result in written if result.why]:
        note(f"{len(missing):,} of {len(written):,} have no such file")


async def links(id: str, /, *, revoke: bool = False, as_: As = None, json: AsJson = False) -> None:
    """List the links by which hand-off targets may download the documents of a request, or revoke them.

    Parameters
    ----------
    id
        Its id.
    revoke
        Revoke all of them; a replay of the hand-off makes new ones.
    json
        Print `{id, links: [{target, file, number, expires_at, downloads, revoked, revoked_by, revoked_at}], revoked}`.
    """
    settings = ready()
    store = clients.store(settings)
    name = WorkflowName(Kind.REQUEST, id_of(Kind.REQUEST, id))
    revoked = 0
    if revoke:
        actor = (await find_actor(settings, as_)).recorded
        revoked = await store.downloads.revoke(name.workflow_id, actor, datetime.now(UTC))
    rows = await store.downloads.links(name.workflow_id)
    answer = {"id": name.id, "links": [_as_json(row) for row in rows], "revoked": revoked}
    print_answer(answer, _of_links(rows, datetime.now(UTC)), as_json=json)
    if revoke:
        note(f"{revoked:,} revoked")


async def _downloads(
    store: Store, requests: Iterable[WorkflowName], file: KeptFileName, folder: Path, actor: str, *, quiet: bool
) -> list[DownloadResult]:
    names, written = list(requests), list[DownloadResult]()
    try:
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        with progress("downloading", quiet=quiet, total=len(names)) as bar:
            for name in names:
                written.append(await _download(store, name, file, folder, actor))
                bar(advance=1)
    except OSError as error:
        raise Refusal(f"{folder}: {error.strerror} ({len(written):,} of {len(names):,} were written)") from error
    return written


async def _download(store: Store, name: WorkflowName, file: KeptFileName, folder: Path, actor: str) -> DownloadResult:
    try:
        stored = await kept_file(store, name.workflow_id, file)
        if stored is None:
            return DownloadResult(name.id, why="no such file is kept, or not yet")
        await store.downloads.note(name.workflow_id, Download(datetime.now(UTC), actor, file, Way.COMMAND))
        path = folder / f"{name.id}-{file.value.replace('_', '-')}.pdf"
        await _write(stored, path)
    except DocumentMissing:
        return DownloadResult(name.id, why="the file was erased")
    except DocumentDamaged:
        return DownloadResult(name.id, why="the file is damaged in the store")
    return DownloadResult(name.id, path, stored.sha256, stored.size)


async def _write(stored: StoredFile, path: Path) -> None:
    """Whole or not at all."""
    opened, half = await asyncio.to_thread(tempfile.mkstemp, dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(opened, "wb") as file:
            async for piece in stored.pieces(_PIECE):
                file.write(piece)
        await asyncio.to_thread(os.replace, half, path)
    except BaseException:
        await asyncio.to_thread(os.unlink, half)
        raise


def _table(written: Iterable[DownloadResult]) -> Group | Text:
    table = Rows("id", "file", "bytes", "SHA-256", whole_columns=("id", "file"))
    lines = list(written)
    for result in lines:
        table.add(result.id, str(result.file or result.why), f"{result.bytes:,}", result.sha256 or "")
    return Group(table) if lines else Text("No such requests have ended")


def _as_json(row: DownloadLinkRow) -> dict[str, object]:
    names = ("target", "file", "number", "expires_at", "downloads", "revoked_by", "revoked_at")
    return {name: getattr(row, name) for name in names} | {"revoked": row.token_sha256 is None}


def _of_links(rows: Iterable[DownloadLinkRow], now: datetime) -> Group | Text:
    table, lines = Rows("target", "file", "number", "until", "downloads", whole_columns=("target",)), list(rows)
    for row in lines:
        ends = f"{row.expires_at:%Y-%m-%d %H:%M} UTC{'' if row.expires_at > now else ', expired'}"
        validity = "revoked" if row.token_sha256 is None else ends
        table.add(row.target, row.file.value.replace("_", " "), str(row.number), validity, f"{row.downloads:,}")
    return Group(table) if lines else Text("No target has got a link")
