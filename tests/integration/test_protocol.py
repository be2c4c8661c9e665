"""Whatever a client does, it is answered or its connection closed, and the others do not notice."""
import contextlib
import random
import socket
import struct
import subprocess
import time

import pytest

from servers.machine import Stopwatch
from servers.policy import PATIENCE_S, Closed, attributes, encode
from servers.policyd import BUILD
from servers.process import ROOT, wait_for

pytestmark = pytest.mark.sanitized

CONFIG = """
workers = 2

[rule marked]
when = sender = marked@example.net
then = reject 5.7.1 Marked

[rule loud]
when = sender = loud@example.net
then = reject 5.7.1 """ + "Loud " * 60 + """

[rule state]
when = sender = state@example.net and protocol_state = DATA
then = reject 5.7.1 Data
"""
MARKED = {"sender": "marked@example.net"}
REQUEST_MAX = 64 * 1024
ATTRIBUTES_MAX = 512
IS_PLAIN_BUILD = BUILD == ROOT / "build"  # sanitizers keep what was freed


@pytest.fixture
def impatient():
    """Requests have 3 s to get whole, and answers to be taken, for tests that use it; for others it is never too late."""


@pytest.fixture
def policyd(start_policyd, request):
    """One that has to be fine, and to have let go of everything, when the test is over."""
    timeout = "3s" if "impatient" in request.fixturenames else "60s"
    server = start_policyd(CONFIG, options=[f"request_timeout={timeout}"])
    server.ask()
    wait_for(lambda: server.connections() == 0, "the first connection is closed")
    descriptors = server.process.descriptors()
    yield server
    assert server.ask() == "DUNNO"
    assert is_refused(server.ask(**MARKED))
    server.settles_at(descriptors)


@pytest.fixture(params=["unix", "tcp"])
def connect(policyd, request):
    """connect() -> PolicyClient, over a unix socket or TCP."""
    with contextlib.ExitStack() as clients:
        yield lambda timeout=PATIENCE_S: clients.enter_context(policyd.client(request.param == "tcp", timeout))


def is_refused(action):
    return "Marked" in action


# ---- what is right, however it arrives ----

def test_one_connection_asks_many_times(connect):
    client = connect()
    for number in range(200):
        assert is_refused(client.ask(**MARKED)) if number % 3 == 0 else client.ask() == "DUNNO"


def test_byte_by_byte(connect):
    client = connect()
    for byte in encode(attributes(**MARKED)):
        client.send(bytes([byte]))
    assert is_refused(client.reply().decode())


def test_cut_at_every_place(connect):
    request = encode(attributes(**MARKED))
    client = connect()
    for at in range(1, len(request), 7):
        client.send(request[:at])
        time.sleep(0.001)
        client.send(request[at:])
        assert is_refused(client.reply().decode()), at


def test_pipelined_requests_are_answered_in_order(connect):
    client = connect()
    client.send(b"".join(encode(attributes(**(MARKED if n % 2 else {}))) for n in range(50)))
    assert [is_refused(client.reply().decode()) for n in range(50)] == [bool(n % 2) for n in range(50)]


def test_more_pipelined_requests_than_answers_fit_at_once(connect):
    client = connect()
    count = 1500
    client.send(b"request=smtpd_access_policy\n\n" * count)
    assert {client.reply().decode() for n in range(count)} == {"action=DUNNO"}


@pytest.mark.parametrize("stage", ["CONNECT", "EHLO", "HELO", "MAIL", "RCPT", "DATA", "END-OF-MESSAGE", "VRFY", "ETRN",
                                   "XCLIENT", "BDAT", "", "x" * 200])
def test_any_protocol_state(connect, stage):
    assert connect().ask(stage) == "DUNNO"


def test_attributes_in_any_order(connect):
    values = list(attributes(**MARKED).items())
    client = connect()
    for seed in range(20):
        random.Random(seed).shuffle(values)
        assert is_refused(client.ask_again(dict(values)))


def test_unknown_attributes_are_ignored_and_the_first_of_a_repeated_one_counts(connect):
    client = connect()
    assert is_refused(client.ask(x_new_in_postfix_4="a=b=c", **MARKED))
    client.send(encode(attributes(**MARKED)).replace(b"\n\n", b"\nsender=other@example.net\n\n"))
    assert is_refused(client.reply().decode())


