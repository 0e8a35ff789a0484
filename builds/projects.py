"""Create, change and delete build projects. The console's form and the API call the same three functions."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from builds import isolation, limit_rules, service_role
from builds import project_rules as rules
from builds.access import project_for
from builds.models import Project, repository_name_of
from builds.project_rules import InvalidProject
from builds.sources import credentials
from builds.sources import rules as source_rules
from codeservices.errors import Conflict, LimitExceeded, NotFound
from codeservices.iam import arn
from codeservices.iam.authorize import Context, authorize, is_allowed
from codeservices.iam.principal import Principal
from codeservices.iam.rules import tag_context
from repos.models import Repository, Trigger
from repos.triggers import config as trigger_config

logger = logging.getLogger(__name__)

MAX_PROJECTS = 5000
# Where the console's projects keep their artifacts; a bucket is a folder of the object store.
ARTIFACT_BUCKET = "codebuild-artifacts"
_BRANCH_REFNAME = "refs/heads/"


class ProjectExists(Conflict):
    """The name is taken."""


def create_project(principal: Principal, fields: Mapping[str, Any]) -> Project:
    """A new project.

    Args:
        fields: CreateProject's members: name, source, artifacts, environment and serviceRole, and optionally
            description, sourceVersion, secondarySources, secondarySourceVersions, secondaryArtifacts, cache,
            logsConfig, timeoutInMinutes, queuedTimeoutInMinutes, concurrentBuildLimit, autoRetryLimit, badgeEnabled,
            tags; and of this server's console alone: priority (a Priority) and cancelsSuperseded.

    Raises:
        InvalidProject: A member breaks a rule; it names which.
        ProjectExists: The name is taken.
        AccessDenied: Of codebuild:CreateProject on the project, iam:PassRole on the role (a build acts as it), or
            codecommit:GitPull on the source repository (a build shows what is in it).
    """
    name = rules.check_name(fields.get("name", ""))
    project_arn = arn.project_arn(settings.REGION, settings.ACCOUNT_ID, name)
    authorize(principal, "codebuild:CreateProject", project_arn, _context(fields))
    for member in ("source", "artifacts", "environment", "serviceRole"):
        if not fields.get(member):
            raise InvalidProject(member, f"Project {member} is required")
    project = Project(
        name=name,
        timeout_minutes=rules.DEFAULT_TIMEOUT_MINUTES,
        queued_timeout_minutes=rules.DEFAULT_QUEUED_TIMEOUT_MINUTES,
        cache={"type": "NO_CACHE"},
    )
    _apply(principal, project, fields)
    if Project.objects.filter(name=name).exists():
        raise ProjectExists(f"Project already exists: {project_arn}")
    if Project.objects.count() >= MAX_PROJECTS:
        raise LimitExceeded(
            f"Cannot have more than {MAX_PROJECTS} projects for the account",
            code="AccountLimitExceededException",
        )
    try:
        with transaction.atomic():
            project.save()
    except IntegrityError:
        raise ProjectExists(f"Project already exists: {project_arn}") from None
    logger.info("project %s created", name)
    return project


def update_project(principal: Principal, name: str, fields: Mapping[str, Any]) -> Project:
    """Change the members that are given; those left out stay. Raises as create_project, and NotFound."""
    project_arn = arn.project_arn(settings.REGION, settings.ACCOUNT_ID, name)
    authorize(principal, "codebuild:UpdateProject", project_arn, _context(fields))
    with transaction.atomic():
        project = Project.objects.select_for_update().filter(name=name).first()
        if project is None:
            raise NotFound(f"Project cannot be found: {project_arn}")
        _apply(principal, project, fields)
        project.updated_at = timezone.now()
        project.save()
    return project


def delete_project(principal: Principal, name: str) -> bool:
    """Remove a project; its builds stay. Triggers that name it go too where the principal may change them.

    Returns:
        Whether there was one: an unknown name is no error, as in CodeBuild.
    """
    project_arn = arn.project_arn(settings.REGION, settings.ACCOUNT_ID, name)
    authorize(principal, "codebuild:DeleteProject", project_arn)
    project = Project.objects.filter(name=name).first()
    if project is None:
        return False
    for trigger in push_triggers(project):
        if is_allowed(principal, trigger_config.WRITE, trigger.repository.arn):
            trigger_config.remove_trigger(principal, trigger.repository.name, trigger.name)
    project.delete()
    logger.info("project %s deleted", name)
    return True


def set_visibility(principal: Principal, name: str, visibility: str) -> Project:
    """Whether everybody may see a project's builds: here they are PRIVATE, and nothing else is taken.

    Raises:
        AccessDenied: Of codebuild:UpdateProjectVisibility on the project.
        NotFound: There is no such project.
        InvalidProject: Another visibility.
    """
    project = project_for(principal, "codebuild:UpdateProjectVisibility", name)
    limit_rules.check_visibility(visibility)
    return project


def push_triggers(project: Project) -> list[Trigger]:
    """The triggers, of any repository that is not deleted, that start this project."""
    found = Trigger.objects.filter(destination_arn=project.arn, repository__deleted_at=None)
    return list(found.select_related("repository"))


def push_trigger(project: Project) -> Trigger | None:
    """The trigger of the project's own repository that starts it, if any."""
    return next((one for one in push_triggers(project) if one.repository.name == project.repository_name), None)


