"""Who lives in a town under test, and the request files they write."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

PDF: Final = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
CONTRACT: Final = "contract.pdf"
COLLEAGUES: Final = 60
"""People with two phones each: enough that no phone gets more notices a minute than a push service takes."""
SIGNER: Final = "chief-executive"
"""Has three phones."""
MANAGER: Final = "chair"
REQUESTER: Final = "legal-desk"
LONER: Final = "night-watch"
"""Has two phones that nobody else's story uses: they may die."""
TITLE: Final = "Master services agreement"
CANARY: Final = "canary-bird"
"""Signs what is searched for their name afterwards; one of their phones refuses what it gets."""
PHONELESS: Final = "field-engineer"
_DEVICES: Final = {SIGNER: 3, MANAGER: 1, REQUESTER: 1, LONER: 2, CANARY: 2, PHONELESS: 0, "hr-desk": 1}

Policy = Mapping[str, Any]
ZONE: Final = "Europe/Amsterdam"
PATIENT: Final[Policy] = {
    "window": "30d",
    "hours": "any",
    "reminders": {"first": "3d", "every": "3d", "most": 3},
    "escalation": {"after": "used-up", "or": None, "action": "notify", "to": ["manager"]},
}


def devices(person: str) -> int:
    """How many phones somebody has; their tokens are `<person>~1` and so on."""
    return _DEVICES.get(person, 2)


def tokens(person: str) -> list[str]:
    """The tokens of somebody's phones."""
    return [f"{person}~{number}" for number in range(1, devices(person) + 1)]


def colleague(number: int) -> str:
    """One of the many."""
    return f"colleague-{number % COLLEAGUES:02}"


def settle(people: Path, files: Path, zone: str = ZONE) -> None:
    """Write the people file of a town, all of one zone, and the document of its requests into the folder `files`."""
    for folder in (people.parent, files):
        folder.mkdir(parents=True, exist_ok=True)
    names = [*_DEVICES, *(colleague(number) for number in range(COLLEAGUES))]
    people.write_text(json.dumps({"people": [{**_person(name), "zone": zone} for name in names]}))
    (files / CONTRACT).write_bytes(PDF)


def move_in(people: Path, names: Sequence[str], group: str) -> None:
    """Add people with one phone each, all of one group, to a people file that was settled."""
    settled = json.loads(people.read_text())
    for name in names:
        phone = {"token": f"{name}~1", "platform": "android"}
        settled["people"].append({**_person(name), "devices": [phone], "groups": [group]})
    people.write_text(json.dumps(settled))


def write_request(
    folder: Path,
    id: str,
    *signers: str,
    requester: str = REQUESTER,
    policy: Policy = PATIENT,
    name: str = TITLE,
    document: str = CONTRACT,
    finance: str | None = None,
    group: str | None = None,
    at_once: bool = False,
) -> Path:
    """A request file in a folder that was settled.

    Once it is signed the address `finance` is called and the `group` is told. Signers sign one after the other, or all
    `at_once`.
    """
    handoff: list[dict[str, str]] = [{"target": "hr", "person": "hr-desk"}]
    handoff += [{"target": "finance", "url": finance}] if finance else []
    handoff += [{"target": group, "group": group}] if group else []
    order = {"order": 1} if at_once else {}
    file = folder / f"{id}.json"
    file.write_text(
        json.dumps(
            {
                "id": id,
                "kind": "customer-contract",
                "document": {"file": document, "name": name},
                "requester": requester,
                "signers": [{"person": person, **order} for person in signers or (SIGNER,)],
                "policy": {**policy, "handoff": handoff},
            }
        )
    )
    return file


def _person(name: str) -> dict[str, Any]:
    phones = [{"token": token, "platform": "android"} for token in tokens(name)]
    manager = {} if name == MANAGER else {"manager": MANAGER}
    full_name = name.replace("-", " ").capitalize()
    return {
        "id": name,
        "name": full_name,
        "email": f"{name}@acme.test",
        "zone": ZONE,
        "devices": phones,
        **manager,
    }
