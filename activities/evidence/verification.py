"""Whether a pack holds: offline, from the file alone. Only what its manifest lists is read, sizes are bounded before,
and nothing is written.
"""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from activities.evidence.archive import NoPack, PackReader, is_name, reading
from activities.evidence.campaign_parts import (
    AUDIENCE,
    CHANGES,
    LINE_BYTES_AT_MOST,
    OUTCOMES,
    POPULATION,
)
from activities.evidence.pack import (
    AMENDMENTS,
    ENVELOPE,
    EVIDENCE,
    IDENTITIES,
    MANIFEST,
    PARTS,
    PREDICATE,
    RECORD,
    SIGNED_DOCUMENT,
    SIGNING_LOG,
    TEXTS,
    name_of,
)
from activities.evidence.signing import NotSigned, PublicKeys, opened, sha256_of

MANIFEST_BYTES_AT_MOST: Final = 64 << 20
ENVELOPE_BYTES_AT_MOST: Final = 65_536
PART_BYTES_AT_MOST: Final = 64 << 20
"""Bytes of a part that is looked into; others are only hashed, in pieces."""
PAYLOAD_BYTES_AT_MOST: Final = 8 << 20
"""Bytes of a line with a payload of a history; Temporal takes none of more than 2 MiB."""
FAULTS_AT_MOST: Final = 100
"""Faults that are named."""
TEXT_CHARACTERS_AT_MOST: Final = 1_000
"""Characters of a text that a pack brings along."""
DIFFERENCES_AT_MOST: Final = 5
"""Parts that are named in which two packs differ."""
_BESIDE: Final = (MANIFEST, ENVELOPE)
"""What a manifest cannot list."""
_MARKS: Final = {
    "id": str,
    "type": str,
    "workflow_id": str,
    "status": str,
    "finished": bool,
    "amendment": int,
    "erasures": int,
    "documents": int,
    "removed": int,
}


@dataclass(frozen=True)
class PackFault:
    """What does not hold: in which part, what was expected, what was found."""

    part: str
    expected: str
    found: str


@dataclass
class VerifiedPack:
    """What a pack says of itself, and its faults; without any it holds."""

    file: str
    id: str = ""
    type: str = ""
    status: str = ""
    workflow_id: str = ""
    amendment: int = 0
    erasures: int = 0
    documents: int = 0
    """How many of the provider's files it has."""
    removed: int = 0
    """How many of them were removed, their retention being over."""
    finished: bool = True
    parts: int = 0
    bytes: int = 0
    key: str = ""
    trusted: bool = False
    """Whether the key, and that of each part that is a pack, is one that was given; else the pack may be anybody's."""
    lacks: Mapping[str, str] = field(default_factory=dict)
    listed: Mapping[str, str] = field(default_factory=dict)
    """The SHA-256 of each part."""
    notes: list[str] = field(default_factory=list)
    faults: list[PackFault] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.faults

    @property
    def version(self) -> tuple[int, ...]:
        """By which two packs of one id are told apart."""
        return self.finished, self.amendment, self.erasures, self.documents + self.removed, self.removed

    def fault(self, part: str, expected: str, actual: str) -> None:
        if len(self.faults) < FAULTS_AT_MOST:
            self.faults.append(PackFault(*map(_readable, (part, expected, actual))))


def _readable(text: str) -> str:
    """What a pack says, as nothing that a terminal obeys: it may be anybody's."""
    cut = text[:TEXT_CHARACTERS_AT_MOST]
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in cut)


def verify(file: Path, keys: PublicKeys | None = None) -> VerifiedPack:
    """Check a pack; raises `OSError` for a file that cannot be read."""
    result = VerifiedPack(str(file))
    with file.open("rb") as pack:
        _check(pack, result, keys)
    return result


def newer_of(first_pack: VerifiedPack, other_pack: VerifiedPack) -> str:
    """Of two packs of one id, which is newer, in words; of one age, in which parts they differ."""
    if first_pack.version == other_pack.version:
        names = sorted(first_pack.listed.keys() | other_pack.listed.keys())
        differ = [name for name in names if first_pack.listed.get(name) != other_pack.listed.get(name)]
        ellipsis = ", …" if len(differ) > DIFFERENCES_AT_MOST else ""
        difference = f", and differ in {', '.join(differ[:DIFFERENCES_AT_MOST])}{ellipsis}" if differ else ""
        return f"both are of {_describe_age(first_pack)}{difference}"
    newer, older = sorted((first_pack, other_pack), key=lambda pack: pack.version, reverse=True)
    return f"{newer.file} is newer: {_describe_age(newer)}; {older.file}: {_describe_age(older)}"


