"""A build's UPLOAD_ARTIFACTS: choose, pack, and put into the object store as the build's service role.

Source: AWS CodeBuild User Guide, "artifacts" in the buildspec reference; "Multiple input sources and output artifacts".
"""

from __future__ import annotations

import mimetypes
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.db import transaction

from builds import service_role
from builds.artifacts import manifest, naming, packing
from builds.artifacts.manifest import StoredFile
from builds.buildspec import Artifacts, Buildspec
from builds.collecting import Entry, Limits, collect
from builds.expansion import expanded
from builds.lease import LeaseLost, held
from builds.models import Artifact, Build, Leftover, Packaging
from builds.projects import ARTIFACT_BUCKET
from builds.runner.executor import PhaseError
from builds.runner.plan import Prepared, Tools
from codeservices.audit.record import act
from codeservices.errors import AccessDenied, ServiceError
from codeservices.iam.principal import Principal
from codeservices.objects.models import StoredObject
from codeservices.objects.services import OnStored, ensure_bucket, put_object

# A single file is held in memory up to here on its way into the store.
SPOOL_BYTES = 1024 * 1024
BUILD_PHASE = "BUILD"


@dataclass(frozen=True)
class Wanted:
    """One artifact that the build is to leave behind.

    Attributes:
        identifier: "" for the primary one.
        config: Its ProjectArtifacts.
        spec: What the buildspec says of it.
    """

    identifier: str
    config: Mapping[str, Any]
    spec: Artifacts

    @property
    def words(self) -> str:
        return f"secondary artifact {self.identifier}" if self.identifier else "primary artifact"


def check(build: Build, spec: Buildspec) -> None:
    """Whether the project has every secondary artifact that the buildspec names, before a command has run.

    Raises:
        PhaseError: YAML_FILE_ERROR.
    """
    known = [one["artifactIdentifier"] for one in build.secondary_artifacts_config]
    unknown = [name for name in spec.secondary_artifacts if name not in known]
    if unknown:
        there = f"it has {', '.join(known)}" if known else "it has none"
        raise PhaseError(
            "YAML_FILE_ERROR",
            f"artifacts.secondary-artifacts: the project has no secondary artifact {', '.join(unknown)}; {there}",
        )


def upload(build: Build, principal: Principal, tools: Tools, prepared: Prepared) -> None:
    """Store what the build leaves behind. Nothing is stored after a failed BUILD.

    Args:
        principal: The session of the build's service role.

    Raises:
        PhaseError: CLIENT_ERROR in CodeBuild's words.
    """
    wanted = _wanted(build, prepared.buildspec, tools)
    if not wanted:
        return
    if BUILD_PHASE in tools.failed_phases:
        tools.note("Artifacts are not stored, since the BUILD phase failed")
        return
    # Names are the shell's, and the container ends when the first file is read.
    named = [(one, _name(build, one, tools)) for one in wanted]
    for one, name in named:
        _Upload(build, principal, tools, prepared.directory, one, name).run()


def _wanted(build: Build, spec: Buildspec, tools: Tools) -> list[Wanted]:
    found: list[Wanted] = []
    if build.artifacts_config.get("type") == "S3":
        if spec.artifacts is None:
            tools.note("Artifacts are not defined in the buildspec")
        else:
            found.append(Wanted("", build.artifacts_config, spec.artifacts))
    for config in build.secondary_artifacts_config:
        identifier = config["artifactIdentifier"]
        if config.get("type") != "S3":
            continue
        if identifier in spec.secondary_artifacts:
            found.append(Wanted(identifier, config, spec.secondary_artifacts[identifier]))
        else:
            tools.note(f"The secondary artifact {identifier} is not defined in the buildspec")
    return found


def _name(build: Build, wanted: Wanted, tools: Tools) -> str:
    """The project's name for it; the buildspec's, expanded by the build's shell, where the project allows that."""
    default = naming.default_name(wanted.config, build.project_name)
    if not (wanted.config.get("overrideArtifactName") and wanted.spec.name):
        return naming.clean_name(default)
    name = expanded(tools, wanted.spec.name)
    if name is None:
        raise PhaseError("CLIENT_ERROR", f"the artifact name {wanted.spec.name} can't be expanded")
    return naming.clean_name(name) or naming.clean_name(default)


