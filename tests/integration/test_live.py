"""The live state: a change by hand, by gatectl or in a file is in force on every daemon within a second; what cannot be
read is left out, said and counted; a reload keeps what is in force."""
import concurrent.futures
import contextlib
import signal
import threading
import time

import pytest

from servers.machine import Stopwatch
from servers.policyd import BUILD, PATIENT
from servers.process import wait_for

pytestmark = pytest.mark.sanitized

IN_FORCE_S = 1.0
# A machine with two busy processors, and sanitizers, may take longer.
SLACK_S = 3.0 if BUILD.name in ("asan", "tsan") else 1.0
LARGE = 2500  # fields; of more than 2000 only gh:gen tells that they have changed

CONFIG = """
workers = 2

[limit hourly]
key = sasl_username
count = messages
rate = 1M/1h
rate.class.closed = 0/1h
over = defer 4.7.1 Sending limit reached

[list blocked]
entries = 198.18.66.0/24
[list file]
file = {directory}/list
[list own]

[map owners]
entry.fixed@example.com = someone
[map file]
file = {directory}/map

[rule blocked]
when = client_address in list:blocked or client_address in list:file
then = reject 5.7.1 Blocked

[rule own]
when = client_address in list:own/{{recipient}}
then = reject 5.7.1 Blocked by the recipient

[rule owners]
order = 500
when = sender_domain = example.com and sasl_username not in map:owners/{{sender}} and sasl_username not in map:file/{{sender}}
then = reject 5.7.1 Not the owner

[rule hourly]
then = limit hourly
"""


class Host:
    """A policyd and its files."""

    def __init__(self, start_policyd, directory, *options):
        directory.mkdir()
        self.list = directory / "list"
        self.map = directory / "map"
        self.list.write_text("198.18.67.0/24\n")
        self.map.write_text("filed@example.com someone\n")
        self.config = CONFIG.format(directory=directory)
        self.policyd = start_policyd(self.config, options=options)
        wait_for(lambda: self.policyd.get("/ready")[1] == "ok\n", "the store is in use")

    def answer(self, user="", sender="a@example.net", **changes):
        return self.policyd.ask("RCPT" if "recipient" in changes else "DATA", sasl_username=user, sender=sender, **changes)

    def is_blocked(self, address, **changes):
        return "Blocked" in self.answer(client_address=address, **changes)

    def is_limited(self, user):
        return "Sending limit reached" in self.answer(user)

    def is_owner(self, user, sender):
        return "Not the owner" not in self.answer(user, sender)


