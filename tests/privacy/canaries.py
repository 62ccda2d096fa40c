"""What must not be found, by name: secrets and people's data with values that occur nowhere else."""

import base64
from pathlib import Path

from deploy.local.folder import Secrets

SECRETS = Secrets(
    link="canary-link-secret-6f1d0a7e5c3b4928",
    segment="canary-segment-0b8e4d2f9a6c7153",
    callback="canary-callback-secret-91c7e5a3d0",
    signature_client="canary-signature-secret-4e2a8d60",
    push_client="canary-push-secret-d83f5b17c9",
    messaging="canary-messaging-password-5b90d3e8f2",
    finance="canary-finance-secret-72b0e6f4a1",
    codec="canary-codec-token-c18f5d02a7",
)
FILLED_IN = "canary-account-number-70422"
NEVER = {
    "secret of the links": SECRETS.link,
    "segment of the callbacks": SECRETS.segment,
    "token of the codec": SECRETS.codec,
    "secret of the callbacks": SECRETS.callback,
    "client secret": SECRETS.signature_client,
    "client secret of push": SECRETS.push_client,
    "password of cloud messaging": SECRETS.messaging,
    "secret of a hand-off": base64.b64encode(SECRETS.finance.encode()).decode(),
    "bearer token": "eyJhbGciOi",
    "e-mail of a signer": "canary.first@customer.test",
    "e-mail of an inline signer": "canary.inline@customer.test",
    "e-mail of the desk": "canary.desk@acme.test",
    "name of a signer": "Canary First Name",
    "name of the desk": "Canary Desk Name",
    "name of an inline signer": "Canary Inline Name",
    "e-mail of a customer": "canary.customer@customer.test",
    "name of a customer": "Canary Customer Name",
    "e-mail of a customer's colleague": "canary.colleague@customer.test",
    "name of a customer's colleague": "Canary Colleague Name",
    "device token of a customer": "canary-customer~70419",
    "e-mail of whom an onboarding leads": "canary.guest@customer.test",
    "name of whom an onboarding leads": "Canary Guest Name",
    "device token of whom an onboarding leads": "canary-guest~70420",
    "e-mail of their colleague": "canary.companion@customer.test",
    "name of their colleague": "Canary Companion Name",
    "device token of their colleague": "canary-companion~70421",
    "what a signer filled in": FILLED_IN,
    "device token": "canary-first~70417",
    "device token of the desk": "legal-desk~70418",
}
"""Nowhere, with or without a codec; signing links and `embed_url`s are added as they are made."""

PLAIN_TITLE = "Canary merger plan in the clear"
SEALED_TITLE = "Canary merger plan under seal"
MESSAGE = "Canary words to the signer"
REASON = "Canary reason to decline"
CONTENT = {"title": PLAIN_TITLE, "sealed title": SEALED_TITLE, "message": MESSAGE, "reason": REASON}
"""What a request is about: only in payloads, and unreadable there once there are keys."""
SEALED = {
    "sealed title": SEALED_TITLE,
    "reason": REASON,
    "words of a failure": "answered 503",
    "line of a stack": '.py", line ',
}
"""Content of the request that was started with keys; a failure of its was answered by the provider in its own words."""

PEOPLE = """
people:
  - id: canary-first
    name: Canary First Name
    email: canary.first@customer.test
    zone: Europe/Paris
    devices: [{token: canary-first~70417, platform: android}]
  - id: legal-desk
    name: Canary Desk Name
    email: canary.desk@acme.test
    zone: Europe/Amsterdam
    devices: [{token: legal-desk~70418, platform: web}]
"""


def step_file(folder: Path) -> Path:
    """A task for a customer who is only in the file, as is a colleague of theirs."""
    file = folder / "step.yaml"
    file.write_text("""
id: step
kind: team-task
title: Tell us where the invoices go
owner: legal-desk
who:
  name: Canary Customer Name
  email: canary.customer@customer.test
  zone: Europe/Paris
  devices: [{token: canary-customer~70419, platform: ios}]
colleagues:
  - {name: Canary Colleague Name, email: canary.colleague@customer.test, zone: Europe/Paris}
""")
    return file


def onboarding_file(folder: Path) -> Path:
    """An onboarding of a customer and a colleague who are only in the file, and of whom no company is said."""
    file = folder / "onboarding.yaml"
    file.write_text("""
id: guest
owner: legal-desk
teams: {legal: canary-first}
customer:
  name: Canary Guest Name
  email: canary.guest@customer.test
  zone: Europe/Paris
  devices: [{token: canary-guest~70420, platform: ios}]
  colleagues:
    - name: Canary Companion Name
      email: canary.companion@customer.test
      zone: Europe/Paris
      devices: [{token: canary-companion~70421, platform: ios}]
stages:
  - name: beginning
    agreements: [{kind: customer-contract, document: {file: msa.pdf, name: Terms}, signers: [{person: customer}]}]
    steps: [{id: billing, title: Tell us where the invoices go, delegate: true}]
""")
    return file


def welcome_file(folder: Path) -> Path:
    """An onboarding of somebody of the directory, of whom no company is said either."""
    file = folder / "welcome.yaml"
    file.write_text("""
id: welcome
owner: legal-desk
teams: {legal: canary-first}
customer: {person: canary-first}
stages: [{name: news, notices: [{to: customer, text: Welcome}]}]
""")
    return file


def request_file(folder: Path, id: str, title: str, sandbox: str) -> Path:
    """A request for somebody of the directory, then for somebody who is only in the file."""
    file = folder / f"{id}.yaml"
    file.write_text(f"""
id: {id}
kind: customer-contract
document: {{file: msa.pdf, name: {title}}}
requester: legal-desk
signers:
  - person: canary-first
  - {{name: Canary Inline Name, email: canary.inline@customer.test, zone: Europe/Paris}}
message: {MESSAGE}
policy:
  escalation: null
  handoff:
    - {{target: finance, url: "{sandbox}/_sandbox/targets/finance"}}
""")
    return file
