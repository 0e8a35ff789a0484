"""A build's log over HTTP: the event stream through a real server, windows of lines, the download."""

from __future__ import annotations

import http.client
import json
import threading
import time
from urllib.parse import urlsplit

import pytest
from django.test import Client

from builds.models import Build, Status
from tests import factories
from tests.builds import logged
from tests.builds.eventstream import EventStream
from tests.fixtures.installation import wait_for
from tests.fixtures.people import signed_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis_server")]

EVENTS = "/projects/demo/builds/1/events"
LOG = "/projects/demo/builds/1/log"


@pytest.fixture
def project(live_server_url, alice):
    factories.repository("demo")
    return factories.project("demo")


def numbered(count: int) -> list[str]:
    return [f"line {number}" for number in range(count)]


def get(origin: str, path: str, user, headers: dict[str, str] | None = None) -> tuple[http.client.HTTPResponse, bytes]:
    address = urlsplit(origin)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
    session = signed_in(user).cookies["codeservices_session"].value
    connection.request("GET", path, headers={"Cookie": f"codeservices_session={session}", **(headers or {})})
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response, body


# ---- the event stream ------------------------------------------------------------------------------------------------


def test_the_stream_says_to_proxies_that_it_is_one_and_begins_with_a_comment(live_server_url, alice, project):
    logged.logged_build(project, ["hello"])
    with EventStream(live_server_url, EVENTS, alice) as stream:
        headers = stream.response.headers
        assert headers["Content-Type"].startswith("text/event-stream")
        assert (headers["Cache-Control"], headers["X-Accel-Buffering"]) == ("no-cache, no-transform", "no")
        assert stream.response.readline().startswith(b":")
        assert b"retry: " in stream.response.readline() + stream.response.readline()


def test_a_viewer_after_the_end_gets_status_every_line_and_the_end(live_server_url, alice, project):
    logged.logged_build(project, numbered(2500))
    with EventStream(live_server_url, EVENTS, alice) as stream:
        events = [event for event in stream if event.name != "comment"]
    assert sorted(event.name for event in events) == ["end", "log", "log", "log", "status"]
    status = next(event.data for event in events if event.name == "status")
    assert 'id="build-phases"' in status and "Succeeded" in status
    lines = [text for event in events if event.name == "log" for _, text in json.loads(event.data)["lines"]]
    assert lines == numbered(2500)
    assert events[-1].name == "end" and json.loads(events[-1].data) == {"lines": 2500}
    assert events[-1].last_event_id == "2499"


def test_a_viewer_before_the_first_line_sees_lines_as_they_come_phases_and_the_end(live_server_url, alice, project):
    build = logged.running_build(project)
    writer = logged.writer_of(build)
    seen: list[str] = []
    with EventStream(live_server_url, EVENTS, alice) as stream:
        events = iter(stream)
        seen.append(next(event for event in events if event.name == "status").data)
        writer.write(b"hello\n")
        first = next(event for event in events if event.name == "log")
        assert json.loads(first.data)["lines"][0][1] == "hello" and first.last_event_id == "0"
        build.phases.filter(phase_type="BUILD").update(status=Status.SUCCEEDED, ended_at=build.started_at)
        writer.write(b"bye\n")
        assert json.loads(next(event for event in events if event.name == "log").data)["first"] == 1
        logged.end(build, writer)
        rest = list(events)
    assert rest[-1].name == "end" and json.loads(rest[-1].data) == {"lines": 2}
    assert "In progress" in seen[0]
    assert any(event.name == "status" and "Succeeded" in event.data for event in rest)


@pytest.mark.parametrize("resume_after", [0, 999, 1000, 1700])
def test_last_event_id_resumes_without_a_gap_or_a_repeat(live_server_url, alice, project, resume_after):
    logged.logged_build(project, numbered(1701))
    with EventStream(live_server_url, EVENTS, alice, last_event_id=str(resume_after)) as stream:
        assert [text for _, text, _ in stream.lines()] == numbered(1701)[resume_after + 1 :]


