"""Attacks on policyd: by who speaks its protocols, by who sends mail, by who may write to its Redis."""
import contextlib
import json
import socket
import time

import pytest

from servers.policy import attributes, encode, new_instance
from servers.policyd import UnixHTTPConnection
from servers.process import wait_for

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
    """With its state in Redis."""
    return start_policyd(LIMITS, options=[f"store={redis.url}"])


def used(redis, subject, limit):
    """What counts in Redis, whatever the bucket."""
    keys = redis.cli("KEYS", f"gh:q:{{{subject}}}:{limit}.*").split()
    return sum(int(number) for key in keys for number in redis.cli("HVALS", key).split())


def send(policyd, count=1, **changes):
    """So many messages at DATA; returns the answers."""
    return [policyd.ask("DATA", sasl_username="alice", instance=new_instance(), **changes) for _ in range(count)]


# ---- by who may write to Redis ----

def test_a_counter_of_another_type_harms_no_other_counter(policyd, redis):
    """What cannot be written back to one counter must not be added to the others again and again."""
    redis.cli("SET", "gh:q:{m:alice}:user.3600000.24", "nonsense")
    send(policyd, 3)
    time.sleep(1)
    assert used(redis, "*", "everybody") <= 3
    redis.cli("DEL", "gh:q:{m:alice}:user.3600000.24")
    send(policyd, 1)
    assert used(redis, "*", "everybody") <= 4


def test_a_counter_with_a_broken_bucket_harms_no_other_counter(policyd, redis):
    send(policyd)
    key = "gh:q:{m:alice}:user.3600000.24"
    for bucket in redis.cli("HKEYS", key).split():
        redis.cli("HSET", key, bucket, "1.5")
    assert send(policyd, 3) == ["DUNNO"] * 3
    time.sleep(1)
    assert used(redis, "*", "everybody") == 4


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


@pytest.mark.parametrize("until", [2**64 - 1, 2**64 // 1000 + 1, 2**63])
def test_a_rule_that_ends_in_ages_is_read_once(policyd, redis, until):
    redis.cli("HSET", "gh:rule", "late", f'order=1 until={until} when="sender = late@example.net" then="reject 5.7.1 Late"')
    wait_for(lambda: policyd.ask(sender="late@example.net") != "DUNNO", "the rule is in force")
    before = policyd.metric("gatehouse_configuration_generation")
    time.sleep(1.5)
    assert policyd.metric("gatehouse_configuration_generation") == before


# ---- by who speaks to its sockets ----

def test_pipelined_requests_do_not_starve_others(start_policyd):
    policyd = start_policyd("workers = 1")
    with policyd.client() as flood:
        flood.socket.settimeout(0.05)
        data = encode(attributes()) * 2000
        with contextlib.suppress(TimeoutError):
            flood.send(data)
        begin = time.monotonic()
        assert policyd.ask() == "DUNNO"
        assert time.monotonic() - begin < 1


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