class Hosts:
    """All of them, and how fast they follow."""

    def __init__(self, hosts, record_property):
        self.hosts = hosts
        self.record_property = record_property
        self.slowest_s = 0

    def agree(self, condition, what):
        """Waits until it holds on every host, at most a second after now."""
        watch = Stopwatch()
        for number, host in enumerate(self.hosts):
            wait_for(lambda host=host: condition(host), f"{what} (host {number})", IN_FORCE_S + SLACK_S, 0.01)
        took = watch.seconds()
        self.slowest_s = max(self.slowest_s, took)
        self.record_property("in_force_ms", round(1000 * self.slowest_s))
        print(f"{what}: {1000 * took:.0f} ms")
        assert took <= IN_FORCE_S + SLACK_S, what

    def never(self, condition, seconds=0.8):
        """That long it holds on no host."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for host in self.hosts:
                assert not condition(host)

    def lasts_until(self, end, condition, what):
        """It holds on every host, until that time in Unix seconds."""
        while True:
            for host in self.hosts:
                holds = condition(host)
                if time.time() >= end:
                    return
                assert holds, what
            time.sleep(0.05)

    def metric(self, name):
        return [host.policyd.metric(name) for host in self.hosts]

    def all_say(self, *words):
        for host in self.hosts:
            wait_for(lambda host=host: any(all(word in line for word in words) for line in host.policyd.log.splitlines()),
                     f"a log line with {words}")


@pytest.fixture
def hosts(start_policyd, redis, workdir, request, record_property):
    """Two on one Redis."""
    base = workdir / f"live-{time.monotonic_ns()}"
    options = () if request.node.get_closest_marker("redis_hangs") else PATIENT
    return Hosts([Host(start_policyd, base.with_name(f"{base.name}-{n}"), f"store={redis.url}", *options) for n in range(2)],
                 record_property)


def unix_time(seconds_from_now):
    return int(time.time() + seconds_from_now)


# What ends soon is in force already when that is said: however busy the machine is, it is seen before its end.
LATER_S, SOON_S = 3600, 4


# ---- by hand ----

def test_a_limit_typed_with_redis_cli(hosts, redis):
    for host in hosts.hosts:
        assert not host.is_limited("x")
    redis.cli("HSET", "gh:limit:hourly", "user:x", "1/1h")
    hosts.agree(lambda host: host.is_limited("x"), "a limit is lowered")
    assert not hosts.hosts[0].is_limited("y")
    redis.cli("HSET", "gh:limit:hourly", "user:x", "100/1h by=root note=raised again")
    hosts.agree(lambda host: not host.is_limited("x"), "a limit is raised")
    redis.cli("HSET", "gh:limit:hourly", "default", "0/1h")
    hosts.agree(lambda host: host.is_limited("y"), "the default is lowered")
    assert not hosts.hosts[1].is_limited("x")
    redis.cli("DEL", "gh:limit:hourly")
    hosts.agree(lambda host: not host.is_limited("y"), "the file's rate is back")


def test_a_limit_for_a_time(hosts, redis):
    redis.cli("HSET", "gh:limit:hourly", "user:x", f"0/1h until={unix_time(LATER_S)} by=root")
    hosts.agree(lambda host: host.is_limited("x"), "a limit is lowered")
    end = unix_time(SOON_S)
    redis.cli("HSET", "gh:limit:hourly", "user:x", f"0/1h until={end} by=root")
    hosts.lasts_until(end, lambda host: host.is_limited("x"), "a limit is lowered for a time")
    hosts.agree(lambda host: not host.is_limited("x"), "it has expired")


def test_classes(hosts, redis):
    redis.cli("HSET", "gh:class", "@shop.example", "closed")
    hosts.agree(lambda host: host.is_limited("a@shop.example"), "a class is given")
    redis.cli("HSET", "gh:class", "b@shop.example", "open note=the boss")
    hosts.agree(lambda host: not host.is_limited("b@shop.example"), "a person's class wins over the domain's")
    assert hosts.hosts[0].is_limited("a@shop.example")
    redis.cli("HSET", "gh:limit:hourly", "class:closed", "1M/1h")
    hosts.agree(lambda host: not host.is_limited("a@shop.example"), "a class has another rate")
    redis.cli("HDEL", "gh:limit:hourly", "class:closed")
    redis.cli("HSET", "gh:class", "@shop.example", f"closed until={unix_time(LATER_S)}")
    hosts.agree(lambda host: host.is_limited("a@shop.example"), "the file's rate is back")
    end = unix_time(SOON_S)
    redis.cli("HSET", "gh:class", "@shop.example", f"closed until={end}")
    hosts.lasts_until(end, lambda host: host.is_limited("a@shop.example"), "a class for a time")
    hosts.agree(lambda host: not host.is_limited("a@shop.example"), "the class has expired")


def test_lists(hosts, redis):
    assert hosts.hosts[0].is_blocked("198.18.66.1")
    redis.cli("HSET", "gh:list:blocked", "192.0.2.0/25", "by=root note=attack")
    hosts.agree(lambda host: host.is_blocked("192.0.2.1"), "an entry is added")
    assert not hosts.hosts[0].is_blocked("192.0.2.129")
    redis.cli("HSET", "gh:list:blocked", "!192.0.2.1", "", "!198.18.66.0/24", "")
    hosts.agree(lambda host: not host.is_blocked("192.0.2.1"), "an exception is added")
    assert hosts.hosts[0].is_blocked("192.0.2.2")
    hosts.agree(lambda host: not host.is_blocked("198.18.66.1"), "live beats the configuration")
    redis.cli("HSET", "gh:list:blocked", "192.0.2.200", f"until={unix_time(LATER_S)}")
    hosts.agree(lambda host: host.is_blocked("192.0.2.200"), "an entry for a time")
    end = unix_time(SOON_S)
    redis.cli("HSET", "gh:list:blocked", "192.0.2.200", f"until={end}")
    hosts.lasts_until(end, lambda host: host.is_blocked("192.0.2.200"), "an entry for a time")
    hosts.agree(lambda host: not host.is_blocked("192.0.2.200"), "it has expired")
    redis.cli("DEL", "gh:list:blocked")
    hosts.agree(lambda host: not host.is_blocked("192.0.2.2"), "the list is gone")
    hosts.agree(lambda host: host.is_blocked("198.18.66.1"), "the configuration's entry is back")


def test_lists_of_recipients(hosts, redis):
    redis.cli("HSET", "gh:list:own/bob@example.org", "192.0.2.1", "")
    hosts.agree(lambda host: host.is_blocked("192.0.2.1", recipient="Bob@Example.ORG"), "a recipient's entry")
    assert not hosts.hosts[0].is_blocked("192.0.2.1", recipient="eve@example.org")
    redis.cli("HSET", "gh:list:own/bob@example.org", "192.0.2.1", f"until={unix_time(-1)}")
    hosts.agree(lambda host: not host.is_blocked("192.0.2.1", recipient="bob@example.org"), "it has expired")


def test_maps(hosts, redis):
    assert not hosts.hosts[0].is_owner("bob", "sales@example.com")
    assert hosts.hosts[0].is_owner("someone", "fixed@example.com")
    redis.cli("HSET", "gh:map:owners", "sales@example.com", "alice, bob by=root")
    hosts.agree(lambda host: host.is_owner("bob", "sales@example.com"), "an owner is added")
    redis.cli("HSET", "gh:map:owners", "sales@example.com", "alice")
    hosts.agree(lambda host: not host.is_owner("bob", "sales@example.com"), "an owner is removed")
    assert hosts.hosts[0].is_owner("alice", "sales@example.com")


def test_rules(hosts, redis):
    redis.cli("HSET", "gh:rule", "storm", 'order=50 by=root when="helo_name = evil.example" then="reject 5.7.1 Storm"')

    def answer(host):
        return host.answer(helo_name="evil.example")

    hosts.agree(lambda host: "Storm" in answer(host), "a rule is added")
    redis.cli("HSET", "gh:rule", "storm", 'order=50 when="helo_name = evil.example" then="reject 5.7.1 Tempest"')
    hosts.agree(lambda host: "Tempest" in answer(host), "a rule is changed")
    redis.cli("HSET", "gh:rule", "storm",
              'order=50 mode=shadow when="helo_name = evil.example" then="reject 5.7.1 Tempest"')
    hosts.agree(lambda host: answer(host) == "DUNNO", "a rule is only watched")
    redis.cli("HSET", "gh:rule", "storm", f'order=50 until={unix_time(LATER_S)} then="reject 5.7.1 For a time"')
    hosts.agree(lambda host: "For a time" in answer(host), "a rule for a time")
    end = unix_time(SOON_S)
    redis.cli("HSET", "gh:rule", "storm", f'order=50 until={end} then="reject 5.7.1 For a time"')
    hosts.lasts_until(end, lambda host: "For a time" in answer(host), "a rule for a time")
    hosts.agree(lambda host: answer(host) == "DUNNO", "it has expired")
    # In its place: before the file's rules, or after them.
    redis.cli("HSET", "gh:rule", "first", "order=1 then=accept")
    hosts.agree(lambda host: not host.is_blocked("198.18.66.1"), "a rule before the others")
    redis.cli("HSET", "gh:rule", "first", 'order=900 then="reject 5.7.1 Last"')
    hosts.agree(lambda host: host.is_blocked("198.18.66.1") and "Last" in answer(host), "a rule after the others")
    redis.cli("HDEL", "gh:rule", "first")
    hosts.agree(lambda host: answer(host) == "DUNNO", "a rule is removed")


# ---- what cannot be read ----

@pytest.mark.parametrize("key, field, text", [
    ("gh:limit:hourly", "user:x", "many"),
    ("gh:limit:hourly", "user:x", "1/1h until=tomorrow"),
    ("gh:limit:hourly", "user:x", "\x01\xff" * 700),
    ("gh:list:blocked", "192.0.2.0/99", ""),
    ("gh:list:blocked", "192.0.2.1", "until=x"),
    ("gh:map:owners", "sales@example.com", "alice until=x"),
    ("gh:class", "192.0.2.0/99", "closed"),
    ("gh:rule", "bad", "order=50 then="),
    ("gh:rule", "bad", 'order=50 when="helo_nam = x" then="reject 5.7.1 No"'),
    ("gh:rule", "bad", "then=reject"),
], ids=range(10))
def test_garbage_is_left_out(hosts, redis, key, field, text):
    """Ignored, logged and counted, and its neighbours are not."""
    redis.cli("HSET", "gh:limit:hourly", "user:good", "0/1h")
    redis.cli("HSET", "gh:list:blocked", "192.0.2.77", "")
    redis.cli("HSET", "gh:map:owners", "good@example.com", "good")
    redis.cli("HSET", "gh:rule", "good", 'order=40 when="helo_name = good.example" then="reject 5.7.1 Good"')
    redis.cli("HSET", key, field, text.encode("latin-1"))
    hosts.agree(lambda host: host.is_limited("good") and host.is_blocked("192.0.2.77")
                and host.is_owner("good", "good@example.com") and "Good" in host.answer(helo_name="good.example"),
                "the neighbours of garbage")
    # What reads like a rule is judged with all of them.
    hosts.all_say(*("live rule bad", "is left out") if "helo_nam" in text else (key, field, "is ignored"))
    wait_for(lambda: all(hosts.metric("gatehouse_live_bad_values_total")), "it is counted")
    hosts.never(lambda host: host.is_limited("x") or host.is_blocked("192.0.2.1"), 0.5)


def test_another_type_of_key(hosts, redis):
    """Somebody has SET where a hash belongs: what was in force stays so, and the rest goes on."""
    redis.cli("HSET", "gh:list:blocked", "192.0.2.1", "")
    hosts.agree(lambda host: host.is_blocked("192.0.2.1"), "an entry is added")
    redis.cli("SET", "gh:list:blocked", "x")
    redis.cli("SET", "gh:limit:hourly", "x")
    hosts.never(lambda host: not host.is_blocked("192.0.2.1") or host.is_limited("x"), 1.0)
    redis.cli("HSET", "gh:class", "x", "closed")
    hosts.agree(lambda host: host.is_limited("x"), "another hash is read")
    assert [host.policyd.get("/ready")[1] for host in hosts.hosts] == ["ok\n"] * 2
    redis.cli("DEL", "gh:list:blocked", "gh:limit:hourly")
    hosts.agree(lambda host: not host.is_blocked("192.0.2.1"), "the list is empty")


def test_large_lists_follow_the_generation(hosts, redis):
    """gatectl counts it up; whoever changes a large list by hand does so too."""
    fields = [part for n in range(LARGE) for part in (f"10.0.{n // 250}.{n % 250}", "")]
    redis.cli("HSET", "gh:list:blocked", *fields)
    hosts.agree(lambda host: host.is_blocked("10.0.9.249"), "a large list")
    redis.cli("HDEL", "gh:list:blocked", "10.0.9.249")
    redis.cli("HSET", "gh:list:blocked", "192.0.2.1", "")
    redis.cli("INCR", "gh:gen")
    hosts.agree(lambda host: host.is_blocked("192.0.2.1") and not host.is_blocked("10.0.9.249"), "a change of a large list")
    hosts.hosts[0].policyd.gatectl("list", "rm", "blocked", "192.0.2.1")
    hosts.hosts[0].policyd.gatectl("list", "add", "blocked", "192.0.2.2")
    hosts.agree(lambda host: host.is_blocked("192.0.2.2") and not host.is_blocked("192.0.2.1"), "gatectl's change of it")


# ---- by gatectl ----

def change_with_gatectl(hosts):
    """Through the first host's socket."""
    gatectl = hosts.hosts[0].policyd.gatectl
    gatectl("limit", "set", "hourly", "user:x", "0/1h", "--note", "told so")
    hosts.agree(lambda host: host.is_limited("x"), "gatectl limit set")
    gatectl("limit", "unset", "hourly", "user:x")
    hosts.agree(lambda host: not host.is_limited("x"), "gatectl limit unset")
    gatectl("class", "set", "x", "closed")
    hosts.agree(lambda host: host.is_limited("x"), "gatectl class set")
    gatectl("class", "unset", "x")
    hosts.agree(lambda host: not host.is_limited("x"), "gatectl class unset")
    gatectl("list", "add", "blocked", "192.0.2.1", "--until", "1h")
    hosts.agree(lambda host: host.is_blocked("192.0.2.1"), "gatectl list add")
    gatectl("list", "rm", "blocked", "192.0.2.1")
    hosts.agree(lambda host: not host.is_blocked("192.0.2.1"), "gatectl list rm")
    gatectl("map", "set", "owners", "sales@example.com", "alice", "bob")
    hosts.agree(lambda host: host.is_owner("bob", "sales@example.com"), "gatectl map set")
    gatectl("map", "rm", "owners", "sales@example.com")
    hosts.agree(lambda host: not host.is_owner("bob", "sales@example.com"), "gatectl map rm")
    gatectl("rule", "set", "storm", "order=50", "then=reject 5.7.1 Storm")
    hosts.agree(lambda host: "Storm" in host.answer(), "gatectl rule set")
    gatectl("rule", "unset", "storm")
    hosts.agree(lambda host: host.answer() == "DUNNO", "gatectl rule unset")


