"""Ten thousand titles, a share in each language: no service ever gets more bytes than it takes, whatever the name."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Final

import pytest
from pydantic import SecretStr

from activities.keys import KeyRing
from activities.notifications import push_services as appworks
from activities.notifications import push_services as fcm
from activities.notifications.links import SigningLinks
from activities.notifications.message import NotificationMessage, compose, wire_size
from activities.people.language import LANGUAGES
from deploy.sandbox.push.api import payload_bytes
from tests.activities.notifications.stage import brief, delivery, notice
from tests.activities.reading import reading

TITLES: Final = 10_000
LONGEST: Final = 1_000
ALPHABETS: Final = (
    "abcdefghijklmnopqrstuvwxyz ÄÖÜßéèñçõ",
    "اتفاقيةالخدماتالرئيسية ",
    "הסכםשירותיםכללי ",
    "主服務協議契約書",
    ("👨‍👩‍👧‍👦", "🖋️", "🇳🇱", "👍🏽", "e\u0301", "\u202e", " "),
    '"\\/<>&{}\t\u2028\x7f\x01',
)


@cache
def titles() -> tuple[str, ...]:
    """Random names of all lengths, each of one script or of several."""
    chance = random.Random(4096)  # noqa: S311
    return tuple(_title(chance) for _ in range(TITLES))


def _title(chance: random.Random) -> str:
    scripts = chance.sample(ALPHABETS, chance.randint(1, 3))
    length = int(LONGEST * chance.random() ** 3)
    return "".join(chance.choices([letter for script in scripts for letter in script], k=length))


def longest_notice(language: str) -> NotificationMessage:
    """The notice with the most words around the name."""
    order = notice("legal-desk", "escalation")
    escalation_delivery = delivery(
        order, subject=brief().replace(urgent=True), due_at=datetime(2026, 12, 11, 17, tzinfo=UTC)
    )
    return compose(
        escalation_delivery,
        order,
        reading(language),
        SigningLinks("https://sign.example", KeyRing([SecretStr("s" * 32)])),
    )


def through_fcm(message: NotificationMessage) -> int:
    sent = fcm.fcm_body("chief-executive~1", message)["message"]
    return max(payload_bytes(sent), wire_size(sent))


def through_appworks(message: NotificationMessage) -> int:
    return wire_size(appworks.appworks_body("chief-executive", message, "countersign", 1_796_000_000))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("size", "limit"), [(through_fcm, fcm.LIMIT), (through_appworks, appworks.LIMIT)])
def test_every_title_fits(language: str, size: Callable[[NotificationMessage], int], limit: int) -> None:
    message = longest_notice(language)
    share = titles()[LANGUAGES.index(language) :: len(LANGUAGES)]
    sizes = [size(replace(message, document=title)) for title in share]
    assert max(sizes) <= limit
    # Else no title was so long that it had to be cut.
    assert max(sizes) > limit - 40
