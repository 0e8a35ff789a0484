"""From another server into a repository: fetch into a quarantine, then move objects and refs in as a push does.

Until everything has arrived and was checked, nothing of the repository changes. Then a Push row is begun, the packs are
moved in, and git moves the refs from the oids they had in one transaction; a crash at any point is recovered as that of
any push (pushes/receive.py), and whoever listens to pushes is told.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from django.conf import settings

from codeservices.audit.acts import RequestInfo
from codeservices.audit.record import act
from codeservices.errors import ServiceError
from codeservices.iam.authorize import authorize
from codeservices.iam.principal import Principal
from repos import quota
from repos.git import inspection, patterns, refs, store
from repos.git.refs import RefCommand
from repos.git.store import BareRepository
from repos.models import RemoteSource, Repository
from repos.pushes import ref_updates
from repos.remote import sources
from repos.remote.runs import Reporter

SERVICE = "codecommit.amazonaws.com"
# Thousands of refs, each synced to disk.
MOVE_SECONDS = 600.0
MAX_AUDITED_REFS = 100


@dataclass(frozen=True)
class Incoming:
    """What has arrived.

    Attributes:
        refs: Refname to oid, of those that may be taken.
        head: The short name of the other end's default branch, where it is among them.
        left_out: What may not be taken or is not meant, in words for the log.
    """

    refs: dict[str, str]
    head: str | None
    left_out: tuple[str, ...]
    quarantine: BareRepository


@contextmanager
def fetched(
    source: RemoteSource,
    repository: Repository,
    attempt_id: str,
    wanted: Sequence[str],
    report: Reporter,
) -> Iterator[Incoming]:
    """Fetch what matches `wanted`, and judge it as a push is judged; the quarantine goes with the block.

    Raises:
        RemoteError, OutboundRefused: Nothing arrived that could be used.
        LimitExceeded: The repository is at its quota already.
    """
    there = sources.open_source(source)
    here = {
        refs.encode(refname): oid.encode()
        for refname, oid in refs.all_refs(repository.git).items()
        if patterns.matches(refname, wanted)
    }
    max_bytes = _room_bytes(repository)
    with sources.quarantine(str(repository.repository_id), attempt_id, here) as quarantine:
        advertised = there.refs(quarantine)
        # A name that is not there fails the whole fetch; a pattern that matches nothing does not.
        asked = [one for one in wanted if "*" in one or one in advertised.refs]
        arrived = (
            there.fetch(
                quarantine,
                asked,
                report,
                max_bytes=max_bytes,
                tolerates_identity_defects=source.tolerates_identity_defects,
            )
            if asked
            else {}
        )
        taken, left_out = _taken(arrived)
        report.applying()
        inspection.inspect(quarantine, _moves(here, taken))
        others = len(advertised.refs) - len(arrived)
        if others > 0:
            left_out.append(f"{others:,} refs at the other end are not fetched (such as refs/pull/*).")
        head = advertised.head if advertised.head in taken else None
        yield Incoming(taken, head and head.removeprefix(refs.HEADS), tuple(left_out), quarantine)


def move(
    principal: Principal,
    repository: Repository,
    commands: Sequence[RefCommand],
    incoming: Incoming,
    action: str,
    additional: dict[str, object],
) -> None:
    """Move refs to what has arrived: one act, one row of the outbox; as `principal`, who must be allowed to.

    Raises:
        AccessDenied: The principal may not do `action`, or not push to one of the refs.
        RefMoved: A ref stands elsewhere by now; nothing is moved.
    """

    def bring() -> None:
        store.adopt(incoming.quarantine, repository.git)
        repository.git.close()  # opened anew, it sees the new packs

    info = RequestInfo(str(uuid.uuid4()), SERVICE, SERVICE, "worker", is_secure=True)
    repository.refresh_from_db()  # the fetch may have taken hours, in which it got another name
    with act(principal, info) as current:
        ref_updates.defer_act()
        current.parameters |= {
            "repositoryName": repository.name,
            "references": [
                {"commit": one.new_oid, "ref": refs.escaped(one.refname)} for one in commands[:MAX_AUDITED_REFS]
            ],
        }
        current.additional |= {"referenceCount": len(commands), **additional}
        authorize(principal, action, repository.arn)
        is_first = refs.default_branch(repository.git) is None
        ref_updates.apply(
            principal,
            "codecommit:GitPush",
            repository,
            commands,
            by_remote=True,
            bring=bring,
            timeout_seconds=MOVE_SECONDS,
        )
        if is_first and incoming.head is not None:
            refs.set_default_branch(repository.git, incoming.head)


def _taken(arrived: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    """Those refs that this server's own rules for pushes let in."""
    taken, left_out = {}, []
    for refname, oid in arrived.items():
        try:
            if refname.startswith(refs.HEADS):
                refs.check_branch_name(refname.removeprefix(refs.HEADS))
        except ServiceError as error:
            left_out.append(f"{refs.shown(refname)} is left out: {error.message}")
        else:
            taken[refname] = oid
    return taken, left_out


def _moves(here: dict[bytes, bytes], taken: dict[str, str]) -> list[RefCommand]:
    moves = [
        RefCommand(name, here.get(refs.encode(name), b"").decode() or refs.ZERO_OID, oid) for name, oid in taken.items()
    ]
    return [one for one in moves if one.old_oid != one.new_oid]


def _room_bytes(repository: Repository) -> int:
    """What the fetch may bring: no more than a push may, and no more than the repository's quota leaves."""
    quota.check(repository)
    remaining = quota.remaining_bytes(repository)
    return settings.GIT_MAX_PUSH_BYTES if remaining is None else min(settings.GIT_MAX_PUSH_BYTES, remaining)
