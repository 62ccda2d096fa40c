"""The values in people's files: what is none although it looks like one."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from activities.files.fields import Email, FileName, Id, KindId, Name, Url, Zone


@pytest.mark.parametrize("zone", ["localtime", "Factory", "posixrules", "posix/UTC", "right/UTC"])
def test_names_that_mean_another_zone_on_every_machine_are_none(zone: str) -> None:
    with pytest.raises(ValidationError, match="is no time zone"):
        TypeAdapter(Zone).validate_python(zone)


@pytest.mark.parametrize("kind", [Name, FileName])
@pytest.mark.parametrize("unseen", ["\u200b", "\u200b \u2060", "\u3164", "\ufe0f", "\u00ad"])
def test_a_name_that_nobody_can_see_is_refused(kind: Any, unseen: str) -> None:
    with pytest.raises(ValidationError, match="has nothing but characters that cannot be seen"):
        TypeAdapter(kind).validate_python(unseen)


@pytest.mark.parametrize("name", ["a\u200db", "👩‍👩‍👧", "❤️", "नाम", "שלום"])
def test_unseen_characters_within_a_name_belong_to_it(name: str) -> None:
    assert TypeAdapter(Name).validate_python(name) == name


def test_a_kind_leaves_room_for_the_ids_of_its_requests() -> None:
    kind = "k" * 87
    assert TypeAdapter(KindId).validate_python(kind) == kind
    assert len(f"{kind}-{'0' * 12}") == 100
    with pytest.raises(ValidationError, match="must be 1-87 characters"):
        TypeAdapter(KindId).validate_python(kind + "k")


@pytest.mark.parametrize("id", [".", "..", "...", "a/b", "", "a" * 101])
def test_an_id_names_nothing_else_in_an_address_or_a_store(id: str) -> None:
    with pytest.raises(ValidationError, match="not only dots"):
        TypeAdapter(Id).validate_python(id)


@pytest.mark.parametrize(
    "host", ["hooks..example.com", ".example.com", "example.com..", ".", "a" * 64 + ".example.com"]
)
def test_a_url_names_a_host_that_can_be(host: str) -> None:
    with pytest.raises(ValidationError, match="1-63 characters between the dots"):
        TypeAdapter(Url).validate_python(f"https://{host}/hook")


@pytest.mark.parametrize(
    "host", ["a" * 63 + ".example.com", "example.com.", "[::ffff:192.0.2.1]:8443", "bücher.example"]
)
def test_hosts_that_can_be_are_taken(host: str) -> None:
    assert TypeAdapter(Url).validate_python(f"https://{host}/hook")


@pytest.mark.parametrize("email", ["mary.o'brien@example.com", "d'arcy+sign@mail.example.com"])
def test_an_apostrophe_within_belongs_to_an_address(email: str) -> None:
    assert TypeAdapter(Email).validate_python(email) == email


@pytest.mark.parametrize("email", ["'ada@example.com", "ada@example.com'", "ada@exam'ple.com", "nowhere", "a@b"])
def test_quotes_around_an_address_are_none_of_it(email: str) -> None:
    with pytest.raises(ValidationError, match="is not an e-mail address"):
        TypeAdapter(Email).validate_python(email)
