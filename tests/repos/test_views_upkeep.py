"""The pages of upkeep: of one repository, and of all."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from codeservices.audit.models import Event
from codeservices.console import views as console
from repos.git.upkeep.strategy import Job
from repos.models import JobOutcome, Repository, Upkeep, UpkeepRun
from repos.upkeep import health as upkeep_health
from repos.upkeep import schedule, worker
from tests import factories, gitrepo

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]

PAGE = "/repositories/demo/settings/upkeep"


@pytest.fixture
def repository(alice) -> Repository:
    repository = factories.repository("demo")
    gitrepo.commit(repository.git, {"a": "1"})
    return repository


def damage(repository: Repository) -> str:
    """Take a blob away; its oid."""
    blob = gitrepo.git(repository.git, "rev-parse", "main:a")
    (repository.git.path / "objects" / blob[:2] / blob[2:]).unlink()
    return blob


def text(response) -> str:
    return " ".join(response.content.decode().split())


def test_the_page_shows_the_state_and_what_is_due(alice_client, repository):
    page = text(alice_client.get(PAGE))
    assert "Due</span> Commit-graph" in page and "0 packed, 1 loose" in page and "Nothing had to be done yet." in page
    worker.run_now(repository, schedule.EVERYTHING)
    page = text(alice_client.get(PAGE))
    assert "In order</span> Nothing is due." in page and "1 packed, 0 loose" in page
    assert "1 commit, with filters of changed paths" in page and "yes, so a clone starts at once" in page
    assert "Every object is there and whole." in page and "Packs: 0 to 1; loose objects: 3 to 0." in page
    assert "every 2s" not in page


def test_run_now_is_queued_and_the_page_follows_it(alice_client, repository):
    assert alice_client.post(f"{PAGE}/run")["Location"] == PAGE
    row = Upkeep.objects.get()
    assert row.requested_jobs == [job.value for job in schedule.EVERYTHING] and row.due_at <= timezone.now()
    assert Event.objects.latest("pk").event_name == "RunRepositoryUpkeep"
    page = text(alice_client.get(PAGE))
    assert "Waiting for a worker" in page and "every 2s" in page
    until = timezone.now() + timedelta(minutes=1)
    Upkeep.objects.update(lease_expires_at=until, current_job="REPACK", planned_jobs=["PACK_REFS", "REPACK"])
    fragment = text(alice_client.get(PAGE, headers={"HX-Request": "true"}))
    assert "Pack refs →" in fragment and "<strong>Repack</strong>" in fragment and "<html" not in fragment


def test_one_job_may_be_asked_for(alice_client, repository):
    alice_client.post(f"{PAGE}/run", {"job": "FSCK"})
    assert Upkeep.objects.get().requested_jobs == ["FSCK"]
    refused = alice_client.post(f"{PAGE}/run", {"job": "EXPLODE"})
    assert refused.status_code == 400 and "“EXPLODE” is no kind of upkeep." in refused.content.decode()


def test_a_reader_sees_the_state_and_starts_nothing(bob_client, repository):
    assert "Run now" not in text(bob_client.get(PAGE))
    assert "codecommit:RunRepositoryUpkeep" in bob_client.post(f"{PAGE}/run").content.decode()
    assert not Upkeep.objects.exists()


def test_others_see_nothing(carol_client, repository):
    assert carol_client.get(PAGE).status_code == 403
    assert carol_client.get("/upkeep/").status_code == 403
    assert Client().get(PAGE)["Location"].startswith("/sign-in/")
    assert Client().get("/upkeep/")["Location"].startswith("/sign-in/")


def test_a_repository_that_does_not_exist_and_a_wrong_method(alice_client, repository):
    assert alice_client.get("/repositories/nothing/settings/upkeep").status_code == 404
    assert alice_client.post("/repositories/nothing/settings/upkeep/run").status_code == 404
    assert alice_client.get(f"{PAGE}/run").status_code == 405


def test_damage_is_told_on_the_page_in_the_list_and_on_the_dashboard(alice_client, bob_client, repository, monkeypatch):
    monkeypatch.setattr(console.registry, "health_checks", [])
    upkeep_health.register()
    assert upkeep_health.check() is None
    blob = damage(repository)
    worker.run_now(repository, [Job.FSCK])
    page = text(alice_client.get(PAGE))
    assert "This repository is damaged." in page and f"missing blob {blob}" in page
    assert "1 damaged repository." in text(alice_client.get("/upkeep/"))
    told = "demo is damaged</a>.</strong> The first line of what git&#x27;s check found: broken link from tree"
    attention = text(alice_client.get("/attention/"))
    assert told in attention and f'href="{PAGE}"' in attention
    assert "found faults in 1 repository" not in attention  # the check of /readyz would say it a second time
    assert "damaged" not in text(bob_client.get("/attention/"))
    ready = alice_client.get("/readyz")
    assert ready.status_code == 200 and "demo" not in ready.content.decode()
    assert "found faults in 1 repository" in ready.json()["parts"]["repositories"]
    assert "codeservices_repository_fsck_failures 1\n" in alice_client.get("/metrics").content.decode()
    gitrepo.blob(repository.git, "1")  # it comes back
    worker.run_now(repository, [Job.FSCK])
    assert upkeep_health.check() is None and told not in text(alice_client.get("/attention/"))


def test_what_is_late_or_keeps_failing_is_told_and_deleted_ones_are_not(alice_client, repository):
    schedule.of(repository)
    Upkeep.objects.update(due_at=timezone.now() - timedelta(hours=13), failure_count=3)
    assert upkeep_health.check().startswith(
        "Upkeep of 1 repository keeps failing. Upkeep of 1 repository is more than 12 hours late."
    )
    assert "demo is not kept up</a>.</strong> Its upkeep failed 3 times in a row." in text(
        alice_client.get("/attention/")
    )
    Upkeep.objects.update(failure_count=2)
    assert "demo waits for its upkeep</a>.</strong> It is more than 12 hours late." in text(
        alice_client.get("/attention/")
    )
    Repository.objects.update(deleted_at=timezone.now())
    assert upkeep_health.check() is None and "demo" not in text(alice_client.get("/attention/"))


def test_of_many_repositories_in_trouble_the_dashboard_names_a_few(alice_client):
    for number in range(7):
        Upkeep.objects.create(repository=factories.repository(f"demo{number}"), fsck_findings=["missing blob", "x"])
    page = text(alice_client.get("/attention/"))
    assert page.count("is damaged</a>.</strong> The first line of what git&#x27;s check found: missing blob") == 5
    assert '<a href="/upkeep/">2 more repositories want attention</a>' in page


def test_the_list_puts_what_wants_attention_first_and_sorts(alice_client, repository):
    names = ["demo", "large", "sound"]
    for name in names[1:]:
        other = factories.repository(name)
        gitrepo.commit(other.git, {"a": "x" * (9000 if name == "large" else 1)})
        worker.run_now(other, [Job.COMMIT_GRAPH])
    damage(repository)
    worker.run_now(repository, [Job.FSCK])

    def listed(query: str) -> list[str]:
        page = alice_client.get(f"/upkeep/{query}").content.decode()
        return sorted(names, key=lambda name: page.index(f"/repositories/{name}/settings/upkeep"))

    Repository.objects.filter(name="large").update(size_bytes=10**9)
    assert listed("")[0] == "demo"
    assert listed("?sort=name") == names and listed("?sort=size")[0] == "large" and listed("?sort=check")[-1] == "demo"
    assert listed("?sort=nonsense")[0] == "demo" and listed("?sort=packs") and listed("?sort=loose")


def test_a_list_shows_what_one_may_look_at(db):
    factories.repository("mine"), factories.repository("unseen")
    document = factories.allow("codecommit:ListRepositories")
    document["Statement"] += factories.allow("codecommit:GetRepository", resource="arn:aws:codecommit:*:*:mine")[
        "Statement"
    ]
    reader = Client()
    reader.force_login(factories.user("erin", document=document))
    page = text(reader.get("/upkeep/"))
    assert "mine" in page and "unseen" not in page


def test_an_installation_without_repositories_says_so(alice_client):
    assert "No repositories yet" in text(alice_client.get("/upkeep/"))


# ---- manage.py repository_upkeep -------------------------------------------------------------------------------------


def test_the_command_shows_the_state_and_does_nothing(repository, capsys):
    call_command("repository_upkeep")
    shown = capsys.readouterr().out
    assert "commit-graph" in shown and "never" in shown
    assert shown.endswith("1 repositories, 0 with faults, 0 whose upkeep failed.\n")
    assert not UpkeepRun.objects.exists()


def test_the_command_does_what_is_asked_for_and_is_in_the_audit_trail(repository, capsys):
    call_command("repository_upkeep", "demo", "--run", "pack-refs", "--fsck")
    shown = capsys.readouterr().out
    assert "demo: Pack refs, succeeded" in shown and "Every object is there and whole." in shown
    assert set(UpkeepRun.objects.values_list("job", flat=True)) == {"PACK_REFS", "COMMIT_GRAPH", "FSCK"}
    event = Event.objects.latest("pk")
    assert (event.event_name, event.resource_arn) == ("RunRepositoryUpkeep", repository.arn)
    call_command("repository_upkeep", "--all")
    assert UpkeepRun.objects.filter(job="EXPIRE", outcome=JobOutcome.SUCCEEDED).exists()


def test_the_command_ends_with_1_where_there_are_faults(repository, capsys):
    blob = damage(repository)
    for options in (["--fsck"], []):  # and goes on saying so
        with pytest.raises(SystemExit) as ended:
            call_command("repository_upkeep", *options)
        assert ended.value.code == 1
        shown = capsys.readouterr().out
        assert f"    missing blob {blob}" in shown and "1 with faults" in shown


def test_the_command_refuses_names_that_nobody_has_and_waits_for_nobody(repository, capsys):
    with pytest.raises(CommandError, match="no repository called nobody"):
        call_command("repository_upkeep", "demo", "nobody")
    schedule.of(repository)
    Upkeep.objects.update(lease_expires_at=timezone.now() + timedelta(minutes=1))
    with pytest.raises(SystemExit):
        call_command("repository_upkeep", "--all")
    told = capsys.readouterr()
    assert "demo: Upkeep of demo is under way already." in told.err and "1 whose upkeep failed" in told.out
