"""`countersign audit …`: evidence packs, made and verified; legal holds and erasures."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from rich.console import Group
from rich.text import Text

from activities.evidence.erasure import STAYS, ErasureResult
from activities.evidence.erasure import erase as erase_person
from activities.evidence.pack import ExportedPack, NotEnded, Packer
from activities.evidence.signing import PublicKeys, UnusableKey
from activities.evidence.verification import VerifiedPack, newer_of, verify
from activities.people.directory import DirectoryFailure
from activities.people.ids import id_of_address
from activities.records.ended import ListFilter, Place
from activities.records.holds import Hold
from activities.records.store import Store
from starter.boot import clients, evidence
from starter.boot.startup import ready
from starter.cli.arguments import As, AsJson
from starter.cli.known_people import claimed_actor
from starter.cli.printing import note, print_answer, progress
from starter.cli.terminal import Rows
from starter.config.settings import Settings
from starter.errors import Exit, Refusal
from starter.queries.filters import is_request_id, refuse_impossible_ids
from starter.queries.lookup import look_at
from starter.temporal.connection import opened
from workflows.kinds import Kind, WorkflowName, kinds, named
from workflows.model.subject import Status

LISTED_AT_ONCE: Final = 500
"""Records of one page of what is exported."""
UNCONFIRMED: Final = "Unchanged, but signed by a key that you have not confirmed"
"""Said first of a pack, by docs/verify.html and the Python of docs/evidence.md as well."""


@dataclass(frozen=True)
class Selection:
    """What is exported: one by its id, or all that filters find."""

    wanted: ListFilter
    since: datetime | None = None

    async def ids(self, store: Store) -> list[WorkflowName]:
        return [what async for what in self._found(store)]

    async def _found(self, store: Store) -> AsyncIterator[WorkflowName]:
        after: Place | None = None
        while found := await store.ended.page(self.wanted, LISTED_AT_ONCE, after):
            for row in found:
                if self.since and row.ended_at < self.since:
                    return
                if what := named(row.workflow_id):
                    yield what
            if len(found) < LISTED_AT_ONCE:
                return
            after = found[-1].place


async def export(
    id: Annotated[str | None, Parameter(help="Its id, or its whole workflow id.")] = None,
    /,
    *,
    output: Annotated[Path, Parameter(name=("--output", "-o"))],
    kind: str | None = None,
    person: str | None = None,
    requester: str | None = None,
    status: list[Status] | None = None,
    search: str = "",
    since: datetime | None = None,
    so_far: bool = False,
    documents: bool = False,
    json: AsJson = False,
) -> None:
    """Write the evidence pack of a request, task, onboarding or campaign that has ended: docs/evidence.md.

    It is made from the database and the files alone, and is the same whenever and wherever it is made. By filters
    the packs of all requests that they find are written into a folder, those of campaigns included.

    Parameters
    ----------
    output
        The file; with filters the folder, which is made.
    kind
        All of this kind of the catalogue.
    person
        All in which this person was asked.
    requester
        All that this person requested.
    status
        All with this ending; may be repeated.
    search
        All whose title, people or id have words that begin with each of these words.
    since
        All that ended since this day.
    so_far
        Also of what has not ended yet; its pack is marked as unfinished.
    documents
        In the pack of a campaign the signed documents of its members as well.
    json
        Print `[{id, type, file, sha256, bytes, parts, amendment, erasures, finished}]`.
    """
    settings = ready()
    store = clients.store(settings)
    packer = evidence.packer(settings, store)
    if id is not None:
        written = [await _export_one(settings, packer, id, output, documents=documents, so_far=so_far)]
    else:
        wanted = ListFilter(kind=kind, person=person, requester=requester, statuses=tuple(status or ()), search=search)
        written = await _export_many(
            packer, await chosen(store, wanted, since), output, documents=documents, quiet=json
        )
    print_answer(written, _exported(written), as_json=json)


async def chosen(store: Store, wanted: ListFilter, since: datetime | None) -> Selection:
    """What has ended of what is wanted, since that day; `Refusal` where that cannot be said."""
    refuse_impossible_ids(wanted)
    if not wanted.has_records:
        raise Refusal("only what has ended is exported by filters: --status of an ending")
    if wanted.search:
        found = await store.starts.search(wanted.search, wanted.types)
        if found.more:
            raise Refusal("more were found than are looked at: further words of --search narrow it")
        wanted = replace(wanted, ids=found.ids)
    return Selection(wanted, since and since.astimezone())


async def _export_one(
    settings: Settings, packer: Packer, typed: str, output: Path, *, documents: bool, so_far: bool
) -> ExportedPack:
    what = await _ended(packer.store, typed)
    if what is None and not so_far:
        raise Refusal(f"{typed} has no record: it still runs, or is not known (--so-far writes what there is by now)")
    try:
        if what is not None:
            return await packer.export(what, output, documents=documents)
        what = named(typed) or WorkflowName(Kind.REQUEST, typed)
        async with opened(settings) as context:
            shown = await look_at(context.client, context.store, what)
        return await packer.export(what, output, documents=documents, so_far=shown)
    except NotEnded as error:
        raise Refusal(f"{error} (--so-far writes what there is by now)") from None
    except OSError as error:
        raise Refusal(f"{output}: {error.strerror}") from error


async def _ended(store: Store, typed: str) -> WorkflowName | None:
    """The one with a record that has this id; `Refusal` for an id of two."""
    candidates = [what] if (what := named(typed)) else [WorkflowName(kind, typed) for kind in kinds()]
    if not all(is_request_id(one.id) for one in candidates):
        raise Refusal(f'"{typed}" is no id: expected 1-100 characters of A-Z a-z 0-9 . _ -, or a whole workflow id')
    known = await store.records.known([one.workflow_id for one in candidates])
    found = [one for one in candidates if one.workflow_id in known]
    if len(found) > 1:
        raise Refusal(f"{typed} is the id of several: {' or '.join(one.workflow_id for one in found)}")
    return found[0] if found else None


async def _export_many(
    packer: Packer, chosen: Selection, folder: Path, *, documents: bool, quiet: bool
) -> list[ExportedPack]:
    found = await chosen.ids(packer.store)
    written = list[ExportedPack]()
    try:
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        with progress("writing packs", quiet=quiet, total=len(found)) as bar:
            for what in found:
                written.append(await packer.export(what, folder / f"{what.id}.zip", documents=documents))
                bar(advance=1)
    except OSError as error:
        raise Refusal(f"{folder}: {error.strerror} ({len(written):,} of {len(found):,} packs were written)") from error
    return written


def _exported(written: Sequence[ExportedPack]) -> Group | Text:
    if not written:
        return Text("No such requests have ended")
    table = Rows("id", "file", "parts", "bytes", "amendment", "note", whole=("id", "file"))
    for one in written:
        amendment = f"{one.amendment}" + (f", erasure {one.erasures}" if one.erasures else "")
        table.add(one.id, one.file, f"{one.parts:,}", f"{one.bytes:,}", amendment, "" if one.finished else "unfinished")
    return Group(Text(f"{len(written):,} evidence packs" if len(written) > 1 else "The evidence pack", "bold"), table)


@dataclass(frozen=True)
class Verification:
    """`key` is by whom it is signed; `trusted` whether that key was given or is ours."""

    ok: bool
    file: str
    id: str
    type: str
    status: str
    amendment: int
    erasures: int
    finished: bool
    parts: int
    bytes: int
    key: str
    trusted: bool
    faults: list[dict[str, str]]
    notes: list[str]

    @classmethod
    def of(cls, found: VerifiedPack) -> "Verification":
        faults = [{"part": one.part, "expected": one.expected, "found": one.found} for one in found.faults]
        known = {name: getattr(found, name) for name in cls.__annotations__ if name != "faults"}
        return cls(**known, faults=faults)


async def verify_packs(
    packs: Annotated[list[Path], Parameter(negative=(), consume_multiple=True)],
    /,
    *,
    key: Path | None = None,
    json: AsJson = False,
) -> Exit:
    """Check evidence packs: offline, from the files alone; nothing is written, and nobody is asked.

    Each fault names the part, what was expected and what was found. Of two packs of one id it says which is newer.
    Exit code 3: all are unchanged, but one is signed by a key that is neither given nor this installation's.

    Parameters
    ----------
    packs
        Packs of `audit export`.
    key
        Public keys that may have signed them, in PEM; without it those of this installation.
    json
        Print `[{ok, file, id, type, status, amendment, erasures, finished, parts, bytes, key, trusted,
        faults[{part, expected, found}], notes[]}]`.
    """
    settings = ready()
    keys = await asyncio.to_thread(_keys, settings, key)
    try:
        found = [await asyncio.to_thread(verify, pack, keys) for pack in packs]
    except OSError as error:
        raise Refusal(f"{error.filename}: {error.strerror}") from error
    for one, other in combinations(found, 2):
        if one.ok and other.ok and one.workflow_id == other.workflow_id:
            one.notes.append(newer_of(one, other))
    answers = [Verification.of(one) for one in found]
    print_answer(answers, Group(*(_verified(one) for one in answers)), as_json=json)
    if not all(answer.ok for answer in answers):
        return Exit.REFUSED
    return Exit.DONE if all(answer.trusted for answer in answers) else Exit.UNCONFIRMED


def _keys(settings: Settings, key: Path | None) -> PublicKeys | None:
    if key is None:
        return evidence.trusted_keys(settings)
    try:
        return PublicKeys.read(key)
    except UnusableKey as fault:
        raise Refusal(str(fault)) from None


def _verified(answer: Verification) -> Group:
    notes = map(Text, answer.notes)
    if not answer.ok:
        table = Rows("part", "expected", "found", whole=("part",))
        for fault in answer.faults:
            table.add(fault["part"], fault["expected"], fault["found"])
        return Group(Text(f"{answer.file} does not hold", "bold red"), table, *notes)
    what = f"{answer.type} {answer.id} · {answer.status}" + ("" if answer.finished else " · unfinished")
    holds = f"{what} · {answer.parts:,} parts · amendment {answer.amendment}"
    if answer.trusted:
        key = f"signed by the key {answer.key}"
        return Group(Text(f"{answer.file} holds: {holds}", "bold green"), Text(key), *notes)
    key = f"signed by the key {answer.key}: compare it with the published one, or give that by --key"
    return Group(Text(UNCONFIRMED, "bold yellow"), Text(f"{answer.file}: {holds}"), Text(key), *notes)


async def hold(
    id: Annotated[str | None, Parameter(help="Its id, or its whole workflow id.")] = None,
    /,
    *,
    reason: str | None = None,
    release: bool = False,
    list_: Annotated[bool, Parameter(name="--list", negative=())] = False,
    as_: As = None,
    json: AsJson = False,
) -> None:
    """Put a request, task, onboarding or campaign on legal hold, or release it.

    While it is held nothing of it is removed: its signed files stay after their retention, and the erasure of a
    person waits. The hold of an onboarding or campaign holds all of its requests and tasks. There may be several, each
    for its reason.

    Parameters
    ----------
    reason
        Why it is held, such as the matter or its number; with --release the one to release.
    release
        Release it; what has waited for that is removed by the daily schedule.
    list_
        List all that is held.
    json
        Print `{id, workflow_id, held, holds: [{workflow_id, reason, by, at, released_by, released_at}]}`; with --list a
        list of such holds.
    """
    settings = ready()
    store = clients.store(settings)
    if id is None:
        listed = [one async for one in _open_holds(store)]
        print_answer([_hold_as_json(one) for one in listed], _holds(listed), as_json=json)
        return
    actor, now = claimed_actor(settings, as_), datetime.now(UTC)
    what = await _begun(store, id)
    if release:
        await store.holds.release(what.workflow_id, await _to_release(store, what, reason), actor, now)
    elif reason and not await store.holds.place(what.workflow_id, reason, actor, now):
        note("it is held for this reason already")
    holds = await store.holds.of(what.workflow_id)
    held = any(one.released_at is None for one in holds)
    answer = {"id": what.id, "workflow_id": what.workflow_id, "held": held, "holds": list(map(_hold_as_json, holds))}
    says = f"The {what.kind} {what.id} is {'on legal hold' if held else 'not held any more'}"
    print_answer(answer, Group(Text(says, "bold"), _holds(holds)), as_json=json)


async def _to_release(store: Store, what: WorkflowName, reason: str | None) -> str:
    """The reason of its hold that is meant; `Refusal` if there is none, or if it is one of several."""
    there = [one for one in await store.holds.of(what.workflow_id) if not one.released_at]
    own = [one.reason for one in there if one.workflow_id == what.workflow_id]
    if not own:
        helps = f": {there[0].workflow_id} is, and it is a part of that" if there else ""
        raise Refusal(f"the {what.kind} {what.id} is not on hold by itself{helps}")
    if reason is None and len(own) > 1:
        raise Refusal(f"it is held for several reasons, --reason names one of them: {'; '.join(own)}")
    if reason is not None and reason not in own:
        raise Refusal(f'it is not held for the reason "{reason}", but for: {"; ".join(own)}')
    return reason or own[0]


async def _open_holds(store: Store) -> AsyncIterator[Hold]:
    after = "", 0
    while some := await store.holds.page(after):
        for one in some:
            yield one
        after = some[-1].workflow_id, some[-1].number


async def _begun(store: Store, typed: str) -> WorkflowName:
    """The one of this id that has begun or ended; `Refusal` for none and for an id of two."""
    if what := await _ended(store, typed):
        return what
    candidates = [what] if (what := named(typed)) else [WorkflowName(kind, typed) for kind in kinds()]
    known = await store.starts.known([one.workflow_id for one in candidates])
    found = [one for one in candidates if one.workflow_id in known]
    if len(found) > 1:
        raise Refusal(f"{typed} is the id of several: {' or '.join(one.workflow_id for one in found)}")
    if not found:
        raise Refusal(f"{typed} is not known: nothing of this id has begun")
    return found[0]


def _hold_as_json(one: Hold) -> dict[str, object]:
    return {name: value for name, value in one._asdict().items() if name != "number"}


def _holds(holds: Sequence[Hold]) -> Rows | Text:
    if not holds:
        return Text("Nothing is on legal hold")
    table = Rows("held", "since", "by", "reason", "released", whole=("held",))
    for one in holds:
        released = f"{one.released_at:%Y-%m-%d %H:%M} by {one.released_by}" if one.released_at else ""
        table.add(one.workflow_id, f"{one.at:%Y-%m-%d %H:%M}", one.by, one.reason, released)
    return table


async def erase(*, person: str, reason: str, dry_run: bool = False, as_: As = None, json: AsJson = False) -> None:
    """Erase a person: names, addresses, devices, what they wrote, payloads of histories, cached pages.

    Ids and hashes stay, so that records and packs verify. What still runs is erased once it has ended, and what is on
    legal hold once that is released, by the daily schedule. What cannot be erased here is listed with why.

    Parameters
    ----------
    person
        An id, as records name them.
    reason
        Why; it is recorded beside each record.
    dry_run
        Only say what would be erased.
    json
        Print `{person, erased[], waiting[], held{id: why}, devices, dry_run, stays{what: why}}`, all by workflow id.
    """
    settings = ready()
    actor = "" if dry_run else claimed_actor(settings, as_)
    store, now = clients.store(settings), datetime.now(UTC)
    if not is_request_id(person):
        raise Refusal(f"--person takes an id, as records name people{await _ids_of_address(settings, store, person)}")
    erased = await erase_person(store, person, actor, reason, now, dry_run=dry_run)
    print_answer({**vars(erased), "stays": STAYS}, _erased(erased), as_json=json)


async def _ids_of_address(settings: Settings, store: Store, address: str) -> str:
    """Where the people file can be read: the ids under which records may name who has this address."""
    if settings.people is None:
        return ""
    directory = clients.directory(settings, store)
    try:
        person = await directory.named(address)
    except DirectoryFailure:
        person = None
    ids = [person.id] if person else []
    if directory.secret and "@" in address:
        ids.append(id_of_address(address, directory.secret))
    return f"; this address has {' and '.join(ids)}" if ids else ""


def _erased(erased: ErasureResult) -> Group:
    done = "would be erased" if erased.dry_run else "was erased"
    parts = [Text(f"{erased.person} {done} from {len(erased.erased):,} that have ended", "bold")]
    if erased.waiting:
        parts.append(
            Text(
                f"{len(erased.waiting):,} still run, and are erased once they have ended: "
                f"{', '.join(erased.waiting[:20])}",
                "yellow",
            )
        )
    if erased.held:
        listed = ", ".join(f"{one} ({why})" for one, why in [*erased.held.items()][:20])
        parts.append(
            Text(f"{len(erased.held):,} are on legal hold, and are erased once that is released: {listed}", "yellow")
        )
    if not erased.dry_run:
        parts.append(Text(f"{erased.devices:,} devices were erased"))
    table = Rows("not erased here", "why")
    for what, why in STAYS.items():
        table.add(what, why)
    return Group(*parts, table)
