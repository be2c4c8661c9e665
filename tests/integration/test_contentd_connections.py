"""Connections at the same time, of addresses, networks, lists of clients and in all: in one process, and over several hosts."""
import contextlib
import re
import subprocess

import pytest

from servers.contentd import Contentd
from servers.policyd import GATECTL
from servers.process import wait_for

pytestmark = pytest.mark.sanitized

CONFIG = """
[list dialup]
[list partners]
entries = 203.0.113.0/24

[rule crowd]
when  = client_address in list:dialup and connections.dialup > 4
then  = tempfail 4.7.0 Too many connections from such networks
stage = connect

[rule asked]
when  = helo_name = ask
then  = tempfail 4.7.0 There are, {connections} {connections.net} {connections.dialup} {connections.partners} {connections.all}
stage = helo
"""
LEASE_S = 15


class Clients:
    """Connections of the MTA that stay open until they are hung up."""

    def __init__(self):
        self.open = []

    def connect(self, host, address):
        """The milter's answer to the connect."""
        client = host.client()
        self.open.append(client)
        return client.connect(address=address).command

    def ask(self, host, address="198.18.0.1"):
        """address, network, dialup, partners, all: as a further connection sees them; None: it does not know."""
        with contextlib.closing(host.client()) as client:
            client.connect(address=address)
            words = re.search(r"There are, ([^,]*)", client.helo("ask").texts[0])[1].split()
            return [None if word == "unknown" else int(word) for word in words]

    def is_refused(self, host, address):
        """Whether one more is; then it stays open."""
        if self.connect(host, address) != "c":
            return True
        self.open.pop().close()
        return False

    def hang_up(self, count=None):
        for client in self.open[:count]:
            client.close()
        del self.open[:count]


@pytest.fixture
def clients():
    clients = Clients()
    yield clients
    clients.hang_up()


@pytest.fixture
def start_host(workdir):
    with contextlib.ExitStack() as stack:
        def start(name, store):
            host = Contentd(workdir / name, CONFIG, [f"store={store}"])
            stack.callback(lambda: host.process.is_running() and host.stop())
            return host
        yield start


def add_to_list(host, entry, clients):
    """And waits until new connections count in it."""
    before = clients.ask(host, "198.51.100.77")[2]
    subprocess.run([GATECTL, "-s", host.http, "list", "add", "dialup", entry], check=True, capture_output=True)
    wait_for(lambda: clients.ask(host, "198.51.100.77")[2] > before, "the live list is in force")
    wait_for(lambda: clients.ask(host)[2] == before, "who has asked does not count any more")


def come_to(clients, host, counts, address="198.18.0.1"):
    """Waits until a further connection sees these. Who has just hung up may count for a moment, and Redis has 100 ms: without its
    answer a host says what it knows itself."""
    wait_for(lambda: clients.ask(host, address) == counts, f"connections are {counts}")


def test_one_host_counts_its_own(start_host, clients):
    host = start_host("alone", "memory")
    assert clients.ask(host) == [1, 1, 0, 0, 1]
    add_to_list(host, "198.51.100.0/24", clients)
    for address in ("198.51.100.1", "198.51.100.2", "203.0.113.9"):
        assert clients.connect(host, address) == "c"
    come_to(clients, host, [1, 1, 2, 1, 4])
    come_to(clients, host, [2, 3, 3, 1, 4], "198.51.100.1")
    clients.hang_up(1)
    come_to(clients, host, [1, 1, 1, 1, 3])


def test_hosts_count_together(start_host, start_redis, clients):
    redis = start_redis()
    one, two = start_host("one", redis.url), start_host("two", redis.url)
    add_to_list(one, "198.51.100.0/24", clients)
    wait_for(lambda: clients.ask(two, "198.51.100.77")[2] == 1, "the other host has the live list")
    for host, address in ((one, "198.51.100.1"), (two, "198.51.100.2"), (one, "198.51.100.3"), (two, "203.0.113.9")):
        assert clients.connect(host, address) == "c"
    for host in (one, two):
        come_to(clients, host, [1, 1, 3, 1, 5])
    assert clients.connect(two, "198.51.100.4") == "c"
    wait_for(lambda: clients.is_refused(one, "198.51.100.5"), "the fifth, of all hosts together, is refused")
    assert clients.connect(one, "198.18.0.9") == "c"  # that is not about others
    # Two of the dial-up networks were the other host's: its share ends after it.
    two.process.child.kill()
    two.process.child.wait()
    wait_for(lambda: clients.ask(one)[2] == 3 and redis.cli("HLEN", "gh:conn:{l:dialup}") == "1", "the dead host's connections are forgotten", LEASE_S + 10)
    come_to(clients, one, [1, 2, 3, 0, 5])


def test_a_list_that_rules_begin_to_name(start_host, clients):
    host = start_host("reloaded", "memory")
    assert clients.connect(host, "203.0.113.9") == "c"
    assert clients.ask(host, "203.0.113.9")[3] == 2
    host.put_in_force(CONFIG.replace("{connections.partners}", "{connections.others}").replace("[list partners]", "[list others]"))
    # The first client is not counted there, for rules did not name the list when it connected; nor does it know of others.
    assert clients.ask(host, "203.0.113.9")[3] == 1
    assert "unknown" in clients.open[0].helo("ask").texts[0]
    assert clients.connect(host, "203.0.113.9") == "c"
    wait_for(lambda: clients.ask(host, "203.0.113.9")[3] == 2, "who has asked does not count any more")
