"""The scanner of kind rspamd and a real rspamd."""
import pytest

from servers.rspamd import GTUBE, GTUBE_ADD_HEADER, GTUBE_SUBJECT, Rspamd
from servers.scan_file import message, scan, scan_all

pytestmark = pytest.mark.sanitized

ADD, INSERT, CHANGE = 0, 1, 2


@pytest.fixture(scope="module")
def rspamd(workdir):
    server = Rspamd(workdir / "rspamd")
    yield server
    server.stop()


@pytest.mark.parametrize("piece", [0, 100], ids=["whole", "growing"])
@pytest.mark.parametrize("kind", ["inet", "unix"])
def test_is_told_of_the_envelope(rspamd, kind, piece):
    (address,) = [address for address in rspamd.addresses if address.startswith(kind)]
    text = message("How are you?\n" * 50)
    finding = scan(f"rspamd {address}", text, piece=piece, login="alice", client="192.0.2.7", sender="a@example.net",
                   recipient=["b@example.org", "c@example.org"])
    assert finding["result"] == "clean", finding
    assert (finding["score"], finding["required"]) == (0.0, 15.0)
    (told,) = [edit["text"] for edit in finding["edits"] if edit["name"] == "X-Told"]
    assert told == "ip=192.0.2.7 helo=helo.example.net hostname=client.example.net from=a@example.net user=alice " \
                   f"recipients=b@example.org,c@example.org queue_id=4Xk2Lq0abcz1 size={len(text) + text.count(chr(10))}"


def test_score_and_changes(rspamd):
    finding = scan(f"rspamd {rspamd.addresses[0]}", "X-Test-Score: 7.25\nX-Test-Score: 1\n" + message("hello"))
    assert (finding["result"], finding["score"]) == ("spam", 7.25), finding
    assert "TEST_SCORE(7.25)" in finding["symbols"]
    edits = [(edit["kind"], edit["name"], edit["index"]) for edit in finding["edits"]]
    assert edits.index((CHANGE, "X-Test-Score", 2)) < edits.index((CHANGE, "X-Test-Score", 1))
    assert (INSERT, "X-First", 0) in edits and (ADD, "X-Told", 0) in edits


@pytest.mark.parametrize("score, result", [(3, "clean"), (4.5, "clean"), (6, "spam"), (14.9, "spam"), (15, "reject"), (-3, "clean")])
def test_actions_by_score(rspamd, score, result):
    finding = scan(f"rspamd {rspamd.addresses[0]}", f"X-Test-Score: {score}\n" + message("hello"))
    assert (finding["result"], finding["score"]) == (result, score), finding


def test_gtube(rspamd):
    finding = scan(f"rspamd {rspamd.addresses[0]}", message(GTUBE))
    assert finding["result"] == "reject", finding
    assert (finding["code"], finding["enhanced"], finding["reply"]) == (554, "5.7.1", "Gtube pattern")
    assert scan(f"rspamd {rspamd.addresses[0]}", message(GTUBE_ADD_HEADER))["result"] == "spam"
    finding = scan(f"rspamd {rspamd.addresses[0]}", message(GTUBE_SUBJECT, subject="offer"))
    assert (finding["result"], finding["subject"]) == ("spam", "*** SPAM *** offer"), finding


@pytest.mark.parametrize("action, result", [("soft reject", "tempfail"), ("reject", "reject"), ("add header", "spam"),
                                            ("no action", "clean"), ("greylist", "clean"), ("discard", "discard"),
                                            ("quarantine", "spam")])
def test_forced_actions(rspamd, action, result):
    finding = scan(f"rspamd {rspamd.addresses[0]}", f"X-Test-Force: {action}\n" + message("hello"))
    assert finding["result"] == result, finding
    assert finding["quarantine"] == (action == "quarantine")
    if "reject" in action:
        assert finding["reply"] == "forced by the test"


def test_large_messages_many_at_once(rspamd):
    findings = scan_all(f"rspamd {rspamd.addresses[0]}", message("0123456789 " * 100000), scans=12, parallel=4, piece=50000)
    assert [finding["result"] for finding in findings] == ["clean"] * 12, findings


def test_without_rspamd(workdir):
    server = Rspamd(workdir / "gone")
    scanner = f"rspamd {server.addresses[0]}, {server.addresses[1]}"
    assert scan(scanner, message("hello"))["result"] == "clean"
    server.stop()
    finding = scan(scanner, message("hello"))
    assert finding["result"] == "trouble", finding
    assert f"127.0.0.1:{server.port}: Connection refused" in finding["error"]
