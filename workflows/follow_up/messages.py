"""What may be said to whatever people are followed up about: handlers refuse or record, the story acts."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    import workflows.follow_up.operations as operations
    import workflows.follow_up.questions as questions
    from workflows.follow_up.inputs import planning_of
    from workflows.follow_up.living import LifecycleWorkflow
    from workflows.follow_up.memory import State
    from workflows.model.operations import Receipt
    from workflows.model.planning import PlanningInput
    from workflows.model.wishes import (
        Answer,
        Delegation,
        Extension,
        NotNow,
        PauseCommand,
        Question,
        ReminderNow,
        Resumption,
    )
    from workflows.names import ANSWER, ASK, DELEGATE, EXTEND, PAUSE, PLANNING, REMIND, RESUME, SNOOZE


class FollowUpMessages(LifecycleWorkflow[State]):
    """What those who are asked, and whoever asked them, may wish."""

    @workflow.query(name=PLANNING, description="What the agenda is made from, for `request plan --against`")
    def planning(self) -> PlanningInput:
        """The planner's input as it is now."""
        return planning_of(self._request, self.subject, self._progress, workflow.now())

    @workflow.update(name=REMIND, description="Tell everyone whose turn it is")
    def remind(self, wish: ReminderNow) -> Receipt:
        """Tell everyone whose turn it is."""
        return self._accept(operations.remind, wish)

    @remind.validator
    def _may_remind(self, wish: ReminderNow) -> None:
        self.allow(wish, operations.refuse_remind(self._progress, wish, workflow.now()))

    @workflow.update(
        name=DELEGATE,
        description="Ask somebody else instead of a signer, unless whoever decides has something against it",
    )
    def delegate(self, wish: Delegation) -> Receipt:
        """Ask somebody else instead of whose turn it is, unless whoever decides has something against it."""
        return self._accept(operations.delegate, wish)

    @delegate.validator
    def _may_delegate(self, wish: Delegation) -> None:
        self.allow(wish, self.refuse_delegate(wish))

    def refuse_delegate(self, wish: Delegation) -> str | None:
        """Why a place cannot be handed over like this; a kind may have more against it."""
        return operations.refuse_delegate(self._progress, wish, self.subject.requester)

    @workflow.update(name=EXTEND, description="Move the due date, and plan everything anew")
    def extend(self, wish: Extension) -> Receipt:
        """Move the due date, and plan everything anew."""
        return self._accept(operations.extend, wish)

    @extend.validator
    def _may_extend(self, wish: Extension) -> None:
        self.allow(wish, operations.refuse_extend(self._progress, wish, workflow.now()))

    @workflow.update(name=PAUSE, description="Pause it: no reminders, and nobody is told anything, until it is resumed")
    def pause(self, wish: PauseCommand) -> Receipt:
        """Stop the clocks and tell nobody anything."""
        return self._accept(operations.pause, wish)

    @pause.validator
    def _may_pause(self, wish: PauseCommand) -> None:
        self.allow(wish, operations.refuse_pause(self._progress, wish))

    @workflow.update(name=RESUME, description="Resume it: the clocks go on")
    def resume(self, wish: Resumption) -> Receipt:
        """Have the clocks go on."""
        return self._accept(operations.resume, wish)

    @resume.validator
    def _may_resume(self, wish: Resumption) -> None:
        self.allow(wish, operations.refuse_resume(self._progress, wish))

    @workflow.update(name=SNOOZE, description="Remind a signer at a time of their own")
    def snooze(self, wish: NotNow) -> Receipt:
        """Remind somebody at a time of their own."""
        return self._accept(operations.snooze, wish)

    @snooze.validator
    def _may_snooze(self, wish: NotNow) -> None:
        self.allow(wish, operations.refuse_snooze(self._progress, self._request.policy, wish, workflow.now()))

    @workflow.update(name=ASK, description="Ask the requester something; reminders are paused until it is answered")
    def ask(self, wish: Question) -> Receipt:
        """Ask the requester something; the clocks stop until it is answered."""
        return self._accept(questions.ask, wish)

    @ask.validator
    def _may_ask(self, wish: Question) -> None:
        self.allow(wish, questions.refuse_ask(self._progress, wish))

    @workflow.update(name=ANSWER, description="Answer the open question")
    def answer(self, wish: Answer) -> Receipt:
        """Answer the open question."""
        return self._accept(questions.answer, wish)

    @answer.validator
    def _may_answer(self, wish: Answer) -> None:
        self.allow(wish, questions.refuse_answer(self._progress, wish))
