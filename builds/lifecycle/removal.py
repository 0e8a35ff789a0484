"""Delete a build that is over, with its log and what it left behind in this server's own storage."""

from __future__ import annotations

import contextlib
import logging

from django.db import transaction
from redis.exceptions import RedisError

from builds import lease
from builds.logs.stream import stream_key
from builds.models import Build, Status
from codeservices import storage
from codeservices.iam.authorize import authorize
from codeservices.iam.principal import Principal

logger = logging.getLogger(__name__)


def delete_build(principal: Principal, build: Build) -> bool:
    """Delete a build; False where it still runs, which changes nothing. Its artifacts follow (builds/retention.py).

    Raises:
        AccessDenied: Of codebuild:BatchDeleteBuilds on the project.
    """
    authorize(principal, "codebuild:BatchDeleteBuilds", build.project_arn)
    with transaction.atomic():
        keys = list(build.log_chunks.values_list("key", flat=True))
        finished = Build.objects.filter(pk=build.pk).exclude(status=Status.IN_PROGRESS)
        if not finished.delete()[0]:
            return False
    # The rows first: what a crash leaves is then an object that nobody finds, and no build without its log.
    for key in keys:
        storage.delete(key)
    with contextlib.suppress(RedisError), contextlib.closing(lease.redis_client()) as redis:
        redis.delete(stream_key(str(build.uuid)))
    logger.info("build %s of %s deleted", build.number, build.project_name)
    return True
