"""Sources on other git servers: fetched into a repository of the build's own, which goes when the build has its files.

How git connects, and where it may not, is `repos/git/remote.py`'s: judged and pinned addresses, no redirects, HTTPS
alone, credentials out of sight. Here is what a source version means there, and CodeBuild's words where it fails.
"""

from __future__ import annotations

import difflib
import re
import shutil
import uuid

from django.conf import settings

from builds.runner.executor import PhaseError
from builds.sources import logins, versions
from builds.sources.clones import Clone
from builds.sources.versions import Version
from builds.sources.wanted import Wanted, sentence
from codeservices import sizes
from codeservices.errors import InvalidInput, NotFound, ServiceError
from codeservices.outbound import OutboundRefused
from repos.git import disk, refs, remote, store
from repos.git.remote_errors import RemoteError
from repos.git.store import BareRepository

BRANCHES_AND_TAGS = (f"{refs.HEADS}*", f"{refs.TAGS}*")
# So much of a URL is told where it is none.
MAX_SHOWN = 200
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
# What servers that hand out no single commits answer is worded by each in its own way.
_ONLY_REFS = ("RemoteFailed", "RemoteProtocolError")


def find(wanted: Wanted) -> Clone:
    """The commit of a source of one of the GitHub, GitLab and Bitbucket types, fetched.

    Raises:
        PhaseError: CLIENT_ERROR in CodeBuild's words.
        Interrupted: By `wanted.check`.
    """
    return fetch(wanted, wanted.location)


def fetch(wanted: Wanted, url: str) -> Clone:
    """Fetch what the wanted version of the repository at a URL needs; raises as `find`."""
    version = versions.parse(wanted.version)
    try:
        remote.check_url(url)  # a submodule's is whatever somebody has pushed
        login = logins.login_for(wanted, url)
        there = remote.open_remote(
            url,
            settings.OUTBOUND_RULES,
            user_name=login.user_name,
            password=login.password,
            ca_bundle=settings.OUTBOUND_CA_BUNDLE,
            verifies_certificate=_verifies_certificate(wanted, url),
        )
        repository = store.create_apart(wanted.scratch / f"{uuid.uuid4().hex}.git")
        wanted.keep.callback(repository.close)
        advertised = there.refs(repository, wanted.check)
        refname = _refname(wanted, version, advertised)
        _bring(wanted, there, repository, version, refname, advertised)
    except RemoteError as error:
        raise _refused(wanted, error, url, has_login=bool(login)) from error
    except (OutboundRefused, InvalidInput) as error:
        raise wanted.refused(f"unable to access {refs.shown(url[:MAX_SHOWN])}", sentence(error)) from error
    try:
        known = Version(refname, version.oid, version.short) if refname or version.oid else version
        oid, named = versions.resolve(repository, known)
    except NotFound as error:
        raise wanted.refused("reference not found", sentence(error)) from error
    return Clone(wanted, f"{wanted.root}/{_folder_name(url)}", url, repository, oid, named, is_own=False, login=login)


def _verifies_certificate(wanted: Wanted, url: str) -> bool:
    """insecureSsl is said of the source's own server: submodules on others go there as everybody does, since the
    credentials that are stored for those go along."""
    return not wanted.source.get("insecureSsl") or logins.host_of(url) != logins.host_of(wanted.location)


def _folder_name(url: str) -> str:
    """The folder of the clone: the repository's name, where every shell can take it as it is."""
    name = url.rstrip("/").rpartition("/")[2].removesuffix(".git")
    return name if _PLAIN_NAME.fullmatch(name) else "source"


