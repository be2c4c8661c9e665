"""The milter beside a real Postfix: what it is told, what its answers do, and that no message is lost or altered."""
import random
import re
import signal
import subprocess
import threading

import pytest

from servers.contentd import Contentd, MilterScript
from servers.postfix import Postfix
from servers.process import wait_for

pytestmark = pytest.mark.usefixtures("needs_postfix")


@pytest.fixture(scope="module")
def script(workdir):
    daemon = MilterScript(workdir / "script")
    yield daemon
    wait_for(lambda: daemon.messages() == 0, "no message is under way")
    daemon.stop()


@pytest.fixture(scope="module")
def postfix(workdir, sink, script):
    """Services `unix` and `tcp` ask the milter; mail of the host itself too."""
    tcp = f"inet:127.0.0.1:{script.tcp[1]}"
    server = Postfix(workdir / "postfix", sink, {"unix": f"smtpd_milters = unix:{script.unix}\n", "tcp": f"smtpd_milters = {tcp}\n"},
                     f"non_smtpd_milters = {tcp}\nmilter_default_action = tempfail\nsmtputf8_enable = yes\n"
                     "notify_classes =\ninet_protocols = all\n")
    yield server
    server.stop()


def send(session, subject, *commands, sender="a@example.net", recipients=("b@example.org",), body="hello\r\n"):
    """A message with X-Do fields; the reply to the first command that was refused, else the last one."""
    reply = session.start(sender, *recipients)
    if reply[0] != 250:
        return reply
    reply = session.reply(*session.docmd("DATA"))
    if reply[0] != 354:
        return reply
    fields = "".join(f"X-Do: {command}\r\n" for command in commands)
    data = f"From: <a@example.net>\r\nSubject: {subject}\r\n{fields}\r\n".encode()
    session.send(data + (body if isinstance(body, bytes) else body.encode()) + b".\r\n")
    return session.reply(*session.getreply())


def arrived(sink, subject):
    """The one message with this subject."""
    wait_for(lambda: sink.find(subject), f"{subject} is delivered")
    assert len(sink.find(subject)) == 1
    return sink.find(subject)[0]


def body_of(message):
    return message.raw.split(b"\r\n\r\n", 1)[1]


def field(message, name):
    return [value for key, value in message.headers if key == name]


# ---- what it is told ----

@pytest.mark.parametrize("service", ["unix", "tcp"])
def test_sees_client_login_and_queue_id(postfix, sink, service):
    subject = f"seen {service}"
    with postfix.session(service, "192.0.2.7", "mail.example.com", 4711, login="al@example.com") as session:
        code, text = send(session, subject, "report", recipients=["b@example.org", "c+d@example.org"])
    assert code == 250
    queue_id = text.rsplit(" ", 1)[1]
    saw = field(arrived(sink, subject), "X-Saw")[0]
    assert saw.startswith("client=mail.example.com[192.0.2.7]:4711 helo=client.example.net ")
    assert f" login=al@example.com id={queue_id} sender=<a@example.net> utf8=0 " in saw
    assert saw.endswith(" to=<b@example.org> to=<c+d@example.org>")


def test_sees_an_ipv6_client(postfix, sink):
    with postfix.session("unix", "IPV6:2001:db8::7") as session:
        assert send(session, "v6", "report")[0] == 250
    assert "[2001:db8::7]:40000 " in field(arrived(sink, "v6"), "X-Saw")[0]


def test_sees_mail_of_the_host_itself(postfix, sink):
    subprocess.run(["/usr/sbin/sendmail", "-C", postfix.directory / "etc", "-f", "root@example.org", "b@example.org"], check=True,
                   input=b"Subject: local\nX-Do: report\n\nhello\n", timeout=30)
    saw = field(arrived(sink, "local"), "X-Saw")[0]
    assert saw.startswith("client=localhost[127.0.0.1]:0 helo=localhost ") and " sender=<root@example.org> " in saw


def test_sees_internationalized_addresses(postfix, sink):
    with postfix.session("unix") as session:
        session.command_encoding = "utf-8"
        assert session.docmd("MAIL", "FROM:<gr\u00fcn@example.net> SMTPUTF8")[0] == 250
        assert session.docmd("RCPT", "TO:<b@example.org>")[0] == 250
        assert session.docmd("DATA")[0] == 354
        session.send("Subject: utf8\r\nX-Do: hold it\r\nX-Do: report\r\n\r\nhello\r\n.\r\n".encode())
        assert session.getreply()[0] == 250
    wait_for(lambda: "milter-hold" in postfix.log, "it is held")  # the sink has no SMTPUTF8


