"""The proof of one member's outcome in a campaign: their line, and the way from it to a root that we signed. It shows
nobody else: a neighbour on the way is a salted hash.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidSignature

from activities.evidence.campaign_parts import leaf_salt, salted
from activities.evidence.merkle import HASH_BYTES, leaf_hash, path_to, root_by, root_of
from activities.evidence.signing import (
    EvidenceKey,
    NotSigned,
    PublicKeys,
    canonical,
    id_of,
    is_trusted,
    named_key,
    signed_bytes,
)
from activities.records.outcomes import line_of
from activities.records.store import Store

TREE_TYPE: Final = "application/vnd.countersign.outcomes+json"
PROOF_BYTES_AT_MOST: Final = 32_768


class NoMember(LookupError):
    """The campaign's record has no such person."""


@dataclass(frozen=True)
class VerifiedProof:
    """What a proof that holds says."""

    campaign: str
    line: Mapping[str, Any]
    root: str
    size: int
    key: str
    trusted: bool


async def prove(store: Store, key: EvidenceKey, workflow_id: str, person: str) -> bytes:
    """The proof of a person's outcome; raises `NoMember`, and `DocumentDamaged` if the outcomes are not those of
    the record.
    """
    content = await store.records.read(workflow_id)
    sha256 = json.loads(content)["show"].get("outcomes") if content else None
    if sha256 is None:
        raise NoMember(f"{workflow_id.partition(':')[2]} has no record of outcomes: it still runs, or is not known")
    await store.outcomes.verify(sha256)
    record = await store.outcomes.record(sha256)
    hashes, own = list[bytes](), list[tuple[int, bytes]]()
    async for some in record.lines.batches():
        lines = [line_of(one)[:-1] for one in some]
        own += [(len(hashes) + n, lines[n]) for n, one in enumerate(some) if one.person == person]
        hashes += salted(record.salt, lines, len(hashes))
    if not own:
        raise NoMember(f"{person} is not in the audience of {workflow_id.partition(':')[2]}")
    # Of somebody who was listed twice, the line that was asked.
    index, line = next((one for one in own if b'"request"' in one[1]), own[0])
    tree = {"campaign": workflow_id.partition(":")[2], "root": root_of(hashes).hex(), "size": len(hashes)}
    proof = {
        "version": 1,
        "campaign": tree["campaign"],
        "size": len(hashes),
        "index": index,
        "line": line.decode(),
        "salt": _base64(leaf_salt(record.salt, index)),
        "path": _base64(b"".join(path_to(index, hashes))),
        "key": key.id,
        "sig": _base64(key.sign(signed_bytes(TREE_TYPE, canonical(tree)))),
    }
    return canonical(proof)


def verify_proof(content: bytes, trusted: PublicKeys | None) -> VerifiedProof:
    """What a proof says; raises `NotSigned`."""
    try:
        proof = json.loads(content)
        if proof["version"] != 1:
            raise NotSigned("version 1", str(proof["version"])[:20])
        path, line = base64.b64decode(proof["path"], validate=True), str(proof["line"])
        hashes = [path[at : at + HASH_BYTES] for at in range(0, len(path), HASH_BYTES)]
        leaf = leaf_hash(base64.b64decode(proof["salt"], validate=True) + line.encode())
        root = root_by(leaf, int(proof["index"]), int(proof["size"]), hashes)
        key_id, signed, said = str(proof["key"]), base64.b64decode(proof["sig"], validate=True), json.loads(line)
        campaign, size, root_said = str(proof["campaign"]), int(proof["size"]), root.hex() if root else ""
        content = canonical({"campaign": campaign, "root": root_said, "size": size})
        if not isinstance(said, dict):
            raise NotSigned("a line with an outcome", "something else")
    except NotSigned:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        raise NotSigned("a proof", "something else") from None
    public_key = named_key(key_id)
    if public_key is None:
        raise NotSigned("a signature by an Ed25519 key", f"one by the key {key_id[:64]}")
    try:
        public_key.verify(signed, signed_bytes(TREE_TYPE, content))
    except InvalidSignature:
        raise NotSigned("a line under a root that was signed", "another") from None
    return VerifiedProof(campaign, said, root_said, size, id_of(public_key), is_trusted(public_key, trusted))


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
