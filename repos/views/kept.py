"""Pages that a browser has seen and keeps: where nothing has changed that they show, they are not made again.

The browser asks each time (“no-cache”) with the tag it was given, and who asks is authorized for the same actions as
when the page was made; only then it is told to show what it has. A page by a commit's id stays what it is while others
push; one by a branch's name is made again after any push. Words such as “5 minutes ago” are an hour old at most, and
scripts keep them fresh. Pages of commits tell of builds, signatures and comments too: after a change of any of these
they are made again, and those with comments always. An old build that somebody deletes is told for up to an hour.

Source: RFC 9110, section 8.8.3 (ETag), 13.1.2 (If-None-Match) and 15.4.5 (304).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, wraps
from typing import Any, Final

from django.conf import settings
from django.db.models import Count, Max, Q
from django.http import HttpResponse, HttpResponseNotModified
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac

from codeservices import registry
from codeservices.audit.acts import current_act
from codeservices.http import ConsoleRequest, is_partial
from codeservices.iam.authorize import authorize, policies_of
from codeservices.iam.models import CredentialStatus, SshPublicKey
from codeservices.statements import Parameter, Statement, aggregated
from repos.access import repository_for
from repos.git import refs
from repos.models import Comment, Repository

View = Callable[..., HttpResponse]

# The page's state under our key, and the actions that whoever asks again must still be allowed. They are asked for
# before the key is looked at, so a tag made by hand may name none but those of reading: denials are recorded.
_ACTION: Final = r"codecommit:(?:Get|List)[A-Za-z]{1,60}"
_TAG: Final = re.compile(rf'W/"([0-9a-f]{{64}})\.({_ACTION}(?:,{_ACTION}){{0,9}})"')
_BY_OID: Final = re.compile(r"/repositories/[^/]+/[a-z]+/[0-9a-f]{40}(?:/|$)")
_SALT: Final = "repos.views.kept"

_IS_ACTIVE: Final = Q(status=CredentialStatus.ACTIVE, user__is_active=True)
_KEYS: Final = Statement(
    lambda: aggregated(SshPublicKey.objects.all(), newest=Max("pk"), active=Count("pk", filter=_IS_ACTIVE))
)
_NEWEST_COMMENT: Final = Statement(
    lambda: Comment.objects.filter(repository=Parameter()).order_by("-pk").values_list("pk")[:1]
)


@dataclass
class Showing:
    """What a page that is being made depends on, and the actions it was authorized for so far."""

    tells_of_commits: bool
    state: str = ""
    actions: list[str] = field(default_factory=list)
    is_final: bool = True


def kept(view: View) -> View:
    """A view of one repository that reads objects and refs, whose page the browser may keep and ask about."""
    return _kept(view, tells_of_commits=False)


def kept_of_commits(view: View) -> View:
    """The same of a view whose page also tells what became of commits."""
    return _kept(view, tells_of_commits=True)


def _kept(view: View, *, tells_of_commits: bool) -> View:
    @wraps(view)
    def answer(request: ConsoleRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        showing = request.showing = Showing(tells_of_commits)  # type: ignore[attr-defined]
        given = _TAG.fullmatch(request.headers.get("If-None-Match", ""))
        if given is not None and _is_unchanged(request, showing, given[1], given[2].split(","), **kwargs):
            unchanged = HttpResponseNotModified()
            unchanged["ETag"] = given[0]
            return unchanged
        response = view(request, *args, **kwargs)
        may_be_kept = bool(showing.state) and showing.is_final and not response.cookies
        if response.status_code == 200 and may_be_kept and "ETag" not in response:
            response["ETag"] = f'W/"{_signed(showing.state, showing.actions)}.{",".join(showing.actions)}"'
        return response

    return answer


def note(request: ConsoleRequest, repository: Repository, action: str) -> None:
    """An action that the page under way was authorized for; the first one also fixes the state that it is of."""
    showing: Showing | None = getattr(request, "showing", None)
    if showing is None:
        return
    if not showing.actions and not _has_messages(request):
        showing.state = _state(
            request, repository, showing
        )  # before anything is read: a push meanwhile is then a change
    if action not in showing.actions:
        showing.actions.append(action)


def not_final(request: ConsoleRequest) -> None:
    """The page under way lacks what there was no time for, and is to be made again when it is asked for."""
    showing: Showing | None = getattr(request, "showing", None)
    if showing is not None:
        showing.is_final = False


def _is_unchanged(
    request: ConsoleRequest, showing: Showing, signed: str, actions: list[str], *, name: str, oid: str = "", **_: Any
) -> bool:
    """Authorize as the view would, then compare. Raises AccessDenied as the view would."""
    if _has_messages(request):
        return False
    act = current_act()
    if act is not None:
        act.parameters |= {"repositoryName": name} | ({"commitId": oid} if oid else {})
    repository = repository_for(request.principal, actions[0], name)
    if not constant_time_compare(signed, _signed(_state(request, repository, showing), actions)):
        return False
    for action in actions[1:]:
        authorize(request.principal, action, repository.arn)
    if act is not None:
        act.action = actions[-1]
    return True


def _signed(state: str, actions: list[str]) -> str:
    return salted_hmac(_SALT, f"{state} {','.join(actions)}", algorithm="sha256").hexdigest()


def _state(request: ConsoleRequest, repository: Repository, showing: Showing) -> str:
    """A digest of all that decides what the page says, but for the objects, which never change."""
    principal = request.principal
    mirror = getattr(repository, "mirror", None)
    parts = (
        _program(),
        f"{timezone.now():%Y-%m-%dT%H}",
        f"{request.scheme}://{request.get_host()}{request.get_full_path()}",
        getattr(request, "scope", {}).get("raw_path"),  # bytes that are no UTF-8 are lost in the other
        is_partial(request),
        sorted(request.COOKIES.items()),  # who is signed in, the form's secret, chosen views
        principal.arn,
        request.info.source_ip,
        [(policy.source, policy.document) for policy in policies_of(principal)],
        (repository.repository_id, repository.name, repository.description, repository.archived_at),
        (repository.updated_at, mirror and mirror.url),
        _of_commits(repository) if showing.tells_of_commits else (),
        refs.head(repository.git) if _BY_OID.match(request.path) else refs.stored_state(repository.git).digest,
    )
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogateescape")).hexdigest()


def _of_commits(repository: Repository) -> tuple[Any, ...]:
    """What changes where builds start or end, keys that verify signatures come or go, or somebody comments."""
    return registry.commit_status_state(), _KEYS.rows(), _NEWEST_COMMENT.rows(repository.pk)


def _has_messages(request: ConsoleRequest) -> bool:
    """Whether the page is to tell something once, such as “Saved”."""
    return "messages" in request.COOKIES or "_messages" in request.session


@cache
def _program() -> str:
    """What changes when another version of the product is installed."""
    folders = [settings.BASE_DIR / name for name in ("builds", "codeservices", "repos", "static", "templates")]
    files = sorted(path for folder in folders for path in folder.rglob("*.*") if path.suffix != ".pyc")
    return hashlib.sha256(repr([(str(one), one.stat().st_mtime_ns) for one in files]).encode()).hexdigest()
