"""What a provider says reaches a history only without people and secrets."""

import time
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from activities.http.error_bodies import BLANK, LONGEST_TEXT, clip, redact

TURNING = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
SECRETS = [
    "ada.example+sign@mail.example.test",
    "margaret'o'brien@mail.example.test",
    "Bearer abcdefgh12345678",
    "Basic dGhlLWlkOnRoZS1zZWNyZXQ=",
    "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjF9.c2lnbmF0dXJl",
    "+31 6 1234 5678",
    "dQw4w9WgXcQ:APA91bHun4MxP5egoKMwt2KZFBaFUH-1RYqxQZ1234567890abcdef",
    "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWZnaGlqa2xtbm9w",
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("surroundings", ["{}", "before {} after", '"{}"', "field: ({})", "<{}>", "x={};"])
def test_secrets_are_blanked(secret: str, surroundings: str) -> None:
    redacted = redact(surroundings.format(secret))
    assert BLANK in redacted
    assert not any(part in redacted for part in secret.replace("@", " ").split() if len(part) > 8)


def test_queries_and_credentials_of_addresses_are_blanked() -> None:
    redacted = redact("see https://user:secret@host.test/dl/file.pdf?token=abc&x=1 please")
    assert redacted == "see https://[redacted]host.test/dl/file.pdf?[redacted] please"


def test_private_words_are_blanked_in_any_case_and_never_a_syllable() -> None:
    assert redact("ADA EXAMPLE may not sign", ("Ada Example", "ma")) == f"{BLANK} may not sign"


@pytest.mark.parametrize("name", ["Bo Li", "Eve", "s3cret"])
def test_private_words_are_blanked_however_short_they_are(name: str) -> None:
    assert redact(f"{name} may not sign", (name,)) == f"{BLANK} may not sign"


@pytest.mark.parametrize(
    "harmless",
    [
        "signers[0].email: Enter a valid email address.",
        "document 3f2a9c1e-8f7d-4b52-9f3e-1c2d3e4f5a6b is in status si since 2026-11-25T12:00:00Z",
        "Request was throttled. Expected available in 30 seconds.",
        "What is this?",
    ],
)
def test_harmless_words_stay(harmless: str) -> None:
    assert redact(harmless) == harmless


def test_control_and_direction_characters_become_spaces() -> None:
    assert redact("a\r\nb\x00c\u202ed\x1b[31m") == "a b c d [31m"


@given(st.text(max_size=4000))
@example("two\u2028lines, read\u200f\u202e backwards\x1b[2J\x00")
def test_it_is_one_short_line_of_valid_text(text: str) -> None:
    redacted = redact(text)
    assert len(redacted.encode()) <= LONGEST_TEXT
    assert redacted.splitlines() in ([], [redacted])
    assert not [char for char in redacted if unicodedata.category(char) in ("Cc", "Zl", "Zp", "Cs") or char in TURNING]


@given(st.text(max_size=50), st.integers(min_value=3, max_value=60))
def test_a_cut_never_divides_a_character(text: str, limit_bytes: int) -> None:
    cut = clip(text, limit_bytes)
    assert len(cut.encode()) <= limit_bytes
    valid_text = text.encode("utf-8", "replace").decode()
    assert valid_text == cut or (cut.endswith("…") and valid_text.startswith(cut[:-1]))


@pytest.mark.parametrize("unit", ["a", "a'", "a@", "?", "+1 ", "ey", "://", "bearer "])
def test_ten_times_as_much_hostile_text_costs_about_ten_times_as_much(unit: str) -> None:
    """A pattern that looks back over what it has read costs a hundred times as much."""

    def cost(size: int) -> float:
        started_at = time.process_time()
        redact(unit * (size // len(unit)))
        return time.process_time() - started_at

    assert min(cost(30_000) for _ in range(3)) < 30 * min(cost(3_000) for _ in range(3))
