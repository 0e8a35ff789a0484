"""Console addresses of repositories. A revision and a path are one part: where one ends is for the refs to say."""

from __future__ import annotations

from django.urls import path, re_path, register_converter

from repos.views import (
    archive,
    blame,
    branches,
    browse,
    comments,
    commit,
    compare,
    deleted,
    edit,
    find,
    graph,
    history,
    imports,
    mirror,
    picks,
    protection,
    raw,
    repositories,
    search,
    tags,
    trigger_deliveries,
    triggers,
    upkeep,
    upload,
)


class SpecConverter:
    """Everything that is left, with slashes and line feeds."""

    regex = r"[\s\S]*"

    def to_python(self, value: str) -> str:
        """As it is; views take the undecoded bytes from the request."""
        return value

    def to_url(self, value: str) -> str:
        """As it is."""
        return value


register_converter(SpecConverter, "spec")

app_name = "repos"

_NAME = r"^repositories/(?P<name>[^/]+)"
_COMMENTS = rf"{_NAME}/commit/(?P<oid>[0-9a-f]{{40}})/comments"
_COMMENT = rf"{_COMMENTS}/(?P<comment_id>[0-9a-f-]{{36}})"
_TRIGGER = rf"{_NAME}/triggers/(?P<trigger_name>[A-Za-z0-9._-]+)"
_DELIVERY = rf"{_TRIGGER}/deliveries/(?P<delivery_id>[0-9a-f-]+)"

