"""`countersign webhook`: the web process."""

from starter.boot.startup import on_duty
from starter.cli.arguments import JsonLog, ReadyFile
from starter.web import app as receiver


async def webhook(*, ready_file: ReadyFile = None, json: JsonLog = False) -> None:
    """Run the receiver of Core Signature's callbacks and the pages for signers, until SIGTERM."""
    await receiver.serve(on_duty(*receiver.NEEDS, json=json), ready_file=ready_file)
