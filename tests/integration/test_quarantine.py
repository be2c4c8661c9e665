"""Quarantine, release and outbox with a real Postfix: what is released arrives byte for byte."""
import contextlib
import hashlib
import json
import os
import random
import re
import signal
import subprocess
import time

import pytest

from servers.filter import Filter, send
from servers.policyd import BUILD, GATECTL
from servers.postfix import Postfix
from servers.process import ROOT, free_port, wait_for
from servers.sink import Sink

pytestmark = [pytest.mark.usefixtures("needs_postfix"), pytest.mark.sanitized]


def release_lines():
    """The options of the listener in README.md, as lines for main.cf."""
    block = re.search(r"^```master.cf\n(.*?)^```$", (ROOT / "README.md").read_text(), re.M | re.S)[1]
    return "".join(f"{name} = {value}\n" for name, value in re.findall(r"^  -o (\w+)=(.*)$", block, re.M))


class Keeper:
    """tests/programs/keeper.c."""

    def __init__(self, directory, release, outbox=None):
        self.directory = directory
        self.outbox = outbox or directory / "outbox"
        directory.mkdir()
        self.release = release
        self.socket = directory / "http"
        self.start()

    def start(self):
        self.child = subprocess.Popen(
            [BUILD / "tests" / "keeper", self.directory / "quarantine", self.outbox, self.socket,
             self.release], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(self.directory / "log", "ab"),
            text=True)
        assert self.child.stdout.readline() == "ready\n", (self.directory / "log").read_text()

    def stop(self):
        if self.child.poll() is None:
            self.child.stdin.close()
            assert self.child.wait(120) == 0, (self.directory / "log").read_text()
        self.child.stdout.close()

    def kill(self):
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()

    def command(self, *words):
        self.child.stdin.write(" ".join(words) + "\n")
        self.child.stdin.flush()
        answer = self.child.stdout.readline().strip()
        assert answer, (self.directory / "log").read_text()
        return answer

    def file(self, message):
        path = self.directory / f"{hashlib.sha1(message).hexdigest()}.eml"
        path.write_bytes(message)
        return str(path)

    def keep(self, sender, recipients, message, reason="test"):
        return self.command("keep", sender, recipients, self.file(message), reason)

    def copy(self, sender, recipients, message, header):
        return self.command("copy", sender, recipients, self.file(message), header)

    def gatectl(self, *arguments, code=0):
        done = subprocess.run([GATECTL, "-s", self.socket, "quarantine", *arguments], capture_output=True, timeout=120,
                              check=False)
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return done

    def json(self, *arguments, code=0):
        return json.loads(self.gatectl(*arguments, "--json", code=code).stdout)


@pytest.fixture(scope="module")
def postfix(workdir, sink):
    server = Postfix(workdir / "postfix", sink, {"release": release_lines()},
                     "relay_domains = example.org\nsmtpd_recipient_limit = 5\nmessage_size_limit = 0\n"
                     "virtual_alias_maps = inline:{ {both@example.org = one@example.org two@example.org} }\n")
    yield server
    server.stop()


@pytest.fixture
def keeper(workdir, postfix):
    made = Keeper(workdir / f"keeper-{os.urandom(3).hex()}", f"inet:127.0.0.1:{postfix.ports['release']}")
    yield made
    made.stop()


def message(subject, body):
    return (f"From: <sender@example.net>\r\nSubject: {subject}\r\nX-Odd:no blank\r\nX-Folded: a\r\n\tb\r\n\r\n"
            ).encode() + body


def arrived(sink, subject):
    return wait_for(lambda: sink.find(subject), f"{subject} arrives")


