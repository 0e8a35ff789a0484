"""Submodules of a source, where its project asks for them: each a clone of its own, in the folder where it belongs.

Source: gitmodules(5) and git-submodule(1) for relative URLs; AWS CodeBuild API Reference, "GitSubmodulesConfig".
"""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

from django.conf import settings

from builds import container
from builds.sources import own, remote, versions
from builds.sources.clones import Clone
from builds.sources.wanted import Wanted, sentence
from codeservices.errors import NotFound
from repos.git import refs, submodules
from repos.git.program import GitError

# A history that somebody pushed decides how many fetches a build makes.
MAX_LEVELS = 5
MAX_SUBMODULES = 100
_OWN_PATH = "/v1/repos/"


def with_submodules(wanted: Wanted, clone: Clone) -> Clone:
    """The clone with its submodules, where the source asks for them.

    Raises:
        PhaseError: One can't be fetched; the sentence says which.
    """
    config = wanted.source.get("gitSubmodulesConfig") or {}
    if not config.get("fetchSubmodules"):
        return clone
    return _with(wanted, clone, "", 1, [0])


def _with(wanted: Wanted, clone: Clone, above: str, level: int, count: list[int]) -> Clone:
    declared = submodules.declared(clone.repository, clone.oid)
    try:
        links = submodules.gitlinks(clone.repository, clone.oid) if declared else {}
    except GitError as error:  # a tree without end, above all
        raise wanted.refused("unable to fetch submodules", error.message) from error
    found: list[tuple[str, Clone]] = []
    for path, oid in links.items():
        if path not in declared:
            wanted.note(f"The submodule {refs.shown(above + path)} is left out: .gitmodules does not name it")
            continue
        count[0] += 1
        if level > MAX_LEVELS or count[0] > MAX_SUBMODULES:
            raise wanted.refused(
                "unable to fetch submodules",
                f"A source may have {MAX_SUBMODULES} of them, {MAX_LEVELS} in one another.",
            )
        wanted.check()
        wanted.note(f"Fetching the submodule {refs.shown(above + path)}")
        module = _clone(wanted, clone, above + path, path, declared[path].url, oid)
        found.append((declared[path].name, _with(wanted, module, f"{above}{path}/", level + 1, count)))
    return replace(clone, submodules=tuple(found))


def _clone(wanted: Wanted, parent: Clone, shown_path: str, path: str, given: str, oid: str) -> Clone:
    where = f"unable to fetch the submodule {refs.shown(shown_path)}"
    url = _absolute(parent.url, given)
    try:
        name = _own_name(parent, url)
        is_fetched = bool(name) or urlsplit(url).scheme == "https"
    except ValueError:
        name, is_fetched = "", False
    if not is_fetched:
        why = f"Its URL “{refs.shown(given[: remote.MAX_SHOWN])}” is none of HTTPS, and no other is fetched."
        raise wanted.refused(where, why)
    inside = replace(wanted, version=oid)
    if name:
        repository = own.repository(inside, name).git
        try:
            versions.resolve(repository, versions.parse(oid))
        except NotFound as error:
            raise wanted.refused(where, f"{sentence(error)} It is the commit that the source names.") from error
    else:
        return replace(remote.fetch(inside, url), directory=f"{parent.directory}/{path}")
    return Clone(inside, f"{parent.directory}/{path}", url, repository, oid, "", is_own=True)


def _absolute(parent_url: str, given: str) -> str:
    """A submodule's URL; one that begins with ./ or ../ goes from that of the repository it stands in."""
    if not given.startswith(("./", "../")):
        return given
    base, rest = parent_url.rstrip("/"), given
    while True:
        if rest.startswith("../"):
            base, rest = base.rpartition("/")[0], rest[3:]
        elif rest.startswith("./"):
            rest = rest[2:]
        else:
            return f"{base}/{rest}"


def _own_name(parent: Clone, url: str) -> str:
    """The name of the repository of this server that a URL is of, or ""."""
    parts = urlsplit(url)
    origins = [settings.BASE_URL, container.endpoint()]
    if parent.is_own:
        origins.append(container.origin_of(parent.url))
    path = parts.path.rstrip("/")
    if container.origin_of(url) not in origins or not path.startswith(_OWN_PATH):
        return ""
    return path.removeprefix(_OWN_PATH).removesuffix(".git")