def test_gatectl_on_one_host_is_seen_by_the_other(hosts):
    change_with_gatectl(hosts)


def test_gatectl_resets_what_was_used(hosts, redis):
    redis.cli("HSET", "gh:limit:hourly", "user:x", "2/1h")
    hosts.agree(lambda host: host.is_limited("x"), "the limit is reached")
    hosts.hosts[0].policyd.gatectl("limit", "reset", "hourly", "x")
    assert [hosts.hosts[n].is_limited("x") for n in (1, 0, 1)] == [False, False, True]


# ---- files and reloads ----

def test_files_are_read_again_when_they_change(hosts):
    one = Hosts(hosts.hosts[:1], hosts.record_property)
    host = one.hosts[0]
    assert host.is_blocked("198.18.67.1") and host.is_owner("someone", "filed@example.com")
    host.list.write_text("198.18.68.0/24\n!198.18.68.9\n")
    host.map.write_text("filed@example.com another\n")
    wait_for(lambda: host.is_blocked("198.18.68.1") and not host.is_blocked("198.18.67.1"), "the list is read again", 5)
    wait_for(lambda: host.is_owner("another", "filed@example.com") and not host.is_owner("someone", "filed@example.com"),
             "the map is read again", 5)
    assert hosts.hosts[1].is_blocked("198.18.67.1")
    # As editors do it: a new file in the old one's place. A line that is a mistake is said and left out.
    fresh = host.list.with_name("list.new")
    fresh.write_text("198.18.69.0/24\n192.0.2.0/99\n")
    fresh.replace(host.list)
    wait_for(lambda: host.is_blocked("198.18.69.1") and not host.is_blocked("198.18.68.1"), "the new file is read", 5)
    one.all_say(f"{host.list}:2:")
    # Without the file the entries stay.
    host.list.unlink()
    one.never(lambda host: not host.is_blocked("198.18.69.1"), 2.5)