def test_a_released_message_arrives_byte_for_byte(keeper, sink):
    body = (b".\r\n..\r\n.dot\r\n\xff\xfe eight bits\r\nFrom here\r\n \r\n" + b"x" * 900 + b"\r\n" +
            bytes(range(14, 127)) + b"\r\n\r\n\r\n")
    sent = message("bytes", body)
    kept = keeper.keep("sender@example.net", "a@example.org,b@example.org", sent, "virus Eicar-Test")
    assert keeper.gatectl("show", kept, "--message").stdout == sent
    rows = keeper.json("list")
    assert [(row["id"], row["reason"], row["subject"]) for row in rows["messages"]] == [
        (kept, "virus Eicar-Test", "bytes")]
    keeper.gatectl("release", kept)
    found = arrived(sink, "bytes")
    assert sorted(to for one in found for to in one.recipients) == ["a@example.org", "b@example.org"]
    assert found[0].sender == "sender@example.net"
    # Postfix puts its own Received: field before it; nothing else is changed.
    raw = found[0].raw
    assert raw.startswith(b"Received: from keeper.example.org")
    assert raw.endswith(sent), raw
    assert raw[:-len(sent)].count(b"\r\nX-") == 0 and raw[:-len(sent)].count(b"Received:") == 1
    assert keeper.json("list")["messages"] == []
    assert os.listdir(keeper.directory / "quarantine") == [".lock"]


def test_the_null_sender_and_a_large_message(keeper, sink):
    body = b"".join(b"%06d " % n + os.urandom(60).hex().encode() + b"\r\n" for n in range(40000))
    sent = message("large", body)
    kept = keeper.keep("", "a@example.org", sent)
    keeper.gatectl("release", kept)
    found = arrived(sink, "large")
    assert found[0].sender == ""
    assert found[0].raw.endswith(sent)


def test_internationalised_mail(keeper, sink):
    sent = "From: <jürgen@bücher.example>\r\nSubject: intl\r\nX: ä\r\n\r\nä\r\n".encode()
    kept = keeper.keep("jürgen@bücher.example;SMTPUTF8;BODY=8BITMIME", "käte@example.org", sent)
    assert keeper.json("show", kept)["sender"] == "jürgen@bücher.example"
    keeper.gatectl("release", kept)
    found = arrived(sink, "intl")
    assert (found[0].sender, found[0].recipients) == ("jürgen@bücher.example", ["käte@example.org"])
    assert "SMTPUTF8" in found[0].said and "BODY=8BITMIME" in found[0].said
    assert found[0].raw.endswith(sent)


def test_who_is_refused_stays(keeper, sink):
    kept = keeper.keep("sender@example.net", "a@example.org,nobody@[broken", message("refused", b"x\r\n"))
    done = keeper.gatectl("release", kept, code=5)
    assert b"released to a@example.org" in done.stdout
    assert b"not taken for nobody@[broken: 501" in done.stderr, done.stderr
    assert len(arrived(sink, "refused")) == 1
    shown = keeper.json("show", kept)
    assert [one["address"] for one in shown["recipients"]] == ["nobody@[broken"]
    keeper.gatectl("delete", kept)
    keeper.gatectl("show", kept, code=1)


def test_a_copy_to_somebody_else(keeper, sink):
    kept = keeper.keep("sender@example.net", "a@example.org", message("elsewhere", b"x\r\n"))
    keeper.gatectl("release", kept, "--to", "postmaster@example.org")
    assert arrived(sink, "elsewhere")[0].recipients == ["postmaster@example.org"]
    assert len(keeper.json("list")["messages"]) == 1


def test_the_list_and_its_filters(keeper):
    ids = []
    for n in range(25):
        sender = "s@a.example" if n % 2 else ""
        ids.append(keeper.keep(sender, f"r{n}@example.org", message(f"list {n}", b"x\r\n"), f"why {n}"))
        kept = time.time_ns() // 1000000
        while time.time_ns() // 1000000 == kept:
            pass  # within one millisecond the order is chance

    def listed(*options):
        return [row["id"] for row in keeper.json("list", *options)["messages"]]
    assert listed("--count", "100") == ids[::-1]
    assert listed("-r", "R3@example.org") == [ids[3]]
    assert listed("-S", "@a.example", "-n", "3") == [ids[23], ids[21], ids[19]]
    assert listed("--find", "why 7") == [ids[7]]
    assert listed("--after", ids[2]) == [ids[1], ids[0]]
    assert listed("--older", "1h") == []
    text = keeper.gatectl("list").stdout.decode()
    assert len(text.splitlines()) == 22 and text.splitlines()[-1] == f"More: --after {ids[5]}"
    keeper.gatectl("delete", *ids)
    assert listed() == []


