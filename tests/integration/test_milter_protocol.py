"""The milter's side of the protocol, against MTAs that keep to it, that do not, and that mean harm."""
import concurrent.futures
import random
import signal
import socket
import struct

import pytest

from servers.contentd import Contentd, MilterScript
from servers.milter_client import (ADDHDRS, ALL_ACTIONS, CHGHDRS, HDR_LEADSPC, NR_RCPT, OFFERS, SETSYMLIST, packet,
                                   strings)
from servers.process import wait_for
from servers.signd import Signd

pytestmark = pytest.mark.sanitized

DO = "X-Do"


@pytest.fixture(scope="module")
def script(workdir):
    daemon = MilterScript(workdir / "script")
    yield daemon
    wait_for(lambda: daemon.connections() == 0, "all connections are closed")
    assert daemon.messages() == 0
    assert daemon.hooks("gone") == daemon.metric("gatehouse_milter_messages_total")
    daemon.stop()


@pytest.fixture(scope="module", params=[MilterScript, Signd])
def target(workdir, request):
    """Daemons whose own code is to stand anything that comes."""
    daemon = request.param(workdir / f"target-{request.param.__name__}")
    yield daemon
    wait_for(lambda: daemon.connections() == 0, "all connections are closed")
    wait_for(lambda: daemon.metric("gatehouse_milter_messages_in_flight") == 0, "no message is under way")
    daemon.stop(timeout=40)


@pytest.fixture
def start_script(workdir, request):
    """start_script(options=[...]) -> MilterScript, stopped after the test"""
    started = []

    def start(options=(), kind=MilterScript, env=None):
        daemon = kind(workdir / f"{request.node.name[:20]}-{len(started)}", options=options, env=env)
        started.append(daemon)
        return daemon

    yield start
    for daemon in started:
        daemon.stop(timeout=40)


def waits_at_the_end(client, wait):
    """A message is whole, and nobody decides: `wait`, a thread has it, or `later`, the loop."""
    client.start()
    client.mail()
    client.header(DO, f"{wait} 60000")
    client.headers_end()
    client.send(packet("E"))
    assert client.read().command == "p"


def said(reply):
    """A refusal's text."""
    assert reply.command == "y", reply
    return reply.texts[0]


def works(daemon, **arguments):
    """A new connection is served."""
    with daemon.client(**arguments) as client:
        assert client.start().message()[0].command == "c"


# ---- versions and offers ----

@pytest.mark.parametrize("tcp", [False, True])
@pytest.mark.parametrize("version", sorted(OFFERS))
def test_serves_every_version(script, version, tcp):
    with script.client(version, tcp) as client:
        client.start()
        assert client.version == version
        for body in (b"hello\r\n", b"", b"x" * 200000):
            last, changes = client.message(headers=[("Subject", "hello"), (DO, "add X-Test: yes")], body=body)
            assert last.command == "c"
            assert [change.texts for change in changes] == [["X-Test", " yes" if client.steps & HDR_LEADSPC else "yes"]]


def test_asks_for_little(script):
    """Replies that carry nothing are not waited for, macros are asked for."""
    with script.client() as client:
        assert client.steps & HDR_LEADSPC and not client.steps & NR_RCPT  # it has a hook for recipients
        assert client.actions & ~ALL_ACTIONS == 0 and "{auth_authen}" in client.macros[2]
    with script.client(actions=ALL_ACTIONS & ~SETSYMLIST) as client:
        assert client.macros == {}


@pytest.mark.parametrize("data", [b"", b"\0" * 11, struct.pack(">III", 1, 63, 127)])
def test_closes_on_a_bad_negotiation(script, data):
    with script.client(version=None) as client:
        client.send(packet("O", data))
        assert client.is_closed()


def test_closes_on_a_command_before_the_negotiation(script):
    with script.client(version=None) as client:
        client.command("M", "<a@example.net>")
        assert client.is_closed()


def test_does_not_negotiate_twice(script):
    with script.client() as client:
        client.send(packet("O", struct.pack(">III", 6, 511, 127)))
        assert client.is_closed()


# ---- what hooks see and say ----

