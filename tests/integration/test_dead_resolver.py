"""The resolver is away, in the two ways it can be: its port is closed, or nobody answers there. Requests are decided in time,
rules' `trouble` is followed, all of it is counted; when it is back, so is full service."""

import pytest

from servers.hostile_dns import HostileDns, txt
from servers.machine import Stopwatch
from servers.policy import attributes, encode
from servers.process import wait_for

pytestmark = pytest.mark.sanitized

CLIENT = "198.18.5.5"
SLACK = 1.0  # for a busy machine
RECOVERY = 1.0  # what is promised, in seconds
RULES = """
[rule spf-fail]
when = spf = fail
then = reject 550 5.7.23 SPF check failed

[rule spf-temperror]
when = spf = temperror
then = defer 451 4.7.24 SPF cannot be checked now

[rule spf-pass]
when = spf = pass
then = prepend X-SPF: pass
stage = rcpt
"""
CHECKS = """
[rule no-domain]
when = sender_domain_exists = no
then = reject 5.1.8 Domain not found
trouble = defer
""" + RULES
ZONE = {"pass.example": txt(f"v=spf1 ip4:{CLIENT} -all"), "fail.example": txt("v=spf1 -all")}
TEMPERROR, TROUBLE = "451 4.7.24 SPF cannot be checked now", "451 4.3.0 Temporary lookup problem"


@pytest.fixture
def names():
    server = HostileDns(ZONE)
    yield server
    server.stop()


def close(names):
    names.stop()


def fall_silent(names):
    names.answers = False


def come_back(names):
    if not names.servers:
        names.start()
    names.answers = True


def ask(policyd, domain="pass.example"):
    return policyd.ask(client_address=CLIENT, sender=f"a@{domain}")


# Whichever time ends first, a lookup's or the request's: SPF has a word for it; other facts are unknown, `trouble` decides.
@pytest.mark.parametrize("dns_timeout, budget, rules, want", [
    (1000, 2000, RULES, TEMPERROR), (6000, 1200, RULES, TEMPERROR), (6000, 1200, CHECKS, TROUBLE)],
    ids=["lookup-ends-first", "budget-ends-first", "trouble"])
@pytest.mark.parametrize("away", [close, fall_silent])
def test_requests_are_decided_in_time_and_service_is_back(start_policyd, names, away, dns_timeout, budget, rules, want):
    policyd = start_policyd(rules, options=[f"resolver={names.resolver}", f"dns_timeout={dns_timeout}ms",
                                            f"budget={budget}ms", "dns_cache_size=0"])
    assert ask(policyd) == "PREPEND X-SPF: pass"
    away(names)
    # Each asks for a name of its own: on a question that is on its way for some seconds libunbound gives up.
    for domain in ("pass.example", "second.example", "third.example"):
        watch = Stopwatch()
        reply = ask(policyd, domain)
        assert watch.seconds() < budget / 1000 + SLACK
        assert reply.startswith(want), reply
    wait_for(lambda: policyd.metric("gatehouse_dns_down") >= 1, "it is known")
    assert policyd.metric("gatehouse_policy_late_total") + policyd.metric("gatehouse_dns_failures_total") >= 3
    if away == fall_silent and budget < dns_timeout:  # a closed port may be found out before any time is up
        assert policyd.metric("gatehouse_policy_late_total") == 3
    assert policyd.metric("gatehouse_policy_trouble_total") == (3 if want == TROUBLE else 0)
    wait_for(lambda: "dns: no resolver answers" in policyd.log, "it is logged")
    assert policyd.log.count("dns: no resolver answers") == 1

    come_back(names)
    watch = Stopwatch()
    wait_for(lambda: ask(policyd) == "PREPEND X-SPF: pass", "full service", timeout=10)
    assert watch.seconds() < RECOVERY + SLACK
    for _ in range(20):
        assert ask(policyd) == "PREPEND X-SPF: pass"
        assert ask(policyd, "fail.example").startswith("550 5.7.23 SPF check failed")
    wait_for(lambda: policyd.metric("gatehouse_dns_down") == 0, "every worker knows")


def test_many_at_once_are_decided_in_time(start_policyd, names):
    budget, clients = 1.0, []
    policyd = start_policyd(RULES, options=[f"resolver={names.resolver}", "dns_timeout=400ms", f"budget={budget * 1000:.0f}ms"])
    fall_silent(names)
    try:
        clients = [policyd.client() for _ in range(100)]
        watch = Stopwatch()
        for number, client in enumerate(clients):
            client.send(encode(attributes(client_address=CLIENT, sender=f"a@d{number}.example")))
        for client in clients:
            assert client.reply().decode().startswith(f"action={TEMPERROR}")
        assert watch.seconds() < budget + SLACK
    finally:
        for client in clients:
            client.close()
    assert policyd.metric("gatehouse_dns_failures_total", kind="timeout") >= 100


def test_what_the_cache_has_is_served_meanwhile(start_policyd, names):
    policyd = start_policyd(RULES, options=[f"resolver={names.resolver}", "dns_timeout=1s", "workers=1"])
    names.ttl = 60
    assert ask(policyd) == "PREPEND X-SPF: pass"
    close(names)
    assert ask(policyd, "other.example").startswith(TEMPERROR)
    assert ask(policyd) == "PREPEND X-SPF: pass"


def test_one_resolver_of_two_is_enough(start_policyd, names):
    other = HostileDns(ZONE)
    try:
        policyd = start_policyd(RULES, options=[f"resolver={names.resolver}, {other.resolver}", "dns_cache_size=0"])
        fall_silent(names)
        for _ in range(5):
            assert ask(policyd) == "PREPEND X-SPF: pass"
        assert policyd.metric("gatehouse_dns_down") == 0
    finally:
        other.stop()