def test_a_viewer_who_loses_the_connection_again_and_again_sees_each_line_once(live_server_url, alice, project):
    build = logged.running_build(project)
    writer = logged.writer_of(build)

    def write() -> None:
        for number in range(3000):
            writer.write(f"line {number}\n".encode())
            if number % 300 == 0:
                time.sleep(0.05)

    work = threading.Thread(target=write)
    work.start()
    seen: list[str] = []
    last = ""
    while len(seen) < 3000:
        with EventStream(live_server_url, EVENTS, alice, last_event_id=last) as stream:
            wanted = None
            for number, text, event_id in stream.lines():
                assert number == len(seen)
                seen.append(text)
                last = event_id
                # A connection breaks between events: what came of one came whole.
                wanted = event_id if wanted is None else wanted
                if number == int(event_id):
                    break
    work.join()
    logged.end(build, writer)
    assert seen == numbered(3000)
    with EventStream(live_server_url, EVENTS, alice, last_event_id=last) as stream:
        assert list(stream.lines()) == []


def test_from_names_the_first_line_of_a_new_viewer(live_server_url, alice, project):
    logged.logged_build(project, numbered(20))
    with EventStream(live_server_url, f"{EVENTS}?from=18", alice) as stream:
        assert [number for number, _, _ in stream.lines()] == [18, 19]


def test_many_viewers_of_one_build_see_the_same(live_server_url, alice, project):
    build = logged.running_build(project)
    writer = logged.writer_of(build)
    found: dict[int, list[str]] = {}

    def watch(index: int, stream: EventStream) -> None:
        with stream:
            found[index] = [text for _, text, _ in stream.lines()]

    streams = [EventStream(live_server_url, EVENTS, alice) for _ in range(12)]
    threads = [threading.Thread(target=watch, args=one) for one in enumerate(streams)]
    for thread in threads:
        thread.start()
    for number in range(500):
        writer.write(f"line {number}\n".encode())
    logged.end(build, writer)
    for thread in threads:
        thread.join(60)
    assert [found[index] for index in range(12)] == [numbered(500)] * 12


def test_lines_with_any_characters_survive_the_stream(live_server_url, alice, project):
    odd = [
        "",
        "\ttab",
        "data: x",
        ":comment",
        "a\rb",
        "\x1b[31mred\x1b[0m",
        "ünïcödé \U0001f600",
        "\u2028 separator",
        "x" * 5000,
    ]
    logged.logged_build(project, odd)
    with EventStream(live_server_url, EVENTS, alice) as stream:
        assert [text for _, text, _ in stream.lines()] == odd


def test_who_may_not_read_the_log_gets_status_and_end_alone(live_server_url, alice, project):
    logged.logged_build(project, ["open sesame"])
    dave = factories.user("dave", document=factories.allow("codebuild:BatchGetBuilds"))
    with EventStream(live_server_url, EVENTS, dave) as stream:
        events = [event for event in stream if event.name != "comment"]
    assert [event.name for event in events] == ["status", "end"]
    assert "sesame" not in "".join(event.data for event in events)


def test_a_reader_may_watch(live_server_url, bob, project):
    logged.logged_build(project, ["hello"])
    with EventStream(live_server_url, EVENTS, bob) as stream:
        assert [text for _, text, _ in stream.lines()] == ["hello"]


def test_doors_of_the_stream(live_server_url, alice, carol, project):
    logged.logged_build(project, ["hello"])
    assert get(live_server_url, EVENTS, carol)[0].status == 403
    assert Client().get(EVENTS)["Location"].startswith("/sign-in/")
    assert get(live_server_url, "/projects/demo/builds/2/events", alice)[0].status == 404
    for bad in ("-1", "1.5", "ten", "9" * 30):
        with EventStream(live_server_url, EVENTS, alice, last_event_id=bad) as stream:
            assert stream.response.status == 400
            assert "must be the number of a line" in stream.response.read().decode()
    assert get(live_server_url, f"{EVENTS}?from=x", alice)[0].status == 400


