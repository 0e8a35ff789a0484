"""`make down`: stop what runs, in order, and leave the data."""

from __future__ import annotations

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
        with say.step("Stopping beat, builder, worker, web and redis"):
            supervisor.stop()
    elif not supervisor.orphans():
        say.line("Nothing was running.")
    if supervisor.orphans():
        with say.step("Ending what was left behind"):
            supervisor.end_orphans()
    say.line(f"Stopped. All data is in {places.var()}. Start again with: make up")
    if engine.our_pid():
        say.line(f"Docker Engine keeps running (pid {engine.our_pid()}). Stop it with: kill {engine.our_pid()}")