def test_the_null_sender(postfix, sink):
    with postfix.session("unix") as session:
        assert send(session, "null", "report", sender="")[0] == 250
    assert " sender=<> " in field(arrived(sink, "null"), "X-Saw")[0]


# ---- what its answers do ----

@pytest.mark.parametrize("command, want", [
    ("reject 550 5.7.0 no", (550, "5.7.0 no")),
    ("reject", (554, "5.7.1 Message refused")),
    ("tempfail 452 4.3.1 later", (452, "4.3.1 later")),
    ("reject 550 5.7.1 100% of %s %d %%", (550, "5.7.1 100% of %s %d %%")),
    ("reject 550 5.7.1 gr\u00fcn", (550, "5.7.1 gr??n")),
    ("wait 200", None), ("accept", None), ("discard", None),
])
def test_last_words(postfix, sink, command, want):
    with postfix.session("unix") as session:
        code, text = send(session, command, command)
        assert (code, text) == want if want else code == 250, text
        assert send(session, f"after {command}")[0] == 250
    arrived(sink, f"after {command}")
    if command in ("wait 200", "accept"):
        arrived(sink, command)
    else:
        assert not sink.find(command)


@pytest.mark.parametrize("word, code", [("reject", 554), ("tempfail", 451), ("wait", 250)])
def test_words_at_mail_and_rcpt(postfix, word, code):
    with postfix.session("unix") as session:
        assert session.mail(f"{word}@example.net")[0] == code
        session.rset()
        session.mail("a@example.net")
        assert session.rcpt(f"{word}@example.org")[0] == code
        assert session.rcpt("b@example.org")[0] == 250


def test_changes_of_the_header(postfix, sink):
    with postfix.session("unix") as session:
        assert send(session, "old subject", "add X-Last: at the end", "insert 0 X-First: at the start",
                    "change 1 Subject: new subject", "remove 1 X-Do", "change 1 From: ")[0] == 250
    message = arrived(sink, "new subject")
    names = [name for name, _ in message.headers]
    assert field(message, "X-Last") == ["at the end"] and names[-1] == "X-Last"
    assert field(message, "X-First") == ["at the start"]
    assert names.index("X-First") <= names.index("Received") + 1
    assert field(message, "X-Do")[0] == "insert 0 X-First: at the start"  # the first one is gone
    assert b"X-Last: at the end\r\n" in message.raw and b"Subject: new subject\r\n" in message.raw  # one blank
    assert b"\r\nFrom: \r\n" in message.raw  # empty, not removed


def test_changes_of_the_envelope(postfix, sink):
    with postfix.session("unix") as session:
        assert send(session, "envelope", "add-rcpt new@example.org", "remove-rcpt b@example.org", "sender other@example.net",
                    recipients=["b@example.org", "c@example.org"])[0] == 250
    wait_for(lambda: sum(len(message.recipients) for message in sink.find("envelope")) == 2, "both recipients have it")
    messages = sink.find("envelope")
    assert sorted(one for message in messages for one in message.recipients) == ["c@example.org", "new@example.org"]
    assert {message.sender for message in messages} == {"other@example.net"}


def test_a_removed_sender(postfix, sink):
    with postfix.session("unix") as session:
        assert send(session, "no sender", "sender ")[0] == 250
    assert arrived(sink, "no sender").sender == ""


def test_a_replaced_body(postfix, sink):
    with postfix.session("unix") as session:
        assert send(session, "body", "body all is new", body="old\r\n" * 10000)[0] == 250
    assert body_of(arrived(sink, "body")) == b"all is new\r\n"


def test_a_held_message(postfix, sink):
    with postfix.session("unix") as session:
        code, text = send(session, "held", "hold for a look")
    assert code == 250
    queue_id = text.rsplit(" ", 1)[1]
    wait_for(lambda: f"{queue_id}: milter-hold" in postfix.log, "it is held")
    assert (postfix.directory / "queue/hold" / queue_id).exists() and not sink.find("held")


# ---- nothing is altered ----

BODIES = {
    "empty": b"", "one line": b"hello\r\n", "dots": b"..\r\n...a\r\n", "long lines": (b"x" * 990 + b"\r\n") * 50,
    "8 bit": bytes(range(1, 256)).replace(b"\n", b"").replace(b"\r", b"").replace(b".", b"") + b"\r\n",
    "large": b"".join(b"%070d\r\n" % n for n in range(60000)),
}


