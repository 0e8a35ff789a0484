"""Around every Django request: its id, its principal, its audit act, its security headers, and errors as pages."""

from __future__ import annotations

import ipaddress
import logging
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers

from codeservices import logs
from codeservices.audit.acts import RequestInfo, current_act
from codeservices.audit.record import act
from codeservices.aws.views import is_api_request
from codeservices.errors import AccessDenied, InvalidInput, ServiceError
from codeservices.http import is_partial
from codeservices.iam.authorize import is_allowed
from codeservices.iam.backends import principal_of
from codeservices.iam.principal import Principal

logger = logging.getLogger("codeservices.access")

Next = Callable[[HttpRequest], HttpResponse]

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
# Health is asked by load balancers, which come over plain HTTP and carry no credentials.
_OPEN_PATHS = ("/healthz", "/readyz")


def is_loopback(address: str) -> bool:
    """Whether a client's address is this machine's own."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).is_loopback


class RequestMiddleware:
    """The outermost: request id, plain-HTTP guard, security headers, one access line a request."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.request_id = str(uuid.uuid4())  # type: ignore[attr-defined]
        request.info = RequestInfo(  # type: ignore[attr-defined]
            request_id=request.request_id,  # type: ignore[attr-defined]
            source_ip=request.META.get("REMOTE_ADDR") or "127.0.0.1",
            user_agent=request.headers.get("User-Agent", ""),
            via="console",
            is_secure=request.is_secure(),
        )
        if request.path == "/" and is_api_request(request):
            request.urlconf = "codeservices.aws.urls"
        token = logs.request_id.set(request.request_id)  # type: ignore[attr-defined]
        try:
            response = self._guarded(request)
            response["X-Request-Id"] = request.request_id  # type: ignore[attr-defined]
            response.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
            response.setdefault("Cache-Control", "private, no-cache")
            response.setdefault("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
            if request.is_secure():
                for cookie in response.cookies.values():
                    cookie["secure"] = True
            if not request.path.startswith(("/static/", *_OPEN_PATHS)):
                logger.info("%s %s %s", request.method, request.path, response.status_code)
            return response
        finally:
            logs.request_id.reset(token)

    def _guarded(self, request: HttpRequest) -> HttpResponse:
        info: RequestInfo = request.info  # type: ignore[attr-defined]
        if info.is_secure or is_loopback(info.source_ip) or request.path in _OPEN_PATHS:
            return self.get_response(request)
        return HttpResponse(
            "Credentials are not taken over plain HTTP from another machine. "
            f"Use https on port {settings.HTTPS_PORT}, or set CODESERVICES_TRUST_PROXY_TLS=yes behind a TLS proxy.\n",
            status=403,
            content_type="text/plain; charset=utf-8",
        )


class PrincipalMiddleware:
    """Who asks, and one audited act around the view; a ServiceError becomes a page or, for htmx, a fragment."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.principal = principal_of(request)  # type: ignore[attr-defined]
        with act(request.principal, request.info) as current:  # type: ignore[attr-defined]
            if request.method in ("GET", "HEAD"):
                current.is_read_only = True
            response = self.get_response(request)
        patch_vary_headers(response, ["HX-Request"])
        return response

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        """Refuse what holds a NUL character: no name or text has one, and PostgreSQL fails on it."""
        texts = [request.path, *(text for _, values in request.GET.lists() for text in values)]
        if not getattr(view, "csrf_exempt", False):  # the others read their bodies themselves
            texts += [text for _, values in request.POST.lists() for text in values]
        if not any("\0" in text for text in texts):
            return None
        error = InvalidInput("The address or the form holds a character that no text here may have (NUL).")
        current = current_act()
        if current is not None:
            current.fail(error)
        return error_response(request, error)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        current = current_act()
        if current is not None:
            current.fail(error)
        if isinstance(error, ServiceError):
            return error_response(request, error)
        return None


def error_response(request: HttpRequest, error: ServiceError) -> HttpResponse:
    """The page or fragment that tells a person what went wrong."""
    template = "_error.html" if is_partial(request) else "error.html"
    context = {
        "error": error,
        "request_id": request.request_id,  # type: ignore[attr-defined]
        "simulator_query": _simulator_query(request, error) if isinstance(error, AccessDenied) else "",
    }
    return render(request, template, context, status=error.status)


def _simulator_query(request: HttpRequest, error: AccessDenied) -> str:
    """What the policy simulator is to be asked about a denial; empty for those who may not ask it."""
    principal: Principal = request.principal  # type: ignore[attr-defined]
    if principal.kind != "user" or not is_allowed(principal, "iam:SimulatePrincipalPolicy", principal.arn):
        return ""
    return urlencode({"user": principal.name, "action": error.action, "resource": error.resource})
