"""`countersign webhook`: the receiver, in this process."""

from starter import webhook as receiver
from starter.commands.arguments import JsonLog, ReadyFile
from starter.startup import on_duty


async def webhook(*, ready_file: ReadyFile = None, json: JsonLog = False) -> None:
    """Run the receiver of Core Signature's callbacks and the pages for signers, until SIGTERM."""
    await receiver.serve(on_duty(*receiver.NEEDS, json=json), ready_file=ready_file)