@contextlib.contextmanager
def holds_all_the_time(host, condition):
    """While the block runs, the condition is asked without a pause and must never fail."""
    done = threading.Event()

    def watch():
        while not done.is_set():
            assert condition(host)

    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        watching = thread.submit(watch)
        try:
            yield
        finally:
            done.set()
    watching.result()


def reload_keeps_live_state(host):
    """A list entry, a class and a rule of the live state, before, during and after reloads."""
    def is_in_force(host):
        return host.is_blocked("192.0.2.1") and host.is_limited("x") and "Storm" in host.answer(helo_name="evil.example") \
            and host.is_owner("bob", "sales@example.com")

    wait_for(lambda: is_in_force(host), "the live state is in force")
    with holds_all_the_time(host, is_in_force):
        for number in range(3):
            host.policyd.reload(host.config + f"\n[rule new{number}]\nwhen = helo_name = new{number}.example\n"
                                              f"then = reject 5.7.1 New\n")
            wait_for(lambda number=number: "New" in host.answer(helo_name=f"new{number}.example"), "it is reloaded")
            time.sleep(0.6)


def broken_reload_keeps_all(host):
    before = len(host.policyd.log)
    for number in (signal.SIGHUP, signal.SIGUSR1):
        host.policyd.conf.write_text(host.config + "\n[rule broken]\nwhen = helo_nam = x\nthen = rejec\n")
        host.policyd.process.send_signal(number)
        for word in ("helo_nam", "did you mean"):
            wait_for(lambda word=word: word in host.policyd.log[before:], "the mistake is said")
        before = len(host.policyd.log)
    assert host.is_blocked("198.18.66.1") and host.answer() == "DUNNO"
    host.policyd.conf.write_text(host.config.replace("198.18.66.0", "198.18.99.0"))
    host.policyd.process.send_signal(signal.SIGHUP)
    wait_for(lambda: host.is_blocked("198.18.99.1") and not host.is_blocked("198.18.66.1"), "it is mended")


