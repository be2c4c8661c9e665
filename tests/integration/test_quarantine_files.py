"""What contentd and gatectl make of a quarantine's directory: old, damaged, large, with the daemon and without it."""
import fcntl
import hashlib
import json
import os
import pty
import re
import subprocess
import threading

import pytest

from servers import kept_files
from servers.filter import Filter
from servers.policyd import GATECTL
from servers.process import Process, wait_for
from servers.sink import Sink

pytestmark = pytest.mark.sanitized

DAY_MS = 86400000


@pytest.fixture
def place(workdir, request):
    """An empty directory of one test's own."""
    path = workdir / request.node.name.replace("[", "-").replace("]", "")
    path.mkdir()
    return path


def test_what_looks_too_old_stays_while_the_clock_is_doubted(place):
    """The clock shows a time 40 days after contentd last ran: it may be wrong."""
    quarantine = place / "quarantine"
    kept = {kept_files.put(quarantine, time_ms=kept_files.now_ms() - 40 * DAY_MS) for _ in range(30)}
    kept_files.mark(quarantine, kept_files.now_ms() - 40 * DAY_MS)
    contentd = Filter(place, "")
    try:
        wait_for(lambda: "the system clock has jumped forward by 34560" in contentd.log, "the doubt is logged")
        assert contentd.metric("gatehouse_quarantine_expiry_paused") == 1
        assert contentd.metric("gatehouse_quarantine_clock_doubts_total") == 1
        listed = contentd.gatectl("quarantine", "list", "-n", "100")  # the keeper has looked for what is old before it answers
        assert {line.split()[0] for line in listed.stdout.splitlines()[1:]} == kept, listed
    finally:
        contentd.stop()
    assert {path.stem for path in quarantine.glob("*.json")} == kept