def test_hooks_see_what_the_mta_says(script):
    with script.client() as client:
        client.connect("mail.example.net", "192.0.2.7", 4711, **{"{daemon_name}": "smtpd"})
        client.helo("mail.example.net")
        client.mail("<Al@example.net>", "SIZE=10", "SMTPUTF8", **{"{auth_authen}": "al"})
        client.rcpt("<b@example.org>", **{"i": "4Xk2Lq"})
        client.rcpt("<c@example.org>", "NOTIFY=NEVER")
        client.header(DO, "report")
        client.headers_end()
        client.body(b"12345")
        change, last = client.end()
    assert last.command == "c"
    assert change.texts == ["X-Saw", " client=mail.example.net[192.0.2.7]:4711 helo=mail.example.net daemon=smtpd login=al "
                            "id=4Xk2Lq sender=<Al@example.net> utf8=1 headers=1 head=16 size=21 to=<b@example.org> "
                            "to=<c@example.org>"]


@pytest.mark.parametrize("address, seen", [("2001:db8::1", "[2001:db8::1]:40000"), ("IPv6:2001:db8::1", "[2001:db8::1]:40000"),
                                           (None, "[none]:0"), ("nonsense", "[none]:40000")])
def test_hooks_see_the_address(script, address, seen):
    with script.client() as client:
        client.start(address=address)
        change = client.message(headers=[(DO, "report")])[1][0]
    assert f"client=client.example.net{seen} " in change.texts[1]


def test_logins_and_queue_ids_do_not_outlive_their_message(script):
    with script.client() as client:
        client.start()
        client.mail(**{"{auth_authen}": "al"})
        client.rcpt(**{"i": "FIRST"})
        client.abort()
        client.mail()
        client.rcpt()
        client.header(DO, "report")
        client.headers_end()
        assert " login= id= " in client.end()[0].texts[1]


@pytest.mark.parametrize("word, answer", [("accept", "a"), ("reject", "y"), ("tempfail", "y"), ("discard", "d"), ("wait", "c"),
                                          ("else", "c")])
def test_answers_at_each_stage(script, word, answer):
    with script.client() as client:
        client.connect()
        assert client.helo(f"{word}.example").command == answer.replace("d", "c")
    with script.client() as client:
        client.start()
        assert client.mail(f"<{word}@example.net>").command == answer
        client.mail()
        assert client.rcpt(f"<{word}@example.org>").command == answer
        assert client.message(headers=[(DO, word)])[0].command == answer


def test_an_accepted_connection_is_left_alone(script):
    with script.client() as client:
        client.connect()
        assert client.helo("accept.example").command == "a"
        assert client.mail("<reject@example.net>").command == "a"


def test_a_refused_recipient_is_not_the_end(script):
    with script.client() as client:
        client.start()
        client.mail()
        assert client.rcpt("<reject@example.org>").command == "y"
        assert client.rcpt("<c@example.org>").command == "c"
        client.header(DO, "report")
        client.headers_end()
        change, last = client.end()
    assert last.command == "c" and change.texts[1].endswith(" size=16 to=<c@example.org>")


@pytest.mark.parametrize("command, want", [
    ("reject", "554 5.7.1 Message refused"),
    ("reject 550 5.7.0 no", "550 5.7.0 no"),
    ("reject 450 4.7.0 no", "554 5.7.1 no"),
    ("tempfail", "451 4.7.1 Try again later"),
    ("tempfail 452 4.3.1 later", "452 4.3.1 later"),
    ("reject 550 5.7.1 100% gr\xfcn \x07 %s", "550 5.7.1 100%% gr??n ? %%s"),
    ("reject 550 5.7.1 " + "x" * 1000, "550 5.7.1 " + "x" * 390),
])
def test_refusals_are_well_formed(script, command, want):
    with script.client() as client:
        assert said(client.start().message(headers=[(DO, command)])[0]) == want


# ---- changes ----

CHANGES = [("add X-A: b", "h", b"X-A\0 b\0"), ("insert 1 X-A: b", "i", b"\0\0\0\1X-A\0 b\0"),
           ("change 2 X-A: b", "m", b"\0\0\0\2X-A\0 b\0"), ("change 1 X-A: ", "m", b"\0\0\0\1X-A\0 \0"),
           ("remove 1 X-A", "m", b"\0\0\0\1X-A\0\0"), ("add-rcpt c@example.org", "+", b"<c@example.org>\0"),
           ("remove-rcpt b@example.org", "-", b"<b@example.org>\0"), ("sender ", "e", b"<>\0"),
           ("body new", "b", b"new"), ("hold why not", "q", b"why not\0")]


