"""Making the curated build images.

`base` is made by `docker build` where a Debian image is present or a registry answers. Elsewhere debootstrap makes the
same packages into a file system, which the engine imports; that needs root and no registry. The others are built over
`base`, which is made before them.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import re
import shutil
import signal
import subprocess
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import docker
import docker.errors
import requests

from builds.images.catalogue import Definition

DEBIAN_IMAGE = "debian:bookworm-slim"
SUITE = "bookworm"
# Says with which definition an image was made, so that an unchanged one is not made again.
DIGEST_LABEL = "codeservices.definition"
# Followed by the beginning of the id of the image that had the name before.
FORMER_TAG = "former-"
# Followed by the id of the process that works in it.
SCRATCH_PREFIX = "codeservices-image-"
# Not needed in an image and different at every making.
LEFT_OUT = re.compile(r"\./(var/(cache/(apt|ldconfig|debconf)|log|lib/apt/lists)/.+|dev/.+|(proc|sys|run|tmp)/.+)")
EPOCH_SECONDS = 1_735_689_600  # 2025-01-01; one date for every file, so that equal content gives an equal image
DEBOOTSTRAP_SECONDS = 1800
MAX_ERROR_LINES = 8
WAIT_SECONDS = 1.0
# In the context of a build beside the definition's files, for mirrors that are reached over TLS.
CA_BUNDLE = "ca-bundle.pem"

Progress = Callable[[str], None]


class ImageError(Exception):
    """An image could not be made; the text says why and what to do."""


def is_current(client: docker.DockerClient, definition: Definition) -> bool:
    """Whether the engine holds the image made from this very definition."""
    try:
        labels = client.images.get(definition.image).labels
    except docker.errors.ImageNotFound:
        return False
    return bool(labels.get(DIGEST_LABEL) == definition.digest)


def build(
    client: docker.DockerClient,
    definition: Definition,
    progress: Progress,
    *,
    is_forced: bool = False,
    ca_bundle: bytes = b"",
) -> bool:
    """Make an image, and what it stands on, unless the engine has it already. Returns whether it was made.

    Args:
        progress: Gets one line at a time, at least every few seconds; what it raises ends the making.
        is_forced: Make it even though it is current, of the packages that the mirror has now; what it stands on is not
            forced.
        ca_bundle: CA certificates in PEM that package mirrors are trusted by; may be empty.

    Raises:
        ImageError: It can't be made.
    """
    if is_current(client, definition) and not is_forced:
        remove_former(client, definition)
        progress(f"{definition.image} is up to date.")
        return False
    with _alone(definition, progress) as has_waited:
        if has_waited and is_current(client, definition):
            progress(f"{definition.image} was made meanwhile.")
            return False
        with _replacing(client, definition):
            _make(client, definition, progress, ca_bundle, is_forced=is_forced)
    progress(f"{definition.image} is made.")
    return True


def _make(
    client: docker.DockerClient, definition: Definition, progress: Progress, ca_bundle: bytes, *, is_forced: bool
) -> None:
    if definition.parent is not None:
        if not is_current(client, definition.parent):
            build(client, definition.parent, progress, ca_bundle=ca_bundle)
        _build_with_docker(client, definition, progress, {"BASE": definition.parent.image}, ca_bundle, is_forced)
    elif _has_debian(client, progress):
        _build_with_docker(client, definition, progress, {"DEBIAN": DEBIAN_IMAGE}, ca_bundle, is_forced)
    else:
        _build_with_debootstrap(client, definition, progress)


def remove_former(client: docker.DockerClient, definition: Definition) -> None:
    """Remove what stood under the image's name before it was made anew, unless a running build needs it still."""
    for image in client.images.list(filters={"reference": f"{definition.image}:{FORMER_TAG}*"}):
        if f"{definition.image}:latest" not in image.tags:  # it is about to be replaced
            for tag in image.tags:
                if tag.startswith(f"{definition.image}:{FORMER_TAG}"):
                    _remove_name(client, tag)


