"""The files that trails wrote before there were buckets become objects, where they lie."""

import hashlib

from django.core.files.storage import default_storage
from django.db import migrations


def adopt(apps, schema_editor):
    Trail = apps.get_model("audit", "Trail")
    Bucket = apps.get_model("objects", "Bucket")
    for name in sorted(set(Trail.objects.values_list("s3_bucket_name", flat=True))):
        bucket, _ = Bucket.objects.get_or_create(name=name)
        for path in _files(name):
            _adopt(apps, bucket, path)
        bucket.save()


def _files(folder):
    try:
        folders, names = default_storage.listdir(folder)
    except FileNotFoundError:
        return
    for name in names:
        if name.endswith(".json.gz"):
            yield f"{folder}/{name}"
    for name in folders:
        yield from _files(f"{folder}/{name}")


def _adopt(apps, bucket, path):
    Piece = apps.get_model("objects", "Piece")
    if Piece.objects.filter(storage_key=path).exists():
        return
    with default_storage.open(path, "rb") as file:
        content = file.read()  # some megabytes at most: a trail's file has 5,000 events
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    stored, is_new = apps.get_model("objects", "StoredObject").objects.get_or_create(
        bucket=bucket,
        key=path.removeprefix(f"{bucket.name}/"),
        defaults={
            "size_bytes": len(content),
            "etag": md5,
            "sha256": hashlib.sha256(content).hexdigest(),
            "content_type": "application/json",
            "headers": {"content-encoding": "gzip"},
        },
    )
    if is_new:
        Piece.objects.create(storage_key=path, stored_object=stored, size_bytes=len(content), md5=md5)
        bucket.size_bytes += len(content)
        bucket.object_count += 1


class Migration(migrations.Migration):
    dependencies = [("objects", "0001_initial"), ("audit", "0003_chain_existing")]

    operations = [migrations.RunPython(adopt, migrations.RunPython.noop)]
