"""Which module has which word: a word is imported when it is typed, so that none waits for what another needs."""

from collections.abc import Iterable
from typing import Final

from cyclopts import App
from rich.console import Console

from starter.commands.arguments import (
    files_or_rows,
    one_decision,
    one_target,
    only_dead,
    only_now,
    plan_or_changes,
    plan_or_year,
    some_stats,
)

_OF_COUNTERSIGN: Final = {
    "worker": "stack:worker",
    "webhook": "receiver:webhook",
    "dev": "stack:dev",
    "demo": "stack:demo",
    "fast-forward": "clock:fast_forward",
    "stats": "stats:stats",
    "reconcile": "reconcile:reconcile",
    "init": "setup:init",
    "doctor": "setup:doctor",
    "completion": "completion:completion",
}
"""Each as `module:function` of this room."""
_OF_PEOPLE: Final = {"devices": "people:devices", "sign-out": "people:sign_out"}
_OF_HANDOFF: Final = {
    "list": "handoff:list_",
    "retry": "handoff:retry",
    "replay": "handoff:replay",
    "listen": "handoff:listen",
}
_OF_PERSON: Final = {"show": "person:show"}
_OPERATIONS: Final = ("remind", "delegate", "extend", "pause", "resume", "answer", "cancel", "replay")
_OF_REQUEST: Final = {
    "start": "start:request",
    "new": "new:new",
    "show": "show:request",
    "list": "listing:requests",
    **{word: f"request:{word}" for word in _OPERATIONS},
    "plan": "plan:plan",
}
_OF_TASK: Final = {
    "start": "start:task",
    "show": "show:task",
    "list": "listing:tasks",
    **{word: f"task:{word}" for word in ("done", "waive", "block", "unblock", "ask", *_OPERATIONS)},
}
_OF_ONBOARD: Final = {
    "start": "start:onboarding",
    "show": "show:onboarding",
    "list": "listing:onboardings",
    **{word: f"onboard:{word}" for word in ("decide", "done", "answer", "cancel", "replay")},
    "plan": "plan:onboarding",
    "map": "mapping:map_deal",
    "link": "onboarding_links:link",
    "preview": "onboarding_links:preview",
}
_OF_CAMPAIGN: Final = {
    "start": "start:campaign",
    "show": "show:campaign",
    "list": "listing:campaigns",
    "report": "report:report",
    "sample": "report:sample",
    **{word: f"campaign:{word}" for word in ("exempt", "extend", "retry", "cancel", "replay")},
    "plan": "plan:campaign",
    "template": "template:template",
    "schedule": "schedule:schedule",
}

_CHECKED: Final = {
    "clock:fast_forward": one_target,
    "onboard:decide": one_decision,
    "stats:stats": some_stats,
    "start:request": files_or_rows,
    "start:onboarding": files_or_rows,
    "start:campaign": files_or_rows,
    "plan:plan": plan_or_changes,
    "schedule:schedule": plan_or_year,
    "handoff:retry": only_now,
    "handoff:replay": only_dead,
}
"""What is looked at whole before the word does anything."""


class LazyApp(App):
    """Words that are imported when they are typed, and all of them for the help that lists them."""

    def help_print(self, tokens: str | Iterable[str] | None = None, *, console: Console | None = None) -> None:
        """See `App`: what is not imported has no explanation."""
        _, asked, _ = self.parse_commands(tokens)
        asked[-1].resolved_commands()
        super().help_print(tokens, console=console)


def register(app: App) -> None:
    """Add all words to the command."""
    request = LazyApp(name="request", help="One signature request: start it, look at it, change it, end it.")
    task = LazyApp(name="task", help="One task of a person or a team: start it, look at it, change it, end it.")
    onboard = LazyApp(name="onboard", help="One customer onboarding: start it, look at it, decide about it, end it.")
    campaign = LazyApp(
        name="campaign", help="One campaign: start it, see who has not acknowledged, change it, make its record."
    )
    people = LazyApp(name="people", help="The people of the directory.")
    handoff = LazyApp(name="handoff", help="Targets of the hand-off: how each stands, and trying again.")
    person = LazyApp(name="person", help="Somebody of the directory.")
    rooms = (
        (request, _OF_REQUEST),
        (task, _OF_TASK),
        (onboard, _OF_ONBOARD),
        (campaign, _OF_CAMPAIGN),
        (handoff, _OF_HANDOFF),
        (people, _OF_PEOPLE),
        (person, _OF_PERSON),
    )
    for of, words in ((app, _OF_COUNTERSIGN), *rooms):
        for name, place in words.items():
            of.command(f"{__package__}.{place}", name=name, validator=_CHECKED.get(place))
    for of, _ in rooms:
        app.command(of)
