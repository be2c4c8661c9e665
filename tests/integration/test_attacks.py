"""Attacks on policyd: by who speaks its protocols, by who sends mail, by who may write to its Redis."""
import contextlib
import http.client
import json
import os
import random
import resource
import signal
import socket
import subprocess
import threading
import time

import pytest

from servers.machine import Stopwatch
from servers.policy import Closed, attributes, encode, new_instance
from servers.daemon import UnixHTTPConnection
from servers.policyd import GATECTL, Policyd
from servers.process import accepts, free_port, wait_for

pytestmark = pytest.mark.sanitized

LIMITS = """
workers = 2

[limit everybody]
count = messages
rate = 1000/1h

[limit user]
key = sasl_username
count = messages
rate = 100/1h

[rule limits]
when = authenticated
then = limit everybody, user

[list blocked]

[rule blocked]
when = sender in list:blocked
then = reject 5.7.1 Blocked
"""


@pytest.fixture
def policyd(start_policyd, redis):
    """With its state in Redis, to which it is connected."""
    policyd = start_policyd(LIMITS, options=[f"store={redis.url}"])
    wait_for(policyd.is_whole, "every worker is connected to Redis")
    return policyd


def send(policyd, count=1, **changes):
    """So many messages at DATA; returns the answers."""
    return [policyd.ask("DATA", sasl_username="alice", instance=new_instance(), **changes) for _ in range(count)]


# ---- by who may write to Redis ----

def test_a_counter_of_another_type_harms_no_other_counter(policyd, redis):
    """What cannot be written back to one counter must not be added to the others again and again."""
    redis.cli("SET", "gh:q:{m:alice}:user.3600000.24", "nonsense")
    send(policyd, 3)
    time.sleep(1)
    assert redis.used("everybody") <= 3
    redis.cli("DEL", "gh:q:{m:alice}:user.3600000.24")
    send(policyd, 1)
    assert redis.used("everybody") <= 4


def test_a_counter_with_a_broken_bucket_harms_no_other_counter(policyd, redis):
    send(policyd)
    key = "gh:q:{m:alice}:user.3600000.24"
    for bucket in redis.cli("HKEYS", key).split():
        redis.cli("HSET", key, bucket, "1.5")
    assert send(policyd, 3) == ["DUNNO"] * 3
    wait_for(lambda: redis.used("everybody") == 4, "all are counted")
    time.sleep(1)
    assert redis.used("everybody") == 4


@pytest.mark.parametrize("key", ["gh:list:blocked", "gh:rule", "gh:class", "gh:limit:user", "gh:log", "gh:gen"])
def test_keys_of_another_type_are_as_if_empty(policyd, redis, key):
    redis.cli("DEL", key)
    redis.cli("SADD", key, "nonsense")
    assert send(policyd) == ["DUNNO"]
    redis.cli("HSET", "gh:limit:everybody", "default", "0/1h")
    wait_for(lambda: send(policyd)[0] != "DUNNO", "other live values still count")
    assert policyd.get("/ready")[0] == 200


def test_the_log_with_foreign_entries_is_still_read(policyd, redis):
    policyd.ask(queue_id="4XkForeign")
    wait_for(lambda: redis.cli("EXISTS", "gh:log") == "1", "the log is written")
    redis.cli("XADD", "gh:log", "*", "somebody", "else")
    assert "4XkForeign" in policyd.gatectl("why", "4XkForeign").stdout


def test_bad_live_values_do_not_flood_the_log(policyd, redis):
    """One line each time the list is read would fill the disk."""
    for start in range(0, 1500, 500):
        redis.cli("HSET", "gh:list:blocked", *(part for n in range(start, start + 500) for part in (f"!!{n}", "")))
    redis.cli("HSET", "gh:list:blocked", "bad@example.net", "")
    wait_for(lambda: policyd.ask(sender="bad@example.net") != "DUNNO", "the good entry counts")
    assert policyd.metric("gatehouse_live_bad_values_total") >= 1500
    assert policyd.log.count("is ignored") < 100


