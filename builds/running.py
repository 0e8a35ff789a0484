"""A build's row to a plan for the runner: container, source, variables, artifacts."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from builds import artifacts, compute, container, environment, images_on_engine, service_role, source
from builds.environment import Environment, Facts, Variable
from builds.images import catalogue
from builds.lease import change, held
from builds.limit_rules import encryption_key
from builds.models import Artifact, Build
from builds.reporter import Reporter
from builds.runner.docker import DockerExecutor
from builds.runner.executor import PhaseError, Spec
from builds.runner.phases import Plan, Prepared, Tools
from builds.source import Source
from codeservices import storage
from codeservices.audit.record import act
from codeservices.iam.credentials import IssuedSession

MINUTE_SECONDS = 60.0
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


def executor() -> DockerExecutor:
    """A container on this host's engine, with the CA bundle and proxies that the host itself needs."""
    has_bundle = bool(settings.BUILD_CA_BUNDLE) and Path(settings.BUILD_CA_BUNDLE).is_file()
    return DockerExecutor(
        settings.ACCOUNT_ID,
        docker_host=settings.DOCKER_HOST,
        ca_bundle=container.authorities() if has_bundle else b"",
        variables=_proxies(),
        on_image=lambda engine_id, image, is_new: images_on_engine.used(engine_id, image, is_ours=is_new),
    )


def _proxies() -> dict[str, str]:
    """The host's proxies, which this server itself is not reached through."""
    found = {name: os.environ[name] for name in PROXY_VARIABLES if os.environ.get(name)}
    if found:
        own = urlsplit(container.endpoint()).hostname or ""
        for name in ("NO_PROXY", "no_proxy"):
            found[name] = ",".join(filter(None, (found.get(name), own)))
    return found


def plan(build: Build, report: Reporter) -> Plan:
    """Everything the runner needs for one build."""
    size = compute.compute_type(build.environment["computeType"])
    steps = _Steps(build, report)
    return Plan(
        spec=Spec(
            build_id=build.api_id,
            image=build.environment["image"],
            memory_bytes=size.memory_bytes,
            cpus=size.vcpus,
            is_privileged=bool(build.environment.get("privilegedMode")),
        ),
        timeout_seconds=build.timeout_minutes * MINUTE_SECONDS,
        admit=steps.admit,
        download=steps.download,
        upload=steps.upload,
    )