def test_live_state_survives_a_reload(hosts, redis):
    redis.cli("HSET", "gh:list:blocked", "192.0.2.1", "")
    redis.cli("HSET", "gh:class", "x", "closed")
    redis.cli("HSET", "gh:map:owners", "sales@example.com", "bob")
    redis.cli("HSET", "gh:rule", "storm", 'order=50 when="helo_name = evil.example" then="reject 5.7.1 Storm"')
    reload_keeps_live_state(hosts.hosts[0])


def test_a_broken_file_is_not_put_in_force(hosts):
    broken_reload_keeps_all(hosts.hosts[0])


@pytest.mark.redis_hangs
def test_live_state_survives_an_outage(hosts, redis):
    """Last known: lists, classes, maps, rules and rates stay while Redis is away."""
    redis.cli("HSET", "gh:list:blocked", "192.0.2.1", "")
    redis.cli("HSET", "gh:limit:hourly", "user:x", "0/1h")
    redis.cli("HSET", "gh:rule", "storm", 'order=50 when="helo_name = evil.example" then="reject 5.7.1 Storm"')

    def is_in_force(host):
        return host.is_blocked("192.0.2.1") and host.is_limited("x") and "Storm" in host.answer(helo_name="evil.example")

    hosts.agree(is_in_force, "changes by hand")
    redis.pause()
    hosts.never(lambda host: not is_in_force(host), 1.5)
    redis.go_on()
    hosts.never(lambda host: not is_in_force(host), 1.0)
    redis.cli("DEL", "gh:list:blocked")
    hosts.agree(lambda host: not host.is_blocked("192.0.2.1"), "a change after the outage")


