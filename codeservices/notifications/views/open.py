"""What subscribers fetch without signing in: the certificates that messages are signed with."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from codeservices.errors import NotFound
from codeservices.notifications import signing


@login_not_required
@require_safe
def certificate(request: HttpRequest, name: str) -> HttpResponse:
    """The certificate of that name; it never changes."""
    pem = signing.certificate_pem(name)
    if pem is None:
        raise NotFound("There is no such certificate.")
    response = HttpResponse(pem, content_type="application/x-pem-file")
    response["Cache-Control"] = "public, max-age=86400, immutable"
    return response
