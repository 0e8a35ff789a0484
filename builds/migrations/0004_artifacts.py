import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

# Where artifacts said they were before there were buckets.
OLD_BUCKET = "codebuild-artifacts"


def into_the_object_store(apps, schema_editor):
    """What builds left behind so far lies in the store without being an object: make it one, under the same key."""
    Artifact = apps.get_model("builds", "Artifact")
    Bucket = apps.get_model("objects", "Bucket")
    StoredObject = apps.get_model("objects", "StoredObject")
    Piece = apps.get_model("objects", "Piece")
    Project = apps.get_model("builds", "Project")
    names = {one.get("location") for one in Project.objects.values_list("artifacts", flat=True)} - {None, ""}
    for name in sorted(names):
        Bucket.objects.get_or_create(name=name)
    for artifact in Artifact.objects.select_related("build").iterator():
        name = artifact.build.artifacts_config.get("location") or OLD_BUCKET
        bucket, _ = Bucket.objects.get_or_create(name=name)
        key = artifact.key
        stored, is_new = StoredObject.objects.get_or_create(
            bucket=bucket,
            key=key,
            defaults={
                "size_bytes": artifact.size_bytes,
                "etag": artifact.md5,
                "sha256": artifact.sha256,
                "modified_at": artifact.created_at,
                "metadata": {"codebuild-buildarn": _build_arn(artifact.build)},
            },
        )
        if is_new:
            Piece.objects.create(
                storage_key=key, stored_object=stored, number=1, size_bytes=artifact.size_bytes, md5=artifact.md5
            )
            bucket.size_bytes += artifact.size_bytes
            bucket.object_count += 1
            bucket.save(update_fields=["size_bytes", "object_count"])
        artifact.bucket, artifact.packaging, artifact.file_count = name, "ZIP", len(artifact.files)
        artifact.object_modified_at = stored.modified_at
        artifact.save(update_fields=["bucket", "packaging", "file_count", "object_modified_at"])


def _build_arn(build):
    from django.conf import settings

    from codeservices.iam import arn

    return arn.build_arn(settings.REGION, settings.ACCOUNT_ID, build.project_name, str(build.uuid))


class Migration(migrations.Migration):
    dependencies = [("builds", "0003_build_engine"), ("objects", "0001_initial")]

    operations = [
        migrations.AddField("project", "cache_invalidated_at", models.DateTimeField(editable=False, null=True)),
        migrations.AddField("artifact", "bucket", models.CharField(default="", max_length=63), preserve_default=False),
        migrations.AddField("artifact", "file_count", models.PositiveIntegerField(default=0)),
        migrations.AddField("artifact", "manifest_key", models.CharField(blank=True, max_length=200)),
        migrations.AddField("artifact", "object_modified_at", models.DateTimeField(null=True)),
        migrations.AddField(
            "artifact",
            "packaging",
            models.CharField(choices=[("NONE", "Files"), ("ZIP", "ZIP")], default="ZIP", max_length=4),
            preserve_default=False,
        ),
        migrations.AlterField("artifact", "key", models.CharField(blank=True, max_length=1024)),
        migrations.AlterField("artifact", "md5", models.CharField(blank=True, max_length=32)),
        migrations.AlterField("artifact", "sha256", models.CharField(blank=True, max_length=64)),
        migrations.RunPython(into_the_object_store, migrations.RunPython.noop),
        migrations.RemoveField("artifact", "files"),
        migrations.CreateModel(
            name="CacheEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("namespace", models.CharField(blank=True, max_length=255)),
                ("refname", models.CharField(blank=True, max_length=255)),
                ("host", models.CharField(blank=True, max_length=64)),
                ("scope", models.CharField(max_length=64)),
                ("cache_key", models.CharField(blank=True, max_length=512)),
                ("version", models.CharField(max_length=64)),
                ("bucket", models.CharField(blank=True, max_length=63)),
                ("key", models.CharField(max_length=1024)),
                ("object_modified_at", models.DateTimeField(null=True)),
                ("size_bytes", models.PositiveBigIntegerField()),
                ("file_count", models.PositiveIntegerField(default=0)),
                ("sha256", models.CharField(max_length=64)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("used_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "project",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="cache_entries",
                        to="builds.project",
                    ),
                ),
            ],
            options={
                "verbose_name": "cache",
                "ordering": ["-created_at", "-pk"],
                "indexes": [models.Index(fields=["host", "used_at"], name="cache_entry_by_use")],
                "constraints": [
                    models.UniqueConstraint(fields=("scope", "version", "cache_key"), name="cache_entry_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Leftover",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("bucket", models.CharField(max_length=63)),
                ("key", models.CharField(blank=True, max_length=1024)),
                ("object_modified_at", models.DateTimeField(null=True)),
                ("manifest_key", models.CharField(blank=True, max_length=200)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={"ordering": ["pk"]},
        ),
    ]
