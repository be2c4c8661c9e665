"""Idle connections, however many, leave file descriptors for messages and requests under way, and for the control socket."""
import concurrent.futures
import contextlib
import resource
import socket

import pytest

from servers.clamd import EICAR
from servers.fake_scanners import FakeScanner
from servers.filter import Filter
from servers.milter_client import MilterClient
from servers.process import accepts, wait_for

pytestmark = pytest.mark.sanitized

LIMIT, IDLE = 200, 1000
CONFIG = """
session_wait = 0
store = {redis}
[scanner clam]
kind = clamd {scanner}
[chain all]
scanners = clam
[apply]
* = all
[rule keep]
when = header.Subject = keep
then = quarantine for the test
stage = end-of-message
"""


@contextlib.contextmanager
def idle_connections(address):
    """Opens them; those that are closed at once count, too."""
    with contextlib.ExitStack() as stack:
        for _ in range(IDLE):
            connection = stack.enter_context(socket.socket(socket.AF_UNIX))
            connection.settimeout(10)
            connection.connect(str(address))
        yield


def limit(process, descriptors):
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (descriptors, descriptors))


def begin(contentd, subject):
    """A message whose end has not come yet."""
    client = MilterClient(contentd.unix).start()
    assert client.mail().command == "c"
    client.rcpt()
    client.header("Subject", subject)
    client.headers_end()
    client.body(b"hello\r\n" if subject != "bad" else EICAR.encode() + b"\r\n")
    return client


def word(client):
    return client.end()[-1].command


def in_flight(contentd):
    return contentd.metric("gatehouse_milter_messages_in_flight")


def refused(daemon, what="gatehouse_connections_refused_total"):
    return daemon.metric(what, **{"for": "descriptors"})


def test_messages_under_way_are_scanned(workdir, start_redis):
    redis = start_redis()
    scanner = FakeScanner("clamd")
    contentd = Filter(workdir / "contentd", CONFIG.format(redis=redis.url, scanner=scanner.address))
    try:
        wait_for(contentd.is_whole, "every worker is connected to Redis")
        descriptors = contentd.process.descriptors()
        limit(contentd.process, LIMIT)
        # Of 200 descriptors 50 are for work, 12 of them for others: 9 messages with one scanner and three more.
        waiting = [begin(contentd, subject) for subject in ("bad", "fine", "keep") * 3]
        with idle_connections(contentd.unix):
            wait_for(lambda: refused(contentd) > IDLE - LIMIT, "further connections are refused")
            assert contentd.process.descriptors() <= LIMIT - LIMIT // 4 + 10
            with concurrent.futures.ThreadPoolExecutor(len(waiting)) as pool:
                said = list(pool.map(word, waiting))
            assert said == ["y", "c", "d"] * 3, said
            assert len(list((contentd.directory / "quarantine").glob("*.json"))) == 3
            assert contentd.get("/ready")[0] == 200
            redis.cli("CLIENT", "KILL", "TYPE", "normal")  # it connects anew
            again = [(client.mail().command, client.abort())[0] for client in waiting]
            assert again == ["c"] * len(waiting), again
        wait_for(lambda: contentd.process.descriptors() <= descriptors + len(waiting) + 2, "the idle ones are gone")
        wait_for(lambda: in_flight(contentd) == 0, "the messages given up are over")
        after = begin(contentd, "bad")
        assert word(after) == "y"
        for client in [*waiting, after]:
            client.close()
        wait_for(lambda: accepts(contentd.unix) and "accepting connections again" in contentd.log, "it is logged")
        assert 1 <= contentd.log.count("file descriptors the last quarter is for work") <= 5, contentd.log
    finally:
        contentd.stop()
        scanner.stop()


def test_no_more_messages_than_there_are_descriptors_for(workdir, start_redis):
    scanner = FakeScanner("clamd")
    contentd = Filter(workdir / "few", CONFIG.format(redis=start_redis().url, scanner=scanner.address))
    try:
        limit(contentd.process, LIMIT)
        waiting = [begin(contentd, "fine") for _ in range(9)]
        with MilterClient(contentd.unix).start() as more:
            reply = more.mail()
            assert reply.command == "y" and reply.texts[0].startswith("451 4.3.2 Too many messages"), reply
            assert refused(contentd, "gatehouse_milter_refused_total") == 1
            assert [word(client) for client in waiting] == ["c"] * 9
            wait_for(lambda: in_flight(contentd) == 0, "what has been answered is over")
            assert more.mail().command == "c"
        for client in waiting:
            client.close()
        wait_for(lambda: "for more there are no file descriptors" in contentd.log, "it is logged")
        assert contentd.log.count("for more there are no file descriptors (LimitNOFILE)") == 1, contentd.log
    finally:
        contentd.stop()
        scanner.stop()


def test_policyd_answers_who_is_connected(start_policyd, start_redis):
    redis = start_redis()
    policyd = start_policyd("[limit all]\ncount = messages\ncharge = rcpt\nrate = 1000/1h\n[rule r]\nthen = limit all\n",
                            options=[f"store={redis.url}"])
    wait_for(policyd.is_whole, "every worker is connected to Redis")
    descriptors = policyd.process.descriptors()
    with contextlib.closing(policyd.client()) as client:
        limit(policyd.process, LIMIT)
        with idle_connections(policyd.unix):
            wait_for(lambda: refused(policyd) > IDLE - LIMIT, "further connections are refused")
            redis.cli("CLIENT", "KILL", "TYPE", "normal")
            wait_for(policyd.is_whole, "it is connected to Redis again")
            assert client.ask() == "DUNNO"
            wait_for(lambda: redis.cli("KEYS", "gh:q:*"), "it has counted")
        wait_for(lambda: policyd.process.descriptors() <= descriptors + 3, "the idle ones are gone")
        assert policyd.ask() == "DUNNO"
