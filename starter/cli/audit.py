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
from activities.records.ended import ListFilter, PagePosition
from activities.records.holds import Hold
from activities.records.store import Store
from starter.boot import clients, evidence
from starter.boot.person_ids import keep_secret_of_ids
from starter.boot.startup import ready
from starter.cli.actors import find_actor
from starter.cli.arguments import As, AsJson
from starter.cli.printing import note, print_answer, progress
from starter.cli.terminal import Rows
from starter.config.settings import Settings
from starter.errors import Exit, Refusal
from starter.queries.filters import is_request_id, refuse_impossible_ids
from starter.queries.lookup import find_best_view
from starter.temporal.connection import opened
from workflows.kinds import Kind, WorkflowName, kinds, named
from workflows.model.subject import Status

LISTED_AT_ONCE: Final = 500
"""Records of one page of what is exported."""
UNCONFIRMED: Final = "Unchanged, but signed by a key that you have not confirmed"
"""Said first of a pack, by docs/verify.html and starter/examples/verify.py as well."""


@dataclass(frozen=True)
class Selection:
    """What is exported: one by its id, or all that filters find."""

    filters: ListFilter
    since: datetime | None = None

    async def ids(self, store: Store) -> list[WorkflowName]:
        return [name async for name in self._matching(store)]

    async def _matching(self, store: Store) -> AsyncIterator[WorkflowName]:
        cursor: PagePosition | None = None
        while rows := await store.ended_follow_ups.page(self.filters, LISTED_AT_ONCE, cursor):
            for row in rows:
                if self.since and row.ended_at < self.since:
                    return
                if name := named(row.workflow_id):
                    yield name
            if len(rows) < LISTED_AT_ONCE:
                return
            cursor = rows[-1].page_position


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
        filters = ListFilter(kind=kind, person=person, requester=requester, statuses=tuple(status or ()), search=search)
        written = await _export_many(
            packer, await select_ended(store, filters, since), output, documents=documents, quiet=json
        )
    print_answer(written, _exported(written), as_json=json)


async def select_ended(store: Store, filters: ListFilter, ended_since: datetime | None) -> Selection:
    """What has ended of what is wanted, since that day; `Refusal` where that cannot be said."""
    refuse_impossible_ids(filters)
    if not filters.has_records:
        raise Refusal("only what has ended is exported by filters: --status of an ending")
    if filters.search:
        result = await store.starts.search(filters.search, filters.types)
        if result.has_more:
            raise Refusal("more were found than are looked at: further words of --search narrow it")
        filters = replace(filters, ids=result.ids)
    return Selection(filters, ended_since and ended_since.astimezone())


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
    def from_pack(cls, pack: VerifiedPack) -> "Verification":
        faults = [{"part": fault.part, "expected": fault.expected, "found": fault.found} for fault in pack.faults]
        fields = {name: getattr(pack, name) for name in cls.__annotations__ if name != "faults"}
        return cls(**fields, faults=faults)


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
        results = [await asyncio.to_thread(verify, pack, keys) for pack in packs]
    except OSError as error:
        raise Refusal(f"{error.filename}: {error.strerror}") from error
    for first, second in combinations(results, 2):
        if first.ok and second.ok and first.workflow_id == second.workflow_id:
            first.notes.append(newer_of(first, second))
    answers = [Verification.from_pack(result) for result in results]
    print_answer(answers, Group(*(_verified(answer) for answer in answers)), as_json=json)
    if not all(answer.ok for answer in answers):
        return Exit.REFUSED
    return Exit.DONE if all(answer.trusted for answer in answers) else Exit.UNCONFIRMED


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
        listed = [hold async for hold in _open_holds(store)]
        print_answer([_hold_as_json(hold) for hold in listed], _holds(listed), as_json=json)
        return
    actor, now = (await find_actor(settings, as_)).recorded, datetime.now(UTC)
    name = await _find_begun(store, id)
    if release:
        await store.holds.release(name.workflow_id, await _to_release(store, name, reason), actor, now)
    elif reason and not await store.holds.place_hold(name.workflow_id, reason, actor, now):
        note("it is held for this reason already")
    holds = await store.holds.list_holds(name.workflow_id)
    is_held = any(hold.released_at is None for hold in holds)
    answer = {"id": name.id, "workflow_id": name.workflow_id, "held": is_held, "holds": list(map(_hold_as_json, holds))}
    sentence = f"The {name.kind} {name.id} is {'on legal hold' if is_held else 'not held any more'}"
    print_answer(answer, Group(Text(sentence, "bold"), _holds(holds)), as_json=json)


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
    actor = "" if dry_run else (await find_actor(settings, as_)).recorded
    store, now = clients.store(settings), datetime.now(UTC)
    await keep_secret_of_ids(settings, store)
    if not is_request_id(person):
        raise Refusal(f"--person takes an id, as records name people{await _ids_of_address(settings, store, person)}")
    erased = await erase_person(store, person, actor, reason, now, dry_run=dry_run)
    print_answer({**vars(erased), "stays": STAYS}, _erased(erased), as_json=json)