@contextlib.contextmanager
def _replacing(client: docker.DockerClient, definition: Definition) -> Iterator[None]:
    """While an image is made: what stands under its name gets one by which it is found, whatever becomes of us."""
    former = None
    with contextlib.suppress(docker.errors.ImageNotFound):
        image = client.images.get(definition.image)
        former = f"{FORMER_TAG}{str(image.id).removeprefix('sha256:')[:12]}"
        image.tag(definition.image, former)
    try:
        yield
    finally:
        if former is not None:
            _remove_name(client, f"{definition.image}:{former}")


def _remove_name(client: docker.DockerClient, name: str) -> None:
    """Remove a name, and with its last one the image; nothing happens where a container is made of it."""
    with contextlib.suppress(docker.errors.ImageNotFound):
        try:
            client.images.remove(name)
        except docker.errors.APIError as error:
            if error.status_code != requests.codes.conflict:
                raise


@contextlib.contextmanager
def _alone(definition: Definition, progress: Progress) -> Iterator[bool]:
    """One process of a host at a time makes an image, the others wait. Gives whether this one had to.

    The lock is on the definition's folder: nothing has to be written for it, and it ends with its process.
    """
    folder = os.open(definition.folder, os.O_RDONLY | os.O_DIRECTORY)
    has_waited = False
    try:
        while True:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                has_waited = True
                progress(f"Another process makes {definition.image}; waiting for it.")
                time.sleep(WAIT_SECONDS)
        yield has_waited
    finally:
        os.close(folder)


def _has_debian(client: docker.DockerClient, progress: Progress) -> bool:
    try:
        client.images.get(DEBIAN_IMAGE)
        return True
    except docker.errors.ImageNotFound:
        progress(f"Pulling {DEBIAN_IMAGE} ...")
    try:
        client.images.pull(DEBIAN_IMAGE)
        return True
    except docker.errors.APIError as error:
        progress(f"No registry gave {DEBIAN_IMAGE} ({_first_line(error.explanation)}); using debootstrap.")
        return False


def _build_with_docker(
    client: docker.DockerClient,
    definition: Definition,
    progress: Progress,
    arguments: dict[str, str],
    ca_bundle: bytes,
    is_forced: bool,
) -> None:
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        for path in sorted(definition.folder.iterdir()):
            tar.add(path, path.name)
        if ca_bundle and definition.parent is not None:
            info = tarfile.TarInfo(CA_BUNDLE)
            info.size, info.mode = len(ca_bundle), 0o644
            tar.addfile(info, io.BytesIO(ca_bundle))
            arguments = {**arguments, "APT_OPTIONS": f"-o Acquire::https::CAInfo=/tmp/image/{CA_BUNDLE}"}
    proxies = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    context.seek(0)
    last: list[str] = []
    events = client.api.build(
        fileobj=context,
        custom_context=True,
        tag=definition.image,
        buildargs={**arguments, **proxies},
        labels={DIGEST_LABEL: definition.digest},
        nocache=is_forced,
        rm=True,
        forcerm=True,
        decode=True,
    )
    for event in events:
        for line in str(event.get("stream", "")).splitlines():
            if line.strip():
                last = [*last[-MAX_ERROR_LINES:], line]
                progress(line)
        if "error" in event:
            raise ImageError(f"docker build of {definition.image} failed: {event['error']}\n" + "\n".join(last))


def _build_with_debootstrap(client: docker.DockerClient, definition: Definition, progress: Progress) -> None:
    program = shutil.which("debootstrap") or shutil.which("debootstrap", path="/usr/sbin:/sbin")
    if program is None:
        raise ImageError("debootstrap is missing. Run: apt-get install debootstrap")
    if os.geteuid() != 0:
        raise ImageError(
            f"Making {definition.image} without a registry needs root. "
            f"Run once: sudo .venv/bin/python manage.py build_images {definition.name}"
        )
    with _scratch() as folder:
        root = folder / "root"
        argv = [program, "--variant=minbase", f"--include={','.join(definition.packages)}", SUITE, str(root)]
        _run(argv, progress)
        _finish_root(root)
        progress("Importing the file system into the engine ...")
        changes = [
            f"LABEL {DIGEST_LABEL}={definition.digest}",
            "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "WORKDIR /codebuild",
            'CMD ["bash"]',
        ]
        _import(client, root, definition.image, changes)


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    """An empty folder that is gone afterwards. What killed processes left of theirs goes first."""
    for left in Path(tempfile.gettempdir()).glob(f"{SCRATCH_PREFIX}*"):
        pid = left.name.removeprefix(SCRATCH_PREFIX).partition("-")[0]
        if pid.isdigit() and not Path("/proc", pid).exists():
            _remove(left)
    folder = Path(tempfile.mkdtemp(prefix=f"{SCRATCH_PREFIX}{os.getpid()}-"))
    try:
        yield folder
    finally:
        _remove(folder)


