"""A repository's tags: their rules, and reading and changing them.

Source: AWS CodeCommit API Reference, TagResource; User Guide, "Quotas".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from codeservices.errors import InvalidInput
from codeservices.iam import arn, names, rules
from codeservices.iam.authorize import authorize
from codeservices.iam.principal import Principal
from repos.access import RepositoryDoesNotExist, repository_for
from repos.models import Repository

MAX_TAGS = 50
SYSTEM_PREFIX = "aws:"


def check(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags themselves; raises InvalidInput with the rule that they break."""
    if len(tags) > MAX_TAGS:
        raise InvalidInput(f"A repository has at most {MAX_TAGS} tags, not {len(tags)}.", code="TooManyTagsException")
    for key, value in tags.items():
        names.check_tag(key, value, code="InvalidTagsMapException")
    _check_not_system(tags)
    return dict(tags)


def of_arn(resource: str) -> dict[str, str]:
    """The tags of the repository with that ARN, for conditions of policies; none where there is no such repository."""
    name = resource.rpartition(":")[2]
    return dict(Repository.objects.filter(name=name).values_list("tags", flat=True).first() or {})


def tags_of(principal: Principal, resource_arn: str) -> dict[str, str]:
    """The tags of the repository with that ARN."""
    return dict(_repository(principal, "codecommit:ListTagsForResource", resource_arn, {}).tags)


def tag(principal: Principal, resource_arn: str, tags: Mapping[str, str]) -> None:
    """Add tags, or give those that are there new values."""
    repository = _repository(principal, "codecommit:TagResource", resource_arn, rules.tag_context(tags))
    if not tags:
        raise InvalidInput("Name at least one tag.", code="TagsMapRequiredException")
    check(tags)
    _change(repository, lambda there: check({**there, **tags}))


def untag(principal: Principal, resource_arn: str, keys: Iterable[str]) -> None:
    """Remove tags by their keys; one that isn't there is no error."""
    unwanted = set(keys)
    repository = _repository(principal, "codecommit:UntagResource", resource_arn, {"aws:TagKeys": sorted(unwanted)})
    if not unwanted:
        raise InvalidInput("Name at least one tag key.", code="TagKeysListRequiredException")
    _check_not_system(unwanted)
    _change(repository, lambda there: {key: value for key, value in there.items() if key not in unwanted})


def replace(principal: Principal, repository: Repository, wanted: Mapping[str, str]) -> None:
    """Bring a repository's tags to these. Adding some and removing others must both be allowed, or nothing changes."""
    added = {key: value for key, value in wanted.items() if repository.tags.get(key) != value}
    removed = {key for key in repository.tags if key not in wanted}
    if added:
        authorize(principal, "codecommit:TagResource", repository.arn, rules.tag_context(added))
    if removed:
        authorize(principal, "codecommit:UntagResource", repository.arn, {"aws:TagKeys": sorted(removed)})
    check(added)
    kept = {key: value for key, value in repository.tags.items() if key not in removed}
    check({**kept, **added})
    _change(repository, lambda there: {**{key: value for key, value in there.items() if key not in removed}, **added})


def _repository(
    principal: Principal, action: str, resource_arn: str, conditions: Mapping[str, str | list[str]]
) -> Repository:
    if not resource_arn:
        raise InvalidInput("Name the resource by its ARN.", code="ResourceArnRequiredException")
    parsed = arn.parse(resource_arn) if arn.is_arn(resource_arn) else None
    if parsed is None or resource_arn != arn.repository_arn(settings.REGION, settings.ACCOUNT_ID, parsed.resource):
        raise InvalidInput(
            f"“{resource_arn[:200]}” is not the ARN of a repository here, which begin with "
            f"{arn.repository_arn(settings.REGION, settings.ACCOUNT_ID, '')}.",
            code="InvalidResourceArnException",
        )
    return repository_for(principal, action, parsed.resource, conditions)


def _check_not_system(keys: Iterable[str]) -> None:
    for key in keys:
        if key.lower().startswith(SYSTEM_PREFIX):
            raise InvalidInput(
                f"“{key}” is kept for AWS: a tag's key may not begin with {SYSTEM_PREFIX}.",
                code="InvalidSystemTagUsageException",
            )


def _change(repository: Repository, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
    """Two changes at once must not undo each other."""
    with transaction.atomic():
        locked = Repository.objects.select_for_update().filter(pk=repository.pk).first()
        if locked is None:
            raise RepositoryDoesNotExist(f"{repository.name} does not exist")
        locked.tags, locked.updated_at = change(locked.tags), timezone.now()
        locked.save(update_fields=["tags", "updated_at"])
