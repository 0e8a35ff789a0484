"""Images of an engine: whose engine it is, how large they are, and their removal. See also `builds.images`."""

from __future__ import annotations

import docker
import docker.errors
import requests

Client = docker.DockerClient


def engine_id(client: Client) -> str:
    """The engine's own name for itself; it stays when the engine is started again."""
    return str(client.info()["ID"])


def sizes(client: Client) -> dict[str, int]:
    """Bytes of each image that has a name, by its names; layers that several share count for each."""
    return {tag: int(image.attrs["Size"]) for image in client.images.list() for tag in image.tags}


def with_tag(reference: str) -> str:
    """An image's name as the engine lists it: "debian" is "debian:latest"."""
    return reference if "@" in reference or ":" in reference.rpartition("/")[2] else f"{reference}:latest"


def remove(client: Client, reference: str) -> bool:
    """Remove a name, and the image with the last one. False where the engine needs it for a container or an image."""
    try:
        client.images.remove(reference)
    except docker.errors.ImageNotFound:
        return True
    except docker.errors.APIError as error:
        if error.status_code == requests.codes.conflict:
            return False
        raise
    return True