@pytest.mark.parametrize("keep", [("request", "protocol_state", "sender"),
                                  ("request", "protocol_state", "protocol_name", "helo_name", "queue_id", "sender",
                                   "recipient", "client_address", "client_name")], ids=["least", "postfix 2.1"])
def test_old_postfix_sends_less(connect, keep):
    values = {name: value for name, value in attributes(**MARKED).items() if name in keep}
    assert is_refused(connect().ask_again(values))


def test_most_attributes_and_most_bytes(connect):
    client = connect()
    values = attributes(**MARKED)
    values.update({f"x{n}": "" for n in range(ATTRIBUTES_MAX - len(values))})
    assert is_refused(client.ask_again(values))
    values = attributes(**MARKED)
    values["x"] = "y" * (REQUEST_MAX - len(encode(values)) - len("x=\n"))
    assert len(encode(values)) == REQUEST_MAX
    assert is_refused(client.ask_again(values))


ODD_SENDERS = {
    "utf-8": "\u00fc@b\u00fccher.example",
    "no utf-8": "\udcff\udcfe@example.net",
    "long": "a" * 5000,
    "brackets": "<>",
    "at": "@",
    "blank": "a b@c",
    "quoted": "\"a\\\"b\"@example.net",
    "braces": "{sender}",
    "many labels": "a@" + "b." * 200 + "example",
}


@pytest.mark.parametrize("what", ODD_SENDERS)
def test_odd_values_are_answered(connect, what):
    assert connect().ask(sender=ODD_SENDERS[what]) == "DUNNO"


# ---- what is wrong ----

NONSENSE = {
    "no equals sign": b"request=smtpd_access_policy\nnonsense\n\n",
    "another protocol": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a bad size": encode(attributes(size="-1")),
    "a huge number": encode(attributes(size="99999999999999999999999")),
    "zeros": bytes(1000) + b"\n\n",
    "all bytes": bytes(range(256)) * 4 + b"\n\n",
    "no name": b"=x\n\n",
    "nothing but an empty line": b"\n\n",
}


@pytest.mark.parametrize("what", NONSENSE)
def test_nonsense_is_answered_or_closed(connect, what):
    client = connect()
    with contextlib.suppress(Closed):
        client.send(NONSENSE[what])
        assert client.reply().startswith(b"action=")


def test_random_bytes_are_answered_or_closed(connect):
    rng = random.Random(1)
    for _ in range(50):
        client = connect()
        with contextlib.suppress(Closed):
            client.send(rng.randbytes(rng.randrange(1, 3000)) + b"\n\n")
            assert client.reply().startswith(b"action=")


def test_damaged_requests_are_answered_or_closed(connect):
    rng = random.Random(2)
    good = encode(attributes(**MARKED))
    for _ in range(100):
        bad = bytearray(good)
        for _ in range(rng.randrange(1, 8)):
            bad[rng.randrange(len(bad))] = rng.randrange(256)
        client = connect()
        with contextlib.suppress(Closed):
            client.send(bytes(bad) + b"\n\n")
            assert client.reply().startswith(b"action=")


