"""A build's cache: restored before INSTALL, saved after POST_BUILD. Nothing that is wrong with it fails the build.

Source: AWS CodeBuild User Guide, "Cache builds to improve performance" and "cache" in the buildspec reference.
"""

from __future__ import annotations

import io
import tarfile
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from django.conf import settings

from builds import service_role, tarstream
from builds.artifacts.uploading import scratch_folder
from builds.buildspec import Buildspec, Cache
from builds.caches import archive, entries, local
from builds.caches.archive import PackedCache
from builds.caches.scopes import Owner, version
from builds.collecting import Limits
from builds.expansion import expanded
from builds.models import Build, CacheEntry, Leftover, Project
from builds.runner.executor import PhaseError
from builds.runner.plan import Prepared, Tools
from builds.sources import versions
from codeservices import work
from codeservices.audit.record import act
from codeservices.errors import ServiceError
from codeservices.iam.principal import Principal
from codeservices.objects.models import StoredObject
from codeservices.objects.services import open_object, put_object
from repos.models import Repository

HASH_FILES = "codebuild-hash-files"
HASH_FILES_PATH = f"/usr/local/bin/{HASH_FILES}"
MAX_KEY_CHARACTERS = 512
_PROGRAM = Path(__file__).with_name("hash_files.sh")
_BRANCH = "refs/heads/"


