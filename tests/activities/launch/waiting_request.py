"""A workflow that stands in for the signature request where only its start is under test."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows import names
    from workflows.signature.state import SignatureInput


@workflow.defn(name=names.SIGNATURE_REQUEST)
class WaitingRequest:
    """Lives until it is told to end."""

    def __init__(self) -> None:
        self._is_ended = False

    @workflow.run
    async def run(self, request: SignatureInput) -> str:
        """Wait for the end; the id shows that the input arrived."""
        await workflow.wait_condition(lambda: self._is_ended)
        return request.brief.id

    @workflow.signal
    def end(self) -> None:
        """End now."""
        self._is_ended = True
