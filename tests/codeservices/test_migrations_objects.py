"""What was in the store before there were buckets."""

from __future__ import annotations

import importlib

import pytest
from django.apps import apps
from django.db import connection

from codeservices import storage
from codeservices.audit.models import Trail
from codeservices.iam.models import User
from codeservices.objects import services
from codeservices.objects.models import Bucket

pytestmark = pytest.mark.django_db


def test_the_files_of_trails_become_objects_where_they_lie(alice: User, settings, tmp_path) -> None:
    options = {**settings.STORAGES["default"], "OPTIONS": {"location": tmp_path / "objects"}}
    settings.STORAGES = {**settings.STORAGES, "default": options}
    Trail.objects.create(name="main", s3_bucket_name="audit-logs", s3_key_prefix="team")
    Trail.objects.create(name="other", s3_bucket_name="empty-logs")
    key = "team/AWSLogs/123456789012/CloudTrail/us-east-1/2026/11/26/a.json.gz"
    storage.write(f"audit-logs/{key}", b"old events")
    storage.write("builds/one/log.gz", b"no trail's")
    migration = importlib.import_module("codeservices.objects.migrations.0002_adopt_trail_files")
    for _ in range(2):
        migration.adopt(apps, connection.schema_editor())
    found, file = services.open_object(alice.principal, "audit-logs", key)
    with file:
        assert (file.read(), found.size_bytes) == (b"old events", 10)
    bucket = Bucket.objects.get(name="audit-logs")
    assert (bucket.size_bytes, bucket.object_count, Bucket.objects.count()) == (10, 1, 2)
