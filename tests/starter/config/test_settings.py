"""Settings: what is wrong is said at once, by name, without a value; the laptop stack is found; secrets stay secret."""

import ast
import base64
import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

import workflows.follow_up.options as options
from starter.config.settings import MOST_LIST_LAG, Need, Settings, SettingsError, choose_stack, load
from starter.config.values import Bind
from tests.settings_table import table

ROOT = Path(__file__).parents[3]
KEY = base64.b64encode(bytes(range(32))).decode()
WHSEC = "whsec_" + base64.b64encode(bytes(range(24))).decode()


def make_environment(**variables: str) -> dict[str, str]:
    """An environment of our variables, and a server of its own so that no laptop stack is looked for."""
    return {"TEMPORAL_ADDRESS": "127.0.0.1:7233", **{f"COUNTERSIGN_{name}": text for name, text in variables.items()}}


def faults(*needs: Need, environment: Mapping[str, str]) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as refused:
        load(*needs, environment=environment)
    return refused.value.faults


def test_nothing_needs_to_be_set_until_a_process_needs_it() -> None:
    settings = load(environment=make_environment())
    assert settings.signature.max_rps == 5
    assert settings.webhook.bind == Bind("127.0.0.1", 8080)
    assert settings.policies == ROOT / "starter" / "policies.yaml"


@pytest.mark.parametrize(
    ("need", "environment", "names"),
    [
        (Need.SIGNATURE, {}, "SIGNATURE_URL SIGNATURE_TOKEN_URL SIGNATURE_CLIENT_ID SIGNATURE_CLIENT_SECRET"),
        (
            Need.SIGNATURE,
            {"SIGNATURE_GRANT": "password", "SIGNATURE_URL": "https://sign.example"},
            "SIGNATURE_TOKEN_URL SIGNATURE_CLIENT_ID SIGNATURE_CLIENT_SECRET SIGNATURE_USERNAME SIGNATURE_PASSWORD",
        ),
        (Need.PUSH, {}, "PUSH_URL PUSH_PROJECT PUSH_TOKEN_URL PUSH_CLIENT_ID PUSH_CLIENT_SECRET"),
        (Need.PUSH, {"PUSH_DIALECT": "appworks"}, "PUSH_URL PUSH_APP PUSH_APP_KEY"),
        (Need.PUSH, {"PUSH_AUTH": "google_service_account"}, "PUSH_URL PUSH_PROJECT PUSH_CREDENTIALS_FILE"),
        (Need.MESSAGING, {"MRA_URL": "https://api.example"}, "MRA_USER MRA_PASSWORD"),
        (Need.MESSAGING, {"MRA_PASSWORD": "secret"}, "MRA_URL MRA_USER"),
        (Need.CALLBACKS, {}, "WEBHOOK_URL WEBHOOK_SEGMENT"),
        (Need.RECEIVER, {}, "WEBHOOK_SEGMENT WEBHOOK_SECRETS"),
        (Need.RECEIVER, {"WEBHOOK_SECRETS": ","}, "WEBHOOK_SEGMENT WEBHOOK_SECRETS"),
        (Need.RECEIVER, {"WEBHOOK_MODE": "none"}, "WEBHOOK_SEGMENT"),
        (Need.LINKS, {}, "LINK_BASE LINK_SECRET"),
        (Need.PEOPLE, {}, "PEOPLE"),
    ],
)
def test_a_need_names_all_that_is_missing(need: Need, environment: dict[str, str], names: str) -> None:
    expected = [f"COUNTERSIGN_{name}" for name in names.split()]
    assert [fault.split(":")[0] for fault in faults(need, environment=make_environment(**environment))] == expected
    with pytest.raises(SettingsError) as refused:
        load(environment=make_environment(**environment)).require(need)
    assert [fault.split(":")[0] for fault in refused.value.faults] == expected


