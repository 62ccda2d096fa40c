"""`countersign request adopt`: a document sent by hand at Core Signature becomes a request."""

from contextlib import aclosing
from typing import Annotated

from cyclopts import Parameter

from activities.core_signature.client import CoreSignatureClient
from activities.launch.doors import TrustedCaller
from activities.reconciliation.adoption import Adoption
from activities.reconciliation.service import list_unfit
from starter.boot import clients
from starter.boot.startup import ready
from starter.cli.actors import find_starter
from starter.cli.arguments import AsJson
from starter.cli.printing import print_answer
from starter.cli.terminal import Rows, Sentence
from starter.config.settings import Need, Settings
from starter.errors import Refusal
from starter.queries.adoption import AdoptedDocument, adopt_by_hand
from starter.temporal.connection import opened


async def adopt(
    document: Annotated[str | None, Parameter(help="Its uuid, or its address at Core Signature.")] = None,
    /,
    *,
    kind: str | None = None,
    owner: str | None = None,
    list_: Annotated[bool, Parameter("--list", help="List open documents that nothing follows up, instead.")] = False,
    json: AsJson = False,
) -> None:
    """Follow up a document that was sent by hand at Core Signature, whatever the rules say.

    Parameters
    ----------
    kind
        Its kind, one of the catalogue.
    owner
        Who asks for it: somebody of the people file.
    json
        Print `{id, workflow_id, document, created}`, with `--list` `[{document, why}]`.
    """
    settings = ready()
    if list_:
        unfit = await list_unfit(clients.store(settings))
        table = Rows("document", "why", whole_columns=("document",))
        for refusal in unfit:
            table.add(refusal.document, refusal.why)
        print_answer(unfit, table if unfit else Sentence("Nothing is left: all are followed up"), as_json=json)
        return
    adopted = await _adopt(settings, document or "", kind or "", owner or "")
    sentence = f"{adopted.id} follows it up" if adopted.created else f"{adopted.id} follows it up already"
    print_answer(adopted, Sentence(sentence), as_json=json)


async def _adopt(settings: Settings, document: str, kind: str, owner: str) -> AdoptedDocument:
    settings.require(Need.SIGNATURE, Need.PEOPLE, Need.ADOPTION)
    if (config := clients.adoption_config(settings)) is None:
        raise Refusal("COUNTERSIGN_ADOPT is off: what happens to such documents reaches nobody")
    async with (
        aclosing(CoreSignatureClient(clients.signature_config(settings))) as signature,
        opened(settings) as context,
    ):
        directory = clients.directory(settings, context.store)
        adoption = Adoption(signature, context.client, context.store, directory, settings.policies, config)
        return await adopt_by_hand(adoption, document, kind, owner, TrustedCaller(await find_starter(settings)))