def test_bad_live_rules_do_not_flood_the_log(policyd, redis):
    """Each of them would be named again whenever anything live changes."""
    redis.cli("HSET", "gh:rule", *(part for n in range(500) for part in (f"r{n}", "order=1 when=nonsense then=accept")))
    redis.cli("HSET", "gh:list:blocked", "bad@example.net", "")
    wait_for(lambda: policyd.ask(sender="bad@example.net") != "DUNNO", "the list counts")
    wait_for(lambda: "more mistakes in live rules" in policyd.log, "the rules have been read")
    assert policyd.log.count("is left out") < 50
    wait_for(lambda: policyd.metric("gatehouse_live_bad_values_total") >= 500, "each is counted")


@pytest.mark.parametrize("until", [2**64 - 1, 2**64 // 1000 + 1, 2**63])
def test_a_rule_that_ends_in_ages_is_read_once(policyd, redis, until):
    redis.cli("HSET", "gh:rule", "late", f'order=1 until={until} when="sender = late@example.net" then="reject 5.7.1 Late"')
    wait_for(lambda: policyd.ask(sender="late@example.net") != "DUNNO", "the rule is in force")
    before = policyd.metric("gatehouse_configuration_generation")
    time.sleep(1.5)
    assert policyd.metric("gatehouse_configuration_generation") == before


def test_nothing_live_is_no_change(policyd):
    """A new generation right after the start would make one message's requests differ."""
    time.sleep(1)
    assert policyd.metric("gatehouse_configuration_generation") == 1


def test_a_list_that_vanishes_at_a_reload_is_gone(policyd, redis):
    redis.cli("HSET", "gh:list:blocked", "bad@example.net", "")
    wait_for(lambda: policyd.ask(sender="bad@example.net") != "DUNNO", "the list is in force")
    policyd.reload()
    redis.cli("DEL", "gh:list:blocked")
    wait_for(lambda: policyd.ask(sender="bad@example.net") == "DUNNO", "the list is gone", timeout=3)


# ---- by who speaks to its sockets ----

def test_pipelined_requests_do_not_starve_others(start_policyd):
    policyd = start_policyd("workers = 1")
    with policyd.client() as flood:
        flood.socket.settimeout(0.05)
        data = encode(attributes()) * 2000
        with contextlib.suppress(TimeoutError):
            flood.send(data)
        watch = Stopwatch()
        assert policyd.ask() == "DUNNO"
        assert watch.seconds() < 1


def raw_http(policyd, request, timeout=15):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout)
        connection.connect(str(policyd.http))
        connection.sendall(request)
        reply = b""
        with contextlib.suppress(ConnectionResetError):
            while data := connection.recv(65536):
                reply += data
        return reply


PATHS = ["/v1/", "/v1//", "/v1/live", "/v1/live/", "/v1/live/../../etc", "/v1/live/list%3Ablocked/%00", "/v1/live/%",
         "/v1/live/%zz/%1", "/v1/live/list:blocked%0d%0aX:%201", "/v1/live/gen", "/v1/live/once:x", "/v1/live/schema",
         "/v1/live/list:%2e%2e%2fgen", "/v1/live/list:blocked%2f..%2f..", "/v1/limits/%00/reset?value=%00",
         "/v1/limits/user/reset?value=*", "/v1/usage?value=" + "a," * 3000, "/v1/usage?value=%ff%fe",
         "/v1/top?limit=*&count=999999999999999999999", "/v1/top?count=-1", "/v1/log?count=100000&after=x",
         "/v1/log?after=18446744073709551615-18446744073709551615", "/v1/log?find=%00", "/v1/" + "a/" * 4000,
         "/v1/status?" + "x=1&" * 3000, "//v1/status", "/v1/./status", "http://host/v1/status", "*", "/v1/status#x"]


@pytest.mark.parametrize("store", ["redis", "memory"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST", "HEAD"])
def test_paths_of_every_kind(start_policyd, redis, store, method):
    policyd = start_policyd(LIMITS, options=[f"store={redis.url}"] if store == "redis" else ())
    for path in PATHS:
        reply = raw_http(policyd, f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
                                  "Connection: close\r\n\r\n".encode())
        assert b"\r\nX: 1" not in reply
        assert reply == b"" or reply.startswith(b"HTTP/1."), (method, path, reply[:200])
        assert b" 500 " not in reply.split(b"\r\n")[0], (method, path, reply[:200])
    assert policyd.ask() == "DUNNO"
    if store == "redis":
        assert not [key for key in redis.cli("KEYS", "*").split("\n")
                    if key not in ("", "gh:schema", "gh:log", "gh:gen")], redis.cli("KEYS", "*")


def test_bodies_of_every_kind(policyd):
    bodies = [b"", b"\x00" * 100, b"[" * 100000, b"{" * 100000, b'"\\ud800"', b"request=\n" * 100000, b"a" * (1 << 20),
              b"sender=a\x00b\n", b"=\n\n\n", b"sender=\xff\xfe@x\nprotocol_state=DATA\nsasl_username=x\n",
              b"sender=a@b\n\nsender=c@d\n", b"size=99999999999999999999\n"]
    for body in bodies:
        for method, path in (("POST", "/v1/explain"), ("PUT", "/v1/live/list:blocked/x@y.example"),
                             ("PUT", "/v1/live/rule/x"), ("PUT", "/v1/live/limit:user/user:x"),
                             ("PUT", "/v1/live/class/x@y.example")):
            connection = UnixHTTPConnection(policyd.http)
            with contextlib.suppress(ConnectionError):
                connection.request(method, path, body)
                response = connection.getresponse()
                assert response.status != 500, (method, path, body[:40])
                json.loads(response.read())
            connection.close()
    assert policyd.ask() == "DUNNO"


def test_slow_http_clients_are_closed(policyd):
    descriptors = policyd.process.descriptors()
    with contextlib.ExitStack() as stack:
        for n in range(150):
            connection = stack.enter_context(socket.socket(socket.AF_UNIX))
            connection.connect(str(policyd.http))
            connection.sendall((b"GET /metrics HTTP/1.1\r\nX: ", b"POST /v1/explain HTTP/1.1\r\nContent-Length: 900\r\n\r\n",
                                b"", b"GET /v1/log HTTP/1.1\r\n\r\n")[n % 4])
        assert policyd.get("/health")[0] == 200
        assert policyd.ask() == "DUNNO"
    policyd.settles_at(descriptors + 2, 20)


def test_web_pages_change_nothing(policyd, redis):
    """A form on any page can make the operator's browser send a POST to a control port on loopback."""
    send(policyd)
    reply = raw_http(policyd, b"POST /v1/limits/user/reset?value=alice HTTP/1.1\r\nHost: x\r\nOrigin: http://evil.example\r\n"
                              b"Content-Type: text/plain\r\nContent-Length: 0\r\n\r\n")
    assert reply.startswith(b"HTTP/1.1 403 "), reply
    wait_for(lambda: redis.used("user", "m:alice") == 1, "it counts, still")


class OverTcp(Policyd):
    """Its control API is on `port`."""

    def __init__(self, directory, config):
        self.port = free_port()
        super().__init__(directory, config, options=[f"http=inet:127.0.0.1:{self.port}"])

    def is_ready(self):
        return accepts(("127.0.0.1", self.port))

    def status_of(self, path, host):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"Host": host})
            return connection.getresponse().status


def test_web_pages_read_nothing(workdir, request):
    """A page whose name is given our address once it is loaded (DNS rebinding) reads our answers as its own server's; but it cannot
    call us by another name than its own."""
    policyd = OverTcp(workdir / "over-tcp", LIMITS)
    request.addfinalizer(policyd.stop)
    for host in (f"127.0.0.1:{policyd.port}", "localhost", f"[::1]:{policyd.port}", socket.gethostname()):
        assert policyd.status_of("/v1/log", host) == 200, host
    for host in ("evil.example", f"evil.example:{policyd.port}", "127.0.0.1.evil.example"):
        assert policyd.status_of("/v1/log", host) == 403, host
        assert policyd.status_of("/metrics", host) == 200, "it says nothing of anybody's mail"


def cpu_seconds(policyd):
    with open(f"/proc/{policyd.process.pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("which", ["http", "unix", "tcp"])
def test_running_out_of_descriptors_ends_nothing(start_policyd, which):
    policyd = start_policyd("workers = 2")
    descriptors = policyd.process.descriptors()
    resource.prlimit(policyd.process.pid, resource.RLIMIT_NOFILE, (descriptors + 20, descriptors + 20))
    address = getattr(policyd, which)
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            connection = socket.socket(socket.AF_INET if which == "tcp" else socket.AF_UNIX)
            stack.enter_context(connection)
            connection.settimeout(1)
            connection.connect(address if which == "tcp" else str(address))
        time.sleep(0.3)
        before = cpu_seconds(policyd)
        time.sleep(1)
        assert cpu_seconds(policyd) - before < 0.5, "it waits, and does not spin"
    wait_for(lambda: policyd.process.descriptors() <= descriptors + 2, "the connections are gone")
    assert policyd.ask() == "DUNNO"
    assert policyd.get("/health")[0] == 200


# ---- by who sends mail ----

EVASION = """
recipient_delimiter = +
[list blocked]
entries = evil.example, .evil.test, spammer@good.example, 192.0.2.0/24, 2001:db8:1::/48, xn--bse-sna.example

[rule sender]
when = sender in list:blocked or sender_domain in list:blocked or client_address in list:blocked
    or helo_name in list:blocked or client_name in list:blocked
then = reject 5.7.1 Blocked

[limit user]
key = sasl_username
count = messages
rate = 1/1h
[limit sender]
key = sender
count = messages
rate = 1/1h
[limit address]
key = client_address
count = messages
rate = 1/1h
[rule user]
when = authenticated
then = limit user
[rule address]
when = not authenticated and sender is empty
then = limit address
[rule sender limit]
when = not authenticated
then = limit sender
""".replace("[rule sender limit]", "[rule sender-limit]")

BLOCKED = [
    {"sender": "x@evil.example"}, {"sender": "x@EVIL.example"}, {"sender": "x@evil.example."},
    {"sender": "x@sub.evil.test"}, {"sender": "x@EVIL.TEST."}, {"sender": "SPAMMER@Good.Example"},
    {"sender": "spammer+x@good.example"}, {"sender": '"spammer"@good.example'}, {"sender": '"spam\\mer"@good.example'},
    {"sender": '"a@b"@evil.example'}, {"sender": "@good.example:x@evil.example"}, {"sender": "x@b\u00f6se.example"},
    {"sender": "x@B\u00d6SE.example"}, {"sender": "x@bo\u0308se.example"}, {"sender": "x@\uff45vil.example"},
    {"sender": "x@evil\u3002example"},
    {"client_address": "192.0.2.77"}, {"client_address": "::ffff:192.0.2.77"}, {"client_address": "::ffff:c000:24d"},
    {"client_address": "2001:DB8:1::1"}, {"client_address": "2001:0db8:0001:0000:0000:0000:0000:0001"},
    {"helo_name": "EVIL.example"}, {"helo_name": "evil.example."}, {"client_name": "a.b.Evil.Test"},
]


@pytest.fixture(scope="module")
def evaded(workdir):
    from servers.policyd import Policyd
    server = Policyd(workdir / "evaded", EVASION)
    yield server
    server.stop()


@pytest.mark.parametrize("change", BLOCKED, ids=[str(list(change.values())[0]).encode("unicode_escape").decode()
                                                 for change in BLOCKED])
def test_no_other_spelling_gets_past_a_list(evaded, change):
    values = {"client_address": "198.51.100.1", "sender": "fine@good.example", **change}
    assert "Blocked" in evaded.ask(**values), change


SAME = {
    "sasl_username": ["alice@example.com", "Alice@Example.Com", "alice@example.com.", "ALICE@EXAMPLE.COM"],
    "sender": ["bob@example.com", "BOB@example.COM", '"bob"@example.com', "bob@example.com."],
    "client_address": ["2001:db8:9::1", "2001:db8:9::2", "2001:DB8:9:0::ffff:1", "2001:db8:9:0:ffff:ffff:ffff:ffff"],
}


@pytest.mark.parametrize("what", SAME)
def test_no_other_spelling_gets_a_limit_of_its_own(evaded, what):
    for n, spelling in enumerate(SAME[what]):
        values = {"sender": "" if what == "client_address" else "z@fine.example", "client_address": "198.51.100.1",
                  what: spelling, "instance": new_instance()}
        assert (evaded.ask("DATA", **values) == "DUNNO") == (n == 0), spelling


INJECTION = """
[rule reply]
when = sender matches "/inject/"
then = reject 5.7.1 Not from {sender} to {recipient} by {helo_name} and {client_name} as {sasl_username}

[rule header]
when = recipient matches "/header/"
then = prepend X-Seen: {helo_name} {sender}
stage = rcpt
"""
NASTY = ["a\rb", "a\x1b[31mred", "a\tb", "a\" verdict=dunno rule=none x=\"", "a verdict=dunno", "a\\x0aaction=OK", "a\x7fb\x80\xff",
         "a\u2028b", "\u202eevil", "%s%n%d%99999999s", "{sender}{{sender}}", "a" * 200, "action=OK", "a=b\\", "`id`$(id)"]


@pytest.mark.parametrize("nasty", NASTY, ids=range(len(NASTY)))
def test_nothing_is_injected_into_replies_headers_and_logs(start_policyd, nasty):
    policyd = start_policyd(INJECTION)
    fields = {name: nasty for name in ("helo_name", "client_name", "sasl_username", "queue_id", "client_address")}
    action = policyd.ask(sender=nasty + "inject", recipient=nasty, **fields)
    assert action.startswith("554 5.7.1 Not from ") and len(action) <= 400, action
    action = policyd.ask(sender=nasty, recipient=nasty + "header", **fields)
    assert action.startswith("PREPEND X-Seen: ") and action.isascii(), action
    wait_for(lambda: len(policyd.decisions()) >= 2, "both are logged")
    lines = [line for line in policyd.log.splitlines() if "decision " in line]
    assert len(lines) == 2
    assert all(line.isascii() and line.isprintable() for line in lines), lines
    assert [decision["verdict"] for decision in policyd.decisions()] == ["reject", "prepend"]
    assert all(decision["rule"] in ("reply", "header") for decision in policyd.decisions())


# ---- everything at once ----

CHAOS = LIMITS + """
[list own]
[map owners]
[rule own]
when = sender in list:own/{recipient}
then = reject 5.7.1 Own
[rule left]
when = limit.user.left < 0
then = reject 5.7.1 Never
[rule owners]
when = authenticated and sasl_username not in map:owners/{sender} and recipient = nobody@example.net
then = reject 5.7.1 Not yours
"""


class Load(threading.Thread):
    """Asks without end: new requests, the same ones as others at the same time, and connections left while being answered."""

    def __init__(self, policyd, seed):
        super().__init__(daemon=True)
        self.policyd, self.random = policyd, random.Random(seed)
        self.is_over = False
        self.answers, self.wrong = 0, []

    def step(self, client):
        values = attributes(self.random.choice(["RCPT", "DATA", "END-OF-MESSAGE"]), instance=new_instance(),
                            sasl_username=self.random.choice(["", "alice", "bob"]))
        if self.random.random() < 0.3:
            values["instance"] = f"twin{int(time.monotonic() * 10)}"
        if self.random.random() < 0.1:
            client.send(encode(values))
            client.close()
            return False
        action = client.ask_again(values)
        self.answers += 1
        if action != "DUNNO":
            self.wrong.append(action)
        return True

    def run(self):
        while not self.is_over:
            with contextlib.suppress(Closed, OSError):
                with self.policyd.client(tcp=self.random.random() < 0.5) as client:
                    for _ in range(50):
                        if self.is_over or not self.step(client):
                            break


def test_everything_at_once(start_policyd, redis):
    """Live changes, reloads, Redis hanging and dying, all under load; then the end, with requests under way."""
    policyd = start_policyd(CHAOS.replace("rate = 1000/1h", "rate = unlimited").replace("rate = 100/1h", "rate = 9000000/1h"),
                            options=[f"store={redis.url}", "log_level=error"])
    loads = [Load(policyd, seed) for seed in range(12)]
    for load in loads:
        load.start()
    for turn in range(8):
        redis.cli("HSET", "gh:rule", "live", f'order={turn} when="sender = x{turn}@y.example" then="reject 5.7.1 x"')
        redis.cli("HSET", "gh:list:own", f"x{turn}@y.example", "")
        redis.cli("HSET", "gh:limit:user", "user:alice", f"{9000000 + turn}/{turn + 1}h")
        time.sleep(0.3)
        policyd.reload()
        policyd.get("/metrics")
        policyd.get("/v1/usage?value=alice")
        policyd.get("/v1/top")
        redis.cli("SCRIPT", "FLUSH")
        redis.pause()
        policyd.reload()
        time.sleep(0.2)
        redis.go_on()
        redis.cli("CLIENT", "KILL", "TYPE", "normal")
        if turn % 3 == 2:
            redis.kill()
            time.sleep(0.1)
            redis.start()
    before = [load.answers for load in loads]
    wait_for(lambda: all(load.answers > count for load, count in zip(loads, before)), "all are still answered")
    redis.pause()
    time.sleep(0.05)
    policyd.process.send_signal(signal.SIGTERM)
    policyd.process.child.wait(10)
    redis.go_on()
    for load in loads:
        load.is_over = True
    for load in loads:
        load.join(10)
    assert not [action for load in loads for action in load.wrong]


# ---- what the operator sees ----

HOSTILE = "\x1b[2J\x1b]0;owned\x07\u202e\u0085x"


@pytest.mark.parametrize("how", ["daemon", "redis"])
def test_gatectl_prints_no_terminal_escapes(policyd, redis, how):
    for key in ("gh:rule", "gh:class", "gh:list:blocked", "gh:limit:user"):
        redis.cli("HSET", key, f"a{HOSTILE}", f"x{HOSTILE} by={HOSTILE} note={HOSTILE}")
    redis.cli("HSET", "gh:rule", "good", 'order=1 when="sender = a@b.example" then="reject 5.7.1 x" note="' + HOSTILE + '"')
    redis.cli("XADD", "gh:log", "*", "line", f"decision queue_id=4Xk{HOSTILE} ref=abcdef")
    redis.cli("HSET", f"gh:q:{{m:{HOSTILE}}}:user.3600000.24", str(int(time.time() * 24 / 3600)), 5)
    policyd.ask("DATA", sasl_username=HOSTILE.replace("\x07", ""), queue_id=HOSTILE, instance=new_instance())
    where = [] if how == "daemon" else ["-c", policyd.conf, "-o", f"store={redis.url}"]
    for words in (["status"], ["limit", "list"], ["limit", "get", "user", HOSTILE], ["limit", "get", HOSTILE],
                  ["class", "list"], ["list", "show", "blocked"], ["list", "show", HOSTILE], ["map", "show", HOSTILE],
                  ["rule", "list"], ["show", "user", HOSTILE], ["top"], ["top", "user"], ["why", "abcdef"], ["why", HOSTILE],
                  ["explain", f"sender={HOSTILE}"], ["explain", HOSTILE], [HOSTILE], ["-" + HOSTILE],
                  ["list", "add", "blocked", HOSTILE], ["rule", "set", HOSTILE, HOSTILE], ["limit", "set", "user", HOSTILE, HOSTILE]):
        program = [GATECTL, *(where or ["-s", policyd.http])]
        done = subprocess.run([*program, *words], capture_output=True, timeout=30, check=False)
        said = (done.stdout + done.stderr).decode()
        assert done.returncode >= 0 and not set(said) & set("\x1b\x07\u202e\u0085\r"), (words, said)


@pytest.mark.parametrize("end", ["answers", "dies", "stops"])
def test_control_requests_left_alone(policyd, redis, end):
    """Redis hangs, whoever asked has gone; then it answers, dies, or policyd itself is ended."""
    redis.cli("HSET", "gh:list:blocked", *(part for n in range(3000) for part in (f"u{n}@x.example", "")))
    send(policyd, 5)
    descriptors = policyd.process.descriptors()
    redis.pause()
    with contextlib.ExitStack() as stack:
        for n in range(40):
            connection = stack.enter_context(socket.socket(socket.AF_UNIX))
            connection.connect(str(policyd.http))
            path = ("/v1/top", "/v1/log?count=500", "/v1/live/list:blocked", "/v1/usage?value=alice",
                    "/v1/limits/user/reset?value=alice", "/v1/explain")[n % 6]
            body = b"sasl_username=alice\nprotocol_state=DATA\n" if path == "/v1/explain" else b""
            method = "POST" if n % 6 > 3 else "GET"
            connection.sendall(f"{method} {path} HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            if n % 3 == 0:
                connection.close()
        time.sleep(0.3)
    time.sleep(0.1)
    if end == "answers":
        redis.go_on()
    elif end == "dies":
        redis.kill()
    else:
        policyd.process.send_signal(signal.SIGTERM)
        policyd.process.child.wait(10)
        redis.go_on()
        return
    assert policyd.ask() == "DUNNO"
    policyd.settles_at(descriptors + 1)
    if end == "dies":
        redis.start()


def test_the_end_while_explaining(policyd, redis):
    """Nothing is lost or touched too late (the sanitizers look)."""
    redis.pause()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(policyd.http))
        body = b"sasl_username=alice\nprotocol_state=DATA\n"
        connection.sendall(b"POST /v1/explain HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        time.sleep(0.02)
        policyd.process.send_signal(signal.SIGTERM)
        policyd.process.child.wait(10)
    redis.go_on()