@pytest.mark.parametrize(
    ("need", "environment"),
    [
        (Need.PUSH, {"PUSH_DIALECT": "off"}),
        (Need.MESSAGING, {}),
        (Need.MESSAGING, {"MRA_URL": "https://api.example", "MRA_USER": "us", "MRA_PASSWORD": "secret"}),
        (Need.CALLBACKS, {"SIGNATURE_CALLBACK_STYLE": "subscription"}),
        (Need.LINKS, {"LINK_BASE": "https://sign.example", "LINK_SECRET": "s" * 32}),
        (Need.LINKS, {"LINK_BASE": "https://sign.example", "LINK_SECRETS": f"{'s' * 32}, {'t' * 32}"}),
    ],
)
def test_a_need_that_is_met_says_nothing(need: Need, environment: dict[str, str]) -> None:
    load(need, environment=make_environment(**environment)).require(need)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("SIGNATURE_URL", "http://canary.example", "must begin with https:// (http:// is for loopback only)"),
        ("SIGNATURE_URL", "https://canary.example/api/v1/", "must be the host alone; /api/v1 is appended"),
        ("SIGNATURE_TOKEN_URL", "canary", "must be an address like https://host or https://host:port"),
        ("SIGNATURE_TOKEN_URL", "https://me:canary@h", "must be an address without user, query or fragment"),
        ("PUSH_URL", "https://h:canary", "must be an address like https://host or https://host:port"),
        ("SIGNATURE_DIALECT", "canary", "must be 'core' or 'signrequest'"),
        ("SIGNATURE_MAX_RPS", "canary", "must be a number"),
        ("SIGNATURE_MAX_RPS", "0", "must be greater than 0"),
        ("NOTICES_MOST", "-1", "must be greater than or equal to 0"),
        ("NOTICES_MOST", "1001", "must be less than or equal to 1000"),
        ("NOTICES_PER", "60s", "must be a duration like 30m, 1h or 1d"),
        ("SIGNATURE_PAGE_SIZE", "canary", "must be a whole number"),
        ("SIGNATURE_PAGE_SIZE", "1.5", "must be a whole number"),
        ("SIGNATURE_LIST_LAG", "10 canaries", "must be a duration like 10s, 5m, 24h or 7d"),
        ("WEBHOOK_SILENT_AFTER", "canary", "must be a duration like 10s, 5m, 24h or 7d, or off"),
        ("SIGNATURE_LIST_LAG", "21s", "must be at most 20s: the time-outs leave no room for more"),
        ("PUSH_SEND_PATH", "canary", "must begin with /"),
        ("WEBHOOK_BIND", "canary", "must be host:port, for example 0.0.0.0:8080"),
        ("WEBHOOK_PROXIES", "canary", "must be a comma-separated list of IP addresses or networks like 10.0.0.0/8"),
        ("WEBHOOK_PROXIES", "*", "must be a comma-separated list of IP addresses or networks like 10.0.0.0/8"),
        ("WEBHOOK_BIND", "canary:70000", "must be host:port, for example 0.0.0.0:8080"),
        (
            "WEBHOOK_SEGMENT",
            "canary",
            "must be 22 to 128 letters, digits, '-' or '_' (at least 128 random bits)",
        ),
        ("LINK_SECRET", "canary", "must be at least 32 bytes long, from a random source"),
        ("LINK_SECRETS", f"{'s' * 32},canary", "must be at least 32 bytes long, from a random source"),
        ("LINK_SECRETS", f"{'s' * 32},{'s' * 32}", "must be at most 8 different secrets, comma-separated"),
        (
            "LINK_SECRETS",
            ",".join(f"{number:032}" for number in range(80)),
            "must be at most 8 different secrets, comma-separated",
        ),
        ("PERSON_ID_SECRET", "canary", "must be at least 32 bytes long, from a random source"),
        ("HANDOFF_SECRETS", "canary", "must be a comma-separated list of name=value pairs"),
        (
            "HANDOFF_SECRETS",
            f"erp={WHSEC},crm=whsec_canary",
            "must be target=whsec_… pairs, each secret the base64 of 24 to 64 random bytes",
        ),
        ("HOOK_SECRETS", "canary", "must be a comma-separated list of name=value pairs"),
        *(
            ("HOOK_SECRETS", value, "must name each source with at most 20 of a-z, 0-9 and '_'")
            for value in (f"Crm={WHSEC}", f"a-b={WHSEC}", f"../crm={WHSEC}", f"{'c' * 200}={WHSEC}")
        ),
        *(
            (
                "HOOK_SECRETS",
                value,
                "must be source=secret pairs, each whsec_… (24 to 64 random bytes) or at least 16 characters",
            )
            for value in ("crm=canary", f"crm={WHSEC},crm=whsec_canary-canary-canary")
        ),
        (
            "HANDOFF_HOSTS",
            "https://canary.example",
            "must be a comma-separated list of host or host:port, without https://",
        ),
        (
            "PAYLOAD_KEYS",
            "k1=canary",
            "must be id=key pairs, each key the base64 of 32 random bytes, the encrypting one first",
        ),
        ("PAYLOAD_KEYS", f"k1={KEY},k1={KEY}", "must name each key id once"),
    ],
)
def test_a_wrong_value_is_one_line_that_says_what_is_right(name: str, value: str, message: str) -> None:
    assert faults(environment=make_environment(**{name: value})) == (f"COUNTERSIGN_{name}: {message}",)