def _refname(wanted: Wanted, version: Version, advertised: remote.RemoteRefs) -> str:
    """The ref that is meant, in full; "" where it is a commit id that is meant."""
    if not advertised.refs:
        why = "There is no branch and no tag: the repository is empty, or the URL is that of a page."
        raise wanted.refused("reference not found", why)
    found = next((one for one in version.refnames() if one in advertised.refs), "")
    if found or version.oid or version.short:
        return found
    if not version.name:
        if advertised.head not in advertised.refs:
            raise wanted.refused("reference not found", "The repository has no default branch: name a branch or a tag.")
        return advertised.head or ""
    names = [one.split("/", 2)[-1] for one in advertised.refs if one.startswith((refs.HEADS, refs.TAGS))]
    near = difflib.get_close_matches(version.name, names[:1000], n=1)
    hint = f" Did you mean “{refs.shown(near[0])}”?" if near else ""
    why = f"No branch, tag or commit is called “{refs.shown(version.name[:256])}”.{hint}"
    raise wanted.refused("reference not found", why)


def _bring(
    wanted: Wanted,
    there: remote.Remote,
    repository: BareRepository,
    version: Version,
    refname: str,
    advertised: remote.RemoteRefs,
) -> None:
    """Fetch as little as the version and the depth allow; a server that gives no single commits gives all."""
    depth = wanted.depth
    if version.oid and depth:
        try:
            _fetch(wanted, there, repository, [version.oid], depth)
            return
        except RemoteError as error:
            if error.code not in _ONLY_REFS:
                raise
    elif refname and depth:
        _fetch(wanted, there, repository, [refname], depth)
        return
    everything = [*BRANCHES_AND_TAGS]
    if refname and not refname.startswith((refs.HEADS, refs.TAGS)):
        everything.append(refname)
    _fetch(wanted, there, repository, everything, 0)
    if version.oid and not _has(repository, version.oid) and version.oid not in advertised.refs.values():
        # A commit that no branch leads to any more; the server may still have it.
        try:
            _fetch(wanted, there, repository, [*everything, version.oid], 0)
        except RemoteError as error:
            if error.code not in _ONLY_REFS:
                raise


def _fetch(wanted: Wanted, there: remote.Remote, repository: BareRepository, patterns: list[str], depth: int) -> None:
    """Fetch, and give the refs the names that they have at the other end."""
    found = there.fetch(
        repository,
        patterns,
        lambda progress: wanted.check(),
        max_bytes=_room_bytes(wanted, repository),
        tolerates_identity_defects=True,
        depth=depth,
    )
    lines = sorted(refs.encode(f"{oid} {refname}\n") for refname, oid in found.items())
    (repository.path / "packed-refs").write_bytes(b"".join(lines))
    shutil.rmtree(repository.path / remote.INCOMING, ignore_errors=True)
    repository.close()  # opened anew, it sees the new packs


def _room_bytes(wanted: Wanted, repository: BareRepository) -> int:
    """What a fetch may bring: what the build's other fetches have left of that. A source may have a hundred submodules,
    and all of them lie on this host until the container has its files."""
    others = [one for one in wanted.scratch.iterdir() if one != repository.path]
    taken = sum(file.stat(follow_symlinks=False).st_size for one in others for file in disk.files(one))
    return max(settings.BUILD_SOURCE_MAX_BYTES - taken, 0)


def _has(repository: BareRepository, oid: str) -> bool:
    try:
        versions.resolve(repository, Version("", oid, ""))
    except NotFound:
        return False
    return True


def _refused(wanted: Wanted, error: ServiceError, url: str, *, has_login: bool) -> PhaseError:
    why = sentence(error)
    if error.code == "AuthenticationFailed" and not has_login:
        if logins.unbound(wanted):
            why += (
                f" The stored {wanted.kind} credentials are bound to no host yet: somebody who may import credentials"
                " has to name it, or to save this project."
            )
        return wanted.refused("authentication required", why)
    if error.code == "QuotaExceeded":
        most = sizes.words(settings.BUILD_SOURCE_MAX_BYTES)
        why = f"It is larger than what is left of the {most} that all sources of a build may have together."
    if error.code == "AuthenticationFailed":
        return wanted.refused("authorization failed", why)
    if error.code in ("RemoteNotFound", "RemoteMoved"):
        return wanted.refused("repository not found", why)
    return wanted.refused(f"unable to fetch {url}", why)
