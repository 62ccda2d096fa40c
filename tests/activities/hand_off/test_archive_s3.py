"""An archive in a bucket whose server refuses what is sent: nothing half is left, the next attempt writes it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any

import fsspec  # type: ignore[import-untyped]
import httpx
import pytest
from werkzeug.serving import make_server

from activities.documents.files import SIGNED
from activities.hand_off.archive import Archives
from activities.records.evidence import SignedDocument, SignedFile
from activities.records.store import Store
from tests.activities.notifications.stage import brief
from workflows.model.hand_off import HandoffResult, SettledRequest
from workflows.model.policy import ArchiveTarget, Target
from workflows.model.subject import Status

AT = datetime(2026, 12, 4, 9, 30, tzinfo=UTC)
MSA = brief().subject
SETTLED = SettledRequest(request=MSA.id, external_id=MSA.id, kind="customer-contract", outcome=Status.SIGNED, at=AT)
PDF = b"%PDF-1.7 " + bytes(range(256)) * 50_000
"""Of three pieces, as S3 takes them."""
PLACE = f"archive/customer-contract/{MSA.id}.pdf"
pytestmark = pytest.mark.long


def _moto() -> Any:
    """Imported by whoever runs these tests, not by all who collect them."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    return DomainDispatcherApplication(create_backend_app)


@dataclass
class Bucket:
    """moto behind a door: of what is sent to it, those that `refused` says are read by half and refused."""

    refused: Callable[[int], bool] = lambda _: False
    sent: list[str] = field(default_factory=list)
    app: Any = field(default_factory=_moto)

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "PUT" and "archive/" in environ["PATH_INFO"]:
            self.sent.append(environ["QUERY_STRING"])
            if self.refused(len(self.sent)):
                environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0) // 2)
                start("503 Slow Down", [("Content-Length", "0"), ("Connection", "close")])
                return []
        answer: Iterable[bytes] = self.app(environ, start)
        return answer


@contextmanager
def serving(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[fsspec.AbstractFileSystem]:
    """The bucket as its administrator sees it."""
    server = make_server("127.0.0.1", 0, bucket, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.port}"
    credentials = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}
    for name, text in {**credentials, "AWS_ENDPOINT_URL": url}.items():
        monkeypatch.setenv(name, text)
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    try:
        httpx.post(f"{url}/moto-api/reset", trust_env=False)  # what it holds is the whole process's
        files = fsspec.filesystem("s3", use_listings_cache=False, skip_instance_cache=True)
        files.mkdir("archive")
        yield files
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def archive_document(store: Store) -> HandoffResult:
    archive_target = ArchiveTarget(url="s3://archive", path="{kind}/{id}.pdf")
    return await Archives(store, ["s3://archive"]).write(
        Target(target="a", archive=archive_target), archive_target, MSA, SETTLED
    )


@pytest.mark.parametrize("first", [1, 2, 3], ids=["the_first_piece", "the_second", "the_last"])
async def test_where_a_bucket_answers_503_nothing_half_is_left_and_the_next_attempt_writes_it(
    first: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = Bucket(refused=lambda number: number >= first)
    with serving(bucket, monkeypatch) as files, closing(Store(str(tmp_path))) as store:
        sha256 = await store.files.put(PDF, SIGNED)
        await store.evidence.keep_signed(MSA.workflow_id, SignedDocument(document=SignedFile(sha256, len(PDF))), AT)
        refused = await archive_document(store)
        assert (refused.ok, refused.gone) == (False, False), "the hand-off tries again"
        assert "archive" not in (refused.why or "")
        assert not files.exists(PLACE)
        assert "Upload" not in files.call_s3("list_multipart_uploads", Bucket="archive"), "nothing is to be paid for"
        bucket.refused = lambda _: False
        assert await archive_document(store) == HandoffResult(target="a", ok=True)
        assert files.cat_file(PLACE) == PDF
        sent = len(bucket.sent)
        assert await archive_document(store) == HandoffResult(target="a", ok=True)
        assert len(bucket.sent) == sent, "it is there already"