def test_right_values_are_read_with_their_types() -> None:
    settings = load(
        environment=make_environment(
            SIGNATURE_URL="http://127.0.0.1:8000/",
            SIGNATURE_LIST_LAG="20s",
            SIGNATURE_CANCEL_PATHS="cancel , cancel_request,",
            WEBHOOK_BIND="[::1]:0",
            WEBHOOK_PROXIES="10.0.0.0/8, ::1",
            HANDOFF_SECRETS=f"erp={WHSEC},erp={WHSEC}",
            HOOK_SECRETS=f"crm={WHSEC}, crm = 0123456789abcdef=,erp={WHSEC}",
            HANDOFF_HOSTS="ERP.example,10.0.0.1:8443,[::1]:80",
            PAYLOAD_KEYS=f"k2={KEY},k1={KEY.rstrip('=')}",
        )
    )
    assert settings.signature.url == "http://127.0.0.1:8000"
    assert settings.signature.list_lag == timedelta(seconds=20)
    assert settings.signature.cancel_paths == ("cancel", "cancel_request")
    assert settings.webhook.bind == Bind("::1", 0)
    assert settings.webhook.proxies == ("10.0.0.0/8", "::1/128")
    assert [secret.get_secret_value() for secret in settings.handoff.secrets["erp"]] == [WHSEC, WHSEC]
    assert [secret.get_secret_value() for secret in settings.hook.secrets["crm"]] == [WHSEC, "0123456789abcdef="]
    assert settings.handoff.hosts == ("erp.example", "10.0.0.1:8443", "[::1]:80")
    assert [key.id for key in settings.payload_keys] == ["k2", "k1"]
    assert settings.payload_keys[1].key.get_secret_value() == bytes(range(32))


def test_empty_is_unset() -> None:
    assert load(environment=make_environment(SIGNATURE_URL="", SIGNATURE_MAX_RPS=" ")) == load(
        environment=make_environment()
    )


def test_all_faults_are_said_at_once(tmp_path: Path) -> None:
    environment = make_environment(
        SIGNATUR_URL="x", SIGNATURE_PAGE_SIZE="many", PUSH_APP_KEY_FILE=str(tmp_path / "none"), LINK_SECRET="short"
    )
    assert [
        fault.split(":")[0].removeprefix("COUNTERSIGN_") for fault in faults(Need.LINKS, environment=environment)
    ] == [
        "PUSH_APP_KEY_FILE",
        "SIGNATUR_URL",
        "SIGNATURE_PAGE_SIZE",
        "LINK_SECRET",
        "LINK_BASE",
    ]


def test_an_unknown_name_is_refused_with_the_likely_one() -> None:
    assert faults(environment=make_environment(SIGNATURE_TOKENURL="https://x.example")) == (
        "COUNTERSIGN_SIGNATURE_TOKENURL: no such setting; did you mean COUNTERSIGN_SIGNATURE_TOKEN_URL?",
    )
    assert faults(environment=make_environment(AROUND="x")) == ("COUNTERSIGN_AROUND: no such setting",)


