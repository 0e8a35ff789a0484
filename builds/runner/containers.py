"""A build's container: its limits, its capabilities, what privileged mode adds to them, and how it came to its end."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import docker
import docker.types

from builds.runner import agent, engine, network
from builds.runner.executor import Note, PhaseError, Spec
from builds.runner.image import Image

# What apt-get, pip and su need of root, and no more. Not among them: NET_RAW, MKNOD, AUDIT_WRITE and all of the host's.
CAPABILITIES = (
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
    "SETFCAP",
)
# By their numbers, as far as Engine 20.10 knows them. Source: capabilities(7) and linux/capability.h.
ALL_CAPABILITIES = (
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
)
# Enough for a parallel compiler run, small enough that a fork bomb stays inside the container.
MAX_PROCESSES = 4096
# The rest of the host's memory is the server's own, whose processes the kernel would end for a build's otherwise.
HOST_MEMORY_SHARE = 0.9
# Files of an engine inside the container: its storage can't lie on the container's own layers.
NESTED_ENGINE_FILES = "/var/lib/docker"
# What Docker calls the processors that uname(2) names.
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}
_DEAD = "Build container found dead before completing the build."
_UNCONFINED = ["seccomp=unconfined", "apparmor=unconfined", "label=disable"]


def create(
    client: docker.DockerClient,
    host: Mapping[str, Any],
    spec: Spec,
    image_id: str,
    name: str,
    network_name: str,
    labels: Mapping[str, str],
    note: Note,
) -> Any:
    """The container, which does not run yet. Nothing of the host is mounted into it.

    Args:
        host: What the engine tells of its machine (`docker info`).
        network_name: Of its network, which need not be there before it starts.
    """
    memory_bytes, cpus = clamp(spec, host, note)
    options: dict[str, Any] = {
        "init": True,
        "network_mode": network_name,
        "extra_hosts": {network.HOST_NAME: "host-gateway"},
        "pids_limit": MAX_PROCESSES,
        "mem_limit": memory_bytes,
        "memswap_limit": memory_bytes,
        "nano_cpus": int(cpus * 1e9),
        "log_config": docker.types.LogConfig(type="none"),
        **(_privileged(note) if spec.is_privileged else _confined()),
    }
    host_config = client.api.create_host_config(**options)
    if spec.is_privileged:
        # Mounts and /proc as they are, which an engine inside changes for its own containers.
        host_config |= {"MaskedPaths": [], "ReadonlyPaths": []}
    made = client.api.create_container(
        image_id,
        name=name,
        entrypoint=["/bin/sh", f"{agent.READONLY}/agent.sh"],
        user="0:0",
        stdin_open=True,
        labels=dict(labels),
        volumes=[NESTED_ENGINE_FILES] if spec.is_privileged else None,
        host_config=host_config,
        healthcheck={"test": ["NONE"]},
    )
    return client.containers.get(made["Id"])


def _confined() -> dict[str, Any]:
    return {"cap_drop": ["ALL"], "cap_add": list(CAPABILITIES), "security_opt": ["no-new-privileges"]}


def _privileged(note: Note) -> dict[str, Any]:
    """The engine's privileged mode, or, where this host has not all capabilities to give, those that it has.

    The engine refuses `privileged` there when the container starts: it would have to give what it lacks.
    """
    held = bounding_set()
    if set(ALL_CAPABILITIES) <= held:
        note("Running in privileged mode")
        return {"privileged": True}
    missing = ", ".join(one for one in ALL_CAPABILITIES if one not in held)
    note(f"Running in privileged mode with the capabilities that this host has: all but {missing}")
    return {
        "cap_drop": ["ALL"],
        "cap_add": [one for one in ALL_CAPABILITIES if one in held],
        "security_opt": _UNCONFINED,
        "device_cgroup_rules": ["a *:* rwm"],
    }


def bounding_set(status: Path = Path("/proc/1/status")) -> set[str]:
    """The capabilities that this host has to give; all of them where it doesn't say. Source: proc(5), CapBnd."""
    try:
        lines = status.read_text().splitlines()
    except OSError:
        return set(ALL_CAPABILITIES)
    bits = next((int(line.split()[1], 16) for line in lines if line.startswith("CapBnd:")), -1)
    return {name for number, name in enumerate(ALL_CAPABILITIES) if bits >> number & 1}


def clamp(spec: Spec, host: Mapping[str, Any], note: Note) -> tuple[int, float]:
    """Memory and CPUs of the compute type, no more than the host can give: the engine refuses more CPUs."""
    cpus = min(spec.cpus, float(host["NCPU"]))
    memory_bytes = min(spec.memory_bytes, int(host["MemTotal"] * HOST_MEMORY_SHARE))
    if (memory_bytes, cpus) != (spec.memory_bytes, spec.cpus):
        note(
            f"The compute type asks for {spec.cpus:g} vCPUs and {spec.memory_bytes / 2**30:.3g} GiB; "
            f"this host gives {cpus:g} and {memory_bytes / 2**30:.3g} GiB"
        )
    return memory_bytes, cpus


def times_out_of_memory(container: Any, *, is_patient: bool = False) -> int:
    """How often the engine saw the kernel end a process of the container for its memory; its state says so at its end.

    Args:
        is_patient: Wait up to a second for what the engine has not heard of yet.
    """
    # The engine keeps few events, so that all of them may be asked for, whatever its clock does.
    until = int(time.time()) + 1 if is_patient else f"{time.time():.6f}"
    filters = {"container": container.id, "event": "oom"}
    try:
        return sum(1 for _ in container.client.api.events(filters=filters, since=1, until=until, decode=True))
    except engine.ENGINE_ERRORS:
        return 0


def start_error(error: BaseException, image: Image | None) -> PhaseError:
    """Why a container could not be started: an image that can't run here is not the engine's fault."""
    reason = str(getattr(error, "explanation", None) or error)
    if any(words in reason for words in ("exec format error", "no such file or directory", "permission denied")):
        return PhaseError("INTERNAL_SERVICE_ERROR", f"{_DEAD} {_no_shell(image)}", is_fault=True)
    return engine.fault("start the build's container", error)


def death(container: Any, image: Image | None) -> PhaseError:
    """Why a container is no more that nobody ended."""
    try:
        container.reload()
        state = dict(container.attrs["State"])
    except engine.ENGINE_ERRORS:
        state = {}
    if not state:
        why = "Docker Engine does not answer or no longer knows it."
    elif state.get("OOMKilled") or times_out_of_memory(container):
        why = f"It ran out of memory: its limit is {container.attrs['HostConfig']['Memory'] / 2**30:.3g} GiB."
    elif state.get("ExitCode") in (126, 127) or _other_processor(image):
        why = _no_shell(image)
    else:
        why = f"It ended with exit status {state.get('ExitCode')}. {state.get('Error') or ''}".strip()
    return PhaseError("INTERNAL_SERVICE_ERROR", f"{_DEAD} {why}", is_fault=True)


def _no_shell(image: Image | None) -> str:
    return _other_processor(image) or "The image has no shell /bin/sh that works."


def _other_processor(image: Image | None) -> str:
    """What there is to say of an image that is made for other machines than this one; "" of others."""
    machine = platform.machine()
    here = _ARCHITECTURES.get(machine, machine)
    if image is None or image.architecture in ("", here):
        return ""
    return f"The image is made for {image.architecture} and this host is {here}."
