"""Configuration and clients of the notification channels (FCM, AppWorks, cloud messaging)."""

import ssl
from dataclasses import dataclass
from typing import Final

import httpx
from pydantic import SecretStr

from activities.http.client import Service, make_client
from activities.http.oauth import Bearer, Credentials
from activities.notifications import push_services
from activities.notifications.cloud_messaging import CloudMessaging, CloudMessagingConfig
from activities.notifications.web_push import NAME as WEB_PUSH
from activities.notifications.web_push import ReadKeys, SigningKeys, VapidTokens, WebPush
from activities.people.subscriptions import push_guard

NAME: Final = "push service"
MESSAGING: Final = "cloud messaging"
DEADLINE: Final = 10.0
"""Seconds for one message, its token included: a stage of many must fit into one activity."""
_CONNECTIONS: Final = 100
"""For all deliveries of a worker; a message without one within the pool's time-out is retried later."""


@dataclass(frozen=True)
class FcmConfig:
    """FCM or a compatible service at `url` (the host); either kind of credentials gets the token."""

    url: str
    project: str
    credentials: Credentials | push_services.ServiceAccount
    send_path: str = push_services.SEND_PATH


@dataclass(frozen=True)
class AppWorksConfig:
    """An AppWorks Gateway at `url`; we are its application `app`, with a shared secret."""

    url: str
    app: str
    app_key: SecretStr


PushConfig = FcmConfig | AppWorksConfig | None
"""None: push is off."""


def open_dialect(
    config: PushConfig, *, trust: ssl.SSLContext | None = None, transport: httpx.AsyncBaseTransport | None = None
) -> push_services.PushDialect | None:
    """The push dialect with its own client, to be closed by the caller. None if push is off."""
    if config is None:
        return None
    auth = _bearer(config, transport) if isinstance(config, FcmConfig) else None
    client = make_client(auth=auth, max_connections=_CONNECTIONS, trust=trust, transport=transport)
    service = Service(NAME, config.url, client, deadline=DEADLINE)
    if isinstance(config, FcmConfig):
        return push_services.FcmPush(service, config.project, config.send_path)
    return push_services.AppWorksPush(service, config.app, config.app_key)


@dataclass(frozen=True)
class WebPushConfig:
    """`hosts` are allowed beside the push services of the browsers, which may reach us at `contact`."""

    hosts: tuple[str, ...] = ()
    contact: str = ""


def open_web_push(
    config: WebPushConfig,
    read_keys: ReadKeys,
    *,
    trust: ssl.SSLContext | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> WebPush:
    """With its own client, to be closed by the caller."""
    client = make_client(max_connections=_CONNECTIONS, trust=trust, transport=transport)
    service = Service(WEB_PUSH, "", client, deadline=DEADLINE)
    return WebPush(service, push_guard(config.hosts), SigningKeys(read_keys), VapidTokens(config.contact))


def open_messaging(
    config: CloudMessagingConfig | None, *, transport: httpx.AsyncBaseTransport | None = None
) -> CloudMessaging | None:
    """The fallback channel with its own client, to be closed by the caller."""
    if config is None:
        return None
    client = make_client(max_connections=_CONNECTIONS, transport=transport)
    service = Service(MESSAGING, config.url, client, deadline=DEADLINE)
    return CloudMessaging(service, config.user, config.password)


def _bearer(config: FcmConfig, transport: httpx.AsyncBaseTransport | None) -> Bearer:
    if isinstance(config.credentials, push_services.ServiceAccount):
        return push_services.ServiceAccountBearer(NAME, config.credentials, transport=transport)
    return Bearer(NAME, config.credentials, transport=transport)
