"""From a service and an operation's name to the function registered for it.

An app's `aws.py` holds one function an operation and is imported in `ready()`:

    @operation("codecommit", "GetRepository")
    def get_repository(call: Call) -> dict[str, Any]:
        repository = repository_for(call.principal, "codecommit:GetRepository", call.params["repositoryName"])
        return {"repositoryMetadata": metadata(repository, call.origin)}

The request has been checked against the model by then, and the answer is written by it afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.model import OperationModel

from codeservices.audit.acts import RequestInfo
from codeservices.aws import validate
from codeservices.aws.model import Service
from codeservices.aws.validate import Problem
from codeservices.errors import ServiceError
from codeservices.iam.principal import Principal


@dataclass(frozen=True)
class Call:
    """One authenticated call of an operation.

    Attributes:
        principal: Who asks.
        params: The request's members by the input shape's names; absent ones are missing.
        info: Where the request came from.
        origin: The address the caller reaches this server at, "https://host:8443", for clone URLs and the like.
        model: The operation as botocore's model has it.
    """

    principal: Principal
    params: dict[str, Any]
    info: RequestInfo
    origin: str
    model: OperationModel


Handler = Callable[[Call], dict[str, Any] | None]
ConstraintError = Callable[[OperationModel, list[Problem]], ServiceError]

OpenHandler = Callable[[Mapping[str, Any]], "dict[str, Any] | None"]

_handlers: dict[tuple[str, str], Handler] = {}
_open_handlers: dict[str, tuple[str, OpenHandler]] = {}
_constraint_errors: dict[str, ConstraintError] = {}


def operation(service: str, name: str) -> Callable[[Handler], Handler]:
    """Register the decorated function as an operation; it answers the result's members, or None where it has none."""

    def register(handler: Handler) -> Handler:
        if _handlers.setdefault((service, name), handler) is not handler:
            raise ValueError(f"{service}:{name} is registered twice.")
        return handler

    return register


def open_operation(service: str, name: str) -> Callable[[OpenHandler], OpenHandler]:
    """Register the decorated function as what a plain link to the operation does, `GET /?Action=NAME`, unsigned.

    It gets the request's members alone, one of which has to be a secret that stands for the signature.
    """

    def register(handler: OpenHandler) -> OpenHandler:
        if _open_handlers.setdefault(name, (service, handler))[1] is not handler:
            raise ValueError(f"{service}:{name} is open twice.")
        return handler

    return register


def open_service(name: str) -> str | None:
    """The service whose operation of that name may be called by a plain link, if there is one."""
    return _open_handlers[name][0] if name in _open_handlers else None


def dispatch_open(model: OperationModel, params: Mapping[str, Any]) -> dict[str, Any]:
    """Check an unsigned call against the model and run the function registered for it; raises as `dispatch`."""
    service, handler = _open_handlers[model.name]
    _check(service, model, dict(params))
    return handler(params) or {}


def constraint_error(service: str) -> Callable[[ConstraintError], ConstraintError]:
    """Register the decorated function as what names a service's broken constraints, where it has names of its own."""

    def register(function: ConstraintError) -> ConstraintError:
        _constraint_errors[service] = function
        return function

    return register


def registered() -> list[tuple[str, str]]:
    """Every (service, operation) that is served, sorted."""
    return sorted(_handlers)


def find_operation(service: Service, name: str) -> OperationModel:
    """The operation's model; raises ServiceError UnknownOperationException where the service has no such operation."""
    model = service.operation(name)
    if model is None:
        sentence = f"{service.title} has no operation called “{name[:100]}”."
        raise ServiceError(sentence, code="UnknownOperationException")
    return model


def dispatch(service: Service, call: Call) -> dict[str, Any]:
    """Check the call against the model and run the function registered for it.

    Returns:
        The answer's members by the output shape's names.

    Raises:
        ServiceError: A constraint is broken, the operation isn't served (UnsupportedOperationException: with a 4xx,
            because clients repeat what ends in a 5xx), or whatever the function refuses.
    """
    handler = _handlers.get((service.name, call.model.name))
    if handler is None:
        sentence = f"{service.title} {call.model.name} is not available on this server."
        raise ServiceError(sentence, code="UnsupportedOperationException")
    _check(service.name, call.model, call.params)
    return handler(call) or {}


def _check(service: str, model: OperationModel, params: dict[str, Any]) -> None:
    problems = validate.check(model.input_shape, params)
    if problems:
        raise _constraint_errors.get(service, _validation_exception)(model, problems)


def _validation_exception(_model: OperationModel, problems: list[Problem]) -> ServiceError:
    return ServiceError(validate.sentences(problems), code="ValidationException")