def test_changes_are_sent_in_order_before_the_last_word(script):
    with script.client() as client:
        last, changes = client.start().message(headers=[(DO, command) for command, _, _ in CHANGES])
    assert last.command == "c"
    assert [(change.command, change.data) for change in changes] == [change[1:] for change in CHANGES]


@pytest.mark.parametrize("word", ["reject", "tempfail", "discard"])
def test_a_refused_message_is_not_changed(script, word):
    with script.client() as client:
        assert client.start().message(headers=[(DO, "add X-A: b"), (DO, word)])[1] == []


@pytest.mark.parametrize("offered, command", [(CHGHDRS, "add X-A: b"), (ADDHDRS, "remove 1 X-A"), (ADDHDRS, "hold it"),
                                              (ADDHDRS, "remove-rcpt b@example.org"), (ADDHDRS, "add X-Large: " + "x" * 70000)])
def test_a_change_that_is_not_possible_defers(script, offered, command):
    """None of the other changes is sent."""
    before = script.metric("gatehouse_milter_edits_failed_total")
    with script.client(actions=offered) as client:
        last, changes = client.start().message(headers=[(DO, "add X-A: first"), (DO, command)])
    assert said(last).startswith("451 4.3.0 ") and changes == []
    assert script.metric("gatehouse_milter_edits_failed_total") == before + 1
    works(script)


# ---- several messages, aborts ----

STEPS = [lambda c: c.mail(), lambda c: c.rcpt(), lambda c: c.header("Subject", "hello"), lambda c: c.headers_end(),
         lambda c: c.body(b"hello"), lambda c: c.send(packet("E"))]


@pytest.mark.parametrize("count", range(len(STEPS)))
def test_an_abort_ends_the_message_alone(script, count):
    with script.client() as client:
        client.start()
        for step in STEPS[:count]:
            step(client)
        client.abort()
        assert client.message()[0].command == "c"
        assert client.message()[0].command == "c"


@pytest.mark.parametrize("count", range(len(STEPS) + 1))
def test_a_lost_connection_ends_the_message(script, count):
    with script.client() as client:
        client.start()
        for step in STEPS[:count]:
            step(client)
    wait_for(lambda: script.messages() == 0, "no message is under way")


@pytest.mark.parametrize("wait", ["wait", "later"])
def test_the_mta_hangs_up_while_it_waits(script, wait):
    wait_for(lambda: script.messages() == 0, "those of tests before are over")
    before = script.hooks("sent"), script.hooks("not-sent")
    with script.client() as client:
        waits_at_the_end(client, wait)
        assert script.messages() == 1
    wait_for(lambda: script.messages() == 0, "the message is gone")
    assert (script.hooks("sent"), script.hooks("not-sent")) == (before[0], before[1] + 1)


@pytest.mark.parametrize("wait", ["wait", "later"])
def test_progress_is_sent_while_the_end_waits(script, wait):
    with script.client() as client:
        client.start()
        client.mail()
        client.header(DO, f"{wait} 400")
        client.headers_end()
        client.send(packet("E"))
        replies = [client.read().command]
        while replies[-1] == "p":
            replies.append(client.read().command)
    assert replies[0] == "p" and replies[-1] == "c"


def test_another_client_may_follow_on_the_connection(script):
    wait_for(lambda: script.connections() == 0, "nobody else is there")
    before = script.hooks("disconnect")
    with script.client() as client:
        client.start()
        assert client.message()[0].command == "c"
        client.send(packet("K"))
        client.start(name="other.example.net")
        change = client.message(headers=[(DO, "report")])[1][0]
    assert "client=other.example.net[" in change.texts[1]
    wait_for(lambda: script.hooks("disconnect") == before + 2, "both clients are gone")


# ---- bounds ----