@pytest.mark.parametrize("data", [b"x" * (REQUEST_MAX * 2), b"sender=" + b"x" * (REQUEST_MAX * 2),
                                  b"a=b\n" * (REQUEST_MAX // 2),
                                  b"".join(b"a%d=\n" % n for n in range(ATTRIBUTES_MAX + 1)) + b"\n"],
                         ids=["one word", "one attribute", "many bytes", "many attributes"])
def test_too_much_is_closed_without_an_answer(connect, data):
    client = connect()
    with pytest.raises(Closed):
        client.send(data)
        client.reply()


def test_endless_input_is_closed_soon(connect):
    client = connect()
    with pytest.raises(Closed):
        for _ in range(1000):
            client.send(b"x" * REQUEST_MAX)


# ---- who does not play along ----

def test_a_request_that_does_not_get_whole_is_closed(impatient, connect):
    client = connect()
    start = time.monotonic()
    client.send(encode(attributes())[:-1])
    assert client.is_closed(timeout=30)
    assert 2.5 < time.monotonic() - start


def test_a_drip_does_not_keep_a_request_alive(impatient, connect):
    client, watch = connect(), Stopwatch()
    with pytest.raises(Closed):
        while watch.seconds() < 10:
            client.send(b"a=b\n")
            time.sleep(0.1)


def test_an_idle_connection_is_kept(impatient, connect):
    """The request's time begins with its first byte: Postfix asks again on a connection that idled for minutes."""
    silent, asked = connect(), connect()
    assert asked.ask() == "DUNNO"
    time.sleep(4)
    assert silent.ask() == "DUNNO"
    assert is_refused(asked.ask(**MARKED))


def test_an_idle_time_below_postfix_own_is_refused(policyd):
    done = subprocess.run(policyd.argv("-o", "idle_timeout=399s", "-t"), capture_output=True, text=True, timeout=120)
    assert done.returncode == 78 and "idle_timeout" in done.stderr + done.stdout, done
    done = subprocess.run(policyd.argv("-o", "idle_timeout=400s", "-t"), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done


def test_a_client_that_never_reads_is_closed(impatient, policyd, connect):
    """Its answers fill the socket's buffers; then the server stops reading, holds little for it, and lets go of it."""
    memory = policyd.process.memory_kib()
    client = connect(timeout=0.2)
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    request = b"request=smtpd_access_policy\nprotocol_state=RCPT\nsender=loud@example.net\n\n"  # a long answer to little
    wait_for(lambda: policyd.connections() == 1, "the connection is taken")

    def is_let_go():
        # The end of a TCP connection does not get through to a client that takes nothing, so the server is asked.
        with contextlib.suppress(Closed, TimeoutError):
            client.send(request * 200)
        return policyd.connections() == 0

    wait_for(is_let_go, "the connection is closed", timeout=30, interval=0)
    if IS_PLAIN_BUILD:
        assert policyd.process.memory_kib() - memory < 8192


def test_clients_that_vanish(policyd, connect):
    request = encode(attributes())
    for number in range(200):
        client = connect()
        with contextlib.suppress(Closed):
            client.send(request[:number * 7 % len(request)] if number % 2 else request)
        if number % 3 == 0:  # a reset instead of a close
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()


def test_a_half_closed_connection_is_answered_or_closed(connect):
    client = connect()
    client.send(encode(attributes(**MARKED)))
    client.socket.shutdown(socket.SHUT_WR)
    try:
        assert is_refused(client.reply().decode())
    except Closed:
        pass
    assert client.is_closed(timeout=30)


def test_thousands_of_idle_connections(policyd, connect):
    """They are served at once when they ask again, and cost little."""
    count = 2000
    before = policyd.process.memory_kib()
    clients = [connect() for _ in range(count)]
    for client in clients:
        assert client.ask() == "DUNNO"
    grown = policyd.process.memory_kib() - before
    if IS_PLAIN_BUILD:
        assert grown <= 4 * count + 2048, f"{grown / count:.1f} KiB per connection"
    watch = Stopwatch()
    for client in clients[:: count // 20]:
        assert is_refused(client.ask(**MARKED))
    assert watch.seconds() < 5


def test_others_are_served_while_many_misbehave(policyd, connect):
    for number in range(300):
        client = connect()
        with contextlib.suppress(Closed):
            client.send([b"x" * 3000, b"a=b\n", encode(attributes()) * 3, b"\0" * 50][number % 4])
    watch = Stopwatch()
    for _ in range(50):
        assert is_refused(policyd.ask(**MARKED))
    assert watch.seconds() < 5


@pytest.mark.parametrize("value", ['x" verdict=reject rule="y', "x\rdecision queue_id=forged", "x\tdecision", "\x1b[31m",
                                   "a=b reason=\"c\"", "\\", "\u2028decision"],
                         ids=["quotes", "CR", "tab", "escape", "equals", "backslash", "line separator"])
def test_log_lines_cannot_be_forged(policyd, connect, value):
    client = connect()
    try:
        client.ask(client_name=value, sender=f"{value}@example.net", sasl_username=value, helo_name=value)
    except Closed:
        return  # refused outright: nothing to log
    wait_for(lambda: len(policyd.decisions()) > 1, "the decision is logged")
    for line in policyd.log.splitlines():
        assert line.isprintable(), line
        assert line.count("decision queue_id") <= 1
    for decision in policyd.decisions():
        assert decision.get("verdict") == "dunno" and decision.get("rule", "") != '"y"', decision