@pytest.mark.parametrize("name", BODIES)
def test_bodies_arrive_as_they_were(postfix, sink, name):
    body = BODIES[name]
    with postfix.session("tcp") as session:
        stuffed = b"".join(b"." + line if line.startswith(b".") else line for line in body.splitlines(keepends=True))
        assert send(session, f"body {name}", "add X-A: b", body=stuffed)[0] == 250
    assert body_of(arrived(sink, f"body {name}")) == body


def test_a_large_header_field(postfix, sink):
    """Postfix itself cuts them at 60,000 bytes when it delivers."""
    value = "\r\n".join(" " + "x" * 900 for _ in range(60))
    with postfix.session("unix") as session:
        session.start("a@example.net", "b@example.org")
        session.docmd("DATA")
        session.send(f"Subject: large field\r\nX-Large:{value}\r\n\r\nhello\r\n.\r\n".encode())
        assert session.getreply()[0] == 250
    assert f"X-Large:{value}\r\n".encode() in arrived(sink, "large field").raw


def test_many_messages_on_one_connection_with_aborts(postfix, script, sink):
    chance = random.Random(3)
    sessions = script.metric("gatehouse_milter_sessions_total")
    sent = []
    with postfix.session("unix") as session:
        for n in range(60):
            end = chance.choice(["mail", "rcpt", "whole", "whole", "vrfy"])
            if end == "whole":
                assert send(session, f"many {n}")[0] == 250
                sent.append(f"many {n}")
            elif end == "vrfy":
                session.docmd("VRFY", "b@example.org")
            else:
                session.start("a@example.net", *(["b@example.org"] if end == "rcpt" else []))
                session.rset()
    for subject in sent:
        arrived(sink, subject)
    assert script.metric("gatehouse_milter_sessions_total") <= sessions + 2
    wait_for(lambda: script.messages() == 0, "no message is under way")


def test_a_client_that_hangs_up_during_data(postfix, script):
    session = postfix.session("unix")
    session.start("a@example.net", "b@example.org")
    session.docmd("DATA")
    session.send(b"Subject: cut\r\n\r\nhello\r\n")
    session.close()
    wait_for(lambda: script.messages() == 0, "the message is gone")


def test_postfix_has_no_complaint(postfix):
    """Runs last of those that use it."""
    complaints = [line for line in postfix.log.splitlines() if re.search("warning|fatal|panic", line)]
    assert not [line for line in complaints if "milter" in line], complaints


# ---- restarts ----

@pytest.fixture
def daemon(workdir, request):
    started = Contentd(workdir / request.node.name[:25])
    yield started
    if started.process.is_running():
        started.stop(timeout=40)


@pytest.fixture
def mx(workdir, sink, daemon, request):
    server = Postfix(workdir / f"{request.node.name[:20]}-mx", sink, {"mx": f"smtpd_milters = unix:{daemon.unix}\n"},
                     "milter_default_action = tempfail\n")
    yield server
    server.stop()


def test_sigterm_during_data(mx, daemon, sink):
    """The message under way is finished, the daemon ends well, mail is deferred until it is there again."""
    with mx.session("mx") as session:
        session.start("a@example.net", "b@example.org")
        session.docmd("DATA")
        session.send(b"Subject: finished\r\n\r\nhello\r\n")
        daemon.process.send_signal(signal.SIGTERM)
        wait_for(lambda: "finishing what is under way" in daemon.log, "it is ending")
        session.send(b"the end\r\n.\r\n")
        assert session.getreply()[0] == 250
        assert daemon.process.child.wait(20) == 0
        assert send(session, "deferred")[0] == 451
    arrived(sink, "finished")
    daemon.start()
    with mx.session("mx") as session:
        assert send(session, "again")[0] == 250
    arrived(sink, "again")


def test_restarts_under_load_lose_nothing(mx, daemon, sink):
    taken, done = [], threading.Event()

    def run(number):
        n = 0
        while not done.is_set():
            n += 1
            subject = f"load {number}.{n}"
            try:
                with mx.session("mx") as session:
                    if send(session, subject, body=f"{subject}\r\n")[0] == 250:
                        taken.append(subject)
            except OSError:
                pass  # 421: the client tries again

    threads = [threading.Thread(target=run, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for round_ in range(3):
        goal = len(taken) + 30
        wait_for(lambda goal=goal: len(taken) >= goal, "messages are taken", 30)
        daemon.stop(timeout=40)
        daemon.start()
    done.set()
    for thread in threads:
        thread.join()
    for subject in taken:
        assert body_of(arrived(sink, subject)) == f"{subject}\r\n".encode()
    wait_for(lambda: daemon.messages() == 0, "no message is under way")
