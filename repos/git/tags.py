"""What a tag is of and who made it; also tags of files and folders, and tags without a tagger or a date."""

from __future__ import annotations

from dataclasses import dataclass

from codeservices.errors import NotFound
from repos.git import log, objects, signatures
from repos.git.objects import Kind
from repos.git.store import BareRepository


@dataclass(frozen=True)
class Tag:
    """One tag.

    Attributes:
        oid: What the ref points at: a tag object where the tag is annotated.
        kind: Of what is tagged in the end; None where that is missing or damaged.
        target_oid: Its oid.
        tagger: NOBODY for a lightweight tag.
        subject, body: Of the annotation, without its signature.
        signature_kind: Of which kind the annotation's signature is, where it has one. It is not verified.
        commit: What is tagged, where it is a commit.
    """

    oid: str
    kind: Kind | None
    target_oid: str
    tagger: log.Signature
    subject: str
    body: str
    commit: log.Commit | None
    signature_kind: signatures.Kind | None = None


def describe(repository: BareRepository, oid: str) -> Tag:
    """The tag whose ref points at `oid`. Nothing odd about it raises; what is missing has the kind None."""
    try:
        outer_kind, data = objects.read(repository, oid)
        # An annotation is written like a commit: headers, a blank line, a message.
        data, signature = signatures.split_tag(data)
        annotation = log.parse(oid, data) if outer_kind == "tag" else None
        kind, target_oid, target = objects.peel(repository, oid)
    except NotFound:
        return Tag(oid, None, oid, log.NOBODY, "", "", None)
    return Tag(
        oid=oid,
        kind=kind,
        target_oid=target_oid,
        tagger=annotation.tagger if annotation else log.NOBODY,
        subject=annotation.subject if annotation else "",
        body=annotation.body if annotation else "",
        commit=log.parse(target_oid, target) if kind == "commit" else None,
        signature_kind=signatures.kind_of(signature) if annotation and signature else None,
    )
