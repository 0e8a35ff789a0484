"""Trails: which events go as files into which bucket. The rules that the API and the console share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from codeservices.audit import delivery, drain, trail, trail_rules
from codeservices.audit.models import Trail
from codeservices.errors import Conflict, LimitExceeded, NotFound, ServiceError
from codeservices.iam import arn, rules
from codeservices.iam.authorize import Context, authorize
from codeservices.iam.principal import Principal


def arn_of(name: str) -> str:
    """The ARN of the trail of that name."""
    return arn.trail_arn(settings.REGION, settings.ACCOUNT_ID, name)


def name_of(text: str) -> str:
    """The name in a trail's name or ARN; raises InvalidTrailNameException or CloudTrailARNInvalidException."""
    name = text
    if text.startswith("arn:"):
        parts = text.split(":", 5)
        is_ours = len(parts) == 6 and parts[2] == "cloudtrail" and parts[4] == settings.ACCOUNT_ID
        if not is_ours or not parts[5].startswith("trail/"):
            sentence = f"“{text[:200]}” is no trail's ARN: it must look like {arn_of('NAME')}."
            raise ServiceError(sentence, code="CloudTrailARNInvalidException")
        name = parts[5].removeprefix("trail/")
    trail_rules.check_name(name)
    return name


def tags_of_arn(resource: str) -> dict[str, str]:
    """The tags of the trail with that ARN, for conditions of policies; none where there is no such trail."""
    prefix = arn_of("")
    found = Trail.objects.filter(name=resource.removeprefix(prefix)) if resource.startswith(prefix) else None
    return dict(found.values_list("tags", flat=True).first() or {}) if found is not None else {}


def trail_for(principal: Principal, action: str, text: str, context: Context | None = None) -> Trail:
    """The trail of that name or ARN, where the principal may do the action on it; raises TrailNotFoundException."""
    name = name_of(text)
    authorize(principal, action, arn_of(name), context)
    found = Trail.objects.filter(name=name).first()
    if found is None:
        raise NotFound(f"There is no trail called {name}.", code="TrailNotFoundException")
    return found


def visible_trails(principal: Principal, action: str) -> list[Trail]:
    """Every trail, for those who may do the action on any."""
    authorize(principal, action, "*")
    return list(Trail.objects.all())


def create_trail(principal: Principal, params: Mapping[str, Any]) -> Trail:
    """Make a trail, which does not log until it is started.

    Args:
        principal: Who asks.
        params: CreateTrail's members.

    Raises:
        ServiceError: With the code that the API documents for each broken rule.
    """
    name = params["Name"]
    trail_rules.check_name(name)
    authorize(principal, "cloudtrail:CreateTrail", arn_of(name), _tag_context(params.get("TagsList", [])))
    _check(params)
    trail_rules.check_bucket(params["S3BucketName"])
    tags = trail_rules.check_tags(params.get("TagsList", []))
    _check_count(tags)
    made = Trail(name=name, tags=tags)
    _take(made, params)
    try:
        with transaction.atomic():
            if Trail.objects.count() >= trail_rules.MAX_TRAILS:
                sentence = f"There are {trail_rules.MAX_TRAILS} trails already; more are not allowed."
                raise LimitExceeded(sentence, code="MaximumNumberOfTrailsExceededException", status=400)
            made.save(force_insert=True)
    except IntegrityError:
        raise Conflict(f"A trail called {name} exists already.", code="TrailAlreadyExistsException") from None
    return made


def update_trail(principal: Principal, text: str, params: Mapping[str, Any]) -> Trail:
    """Change what is given, and leave the rest."""
    found = trail_for(principal, "cloudtrail:UpdateTrail", text)
    _check(params)
    if "S3BucketName" in params:
        trail_rules.check_bucket(params["S3BucketName"])
    if found.writing_sequence is not None:
        delivery.deliver(found)  # a file that was begun belongs where it was begun
        found.refresh_from_db()
        if found.writing_sequence is not None:
            raise Conflict(
                f"The trail {found.name} can't finish a file: {found.latest_error}", code="ConflictException"
            )
    _take(found, params)
    fields = ["s3_bucket_name", "s3_key_prefix", "include_global_service_events", "is_multi_region"]
    found.save(update_fields=fields)
    return found


def delete_trail(principal: Principal, text: str) -> None:
    """Remove a trail. The files that it has delivered stay."""
    trail_for(principal, "cloudtrail:DeleteTrail", text).delete()


