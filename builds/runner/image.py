"""The image of a build's container: found in the engine, made where it is a curated one, or else pulled.

An image that was pulled with somebody's credentials is nobody else's to run. So it loses its name again as soon as it
is there, and every build that asks for it goes to the registry with credentials of its own; what the engine has of it
is not transferred twice.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import docker
import docker.errors
import requests
from docker.utils import parse_repository_tag

from builds.images import catalogue, making
from builds.runner.executor import Login, Note, PhaseError

# Keeps an image that has lost its name from being collected as one without any; never resolved for a build.
PRIVATE_NAMESPACE = "codeservices-private/"


@dataclass(frozen=True)
class Pulling:
    """How images that the engine lacks come here.

    Attributes:
        refusal: Why this server does not pull from a registry, given as "host:port" or "host"; "" where it does.
        lock_folder: Where pulls of one image by several workers wait for each other; None where there is one worker.
    """

    refusal: Callable[[str], str] = lambda registry: ""
    lock_folder: Path | None = None


@dataclass(frozen=True)
class Image:
    """An image that is there.

    Attributes:
        id: In the engine.
        architecture: What its processor is called ("amd64").
        reference: The name that it has in the engine.
        is_new: It was not there, so that it was pulled or made for this build.
    """

    id: str
    architecture: str
    reference: str
    is_new: bool = False


class Images:
    """Finds, makes and pulls the image of one build.

    Args:
        check: Raises where the build was interrupted; called as often as something moves.
        ca_bundle: CA certificates in PEM that the making of an image trusts; may be empty.
    """

    def __init__(
        self,
        client: docker.DockerClient,
        pulling: Pulling,
        check: Callable[[], None],
        note: Note,
        *,
        ca_bundle: bytes = b"",
    ) -> None:
        self._client = client
        self._pulling = pulling
        self._check = check
        self._note = note
        self._ca_bundle = ca_bundle

    def ensure(self, asked: str, login: Callable[[], Login] | None) -> Image:
        """The image, after a pull or a making where it isn't there.

        Args:
            asked: As the project names it.
            login: Credentials for its registry, asked for when it is pulled; with them it always is.

        Raises:
            PhaseError: BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE with the name and the reason.
        """
        name = catalogue.resolve(asked)
        if name.startswith(PRIVATE_NAMESPACE):
            raise pull_error(asked, "images of this name are this server's own")
        if login is not None and not name.startswith(catalogue.NAMESPACE):
            return self._with_credentials(asked, name, login())
        with self._alone(name):
            found = self._find(asked, name)
            if found is not None:
                return found
            definition = catalogue.definition_of(name)
            if definition is not None:
                self._make(asked, definition)
            elif name.startswith(catalogue.NAMESPACE):
                known = ", ".join(f"{catalogue.NAMESPACE}{one}" for one in sorted(catalogue.definitions()))
                raise pull_error(asked, f"this server has no image {name}; it has {known}")
            else:
                self._pull(asked, name, None)
            found = self._find(asked, name)
        if found is None:
            raise pull_error(asked, "it was pulled and is gone again")
        return replace(found, is_new=True)

    def _find(self, asked: str, name: str) -> Image | None:
        """The engine's image of that name; an id is no name, since it would find what others may not run."""
        try:
            found = self._client.api.inspect_image(name)
        except docker.errors.ImageNotFound:
            return None
        except docker.errors.APIError as error:
            if error.status_code != requests.codes.bad_request:
                raise
            raise pull_error(asked, error.explanation) from error
        if not _is_named(found, name):
            raise pull_error(asked, "it is the id of an image; give the image's name")
        return Image(str(found["Id"]), str(found.get("Architecture", "")), name)

    def _make(self, asked: str, definition: catalogue.Definition) -> None:
        self._note(f"Making {definition.image}, which takes minutes the first time")
        try:
            making.build(self._client, definition, lambda line: self._check(), ca_bundle=self._ca_bundle)
        except making.ImageError as error:
            raise pull_error(asked, str(error)) from error

    def _with_credentials(self, asked: str, name: str, login: Login) -> Image:
        """Pull for this build alone. What stood under the name before stays so."""
        with self._alone(name):
            before = self._find(asked, name)
            self._pull(asked, name, login)
            found = self._find(asked, name)
            if found is None:
                raise pull_error(asked, "it was pulled and is gone again")
            if before is None or before.id != found.id:
                return self._hidden(name, found, before)
            return found

    def _hidden(self, name: str, image: Image, before: Image | None) -> Image:
        digest = hashlib.sha256(f"{name} {image.id}".encode()).hexdigest()[:32]
        private = f"{PRIVATE_NAMESPACE}{digest}"
        self._client.api.tag(image.id, private, "latest")
        self._client.api.remove_image(name, noprune=True)
        repository, tag = parse_repository_tag(name)
        if before is not None and "@" not in name:
            self._client.api.tag(before.id, repository, tag or "latest")
        return replace(image, reference=private, is_new=True)

    def _pull(self, asked: str, name: str, login: Login | None) -> None:
        refusal = self._pulling.refusal(registry_of(name))
        if refusal:
            raise pull_error(asked, refusal)
        self._note(f"Pulling {name}")
        repository, tag = parse_repository_tag(name)
        auth = {"username": login.username, "password": login.password} if login else None
        try:
            for event in self._client.api.pull(
                repository, tag=tag or "latest", stream=True, decode=True, auth_config=auth
            ):
                self._check()
                if "error" in event:
                    raise pull_error(asked, event["error"])
        except docker.errors.APIError as error:
            raise pull_error(asked, error.explanation) from error

    @contextlib.contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        """No other worker of this machine looks for the name while an image stands under it that is not for all."""
        if self._pulling.lock_folder is None or name.startswith(catalogue.NAMESPACE):
            yield
            return
        path = self._pulling.lock_folder / f"image-{hashlib.sha256(name.encode()).hexdigest()[:16]}.lock"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def registry_of(name: str) -> str:
    """The registry that an image's name names: "host:port", "host", or "docker.io" where it names none.

    Source: the reference grammar of the distribution project: a first part with a dot or a colon, or "localhost".
    """
    first, slash, _ = name.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else "docker.io"


def pull_error(image: str, why: str | None) -> PhaseError:
    """CodeBuild's own words around the reason."""
    return PhaseError(
        "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE",
        f"Unable to pull customer's container image. CannotPullContainerError: {image}: {why or 'no reason given'}",
    )


def _is_named(found: dict[str, Any], name: str) -> bool:
    """Whether the engine found it by one of its names and not by its id."""
    names = {*(found.get("RepoTags") or ()), *(found.get("RepoDigests") or ())}
    repository, tag = parse_repository_tag(name)
    written = f"{repository}{'@' if '@' in name else ':'}{tag or 'latest'}"
    # docker.io/library/NAME is NAME to the engine.
    short = written.removeprefix("index.").removeprefix("docker.io/").removeprefix("library/")
    return bool({written, short} & names)
