"""`manage.py repository_upkeep`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from codeservices.errors import ServiceError
from codeservices.iam.shell import shell_act
from repos.git.store import RepositoryMissing
from repos.git.upkeep import state, strategy
from repos.git.upkeep.strategy import Job
from repos.models import JobOutcome, Repository, UpkeepRun
from repos.upkeep import schedule, worker

COLUMNS = "{:<32} {:>9} {:>6} {:>9} {:>7} {:>7} {:>9} {:<7} {:<10} {}"
JOBS = [job.value.lower().replace("_", "-") for job in Job]


class Command(BaseCommand):
    help = (
        "Show the state of each repository; with --run, --all or --fsck do upkeep now, in this process. "
        "The exit code is 1 when git's check has found faults, or a job failed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("names", nargs="*", metavar="NAME", help="repositories (default: all that are not deleted)")
        parser.add_argument(
            "--run", action="append", choices=JOBS, default=[], help="do this job, and what the state calls for besides"
        )
        parser.add_argument("--all", action="store_true", help="do every job, fsck included")
        parser.add_argument("--fsck", action="store_true", help="the same as --run fsck")

    def handle(self, *, names: Sequence[str], run: list[str], all: bool, fsck: bool, **options: Any) -> None:
        repositories = list(Repository.objects.order_by("name"))
        if names:
            by_name = {one.name: one for one in repositories}
            if missing := sorted(set(names) - set(by_name)):
                raise CommandError(f"There is no repository called {' or '.join(missing)}.")
            repositories = [by_name[name] for name in dict.fromkeys(names)]
        wanted = [Job(name.upper().replace("-", "_")) for name in run] + [Job.FSCK] * fsck
        if all:
            wanted = list(schedule.EVERYTHING)
        failed = sum(not self._do(one, wanted) for one in repositories) if wanted else 0
        damaged = self._show(repositories)
        self.stdout.write(f"{len(repositories)} repositories, {damaged} with faults, {failed} whose upkeep failed.")
        if damaged or failed:
            raise SystemExit(1)

    def _do(self, repository: Repository, wanted: Sequence[Job]) -> bool:
        """Whether all jobs succeeded; faults that fsck finds are told by the table."""
        try:
            with shell_act("repository_upkeep") as act:
                act.event_name, act.event_source = "RunRepositoryUpkeep", "codecommit.amazonaws.com"
                act.is_read_only, act.resource = False, repository.arn
                act.parameters |= {"repositoryName": repository.name, "jobs": [job.value for job in wanted]}
                runs = worker.run_now(repository, wanted)
        except ServiceError as error:
            self.stderr.write(f"{repository.name}: {error.message} {error.hint}".strip())
            return False
        for one in runs:
            ended = f"{one.outcome.lower()} in {one.seconds:.1f} s"
            self.stdout.write(f"{repository.name}: {one.get_job_display()}, {ended}. {one.message}")
        return all(_is_fine(one) for one in runs)

    def _show(self, repositories: Sequence[Repository]) -> int:
        """Print the table and the findings; how many repositories have faults."""
        heads = ("name", "size MiB", "packs", "loose", "refs", "loose", "commits", "bitmap", "fsck", "due")
        self.stdout.write(COLUMNS.format(*heads))
        damaged = 0
        for repository in repositories:
            row = schedule.of(repository)
            row.refresh_from_db()
            repository.refresh_from_db()
            try:
                with repository.git as git:
                    seen = state.look(git)
            except RepositoryMissing:
                row.fsck_findings = row.fsck_findings or [worker.MISSING]
                seen = state.State()
            checked = "faults" if row.fsck_findings else f"{row.fsck_at:%Y-%m-%d}" if row.fsck_at else "never"
            due = ", ".join(job.value.lower().replace("_", "-") for job in strategy.due_jobs(seen))
            self.stdout.write(
                COLUMNS.format(
                    repository.name[:32],
                    f"{(seen.pack_bytes + seen.loose_bytes) / 1024**2:.1f}",
                    seen.packs,
                    seen.loose_objects,
                    seen.refs,
                    seen.loose_refs,
                    seen.graph_commits,
                    "yes" if seen.has_bitmap else "no",
                    checked,
                    due or "-",
                )
            )
            for line in row.fsck_findings:
                self.stdout.write(f"    {line}")
            damaged += bool(row.fsck_findings)
        return damaged


def _is_fine(run: UpkeepRun) -> bool:
    return run.outcome == JobOutcome.SUCCEEDED or (run.job == Job.FSCK and run.outcome == JobOutcome.FAILED)
