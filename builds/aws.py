"""CodeBuild operations, each: authorize, call a service function, shape the answer."""

from __future__ import annotations

from typing import Any

from botocore.model import OperationModel
from django.db.models import prefetch_related_objects

from builds import lifecycle, project_rules, projects, shapes
from builds.access import build_by_id, builds_by_ids, project_for, project_name_of, visible_builds
from builds.caches import entries
from builds.images import catalogue
from builds.models import Build, Project
from builds.sources import credentials
from codeservices.aws.dispatch import Call, constraint_error, operation
from codeservices.aws.paging import decode, encode, page
from codeservices.aws.validate import Problem, sentences
from codeservices.errors import InvalidInput, NotFound, ServiceError
from codeservices.iam.authorize import authorize

# Source: AWS CodeBuild API Reference, "EnvironmentLanguage".
_LANGUAGES = {
    "base": "BASE",
    "docker": "DOCKER",
    "golang": "GOLANG",
    "java": "JAVA",
    "nodejs": "NODE_JS",
    "php": "PHP",
    "python": "PYTHON",
    "ruby": "RUBY",
}
PAGE = 100  # CodeBuild API Reference: lists come 100 a page


@constraint_error("codebuild")
def invalid_input(model: OperationModel, problems: list[Problem]) -> ServiceError:
    """CodeBuild has one error for every broken constraint, and a sentence of its own for project names."""
    if model.name == "CreateProject" and problems[0].member == "name":
        try:
            project_rules.check_name(problems[0].value or "")
        except InvalidInput as known:
            return known
    return InvalidInput(sentences(problems))


# ---- projects --------------------------------------------------------------------------------------------------------


@operation("codebuild", "CreateProject")
def create_project(call: Call) -> dict[str, Any]:
    return {"project": shapes.project(projects.create_project(call.principal, call.params), call.origin)}


@operation("codebuild", "UpdateProject")
def update_project(call: Call) -> dict[str, Any]:
    name = project_name_of(call.params["name"])
    return {"project": shapes.project(projects.update_project(call.principal, name, call.params), call.origin)}


@operation("codebuild", "BatchGetProjects")
def batch_get_projects(call: Call) -> dict[str, Any]:
    """By name or ARN; unknown ones are told as they were asked for, and every one must be allowed."""
    found, missing = [], []
    for asked in dict.fromkeys(call.params["names"]):
        try:
            project = project_for(call.principal, "codebuild:BatchGetProjects", project_name_of(asked))
        except NotFound:
            missing.append(asked)
        else:
            found.append(shapes.project(project, call.origin))
    return {"projects": found, "projectsNotFound": missing}


@operation("codebuild", "ListProjects")
def list_projects(call: Call) -> dict[str, Any]:
    """Names of the projects that the caller may look at."""
    order = call.params.get("sortBy", "NAME")
    descending = call.params.get("sortOrder") == "DESCENDING"

    def key(project: Project) -> str:
        if order == "NAME":
            return project.name
        moment = project.created_at if order == "CREATED_TIME" else project.updated_at
        return f"{moment.isoformat()} {project.name}"

    shown, token = page(
        projects.visible_projects(call.principal),
        key=key,
        kind=f"projects-{order}-{descending:d}",
        token=call.params.get("nextToken"),
        limit=PAGE,
        refusal=_bad_token(),
        descending=descending,
    )
    return {"projects": [project.name for project in shown], "nextToken": token}


@operation("codebuild", "DeleteProject")
def delete_project(call: Call) -> None:
    """By name or ARN; an unknown one is a success."""
    projects.delete_project(call.principal, project_name_of(call.params["name"]))


@operation("codebuild", "UpdateProjectVisibility")
def update_project_visibility(call: Call) -> dict[str, Any]:
    name = project_name_of(call.params["projectArn"])
    project = projects.set_visibility(call.principal, name, call.params["projectVisibility"])
    return {"projectArn": project.arn, "projectVisibility": "PRIVATE"}


@operation("codebuild", "InvalidateProjectCache")
def invalidate_project_cache(call: Call) -> None:
    entries.invalidate(call.principal, project_name_of(call.params["projectName"]))


@operation("codebuild", "ListSharedProjects")
def list_shared_projects(call: Call) -> dict[str, Any]:
    """None: one installation is one account, and nobody else could share a project with it."""
    authorize(call.principal, "codebuild:ListSharedProjects", "*")
    return {"projects": []}


# ---- builds ----------------------------------------------------------------------------------------------------------


@operation("codebuild", "StartBuild")
def start_build(call: Call) -> dict[str, Any]:
    name = project_name_of(call.params["projectName"])
    return {"build": shapes.build(lifecycle.start_build(call.principal, name, call.params), call.origin)}


@operation("codebuild", "RetryBuild")
def retry_build(call: Call) -> dict[str, Any]:
    if not call.params.get("id"):
        raise InvalidInput("Name the build to retry by its id.")
    build = build_by_id(call.principal, "codebuild:RetryBuild", call.params["id"])
    again = lifecycle.retry_build(call.principal, build, call.params.get("idempotencyToken", ""))
    return {"build": shapes.build(again, call.origin)}