@pytest.mark.parametrize("tcp", [False, True])
def test_large_bodies_are_kept_in_a_file(start_script, tcp):
    daemon = start_script(["message_memory=10000", "message_size_max=5000000"])
    with daemon.client(tcp=tcp) as client:
        client.start()
        for size in (9999, 10000, 10001, 3000000, 5000000):
            change = client.message(headers=[(DO, "report")], body=b"x" * size)[1][0]
            assert f" size={size + 16} " in change.texts[1]
        assert said(client.message(body=b"x" * 5000001)[0]).startswith("552 5.3.4 ")
        assert client.message()[0].command == "c"
    assert [path.name for path in daemon.directory.iterdir() if path.name.startswith("message")] == []
    assert daemon.metric("gatehouse_milter_refused_total", **{"for": "size"}) == 1


def test_without_a_disk_messages_are_deferred(start_script):
    daemon = start_script(["message_memory=0", "spool_directory=/nonexistent"])
    with daemon.client() as client:
        client.start()
        assert said(client.message()[0]).startswith("452 4.3.1 ")
        assert client.message(body=b"")[0].command == "c"
    assert daemon.metric("gatehouse_milter_spool_errors_total") == 1


@pytest.mark.parametrize("kind", [Contentd, Signd])
def test_many_recipients_and_header_fields(start_script, kind):
    daemon = start_script(kind=kind)
    with daemon.client() as client:
        client.start()
        last, _ = client.message(recipients=[f"<user{n}@example.org>" for n in range(10000)],
                                 headers=[(f"X-{n}", "value") for n in range(20000)])
        assert last.command == "c"


def test_too_many_recipients_are_refused(script):
    with script.client() as client:
        client.start()
        client.mail()
        for _ in range(50):
            client.send(packet("R", strings("<b@example.org>")) * 1000)
            assert {client.read().command for _ in range(1000)} == {"c"}
        assert said(client.rcpt()).startswith("552 5.3.4 ")
        assert client.message()[0].command == "c"


def test_too_many_header_fields_are_refused(script):
    with script.client() as client:
        client.start()
        client.mail()
        client.send(packet("L", strings("X", " y")) * 50001)
        assert said(client.headers_end()).startswith("552 5.3.4 ")
        assert client.message()[0].command == "c"


def test_a_header_field_may_be_as_large_as_postfix_sends_them(script):
    """header_size_limit is 102400."""
    with script.client() as client:
        assert client.start().message(headers=[("X-Large", "x" * 200000)])[0].command == "c"


def test_too_large_a_header_is_refused(script):
    with script.client() as client:
        client.start()
        client.mail()
        for _ in range(17):
            client.header("X-Large", "x" * 1000000)
        assert said(client.headers_end()).startswith("552 5.3.4 ")
        assert client.message()[0].command == "c"


def test_too_many_parameters_are_refused(script):
    with script.client() as client:
        client.start()
        assert said(client.mail("<a@example.net>", *(["X=y"] * 101))).startswith("552 ")
        assert client.mail("<a@example.net>", *(["X=y"] * 100)).command == "c"


# ---- the cap ----

def hold(daemon):
    """A client with a message under way."""
    client = daemon.client()
    client.start()
    assert client.mail().command == "c"
    return client


@pytest.mark.parametrize("overload, answer, counter", [
    ("tempfail", "y", "gatehouse_milter_refused_total"), ("accept", "a", "gatehouse_milter_unscanned_total")])
def test_over_the_cap(start_script, overload, answer, counter):
    daemon = start_script(["max_sessions=2", "session_wait=100ms", f"overload={overload}"])
    held = [hold(daemon), hold(daemon)]
    with daemon.client() as client:
        client.start()
        assert client.mail().command == answer
        assert daemon.metric(counter) == 1
        held[0].abort()
        wait_for(lambda: client.message()[0].command == "c", "there is room again")
    for client in held:
        client.close()


def test_waits_for_room(start_script):
    daemon = start_script(["max_sessions=1", "session_wait=20s"])
    held = hold(daemon)
    with daemon.client() as client, daemon.client() as other:
        client.start()
        client.send(packet("M", strings("<a@example.net>")))
        other.start()
        other.send(packet("M", strings("<a@example.net>")))
        other.close()  # gives up waiting
        held.abort()
        assert client.read().command == "c"
    held.close()