def set_push_trigger(principal: Principal, project: Project, *, is_on: bool) -> None:
    """Build on every push to the project's branch, or not. Nothing happens where it is so already.

    The branch is the project's source version, and the default branch where that is empty; a tag or a commit id has no
    pushes. A trigger that somebody made for other branches or events is left as it is.

    Raises:
        InvalidProject: The source version names no branch.
        AccessDenied: Of codecommit:PutRepositoryTriggers.
    """
    branch = branch_of(project) if is_on else ""
    wanted = trigger_config.TriggerSettings(
        name=trigger_name(project), destination_arn=project.arn, events=("createReference", "updateReference")
    )
    found = {one.repository.name: one for one in push_triggers(project) if one.name == wanted.name}
    for repository_name, trigger in found.items():
        if is_on and repository_name == project.repository_name and trigger.branches == [branch]:
            return
        trigger_config.remove_trigger(principal, repository_name, trigger.name)
    if is_on:
        settings_of_branch = trigger_config.TriggerSettings(
            wanted.name, wanted.destination_arn, wanted.events, branches=(branch,)
        )
        trigger_config.add_trigger(principal, project.repository_name, settings_of_branch)


def trigger_name(project: Project) -> str:
    """The name of the trigger that the console makes for a project; trigger names are shorter than project names."""
    return f"build-{project.name}"[:100]


def branch_of(project: Project) -> str:
    """The short name of the branch that a project builds; raises InvalidProject where it is none."""
    version = project.source_version.removeprefix(_BRANCH_REFNAME)
    repository = Repository.objects.filter(name=project.repository_name).first()
    if repository is None:
        raise InvalidProject("source.location", f"There is no repository called {project.repository_name or '“”'}.")
    if not version:
        version = repository.default_branch or "main"
    if version.startswith("refs/") or re.fullmatch(r"[0-9a-f]{40}", version):
        raise InvalidProject(
            "sourceVersion",
            f"“{version}” is no branch, so no push can start this project.",
            hint="Name a branch, or leave it empty for the default branch.",
        )
    return version


def visible_projects(principal: Principal) -> list[Project]:
    """The projects to list: all that the principal may look at, by name. One act: codebuild:ListProjects."""
    authorize(principal, "codebuild:ListProjects", "*")
    return [one for one in Project.objects.all() if is_allowed(principal, "codebuild:BatchGetProjects", one.arn)]


