"""Tokens of a Google service account: an assertion signed with its key, exchanged once for many messages."""

import json
from pathlib import Path
from urllib.parse import parse_qs

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from joserfc import jwt
from joserfc.jwk import RSAKey

from activities.notifications.config import FcmConfig, open_dialect
from activities.notifications.push_services import SCOPE, BadServiceAccount, MessageFate, ServiceAccount
from tests.activities.notifications.test_appworks import message

KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
ACCOUNT = {
    "type": "service_account",
    "client_email": "push@project.example",
    "private_key": PEM,
    "private_key_id": "k1",
    "token_uri": "https://accounts.example/token",
}


def account_file(tmp_path: Path, **changes: object) -> Path:
    file = tmp_path / "account.json"
    file.write_text(json.dumps({**ACCOUNT, **changes}))
    return file


async def test_the_assertion_is_signed_by_the_key_and_the_token_serves_many_messages(tmp_path: Path) -> None:
    token_forms: list[dict[str, list[str]]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "accounts.example":
            token_forms.append(parse_qs(request.content.decode()))
            return httpx.Response(200, json={"access_token": "t", "expires_in": 3600})
        accepted = request.headers["authorization"] == "Bearer t"
        return httpx.Response(200 if accepted else 401, json={"name": "projects/p/messages/1"})

    config = FcmConfig("https://push.example", "p", ServiceAccount.read(account_file(tmp_path)))
    dialect = open_dialect(config, transport=httpx.MockTransport(answer))
    assert dialect is not None
    assert [(await dialect.send("d~1", message())).fate for _ in range(3)] == [MessageFate.ACCEPTED] * 3
    (form,) = token_forms
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    token = jwt.decode(form["assertion"][0], RSAKey.import_key(PUBLIC), algorithms=["RS256"])
    assert token.header["kid"] == "k1"
    claims = {name: token.claims[name] for name in ("iss", "aud", "scope")}
    assert claims == {"iss": "push@project.example", "aud": "https://accounts.example/token", "scope": SCOPE}


async def test_a_refused_assertion_is_unauthorised_and_a_page_of_html_is_worth_a_retry(tmp_path: Path) -> None:
    answers = iter(
        [httpx.Response(400, json={"error": "invalid_grant"}), httpx.Response(200, html="<title>hello</title>")]
    )
    config = FcmConfig("https://push.example", "p", ServiceAccount.read(account_file(tmp_path)))
    dialect = open_dialect(config, transport=httpx.MockTransport(lambda _: next(answers)))
    assert dialect is not None
    assert (await dialect.send("d~1", message())).fate is MessageFate.UNAUTHORISED
    assert (await dialect.send("d~1", message())).fate is MessageFate.LATER


@pytest.mark.parametrize(
    "changes",
    [
        {"client_email": ""},
        {"private_key": None},
        {"private_key": PEM[:200]},
        {"private_key": "-----BEGIN PRIVATE KEY-----"},
        {"token_uri": "http://x.example"},
    ],
)
def test_a_useless_file_is_named_without_its_content(tmp_path: Path, changes: dict[str, object]) -> None:
    (field,) = changes
    with pytest.raises(BadServiceAccount, match=field) as refused:
        ServiceAccount.read(account_file(tmp_path, **changes))
    assert "PRIVATE KEY" not in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadServiceAccount, match=r"none\.json: No such file"):
        ServiceAccount.read(tmp_path / "none.json")
