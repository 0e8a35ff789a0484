"""A build's row to a plan for the runner: container, source, variables, artifacts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from builds import (
    compute,
    container,
    environment,
    images_on_engine,
    isolation,
    registry_login,
    secret_forms,
    service_role,
    stored_values,
    worker_networks,
)
from builds.artifacts import uploading
from builds.buildspec import Buildspec
from builds.caches.of_build import BuildCache
from builds.environment import Environment, Facts, SourceFacts, Variable
from builds.images import catalogue, runtimes
from builds.lease import change, held
from builds.limit_rules import encryption_key
from builds.models import Build
from builds.reporter import Reporter
from builds.runner.docker import DockerExecutor
from builds.runner.executor import Login, PhaseError, Spec
from builds.runner.plan import Plan, Prepared, Tools
from builds.sources import opening, specification
from builds.sources.opening import Sources
from builds.sources.wanted import Source
from codeservices.iam.credentials import IssuedSession

MINUTE_SECONDS = 60.0
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


def executor() -> DockerExecutor:
    """A container on this host's engine, with the CA bundle and proxies that the host itself needs."""
    return DockerExecutor(
        settings.ACCOUNT_ID,
        docker_host=settings.DOCKER_HOST,
        ca_bundle=container.authorities() if container.ca_bundle() else b"",
        variables=_proxies(),
        pulling=isolation.pulling(),
        close_network=isolation.close_network,
        networks=worker_networks.kept(),
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
            disk_bytes=settings.BUILD_DISK_BYTES,
            login=steps.login if build.environment.get("registryCredential") else None,
        ),
        timeout_seconds=build.timeout_minutes * MINUTE_SECONDS,
        admit=steps.admit,
        download=steps.download,
        restore=steps.restore,
        upload=steps.upload,
    )


class _Steps:
    """What is special to one build in PROVISIONING, DOWNLOAD_SOURCE and UPLOAD_ARTIFACTS."""

    def __init__(self, build: Build, report: Reporter) -> None:
        self.build = build
        self.report = report
        self.session: IssuedSession | None = None
        self.cache = BuildCache(build)

    def admit(self) -> None:
        if self.build.environment.get("privilegedMode") and not settings.BUILD_PRIVILEGED:
            raise PhaseError("CLIENT_ERROR", f"{isolation.PRIVILEGED_OFF} {isolation.PRIVILEGED_HINT}")
        self.session = service_role.assume(self.build)
        if not held(self.build).exists():
            # Ended by another while we were asking: nobody would end this session.
            service_role.release(self.build)

    def login(self) -> Login:
        assert self.session is not None
        found = registry_login.login(self.build, self.session.principal)
        self.report.mask([found.password])
        return found

    def download(self, tools: Tools) -> Prepared:
        assert self.session is not None
        role = self.session.principal
        with opening.opened(self.build, role, check=tools.check, note=tools.note) as found:
            primary = found.primary
            if primary.oid:
                change(self.build, resolved_source_oid=primary.oid)
            spec, location = specification.read(self.build, primary, role)
            uploading.check(self.build, spec)
            self.cache.refname = primary.holding_refname
            merged = environment.merge(spec, self._variables())
            stored = stored_values.values(role, self.build.api_id, merged)
            resolved = environment.resolve(merged, stored, self._facts(found))
            access = container.access(
                self.session,
                found.own_urls(),
                has_git_credential_helper=spec.has_git_credential_helper,
                logins=found.logins(),
            )
            self.report.mask([*resolved.secrets, *stored.values(), *access.secrets])
            self._tell(resolved, stored, tools)
            found.put(tools.executor)
        return Prepared(
            buildspec=spec,
            buildspec_location=location,
            variables={**access.variables, **resolved.variables},
            files=access.files,
            directory=primary.directory,
            may_export=lambda name: environment.may_export(name, merged),
            runtime_notes=_runtimes(self.build, spec, resolved),
        )

    def restore(self, tools: Tools, prepared: Prepared) -> None:
        assert self.session is not None
        self.cache.restore(self.session.principal, tools, prepared)

    def upload(self, tools: Tools, prepared: Prepared) -> None:
        assert self.session is not None
        uploading.upload(self.build, self.session.principal, tools, prepared)
        self.cache.save(self.session.principal, tools, prepared)

    def _variables(self) -> list[Variable]:
        rows: list[dict[str, Any]] = self.build.environment.get("environmentVariables") or []
        return [Variable(row["name"], row["value"], row.get("type") or environment.PLAINTEXT) for row in rows]

    def _facts(self, found: Sources) -> Facts:
        build, primary = self.build, found.primary
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
            source_directory=primary.directory,
            started_at=build.started_at,
            source_repo_url=primary.url,
            source_version=build.source_version,
            resolved_source_version=primary.oid,
            secondary_sources={
                one.identifier: SourceFacts(one.source.directory, one.source.url, one.version)
                for one in found.secondary
            },
            trigger=_trigger(build, primary),
        )

    def _tell(self, resolved: Environment, stored: Mapping[str, str], tools: Tools) -> None:
        for name in resolved.left_out:
            tools.note(f"The variable {name} is left out: no shell can export that name")
        for name, value in stored.items():
            if secret_forms.is_too_short(value):
                tools.note(
                    f"The value of {name} is not masked in this log: it has less than {secret_forms.MIN_BYTES} "
                    "characters, which stand in every log by chance"
                )
        image = self.build.environment["image"]
        if catalogue.resolve(image) != image:
            tools.note(f"{image} is {catalogue.resolve(image)} on this server")


def _runtimes(build: Build, spec: Buildspec, resolved: Environment) -> tuple[str, ...]:
    """What the log says of runtime-versions; a version that the image lacks fails the build."""
    try:
        return runtimes.select(build.environment["image"], spec.runtime_versions, resolved.variables)
    except runtimes.RuntimeVersionError as error:
        raise PhaseError("YAML_FILE_ERROR", str(error)) from error


def _trigger(build: Build, found: Source) -> str:
    """CODEBUILD_WEBHOOK_TRIGGER, where a push started the build."""
    if not build.initiator.startswith("codecommit/") or not found.refname:
        return ""
    kind = "tag" if found.refname.startswith("refs/tags/") else "branch"
    return f"{kind}/{found.refname.split('/', 2)[-1]}"
