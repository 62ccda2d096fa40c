"""An employee without an app, who subscribed at the desk once, is asked and replaced by web push, in real processes."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from activities.people.subscriptions import SubscriptionScope, WebSubscriptions
from activities.records.devices import WebSubscription
from tests.faults.population import PATIENT, PHONELESS
from tests.faults.town import Town, eventually, start_town
from workflows.model.notifications import Channel, NotificationOutcome

pytestmark = [pytest.mark.real_server]
BROWSER = f"{PHONELESS}~browser1"
ESCALATES = {**PATIENT, "escalation": {"after": "7d", "or": None, "action": "reassign", "to": ["manager"]}}


@pytest.mark.long
async def test_somebody_without_an_app_is_asked_by_web_push_and_told_when_another_is_asked_instead(
    tmp_path: Path,
) -> None:
    async with start_town(tmp_path / "data") as town:
        await subscribe_at_the_desk(town)
        await town.ask("browser", PHONELESS, policy=ESCALATES)
        view = await town.until_shown("browser", lambda view: view.notifications)
        [line] = [line for line in view.notifications if line.stage == "ready"]
        assert (line.channel, line.outcome, len(line.devices)) == (Channel.PUSH, NotificationOutcome.ACCEPTED, 1)
        [asked] = await town.vendor.ledger("push", token=BROWSER)
        assert (asked["action"], asked["data"]["urgency"], asked["data"]["silent"]) == ("ready", "high", "false")
        assert await town.vendor.ledger("mail", kind="sign") == [], "Core Signature does not mail first"

        await town.forward("browser", timedelta(days=20))
        await town.until_shown("browser", lambda view: view.escalations)

        async def told() -> bool:
            return bool((await town.vendor.ledger("push", token=BROWSER))[-1]["action"] == "reassigned")

        await eventually(told)
        last = (await town.vendor.ledger("push", token=BROWSER))[-1]
        assert last["key"] == asked["key"], "it stands in the place of the first"
        assert await town.vendor.ledger("violation") == []


async def subscribe_at_the_desk(town: Town) -> None:
    code, output = await town.command("init")
    assert (code, "key of web push" in output) == (0, True), output
    store = town.context.store
    [key] = await store.web_push_keys.read()
    wish = {"person": PHONELESS, "vapid_key": key.public}
    async with httpx.AsyncClient(base_url=town.vendor.url, trust_env=False) as client:
        answer = (await client.post("/_sandbox/browsers", json=wish)).json()
    subscription = WebSubscription(*(answer[name] for name in WebSubscription._fields))
    await WebSubscriptions(store).subscribe(SubscriptionScope(PHONELESS), subscription, datetime.now(UTC))
