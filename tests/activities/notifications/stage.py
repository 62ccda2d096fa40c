"""What the stories of notices are played with: a request, its people, and the sandbox's phones."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr

import workflows.follow_up.notifier as deliveries
from activities.notifications.cloud_messaging import CloudMessaging, CloudMessagingConfig
from activities.notifications.config import open_messaging
from activities.records.devices import device_hash
from deploy.sandbox.push.phones import DeviceState
from deploy.sandbox.server import RunningSandbox
from deploy.sandbox.state.faults import ArmedFault
from deploy.sandbox.state.records import SandboxDevice
from workflows.follow_up.notification_log import PendingDevice, left_open
from workflows.model.notifications import (
    Delivery,
    DeliveryReport,
    DeliveryResult,
    NoticeAction,
    NotificationOrder,
    NotificationOutcome,
)
from workflows.model.signature import Document, SignatureBrief
from workflows.model.subject import Participant, Role
from workflows.names import notice_key

SEND = "*/messages:send"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
EXECUTIVES = [f"chief-executive~{n}" for n in (1, 2, 3)]
PEOPLE = """
people:
  - id: chief-executive
    name: Chief Executive
    email: ceo@example.test
    zone: Europe/Amsterdam
    groups: [directors]
    devices:
      - {token: chief-executive~1, platform: android}
      - {token: chief-executive~2, platform: ios}
      - {token: chief-executive~3, platform: web}
  - id: finance-chief
    name: Finance Chief
    email: cfo@example.test
    zone: America/New_York
    groups: [directors]
    devices: [{token: finance-chief~1, platform: android}]
  - {id: customer-signer, name: Customer Participant, email: customer@acme.test, zone: UTC}
  - {id: archive, name: Archive, email: archive@example.test, zone: UTC, groups: [phoneless]}
  - id: legal-desk
    name: Legal Desk
    email: legal@example.test
    zone: UTC
    devices: [{token: legal-desk~1, platform: web}]
"""


def brief(*signers: str, sha256: str | None = None) -> SignatureBrief:
    """A contract for these signers in parallel, asked for by the legal desk."""
    return SignatureBrief(
        id="msa-0042",
        kind="customer-contract",
        title="Master services agreement",
        document=Document(sha256=sha256),
        requester="legal-desk",
        people=tuple(Participant(person=person, order=1, role=Role.SIGN) for person in signers or ("chief-executive",)),
    )


def notice(
    person: str, stage: str = "ready", action: NoticeAction = NoticeAction.SIGN, about_person: str | None = None
) -> NotificationOrder:
    """One notice of a stage."""
    return NotificationOrder(
        key=notice_key("msa-0042", stage, person), stage=stage, person=person, action=action, about=about_person
    )


def delivery(*notices: NotificationOrder, **overrides: Any) -> Delivery:
    """These notices about a contract that all of their recipients sign."""
    signers = [order.person for order in notices if order.action is not NoticeAction.OPEN]
    return Delivery(**{"subject": brief(*signers), "notices": notices, **overrides})


def arm(sandbox: RunningSandbox, **fault: Any) -> None:
    """Arm one fault against the push service."""
    sandbox.state.faults.arm(ArmedFault.model_validate({"path": SEND, "method": "POST", **fault}))


def mark(sandbox: RunningSandbox, token: str, state: str) -> None:
    """Say what the push service thinks of a device."""
    sandbox.state.database.devices.save(SandboxDevice(uuid=token, state=DeviceState(state)))


def entries(sandbox: RunningSandbox, kind: str) -> list[dict[str, Any]]:
    """The ledger's entries of one type."""
    return [entry for entry in sandbox.state.ledger.list_entries_after(0) if entry["type"] == kind]


def sends(sandbox: RunningSandbox) -> list[dict[str, Any]]:
    """Every call of the push service's send method, whatever became of it."""
    return [entry for entry in entries(sandbox, "request") if entry["path"].endswith("/messages:send")]


def pushes(sandbox: RunningSandbox) -> list[dict[str, Any]]:
    """The messages that reached a device."""
    return entries(sandbox, "push")


def hashes(*tokens: str) -> tuple[str, ...]:
    """The short names of devices."""
    return tuple(device_hash(token) for token in tokens)


def make_next_delivery(first_delivery: Delivery, report: DeliveryReport) -> Delivery:
    """What the workflow sends once more after this report."""
    pending_devices = [PendingDevice(notice=order, at=LONG_AGO) for order in first_delivery.notices]
    return deliveries.narrow_to_retries(first_delivery, tuple(left_open(pending_devices, report, LONG_AGO)))


def only(report: DeliveryReport) -> DeliveryResult:
    """The one line of a report."""
    (line,) = report.delivered
    return line


def outcomes(line: DeliveryResult) -> dict[str, NotificationOutcome]:
    """What became of each device."""
    return {result.device: result.outcome for result in line.devices}


@asynccontextmanager
async def messaging(sandbox: RunningSandbox, password: str | None = None) -> AsyncIterator[CloudMessaging]:
    """Cloud messaging at the sandbox."""
    settings = sandbox.state.settings
    secret = SecretStr(password or settings.mra_password)
    opened = open_messaging(CloudMessagingConfig(sandbox.url, settings.mra_user, secret))
    assert opened is not None
    async with aclosing(opened):
        yield opened