def _check(pack: IO[bytes], result: VerifiedPack, keys: PublicKeys | None) -> None:
    try:
        with reading(pack) as reader:
            _Check(reader, result, keys).run()
    except NoPack as fault:
        result.fault(fault.part, fault.expected, fault.actual)
    except NotSigned as fault:
        result.fault(ENVELOPE, fault.expected, fault.actual)
    except (LookupError, ValueError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        # Signed by whom it may be: what it says of itself need not have the shape that ours has.
        result.fault("its parts", "JSON of the known shape", type(error).__name__)


class _Check:
    def __init__(self, reader: PackReader, result: VerifiedPack, keys: PublicKeys | None) -> None:
        self.reader, self.result, self.keys = reader, result, keys
        self.bad = set[str]()

    def run(self) -> None:
        content = self.reader.read(MANIFEST, MANIFEST_BYTES_AT_MOST)
        self._signature(content)
        manifest = _manifest(content)
        for name in _MARKS:
            setattr(self.result, name, manifest[name])
        self.result.lacks = manifest.get("lacks", {})
        listed: dict[str, Any] = manifest["parts"]
        for name in self.reader.entries.keys() - listed.keys() - {*_BESIDE}:
            self.result.fault(name, "nothing: the manifest does not list it", "a part")
        for name, entry in listed.items():
            self._part(name, entry)
        self.result.listed = {name: entry["sha256"] for name, entry in listed.items()}
        self.result.parts, self.result.bytes = len(listed), sum(entry["bytes"] for entry in listed.values())
        if not self.result.faults:
            self._meaning(listed)

    def _signature(self, manifest: bytes) -> None:
        envelope = opened(self.reader.read(ENVELOPE, ENVELOPE_BYTES_AT_MOST), PREDICATE, self.keys)
        self.result.key, self.result.trusted = envelope.key, envelope.trusted
        if (digest := envelope.digest(MANIFEST)) != sha256_of(manifest):
            raise NoPack(MANIFEST, f"SHA-256 {digest}", sha256_of(manifest))

    def _part(self, name: str, entry: Mapping[str, Any]) -> None:
        if name not in self.reader.entries:
            self.result.fault(name, f"a part of {entry['bytes']:,} bytes", "nothing")
            return
        if self.reader.size(name) != entry["bytes"]:
            self.result.fault(name, f"{entry['bytes']:,} bytes", f"{self.reader.size(name):,}")
            return
        digest = hashlib.sha256()
        for piece in self.reader.pieces(name):
            digest.update(piece)
        if digest.hexdigest() != entry["sha256"]:
            self.result.fault(name, f"SHA-256 {entry['sha256']}", digest.hexdigest())

    def _meaning(self, listed: Mapping[str, Any]) -> None:
        """Whether the parts agree with each other. Each is as it was signed; this tells what was signed wrong."""
        if RECORD in listed:
            record = self._json(RECORD)
            self._record(record["show"], record.get("settled") or {}, listed)
            if AUDIENCE in listed:
                self._campaign(record["show"], listed)
        elif self.result.finished:
            self.result.fault(RECORD, "the record of what has ended", "nothing")
        self._numbers([name for name in listed if name.startswith(AMENDMENTS)])
        if TEXTS in listed:
            self._texts()
        if EVIDENCE in listed:
            self._check_kept(self._json(EVIDENCE), listed)
        for name in listed:
            if name.startswith(PARTS):
                self._nested(name)

    def _record(self, show: Mapping[str, Any], settled: Mapping[str, Any], listed: Mapping[str, Any]) -> None:
        """It is of the id and status that the manifest says, and names the provider's files by hash."""
        self._expect(RECORD, "the record of", self.result.id, show.get("id"))
        self._expect(MANIFEST, "the status of the record", show.get("status"), self.result.status)
        for name, key in ((SIGNED_DOCUMENT, "document"), (SIGNING_LOG, "signing_log")):
            if name in listed and (file := settled.get(key)):
                self._expect(name, "SHA-256", file["sha256"], listed[name]["sha256"])

    def _numbers(self, names: list[str]) -> None:
        last = max((int(name.removeprefix(AMENDMENTS).removesuffix(".json")) for name in names), default=0)
        if last != self.result.amendment:
            self.result.fault(AMENDMENTS, f"number {self.result.amendment} as the last", str(last))

    def _texts(self) -> None:
        for name, text in self._json(TEXTS).items():
            content = bytes.fromhex(text["random"]) + text["text"].encode()
            if sha256_of(content) != text["sha256"]:
                self.result.fault(TEXTS, f"{name} with SHA-256 {text['sha256']}", sha256_of(content))

    def _check_kept(self, evidence: Mapping[str, Any], listed: Mapping[str, Any]) -> None:
        """Histories, identities and payloads, as far as they are not erased, against the hashes that were kept."""
        for run in evidence["runs"]:
            if (name := _part_of(run.get("history"))) in listed:
                self._expect(name, "SHA-256", run["sha256"], listed[name]["sha256"])
                self._payloads(name, _part_of(run.get("payloads")), listed)
        if IDENTITIES in listed:
            identity_hashes = {sha256_of(line[:-1]) for line in self._lines(IDENTITIES)}
            kept_hashes = {identity["sha256"] for identity in evidence["people"]}
            if strangers := identity_hashes - kept_hashes:
                self.result.fault(IDENTITIES, "people whose hashes were kept", f"{len(strangers)} others")

    def _payloads(self, history: str, name: str, listed: Mapping[str, Any]) -> None:
        if name not in listed:
            return
        kept_hashes = {sha256 for line in self._lines(history) for sha256 in json.loads(line)["payloads"].values()}
        for line in self._lines(name):
            payload = json.loads(line)
            content = payload["text"].encode() if "text" in payload else base64.b64decode(payload.get("base64", ""))
            if (digest := sha256_of(bytes.fromhex(payload["random"]) + content)) not in kept_hashes:
                self.result.fault(name, f"payloads of {history}", f"one with SHA-256 {digest}")
                return

    def _campaign(self, show: Mapping[str, Any], listed: Mapping[str, Any]) -> None:
        if (frozen := show["frozen"]["sha256"]) != listed[AUDIENCE]["sha256"]:
            self.result.fault(AUDIENCE, f"SHA-256 {frozen}", listed[AUDIENCE]["sha256"])
        previous: str | None = None
        for name in sorted(name for name in listed if name.startswith(CHANGES)):
            stated = self._json(name).get("before")
            if stated != previous:
                self.result.fault(name, f"the change behind {previous}", f"one behind {stated}")
            previous = listed[name]["sha256"]
        if previous != show.get("changed"):
            self.result.fault(CHANGES, f"{show.get('changed')} as the last change", str(previous))
        if OUTCOMES in listed:
            self._outcomes(show)

    def _outcomes(self, show: Mapping[str, Any]) -> None:
        digest = hashlib.sha256(self.reader.read(POPULATION, PART_BYTES_AT_MOST))
        requests, counts = dict[str, int](), dict[str, int]()
        for line in self._lines(OUTCOMES, LINE_BYTES_AT_MOST):
            digest.update(line)
            outcome = json.loads(line)
            counts[outcome["status"]] = counts.get(outcome["status"], 0) + 1
            if request := outcome.get("request"):
                requests[request] = requests.get(request, 0) + 1
        self._expect(POPULATION, "SHA-256 of it and the outcomes", show.get("outcomes"), digest.hexdigest())
        twice = next((request for request, number in requests.items() if number > 1), None)
        self._expect(OUTCOMES, "one outcome for each request", None, twice)
        said_counts = {name: number for name, number in show.get("counts", {}).items() if number}
        self._expect(OUTCOMES, "the counts of the record", said_counts, counts)

    def _expect(self, part: str, label: str, expected: object, actual: object) -> None:
        if expected != actual:
            self.result.fault(part, f"{label}: {expected}", str(actual))

    def _lines(self, name: str, at_most: int = PAYLOAD_BYTES_AT_MOST) -> Iterator[bytes]:
        remainder = b""
        for piece in self.reader.pieces(name):
            *lines, remainder = (remainder + piece).split(b"\n")
            yield from (line + b"\n" for line in lines)
            if len(remainder) > at_most:
                raise NoPack(name, f"lines of at most {at_most:,} bytes", "a longer one")
        if remainder:
            raise NoPack(name, "a line end at its end", "none")

    def _nested(self, name: str) -> None:
        inner = VerifiedPack(name)
        with self.reader.open(name) as pack:
            _check(pack, inner, self.keys)
        if self.result.trusted and not inner.trusted:
            self.result.trusted, self.result.key = False, inner.key
        for fault in inner.faults:
            self.result.fault(f"{name}: {fault.part}", fault.expected, fault.found)

    def _json(self, name: str) -> dict[str, Any]:
        content = self.reader.read(name, PART_BYTES_AT_MOST)
        try:
            document = json.loads(content)
        except (ValueError, RecursionError):
            raise NoPack(name, "JSON", "something else") from None
        if not isinstance(document, dict):
            raise NoPack(name, "a JSON object", type(document).__name__)
        return document


def _part_of(part: str | None) -> str:
    """The part of a pack that a part of what was kept has become."""
    return name_of(part)[0] if part else ""


def _manifest(content: bytes) -> dict[str, Any]:
    """A manifest of the right shape; `NoPack` for anything else."""
    try:
        manifest = json.loads(content)
        if manifest["version"] != 1:
            raise NoPack(MANIFEST, "version 1", str(manifest["version"])[:20])
        good = all(type(manifest[name]) is kind for name, kind in _MARKS.items())
        good = good and all(manifest[name].isprintable() for name, kind in _MARKS.items() if kind is str)
        good = good and all(
            type(entry["bytes"]) is int and type(entry["sha256"]) is str and is_name(name)
            for name, entry in manifest["parts"].items()
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        good = False
    if not good:
        raise NoPack(MANIFEST, "a manifest", "something else")
    return dict(manifest)


def _describe_age(pack: VerifiedPack) -> str:
    if not pack.finished:
        return "what was known before the end"
    files = f", {pack.documents} files of the provider" if pack.documents else ""
    files += f", {pack.removed} removed after their retention" if pack.removed else ""
    return f"amendment {pack.amendment}" + (f", erasure {pack.erasures}" if pack.erasures else "") + files
