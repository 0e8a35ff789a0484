"""Whether a page shows the buttons that make commits."""

from __future__ import annotations

from django import template
from django.template import Context

from codeservices.iam.authorize import is_allowed
from repos.access import on_ref
from repos.editing import edits
from repos.git import refs
from repos.models import Repository

register = template.Library()
_ACTIONS = {"put": edits.PUT_FILE, "delete": edits.DELETE_FILE, "commit": edits.CREATE_COMMIT}


@register.simple_tag(takes_context=True)
def may_commit(context: Context, repository: Repository, refname: str | None, what: str = "commit") -> bool:
    """Whether who looks may "put" or "delete" a file or make another "commit" on this branch; never on a tag."""
    if repository.archived_at is not None or not refname or not refname.startswith(refs.HEADS):
        return False
    return is_allowed(context["request"].principal, _ACTIONS[what], repository.arn, on_ref(refname))


@register.simple_tag
def default_refname(repository: Repository) -> str:
    """The full refname of the default branch, or "" before there is one."""
    branch = repository.default_branch
    return refs.HEADS + branch if branch else ""
