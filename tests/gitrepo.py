"""Real bare repositories in tmp_path, made by git itself.

Commits are made with fast-import, so that any refname, mode, path or date may be had. Dates advance by a minute a
commit: oids are the same in every run.
"""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from repos.git import store
from repos.git.store import BareRepository

START = 1_500_000_000
AUTHOR = "Ada Lovelace <ada@example.com>"
COMMITTER = "Carl Committer <carl@example.com>"

Content = str | bytes
# A path's new content; with another mode than 100644 as (mode, content); None deletes it.
Change = Content | tuple[str, Content] | None

ENVIRONMENT = {
    "PATH": os.environ.get("PATH", os.defpath),
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_AUTHOR_NAME": "Ada Lovelace",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_AUTHOR_DATE": f"{START} +0000",
    "GIT_COMMITTER_NAME": "Carl Committer",
    "GIT_COMMITTER_EMAIL": "carl@example.com",
    "GIT_COMMITTER_DATE": f"{START} +0000",
    "LC_ALL": "C.UTF-8",
}


def create(root: Path) -> BareRepository:
    """An empty bare repository as the product makes it."""
    return store.create_repository(root, str(uuid.uuid4()))


def git(where: BareRepository | Path, *args: Content, input: Content = b"") -> str:
    """The output of a git command there, stripped; its complaint is in the error where it fails."""
    path = where.path if isinstance(where, BareRepository) else where
    done = subprocess.run(["git", *args], cwd=path, input=_raw(input), capture_output=True, env=ENVIRONMENT)
    if done.returncode:
        raise AssertionError(f"git {args!r} ended with {done.returncode}: {done.stderr.decode(errors='replace')}")
    return done.stdout.decode("utf-8", "surrogateescape").strip()


def commit(
    repository: BareRepository,
    files: Mapping[str, Change],
    message: Content = "Change files",
    *,
    branch: str = "main",
    refname: str = "",
    parents: Sequence[str] | None = None,
    author: str = AUTHOR,
    committer: str = COMMITTER,
    at: int | None = None,
    zone: str = "+0000",
) -> str:
    """Commit changed files to a branch (or any refname) and return the commit's oid.

    `parents` are oids; left out, the ref's tip is the parent where there is one.
    """
    refname = refname or f"refs/heads/{branch}"
    if parents is None:
        tip = git(repository, "for-each-ref", "--format=%(objectname)", refname)
        parents = [tip] if tip else []
    if at is None:
        at = START + 60 * int(git(repository, "rev-list", "--all", "--count") or 0)
    stream = [
        f"commit {refname}\nauthor {author} {at} {zone}\ncommitter {committer} {at} {zone}\n",
        _data(message),
        *(f"{'merge' if index else 'from'} {oid}\n" for index, oid in enumerate(parents)),
    ]
    for path, change in files.items():
        quoted = '"' + path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
        if change is None:
            stream.append(f"D {quoted}\n")
        elif isinstance(change, tuple):
            mode, content = change
            inline = mode != "160000"
            stream += [f"M {mode} {'inline' if inline else str(content)} {quoted}\n", _data(content) if inline else ""]
        else:
            stream += [f"M 100644 inline {quoted}\n", _data(change)]
    if not parents:
        stream.insert(0, f"reset {refname}\n\n")
    git(repository, "fast-import", "--quiet", "--force", input=b"".join(map(_raw, stream)))
    return git(repository, "for-each-ref", "--format=%(objectname)", refname)


def update_ref(repository: BareRepository | Path, refname: Content, oid: str) -> None:
    """Point any ref at any object, or make it."""
    git(repository, "update-ref", "--stdin", input=b"update %s %s\n" % (_raw(refname), oid.encode()))


def tag(repository: BareRepository, name: str, oid: str, message: str = "") -> str:
    """A tag: annotated where there is a message. The oid that the tag's ref has."""
    made = oid
    if message:
        kind = git(repository, "cat-file", "-t", oid)
        body = f"object {oid}\ntype {kind}\ntag {name}\ntagger {COMMITTER} {START} +0000\n\n{message}\n"
        made = git(repository, "hash-object", "-t", "tag", "-w", "--stdin", input=body)
    update_ref(repository, f"refs/tags/{name}", made)
    return made


def blob(repository: BareRepository, content: Content) -> str:
    """A blob that no ref reaches."""
    return git(repository, "hash-object", "-w", "--stdin", input=content)


def _data(content: Content) -> bytes:
    raw = _raw(content)
    return b"data %d\n%s\n" % (len(raw), raw)


def _raw(content: Content) -> bytes:
    return content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape")
