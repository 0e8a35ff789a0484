"""Over TLS, the cookies that prove who somebody is carry the name prefix `__Host-`.

Browsers take such a cookie only over TLS, for this host and for all paths, so that neither a sibling host nor anybody
on the way of a plain request can put one of theirs in its place (RFC 6265bis, 4.1.3.2). Over plain HTTP on loopback,
browsers would refuse the prefix. All code but this sees the names of the settings.
"""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

PREFIX = "__Host-"


class HostCookieMiddleware:
    """Stands outside whatever reads or writes the two cookies."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.is_secure():
            return self.get_response(request)
        names = (settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME)
        for name in names:
            request.COOKIES.pop(name, None)
            value = request.COOKIES.get(PREFIX + name)
            if value is not None:
                request.COOKIES[name] = value
        response = self.get_response(request)
        for name in names:
            cookie = response.cookies.pop(name, None)
            if cookie is not None:
                cookie.set(PREFIX + name, cookie.value, cookie.coded_value)
                cookie["secure"] = True
                response.cookies[PREFIX + name] = cookie
        return response
