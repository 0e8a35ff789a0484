"""The one endpoint of every AWS service: verify, parse, dispatch, serialise."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from botocore.model import OperationModel
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from codeservices.audit.acts import Act, RequestInfo, is_read
from codeservices.audit.record import act, begin
from codeservices.aws import json11, model, query, redact, sigv4
from codeservices.aws.authentication import UNKNOWN_KEY, authenticate
from codeservices.aws.dispatch import Call, dispatch, dispatch_open, find_operation, open_service
from codeservices.errors import ServiceError
from codeservices.iam.principal import Principal

logger = logging.getLogger(__name__)

_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Route:
    """Which service and operation a request names, and in which protocol; `service` is None for nobody's."""

    protocol: model.Protocol
    service: model.Service | None
    name: str
    form: dict[str, str] = field(default_factory=dict)


def is_api_request(request: HttpRequest) -> bool:
    """Whether a request to "/" is for the AWS endpoint: any POST, or a GET that a client signed or names an action."""
    return request.method == "POST" or "Action" in request.GET or "X-Amz-Signature" in request.GET


@csrf_exempt  # a session cookie counts for nothing here: only a signature does
@login_not_required
def endpoint(request: HttpRequest) -> HttpResponse:
    """Answer one AWS API request, always in the protocol that it came in."""
    info: RequestInfo = replace(request.info, via="api")  # type: ignore[attr-defined]
    target = request.headers.get("X-Amz-Target")
    route = Route("json" if target is not None or request.content_type != _FORM else "query", None, "")
    try:
        body = _body(request)
        route = _route(request, target, body)
        content = _answer(request, route, body, info)
    except ServiceError as failure:
        return _failure(route, failure, info)
    except Exception:  # a defect of ours, told in the protocol of the request instead of Django's HTML page
        logger.exception("%s %s failed", route.service.name if route.service else "aws", route.name)
        sentence = f"An internal error occurred. The server's log has more under request id {info.request_id}."
        return _failure(route, ServiceError(sentence, code="InternalFailure", status=500), info)
    return _response(route, 200, content, info)


def _answer(request: HttpRequest, route: Route, body: bytes, info: RequestInfo) -> bytes:
    service = route.service
    if service is None:
        raise ServiceError(
            f"No service here has the operation “{route.name[:100]}”.",
            code="UnknownOperationException",
            hint="Name it by X-Amz-Target, or by Action and Version." if not route.name else "",
        )
    operation = find_operation(service, route.name)
    if _is_open(request, route):
        return _answer_open(route, service, operation, info)
    signed = _signed_request(request, body)
    key, _ = authenticate(
        signed, info, service=service.name, event_name=operation.name, event_source=service.event_source
    )
    with act(key.principal, info, event_name=operation.name, event_source=service.event_source) as current:
        _check_session(key.principal, service)
        params = query.parse(operation, route.form) if route.protocol == "query" else json11.parse(operation, body)
        current.parameters = redact.for_trail(operation.input_shape, params) or {}
        result = dispatch(service, Call(key.principal, params, info, _origin(request), operation))
        return _written(route, service, operation, result, current)


def _is_open(request: HttpRequest, route: Route) -> bool:
    """Whether this is a link that somebody was sent, such as the SubscribeURL of a topic's message."""
    is_link = request.method == "GET" and route.protocol == "query" and open_service(route.name) is not None
    return is_link and "Authorization" not in request.headers and "X-Amz-Signature" not in route.form


def _answer_open(route: Route, service: model.Service, operation: OperationModel, info: RequestInfo) -> bytes:
    """Run what a link does: nobody has signed it, and no cookie counts."""
    nobody = Principal.anonymous(settings.ACCOUNT_ID)
    with act(nobody, info, event_name=operation.name, event_source=service.event_source) as current:
        params = query.parse(operation, route.form)
        current.parameters = redact.for_trail(operation.input_shape, params) or {}
        begin(current)
        return _written(route, service, operation, dispatch_open(operation, params), current)


def _check_session(principal: Principal, service: model.Service) -> None:
    """A user's temporary credentials make no lasting ones: without a second factor they are none to IAM.

    Source: AWS STS API Reference, "GetSessionToken".
    """
    is_temporary = principal.kind == "user" and principal.session_started_at is not None
    if is_temporary and service.name == "iam" and not principal.is_mfa_authenticated:
        raise ServiceError(
            UNKNOWN_KEY,
            code="UnrecognizedClientException",
            status=403,
            hint="Credentials of GetSessionToken can't call IAM unless a second factor stands behind them.",
        )


def _written(
    route: Route, service: model.Service, operation: OperationModel, result: dict[str, Any], current: Act
) -> bytes:
    if route.protocol == "query":
        content = query.serialise(service, operation, result, current.info.request_id)
    else:
        content = json11.serialise(operation, result)
    if not is_read(operation.name):
        current.response = redact.for_trail(operation.output_shape, result) or {}
    return content


def _route(request: HttpRequest, target: str | None, body: bytes) -> Route:
    if target is not None:
        service, name = model.by_target(target)
        return Route("json", service, name)
    if request.method == "GET":
        form = query.fields(request.META.get("QUERY_STRING", ""))
    elif request.content_type == _FORM:
        form = query.fields(body)
    else:
        return Route("json", None, "")
    name = form.get("Action", "")
    service = model.by_version(form.get("Version", ""))
    if "Version" not in form and request.method == "GET":
        service = model.SERVICES.get(open_service(name) or "")  # links name no version
    return Route("query", service, name, form)


def _body(request: HttpRequest) -> bytes:
    try:
        return request.body
    except RequestDataTooBig as error:
        raise ServiceError(
            f"The request's body is over {settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 1024**2} MiB.",
            code="RequestEntityTooLargeException",
            status=413,
        ) from error


def _signed_request(request: HttpRequest, body: bytes) -> sigv4.SignedRequest:
    """The request as it came over the wire; ASGI keeps it so, and WSGI (tests) nearly."""
    scope = getattr(request, "scope", None)
    if scope is not None:
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
        path = (scope.get("raw_path") or quote(scope["path"]).encode()).decode("latin-1")
        return sigv4.SignedRequest(request.method or "", path, scope["query_string"].decode("latin-1"), headers, body)
    return sigv4.SignedRequest(
        request.method or "",
        quote(request.path),
        request.META.get("QUERY_STRING", ""),
        tuple(request.headers.items()),
        body,
    )


def _origin(request: HttpRequest) -> str:
    return settings.BASE_URL or f"{request.scheme}://{request.get_host()}"


def _failure(route: Route, failure: ServiceError, info: RequestInfo) -> HttpResponse:
    if route.protocol == "query":
        status, _, content = query.error(route.service, failure, info.request_id)
        return _response(route, status, content, info)
    status, code, content = json11.error(route.service, failure)
    response = _response(route, status, content, info)
    response["x-amzn-ErrorType"] = code
    return response


def _response(route: Route, status: int, content: bytes, info: RequestInfo) -> HttpResponse:
    kind = query.CONTENT_TYPE if route.protocol == "query" else json11.CONTENT_TYPE
    response = HttpResponse(content, status=status, content_type=kind)
    response["x-amzn-RequestId"] = info.request_id
    response["Cache-Control"] = "no-store"
    return response