# ---- windows and the download ----------------------------------------------------------------------------------------


def test_a_window_has_the_streams_numbers_and_times(alice_client, project):
    logged.logged_build(project, numbered(1500))
    body = alice_client.get(f"{LOG}?from=1498&count=10").json()
    assert (body["first"], body["next"], body["total"], body["is_complete"]) == (1498, 1500, 1500, True)
    assert [text for _, text in body["lines"]] == ["line 1498", "line 1499"]
    assert abs(body["lines"][0][0] / 1000 - time.time()) < 60


def test_polling_a_running_log_gives_each_line_once(alice_client, project):
    build = logged.running_build(project)
    writer = logged.writer_of(build)
    seen: list[str] = []
    position = 0
    writer.write("".join(f"{line}\n" for line in numbered(1200)).encode())

    def has_all() -> bool:
        nonlocal position
        response = alice_client.get(f"{LOG}?from={position}&count=500")
        assert response["Cache-Control"] == "no-store"
        seen.extend(text for _, text in response.json()["lines"])
        position = response.json()["next"]
        return len(seen) >= 1200

    wait_for(has_all, what="every line")
    assert seen == numbered(1200)
    logged.end(build, writer)


def test_a_browser_asks_whether_its_copy_of_a_finished_window_is_right(alice_client, project):
    """The right to read may end, and a project that is made anew under its name has a build 1 again."""
    logged.logged_build(project, ["one", "two"])
    answer = alice_client.get(f"{LOG}?from=0")
    assert answer["Cache-Control"] == "private, no-cache"
    again = alice_client.get(f"{LOG}?from=0", headers={"If-None-Match": answer["ETag"]})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", answer["ETag"])
    assert alice_client.get(f"{LOG}?from=1", headers={"If-None-Match": answer["ETag"]}).status_code == 200
    Build.objects.all().delete()
    logged.logged_build(project, ["another"])
    assert alice_client.get(f"{LOG}?from=0", headers={"If-None-Match": answer["ETag"]}).status_code == 200


def test_a_stream_ends_after_a_while_so_that_rights_are_looked_at_again(live_server_url, alice, project, monkeypatch):
    from builds.views import logs

    dave = factories.user("dave", document=factories.allow("codebuild:BatchGetBuilds", "logs:GetLogEvents"))
    build = logged.running_build(project)
    writer = logged.writer_of(build)
    writer.write(b"one\n")
    monkeypatch.setattr(logs, "RENEW_SECONDS", (0, 0))
    with EventStream(live_server_url, EVENTS, dave) as stream:
        assert b"event: end" not in stream.response.read()
    dave.is_active = False
    dave.save()
    with EventStream(live_server_url, EVENTS, dave) as stream:
        assert stream.response.status != 200
    logged.end(build, writer)


def test_a_window_beyond_the_end_is_empty(alice_client, project):
    logged.logged_build(project, ["one"])
    body = alice_client.get(f"{LOG}?from=50").json()
    assert (body["lines"], body["first"], body["next"]) == ([], 50, 50)


def test_colours_that_a_line_leaves_on_reach_a_window_that_begins_behind_it(alice_client, project):
    logged.logged_build(project, ["\x1b[1;31mred", "still red", "\x1b[0mplain", "plain"])
    lines = alice_client.get(f"{LOG}?from=1").json()["lines"]
    assert [text for _, text in lines] == ["\x1b[1;31mstill red", "\x1b[1;31m\x1b[0mplain", "plain"]
    page = alice_client.get("/projects/demo/builds/1/").content.decode()
    assert '<span class="ansi-bold ansi-red">still red</span>' in page


def test_a_window_of_very_long_lines_is_shorter_and_says_where_to_go_on(alice_client, project, monkeypatch):
    from builds.views import logs

    monkeypatch.setattr(logs, "MAX_BYTES", 100_000)
    logged.logged_build(project, ["x" * 60_000] * 30)
    body = alice_client.get(f"{LOG}?from=0&count=30").json()
    assert 0 < body["next"] < 30 and len(body["lines"]) == body["next"]