# ---- the same without Redis ----

@pytest.fixture
def alone(start_policyd, workdir, record_property):
    return Hosts([Host(start_policyd, workdir / f"alone-{time.monotonic_ns()}", "store=memory")], record_property)


def test_gatectl_with_the_memory_store(alone):
    change_with_gatectl(alone)


def test_live_state_in_memory_survives_a_reload(alone):
    gatectl = alone.hosts[0].policyd.gatectl
    gatectl("list", "add", "blocked", "192.0.2.1")
    gatectl("class", "set", "x", "closed")
    gatectl("map", "set", "owners", "sales@example.com", "bob")
    gatectl("rule", "set", "storm", "order=50", "when=helo_name = evil.example", "then=reject 5.7.1 Storm")
    reload_keeps_live_state(alone.hosts[0])
    broken_reload_keeps_all(alone.hosts[0])
    assert alone.hosts[0].is_blocked("192.0.2.1")


def test_expiry_in_memory(alone):
    gatectl = alone.hosts[0].policyd.gatectl

    def change(until):
        gatectl("limit", "set", "hourly", "user:x", "0/1h", "--until", until)
        gatectl("list", "add", "blocked", "192.0.2.1", "--until", until)
        gatectl("rule", "set", "storm", "order=50", "when=helo_name = evil.example", "then=reject 5.7.1 Storm", "--until", until)

    def is_in_force(host):
        return host.is_limited("x"), host.is_blocked("192.0.2.1"), "Storm" in host.answer(helo_name="evil.example")

    change(f"{LATER_S}s")
    alone.agree(lambda host: is_in_force(host) == (True, True, True), "changes for a time")
    first = unix_time(SOON_S)
    change(f"{SOON_S}s")
    last = unix_time(SOON_S + 1)
    alone.lasts_until(first, lambda host: is_in_force(host) == (True, True, True), "changes for a time")
    time.sleep(max(0, last - time.time()))
    alone.agree(lambda host: is_in_force(host) == (False, False, False), "they have expired")
