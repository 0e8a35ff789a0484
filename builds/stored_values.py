"""The variables of a build whose values are kept in Parameter Store and Secrets Manager, read as its service role.

Source: AWS CodeBuild User Guide, "Build specification reference for CodeBuild", env/parameter-store and
env/secrets-manager; "Troubleshooting", "Parameter does not exist".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from builds.environment import PARAMETER_STORE, PLAINTEXT, Variable
from builds.runner.executor import PhaseError
from builds.secret_reference import SecretReference
from builds.service_role import request_info
from codeservices.audit.record import act
from codeservices.errors import AccessDenied, ServiceError
from codeservices.iam.principal import Principal
from codeservices.secretstore import services


def values(principal: Principal, build_id: str, variables: Mapping[str, Variable]) -> dict[str, str]:
    """The values by variable name of those that are stored; each is read once, and each reading is one act.

    Args:
        principal: The session of the build's service role.
        build_id: "PROJECT:UUID", told to the audit trail.
        variables: All variables of the build by name.

    Raises:
        PhaseError: CLIENT_ERROR, with a sentence for every one that is missing, refused or can't be used.
    """
    known: dict[tuple[str, str], str] = {}
    found: dict[str, str] = {}
    problems: list[str] = []
    for name, variable in variables.items():
        if variable.type == PLAINTEXT:
            continue
        key = (variable.type, variable.value)
        try:
            if key not in known:
                read = _parameter if variable.type == PARAMETER_STORE else _secret
                known[key] = read(principal, build_id, variable.value)
            found[name] = known[key]
        except (ServiceError, ValueError) as error:
            problems.append(f"{_sentence(variable, error)} ({name})")
    if problems:
        raise PhaseError("CLIENT_ERROR", "; ".join(problems))
    return found


def _sentence(variable: Variable, error: ServiceError | ValueError) -> str:
    """What is wrong with one, in the words that CodeBuild has where it has some."""
    if isinstance(error, ValueError):
        return str(error)
    if isinstance(error, AccessDenied):
        return f"{error.code}: {error.message} {error.hint}".strip()
    if error.code == "ParameterNotFound":
        return f"Parameter does not exist: {variable.value}"
    if error.code == "ResourceNotFoundException" and error.message.startswith("Secrets Manager can't find"):
        return f"{error.message.rstrip('.')}: {variable.value}"
    return f"{error.code}: {error.message}"


def _parameter(principal: Principal, build_id: str, name: str) -> str:
    parameters = {"names": [name], "withDecryption": True}
    return _read(
        principal,
        build_id,
        ("ssm", "GetParameters", parameters),
        lambda: services.parameter_value(principal, name.strip()),
    )


def _secret(principal: Principal, build_id: str, text: str) -> str:
    asked = SecretReference.parse(text.strip())
    parameters = {"secretId": asked.secret_id, "versionStage": asked.version_stage, "versionId": asked.version_id}
    return _read(
        principal,
        build_id,
        ("secretsmanager", "GetSecretValue", {key: value for key, value in parameters.items() if value}),
        lambda: services.secret_value(
            principal, asked.secret_id, asked.json_key, asked.version_stage, asked.version_id
        ),
    )


def _read(
    principal: Principal, build_id: str, event: tuple[str, str, Mapping[str, object]], read: Callable[[], str]
) -> str:
    """Read as an act of the role's, which the trail tells like one that came through the API."""
    service, name, parameters = event
    source = f"{service}.amazonaws.com"
    with act(principal, request_info(), event_name=name, event_source=source) as current:
        current.parameters.update(parameters)
        current.additional["build"] = build_id
        return read()