def start_logging(principal: Principal, text: str) -> Trail:
    """Deliver every event from now on; a trail that logs already goes on."""
    found = trail_for(principal, "cloudtrail:StartLogging", text)
    if found.is_logging:
        return found
    if found.until_sequence is not None and found.until_sequence > found.delivered_sequence:
        delivery.deliver(found)
        found.refresh_from_db()
        if found.latest_error:
            raise Conflict(
                f"The trail {found.name} can't deliver what it logged before: {found.latest_error}",
                code="ConflictException",
            )
    drain.drain()
    with transaction.atomic():
        head = trail.locked_head()
        Trail.objects.filter(pk=found.pk, is_logging=False).update(
            is_logging=True,
            delivered_sequence=head.sequence,
            writing_sequence=None,
            until_sequence=None,
            started_logging_at=timezone.now(),
        )
    found.refresh_from_db()
    return found


def stop_logging(principal: Principal, text: str) -> Trail:
    """Deliver what has happened until now, and nothing later."""
    found = trail_for(principal, "cloudtrail:StopLogging", text)
    drain.drain()
    with transaction.atomic():
        head = trail.locked_head()
        Trail.objects.filter(pk=found.pk, is_logging=True).update(
            is_logging=False, until_sequence=head.sequence, stopped_logging_at=timezone.now()
        )
    found.refresh_from_db()
    return found


def put_event_selectors(principal: Principal, text: str, params: Mapping[str, Any]) -> Trail:
    """Choose whether reads, writes or both are delivered."""
    found = trail_for(principal, "cloudtrail:PutEventSelectors", text)
    if params.get("AdvancedEventSelectors"):
        raise ServiceError(
            "Advanced event selectors are not available here: give EventSelectors.",
            code="InvalidEventSelectorsException",
        )
    read_write_type, includes, excluded = trail_rules.selected(params.get("EventSelectors", []))
    found.read_write_type, found.include_management_events = read_write_type, includes
    found.excluded_sources, found.has_event_selectors = excluded, True
    fields = ["read_write_type", "include_management_events", "excluded_sources", "has_event_selectors"]
    found.save(update_fields=fields)
    return found


def add_tags(principal: Principal, resource_id: str, tags: list[dict[str, str]]) -> None:
    """Set tags, over those of the same keys."""
    found = _tagged(principal, "cloudtrail:AddTags", resource_id, _tag_context(tags))
    merged = found.tags | trail_rules.check_tags(tags)
    _check_count(merged)
    found.tags = merged
    found.save(update_fields=["tags"])


def remove_tags(principal: Principal, resource_id: str, tags: list[dict[str, str]]) -> None:
    """Remove tags by key, and by value too where one is given; those that are not there are no error."""
    context: Context = {"aws:TagKeys": [tag["Key"] for tag in tags]}
    found = _tagged(principal, "cloudtrail:RemoveTags", resource_id, context)
    for tag in tags:
        if found.tags.get(tag["Key"]) == tag.get("Value", found.tags.get(tag["Key"])):
            found.tags.pop(tag["Key"], None)
    found.save(update_fields=["tags"])


def tags_of(principal: Principal, resource_id: str) -> dict[str, str]:
    """A trail's tags, by its ARN."""
    tags: dict[str, str] = _tagged(principal, "cloudtrail:ListTags", resource_id).tags
    return tags


def _tagged(principal: Principal, action: str, resource_id: str, context: Context | None = None) -> Trail:
    if not resource_id.startswith("arn:"):
        sentence = f"“{resource_id[:200]}” is no ARN: tags are kept by a trail's ARN, {arn_of('NAME')}."
        raise ServiceError(sentence, code="CloudTrailARNInvalidException")
    try:
        return trail_for(principal, action, resource_id, context)
    except NotFound as missing:
        raise NotFound(missing.message) from None


def _tag_context(tags: list[dict[str, str]]) -> Context | None:
    return rules.tag_context({tag["Key"]: tag.get("Value", "") for tag in tags}) if tags else None


def _check(params: Mapping[str, Any]) -> None:
    trail_rules.check_available(dict(params))
    trail_rules.check_prefix(params.get("S3KeyPrefix", ""))


def _check_count(tags: Mapping[str, str]) -> None:
    if len(tags) > trail_rules.MAX_TAGS:
        raise ServiceError(
            f"A trail has at most {trail_rules.MAX_TAGS} tags, not {len(tags)}.", code="TagsLimitExceededException"
        )


def _take(found: Trail, params: Mapping[str, Any]) -> None:
    found.s3_bucket_name = params.get("S3BucketName", found.s3_bucket_name)
    found.s3_key_prefix = params.get("S3KeyPrefix", found.s3_key_prefix)
    found.include_global_service_events = params.get("IncludeGlobalServiceEvents", found.include_global_service_events)
    found.is_multi_region = params.get("IsMultiRegionTrail", found.is_multi_region)
    if found.is_multi_region and not found.include_global_service_events:
        raise ServiceError(
            "A trail of all regions includes global service events.", code="InvalidParameterCombinationException"
        )