# ---- hostile ones ----

def test_odd_macros(script):
    for count in (1, 2, 3, 5, 63, 1001):
        with script.client() as client:
            client.start()
            client.send(packet("D", b"M" + strings(*(f"{{x{n}}}" for n in range(count)))))
            assert client.message(headers=[(DO, "report")])[0].command == "c"
    for data in (b"", b"M", b"M\0", b"Mno end", b"?x\0y\0", b"Mi\0"):
        with script.client() as client:
            client.start()
            client.send(packet("D", data))
            assert client.message()[0].command == "c"


def test_too_many_macros(script):
    with script.client() as client:
        client.send(packet("D", b"M" + strings("x", "y" * 70000)))
        assert client.is_closed()


@pytest.mark.parametrize("data", [
    b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xffM", b"\0\x20\0\0M", packet("?"), packet("\0"), packet("C"),
    packet("C", b"no end"), packet("C", b"name\0"), packet("C", b"name\0X\0\0a\0"), packet("C", b"name\0004"),
    packet("C", b"name\0004\0\x19192.0.2.1"), packet("H"), packet("H", b"no end"), packet("M"), packet("M", b"no end"),
    packet("R", b"<a>\0no end"), packet("L"), packet("L", b"name\0"), packet("L", b"\0value\0"), packet("L", b"name\0value"),
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"EHLO example.net\r\n"])
def test_closes_on_what_is_no_packet(script, data):
    before = script.metric("gatehouse_milter_bad_packets_total")
    with script.client() as client:
        client.send(data)
        assert client.is_closed()
    wait_for(lambda: script.metric("gatehouse_milter_bad_packets_total") > before, "it is counted")
    assert script.metric("gatehouse_milter_bad_packets_total") == before + 1
    works(script)


def session_bytes():
    """What an MTA sends for a session of two messages, when nothing waits for a reply of ours."""
    message = (packet("D", b"M" + strings("i", "4Xk2Lq", "{auth_authen}", "al")) + packet("M", strings("<a@example.net>", "SIZE=5"))
               + packet("R", strings("<b@example.org>")) + packet("T") + packet("L", strings("Subject", " hello"))
               + packet("L", strings(DO, " report")) + packet("N") + packet("B", b"hello\r\n") + packet("E"))
    return (packet("O", struct.pack(">III", 6, *OFFERS[6])) + packet("C", strings("client") + b"4\0\x19" + strings("192.0.2.1"))
            + packet("H", strings("client")) + message + packet("A") + message + packet("Q"))


def feed(daemon, data):
    """Sends all of it, whatever is answered."""
    with daemon.client(version=None) as client:
        try:
            client.send(data)
            client.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has closed the connection already
        assert client.is_closed()


def test_cut_sessions(target):
    data = session_bytes()
    for end in range(len(data)):
        feed(target, data[:end])
    works(target)


def test_sessions_in_small_pieces(script):
    data = session_bytes()
    for piece in (1, 3, 7):
        with script.client(version=None) as client:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
            for at in range(0, len(data), piece):
                client.send(data[at:at + piece])
            replies = []
            with pytest.raises(EOFError):
                while True:
                    replies.append(client.read().command)
        assert replies.count("h") == 2 and replies[-1] == "c"


def test_random_changes_of_sessions(target):
    data, chance = session_bytes(), random.Random(1)
    for _ in range(300):
        bad = bytearray(data)
        for _ in range(chance.randint(1, 8)):
            bad[chance.randrange(len(bad))] = chance.randrange(256)
        feed(target, bytes(bad))
    works(target)


def test_commands_in_any_order(target):
    chance = random.Random(2)
    start = packet("O", struct.pack(">III", 6, *OFFERS[6]))
    commands = [packet("C", strings("client") + b"4\0\x19" + strings("192.0.2.1")), packet("H", strings("client")),
                packet("M", strings("<a@example.net>")), packet("M", strings("<wait@example.net>")), packet("R", strings("<b>")),
                packet("R", strings("<reject@b>")), packet("L", strings("a", "b")), packet("L", strings(DO, "wait 1")),
                packet("L", strings(DO, "later 1")), packet("L", strings(DO, "body x")), packet("N"),
                packet("B", b"x" * 1000), packet("E"), packet("E", b"body"), packet("T"), packet("U", strings("FOO")), packet("A"), packet("K"), packet("D", b"Mi\0x\0")]
    for _ in range(300):
        feed(target, start + b"".join(chance.choice(commands) for _ in range(chance.randint(1, 60))))
    works(target)


