"""The settings that share a first word: the signature service, the push service, the receiver, the hand-off."""

from datetime import timedelta
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from starter.setting_values import (
    Address,
    Bind,
    HandoffSecrets,
    HookSecrets,
    Hosts,
    Listen,
    Networks,
    Secrets,
    Segment,
    Span,
    SpanOrOff,
    Words,
    wrong,
)

UNSET: Final = SecretStr("")
MOST_LIST_LAG: Final = timedelta(seconds=20)
"""A look-up sleeps for the lag inside an attempt of 30 s (workflows/follow_up/options.py), with calls around it."""


class SettingsGroup(BaseModel):
    """Settings whose names share a first word."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    @property
    def needed(self) -> tuple[str, ...]:
        """Its settings that whoever needs it cannot do without, as the others are set."""
        return ()


class SignatureSettings(SettingsGroup):
    """Core Signature (docs/core-signature.md)."""

    url: Address = Field("", description="Host of Core Signature, without /api/v1")
    token_url: Address = Field("", description="OAuth2 token endpoint")
    token_auth: Literal["basic", "body", "json"] = Field("basic", description="How client id and secret are sent")
    grant: Literal["client_credentials", "password"] = Field("client_credentials", description="OAuth2 grant")
    client_id: str = Field("", description="OAuth2 client id")
    client_secret: SecretStr = Field(UNSET, description="OAuth2 client secret")
    username: str = Field("", description="User of the grant `password`")
    password: SecretStr = Field(UNSET, description="Password of the grant `password`")
    scope: str = Field("", description="Extra `scope` of the token request")
    subscription: str = Field("", description="Extra `subscription` of the token request")
    from_: Literal["fixed", "requester"] = Field(
        "fixed",
        alias="from",
        description="Whose address the requests come from: `SIGNATURE_FROM_EMAIL`, or each requester's own",
    )
    from_email: str = Field("", description="Sender of the requests, when the token does not say it")
    dialect: Literal["core", "signrequest"] = Field("core", description="Paths and names of the API")
    signer_name_style: Literal["full_name", "first_last"] = Field(
        "full_name", description="How a signer's name is sent"
    )
    list_lag: Span = Field(
        timedelta(seconds=10),
        description=f"How late a new document may appear in lists, at most {MOST_LIST_LAG.seconds}s",
    )
    callback_style: Literal["document", "subscription"] = Field(
        "document",
        description="Callback address sent with each document, or subscribed to by `countersign init`",
    )
    status_mails: Literal["on", "off"] = Field(
        "on", description="Its mails about endings, which bring the copy and call an expiry cancelled; `off`: only ours"
    )
    cancel_paths: Words = Field((), description="Paths tried to cancel a request, in this order")
    resend_paths: Words = Field((), description="Paths tried to send the mail again, in this order")
    forward_paths: Words = Field((), description="Paths tried to forward a signer, in this order")
    max_rps: float = Field(
        5, gt=0, le=1000, description="Calls per second in all, unless another rate is set at the queue"
    )
    max_upload_mb: int = Field(20, ge=1, le=100, description="Largest document in MB")
    page_size: int = Field(100, ge=1, le=100, description="Page size of lists")

    @property
    def needed(self) -> tuple[str, ...]:
        """See `SettingsGroup`."""
        client = ("url", "token_url", "client_id", "client_secret")
        return (*client, "username", "password") if self.grant == "password" else client

    @field_validator("url")
    @classmethod
    def _is_the_host(cls, url: str) -> str:
        if url.endswith("/api/v1"):
            raise wrong("must be the host alone; /api/v1 is appended")
        return url

    @field_validator("list_lag")
    @classmethod
    def _fits_into_an_attempt(cls, lag: timedelta) -> timedelta:
        if lag > MOST_LIST_LAG:
            raise wrong(f"must be at most {MOST_LIST_LAG.seconds}s: the time-outs leave no room for more")
        return lag


class PushSettings(SettingsGroup):
    """The push service."""

    dialect: Literal["fcm_v1", "appworks", "off"] = Field("fcm_v1", description="Which push service is spoken to")
    url: Address = Field("", description="Host of the push service")
    send_path: str = Field(
        "/v1/projects/{project}/messages:send", pattern="^/", description="Path of one FCM message; {project} is filled"
    )
    project: str = Field("", description="FCM project id")
    auth: Literal["client_credentials", "google_service_account"] = Field(
        "client_credentials", description="How the FCM bearer token is got"
    )
    token_url: Address = Field("", description="OAuth2 token endpoint of the push service")
    client_id: str = Field("", description="OAuth2 client id of the push service")
    client_secret: SecretStr = Field(UNSET, description="OAuth2 client secret of the push service")
    credentials_file: Path | None = Field(None, description="Google service account key file")
    app: str = Field("", description="App name at the AppWorks gateway")
    app_key: SecretStr = Field(UNSET, description="Shared secret of the service at the AppWorks gateway")

    @property
    def needed(self) -> tuple[str, ...]:
        """See `SettingsGroup`."""
        if self.dialect == "off":
            return ()
        if self.dialect == "appworks":
            return ("url", "app", "app_key")
        if self.auth == "google_service_account":
            return ("url", "project", "credentials_file")
        return ("url", "project", "token_url", "client_id", "client_secret")


class WebhookSettings(SettingsGroup):
    """The receiver of Core Signature's callbacks and the pages beside it."""

    url: Address = Field("", description="Public base address of the receiver")
    bind: Listen = Field(Bind("127.0.0.1", 8080), description="Where the receiver listens")
    proxies: Networks = Field((), description="Addresses or networks of proxies whose `X-Forwarded-For` is believed")
    secrets: Secrets = Field((), description="Secrets of the callback hash, comma-separated for rotation")
    mode: Literal["hmac", "none"] = Field("hmac", description="`none` only when the tenant sends no usable hash")
    max_age: Span = Field(timedelta(hours=24), description="Oldest callback that is believed; repeats come for 2.5 h")
    silent_after: SpanOrOff = Field(
        timedelta(hours=1), description="How long callbacks may stay away before `ONCALL` hears of it; `off`: never"
    )
    segment: Segment = Field(UNSET, description="Unguessable last part of the callback path")

    @property
    def needed(self) -> tuple[str, ...]:
        """See `SettingsGroup`; what the receiver needs."""
        return ("segment", "secrets") if self.mode == "hmac" else ("segment",)


class HandoffSettings(SettingsGroup):
    """Whom a settled request may call."""

    secrets: HandoffSecrets = Field(
        {}, description="`target=whsec_…` pairs that sign the calls; a target twice rotates"
    )
    hosts: Hosts = Field((), description="Hosts that may be called; empty: any public address")


class HookSettings(SettingsGroup):
    """The systems whose events begin onboardings."""

    secrets: HookSecrets = Field(
        {},
        description="`source=secret` pairs of the systems that may call `/hooks/onboarding/`; a source twice rotates",
    )
    mappings: Path | None = Field(
        None, description="Folder of `<source>.yaml`, each of which makes an onboarding of what its source sends"
    )