class _Upload:
    """One artifact's way from the container into a bucket."""

    def __init__(
        self, build: Build, principal: Principal, tools: Tools, directory: str, wanted: Wanted, name: str
    ) -> None:
        self.build = build
        self.principal = principal
        self.tools = tools
        self.directory = directory
        self.wanted = wanted
        self.name = name
        self.bucket = wanted.config["location"]
        self.key = naming.object_key(wanted.config, str(build.uuid), name, s3_prefix=wanted.spec.s3_prefix)
        self.limits = Limits(settings.ARTIFACT_MAX_FILES, settings.ARTIFACT_MAX_BYTES)

    def run(self) -> None:
        if self.wanted.identifier:
            self.tools.note(f"Preparing the secondary artifact {self.wanted.identifier}")
        problem = naming.problem(self.key)
        if problem:
            raise PhaseError("CLIENT_ERROR", f"{problem} of the {self.wanted.words}")
        if self.bucket == ARTIFACT_BUCKET:
            ensure_bucket(self.bucket)
        packing.tell_expansion(self.wanted.spec, self.tools.note)
        if self.wanted.config.get("packaging") == Packaging.ZIP:
            self._store_zip()
        else:
            self._store_files()

    def _store_zip(self) -> None:
        with _scratch() as file:
            packed = packing.pack(
                self.tools.executor, self.wanted.spec, self.directory, file, self.limits, self.tools.note
            )

            def keep(stored: StoredObject) -> None:
                self._keep(
                    key=stored.key,
                    packaging=Packaging.ZIP,
                    object_modified_at=stored.modified_at,
                    size_bytes=packed.size_bytes,
                    file_count=len(packed.entries),
                    md5=packed.md5,
                    sha256=packed.sha256,
                )

            key = self.key or self.build.project_name
            with self._act(key):
                self._put(key, file, "application/zip", keep)
        self._tell(key, packed.size_bytes, len(packed.entries))

    def _store_files(self) -> None:
        """Every file is an object of its own, left over until the artifact's row names them all (see Leftover)."""
        choice = packing.choice(self.wanted.spec, self.directory, is_zip=False)
        writer = _FolderWriter(self)
        with self._act(self.key):
            collect(self.tools.executor, choice, self.limits, writer, self.tools.note)
        manifest_key, size_bytes = manifest.new_key(self.build), sum(one.size_bytes for one in writer.stored)
        self._left_over(self.key, manifest_key=manifest_key)
        manifest.write(manifest_key, writer.stored)
        with transaction.atomic():
            self._keep(
                key=self.key,
                packaging=Packaging.NONE,
                manifest_key=manifest_key,
                size_bytes=size_bytes,
                file_count=len(writer.stored),
            )
            Leftover.objects.filter(build=self.build).delete()
        self._tell(self.key, size_bytes, len(writer.stored))

    @contextmanager
    def _act(self, key: str) -> Iterator[None]:
        """One act of the role's session, however many objects it puts; what it may not becomes the build's context."""
        what = f"for {self.wanted.words} arn:aws:s3:::{self.bucket}/{key}"
        try:
            with act(self.principal, service_role.request_info()) as current:
                current.parameters.update(bucketName=self.bucket, key=key)
                current.additional["build"] = self.build.api_id
                yield
        except AccessDenied as error:
            raise PhaseError("CLIENT_ERROR", f"AccessDenied: {error.message} status code: 403 {what}") from error
        except ServiceError as error:
            raise PhaseError("CLIENT_ERROR", f"{error.code}: {error.message} {error.hint} {what}") from error

    def _put(self, key: str, file: IO[bytes], content_type: str, on_stored: OnStored) -> StoredObject:
        return put_object(
            self.principal,
            self.bucket,
            key,
            file,
            content_type=content_type,
            metadata={"codebuild-buildarn": self.build.arn},
            on_stored=on_stored,
        )

    def put_file(self, path: str, file: IO[bytes]) -> StoredObject:
        """Store one file of an artifact that isn't packed."""
        key = f"{self.key}/{path}" if self.key else path

        def keep(stored: StoredObject) -> None:
            self._left_over(key, object_modified_at=stored.modified_at)

        return self._put(key, file, mimetypes.guess_type(path)[0] or "", keep)

    def _left_over(self, key: str, **fields: Any) -> None:
        Leftover.objects.create(build=self.build, bucket=self.bucket, key=key, **fields)

    def _keep(self, **fields: Any) -> None:
        """The row of what was stored; raises LeaseLost where the build has ended, and with it what it has stored."""
        if not held(self.build).exists():
            raise LeaseLost(f"{self.build} is no longer held by {self.build.lease_owner}")
        Artifact.objects.create(
            build=self.build, identifier=self.wanted.identifier, name=self.name[:255], bucket=self.bucket, **fields
        )

    def _tell(self, key: str, size_bytes: int, file_count: int) -> None:
        place = f"s3://{self.bucket}/{key}".rstrip("/")
        self.tools.note(f"Stored {file_count:,} file(s) as {place}: {size_bytes:,} bytes")


class _FolderWriter:
    """Puts each file into the bucket as an object of its own."""

    def __init__(self, upload: _Upload) -> None:
        self._upload = upload
        self.stored: list[StoredFile] = []

    def add(self, entry: Entry, content: Iterator[bytes]) -> None:
        with tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES, dir=str(scratch_folder())) as file:
            for piece in content:
                file.write(piece)
            file.seek(0)
            stored = self._upload.put_file(entry.path, file)
        self.stored.append(StoredFile(entry.path, entry.size_bytes, stored.modified_at.isoformat()))

    def add_same(self, entry: Entry, path: str) -> bool:
        return False  # the role may put objects without being allowed to read them


def _scratch() -> IO[bytes]:
    """A file without a name, so that it is gone with the process."""
    return tempfile.TemporaryFile(dir=scratch_folder())


def scratch_folder() -> Path:
    """Where files lie on their way."""
    path = Path(settings.CACHE_ROOT) / "artifacts"
    path.mkdir(parents=True, exist_ok=True)
    return path
