"""SIGTERM under load: what was answered was charged, what was asked again is charged once, and with the sockets that
systemd keeps nobody notices."""
import itertools
import os
import signal
import socket
import time

import pytest

from servers.load import Load
from servers.machine import Stopwatch, Waits
from servers.policy import attributes, encode
from servers.policyd import PATIENT, Policyd
from servers.process import Process, wait_for

pytestmark = pytest.mark.sanitized

CONNECTIONS = 16
RESTARTS = 3
DRAIN_S = 5.0

CONFIG = """
workers = 2

[limit hourly]
key = sasl_username
count = recipients
rate = 1M/1h

[rule hourly]
then = limit hourly
"""


class ActivatedPolicyd(Policyd):
    """As systemd runs it: the listening socket is ours and outlives it."""

    def __init__(self, directory, config, options=()):
        directory.mkdir()
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(str(directory / "policy"))
        self.listening.listen(128)
        super().__init__(directory, config, keep_options=False, options=[
            f"listen=unix:{directory / 'policy'}", f"http=unix:{directory / 'http'}", "log=stderr", *options])

    def start(self):
        # The shell gives the daemon the number that systemd would, and stays the process that the test ends.
        descriptor = self.listening.fileno()
        os.set_inheritable(descriptor, True)
        script = 'exec 3<&"$0"; LISTEN_PID=$$ LISTEN_FDS=1; export LISTEN_PID LISTEN_FDS; exec "$@"'
        self.process = Process(["bash", "-c", script, descriptor, *self.argv()], self.directory / "policyd.log",
                               keep=[descriptor])
        self.process.ready(self.is_ready, "policyd serves")

    def stop(self):
        super().stop()
        assert (self.directory / "policy").exists()  # not its own to remove


def requests():
    for number in itertools.count():
        yield attributes("DATA", sasl_username=f"user{number % 5}@example.com", recipient_count=str(number % 3 + 1))


def charged(redis):
    return {subject.rpartition(":")[2]: amount for (subject, _), amount in redis.usage().items()}


def wanted(load):
    """What has to be charged: each request once, however often it was asked."""
    found = {}
    for asked in load.asked:
        user = asked.values["sasl_username"]
        found[user] = found.get(user, 0) + int(asked.values["recipient_count"])
    return found


def is_up(policyd):
    return policyd.get("/ready")[1] == "ok\n"


def all_is_charged_once(redis, load):
    assert not load.unanswered and {asked.action for asked in load.asked} == {"DUNNO"}
    wait_for(lambda: charged(redis) == wanted(load), "what is owed is written back")
    time.sleep(0.3)
    assert charged(redis) == wanted(load)


def stop_in_time(policyd):
    watch = Stopwatch()
    policyd.stop()
    took = watch.seconds()
    assert took <= DRAIN_S + 1
    return took


def test_every_answer_was_charged(start_policyd, redis, record_property):
    """No request under way is cut off: connections are closed between requests."""
    policyd = start_policyd(CONFIG, options=[f"store={redis.url}"])
    load = Load([policyd.unix], CONNECTIONS, requests()).start()
    stops = []
    for _ in range(RESTARTS):
        time.sleep(0.7)
        stops.append(stop_in_time(policyd))
        policyd.start()
    time.sleep(0.5)
    load.finish()
    record_property("stop_ms", [round(1000 * took) for took in stops])
    print(len(load.asked), "requests,", load.lost, "asked again, stops of", [f"{took:.3f} s" for took in stops])
    assert load.refused > 0  # the socket was gone for a moment: so the restarts were real
    all_is_charged_once(redis, load)


def test_of_two_daemons_one_is_restarted_while_redis_hangs(start_policyd, redis):
    """Answers owed to Redis are written back when it comes back before the end of the drain."""
    policyds = [start_policyd(CONFIG, options=[f"store={redis.url}"]) for _ in range(2)]
    load = Load([policyd.unix for policyd in policyds], CONNECTIONS, requests(), pause=0.002).start()
    time.sleep(0.5)
    redis.pause()
    time.sleep(0.5)
    redis.go_on()
    for policyd in policyds:
        wait_for(lambda policyd=policyd: is_up(policyd), "Redis is in use")
    policyds[0].restart()
    time.sleep(0.5)
    load.finish()
    all_is_charged_once(redis, load)


def test_a_restart_does_not_lose_what_was_asked_before(start_policyd, redis):
    policyd = start_policyd(CONFIG, options=[f"store={redis.url}"])
    wait_for(lambda: is_up(policyd), "Redis is in use")
    before = [attributes("DATA", sasl_username=f"user{number}@example.com") for number in range(20)]
    for values in before:
        assert policyd.client().ask_again(values) == "DUNNO"
    policyd.restart()
    for values in before:
        assert policyd.client().ask_again(values) == "DUNNO"
    wanted_once = {f"user{number}@example.com": 1 for number in range(20)}
    wait_for(lambda: charged(redis) == wanted_once, "what is owed is written back")
    time.sleep(0.3)
    assert charged(redis) == wanted_once


def test_a_fresh_process_asks_before_it_decides(start_policyd, redis):
    """Its first request finds what was counted before."""
    policyd = start_policyd(CONFIG.replace("1M/1h", "1/1h"), options=[f"store={redis.url}", *PATIENT])
    wait_for(lambda: is_up(policyd), "Redis is in use")
    assert policyd.ask("DATA", sasl_username="x@example.com") == "DUNNO"
    for _ in range(6):
        policyd.restart()
        assert policyd.ask("DATA", sasl_username="x@example.com") != "DUNNO"


def test_what_is_under_way_is_finished(start_policyd, redis):
    """SIGTERM while the answer is being waited for."""
    policyd = start_policyd(CONFIG, options=[f"store={redis.url}", "store_timeout=1s"])
    wait_for(lambda: is_up(policyd), "Redis is in use")
    clients = [policyd.client() for _ in range(CONNECTIONS)]
    redis.pause()
    for client in clients:
        client.send(encode(attributes("DATA", sasl_username="x@example.com")))
    wait_for(lambda: policyd.metric("gatehouse_policy_requests_total") == CONNECTIONS, "all are under way")
    policyd.process.send_signal(signal.SIGTERM)
    assert [client.reply() for client in clients] == [b"action=DUNNO"] * CONNECTIONS
    redis.go_on()  # before the time to drain is over
    assert all(client.is_closed(DRAIN_S) for client in clients)
    policyd.stop()
    assert charged(redis) == {"x@example.com": CONNECTIONS}


@pytest.fixture
def activated(workdir, redis):
    policyd = ActivatedPolicyd(workdir / f"activated-{os.urandom(3).hex()}", CONFIG, [f"store={redis.url}"])
    yield policyd
    policyd.stop()
    policyd.listening.close()


def test_a_restart_with_socket_activation_is_invisible(activated, redis, record_property):
    """A client that comes back finds the socket, always, and waits a moment at most."""
    waits = Waits()
    load = Load([activated.unix], CONNECTIONS, requests()).start()
    for _ in range(RESTARTS):
        time.sleep(0.7)
        activated.restart()
    time.sleep(0.5)
    load.finish()
    record_property("slowest_ms", round(load.slowest_ms()))
    print(len(load.asked), "requests,", load.lost, "asked again, the slowest took", f"{load.slowest_ms():.0f} ms")
    assert load.refused == 0
    assert load.lost <= CONNECTIONS * RESTARTS  # one that was just sending its next request
    assert load.slowest_ms() < 3000 + 1000 * waits.seconds()
    all_is_charged_once(redis, load)
