"""The AWS services as botocore's own models describe them: routing, operations, errors.

Models are read from disk when a request first needs them and are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from botocore.loaders import Loader
from botocore.model import OperationModel, OperationNotFoundError, ServiceModel

Protocol = Literal["json", "query"]


@dataclass(frozen=True)
class Service:
    """One AWS service as its clients reach it.

    Attributes:
        name: botocore's name, which is also the signing name and the first part of its IAM actions.
        title: What people call it.
        protocol: "json" is JSON 1.1, "query" is a form in and XML out.
        key: The X-Amz-Target prefix of a JSON service, the Version of a Query service.
    """

    name: str
    title: str
    protocol: Protocol
    key: str

    @property
    def event_source(self) -> str:
        return f"{self.name}.amazonaws.com"

    @property
    def model(self) -> ServiceModel:
        return _load(self.name)

    def operation(self, name: str) -> OperationModel | None:
        """The operation of that name, or None where the service has none."""
        try:
            return self.model.operation_model(name)
        except OperationNotFoundError:
            return None


SERVICES = {
    service.name: service
    for service in (
        Service("codecommit", "CodeCommit", "json", "CodeCommit_20150413"),
        Service("codebuild", "CodeBuild", "json", "CodeBuild_20161006"),
        Service("logs", "CloudWatch Logs", "json", "Logs_20140328"),
        Service("cloudtrail", "CloudTrail", "json", "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101"),
        Service("ssm", "Systems Manager", "json", "AmazonSSM"),
        Service("secretsmanager", "Secrets Manager", "json", "secretsmanager"),
        Service("iam", "IAM", "query", "2010-05-08"),
        Service("sts", "STS", "query", "2011-06-15"),
        Service("sns", "SNS", "query", "2010-03-31"),
    )
}
_BY_KEY = {service.key: service for service in SERVICES.values()}


def by_target(target: str) -> tuple[Service | None, str]:
    """The service and operation that an X-Amz-Target names; None for a prefix that is nobody's."""
    prefix, _, name = target.rpartition(".")
    service = _BY_KEY.get(prefix)
    return (service if service is not None and service.protocol == "json" else None), name


def by_version(version: str) -> Service | None:
    """The Query service whose API version this is."""
    service = _BY_KEY.get(version)
    return service if service is not None and service.protocol == "query" else None


@dataclass(frozen=True)
class WireError:
    """An error as one service declares it: the name of its class, the short code that XML has, and the HTTP status."""

    name: str
    code: str
    status: int


@cache
def _errors(service_name: str) -> dict[str, WireError]:
    found: dict[str, WireError] = {}
    shapes = _description(service_name)["shapes"]
    for shape in _load(service_name).error_shapes:
        default = 500 if shapes[shape.name].get("fault") else 400
        status = shape.metadata.get("error", {}).get("httpStatusCode", default)
        error = WireError(shape.name, shape.error_code, status)
        found[shape.error_code] = found[shape.name] = error
    return found


def declared_error(service: Service, code: str) -> WireError | None:
    """The error that the service's model declares under this class name or short code, if any."""
    return _errors(service.name).get(code)


@cache
def _load(name: str) -> ServiceModel:
    return ServiceModel(_description(name), name)


@cache
def _description(name: str) -> dict[str, Any]:
    description: dict[str, Any] = Loader().load_service_model(name, "service-2")
    return description


@cache
def regions() -> tuple[str, ...]:
    """The names of every region that AWS has, as far as botocore knows."""
    partitions = Loader().load_data("partitions")["partitions"]
    return tuple(name for partition in partitions for name in partition["regions"])