def test_every_secret_is_read_from_a_file_too(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("  the-secret\n")
    secrets = [line.name.removeprefix("COUNTERSIGN_") for line in table() if line.secret]
    assert len(secrets) >= 10
    for name in secrets:
        messages = faults(environment=make_environment(**{f"{name}_FILE": str(file), name: "x"}))
        assert f"COUNTERSIGN_{name}_FILE: set either this or COUNTERSIGN_{name}, not both" in messages
    settings = load(environment=make_environment(SIGNATURE_CLIENT_SECRET_FILE=str(file)))
    assert settings.signature.client_secret.get_secret_value() == "the-secret"


def test_only_secrets_are_read_from_files(tmp_path: Path) -> None:
    assert faults(environment=make_environment(SIGNATURE_URL_FILE=str(tmp_path))) == (
        "COUNTERSIGN_SIGNATURE_URL_FILE: no such setting; did you mean COUNTERSIGN_SIGNATURE_URL?",
    )


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe"])
def test_a_secret_file_must_have_a_text(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    assert faults(
        Need.LINKS, environment=make_environment(LINK_SECRET_FILE=str(file), LINK_BASE="https://x.example")
    ) == ("COUNTERSIGN_LINK_SECRET_FILE: must name a readable text file that is not empty",)


def test_secrets_are_in_no_text_of_the_settings() -> None:
    canary = "canary-" * 6
    names = {line.name.removeprefix("COUNTERSIGN_") for line in table() if line.secret}
    pairs = {"HANDOFF_SECRETS": f"erp={WHSEC}", "HOOK_SECRETS": f"crm={canary}", "PAYLOAD_KEYS": f"k={KEY}"}
    environment = make_environment(**{name: pairs.get(name, canary.strip("-")) for name in names - {"LINK_SECRET"}}) | {
        "TEMPORAL_API_KEY": canary,
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization={canary}",
    }
    settings = load(environment=environment)
    text = f"{settings!r} {settings} {settings.surroundings}"
    assert "canary" not in text
    assert WHSEC not in text
    assert KEY not in text
    assert repr(bytes(range(32)))[2:-1] not in text


# --- the laptop stack --------------------------------------------------------------------------------------------


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    stack = {
        "temporal": "127.0.0.1:40001",
        "web_ui": "http://127.0.0.1:40002/",
        "sandbox": "http://127.0.0.1:40003",
        "receiver": "http://127.0.0.1:40004",
        "env": {
            "TEMPORAL_ADDRESS": "127.0.0.1:40001",
            "COUNTERSIGN_SIGNATURE_URL": "http://127.0.0.1:40003",
            "COUNTERSIGN_LINK_SECRET": "d" * 32,
        },
    }
    (tmp_path / "dev.json").write_text(json.dumps(stack))
    return tmp_path


def test_the_laptop_stack_is_the_default(data_dir: Path) -> None:
    settings = load(environment={"COUNTERSIGN_DATA_DIR": str(data_dir)})
    assert settings.surroundings.dev is not None
    assert settings.surroundings.temporal["TEMPORAL_ADDRESS"] == "127.0.0.1:40001"
    assert settings.signature.url == "http://127.0.0.1:40003"


def test_a_folder_below_the_projects_finds_its_stack(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = data_dir / ".countersign"
    usual.mkdir()
    (data_dir / "dev.json").rename(usual / "dev.json")
    deep = data_dir / "docs" / "contracts"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    assert load(environment={}).signature.url == "http://127.0.0.1:40003"


def test_a_note_that_somebody_else_left_above_is_not_followed(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = data_dir / ".countersign"
    usual.mkdir()
    (data_dir / "dev.json").rename(usual / "dev.json")
    monkeypatch.chdir(data_dir)
    monkeypatch.setattr("os.getuid", lambda: usual.stat().st_uid + 1)
    assert load(environment={}).surroundings.dev is None


def test_the_process_environment_wins_over_the_laptop_stack(data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("p" * 32)
    settings = load(
        environment={
            "COUNTERSIGN_DATA_DIR": str(data_dir),
            "COUNTERSIGN_SIGNATURE_URL": "https://sign.example",
            "COUNTERSIGN_LINK_SECRET_FILE": str(tmp_path / "secret"),
        }
    )
    assert settings.signature.url == "https://sign.example"
    assert settings.link_secret.get_secret_value() == "p" * 32


@pytest.mark.parametrize("name", ["TEMPORAL_ADDRESS", "TEMPORAL_PROFILE", "TEMPORAL_CONFIG_FILE"])
def test_another_server_leaves_the_laptop_stack_alone(data_dir: Path, name: str) -> None:
    settings = load(environment={"COUNTERSIGN_DATA_DIR": str(data_dir), name: "prod"})
    assert settings.surroundings.dev is None
    assert settings.signature.url == ""


@pytest.mark.parametrize("name", ["TEMPORAL_ADDRESS", "TEMPORAL_PROFILE", "TEMPORAL_CONFIG_FILE"])
def test_a_stack_that_is_left_alone_is_named_where_settings_are_missing(data_dir: Path, name: str) -> None:
    environment = {"COUNTERSIGN_DATA_DIR": str(data_dir), name: "prod"}
    with pytest.raises(SettingsError) as refused:
        load(Need.SIGNATURE, environment=environment)
    message = (
        f"{name} is set, so the stack of {data_dir} is not meant: unset it, or type `countersign --dev {data_dir} …`"
    )
    assert str(refused.value).splitlines()[-1] == load(environment=environment).surroundings.passed_over == message


def test_a_stack_that_is_named_on_the_command_line_wins_over_the_environment(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = {
        "TEMPORAL_ADDRESS": "prod:7233",
        "TEMPORAL_NAMESPACE": "prod",
        "TEMPORAL_API_KEY": "k",
        "COUNTERSIGN_SIGNATURE_URL": "https://sign.example",
        "COUNTERSIGN_LINK_SECRET_FILE": "secret",
    }
    for name, text in elsewhere.items():
        monkeypatch.setenv(name, text)
    monkeypatch.setenv("COUNTERSIGN_ACTOR", "chair")
    monkeypatch.setenv("TEMPORAL_WORKER_BUILD_ID", "7")
    monkeypatch.setenv("COUNTERSIGN_DATA_DIR", "elsewhere")
    choose_stack(data_dir)
    settings = load()
    assert settings.surroundings.temporal == {"TEMPORAL_ADDRESS": "127.0.0.1:40001", "TEMPORAL_WORKER_BUILD_ID": "7"}
    assert settings.signature.url == "http://127.0.0.1:40003"
    assert settings.link_secret.get_secret_value() == "d" * 32
    assert settings.actor == "chair"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"env": []}', '{"env": {}, "temporal": "x"}'])
def test_a_broken_note_of_the_laptop_stack_is_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "dev.json").write_text(content)
    (message,) = faults(environment={"COUNTERSIGN_DATA_DIR": str(tmp_path)})
    assert message == f"{tmp_path / 'dev.json'}: cannot be read; delete it, or start `countersign dev` again"


def test_the_store_is_below_the_data_folder_unless_set(tmp_path: Path) -> None:
    assert load(environment=make_environment(DATA_DIR=str(tmp_path))).store_url == (tmp_path / "store").as_uri()
    assert load(environment=make_environment(STORE="s3://bucket/x")).store_url == "s3://bucket/x"


def test_the_build_of_a_worker_is_read() -> None:
    settings = load(
        environment=make_environment() | {"TEMPORAL_WORKER_BUILD_ID": "1.2.3", "TEMPORAL_DEPLOYMENT_NAME": "blue"}
    )
    assert (settings.build_id, settings.deployment_name) == ("1.2.3", "blue")
    assert (load(environment=make_environment()).build_id, load(environment=make_environment()).deployment_name) == (
        None,
        "countersign",
    )


# --- the contract ------------------------------------------------------------------------------------------------

SIGNATURE = (
    "URL TOKEN_URL TOKEN_AUTH GRANT CLIENT_ID CLIENT_SECRET SCOPE SUBSCRIPTION FROM_EMAIL DIALECT SIGNER_NAME_STYLE "
    "LIST_LAG CALLBACK_STYLE CANCEL_PATHS RESEND_PATHS FORWARD_PATHS MAX_RPS MAX_UPLOAD_MB PAGE_SIZE "
    "STATUS_MAILS FROM RELAY"
)
PUSH = "DIALECT URL SEND_PATH PROJECT AUTH TOKEN_URL CLIENT_ID CLIENT_SECRET CREDENTIALS_FILE APP APP_KEY WEB_HOSTS"
OTHERS = (
    "MRA_URL MRA_USER MRA_PASSWORD WEBHOOK_URL WEBHOOK_BIND WEBHOOK_SECRETS WEBHOOK_MODE WEBHOOK_MAX_AGE "
    "WEBHOOK_SILENT_AFTER WEBHOOK_SEGMENT HANDOFF_SECRETS HANDOFF_HOSTS PEOPLE POLICIES LINK_BASE LINK_SECRET "
    "LINK_SECRETS PERSON_ID_SECRET "
    "DATA_DIR DATABASE STORE DEVICES_KEYS ONCALL PAYLOAD_KEYS ADOPT ACTOR HOOK_SECRETS HOOK_MAPPINGS COMPANY "
    "COMPANY_LOGO CONTACT OPERATORS PREVIEW ADOPT_KIND ADOPT_REQUESTER ADOPT_RULES "
    "NOTICES_MOST NOTICES_PER EVIDENCE_KEY_FILE "
    "HEALTH_BIND CODEC CODEC_ORIGIN CODEC_TOKEN OIDC_ISSUER OIDC_AUDIENCE OIDC_CLAIM OIDC_CLIENT_ID "
    "OIDC_CLIENT_SECRET SIGN_IN"
    " ACTORS LINK_DAYS HANDOFF_ARCHIVES SIGNATURE_DOWNLOAD_HOSTS SIGNATURE_MAX_DOWNLOAD_MB"
)


def test_the_secrets_of_links_are_one_or_a_list_of_which_the_first_writes() -> None:
    one, two = "s" * 32, "t" * 32
    assert load(environment=make_environment(LINK_SECRET=one)).secrets_of_links == (SecretStr(one),)
    listed = load(environment=make_environment(LINK_SECRETS=f" {one}, {two},"))
    assert listed.secrets_of_links == (SecretStr(one), SecretStr(two))
    assert listed.secret_of_ids == SecretStr(one)
    both = make_environment(LINK_SECRET=one, LINK_SECRETS=two, LINK_BASE="https://a.b")
    message = "COUNTERSIGN_LINK_SECRETS: is set beside COUNTERSIGN_LINK_SECRET: move that secret into the list"
    assert faults(Need.LINKS, environment=both) == (message,)


def test_a_company_has_a_name_that_fits_into_a_notice() -> None:
    assert load(environment=make_environment(COMPANY=" Aster Works ")).company == "Aster Works"
    for name in ("x" * 61, "Aster\nWorks", "Aster \u202eWorks"):
        message = "COUNTERSIGN_COMPANY: must be at most 60 characters that can be seen"
        assert faults(environment=make_environment(COMPANY=name)) == (message,)


def test_every_name_of_the_contract_is_known_and_described() -> None:
    """Other programs rely on these names: one may be added, none taken away."""
    contract = {f"SIGNATURE_{name}" for name in SIGNATURE.split()} | {f"PUSH_{name}" for name in PUSH.split()}
    contract |= set(OTHERS.split())
    line_by_name = {line.name.removeprefix("COUNTERSIGN_"): line for line in table()}
    assert contract <= set(line_by_name)
    assert set(line_by_name) - contract == {
        *("SIGNATURE_USERNAME", "SIGNATURE_PASSWORD", "WEBHOOK_PROXIES", "WEB_UI", "LOG_LEVEL", "NEXUS_ENDPOINT")
    }
    assert all(line.sentence for line in line_by_name.values())


def test_documents_are_adopted_only_where_it_is_said_as_what_and_of_whom() -> None:
    assert load(Need.ADOPTION, environment=make_environment()).adopt == "off"
    assert faults(Need.ADOPTION, environment=make_environment(ADOPT="on")) == (
        "COUNTERSIGN_ADOPT_KIND: is missing (Kind of those that fit none of the rules)",
        "COUNTERSIGN_ADOPT_REQUESTER: is missing (Their requester, if the people file does not have the sender)",
    )
    settings = load(
        Need.ADOPTION, environment=make_environment(ADOPT="on", ADOPT_KIND="lease", ADOPT_REQUESTER="legal-desk")
    )
    assert (settings.adopt_kind, settings.adopt_requester) == ("lease", "legal-desk")
    by_rules = make_environment(ADOPT="on", ADOPT_RULES="rules.yaml")
    assert load(Need.ADOPTION, environment=by_rules).adopt_rules == Path("rules.yaml")
    half = by_rules | {"COUNTERSIGN_ADOPT_KIND": "lease"}
    assert [fault.partition(":")[0] for fault in faults(Need.ADOPTION, environment=half)] == [
        "COUNTERSIGN_ADOPT_REQUESTER"
    ]
    assert faults(environment=make_environment(ADOPT="yes")) == ("COUNTERSIGN_ADOPT: must be 'off' or 'on'",)


@pytest.mark.long
def test_every_setting_is_read_somewhere() -> None:
    """A setting that is accepted and ignored is a lie to whoever sets it."""
    files = [ROOT / "worker.py", *(ROOT / "starter").rglob("*.py")]
    read = {
        node.attr
        for path in files
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    }
    groups = ("signature_", "push_", "webhook_", "handoff_", "notices_", "hook_", "oidc_")
    for line in table():
        name = line.name.removeprefix("COUNTERSIGN_").lower()
        field = next((name.removeprefix(group) for group in groups if name.startswith(group)), name)
        assert {field, f"{field}_"} & read, f"{line.name} is read nowhere"


@pytest.mark.parametrize("attempt", [options.CREATE, options.CANCEL], ids=["create", "cancel"])
def test_the_longest_list_lag_leaves_an_attempt_room_for_its_calls(attempt: options.ActivityOptions) -> None:
    """Both sleep for the lag within an attempt; one that is cut off in its sleep is cut off there each time."""
    room = attempt["start_to_close_timeout"] - MOST_LIST_LAG
    assert room >= timedelta(seconds=10), (
        "lower MOST_LIST_LAG in starter/config/settings.py, or give attempts more time"
    )


def test_the_alert_for_callbacks_that_stay_away_can_be_switched_off() -> None:
    assert load(environment=make_environment()).webhook.silent_after == timedelta(hours=1)
    assert load(environment=make_environment(WEBHOOK_SILENT_AFTER="3h")).webhook.silent_after == timedelta(hours=3)
    assert load(environment=make_environment(WEBHOOK_SILENT_AFTER="off")).webhook.silent_after is None


def test_the_printed_defaults_are_the_defaults() -> None:
    printed = {line.name: line.default for line in table() if line.default and line.name != "COUNTERSIGN_POLICIES"}
    assert printed["COUNTERSIGN_SIGNATURE_LIST_LAG"] == "10s"
    assert printed["COUNTERSIGN_WEBHOOK_MAX_AGE"] == "24h"
    assert load(environment=printed | make_environment()) == load(environment=make_environment())


@pytest.mark.long
def test_only_the_settings_read_the_environment() -> None:
    """A second reader would be a setting that no table shows and no fault names; `modules` only hands it on."""
    files = [
        ROOT / "worker.py",
        *(path for room in ("workflows", "activities", "starter") for path in (ROOT / room).rglob("*.py")),
    ]
    readers = {
        path.name
        for path in files
        if path.exists() and path.parent.name != "examples"  # programs of others
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv")
    }
    assert readers == {"settings.py", "processes.py", "tail.py"}, "tail.py asks whether there is a screen"


def test_settings_read_no_hidden_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERSIGN_ACTOR", "somebody-else")
    assert Settings().actor == ""
    assert load(environment=make_environment()).actor == ""
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:7233")
    assert load().actor == "somebody-else"
