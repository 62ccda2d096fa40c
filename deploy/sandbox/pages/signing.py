"""`/sign/{signer}`: the page on which a signer reads, signs or declines. Works without any script."""

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from deploy.sandbox.pages.rendering import render
from deploy.sandbox.pages.roll import roll
from deploy.sandbox.pages.states import HTTP_STATUS, SignerStanding, standing, words
from deploy.sandbox.records import CoreDocument, CoreStatus
from deploy.sandbox.refusal import CoreRefusal
from deploy.sandbox.signing import Case
from deploy.sandbox.world import World

REASON_MISSING = "Please say why you decline: the sender gets to read it."
LONGEST_REASON = 1_000


class SigningPages:
    """The signer's uuid in the address is the permission, as in the vendor's links."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """Relative to the root."""
        return [Route("/sign/{uuid}", self.page, methods=["GET", "POST"])]

    async def page(self, request: Request) -> Response:
        """GET shows the state of things and counts as viewed; POST `deed=sign|decline` acts and leads back to GET."""
        case = self._world.memory.signer(request.path_params["uuid"])
        if request.method == "POST" and case is not None:
            return self._act(case, await request.form(), request)
        if case is not None and request.method == "GET":
            self._world.signing.view(case, by_mail=request.query_params.get("from") == "mail")
        return self._show(case)

    def _act(self, case: Case, form: FormData, request: Request) -> Response:
        reason = str(form.get("reason", "")).strip()[:LONGEST_REASON]
        try:
            match form.get("deed"):
                case "sign":
                    self._world.signing.sign(case)
                case "decline" if reason:
                    self._world.signing.decline(case, reason)
                case "decline":
                    return self._show(case, trouble=REASON_MISSING, status=422)
        except CoreRefusal:
            # Somebody was faster; the page shown next says what holds now.
            pass
        return RedirectResponse(request.url.path, 303)

    def _show(self, case: Case | None, *, trouble: str | None = None, status: int | None = None) -> Response:
        now = standing(case)
        values = {"words": words(case), "ready": now is SignerStanding.READY, "trouble": trouble}
        if case is not None and now is not SignerStanding.REPLACED:
            values |= self._details(case)
        return render("sign.html", status or HTTP_STATUS.get(now, 200), **values)

    def _details(self, case: Case) -> dict[str, object]:
        signer, request, document = case
        back = request.redirect_url_declined if signer.declined_on else request.redirect_url
        own = signer.redirect_url_declined if signer.declined_on else signer.redirect_url
        acted = signer.signed_on is not None or signer.declined_on is not None
        return {
            "document": document,
            "signer": signer,
            "request": request,
            "sender": request.from_email_name or request.from_email,
            "verb": "Approve" if signer.approve_only else "Sign",
            "others": roll(request, document),
            "file": self._file(document),
            "back": (own or back) if acted else None,
        }

    def _file(self, document: CoreDocument) -> dict[str, object]:
        sha256 = document.final or document.source
        size = len(self._world.memory.contents.read(sha256) or b"")
        name = "Signed document" if document.status is CoreStatus.SIGNED else "Document"
        return {"path": self._world.links.issue(sha256, "document.pdf"), "name": name, "kilobytes": -(-size // 1024)}
