"""Notices of kinds with `identity: code`: by push or mail, never by the channel of the code or by Core Signature."""

from collections.abc import Callable
from pathlib import Path

import pytest

from activities.notifications.cloud_messaging import CloudMessaging
from activities.notifications.service import NotificationService
from deploy.sandbox.server import RunningSandbox
from tests.activities.notifications.stage import brief, delivery, entries, notice, pushes
from workflows.model.subject import Identity

PHONE = 'phone: "+31 20 555 0100"'
DEVICE = "devices: [{token: signer~1, platform: ios}]"


def people(*ways: str) -> str:
    entry = ", ".join(("id: signer, name: Signer, email: signer@example.test, zone: UTC", *ways))
    return f"people:\n  - {{{entry}}}\n  - {{id: legal-desk, name: L, email: legal@example.test, zone: UTC}}\n"


@pytest.mark.parametrize(
    ("ways", "stage", "urgent", "sent"),
    [
        ((DEVICE,), "ready", False, ["push"]),
        ((DEVICE, PHONE), "ready", True, ["push"]),
        ((PHONE,), "ready", True, ["email"]),
        ((DEVICE,), "fallback", False, []),
        ((DEVICE, PHONE), "fallback", True, ["email"]),
        ((), "ready", False, []),
    ],
)
async def test_a_notice_takes_no_channel_of_the_code(
    sandbox: RunningSandbox,
    cloud: CloudMessaging,
    a_worker: Callable[..., NotificationService],
    tmp_path: Path,
    ways: tuple[str, ...],
    stage: str,
    urgent: bool,
    sent: list[str],
) -> None:
    (tmp_path / "people.yaml").write_text(people(*ways))
    subject = brief("signer").replace(identity=Identity.CODE, urgent=urgent).subject
    await a_worker(messaging=cloud).deliver(delivery(notice("signer", stage), subject=subject))
    told = [*("push" for _ in pushes(sandbox)), *(message["kind"] for message in entries(sandbox, "message"))]
    assert (told, entries(sandbox, "mail")) == (sent, [])
    links = [entry["link"] for entry in pushes(sandbox)]
    assert all("/open/" in link for link in links)