def test_who_takes_no_answer_does_not_fill_the_memory(script):
    with script.client() as client:
        client.start()
        client.socket.settimeout(2)
        before = script.process.memory_kib()
        with pytest.raises(TimeoutError):
            while True:
                client.send(packet("R", strings("<b@example.org>")) * 1000)
        assert script.process.memory_kib() - before < 20000
    works(script)


# ---- many ----

def test_idle_connections_are_cheap(start_script):
    daemon = start_script(kind=Contentd)
    descriptors, memory = daemon.process.descriptors(), daemon.process.memory_kib()
    clients = [daemon.client() for _ in range(900)]
    for client in clients:
        client.start()
        assert client.message()[0].command == "c"
    assert daemon.connections() == 900
    if "san" not in str(daemon.program):
        assert daemon.process.memory_kib() - memory < 32 * 1024
    for client in clients:
        client.close()
    daemon.settles_at(descriptors)


def test_others_do_not_wait_for_slow_ones(script):
    """Messages that wait, and connections that have sent half a packet, keep nobody else from being served."""
    waiting = []
    for n in range(60):
        client = script.client()
        client.start()
        client.mail()
        client.header(DO, f"{'wait' if n % 3 else 'later'} 60000")
        client.headers_end()
        client.send(packet("E") if n % 2 else packet("B", b"x" * 100)[:50])
        waiting.append(client)
    for _ in range(20):
        works(script)
    for client in waiting:
        client.close()
    wait_for(lambda: script.messages() == 0, "all messages are gone")


# ---- the end ----

@pytest.mark.parametrize("wait", ["wait", "later"])
def test_finishes_what_is_under_way(start_script, wait):
    daemon = start_script(env={"MILTER_SCRIPT_DRAIN": "patient"})
    idle, begun, ending = (daemon.client().start() for _ in range(3))
    begun.mail()
    ending.mail()
    ending.header(DO, f"{wait} 500")
    ending.headers_end()
    ending.send(packet("E"))
    daemon.process.send_signal(signal.SIGTERM)
    assert idle.is_closed()
    reply = ending.read()
    while reply.command == "p":
        reply = ending.read()
    assert reply.command == "c" and ending.is_closed()
    begun.rcpt()
    begun.headers_end()
    assert begun.end()[-1].command == "c" and begun.is_closed()
    assert daemon.process.child.wait(60) == 0
    for client in (idle, begun, ending):
        client.close()


@pytest.mark.parametrize("wait", ["wait", "later"])
def test_does_not_wait_for_ever_at_the_end(start_script, wait):
    """A hook that waits longer goes with the process, its message is not accepted."""
    daemon = start_script()
    with daemon.client() as client:
        waits_at_the_end(client, wait)
        daemon.process.send_signal(signal.SIGTERM)
        with pytest.raises((EOFError, ConnectionError)):
            while client.read().command == "p":
                pass
    assert daemon.process.child.wait(40) == 0
    assert "still busy" in daemon.log and not daemon.unix.exists()


def test_reads_its_settings_again(start_script):
    daemon = start_script()
    with daemon.client() as client:
        client.start()
        assert client.message(body=b"x" * 5000)[0].command == "c"
        daemon.reload("message_size_max = 4K\n")
        wait_for(lambda: client.message(body=b"x" * 5000)[0].command == "y", "the new bound is in force")


def test_survives_being_fed_by_many_at_once(target):
    def run(seed):
        chance = random.Random(seed)
        with target.client() as client:
            client.start()
            for _ in range(20):
                client.message(headers=[(DO, chance.choice(["report", "wait 5", "later 5", "reject", "add X-A: b", "discard"]))],
                               body=b"x" * chance.randrange(3000))

    with concurrent.futures.ThreadPoolExecutor(16) as threads:
        list(threads.map(run, range(16)))
    works(target)
