"""What a source version means: a branch, a tag, a commit id whole or shortened, `REF^{COMMIT}`, or a pull request.

Source: AWS CodeBuild User Guide, "Source version sample".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from codeservices.errors import NotFound
from repos.git import objects, program, refs, revspec
from repos.git.store import BareRepository

# `refs/heads/B^{OID}`: this ref, at this commit, whatever was pushed since.
_PINNED = re.compile(r"(?P<ref>.+)\^\{(?P<oid>[0-9a-fA-F]{40})\}")
# Shorter ones are nobody's way to name a commit; git's own default is seven digits.
_SHORT = re.compile(r"[0-9a-fA-F]{7,39}")
_REQUEST = re.compile(r"(?:pr|mr)/([1-9][0-9]{0,9})")


@dataclass(frozen=True)
class Version:
    """A source version taken apart.

    Attributes:
        name: What is to be a ref, or "" where none is named; HEAD is "".
        oid: The whole commit id, or "".
        short: The beginning of a commit id, which may be a ref's name as well, or "".
    """

    name: str
    oid: str
    short: str

    def refnames(self) -> list[str]:
        """The full refnames that may be meant, in that order; GitHub's and GitLab's refs of requests among them.

        A full refname is itself before all else: no branch that is called `refs/heads/main` takes its place.
        """
        if not self.name:
            return []
        found = [self.name] if self.name.startswith("refs/") else []
        found += [f"{refs.HEADS}{self.name}", f"{refs.TAGS}{self.name}"]
        if request := _REQUEST.fullmatch(self.name):
            found += [f"refs/pull/{request[1]}/head", f"refs/merge-requests/{request[1]}/head"]
        return found


def parse(text: str) -> Version:
    """Take a source version apart; "" and HEAD are the default branch."""
    if pinned := _PINNED.fullmatch(text):
        return Version(pinned["ref"], pinned["oid"].lower(), "")
    if refs.OID.fullmatch(text.lower()):
        return Version("", text.lower(), "")
    name = "" if text == "HEAD" else text
    return Version(name, "", text.lower() if _SHORT.fullmatch(text) else "")


def resolve(repository: BareRepository, version: Version) -> tuple[str, str]:
    """The commit in a repository, and the full refname that was named or "".

    Raises:
        NotFound: Nothing is called that; the message and its hint say what is.
    """
    if version.oid:
        oid = revspec.resolve_revision(repository, version.oid).oid
        named = next((one for one in version.refnames() if refs.tip(repository, one)), version.name)
        return oid, named if named.startswith("refs/") else ""
    for refname in version.refnames():
        if refs.tip(repository, refname) is not None:
            return revspec.resolve_revision(repository, refname).oid, refname
    if version.short:
        oid = _abbreviated(repository, version.short)
        if oid:
            return oid, ""
    found = revspec.resolve_revision(repository, version.name or "HEAD")
    return found.oid, found.refname or ""


def _abbreviated(repository: BareRepository, short: str) -> str:
    """The commit whose id begins so, or ""; raises NotFound where there are several."""
    answer = program.run(repository, ["rev-parse", f"--disambiguate={short}"]).decode("ascii").split()
    commits = [oid for oid in answer if objects.read(repository, oid)[0] == "commit"]
    if len(commits) > 1:
        raise NotFound(f"“{short}” is the beginning of {len(commits)} commit ids.", hint="Give more of its digits.")
    return commits[0] if commits else ""