def test_terminals_obey_nothing_in_a_subject(keeper):
    kept = keeper.keep("s@a.example", "r@example.org", message("=?utf-8?q?=1b[2J?=", b"x\r\n"))
    text = keeper.gatectl("list").stdout + keeper.gatectl("show", kept).stdout
    assert b"\x1b" not in text


def test_edited_copies_are_sent_to_many(keeper, sink):
    """More recipients than Postfix takes at once (smtpd_recipient_limit)."""
    recipients = [f"m{n}@example.org" for n in range(12)]
    sent = message("copy", b"body\r\n")
    keeper.copy("s@a.example", ",".join(recipients), sent, "X-Tag: spam")
    assert keeper.command("wait") == "empty"
    wait_for(lambda: sum(len(one.recipients) for one in sink.find("copy")) >= 12, "all copies arrive")
    found = sink.find("copy")
    assert sorted(to for one in found for to in one.recipients) == sorted(recipients)
    assert all(one.raw.endswith(b"X-Tag: spam\r\n" + sent) for one in found)


def test_a_receiver_that_hangs_holds_up_nobody(workdir):
    """The listener says nothing more when it hears of some recipients; copies for others go past them, also after a restart."""
    receiver = Sink()
    receiver.hanging = {f"hang{n}@example.org" for n in range(6)}
    keeper = Keeper(workdir / "hanging", f"inet:127.0.0.1:{receiver.port}")
    for to in sorted(receiver.hanging):
        keeper.copy("s@a.example", to, message("hanging", b"x\r\n"), "X-Tag: spam")
    wait_for(lambda: set(receiver.asked) >= receiver.hanging, "all six hang")
    for n in range(50):
        keeper.copy("s@a.example", f"good{n}@example.org", message("good", b"x\r\n"), "X-Tag: spam")
    wait_for(lambda: len(receiver.messages) == 50, "the others have arrived")
    assert len(receiver.asked) == 56
    wait_for(lambda: len(list((keeper.directory / "outbox").glob("*.json"))) == 6, "it is known of all that they have")
    keeper.stop()  # in order, all of them broken off
    assert len(list((keeper.directory / "outbox").glob("*.json"))) == 6
    keeper.start()
    wait_for(lambda: len(receiver.asked) == 62, "all six hang again")
    receiver.hanging = set()
    keeper.stop()
    keeper.start()
    assert keeper.command("wait") == "empty"
    keeper.stop()
    receiver.stop()
    assert sorted(one.recipients[0] for one in receiver.messages) == sorted(
        [f"good{n}@example.org" for n in range(50)] + [f"hang{n}@example.org" for n in range(6)])


def test_aliases_are_resolved_again(keeper, sink):
    keeper.copy("s@a.example", "both@example.org", message("alias", b"x\r\n"), "X-Tag: spam")
    wait_for(lambda: sum(len(one.recipients) for one in sink.find("alias")) == 2, "both arrive")


def test_copies_survive_while_the_listener_is_away(workdir, postfix, sink):
    """Killed and started again, with nobody listening at first: each copy is delivered, none is lost."""
    port = free_port()
    keeper = Keeper(workdir / "away", f"inet:127.0.0.1:{port}")
    wanted = {f"away {n}" for n in range(20)}
    for subject in sorted(wanted):
        keeper.copy("s@a.example", "a@example.org", message(subject, b"x\r\n"), "X-Tag: spam")
    keeper.kill()
    assert len(list((keeper.directory / "outbox").glob("*.json"))) == 20
    keeper.release = f"inet:127.0.0.1:{postfix.ports['release']}"
    os.unlink(keeper.socket)
    keeper.start()
    assert keeper.command("wait") == "empty"
    wait_for(lambda: wanted <= {dict(one.headers).get("Subject") for one in sink.messages}, "all copies arrive")
    keeper.stop()


