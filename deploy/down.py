"""`make down`: stop what runs, in order, and leave the data."""

from __future__ import annotations

import subprocess

from deploy import engine, places, say, supervisor


def down() -> None:
    """Stop every process. Running builds get time to end.

    Raises:
        Refusal: Something does not stop.
    """
    if not places.run_root().is_dir():
        say.line("Nothing is installed here: there is no var/run.")
        return
    if supervisor.is_running():
        stop_all()
    elif not supervisor.orphans():
        say.line("Nothing was running.")
    if supervisor.orphans():
        with say.step("Ending what was left behind"):
            supervisor.end_orphans()
    say.line(f"Stopped. All data is in {places.var()}. Start again with: make up")
    if engine.our_pid():
        say.line(f"Docker Engine keeps running (pid {engine.our_pid()}). Stop it with: kill {engine.our_pid()}")


def stop_builder() -> None:
    """Stop the builder: it takes no new builds, those that run get time to end, and what goes on is stopped properly.

    Raises:
        Refusal: It does not stop.
    """
    supervisor.ask_to_stop(["beat", "builder"])
    # As the builder was started: the setting may have changed since.
    grace = str(supervisor.build_grace_seconds())
    argv = [str(places.PYTHON), "manage.py", "stop_builds", "--grace", grace]
    # Its failure (a database that is away) must not keep the processes from stopping; leases end such builds later.
    subprocess.run(argv, cwd=places.ROOT, env=places.child_environment(), check=False)
    supervisor.wait_until_stopped(["beat", "builder"])


def stop_all() -> None:
    """Stop every process in the order in which they need each other.

    Raises:
        Refusal: Something does not stop.
    """
    with say.step("Stopping beat, builder, the workers, web and redis"):
        stop_builder()
        for names in (["maintainer", "notifier", "worker"], ["web"]):
            supervisor.ask_to_stop(names)
            supervisor.wait_until_stopped(names)
        supervisor.shut_down()
