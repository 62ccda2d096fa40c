"""Time stamps by the sandbox's authority, which `openssl` makes and `openssl` verifies."""

import subprocess
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from activities.evidence.pack import Packer
from activities.evidence.signing import NotSigned, UnusableKey
from activities.evidence.time_stamps import STAMP_BYTES_AT_MOST, TimeStamps, check
from activities.evidence.verification import verify
from activities.http.client import make_client
from activities.records.store import Store
from deploy.sandbox.server import running, serving
from tests.activities.evidence.kept import MSA, key_in, signed
from tests.activities.evidence.test_pack import parts_of, written


def openssl(words: str, folder: Path) -> str:
    """What it says; it has to end well."""
    run = ["openssl", *words.split()]
    done = subprocess.run(run, cwd=folder, capture_output=True, check=True)  # noqa: S603
    return (done.stdout + done.stderr).decode()


@pytest.fixture
async def authority(tmp_path: Path) -> AsyncIterator[TimeStamps]:
    async with running() as sandbox, make_client() as client:
        root = tmp_path / "ca.pem"
        root.write_bytes((await client.get(f"{sandbox.url}/tsa/ca.pem")).content)
        yield TimeStamps(f"{sandbox.url}/tsa", root)


async def test_a_pack_is_stamped_once_and_openssl_agrees(tmp_path: Path, authority: TimeStamps) -> None:
    root = tmp_path / "ca.pem"
    with closing(Store(str(tmp_path / "kept"))) as store:
        await signed(store)
        packer = Packer(store, key_in(tmp_path), authority.stamp)
        exported = await packer.export(MSA, tmp_path / "msa.zip")
        assert exported.stamped
        await packer.export(MSA, tmp_path / "again.zip")
        await Packer(store, key_in(tmp_path)).export(MSA, tmp_path / "offline.zip")
    content = (tmp_path / "msa.zip").read_bytes()
    assert [(tmp_path / name).read_bytes() == content for name in ("again.zip", "offline.zip")] == [True, True]
    found = verify(tmp_path / "msa.zip", None, lambda reply, said: check(reply, said, root))
    assert (found.ok, bool(found.stamped_at)) == (True, True)
    assert verify(tmp_path / "msa.zip").notes
    parts = parts_of(tmp_path / "msa.zip")
    for name in ("manifest.json", "timestamp.tsr"):
        (tmp_path / name).write_bytes(parts[name])
    assert "Verification: OK" in openssl("ts -verify -in timestamp.tsr -data manifest.json -CAfile ca.pem", tmp_path)
    token = bytearray(parts["timestamp.tsr"])
    for at in (10, len(token) // 2, len(token) - 5):
        token[at] ^= 1
        changed = await written(tmp_path / "changed.zip", parts | {"timestamp.tsr": bytes(token)})
        faults = verify(changed, None, lambda reply, said: check(reply, said, root)).faults
        assert [one.part for one in faults] == ["timestamp.tsr"], at
        token[at] ^= 1


async def test_of_another_authority_or_over_other_bytes_it_is_refused(tmp_path: Path, authority: TimeStamps) -> None:
    reply = await authority.stamp(b"content")
    assert reply
    check(reply, b"content", None)
    with pytest.raises(NotSigned, match="over"):
        check(reply, b"other", tmp_path / "ca.pem")
    async with running() as other, make_client() as client:
        (tmp_path / "other.pem").write_bytes((await client.get(f"{other.url}/tsa/ca.pem")).content)
    with pytest.raises(NotSigned, match="authority"):
        check(reply, b"content", tmp_path / "other.pem")
    for name in ("none.pem", "kept"):
        (tmp_path / "kept").write_text("no certificate")
        with pytest.raises(UnusableKey, match=name):
            check(reply, b"content", tmp_path / name)


async def test_an_authority_that_is_away_or_answers_nonsense_costs_no_pack(tmp_path: Path) -> None:
    answers = [b"nonsense", bytes(10 * STAMP_BYTES_AT_MOST)]
    app = Starlette(routes=[Route("/", lambda _: Response(answers.pop(0)), methods=["POST"])])
    with closing(Store(str(tmp_path / "kept"))) as store:
        await signed(store)
        async with serving(app, host="127.0.0.1", port=0) as url:
            for at in (url, url, "http://127.0.0.1:9/"):
                exported = await Packer(store, key_in(tmp_path), TimeStamps(at, None).stamp).export(
                    MSA, tmp_path / "a.zip"
                )
                assert not exported.stamped
    assert answers == []
    assert verify(tmp_path / "a.zip").ok