class BuildCache:
    """What one build does with its project's cache.

    Attributes:
        refname: The full name of the ref that is built, "" where it is of none.
    """

    def __init__(self, build: Build) -> None:
        self.build = build
        self.refname = ""
        self._key = ""
        self._fallback_keys: list[str] = []
        self._is_off = True

    # ---- before INSTALL ----------------------------------------------------------------------------------------------

    def restore(self, principal: Principal, tools: Tools, prepared: Prepared) -> None:
        """Bring what is cached into the running container; the log tells what became of it."""
        if _uses_hash_files(prepared.buildspec):
            tools.executor.put(hash_files_program())
        spec = self._wanted(prepared.buildspec, tools)
        if spec is None or not self._expand_keys(spec, tools):
            return
        self._is_off = False
        if spec.action == "save":
            return
        scopes = [self._own.scope(self.refname), *(self._shared.scope(one) for one in self._refnames())]
        entry = entries.find(scopes, version(spec.paths), self._key, self._fallback_keys)
        if entry is None:
            tools.note(f"No cache was found{f' for key {self._key}' if self._key else ''}")
            return
        with self._opened(entry, principal, tools) as file:
            if file is not None:
                self._unpack(entry, file, tools)

    def _wanted(self, buildspec: Buildspec, tools: Tools) -> Cache | None:
        """The buildspec's cache where the project has one to put it in."""
        kind, modes = self.build.cache.get("type", "NO_CACHE"), self.build.cache.get("modes") or []
        if kind == "LOCAL" and "LOCAL_SOURCE_CACHE" in modes and self.build.repository_name:
            tools.note("LOCAL_SOURCE_CACHE: the repository is on this server, so that nothing has to be cached")
        if kind == "NO_CACHE" or (kind == "LOCAL" and "LOCAL_CUSTOM_CACHE" not in modes):
            if buildspec.cache is not None:
                tools.note("Skip cache due to: the project keeps none")
            return None
        if buildspec.cache is None or not buildspec.cache.paths:
            tools.note("Skip cache due to: no paths specified to be cached")
            return None
        return buildspec.cache

    def _expand_keys(self, spec: Cache, tools: Tools) -> bool:
        """The key and the fallback keys as the build's shell expands them."""
        for text in (spec.key, *spec.fallback_keys) if spec.key else ():
            key = expanded(tools, text)
            if not key or len(key) > MAX_KEY_CHARACTERS or not key.isprintable():
                tools.note(f"Skip cache due to: {text} gives no key of 1 to {MAX_KEY_CHARACTERS} characters")
                return False
            if text is spec.key:
                self._key = key
            else:
                self._fallback_keys.append(key)
        return True

    def _unpack(self, entry: CacheEntry, file: IO[bytes], tools: Tools) -> None:
        if archive.digest(file) != entry.sha256:
            tools.note(f"Skip cache due to: what is stored for {_named(entry)} is damaged or was changed by others")
            entry.delete()
            return
        try:
            tools.executor.put(archive.unpacked(file))
        except PhaseError as error:
            tools.note(f"The cache could not be unpacked whole: {error.message}")
            return
        entries.touch(entry)
        tools.note(f"Restored {entry.file_count:,} file(s) from the cache of {_named(entry)}")

    @contextmanager
    def _opened(self, entry: CacheEntry, principal: Principal, tools: Tools) -> Iterator[IO[bytes] | None]:
        """A cache's bytes in a file that can be read twice; None where they can't be had, which the log tells."""
        if not entry.bucket:
            try:
                file = local.open_file(entry.key)
            except FileNotFoundError:
                tools.note(f"Skip cache due to: the cache of {_named(entry)} is not on this machine any more")
                entry.delete()
                yield None
                return
            with file:
                yield file
            return
        with tempfile.TemporaryFile(dir=scratch_folder()) as copy:
            try:
                with self._act(principal, entry.bucket, entry.key):
                    _, stored = open_object(principal, entry.bucket, entry.key)
                    with stored:
                        # Whoever may write to the bucket may have put in its place what this disk can't hold.
                        while copy.tell() <= entry.size_bytes and (piece := stored.read(tarstream.PIECE_BYTES)):
                            copy.write(piece)
            except (ServiceError, OSError) as error:
                tools.note(f"Skip cache due to: it can't be downloaded: {_reason(error)}")
                yield None
                return
            yield copy

    # ---- after POST_BUILD --------------------------------------------------------------------------------------------

    def save(self, principal: Principal, tools: Tools, prepared: Prepared) -> None:
        """Keep the files of cache.paths for later builds, unless something has failed or is there already."""
        spec = prepared.buildspec.cache
        if self._is_off or spec is None or spec.action == "restore":
            return
        if tools.failed_phases:
            tools.note("The cache is not saved, since a phase failed")
            return
        project = Project.objects.filter(pk=self.build.project_id or 0).first()
        if project is None or (project.cache_invalidated_at and project.cache_invalidated_at > self.build.started_at):
            tools.note("The cache is not saved: it was invalidated while this build ran")
            return
        where = {
            "scope": self._own.scope(self.refname),
            "version": version(spec.paths),
            "cache_key": self._key,
        }
        there = CacheEntry.objects.filter(**where).first()
        if there is not None and self._key:
            tools.note(f"The cache of {_named(there)} is there already and is not saved again")
            return
        try:
            self._pack(principal, tools, prepared.directory, spec, there, where)
        except PhaseError as error:
            if error.is_fault:
                raise
            tools.note(f"The cache is not saved: {error.message}")
        except (ServiceError, OSError) as error:
            tools.note(f"The cache is not saved: {_reason(error)}")

    def _pack(
        self,
        principal: Principal,
        tools: Tools,
        directory: str,
        spec: Cache,
        there: CacheEntry | None,
        where: dict[str, str],
    ) -> None:
        for path in spec.paths:
            tools.note(f"Expanding cache path {path}")
        with local.draft() if self._is_local else tempfile.TemporaryFile(dir=scratch_folder()) as file:
            limits = Limits(settings.CACHE_MAX_FILES, settings.CACHE_MAX_BYTES)
            packed = archive.pack(tools.executor, spec.paths, directory, file, limits, tools.note)
            if not packed.file_count:
                tools.note("Skip cache due to: no files match its paths")
                return
            if there is not None and there.sha256 == packed.sha256:
                entries.touch(there)
                tools.note("The cache is as it was and is not saved again")
                return
            is_kept = self._store(principal, file, packed, where)
        if not is_kept:
            tools.note("The cache is not saved: another build has saved one under this key meanwhile")
            return
        if self._is_local:
            entries.make_room_here()
        tools.note(f"Saved {packed.file_count:,} file(s) to the cache: {packed.size_bytes:,} bytes")

    def _store(self, principal: Principal, file: IO[bytes], packed: PackedCache, where: dict[str, str]) -> bool:
        """Put the bytes where they belong, together with the row that names them; whether that was added."""
        if self._is_local:
            name = local.keep(file)  # one that no row names goes with the next look at this disk
            is_kept = self._keep(packed, where, host=work.host(), bucket="", key=name)
            if not is_kept:
                local.remove(name)
            return is_kept
        bucket, _, prefix = self.build.cache["location"].partition("/")
        key = "/".join(filter(None, (prefix.strip("/"), self.build.project_name, f"{uuid.uuid4()}.tar.gz")))
        is_kept = False

        def keep(stored: StoredObject) -> None:
            nonlocal is_kept
            named = {"bucket": bucket, "key": key, "object_modified_at": stored.modified_at}
            is_kept = self._keep(packed, where, **named)
            if not is_kept:
                Leftover.objects.create(**named)

        with self._act(principal, bucket, key):
            put_object(principal, bucket, key, file, content_type="application/gzip", on_stored=keep)
        return is_kept

    def _keep(self, packed: PackedCache, where: dict[str, str], **place: Any) -> bool:
        return entries.keep(
            project_id=self.build.project_id,
            namespace=self._own.namespace,
            refname=self.refname[:255],
            size_bytes=packed.size_bytes,
            sha256=packed.sha256,
            file_count=packed.file_count,
            **place,
            **where,
        )

    # ---- whose -------------------------------------------------------------------------------------------------------

    @property
    def _is_local(self) -> bool:
        return self.build.cache.get("type") == "LOCAL"

    @property
    def _shared(self) -> Owner:
        """Whose caches builds of this project begin with."""
        project_pk = self.build.project_id or 0
        if self._is_local:
            return Owner(project_pk, host=work.host())
        place = self.build.cache["location"].strip("/")
        return Owner(project_pk, self.build.cache.get("cacheNamespace", ""), place)

    @property
    def _own(self) -> Owner:
        """Whose caches this build writes."""
        person = self.build.cache_owner
        return replace(self._shared, namespace="", person=person) if person else self._shared

    def _refnames(self) -> list[str]:
        """The refs whose caches this build may begin with: its own, and the one that the project is about.

        Where that is not known, as of another git server's default branch, it is not "": builds of bare commits write
        there, and those may be of anybody's pull request.
        """
        default = self._default_refname()
        return [self.refname] if default in ("", self.refname) else [self.refname, default]

    def _default_refname(self) -> str:
        project = self.build.project
        wanted = project.source_version if project is not None else ""
        if not wanted and self.build.repository_name:
            repository = Repository.objects.filter(name=self.build.repository_name).first()
            wanted = (repository.default_branch or "") if repository is not None else ""
        version = versions.parse(wanted)
        if version.oid:
            return ""  # whoever may push could call a branch by that commit's id
        return version.name if version.name.startswith("refs/") or not version.name else f"{_BRANCH}{version.name}"

    @contextmanager
    def _act(self, principal: Principal, bucket: str, key: str) -> Iterator[None]:
        with act(principal, service_role.request_info()) as current:
            current.parameters.update(bucketName=bucket, key=key)
            current.additional["build"] = self.build.api_id
            yield


def _named(entry: CacheEntry) -> str:
    return f"key {entry.cache_key}" if entry.cache_key else "this project"


def _reason(error: Exception) -> str:
    return f"{error.code}: {error.message}" if isinstance(error, ServiceError) else str(error)


def _uses_hash_files(spec: Buildspec) -> bool:
    texts = [*(spec.cache.fallback_keys if spec.cache else ()), spec.cache.key if spec.cache else ""]
    for phase in spec.phases.values():
        texts += [*phase.commands, *phase.finally_commands]
    return any(HASH_FILES in one for one in texts)


def hash_files_program() -> list[bytes]:
    """A tar with the program that hashes files for keys."""
    content = _PROGRAM.read_bytes()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo(HASH_FILES_PATH.lstrip("/"))
        info.size, info.mode = len(content), 0o755
        tar.addfile(info, io.BytesIO(content))
    return [packed.getvalue()]
