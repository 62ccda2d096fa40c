"""Start an onboarding for every deal of an export: `python -m starter.examples.onboard_from_crm crm.yaml deals.json`, a
mapping as of the web process, and a list of what the CRM would have sent. Server, people and catalogue come from the
environment.
"""

import asyncio
import sys
from pathlib import Path

from activities.files.pdf import LocalDocuments
from starter.boot import clients, exits
from starter.boot.refusals import REFUSALS
from starter.boot.startup import ready
from starter.cli import start_files as requests
from starter.config.settings import Need
from starter.temporal.connection import opened
from starter.web.http.bodies import parse
from starter.web.intake.hook_mapping import SourceMapping
from workflows.kinds import Kind


async def main(mapping: Path, deals: list[object]) -> None:
    """Check all deals first, so that nothing is started when one is wrong."""
    settings = ready(Need.PEOPLE)
    directory = clients.directory(settings, clients.store(settings))
    source = SourceMapping.read(mapping.parent, mapping.stem)
    mapped_deals = [mapped_deal for mapped_deal in map(source.file_of, deals) if mapped_deal is not None]
    intake, documents = clients.intake(settings, directory), LocalDocuments(settings.signature.max_upload_mb)
    admitted = [await intake.check(Kind.ONBOARDING, mapped_deal.file, documents) for mapped_deal in mapped_deals]
    async with opened(settings) as context:
        for start in admitted:
            started = await requests.start(context, start.prepared)
            print(started.id, "started" if started.created else "was there before")  # noqa: T201  its whole answer


if __name__ == "__main__":
    export = Path(sys.argv[2]).read_bytes()
    exits.run(lambda: asyncio.run(main(Path(sys.argv[1]), parse(export))), refusals=lambda: REFUSALS)