async def _export_one(
    settings: Settings, packer: Packer, typed: str, output: Path, *, documents: bool, so_far: bool
) -> ExportedPack:
    name = await _find_ended(packer.store, typed)
    if name is None and not so_far:
        raise Refusal(f"{typed} has no record: it still runs, or is not known (--so-far writes what there is by now)")
    try:
        if name is not None:
            return await packer.export(name, output, documents=documents)
        name = named(typed) or WorkflowName(Kind.REQUEST, typed)
        async with opened(settings) as context:
            view = await find_best_view(context.client, context.store, name)
        return await packer.export(name, output, documents=documents, so_far=view)
    except NotEnded as error:
        raise Refusal(f"{error} (--so-far writes what there is by now)") from None
    except OSError as error:
        raise Refusal(f"{output}: {error.strerror}") from error


async def _find_ended(store: Store, typed: str) -> WorkflowName | None:
    """The one with a record that has this id; `Refusal` for an id of two."""
    candidates = [name] if (name := named(typed)) else [WorkflowName(kind, typed) for kind in kinds()]
    if not all(is_request_id(candidate.id) for candidate in candidates):
        raise Refusal(f'"{typed}" is no id: expected 1-100 characters of A-Z a-z 0-9 . _ -, or a whole workflow id')
    recorded_ids = await store.records.find_recorded([candidate.workflow_id for candidate in candidates])
    matches = [candidate for candidate in candidates if candidate.workflow_id in recorded_ids]
    if len(matches) > 1:
        raise Refusal(f"{typed} is the id of several: {' or '.join(match.workflow_id for match in matches)}")
    return matches[0] if matches else None


async def _export_many(
    packer: Packer, selection: Selection, folder: Path, *, documents: bool, quiet: bool
) -> list[ExportedPack]:
    names = await selection.ids(packer.store)
    written = list[ExportedPack]()
    try:
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        with progress("writing packs", quiet=quiet, total=len(names)) as bar:
            for name in names:
                written.append(await packer.export(name, folder / f"{name.id}.zip", documents=documents))
                bar(advance=1)
    except OSError as error:
        raise Refusal(f"{folder}: {error.strerror} ({len(written):,} of {len(names):,} packs were written)") from error
    return written


def _exported(written: Sequence[ExportedPack]) -> Group | Text:
    if not written:
        return Text("No such requests have ended")
    table = Rows("id", "file", "parts", "bytes", "amendment", "note", whole_columns=("id", "file"))
    for pack in written:
        amendment = f"{pack.amendment}" + (f", erasure {pack.erasures}" if pack.erasures else "")
        table.add(
            pack.id, pack.file, f"{pack.parts:,}", f"{pack.bytes:,}", amendment, "" if pack.finished else "unfinished"
        )
    return Group(Text(f"{len(written):,} evidence packs" if len(written) > 1 else "The evidence pack", "bold"), table)


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
        table = Rows("part", "expected", "found", whole_columns=("part",))
        for fault in answer.faults:
            table.add(fault["part"], fault["expected"], fault["found"])
        return Group(Text(f"{answer.file} does not hold", "bold red"), table, *notes)
    subject = f"{answer.type} {answer.id} · {answer.status}" + ("" if answer.finished else " · unfinished")
    holds = f"{subject} · {answer.parts:,} parts · amendment {answer.amendment}"
    if answer.trusted:
        key = f"signed by the key {answer.key}"
        return Group(Text(f"{answer.file} holds: {holds}", "bold green"), Text(key), *notes)
    key = f"signed by the key {answer.key}: compare it with the published one, or give that by --key"
    return Group(Text(UNCONFIRMED, "bold yellow"), Text(f"{answer.file}: {holds}"), Text(key), *notes)