def test_what_is_too_old_goes_little_by_little(place):
    """contentd ran an hour ago: the clock is believed, and ten messages may go at once."""
    quarantine = place / "quarantine"
    old = [kept_files.put(quarantine, time_ms=kept_files.now_ms() - 40 * DAY_MS + n) for n in range(30)]
    fresh = kept_files.put(quarantine)
    kept_files.mark(quarantine, kept_files.now_ms() - DAY_MS // 24)
    contentd = Filter(place, "")
    try:
        wait_for(lambda: contentd.metric("gatehouse_quarantine_expired_total") == 10, "ten are removed")
        assert contentd.metric("gatehouse_quarantine_expiry_paused") == 0
        assert contentd.metric("gatehouse_quarantine_messages") == 21
    finally:
        contentd.stop()
    assert {path.stem for path in quarantine.glob("*.json")} == {*old[10:], fresh}
    assert (quarantine / ".lock").stat().st_mtime * 1000 > kept_files.now_ms() - DAY_MS // 24


def test_what_is_damaged_is_seen_shown_released_and_deleted(place):
    """A broken description, a message without one, a description without its message."""
    quarantine, sink = place / "quarantine", Sink()
    whole = kept_files.put(quarantine, subject="whole")
    broken, bare, empty = (kept_files.put(quarantine, b"Subject: =?utf-8?q?=C3=A9t=C3=A9?=\r\nFrom: x@a.example\r\n\r\nbody\r\n",
                                          subject="told") for _ in range(3))
    (quarantine / f"{broken}.json").write_text('{"id": "')
    (quarantine / f"{bare}.json").unlink()
    (quarantine / f"{empty}.eml").unlink()
    contentd = Filter(place, f"release = inet:127.0.0.1:{sink.port}\n")

    def gatectl(*arguments, code=0):
        done = contentd.gatectl("quarantine", *arguments)
        assert done.returncode == code, done
        return done
    try:
        rows = {row["id"]: row for row in json.loads(gatectl("list", "--json").stdout)["messages"]}
        assert {kept: row.get("damaged") for kept, row in rows.items()} == {
            whole: None, broken: "the description is lost: it is no JSON object",
            bare: "the description is lost: the description is missing",
            empty: "the message is missing: No such file or directory"}
        assert [(rows[kept]["subject"], rows[kept]["from"]) for kept in (broken, bare)] == [("été", "x@a.example")] * 2
        assert rows[empty]["subject"] == "told"
        assert contentd.metric("gatehouse_quarantine_damaged_messages") == 3
        text = gatectl("list").stdout
        assert re.search(r"damaged: the description is lost: it is no JSON object +\? +\? +été", text), text
        assert len(gatectl("list", "--find", "damaged").stdout.splitlines()) == 4
        assert "damaged           the description is lost" in gatectl("show", bare).stdout
        assert gatectl("show", bare, "--message").stdout.endswith("\n\nbody\n")
        assert "say for whom it is with --to" in gatectl("release", broken, code=4).stderr
        gatectl("release", broken, "--to", "b@example.org", "--sender", "x@a.example")
        gatectl("release", bare, "--to", "b@example.org")
        assert f"the message of {empty} is missing" in gatectl("release", empty, "--to", "b@example.org", code=5).stderr
        assert [(one.sender, one.recipients) for one in sink.messages] == [("x@a.example", ["b@example.org"]), ("", ["b@example.org"])]
        assert all(one.raw == b"Subject: =?utf-8?q?=C3=A9t=C3=A9?=\r\nFrom: x@a.example\r\n\r\nbody\r\n" for one in sink.messages)
        gatectl("delete", broken, bare, empty)
        assert contentd.metric("gatehouse_quarantine_damaged_messages") == 0
    finally:
        contentd.stop()
        sink.stop()
    assert sorted(path.name for path in quarantine.iterdir()) == [".lock", f"{whole}.eml", f"{whole}.json"]


class Site:
    """A configuration file for contentd and for gatectl, which finds the daemon by it, or the directory."""

    def __init__(self, place, release):
        self.place = place
        self.quarantine = place / "quarantine"
        self.conf = place / "contentd.conf"
        self.conf.write_text(f"http = unix:{place}/http\nquarantine_directory = {self.quarantine}\nmyhostname = mx.example.org\n"
                             f"release = inet:127.0.0.1:{release}\n")

    def gatectl(self, *arguments, code=0):
        done = subprocess.run([GATECTL, "-c", self.conf, "quarantine", *arguments], capture_output=True, text=True, timeout=120,
                              check=False)
        assert code in (None, done.returncode), done
        return done

    def contentd(self):
        return Filter(self.place, self.conf.read_text())


def test_without_the_daemon_gatectl_works_on_the_directory(place):
    """list, show, release and delete, as with it; then the daemon has it."""
    sink = Sink()
    site = Site(place, sink.port)
    straight = f"contentd does not answer ({place}/http: No such file or directory): working straight on {site.quarantine}"
    assert "No such file or directory" in site.gatectl("list", code=3).stderr
    assert not site.quarantine.exists()
    first, second, third = (kept_files.put(site.quarantine, time_ms=kept_files.now_ms() - 9 + n, subject=f"kept {n}") for n in range(3))
    listed = site.gatectl("list")
    assert [line.split()[0] for line in listed.stdout.splitlines()] == ["ID", third, second, first]
    assert listed.stderr == f"gatectl: {straight}\n"
    assert "subject           kept 1" in site.gatectl("show", second).stdout
    assert site.gatectl("show", second, "--message").stdout == "Subject: kept\n\nbody\n"
    assert site.gatectl("release", second).stdout == f"{second} released to a@example.org\n"
    assert [(one.sender, one.recipients, one.raw) for one in sink.messages] == [
        ("sender@example.net", ["a@example.org"], b"Subject: kept\r\n\r\nbody\r\n")]
    site.gatectl("delete", first)
    site.gatectl("show", first, code=1)
    contentd = site.contentd()
    try:
        listed = site.gatectl("list", "--json")
        assert [row["id"] for row in json.loads(listed.stdout)["messages"]] == [third]
        assert listed.stderr == ""
    finally:
        contentd.stop()
        sink.stop()
    assert [row["id"] for row in json.loads(site.gatectl("list", "--json").stdout)["messages"]] == [third]


def test_a_daemon_that_starts_meanwhile_waits_for_the_directory(place):
    """gatectl is in the middle of a release: contentd starts when it is done, and has the quarantine."""
    sink = Sink()
    sink.goes_on.clear()
    site = Site(place, sink.port)
    kept, other = kept_files.put(site.quarantine), kept_files.put(site.quarantine)
    with subprocess.Popen([GATECTL, "-c", site.conf, "quarantine", "release", kept], stderr=subprocess.PIPE, text=True) as gatectl:
        wait_for(lambda: sink.clients == 1, "it is in the middle of it")  # asked, gatectl would want the directory, too
        assert "another process uses it" in site.gatectl("list", code=3).stderr
        threading.Timer(0.3, sink.goes_on.set).start()
        contentd = site.contentd()
        assert gatectl.wait(120) == 0, gatectl.stderr.read()
    try:
        assert contentd.get("/ready") == (200, "ok\n"), contentd.log
        assert [row["id"] for row in json.loads(site.gatectl("list", "--json").stdout)["messages"]] == [other]
        # Straight on the directory of a daemon that runs but cannot be asked: nobody gets in.
        (place / "http").unlink()
        assert "another process uses it" in site.gatectl("delete", other, code=3).stderr
    finally:
        contentd.stop()
        sink.stop()
    assert (site.quarantine / f"{other}.json").exists()
    assert len(sink.messages) == 1


def test_a_directory_that_stays_taken_is_no_reason_not_to_look_at_mail(place):
    """After a while contentd goes on without a quarantine, and says so, until it gets it; so with the outbox."""
    site = Site(place, 1)
    kept = kept_files.put(site.quarantine)
    outbox = place / "outbox"
    outbox.mkdir()
    contentd = Filter.__new__(Filter)
    contentd.directory, contentd.http = place, place / "http"

    def unopened():
        return [contentd.metric("gatehouse_content_directory_unopened", directory=name) for name in ("quarantine", "outbox")]

    with open(site.quarantine / ".lock", "w") as first, open(outbox / ".lock", "w") as second:
        fcntl.flock(first, fcntl.LOCK_EX)
        fcntl.flock(second, fcntl.LOCK_EX)
        child = Process([GATECTL.parent / "gatehouse-contentd", "-c", site.conf, "-o", f"listen=unix:{place}/milter",
                         "-o", "log=stderr", "-o", f"outbox_directory={outbox}"], place / "log")
        try:
            child.ready(contentd.is_ready, "contentd serves", 60)
            wait_for(lambda: "another process uses it" in child.output, "the log says so")
            assert contentd.get("/ready")[1] == "degraded: the quarantine could not be opened, it is tried again\n"
            assert "another process uses it; messages that are to be kept are deferred until it can be opened" in child.output
            assert unopened() == [1, 0]
            first.close()
            wait_for(lambda: contentd.get("/ready")[1] == "degraded: the outbox could not be opened, it is tried again\n",
                     "contentd has the quarantine")
            wait_for(lambda: kept in site.gatectl("list", code=None).stdout, "operators have it, too")
            wait_for(lambda: "messages of which edited copies are to be sent are deferred until" in child.output, "the log says so")
            assert unopened() == [0, 1]
            second.close()
            wait_for(lambda: contentd.get("/ready") == (200, "ok\n"), "contentd has the outbox")
            wait_for(lambda: unopened() == [0, 0], "it is counted")
            wait_for(lambda: child.output.count("it is open now") == 2, "the log says so")
            assert child.output.count("another process uses it") == 2  # said once of each
        finally:
            assert child.stop() == 0, child.output


def peak_kib(pid):
    """The most memory that a process has had."""
    with open(f"/proc/{pid}/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def is_sanitized():
    return "asan" in str(GATECTL) or "tsan" in str(GATECTL)


def test_a_hundred_thousand_messages_in_pages(place):
    """Listed page by page, each bounded, and nothing is missing or twice."""
    site = Site(place, 1)
    ids = kept_files.put_many(site.quarantine, 100000)
    contentd = site.contentd()
    try:
        before = peak_kib(contentd.process.pid)
        assert contentd.metric("gatehouse_quarantine_messages") == 100000
        rows, after = [], []
        while len(rows) < 1000:  # a page that would take too long is a shorter one
            page = json.loads(site.gatectl("list", "-n", str(1000 - len(rows)), "--json", *after).stdout)
            rows += [row["id"] for row in page["messages"]]
            assert (page["next"], page["total"]) == (rows[-1], 100000)
            after = ["--after", page["next"]]
        assert rows == ids[:-1001:-1]
        # A search looks at a bounded number of them at a time, too.
        after, pages, found = [], 0, []
        while True:
            page = json.loads(site.gatectl("list", "--find", "kept 123", "--json", "-n", "1000", *after).stdout)
            found += [row["subject"] for row in page["messages"]]
            pages += 1
            if page["next"] is None:
                break
            after = ["--after", page["next"]]
        wanted = [f"kept {n}" for n in range(99999, -1, -1) if f"kept {n}".startswith("kept 123")]
        assert found == wanted and pages >= 5
        assert "Nothing so far. More: --after " in site.gatectl("list", "--find", "no such").stdout
        site.gatectl("delete", ids[0], ids[50000], ids[-1])
        assert contentd.metric("gatehouse_quarantine_messages") == 99997
        if not is_sanitized():
            assert peak_kib(contentd.process.pid) - before < 50000
    finally:
        contentd.stop()


@pytest.mark.parametrize("is_down", [False, True])
def test_a_large_message_is_shown_piece_by_piece(place, is_down):
    """50 MiB arrive whole, and are never in memory at once."""
    site = Site(place, 1)
    body = b"Subject: large\r\n\r\n" + b"%063d\r\n" * 1000 % tuple(range(1000)) * 900
    kept = kept_files.put(site.quarantine, body)
    contentd = None if is_down else site.contentd()
    try:
        shown, size, peak = hashlib.sha256(), 0, 0
        with subprocess.Popen([GATECTL, "-c", site.conf, "quarantine", "show", kept, "--message"], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL) as gatectl:
            while data := gatectl.stdout.read(1 << 20):
                shown.update(data)
                size += len(data)
                if len(data) == 1 << 20:  # so it waits for us
                    peak = peak_kib(gatectl.pid)
        assert gatectl.returncode == 0
        assert size > 50 << 20 and shown.digest() == hashlib.sha256(body).digest()
        if not is_sanitized():
            assert 0 < peak < 40000
            assert is_down or peak_kib(contentd.process.pid) < 40000
    finally:
        if contentd is not None:
            contentd.stop()


def test_a_terminal_obeys_nothing_of_what_is_kept(place):
    """Names, texts and bytes with control characters, seen on a terminal; ids from the command line."""
    site = Site(place, 1)
    evil = "\x1b]0;pwned\x07\x1b[2J\r\n\x9b31m\u202egpj.exe\x7f"
    recipient = {"address": f"r{evil}@example.org", "arguments": ""}
    names = ("sender", "reason", "subject", "from", "queue_id", "client_name", "helo_name", "message_id", "reference", "sasl_username")
    kept = kept_files.put(site.quarantine, evil.encode() + b"\xff\x1b[31m\r\n\r\n" + b"\x1b[2J" * 1000, recipients=[recipient],
                          findings=[{"scanner": evil, "result": evil, "text": evil}], **dict.fromkeys(names, evil))
    lost = kept_files.put(site.quarantine, f"Subject: {evil}\r\n\r\n".encode())
    (site.quarantine / f"{lost}.json").write_text(evil)

    def on_terminal(*arguments):
        try:
            ours, theirs = pty.openpty()
        except OSError:
            pytest.skip("there are no terminals here")
        with subprocess.Popen([GATECTL, "-c", site.conf, "quarantine", *arguments], stdout=theirs, stderr=theirs) as gatectl:
            os.close(theirs)
            seen = b""
            try:
                while data := os.read(ours, 65536):
                    seen += data
            except OSError:  # the end of a terminal
                pass
            os.close(ours)
            gatectl.wait(120)
        return seen
    for arguments in (["list"], ["show", kept], ["show", lost], ["show", kept, "--message"], ["show", evil], ["delete", evil],
                      ["release", kept], ["release", kept, "--to", evil], ["release", kept, "--recipient", evil],
                      ["list", "--find", evil], ["list", "--json"], ["list", "--after", evil]):
        seen = on_terminal(*arguments)
        assert seen, arguments
        assert not re.search(rb"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80\xae|\r[^\n\r]", seen), (arguments, seen)
    assert rb"\x1b]0;pwned" in on_terminal("show", kept)
