"""What this installation lets a build do to the machine and the network around it, from its settings."""

from __future__ import annotations

import ipaddress
import logging
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from builds.runner import engine
from builds.runner.executor import Note, PhaseError
from builds.runner.firewall import Firewall, FirewallError, Opening
from builds.runner.image import Pulling
from builds.runner.network import HOST_NAME
from codeservices import outbound

logger = logging.getLogger(__name__)

PRIVILEGED_OFF = "Privileged mode is off on this server."
PRIVILEGED_HINT = "An administrator turns it on with CODESERVICES_BUILD_PRIVILEGED."
_ELSEWHERE = (
    "Docker Engine runs on another machine: make the rules there with the script that"
    " `manage.py build_firewall --print` gives, and set CODESERVICES_BUILD_FIREWALL to off"
)
# Members of ProjectEnvironment that policies may look at. Source: Service Authorization Reference, AWS CodeBuild.
_CONDITION_MEMBERS = ("type", "image", "computeType", "imagePullCredentialsType", "certificate")


def firewall() -> Firewall:
    """The rules for the networks of this installation's builds."""
    endpoint = urlsplit(settings.BUILD_ENDPOINT_URL)
    openings: list[Opening] = list(settings.BUILD_NETWORK_OPENINGS)
    https_port: int | None = settings.HTTPS_PORT
    if endpoint.hostname == HOST_NAME:
        https_port = endpoint.port or outbound.DEFAULT_PORTS.get(endpoint.scheme, 443)
    elif endpoint.hostname:
        https_port = None
        openings.append(Opening((endpoint.hostname,), endpoint.port or outbound.DEFAULT_PORTS.get(endpoint.scheme)))
    return Firewall(settings.ACCOUNT_ID, https_port=https_port, openings=openings)


def network_problem(*, is_made: bool = False) -> str | None:
    """One sentence where builds may reach what they must not, or where that can't be known; else None.

    Args:
        is_made: Make the rules first where they are missing.
    """
    if settings.BUILD_FIREWALL == "off":
        return None
    if not engine.is_local(settings.DOCKER_HOST):
        return f"{_ELSEWHERE}."
    rules = firewall()
    try:
        if is_made:
            rules.ensure()
            return None
        problem = rules.problem()
    except FirewallError as error:
        return str(error)
    return f"{problem} Make them: sudo .venv/bin/python manage.py build_firewall" if problem else None


def close_network(note: Note) -> None:
    """See to the firewall before a build has a container.

    Raises:
        PhaseError: The rules are a condition of every build, and they are not there.
    """
    problem = network_problem(is_made=True)
    if problem is None:
        return
    logger.warning("a build can reach this machine's services: %s", problem)
    if settings.BUILD_FIREWALL == "require":
        raise PhaseError(
            "INTERNAL_SERVICE_ERROR", f"No build starts without its firewall rules. {problem}", is_fault=True
        )
    note(f"The network of this build is not closed: it reaches this machine and private networks. {problem}")


def pulling() -> Pulling:
    """How images come here."""
    return Pulling(refusal=registry_refusal, lock_folder=settings.RUN_ROOT)


def registry_refusal(registry: str) -> str:
    """Why this server does not pull from a registry ("host:port"); "" where it does.

    The engine connects from this machine, on the word of whoever names an image, so the rules of all other connections
    out count. A name that has no address here may have one for the engine's proxy.
    """
    parts = urlsplit(f"//{registry}")
    host = parts.hostname or ""
    try:
        port = parts.port or 443
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError, UnicodeError):
        return ""
    for entry in found:
        address = ipaddress.ip_address(str(entry[4][0]).partition("%")[0])
        if not outbound.is_public(address) and not settings.OUTBOUND_RULES.allows(host, port, address):
            return (
                f"{host} leads to an address of this machine or of a private network;"
                " an administrator can allow it with CODESERVICES_OUTBOUND_ALLOW"
            )
    return ""


def environment_context(environment: Mapping[str, Any] | None) -> dict[str, str | list[str]]:
    """The condition keys of a request that carries a ProjectEnvironment, or some of its members."""
    if not isinstance(environment, Mapping) or not environment:
        return {}
    prefix = "codebuild:environment"
    found: dict[str, str | list[str]] = {prefix: "true"}
    found |= {f"{prefix}.{name}": str(environment[name]) for name in _CONDITION_MEMBERS if environment.get(name)}
    if environment.get("privilegedMode") is not None:
        found[f"{prefix}.privilegedMode"] = "true" if environment["privilegedMode"] else "false"
    credential = environment.get("registryCredential")
    if isinstance(credential, Mapping):
        found[f"{prefix}.registryCredential"] = "true"
        for member in ("credential", "credentialProvider"):
            if credential.get(member):
                found[f"{prefix}.registryCredential.{member}"] = str(credential[member])
    names = [str(one.get("name", "")) for one in environment.get("environmentVariables") or ()]
    if names:
        found[f"{prefix}.environmentVariables.name"] = names
    return found