async def _to_release(store: Store, name: WorkflowName, reason: str | None) -> str:
    """The reason of its hold that is meant; `Refusal` if there is none, or if it is one of several."""
    open_holds = [hold for hold in await store.holds.list_holds(name.workflow_id) if not hold.released_at]
    own_reasons = [hold.reason for hold in open_holds if hold.workflow_id == name.workflow_id]
    if not own_reasons:
        helps = f": {open_holds[0].workflow_id} is, and it is a part of that" if open_holds else ""
        raise Refusal(f"the {name.kind} {name.id} is not on hold by itself{helps}")
    if reason is None and len(own_reasons) > 1:
        raise Refusal(f"it is held for several reasons, --reason names one of them: {'; '.join(own_reasons)}")
    if reason is not None and reason not in own_reasons:
        raise Refusal(f'it is not held for the reason "{reason}", but for: {"; ".join(own_reasons)}')
    return reason or own_reasons[0]


async def _open_holds(store: Store) -> AsyncIterator[Hold]:
    cursor = "", 0
    while page := await store.holds.page(cursor):
        for hold in page:
            yield hold
        cursor = page[-1].workflow_id, page[-1].number


async def _find_begun(store: Store, typed: str) -> WorkflowName:
    """The one of this id that has begun or ended; `Refusal` for none and for an id of two."""
    if name := await _find_ended(store, typed):
        return name
    candidates = [name] if (name := named(typed)) else [WorkflowName(kind, typed) for kind in kinds()]
    started_ids = await store.starts.find_known([candidate.workflow_id for candidate in candidates])
    matches = [candidate for candidate in candidates if candidate.workflow_id in started_ids]
    if len(matches) > 1:
        raise Refusal(f"{typed} is the id of several: {' or '.join(match.workflow_id for match in matches)}")
    if not matches:
        raise Refusal(f"{typed} is not known: nothing of this id has begun")
    return matches[0]


def _hold_as_json(hold: Hold) -> dict[str, object]:
    return {name: value for name, value in hold._asdict().items() if name != "number"}


def _holds(holds: Sequence[Hold]) -> Rows | Text:
    if not holds:
        return Text("Nothing is on legal hold")
    table = Rows("held", "since", "by", "reason", "released", whole_columns=("held",))
    for hold in holds:
        released = f"{hold.released_at:%Y-%m-%d %H:%M} by {hold.released_by}" if hold.released_at else ""
        table.add(hold.workflow_id, f"{hold.at:%Y-%m-%d %H:%M}", hold.by, hold.reason, released)
    return table


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
    verb = "would be erased" if erased.dry_run else "was erased"
    parts = [Text(f"{erased.person} {verb} from {len(erased.erased):,} that have ended", "bold")]
    if erased.waiting:
        parts.append(
            Text(
                f"{len(erased.waiting):,} still run, and are erased once they have ended: "
                f"{', '.join(erased.waiting[:20])}",
                "yellow",
            )
        )
    if erased.held:
        listed = ", ".join(f"{id} ({reason})" for id, reason in [*erased.held.items()][:20])
        parts.append(
            Text(f"{len(erased.held):,} are on legal hold, and are erased once that is released: {listed}", "yellow")
        )
    if not erased.dry_run:
        parts.append(Text(f"{erased.devices:,} devices were erased"))
    table = Rows("not erased here", "why")
    for subject, reason in STAYS.items():
        table.add(subject, reason)
    return Group(*parts, table)