def _apply(principal: Principal, project: Project, fields: Mapping[str, Any]) -> None:
    """Check the given members and set them on the row, which is not saved."""
    rules.check_supported(fields)
    if "description" in fields:
        project.description = rules.check_description(fields["description"] or "")
    if fields.get("source"):
        project.source = source_rules.check_source(fields["source"])
    if "sourceVersion" in fields:
        project.source_version = source_rules.check_version(fields["sourceVersion"] or "", source_rules.MAX_VERSION)
    _apply_secondary(project, fields)
    given = [project.source] if fields.get("source") else []
    given += project.secondary_sources if fields.get("secondarySources") else []
    authorize_sources(principal, given)
    for source in given:
        credentials.bind(principal, source)
    if fields.get("artifacts"):
        project.artifacts = rules.check_artifacts(fields["artifacts"])
    if fields.get("secondaryArtifacts") is not None:
        project.secondary_artifacts = rules.check_secondary_artifacts(fields["secondaryArtifacts"])
    if fields.get("environment"):
        project.environment = rules.check_environment(fields["environment"])
    if fields.get("cache"):
        project.cache = rules.check_cache(fields["cache"])
    _apply_limits(project, fields)
    if fields.get("timeoutInMinutes") is not None:
        project.timeout_minutes = rules.check_timeout(fields["timeoutInMinutes"])
    if fields.get("queuedTimeoutInMinutes") is not None:
        project.queued_timeout_minutes = rules.check_queued_timeout(fields["queuedTimeoutInMinutes"])
    if "tags" in fields:
        project.tags = rules.check_tags(fields["tags"] or [])
    role_arn = fields.get("serviceRole")
    if role_arn and role_arn != project.service_role_arn:
        authorize_role(principal, role_arn, project.arn)
        project.service_role_arn = role_arn


def _apply_limits(project: Project, fields: Mapping[str, Any]) -> None:
    limit_rules.check_encryption_key(fields.get("encryptionKey") or "")
    if fields.get("logsConfig"):
        project.logs_config = limit_rules.check_logs(fields["logsConfig"], project.name)
    if fields.get("concurrentBuildLimit") is not None:
        project.concurrent_build_limit = limit_rules.check_concurrent_build_limit(fields["concurrentBuildLimit"])
    if fields.get("autoRetryLimit") is not None:
        project.auto_retry_limit = limit_rules.check_auto_retry_limit(fields["autoRetryLimit"])
    if fields.get("priority") is not None:
        project.priority = limit_rules.check_priority(fields["priority"])
    if fields.get("cancelsSuperseded") is not None:
        project.cancels_superseded = bool(fields["cancelsSuperseded"])
    if fields.get("badgeEnabled") is not None:
        project.badge_enabled = bool(fields["badgeEnabled"])
        project.badge_uuid = project.badge_uuid or (uuid.uuid4() if project.badge_enabled else None)


def _context(fields: Mapping[str, Any]) -> Context:
    """The condition keys of a request: aws:RequestTag and aws:TagKeys of its tags, and those of its environment."""
    tags = {str(one.get("key", "")): str(one.get("value", "")) for one in fields.get("tags") or ()}
    return {**(tag_context(tags) if tags else {}), **isolation.environment_context(fields.get("environment"))}


def _apply_secondary(project: Project, fields: Mapping[str, Any]) -> None:
    """Secondary sources and their versions; a version goes with its source."""
    if "secondarySources" in fields:
        project.secondary_sources = source_rules.check_secondary(fields["secondarySources"] or [])
        names = {one["sourceIdentifier"] for one in project.secondary_sources}
        project.secondary_source_versions = [
            one for one in project.secondary_source_versions if one["sourceIdentifier"] in names
        ]
    if "secondarySourceVersions" in fields:
        project.secondary_source_versions = source_rules.check_secondary_versions(
            fields["secondarySourceVersions"] or [], project.secondary_sources
        )


def authorize_sources(
    principal: Principal, sources: Iterable[Mapping[str, Any]], known: Iterable[Mapping[str, Any]] = ()
) -> None:
    """A build shows what is in its repositories, so naming one takes codecommit:GitPull; those that are `known` don't.

    Submodules are told by commits, not by the project: the build's role is asked for them.
    """
    before = {repository_name_of(dict(one)) for one in known}
    for name in dict.fromkeys(repository_name_of(dict(one)) for one in sources):
        if name and name not in before:
            authorize(principal, "codecommit:GitPull", arn.repository_arn(settings.REGION, settings.ACCOUNT_ID, name))


def authorize_role(principal: Principal, role_arn: str, project_arn: str) -> None:
    """A build does what its role may, so naming one takes iam:PassRole, as in AWS."""
    if arn.parse(role_arn).account_id != settings.ACCOUNT_ID:
        raise InvalidProject(
            "serviceRole", "Invalid service role: Service role account ID does not match caller's account"
        )
    authorize(principal, "iam:PassRole", role_arn, {"iam:PassedToService": service_role.SERVICE})
    why = service_role.refusal(role_arn, project_arn)
    if why:
        raise InvalidProject("serviceRole", service_role.denied_sentence(role_arn), hint=why)
