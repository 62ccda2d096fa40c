"""The request of one member of an audience: made from what was prepared once, without reading a file again."""

from dataclasses import dataclass, field

from activities.campaigns.audience import Member
from activities.files.reading import FileFaults
from activities.person import Reachable, SignersFile, id_in_full
from activities.store.home import StoragePrefix
from activities.store.store import Store
from workflows.follow_up.inputs import FollowUpInput
from workflows.model.campaign import Campaign, CampaignOrder
from workflows.model.request import SignatureBrief
from workflows.model.subject import Participant, Role
from workflows.signature.inputs import SignatureInput


@dataclass(frozen=True)
class MemberRequest:
    """See `path.Prepared`: its document is in the store since the campaign was started; `message` is the text."""

    given: SignatureInput
    person: Reachable | None = field(default=None, repr=False)
    """Whoever stands in full in the table."""
    message: str = ""
    overdue: FileFaults | None = None

    async def kept(self, store: Store) -> SignatureInput:
        """See `path.Prepared`: a message, and somebody in full, are kept beside the request as of any other."""
        home, digest = StoragePrefix.of_request(self.given.brief.id), self.given.fingerprint
        if signers := SignersFile.of([self.person]):
            await store.keep_signers(home, digest, signers)
        if not self.message:
            return self.given
        message = await store.texts.keep(home, f"message-{digest[:16]}", self.message)
        return self.given.replace(brief=self.given.brief.replace(message=str(message)))

    async def lives(self, store: Store, given: FollowUpInput) -> None:
        """See `path.Prepared`: nothing yet."""


def request_of(
    campaign: Campaign, fingerprint: str, member: Member, person: Reachable | None, message: str = ""
) -> MemberRequest:
    """What is started for a member; whoever stands in full is known to their own request as its first signer."""
    signer = Participant(person=id_in_full(1) if person else member.person, role=Role.SIGN)
    brief = SignatureBrief(
        id=member.request(campaign.id),
        kind=campaign.kind,
        title=campaign.title,
        document=campaign.document,
        requester=campaign.requester,
        people=(signer,),
        lock_screen=campaign.lock_screen,
        in_person=True,
    )
    digest = member.fingerprint(fingerprint)
    request = SignatureInput(
        brief=brief, policy=campaign.asking, due=member.due, fingerprint=digest, told_together=True
    )
    return MemberRequest(request, person, message)


def forgotten(order: CampaignOrder, member: Member, person: Reachable | None) -> SignatureInput:
    """What the request of a member was started with of which there is neither a workflow nor a record.

    Nothing is kept of it anew: whoever was erased meanwhile stays erased.
    """
    return request_of(order.campaign, order.fingerprint, member, person).given
