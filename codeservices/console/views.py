"""The console's shell: dashboard, quick search, and the pages that say what went wrong."""

from __future__ import annotations

import logging

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, TooManyFilesSent
from django.http import HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.views.decorators.csrf import requires_csrf_token
from django.views.decorators.http import require_GET

from codeservices import registry
from codeservices.console import search as quick_search
from codeservices.errors import NotFound, ServiceError
from codeservices.http import ConsoleRequest, is_partial
from codeservices.iam.authorize import is_allowed
from codeservices.iam.models import User

logger = logging.getLogger(__name__)

QUICK_RESULTS = 5
PAGE_RESULTS = 50


@require_GET
def dashboard(request: ConsoleRequest) -> HttpResponse:
    """What runs, what ran, what was pushed, and what needs attention, from the panels that the apps register."""
    principal = request.principal
    panels = [
        {"name": panel.name, "html": render_to_string(panel.template, panel.context(principal), request)}
        for panel in registry.panels
    ]
    return render(request, "codeservices/dashboard.html", {"panels": panels})


@require_GET
def attention(request: ConsoleRequest) -> HttpResponse:
    """Parts of the system that are down, for administrators; what waits for this person; what git still needs."""
    principal = request.principal
    user = request.user
    assert isinstance(user, User)
    problems = []
    if is_allowed(principal, "codeservices:UseAdminPanel", "*"):
        for one in registry.health_checks:
            sentence = None if one.has_notices else one.check()
            if sentence is not None:
                problems.append((one.name, sentence))
    needs_credential = (
        is_allowed(principal, "iam:CreateServiceSpecificCredential", user.arn) and not user.git_credentials.exists()
    )
    notices = [notice for find in registry.notices for notice in find(principal)]
    context = {"problems": problems, "notices": notices, "needs_credential": needs_credential}
    template = "codeservices/_attention.html" if is_partial(request) else "codeservices/attention.html"
    return render(request, template, context)


@require_GET
def search(request: ConsoleRequest) -> HttpResponse:
    """Repositories, projects, users and what else the apps can find, by a few letters of the name."""
    query = request.GET.get("q", "")
    partial = is_partial(request)
    groups = quick_search.find(request.principal, query, QUICK_RESULTS if partial else PAGE_RESULTS)
    template = "codeservices/_search_results.html" if partial else "codeservices/search.html"
    return render(request, template, {"query": query.strip(), "groups": groups})


def bad_request(request: ConsoleRequest, exception: Exception) -> HttpResponse:
    """400: Django refused the request before any view saw it."""
    sentence, hint = "The server could not read this request.", ""
    if isinstance(exception, RequestDataTooBig):
        sentence = f"A form carries at most {settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 1024**2} MiB besides files."
        hint = "Go back, and send less; nothing was changed."
    elif isinstance(exception, TooManyFilesSent):
        sentence = f"A form carries at most {settings.DATA_UPLOAD_MAX_NUMBER_FILES} files."
        hint = "Go back, and send fewer; nothing was changed."
    return _error(request, ServiceError(sentence, code="BadRequest", hint=hint))


def forbidden(request: ConsoleRequest, exception: Exception) -> HttpResponse:
    """403 from Django itself, such as the admin's; denials of policies come with their statement."""
    return _error(
        request,
        ServiceError(
            "You may not do that.", code="AccessDeniedException", status=403, hint="Ask an administrator for a policy."
        ),
    )


def not_found(request: ConsoleRequest, exception: Exception) -> HttpResponse:
    """404: no page has this address."""
    message = f"There is no page at {request.path}."
    return _error(request, NotFound(message, code="NotFound", hint="Check the address, or search for the name."))


def csrf_failure(request: ConsoleRequest, reason: str = "") -> HttpResponse:
    """The form's token is missing or old: it was open in another session, or came from another site."""
    logger.warning("refused a form without a valid token: %s", reason)
    return _error(
        request,
        ServiceError(
            "This form has expired, so nothing was changed.",
            code="FormExpired",
            status=403,
            hint="Go back, load the page again, and send the form once more.",
        ),
    )


@requires_csrf_token
def server_error(request: ConsoleRequest) -> HttpResponse:
    """500: a request id and nothing of ours; the log has the rest under that id."""
    error = ServiceError(
        "Something went wrong on the server. It has been logged.",
        code="InternalFailure",
        status=500,
        hint="Try again; if it happens again, tell an administrator the request id below.",
    )
    try:
        return _error(request, error)
    except Exception:  # what made the page fail may make this one fail too; a person must see something
        logger.exception("the error page itself could not be drawn")
        page = '<!doctype html><html lang="en"><title>Error</title><h1>{}</h1><p>Request {}</p></html>'
        return HttpResponse(format_html(page, error.message, _request_id(request)), status=500)


def _error(request: ConsoleRequest, error: ServiceError) -> HttpResponse:
    template = "_error.html" if is_partial(request) else "error.html"
    return render(request, template, {"error": error, "request_id": _request_id(request)}, status=error.status)


def _request_id(request: ConsoleRequest) -> str:
    return getattr(request, "request_id", "")