COLOURED = ["\x1b[32mok\x1b[0m done", "10%\r100%", "ünï", *(f"line {number}" for number in range(9000))]
RAW = "".join(f"{line}\n" for line in COLOURED).encode()
PLAIN = "".join(f"{line}\n" for line in ["ok done", "100%", *COLOURED[2:]]).encode()


@pytest.mark.parametrize(("form", "wanted"), [("raw", RAW), ("plain", PLAIN)], ids=["raw", "plain"])
def test_a_finished_log_is_downloaded_in_whole_or_in_part(live_server_url, alice, project, form, wanted):
    logged.logged_build(project, COLOURED)
    path = f"{LOG}?download={form}"
    response, content = get(live_server_url, path, alice)
    assert content == wanted
    assert (response.headers["Content-Length"], response.headers["Accept-Ranges"]) == (str(len(wanted)), "bytes")
    tag = response.headers["ETag"]
    assert get(live_server_url, path, alice, {"If-None-Match": tag})[0].status == 304
    for asked, part in (
        ("bytes=0-9", wanted[:10]),
        ("bytes=40000-70000", wanted[40000:70001]),
        ("bytes=-7", wanted[-7:]),
        (f"bytes={len(wanted) - 1}-", wanted[-1:]),
    ):
        response, content = get(live_server_url, path, alice, {"Range": asked, "If-Range": tag})
        assert response.status == 206 and content == part
    assert get(live_server_url, path, alice, {"Range": f"bytes={len(wanted)}-"})[0].status == 416
    assert get(live_server_url, path, alice, {"Range": "bytes=0-1", "If-Range": '"other"'})[1] == wanted


def test_a_download_in_no_form_there_is_is_refused(alice_client, project):
    logged.logged_build(project, ["one"])
    answer = alice_client.get(f"{LOG}?download=pdf")
    assert answer.status_code == 400 and "“raw” or “plain”" in answer.content.decode()


def test_the_download_is_the_whole_log_as_text(live_server_url, alice, project):
    logged.logged_build(project, numbered(2300))
    response, body = get(live_server_url, f"{LOG}?download=raw", alice)
    assert body.decode() == "".join(f"{line}\n" for line in numbered(2300))
    assert response.headers["Content-Disposition"] == 'attachment; filename="demo-1.log"'


def test_the_download_of_a_running_build_has_what_there_is(live_server_url, alice, project):
    build = logged.running_build(project)
    writer = logged.writer_of(build)
    writer.write("".join(f"{line}\n" for line in numbered(1100)).encode())
    with EventStream(live_server_url, f"{EVENTS}?from=1099", alice) as stream:
        assert next(stream.lines())[1] == "line 1099"
    assert get(live_server_url, f"{LOG}?download=raw", alice)[1].decode().splitlines() == numbered(1100)
    logged.end(build, writer)


@pytest.mark.parametrize("query", ["from=-1", "from=x", "count=0", "count=5001", "count=x"])
def test_bad_windows_are_refused_in_words(alice_client, project, query):
    logged.logged_build(project, ["one"])
    response = alice_client.get(f"{LOG}?{query}")
    assert response.status_code == 400 and "must be" in response.content.decode()


def test_doors_of_the_log(alice_client, bob_client, carol_client, project):
    logged.logged_build(project, ["open sesame"])
    assert bob_client.get(LOG).status_code == 200
    assert carol_client.get(LOG).status_code == 403
    dave = signed_in(factories.user("dave", document=factories.allow("codebuild:BatchGetBuilds")))
    denied = dave.get(LOG)
    assert denied.status_code == 403 and "logs:GetLogEvents" in denied.content.decode()
    assert Client().get(LOG)["Location"].startswith("/sign-in/")
    assert alice_client.get("/projects/demo/builds/2/log").status_code == 404
    assert alice_client.post(LOG).status_code == 405 and alice_client.post(EVENTS).status_code == 405