class _Steps:
    """What is special to one build in PROVISIONING, DOWNLOAD_SOURCE and UPLOAD_ARTIFACTS."""

    def __init__(self, build: Build, report: Reporter) -> None:
        self.build = build
        self.report = report
        self.session: IssuedSession | None = None

    def admit(self) -> None:
        self.session = service_role.assume(self.build)
        if not held(self.build).exists():
            # Ended by another while we were asking: nobody would end this session.
            service_role.release(self.build)

    def download(self, tools: Tools) -> Prepared:
        assert self.session is not None
        found = self._pull(self.session)
        change(self.build, resolved_source_oid=found.oid)
        spec, location = source.read_buildspec(self.build, found)
        merged = environment.merge(spec, self._variables())
        resolved = environment.resolve(merged, self._stored(merged), self._facts(found))
        access = container.access(self.session, found.url, has_git_credential_helper=spec.has_git_credential_helper)
        self.report.mask([*resolved.secrets, *access.secrets])
        self._tell(resolved, tools)
        source.put(self.build, found, tools.executor)
        return Prepared(
            buildspec=spec,
            buildspec_location=location,
            variables={**access.variables, **resolved.variables},
            files=access.files,
            directory=found.directory,
            may_export=lambda name: environment.may_export(name, merged),
        )

    def _pull(self, session: IssuedSession) -> Source:
        """Which commit to build, looked up as the role: one act, the pull."""
        refused: PhaseError | None = None
        with act(session.principal, service_role.request_info()) as current:
            current.additional["build"] = self.build.api_id
            try:
                return source.resolve(self.build, session.principal)
            except PhaseError as error:  # why it failed is told to the act by then
                refused = error
        raise refused

    def upload(self, tools: Tools, prepared: Prepared) -> None:
        wanted = prepared.buildspec.artifacts
        if wanted is None or self.build.artifacts_config.get("type") != "S3":
            return
        name = self._artifact_name(tools, wanted.name)
        with tempfile.TemporaryFile(dir=_scratch()) as file:
            packed = artifacts.pack(tools.executor, wanted, prepared.directory, file, tools.note)
            key = f"builds/{self.build.uuid}/artifacts/primary.zip"
            storage.write(key, file)
        Artifact.objects.update_or_create(
            build=self.build,
            identifier="",
            defaults={
                "name": name,
                "key": key,
                "size_bytes": packed.size_bytes,
                "md5": packed.md5,
                "sha256": packed.sha256,
                "files": [{"path": _shown(one.path), "size_bytes": one.size_bytes} for one in packed.entries],
            },
        )
        tools.note(f"Stored {len(packed.entries)} file(s) as {name}: {packed.size_bytes:,} bytes")

    def _artifact_name(self, tools: Tools, wanted: str) -> str:
        """The project's name for it; the buildspec's, expanded by the build's shell, where the project allows that."""
        config = self.build.artifacts_config
        name = config.get("name") or self.build.project_name
        if config.get("overrideArtifactName") and wanted:
            expanded = tools.capture(f'printf %s "{wanted}"')
            if expanded is None:
                raise PhaseError("CLIENT_ERROR", f"the artifact name {wanted} can't be expanded")
            name = expanded.decode("utf-8", "replace").strip() or name
        name = (
            "/".join(part for part in name.split("/") if part not in ("", ".", ".."))[:250] or self.build.project_name
        )
        return name if name.endswith(".zip") else f"{name}.zip"

    def _variables(self) -> list[Variable]:
        rows: list[dict[str, Any]] = self.build.environment.get("environmentVariables") or []
        return [Variable(row["name"], row["value"], row.get("type") or environment.PLAINTEXT) for row in rows]

    def _stored(self, merged: dict[str, Variable]) -> dict[str, str]:
        """Values of the two stores: this server has neither yet, so that a name in them does not exist."""
        for variable in merged.values():
            if variable.type == environment.PARAMETER_STORE:
                raise PhaseError("CLIENT_ERROR", f"Parameter does not exist: {variable.value}")
            if variable.type == environment.SECRETS_MANAGER:
                raise PhaseError("CLIENT_ERROR", f"Secrets Manager can't find the specified secret: {variable.value}")
        return {}

    def _facts(self, found: Source) -> Facts:
        build = self.build
        return Facts(
            region=settings.REGION,
            build_arn=build.arn,
            build_id=build.api_id,
            image=build.environment["image"],
            number=build.number,
            initiator=build.initiator,
            kms_key_id=encryption_key(),
            log_path=str(build.uuid),
            project_arn=build.project_arn,
            source_directory=found.directory,
            started_at=build.started_at,
            source_repo_url=found.url,
            source_version=build.source_version,
            resolved_source_version=found.oid,
            trigger=_trigger(build, found),
        )

    def _tell(self, resolved: Environment, tools: Tools) -> None:
        for name in resolved.left_out:
            tools.note(f"The variable {name} is left out: no shell can export that name")
        image = self.build.environment["image"]
        if catalogue.resolve(image) != image:
            tools.note(f"{image} is {catalogue.resolve(image)} on this server")


def _trigger(build: Build, found: Source) -> str:
    """CODEBUILD_WEBHOOK_TRIGGER, where a push started the build."""
    if not build.initiator.startswith("codecommit/") or not found.refname:
        return ""
    kind = "tag" if found.refname.startswith("refs/tags/") else "branch"
    return f"{kind}/{found.refname.split('/', 2)[-1]}"


def _scratch() -> Path:
    path = Path(settings.CACHE_ROOT) / "artifacts"
    path.mkdir(parents=True, exist_ok=True)
    return path


def _shown(path: str) -> str:
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
