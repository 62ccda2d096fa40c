"""docs/core-signature.md is true: what it says of the code is what the code does."""

import re
from typing import Final

import pytest
from pydantic import SecretStr

from activities.core_signature.client import CoreSignatureConfig
from activities.core_signature.documents import STATUSES
from activities.core_signature.orders import LANGUAGES
from activities.http.client import Cause, ServiceFailure
from activities.http.oauth import Credentials
from activities.notifications.message import LIFETIME
from activities.notifications.phones import PER_MINUTE
from activities.notifications.push_services import LIMIT, SCOPE
from activities.temporal.failures import verdict
from deploy.sandbox.core_signature.callbacks import FIBONACCI
from starter.boot.subscriptions import EVENTS
from starter.config.settings import WebhookSettings
from starter.web.receivers.callbacks import CallbackVerdict, event_hash
from tests.markdown import ROOT, headings, table
from workflows.model.subject import Code

PAGE: Final = (ROOT / "docs" / "core-signature.md").read_text()


def list_code_words(cell: str) -> list[str]:
    """What stands between backticks."""
    return cell.split("`")[1::2]


def section(heading: str) -> str:
    """The text below a heading."""
    return next(part for part in re.split(r"^## ", PAGE, flags=re.M) if headings(f"## {part}")[:1] == [heading])


def facts(heading: str) -> list[str]:
    """The list items below a heading, each on one line, without ids."""
    return [
        " ".join(item.split()) for item in re.findall(r"^- (?:\*\*\w+\*\* )?(.*(?:\n  .*)*)", section(heading), re.M)
    ]


def test_the_statuses_are_the_code_s() -> None:
    status_by_code = {
        list_code_words(row["Code"])[0]: list_code_words(row["Here"])[0] for row in table(PAGE, "Statuses")
    }
    assert status_by_code == STATUSES


def test_the_actions_are_tried_as_told() -> None:
    config = CoreSignatureConfig("", Credentials("", "", SecretStr("")))
    paths_by_action = {row["Action"]: tuple(list_code_words(row["Candidates"])) for row in table(PAGE, "Actions")}
    assert paths_by_action == {
        "cancel": config.cancel_paths,
        "mail again": config.resend_paths,
        "forward": config.forward_paths,
    }


def test_the_languages_are_those_that_are_sent() -> None:
    [fact] = [fact for fact in facts("Signers") if "`language`" in fact]
    assert set(fact.partition("is one of ")[2].split(", ")) == LANGUAGES


def test_the_hash_is_made_as_told() -> None:
    [key, text, expected_hash] = list_code_words(section("Callbacks").partition("The test vector:")[2])[:3]
    assert event_hash(key, text[:10], text[10:]) == expected_hash


def test_repetitions_are_believed_for_as_long_as_they_come() -> None:
    [fact] = [fact for fact in facts("Callbacks") if "Fibonacci" in fact]
    assert f"{sum(FIBONACCI)} minutes" in fact
    assert f"{sum(FIBONACCI) + FIBONACCI[-1] + FIBONACCI[-2]} if" in fact
    assert f"{WebhookSettings().max_age.total_seconds() / 3600:g} h" in section("Callbacks")


def test_every_answer_of_the_receiver_is_explained() -> None:
    """Each with the reason that its counter has."""
    rows = re.findall(r"^\| (\d+) \| (`[^|]+`) \|", PAGE, re.M)
    assert {(int(status), reason) for status, cell in rows for reason in list_code_words(cell)} == {
        (verdict.status, verdict.reason) for verdict in CallbackVerdict
    }


def test_the_events_that_count_are_named() -> None:
    [fact] = [fact for fact in facts("Events") if fact.startswith("These types count")]
    assert set(EVENTS) == set(list_code_words(fact))


@pytest.mark.parametrize("row", table(PAGE, "FCM"), ids=lambda row: row["`errorCode`"])
def test_error_codes_of_fcm_are_taken_for_what_is_told(row: dict[str, str]) -> None:
    for code in list_code_words(row["`errorCode`"]):
        meaning = verdict(ServiceFailure("push", Cause.STATUS, "", status=int(row["Status"]), error_code=code))
        assert meaning.passes == row["Taken for"].startswith("later")
        assert (meaning.code is Code.UNAUTHORISED) == row["Taken for"].startswith("our credentials")
        assert meaning.at_least is None or f"not before {meaning.at_least:g} s" in row["Taken for"]


@pytest.mark.parametrize(
    "figure", [f"{LIMIT} bytes", f"{LIFETIME.days} days", f"{PER_MINUTE} messages a minute", SCOPE]
)
def test_figures_of_fcm_are_those_of_the_code(figure: str) -> None:
    assert figure in section("FCM")
