"""Receive-pack's answer: read while it passes by, and written for a push that we refuse."""

import pytest

from repos.git import quarantine, report, wire
from repos.git.refs import RefCommand
from repos.git.wire import PushRequest

A, B, ZERO = "a" * 40, "b" * 40, "0" * 40


def pushed(*commands: RefCommand, capabilities: str = "report-status-v2 side-band-64k") -> PushRequest:
    return PushRequest(commands, tuple(capabilities.split()), (), (), b"")


def unwrapped(answer: bytes) -> dict[int, bytes]:
    """The bands of an answer; git's own reading of one is tested with git in tests/compat."""
    bands: dict[int, bytes] = {}
    while answer:
        length = int(answer[:4], 16)
        if length == 0:
            assert answer == b"0000"
            break
        bands[answer[4]] = bands.get(answer[4], b"") + answer[5:length]
        answer = answer[length:]
    return bands


def test_a_refusal_names_each_ref_and_speaks_to_the_person():
    request = pushed(RefCommand("refs/heads/x", ZERO, A), RefCommand("refs/heads/y", A, B))
    reasons = {"refs/heads/x": "not\nallowed", "refs/heads/y": "because of x"}
    bands = unwrapped(report.refusal(request, reasons, "You may not.\nAsk alice."))
    assert bands[2] == b"You may not.\nAsk alice.\n"
    assert bands[1] == (
        wire.pkt(b"unpack ok\n")
        + wire.pkt(b"ng refs/heads/x not allowed\n")
        + wire.pkt(b"ng refs/heads/y because of x\n")
        + b"0000"
    )


@pytest.mark.parametrize(("band", "largest"), [("side-band-64k", 65520), ("side-band", 1000)])
def test_a_long_refusal_is_cut_into_packets_that_the_client_can_hold(band, largest):
    commands = [RefCommand(f"refs/heads/{number}", ZERO, A) for number in range(2000)]
    request = pushed(*commands, capabilities=f"report-status {band}")
    answer = report.refusal(request, {command.refname: "no" * 30 for command in request.commands}, "No.")
    assert unwrapped(answer)[1].count(b"ng refs/heads/") == 2000
    position, lengths = 0, []
    while (length := int(answer[position : position + 4], 16)) > 0:
        lengths.append(length)
        position += length
    assert max(lengths) == largest


def test_a_client_without_side_band_gets_the_bare_report_and_one_without_report_nothing():
    command = RefCommand("refs/heads/x", ZERO, A)
    asked = pushed(command, capabilities="report-status")
    bare = report.refusal(asked, {"refs/heads/x": "no"}, "No.", unpack="bad")
    assert bare == wire.pkt(b"unpack bad\n") + wire.pkt(b"ng refs/heads/x no\n") + b"0000"
    assert report.refusal(pushed(command, capabilities="agent=x"), {"refs/heads/x": "no"}, "No.") == b""


@pytest.mark.parametrize("size", [1, 5, 1000])
@pytest.mark.parametrize("capabilities", [("report-status", "side-band-64k"), ("report-status-v2",)])
def test_the_report_is_picked_out_of_an_answer_wherever_it_is_cut(capabilities, size):
    said = wire.pkt(b"unpack ok\n") + wire.pkt(b"ok refs/heads/caf\xe9\n") + wire.pkt(b"ng refs/heads/y no way\n")
    answer = said + b"0000"
    if "side-band-64k" in capabilities:
        talk = wire.sideband(2, b"Resolving deltas: 100%\n")
        answer = talk + wire.sideband(1, answer[:20]) + talk + wire.sideband(1, answer[20:]) + b"0000"
    reader = report.ReportReader(capabilities)
    for start in range(0, len(answer), size):
        reader.feed(answer[start : start + size])
    assert reader.result() == report.Report("ok", frozenset({"refs/heads/caf\udce9"}), {"refs/heads/y": "no way"})


@pytest.mark.parametrize("answer", [b"", b"0000", b"zzzz", wire.sideband(3, b"fatal: out of memory")])
def test_an_answer_without_a_report_has_none(answer):
    for capabilities in (("report-status", "side-band-64k"), ("side-band-64k",), ("report-status",)):
        reader = report.ReportReader(capabilities)
        reader.feed(answer)
        assert reader.result() is None


def test_what_the_hook_told_the_person_is_known_to_the_server():
    said = wire.pkt(b"unpack ok\n") + wire.pkt(b"ng refs/heads/x pre-receive hook declined\n") + wire.FLUSH
    talk = wire.sideband(2, b"Resolving deltas: 100%\n") + wire.sideband(2, f"{quarantine.REFUSED}Too ".encode())
    reader = report.ReportReader(("report-status", "side-band-64k"))
    reader.feed(talk + wire.sideband(2, b"large.\nTake it out.\n") + wire.sideband(1, said) + wire.FLUSH)
    told = reader.result()
    assert (told.refusal, set(told.rejected)) == ("Too large.\nTake it out.", {"refs/heads/x"})