def test_killed_at_any_time_it_loses_nothing(workdir, postfix, sink):
    """Random kills while copies are sent: every copy whose id was told arrives (perhaps twice)."""
    chance = random.Random(7)
    keeper = Keeper(workdir / "killed", f"inet:127.0.0.1:{postfix.ports['release']}")
    wanted = []
    for _ in range(6):
        for _ in range(chance.randrange(1, 8)):
            subject = f"killed {len(wanted)}"
            keeper.copy("s@a.example", "a@example.org", message(subject, b"x\r\n"), "X-Tag: spam")
            wanted.append(subject)
        keeper.kill()
        keeper.socket.unlink(missing_ok=True)
        keeper.start()
    assert keeper.command("wait") == "empty"
    for subject in wanted:
        assert arrived(sink, subject)[0].raw.endswith(message(subject, b"x\r\n"))
    keeper.stop()


@pytest.fixture
def looping(workdir, sink, request):
    """(Postfix, contentd): the release listener has the milter by mistake. Mail with a subject that begins with "loop" is quarantined, and
    one recipient gets a copy with a header field of his own."""
    place = workdir / f"loop-{request.node.name}"
    milter = f"smtpd_milters = unix:{place}/milter\nmilter_default_action = tempfail\n"
    options = release_lines().replace("smtpd_milters = \n", "")
    postfix = Postfix(workdir / f"{place.name}-postfix", sink, {"mx": milter, "release": milter + options})
    contentd = Filter(place, f"release = inet:127.0.0.1:{postfix.ports['release']}\nmyhostname = mx.example.org\n"
                      "[rule all]\nwhen = subject matches \"loop*\"\nthen = quarantine seen\n"
                      "[rule mark]\nwhen = recipient = marked@example.org\nthen = add_header X-Mark: yes\n")
    yield postfix, contentd
    contentd.stop()
    postfix.stop()


def kept_by(contentd):
    return json.loads(contentd.gatectl("--json", "quarantine", "list").stdout)["messages"]


def test_released_mail_does_not_loop(looping, sink):
    postfix, contentd = looping
    with postfix.session("mx") as session:
        reply = send(session, "a@example.net", ["b@example.org"], "Subject: loop\n\nx")
    assert reply[0] == 250, reply
    kept = kept_by(contentd)
    assert [(row["subject"], row["recipients"][0]["address"]) for row in kept] == [("loop", "b@example.org")]
    assert sink.find("loop") == []
    done = contentd.gatectl("quarantine", "release", kept[0]["id"])
    assert done.returncode == 0, done
    assert arrived(sink, "loop")[0].recipients == ["b@example.org"]
    assert kept_by(contentd) == []
    assert contentd.metric("gatehouse_content_own_connections_total") >= 1  # others look whether Postfix listens
    wait_for(lambda: "the release listener asks this milter" in contentd.log, "it is logged")
    assert contentd.log.count("the release listener asks this milter") == 1


def test_edited_copies_do_not_loop(looping, sink):
    """Looked at again it would be marked again."""
    postfix, contentd = looping
    with postfix.session("mx") as session:
        reply = send(session, "a@example.net", ["plain@example.org", "marked@example.org"], "Subject: copied\n\nx")
    assert reply[0] == 250, reply
    wait_for(lambda: len(sink.find("copied")) == 2, "both arrive")
    wait_for(lambda: contentd.metric("gatehouse_outbox_messages") == 0, "the outbox is empty")
    marks = {one.recipients[0]: [value for name, value in one.headers if name == "X-Mark"] for one in sink.find("copied")}
    assert marks == {"plain@example.org": [], "marked@example.org": ["yes"]}
    assert contentd.metric("gatehouse_outbox_put_total") == 1
    assert contentd.metric("gatehouse_content_own_connections_total") >= 1  # others look whether Postfix listens
    wait_for(lambda: contentd.metric("gatehouse_content_messages_total") >= 1, "it is counted")
    assert contentd.metric("gatehouse_content_messages_total") == 1