@operation("codebuild", "StopBuild")
def stop_build(call: Call) -> dict[str, Any]:
    build = build_by_id(call.principal, "codebuild:StopBuild", call.params["id"])
    return {"build": shapes.build(lifecycle.stop_build(call.principal, build), call.origin)}


@operation("codebuild", "BatchGetBuilds")
def batch_get_builds(call: Call) -> dict[str, Any]:
    """By id or ARN; unknown ones are told as they were asked for, and the project of every one must be allowed."""
    asked = builds_by_ids(call.principal, "codebuild:BatchGetBuilds", call.params["ids"])
    found = [build for build in asked.values() if build is not None]
    prefetch_related_objects(found, "phases", "artifacts")
    return {
        "builds": [shapes.build(build, call.origin) for build in found],
        "buildsNotFound": [name for name, build in asked.items() if build is None],
    }


@operation("codebuild", "BatchDeleteBuilds")
def batch_delete_builds(call: Call) -> dict[str, Any]:
    """By id or ARN; what runs stays, unknown ones are told, and the project of every one must be allowed."""
    deleted, kept = [], []
    for asked in dict.fromkeys(call.params["ids"]):
        try:
            build = build_by_id(call.principal, "codebuild:BatchDeleteBuilds", asked)
        except NotFound:
            kept.append({"id": asked, "statusCode": "BUILD_NOT_FOUND"})
            continue
        if lifecycle.delete_build(call.principal, build):
            deleted.append(build.arn)
        else:
            kept.append({"id": build.arn, "statusCode": "BUILD_IN_PROGRESS"})
    return {"buildsDeleted": deleted, "buildsNotDeleted": kept}


@operation("codebuild", "ListBuilds")
def list_builds(call: Call) -> dict[str, Any]:
    """Ids of the builds that the caller may look at."""
    authorize(call.principal, "codebuild:ListBuilds", "*")
    return _listed(call, visible_builds(call.principal, "codebuild:BatchGetBuilds"), "builds")


@operation("codebuild", "ListBuildsForProject")
def list_builds_for_project(call: Call) -> dict[str, Any]:
    name = project_name_of(call.params["projectName"])
    try:
        project = project_for(call.principal, "codebuild:ListBuildsForProject", name)
    except NotFound as missing:
        raise NotFound("The provided project ARN does not exist") from missing
    return _listed(call, project.builds.all(), f"builds-{project.pk}")


# ---- source credentials ----------------------------------------------------------------------------------------------


@operation("codebuild", "ImportSourceCredentials")
def import_source_credentials(call: Call) -> dict[str, Any]:
    return {"arn": credentials.import_credentials(call.principal, call.params).arn}


@operation("codebuild", "ListSourceCredentials")
def list_source_credentials(call: Call) -> dict[str, Any]:
    found = credentials.list_credentials(call.principal)
    return {"sourceCredentialsInfos": [shapes.source_credential(one) for one in found]}


@operation("codebuild", "DeleteSourceCredentials")
def delete_source_credentials(call: Call) -> dict[str, Any]:
    return {"arn": credentials.delete_credentials(call.principal, call.params["arn"])}


# ---- images ----------------------------------------------------------------------------------------------------------


@operation("codebuild", "ListCuratedEnvironmentImages")
def list_curated_environment_images(call: Call) -> dict[str, Any]:
    """Every curated image under each language that it holds; the base image under BASE."""
    authorize(call.principal, "codebuild:ListCuratedEnvironmentImages", "*")
    by_language: dict[str, list[dict[str, Any]]] = {}
    for image in catalogue.curated():
        row = {"name": image.image, "description": image.description, "versions": [f"{image.image}:latest"]}
        for runtime in image.runtimes or ("base",):
            by_language.setdefault(_LANGUAGES[runtime], []).append(row)
    languages = [{"language": language, "images": images} for language, images in sorted(by_language.items())]
    return {"platforms": [{"platform": "DEBIAN", "languages": languages}]}


# ---- what several share ----------------------------------------------------------------------------------------------


def _listed(call: Call, builds: Any, kind: str) -> dict[str, Any]:
    """A page of build ids, newest first unless asked otherwise; the token holds the last row's number."""
    ascending = call.params.get("sortOrder") == "ASCENDING"
    kind = f"{kind}-{ascending:d}"
    token = call.params.get("nextToken")
    if token:
        last = decode(kind, token, _bad_token())
        if not (last.isascii() and last.isdecimal() and len(last) < 19):
            raise _bad_token()
        builds = builds.filter(pk__gt=last) if ascending else builds.filter(pk__lt=last)
    rows: list[Build] = list(builds.order_by("pk" if ascending else "-pk")[: PAGE + 1])
    shown = rows[:PAGE]
    following = encode(kind, str(shown[-1].pk)) if len(rows) > PAGE else None
    return {"ids": [build.api_id for build in shown], "nextToken": following}


def _bad_token() -> InvalidInput:
    return InvalidInput("Invalid nextToken: this server gave no such token.")
