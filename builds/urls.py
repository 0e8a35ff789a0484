"""Build projects, builds, their logs and artifacts."""

from django.urls import path, register_converter

from builds.views import artifacts, badges, builds, caches, credentials, log_search, logs, projects


class ProjectNameConverter:
    """A project's name; builds of a deleted one keep its name."""

    regex = r"[A-Za-z0-9][A-Za-z0-9\-_]{1,149}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(ProjectNameConverter, "project")

app_name = "builds"

_build = "projects/<project:name>/builds/<int:number>"

urlpatterns = [
    path("badges", badges.project_badge, name="project_badge"),
    path("projects/", projects.project_list, name="project_list"),
    path("projects/new/", projects.project_create, name="project_create"),
    path("projects/<project:name>/", projects.project, name="project"),
    path("projects/<project:name>/settings", projects.project_settings, name="project_settings"),
    path("projects/<project:name>/delete", projects.project_delete, name="project_delete"),
    path("projects/<project:name>/caches", caches.cache_list, name="cache_list"),
    path("projects/<project:name>/caches/invalidate", caches.cache_invalidate, name="cache_invalidate"),
    path("projects/<project:name>/start", builds.build_start, name="build_start"),
    path("source-credentials/", credentials.credential_list, name="credential_list"),
    path("source-credentials/delete", credentials.credential_delete, name="credential_delete"),
    path("builds/", builds.build_list, name="build_list"),
    path("builds/recent", builds.build_recent, name="build_recent"),
    path(f"{_build}/", builds.build, name="build"),
    path(f"{_build}/stop", builds.build_stop, name="build_stop"),
    path(f"{_build}/retry", builds.build_retry, name="build_retry"),
    path(f"{_build}/events", logs.build_events, name="build_events"),
    path(f"{_build}/log", logs.build_log, name="build_log"),
    path(f"{_build}/log/search", log_search.build_log_search, name="build_log_search"),
    path(f"{_build}/artifacts", artifacts.artifact_list, name="artifact_list"),
    path(f"{_build}/artifacts/<int:pk>", artifacts.artifact_download, name="artifact_download"),
    path(f"{_build}/artifacts/<int:pk>/folder/<path:path>", artifacts.artifact_folder, name="artifact_folder"),
    path(f"{_build}/artifacts/<int:pk>/file/<path:path>", artifacts.artifact_file, name="artifact_file"),
]
