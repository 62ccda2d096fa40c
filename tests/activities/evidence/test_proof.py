"""The proof of one member: small, of nobody else, and found out when changed."""

import base64
import json
from contextlib import closing
from pathlib import Path

import pytest

from activities.evidence.campaign_parts import leaf_salt
from activities.evidence.merkle import leaf_hash
from activities.evidence.proof import PROOF_BYTES_AT_MOST, NoMember, prove, verify_proof
from activities.evidence.signing import NotSigned, PublicKeys, canonical
from activities.evidence.verification import verify
from activities.records.outcomes import line_of
from activities.records.store import Store
from tests.activities.evidence.kept import CONDUCT, acknowledged, key_in, packer
from tests.activities.evidence.test_pack import parts_of

PEOPLE = 25


@pytest.fixture
async def store(tmp_path: Path) -> Store:
    kept = Store(str(tmp_path / "kept"))
    await acknowledged(kept, PEOPLE)
    return kept


async def test_each_member_is_proved_under_the_root_of_the_pack(tmp_path: Path, store: Store) -> None:
    with closing(store):
        key = key_in(tmp_path)
        await packer(store, tmp_path).export(CONDUCT, tmp_path / "conduct.zip")
        merkle = json.loads(parts_of(tmp_path / "conduct.zip")["merkle.json"])
        trusted = PublicKeys.read(tmp_path / "evidence.pem.pub")
        for number in range(1, PEOPLE + 1):
            proof = await prove(store, key, CONDUCT.workflow_id, f"person-{number}")
            proved = verify_proof(proof, trusted)
            assert (proved.campaign, proved.line["person"], proved.trusted) == ("conduct", f"person-{number}", True)
            assert (proved.root, proved.size) == (merkle["outcomes"]["root"], PEOPLE)
            assert len(proof) < 1_000
            others = [f"person-{other}" for other in range(1, PEOPLE + 1) if other != number]
            assert [one for one in others if f'"{one}"' in proof.decode()] == []
        (tmp_path / "proof.json").write_bytes(proof)
        found = verify(tmp_path / "proof.json", trusted)
        assert (found.ok, found.type, found.status) == (True, "proof", "acknowledged")
        assert "person-25" in found.notes[0]
        with pytest.raises(NoMember, match="not in the audience"):
            await prove(store, key, CONDUCT.workflow_id, "nobody")
        with pytest.raises(NoMember, match="no record"):
            await prove(store, key, "acknowledgement-campaign:other", "person-1")


async def test_a_neighbour_cannot_be_guessed(tmp_path: Path, store: Store) -> None:
    """Whoever knows what a neighbour's line would be cannot try it out: its hash is salted."""
    with closing(store):
        proof = json.loads(await prove(store, key_in(tmp_path), CONDUCT.workflow_id, "person-1"))
        content = await store.records.read(CONDUCT.workflow_id)
        assert content
        outcomes = await (await store.outcomes.record(json.loads(content)["show"]["outcomes"])).lines.read()
    neighbour = base64.b64decode(proof["path"])[:32]
    line = line_of(outcomes[1])[:-1]
    assert leaf_hash(line) != neighbour
    assert leaf_hash(base64.b64decode(proof["salt"]) + line) != neighbour
    assert leaf_salt(bytes(16), 1) != base64.b64decode(proof["salt"])


async def test_a_proof_that_is_changed_too_large_or_none_is_no_traceback(tmp_path: Path, store: Store) -> None:
    with closing(store):
        proof = json.loads(await prove(store, key_in(tmp_path), CONDUCT.workflow_id, "person-10"))
    other = key_in(tmp_path / "other")
    changes = {
        "version": 2,
        "campaign": "other",
        "size": 24,
        "index": 8,
        "line": proof["line"].replace("expired", "acknowledged"),
        "salt": base64.b64encode(bytes(16)).decode(),
        "path": proof["path"][44:],
        "key": other.id,
        "sig": base64.b64encode(bytes(64)).decode(),
    }
    assert changes.keys() == proof.keys()
    for name, value in changes.items():
        with pytest.raises(NotSigned):
            verify_proof(canonical(proof | {name: value}), None)
        with pytest.raises(NotSigned):
            verify_proof(canonical({key: said for key, said in proof.items() if key != name}), None)
    assert not verify_proof(canonical(proof), PublicKeys.read(tmp_path / "other" / "evidence.pem")).trusted
    (tmp_path / "large.json").write_bytes(b"{" + b" " * 10 * PROOF_BYTES_AT_MOST)
    [fault] = verify(tmp_path / "large.json").faults
    assert fault.expected.startswith("at most")
    (tmp_path / "none.json").write_bytes(b"{}")
    assert not verify(tmp_path / "none.json").ok
