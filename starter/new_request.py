"""A request file to begin with: right as it stands but for its document, with a word about every key."""

from typing import Final

from activities.policies.cascade import Resolved

_FILE: Final = """\
# A request of the kind {kind}. Change what is here, look at its calendar, then start it:
#   countersign request plan {name}
#   countersign request start {name}

{id:<30} # left out, the same content is the same request
kind: {kind}
document:
  file: document.pdf           # a PDF beside this file, or below the folder in which the command is typed
{title:<30} # what people see
{requester:<30} # who asks, and is told of every ending: an id of the people file
signers:                       # one after the other; those with the same "order: 1" side by side
{signers}
  # - {{person: somebody, role: approve}}          # sign, approve, or copy for who only receives the result
  # - {{name: …, email: …, zone: Europe/Amsterdam}}   # somebody who is not in the people file

# due: 2026-12-11              # the end of that working day; left out: {window} after it was sent
# message: "Please sign before the kick-off."
# policy:                      # what is different for this request alone; the kind says:
{policy}
# subscribers: []              # workflow ids that get the signal "signature_settled"
"""


def written(kind: str, resolved: Resolved, *, name: str, requester: str, signers: tuple[str, ...]) -> str:
    """The text of the file; `name` is what it will be called."""
    policy = resolved.policy.model_dump(mode="json", by_alias=True, exclude={"handoff", "urgent"}, exclude_none=True)
    return _FILE.format(
        kind=kind,
        name=name,
        id=f"# id: {kind}-0042",
        title=f'  name: "{kind.replace("-", " ").replace("_", " ").capitalize()}"',
        requester=f"requester: {requester}",
        signers="\n".join(f"  - person: {signer}" for signer in signers),
        window=policy["window"],
        policy="\n".join(f"#   {field}: {_flow(value)}" for field, value in policy.items()),
    )


def _flow(value: object) -> str:
    """A value of a policy on one line of YAML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return f'"{value}"' if ":" in str(value) else str(value)