def test_nobody_can_pretend_to_be_a_release(looping, sink):
    """Neither with what a released message looks like, nor as the host itself: it is the listener that counts."""
    postfix, contentd = looping
    with postfix.session("mx") as session:
        assert send(session, "a@example.net", ["b@example.org"], "Subject: loop first\n\nx")[0] == 250
    first = kept_by(contentd)[0]
    assert contentd.gatectl("quarantine", "release", first["id"]).returncode == 0
    released = arrived(sink, "loop first")[0].raw.decode().replace("\r\n", "\n").replace("loop first", "loop forged")
    marks = (f"X-Gatehouse-Released: {first['id']}\nX-Gatehouse-Reference: {first['reference']}\nX-Gatehouse-Scanned: yes\n"
             f"X-Gatehouse: {first['id']}\n")
    for n, (address, name) in enumerate([("198.18.0.1", "client.example.net"), ("127.0.0.1", "localhost"),
                                         ("127.0.0.1", "mx.example.org")]):
        with postfix.session("mx", address=address, name=name) as session:
            session.ehlo("mx.example.org")
            reply = send(session, "a@example.net", ["b@example.org"], marks + released)
        assert reply[0] == 250, reply
        assert [row["subject"] for row in kept_by(contentd)] == ["loop forged"] * (n + 1)
    assert sink.find("loop forged") == []


def test_who_has_a_copy_is_known_on_a_full_disk(workdir, small_disk):
    """Some take it, and the disk is full when that is to be written down: nobody gets it twice, though contentd is killed."""
    receiver = Sink()
    receiver.deferred, fill = {"b@example.org"}, small_disk / "fill"
    receiver.goes_on.clear()
    directory = workdir / "full-outbox"
    keeper = Keeper(directory, f"inet:127.0.0.1:{receiver.port}", outbox=small_disk)
    keeper.copy("s@a.example", "a@example.org,b@example.org,c@example.org", message("full", b"x\r\n"), "X-Tag: spam")
    with contextlib.suppress(OSError), open(fill, "wb", buffering=0) as out:
        while True:
            out.write(bytes(4096))
    receiver.goes_on.set()
    wait_for(lambda: receiver.asked.count("b@example.org") >= 3, "b is asked for again and again")
    keeper.kill()
    keeper.socket.unlink()
    keeper.start()
    wait_for(lambda: receiver.asked.count("b@example.org") >= 6, "b is asked for again and again")
    receiver.deferred = set()
    assert keeper.command("wait") == "empty"
    keeper.stop()
    receiver.stop()
    assert [one.recipients for one in receiver.messages] == [["a@example.org", "c@example.org"], ["b@example.org"]]
    assert sorted(path.name for path in small_disk.iterdir()) == [".lock", "fill"]
    fill.unlink()


def test_a_full_disk_defers_what_cannot_be_kept(workdir, sink, small_disk):
    """The message that does not fit is not taken; nothing half of it stays, and smaller ones are kept."""
    postfix = Postfix(workdir / "full-postfix", sink, {"mx": f"smtpd_milters = unix:{workdir}/full/milter\n"
                                                       "milter_default_action = accept\n"})
    contentd = Filter(workdir / "full", "[rule all]\nwhen = subject matches \"full*\"\nthen = quarantine seen\n",
                      [f"quarantine_directory={small_disk}"])
    try:
        for size, code in ((1000, 250), (500000, 451), (1000, 250)):
            with postfix.session("mx") as session:
                reply = send(session, "a@example.net", ["b@example.org"], f"Subject: full {size}\n\n" + "x" * 70 * (size // 70))
            assert reply[0] == code, (size, reply)
        assert len(json.loads(contentd.gatectl("--json", "quarantine", "list").stdout)["messages"]) == 2
        assert len(list(small_disk.glob("*.eml"))) == 2 and not list(small_disk.glob("*.tmp"))
        assert contentd.metric("gatehouse_quarantine_errors_total") == 1
        wait_for(lambda: "No space left on device" in contentd.log, "it is logged")
    finally:
        contentd.stop()
        postfix.stop()
