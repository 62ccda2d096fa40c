"""The workflow, with a way to look into its memory: a story takes it out to go on with it elsewhere."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows.model.hand_off import SettledRequest
    from workflows.names import SIGNATURE_REQUEST
    from workflows.signature.state import SignatureInput
    from workflows.signature.workflow import SignatureRequestWorkflow


@workflow.defn(name=SIGNATURE_REQUEST)
class RememberingWorkflow(SignatureRequestWorkflow):
    """A signature request that says all it knows."""

    @workflow.init
    def __init__(self, request: SignatureInput) -> None:
        super().__init__(request)

    @workflow.run
    async def run(self, request: SignatureInput) -> SettledRequest:
        """As ever."""
        return await super().run(request)

    @workflow.query
    def memory(self) -> SignatureInput:
        """What a continue-as-new would carry over now."""
        return self.request.replace(carried=self.state)