urlpatterns = [
    path("repositories/", repositories.repository_list, name="repository_list"),
    path("repositories/new/", repositories.repository_create, name="repository_create"),
    path("repositories/new/import/", imports.repository_import, name="repository_import"),
    path("repositories/<str:name>/", browse.overview, name="repository"),
    path("repositories/<str:name>/browse/<spec:spec>", browse.browse, name="browse"),
    path("repositories/<str:name>/raw/<spec:spec>", raw.raw, name="raw"),
    path("repositories/<str:name>/blame/<spec:spec>", blame.blame, name="blame"),
    path("repositories/<str:name>/archive/<spec:spec>", archive.archive, name="archive"),
    path("repositories/<str:name>/find/<spec:spec>", find.find, name="find"),
    path("repositories/<str:name>/search/<spec:spec>", search.search, name="search"),
    re_path(rf"{_NAME}/paths/(?P<oid>[0-9a-f]{{40}})$", find.path_list, name="path_list"),
    path("repositories/<str:name>/commits/<spec:spec>", history.commit_list, name="commit_list"),
    re_path(
        rf"{_NAME}/commit/(?P<oid>[0-9A-Fa-f]{{40}})\.(?P<form>patch|diff)$", commit.commit_text, name="commit_text"
    ),
    path("repositories/<str:name>/compare/<spec:spec>", compare.compare, name="compare"),
    re_path(rf"{_NAME}/commit/(?P<oid>[^/]+)/?$", commit.commit, name="commit"),
    re_path(rf"{_NAME}/commit/(?P<oid>[^/]+)/revert$", picks.commit_revert, name="commit_revert"),
    re_path(rf"{_NAME}/commit/(?P<oid>[^/]+)/cherry-pick$", picks.commit_cherry_pick, name="commit_cherry_pick"),
    path("repositories/<str:name>/edit/<spec:spec>", edit.file_edit, name="file_edit"),
    path("repositories/<str:name>/new/<spec:spec>", edit.file_create, name="file_create"),
    path("repositories/<str:name>/upload/<spec:spec>", upload.file_upload, name="file_upload"),
    path("repositories/<str:name>/delete-file/<spec:spec>", edit.file_delete, name="file_delete"),
    re_path(rf"{_COMMENTS}$", comments.post, name="comment_post"),
    re_path(rf"{_COMMENT}/reply$", comments.reply, name="comment_reply"),
    re_path(rf"{_COMMENT}/edit$", comments.edit, name="comment_edit"),
    re_path(rf"{_COMMENT}/delete$", comments.delete, name="comment_delete"),
    re_path(rf"{_COMMENT}/react$", comments.react, name="comment_react"),
    re_path(rf"{_NAME}/graph/?$", graph.graph, name="graph"),
    re_path(rf"{_NAME}/graph/rows$", graph.graph_rows, name="graph_rows"),
    re_path(rf"{_NAME}/branches/?$", branches.branch_list, name="branch_list"),
    re_path(rf"{_NAME}/branches/create$", branches.branch_create, name="branch_create"),
    re_path(rf"{_NAME}/branches/delete$", branches.branch_delete, name="branch_delete"),
    re_path(rf"{_NAME}/branches/protect$", protection.branch_protect, name="branch_protect"),
    re_path(rf"{_NAME}/branches/unprotect$", protection.branch_unprotect, name="branch_unprotect"),
    re_path(rf"{_NAME}/tags/?$", tags.tag_list, name="tag_list"),
    re_path(rf"{_NAME}/tags/create$", tags.tag_create, name="tag_create"),
    re_path(rf"{_NAME}/tags/delete$", tags.tag_delete, name="tag_delete"),
    re_path(rf"{_NAME}/migrate/?$", repositories.migrate, name="repository_migrate"),
    re_path(rf"{_NAME}/triggers/?$", triggers.trigger_list, name="trigger_list"),
    re_path(rf"{_TRIGGER}/?$", triggers.trigger, name="trigger"),
    re_path(rf"{_TRIGGER}/edit$", triggers.trigger_edit, name="trigger_edit"),
    re_path(rf"{_TRIGGER}/delete$", triggers.trigger_delete, name="trigger_delete"),
    re_path(rf"{_TRIGGER}/test$", triggers.trigger_test, name="trigger_test"),
    re_path(rf"{_TRIGGER}/confirm$", triggers.trigger_confirm, name="trigger_confirm"),
    re_path(rf"{_DELIVERY}/?$", trigger_deliveries.trigger_delivery, name="trigger_delivery"),
    re_path(rf"{_DELIVERY}/redeliver$", trigger_deliveries.trigger_redeliver, name="trigger_redeliver"),
    re_path(rf"{_NAME}/import/?$", imports.import_status, name="import"),
    re_path(rf"{_NAME}/import/cancel$", imports.import_cancel, name="import_cancel"),
    re_path(rf"{_NAME}/import/retry$", imports.import_retry, name="import_retry"),
    re_path(rf"{_NAME}/settings/mirror/?$", mirror.mirror, name="mirror"),
    re_path(rf"{_NAME}/settings/mirror/change$", mirror.mirror_change, name="mirror_change"),
    re_path(rf"{_NAME}/settings/?$", repositories.settings, name="repository_settings"),
    re_path(rf"{_NAME}/settings/description/?$", repositories.describe, name="repository_describe"),
    re_path(rf"{_NAME}/settings/default-branch/?$", repositories.set_default_branch, name="repository_default_branch"),
    re_path(rf"{_NAME}/settings/name/?$", repositories.rename, name="repository_rename"),
    re_path(rf"{_NAME}/settings/tags/?$", repositories.save_tags, name="repository_tags"),
    re_path(rf"{_NAME}/settings/quota/?$", repositories.set_quota, name="repository_quota"),
    re_path(rf"{_NAME}/settings/archive/?$", repositories.archive, name="repository_archive"),
    re_path(rf"{_NAME}/settings/unarchive/?$", repositories.unarchive, name="repository_unarchive"),
    re_path(rf"{_NAME}/settings/delete/?$", repositories.delete, name="repository_delete"),
    re_path(rf"{_NAME}/settings/upkeep/?$", upkeep.upkeep, name="upkeep"),
    re_path(rf"{_NAME}/settings/upkeep/run/?$", upkeep.upkeep_run, name="upkeep_run"),
    path("upkeep/", upkeep.upkeep_list, name="upkeep_list"),
    path("deleted-repositories/", deleted.deleted_list, name="deleted_list"),
    path("deleted-repositories/<str:name>/<uuid:repository_id>/", deleted.deleted, name="deleted"),
    path("deleted-repositories/<str:name>/<uuid:repository_id>/restore", deleted.restore, name="deleted_restore"),
    path("deleted-repositories/<str:name>/<uuid:repository_id>/purge", deleted.purge, name="deleted_purge"),
]
