"""`countersign onboard …`: what an owner does to a living onboarding, and to the parts of it."""

from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter, Token

from starter.commands.arguments import Id, RequestFile
from starter.commands.operations import PLAIN, CommonOptions, OperationWords
from starter.context import opened
from starter.needs import Need
from starter.onboarding import parts
from starter.startup import ready
from workflows.kinds import Kind
from workflows.model.wishes import Decision, Done, PartOutcome

Part = Annotated[str, Parameter(help="The part's id, as the file or `onboard show` has it.")]


def _exchanges(_: object, tokens: Sequence[Token]) -> tuple[str, ...]:
    typed = tuple(token.value for token in tokens)
    for one in typed:
        if not all(one.partition("=")):
            raise ValueError(f"{one} is not OLD=NEW such as customer-signer=customer-colleague")
    return typed


async def _kept(id: str, part: str, file: str | None, exchanges: Sequence[str]) -> str:
    """Keep what a part is started from: another file, or what it was with other signers; its reference."""
    settings = ready(Need.PEOPLE)
    async with opened(settings) as context:
        if file:
            return await parts.replaced(settings, context, id, part, file)
        others = {old: new for old, _, new in (one.partition("=") for one in exchanges)}
        return await parts.with_signers(settings, context, id, part, others)


class _OnboardWords(OperationWords):
    async def decide(
        self,
        id: Id,
        /,
        *,
        part: Part,
        resend: bool = False,
        signer: Annotated[tuple[str, ...], Parameter(converter=_exchanges)] = (),
        replace: RequestFile | None = None,
        waive: bool = False,
        stop: bool = False,
        reason: str = "",
        manner: CommonOptions = PLAIN,
    ) -> None:
        """Decide what becomes of a part that was declined, expired or broken off: exactly one of the four.

        Parameters
        ----------
        resend
            Start it once more, as it was.
        signer
            With --resend: somebody else signs in the place of somebody, OLD=NEW; may be repeated.
        replace
            Start it from another file: a request, of a task or step a task. The requester need not be named again.
        waive
            Go on without it; needs --reason.
        stop
            End the whole onboarding; needs --reason.
        reason
            Why; it stands in the timeline.
        """
        content = await _kept(id, part, replace, signer) if replace or signer else None
        choice = (
            PartOutcome.RESEND
            if resend
            else PartOutcome.REPLACE
            if replace
            else PartOutcome.WAIVE
            if waive
            else PartOutcome.STOP
        )

        def decision(actor: str) -> Decision:
            return Decision(actor=actor, part=part, choice=choice, reason=reason, content=content)

        await self.carry_out(id, decision, manner)

    async def done(self, id: Id, part: Part, /, *, note: str = "", manner: CommonOptions = PLAIN) -> None:
        """Say that a task or a step of it is done.

        Parameters
        ----------
        note
            What there is to say about it; it stands in the timeline of the task.
        """
        async with opened(ready()) as context:
            task = await parts.task_of(context, id, part)
        await OperationWords(task.kind).carry_out(task.id, lambda actor: Done(actor=actor, note=note), manner)

    async def say(
        self,
        id: Id,
        part: Part,
        text: Annotated[str, Parameter(help="At most 1,000 characters.")],
        /,
        *,
        manner: CommonOptions = PLAIN,
    ) -> None:
        """Answer the question that a part of it waits for, or say that nothing stands in its way any more."""
        settings = ready()
        async with opened(settings) as context:
            what = await parts.running(context, id, part)
            wish = await parts.answer_to(context, what, manner.as_ or settings.acting, text)
        await OperationWords(what.kind).carry_out(what.id, lambda _: wish, manner)


_WORDS = _OnboardWords(Kind.ONBOARDING)
decide, done, answer, cancel = _WORDS.decide, _WORDS.done, _WORDS.say, _WORDS.cancel
replay = _WORDS.replay
