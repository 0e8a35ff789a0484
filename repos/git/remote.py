"""Repositories on other people's servers: what refs they have, and fetching from them with progress.

The server connects only to addresses that `outbound` has judged: git is told which address a host has and asks no name
server, follows no redirect, speaks http and https alone, and takes no part of a pack from elsewhere. Credentials go
through the environment, which only this user can read; never through arguments, which everybody can.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import ipaddress
import os
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from codeservices import outbound, sizes
from codeservices.errors import InvalidInput, ServiceError
from codeservices.timed_socket import TimedSocket, seconds_left
from repos.git import program, refs
from repos.git.configuration import TOLERATED_DEFECTS
from repos.git.progress import Progress, ProgressReader
from repos.git.remote_errors import IDENTITY_DEFECTS, STALL_SECONDS, RemoteError, explained
from repos.git.store import BareRepository

LIST_SECONDS = 20.0
# A clone of the largest projects takes an hour on a slow line; after this a server only pretends to send.
FETCH_SECONDS = 4 * 3600.0
MAX_REFS = 50_000
MAX_LIST_BYTES = 32 * 1024 * 1024
# Where the refs of another server lie in the repository that is fetched into.
INCOMING = "refs/incoming/"
# What a commit that is fetched by its oid is called.
OIDS = "refs/oids/"

_CONFIGURATION: Mapping[str, str] = {
    "protocol.file.allow": "never",
    "http.proxy": "",
    "http.followRedirects": "false",
    "http.lowSpeedLimit": "1",
    "http.lowSpeedTime": str(STALL_SECONDS),
    "http.maxRequests": "2",
    "http.sslVerify": "true",
    "http.delegation": "none",
    "http.emptyAuth": "false",
    "credential.helper": "",
    "core.askPass": "",
    "transfer.bundleURI": "false",
    "transfer.credentialsInUrl": "die",
    "fetch.uriProtocols": "",
    "fetch.recurseSubmodules": "false",
    "fetch.writeCommitGraph": "false",
    "fetch.parallel": "1",
    "fetch.showForcedUpdates": "false",
    "fetch.unpackLimit": "1",  # always a pack: moving it into place is one step
    # Only what becomes part of a repository must outlive a power cut; the refs of a quarantine need not.
    "core.fsync": "objects,derived-metadata",
    **{f"fetch.fsck.{defect}": "ignore" for defect in TOLERATED_DEFECTS},
}
_SHA256_OID = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class RemoteRefs:
    """What a server advertises: refname to oid, and the branch (in full) that its HEAD points at, if any."""

    refs: Mapping[str, str]
    head: str | None


@dataclass(frozen=True)
class Remote:
    """A repository on another server whose addresses were judged; use it soon, since names move.

    Attributes:
        verifies_certificate: Whether the server has to be who it says; not so only where its user asks for that.
    """

    url: str
    destination: outbound.Destination
    user_name: str = ""
    password: str = field(default="", repr=False)
    ca_bundle: str = ""
    verifies_certificate: bool = True

    def refs(self, quarantine: BareRepository, check: Callable[[], None] | None = None) -> RemoteRefs:
        """Ask for the refs; `check` is called twice a second and may raise. Raises RemoteError."""
        try:
            answer = program.run(
                quarantine,
                ["ls-remote", "--symref", "--end-of-options", self.url],
                timeout_seconds=LIST_SECONDS,
                max_output_bytes=MAX_LIST_BYTES,
                environment=self._environment(),
                options=program.Options(configuration=self._configuration(), check=check),
            )
        except program.GitOutputTooLarge:
            raise _too_many_refs() from None
        except program.GitError as error:
            raise self._explained(error) from None
        found, head = {}, None
        for line in refs.decode(answer).split("\n"):
            left, _, refname = line.partition("\t")
            if left.startswith("ref: ") and refname == "HEAD":
                head = left.removeprefix("ref: ")
            elif refs.OID.fullmatch(left) and not refname.endswith("^{}"):
                found[refname] = left
            elif _SHA256_OID.fullmatch(left):
                raise RemoteError(
                    f"The repository at {urlsplit(self.url).hostname} names its objects by SHA-256; "
                    "this server keeps SHA-1 ones.",
                    code="ObjectFormatNotSupported",
                    hint="Its history has to be written anew with SHA-1, for example with git fast-export.",
                )
        found.pop("HEAD", None)
        if len(found) > MAX_REFS:
            raise _too_many_refs()
        return RemoteRefs(found, head)

    def fetch(
        self,
        quarantine: BareRepository,
        patterns: Sequence[str],
        on_progress: Callable[[Progress | None], None],
        *,
        max_bytes: int,
        tolerates_identity_defects: bool = False,
        depth: int = 0,
    ) -> dict[str, str]:
        """Fetch refs and their objects into a quarantine, every object checked.

        Args:
            patterns: Full refnames, or such with one `*`; or oids, which become `OIDS` and the oid.
            on_progress: Called at least twice a second, with None where nothing is new; what it raises ends the fetch.
            max_bytes: What the quarantine may come to.
            tolerates_identity_defects: Let IDENTITY_DEFECTS pass.
            depth: How many commits deep the history goes; 0 is all of it.

        Returns:
            Refname to oid, as the other server has them.

        Raises:
            RemoteError: Nothing of it may be used.
        """
        defects = IDENTITY_DEFECTS if tolerates_identity_defects else ()
        configuration = self._configuration() | {f"fetch.fsck.{defect}": "ignore" for defect in defects}
        specs = [f"+{one}:{INCOMING}{_refname(one).removeprefix('refs/')}" for one in patterns]
        args = ["fetch", "--progress", "--no-tags", "--no-write-fetch-head", "--no-auto-gc"]
        args += [f"--depth={depth}", "--end-of-options"] if depth else ["--end-of-options"]
        deadline = time.monotonic() + FETCH_SECONDS
        reader = ProgressReader()
        started = program.watch(
            quarantine, [*args, self.url, *specs], environment=self._environment(), configuration=configuration
        )
        try:
            with contextlib.closing(started) as pieces:  # whatever ends the loop, git is gone after it
                for piece in pieces:
                    on_progress(reader.feed(piece))
                    if _size_bytes(quarantine) > max_bytes:
                        raise _too_large(max_bytes)
                    # The server may name more now than when it was asked for its refs; each is a file here.
                    if reader.ref_count > MAX_REFS:
                        raise _too_many_refs()
                    if time.monotonic() > deadline:
                        raise RemoteError(
                            f"The fetch took longer than {FETCH_SECONDS / 3600:g} hours and was ended.",
                            code="RemoteTimeout",
                        )
        except program.GitError as error:
            raise self._explained(error) from None
        if not reader.has_received and _size_bytes(quarantine):
            # Files fetched one by one from a plain web server are not checked on the way in.
            raise RemoteError(
                "The server does not speak git's smart HTTP protocol, only the old one for plain web servers.",
                code="DumbServer",
                hint="Clone the repository and push it here instead.",
            )
        offset = len(INCOMING)
        return {
            f"refs/{name[offset:]}": oid for name, oid in refs.all_refs(quarantine).items() if name.startswith(INCOMING)
        }

    def _configuration(self) -> dict[str, str]:
        there = self.destination
        made = {**_CONFIGURATION, f"protocol.{there.scheme}.allow": "always"}
        if not _is_address(there.host):
            addresses = [f"[{one}]" if ":" in one else one for one in there.addresses]
            made["http.curloptResolve"] = f"{_host(there)}:{there.port}:{','.join(addresses)}"
        if self.ca_bundle:
            made["http.sslCAInfo"] = self.ca_bundle
        if not self.verifies_certificate:
            made["http.sslVerify"] = "false"
        return made

    def _environment(self) -> dict[str, str]:
        if not self.user_name and not self.password:
            return {}
        return {
            "GIT_CONFIG_COUNT": "1",
            # To this server alone, whatever else git might be led to.
            "GIT_CONFIG_KEY_0": f"http.{_origin(self.destination)}/.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {self._basic()}",
        }

    def _basic(self) -> str:
        return base64.b64encode(f"{self.user_name}:{self.password}".encode()).decode("ascii")

    def _explained(self, error: program.GitError) -> RemoteError:
        host = self.destination.host
        if isinstance(error, program.GitTimeout):
            return RemoteError(f"{host} did not answer within {LIST_SECONDS:g} seconds.", code="RemoteTimeout")
        said = error.complaint
        # A server can say back what it was sent.
        for secret in filter(None, (self.password, self._basic() if self.password else "")):
            said = said.replace(secret, "********")
        found = explained(said, host, has_credentials=bool(self.user_name or self.password))
        return self._moved(found) if found.code == "RemoteMoved" else found

    def _moved(self, found: RemoteError) -> RemoteError:
        """A redirect is not followed, since it may lead anywhere; where it leads is told."""
        target, is_git, _ = _location(self).partition("/info/refs?service=git-upload-pack")
        if not is_git or not target.startswith(("http://", "https://")):
            return found
        hint = "Use that URL if you trust it."
        return RemoteError(f"The repository has moved to {target}.", code="RemoteMoved", hint=hint)


def open_remote(
    url: str,
    rules: outbound.Rules,
    *,
    user_name: str = "",
    password: str = "",
    ca_bundle: str = "",
    verifies_certificate: bool = True,
) -> Remote:
    """Look at a URL and at where it leads.

    Raises:
        OutboundRefused: It leads where this server does not connect, or carries credentials.
        InvalidInput: It is no URL of a repository.
    """
    checked = check_url(url)
    return Remote(checked, outbound.resolve(checked, rules), user_name, password, ca_bundle, verifies_certificate)


def check_url(url: str) -> str:
    """The URL of a repository in the one form in which git and the guard see the same host.

    Raises:
        OutboundRefused: As `outbound.parse`.
        InvalidInput: It names no repository, or its host is a number in disguise.
    """
    there = outbound.parse(url)
    parts = urlsplit(url)
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise InvalidInput("The URL of a repository has neither ? nor #.")
    path = parts.path.rstrip("/")
    if not path:
        raise InvalidInput("The URL names a server, but no repository on it.")
    if any(unquote(one) in (".", "..") for one in path.split("/")):
        raise InvalidInput("The path of the URL may not have . or .. in it.")
    host = there.host.lower().rstrip(".")
    # Some resolvers read 2130706433 or 0x7f.1 as an address: what is left of one name must be one address.
    if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", host.rpartition(".")[2]) and not _is_address(host):
        raise InvalidInput(f"“{host}” is neither a name nor an address as they are usually written.")
    return f"{_origin(there)}{path}"


def _too_many_refs() -> RemoteError:
    return RemoteError(
        f"The repository has more refs than the {MAX_REFS:,} that this server takes.", code="TooManyRefs"
    )


def _too_large(max_bytes: int) -> RemoteError:
    return RemoteError(
        f"The repository is larger than the {sizes.words(max_bytes)} it may have here.",
        code="QuotaExceeded",
        hint="An administrator can raise the quota.",
    )


def _location(remote: Remote) -> str:
    """Where a redirect leads, or nothing where the server is no longer willing to tell within LIST_SECONDS."""
    there = remote.destination
    deadline = time.monotonic() + LIST_SECONDS
    head = [
        f"GET {urlsplit(remote.url).path}/info/refs?service=git-upload-pack HTTP/1.1",
        f"Host: {_origin(there).partition('://')[2]}",
        "User-Agent: git",
        "Connection: close",
    ]
    try:
        with _connect(there, remote.ca_bundle, deadline) as connection:
            timed = TimedSocket(connection, deadline)
            timed.sendall("\r\n".join([*head, "", ""]).encode("ascii"))
            response = http.client.HTTPResponse(timed, method="GET")  # type: ignore[arg-type]
            response.begin()
            location = response.headers.get("Location", "")
        outbound.parse(location.partition("?")[0])
    except (OSError, http.client.HTTPException, ValueError, ServiceError):
        return ""
    return location


def _connect(there: outbound.Destination, ca_bundle: str, deadline: float) -> socket.socket:
    """A connection to one of the judged addresses, whatever the name says by now."""
    raw = socket.create_connection((there.addresses[0], there.port), timeout=seconds_left(deadline))
    if there.scheme == "http":
        return raw
    try:
        raw.settimeout(seconds_left(deadline))
        return ssl.create_default_context(cafile=ca_bundle or None).wrap_socket(raw, server_hostname=_host(there))
    except BaseException:
        raw.close()
        raise


def _size_bytes(quarantine: BareRepository) -> int:
    return sum(_file_sizes(quarantine.path / "objects"))


def _file_sizes(folder: os.PathLike[str]) -> Iterator[int]:
    for root, _, names in os.walk(folder):
        for name in names:
            if name != "alternates":
                try:
                    yield Path(root, name).lstat().st_size
                except FileNotFoundError:  # git has just given it its final name
                    continue


def _refname(wanted: str) -> str:
    return f"{OIDS}{wanted}" if refs.OID.fullmatch(wanted) else wanted


def _host(there: outbound.Destination) -> str:
    return there.host.lower().rstrip(".")


def _origin(there: outbound.Destination) -> str:
    host = f"[{_host(there)}]" if ":" in there.host else _host(there)
    port = "" if there.port == outbound.DEFAULT_PORTS[there.scheme] else f":{there.port}"
    return f"{there.scheme}://{host}{port}"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