def _remove(folder: Path) -> None:
    """Delete a folder in which debootstrap may have been interrupted: what it mounted is let go of before."""
    mounted = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for target in sorted((one for one in mounted if one.startswith(f"{folder}/")), reverse=True):
        subprocess.run(["umount", "--lazy", target], check=False)
    subprocess.run(["rm", "-rf", "--one-file-system", "--", str(folder)], check=False)


def _run(argv: list[str], progress: Progress) -> None:
    """Run debootstrap, every line of it as progress."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    last: list[str] = []
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        start_new_session=True,
    )

    def kill() -> None:
        # With its children: dpkg in a chroot would go on writing into the folder.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    timer = threading.Timer(DEBOOTSTRAP_SECONDS, kill)
    timer.start()
    try:
        assert process.stdout is not None
        for line in process.stdout:
            last = [*last[-MAX_ERROR_LINES:], line.rstrip()]
            progress(line.rstrip())
        if process.wait() != 0:
            raise ImageError(f"debootstrap ended with {process.returncode}:\n" + "\n".join(last))
    finally:
        timer.cancel()
        kill()
        process.stdout.close()  # type: ignore[union-attr]
        process.wait()


def _finish_root(root: Path) -> None:
    """What a container wants beside debootstrap's result."""
    sources = root / "etc/apt/sources.list"
    first = next((line for line in sources.read_text().splitlines() if line.startswith("deb ")), "")
    mirror = first.split()[1] if first else ""
    if mirror.endswith("/debian"):
        lines = [first, f"deb {mirror} {SUITE}-updates main", f"deb {mirror}-security {SUITE}-security main"]
        sources.write_text("\n".join(lines) + "\n")
    # apt inside a container keeps no downloaded packages and starts no services.
    (root / "etc/apt/apt.conf.d/container").write_text('APT::Keep-Downloaded-Packages "false";\n')
    policy = root / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    for name in ("etc/hostname", "etc/resolv.conf", "etc/machine-id"):
        (root / name).write_text("")
    (root / "codebuild").mkdir(exist_ok=True)


def _import(client: docker.DockerClient, root: Path, image: str, changes: list[str]) -> None:
    reading, writing = os.pipe()
    failure: list[BaseException] = []

    def write() -> None:
        try:
            with os.fdopen(writing, "wb") as pipe:
                _write_tar(root, pipe)
        except BaseException as error:  # handed to the importing thread, which raises it
            failure.append(error)

    thread = threading.Thread(target=write, name="image-tar", daemon=True)
    thread.start()
    with os.fdopen(reading, "rb") as pipe:
        answer = client.api.import_image_from_stream(_pieces(pipe), repository=image, tag="latest", changes=changes)
    thread.join()
    if failure:
        raise ImageError(f"Packing {image} failed: {failure[0]}") from failure[0]
    if '"error"' in answer:
        raise ImageError(f"The engine refused to import {image}: {_first_line(answer)}")


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(1 << 20):
        yield piece


def _write_tar(root: Path, target: IO[bytes]) -> None:
    """The tree as a tar that depends on nothing but its content: sorted names, one date, numeric owners."""
    with tarfile.open(fileobj=target, mode="w|", format=tarfile.GNU_FORMAT) as tar:

        def add(path: Path, name: str) -> None:
            info = tar.gettarinfo(str(path), name)
            if info is None or LEFT_OUT.match(name):  # sockets have no place in a tar
                return
            info.mtime, info.uname, info.gname = EPOCH_SECONDS, "", ""
            if info.isreg():
                with path.open("rb") as file:
                    tar.addfile(info, file)
                return
            tar.addfile(info)
            if info.isdir():
                for child in sorted(path.iterdir()):
                    add(child, f"{name}/{child.name}")

        add(root, ".")


def _first_line(text: Any) -> str:
    return (str(text).strip().splitlines() or [""])[0]
