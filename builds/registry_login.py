"""The credentials that a build's image is pulled with: a secret that the build's own role may read."""

from __future__ import annotations

import json

from builds import service_role
from builds.models import Build
from builds.runner.executor import Login
from builds.runner.image import pull_error
from codeservices.audit.record import act
from codeservices.errors import ServiceError
from codeservices.iam.principal import Principal
from codeservices.secretstore.services import secret_value


def login(build: Build, principal: Principal) -> Login:
    """The user name and password in environment.registryCredential's secret, read as the role: one act in the trail.

    Raises:
        PhaseError: BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE; the role may not read the secret, there is none, or it is no
            JSON with "username" and "password".
    """
    image = build.environment["image"]
    secret_id = build.environment["registryCredential"]["credential"]
    try:
        with act(principal, service_role.request_info()) as current:
            current.additional["build"] = build.api_id
            text = secret_value(principal, secret_id)
    except ServiceError as error:
        raise pull_error(image, f"its registry credential can't be read. {error.message}") from error
    return _parse(text, image, secret_id)


def _parse(text: str, image: str, secret_id: str) -> Login:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if isinstance(found, dict) and all(isinstance(found.get(key), str) for key in ("username", "password")):
        return Login(found["username"], found["password"])
    raise pull_error(image, f'the secret {secret_id} is not JSON of the form {{"username": "…", "password": "…"}}')
