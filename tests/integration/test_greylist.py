"""Greylisting end to end: a real Postfix, real time, and hosts that share a Redis."""
import itertools
import re
import time

import pytest

from servers.dns import DNS
from servers.machine import Stopwatch
from servers.policyd import PATIENT, Policyd
from servers.postfix import Postfix
from servers.process import wait_for

pytestmark = pytest.mark.sanitized
DELAY = 5.0  # seconds
REFERENCE = r", ref=[a-z0-9]{6}"
RULES = """
greylist_allow_after = 2
greylist_by_spf = no

[limit messages]
key = client_address
rate = 1/1h
over = defer 4.7.1 Too many messages

[rule friend]
when = client_address = 192.0.2.1
then = accept

[rule messages]
when = sender_domain = limited.example
then = limit messages

[rule patience]
when = sender = patience@example.net
then = greylist 1h

[rule grey]
then = greylist 5s

[rule blocked]
when = sender_domain = blocked.example
then = reject 5.7.1 Blocked
"""
DEFERRED = "DEFER_IF_PERMIT 4.7.1 Greylisted, try again in "


def wait_out():
    time.sleep(DELAY + 0.1)


# ---- with Postfix ----

@pytest.fixture(scope="module")
def served(workdir, sink, needs_postfix):
    """(policyd, postfix)"""
    policyd = Policyd(workdir / "grey", RULES)
    lines = f"smtpd_recipient_restrictions = reject_unauth_destination, check_policy_service inet:127.0.0.1:{policyd.tcp[1]}\n"
    postfix = Postfix(workdir / "grey-postfix", sink, {"mx": lines})
    yield policyd, postfix
    postfix.stop()
    policyd.stop()


def deliver(postfix, address, subject, sender="a@example.net", recipients="b@example.org"):
    with postfix.session("mx", address) as session:
        return session.deliver(sender, recipients, subject)


def test_greylisted_mail_is_accepted_on_the_retry(served, sink):
    policyd, postfix = served
    code, said = deliver(postfix, "198.18.1.1", "retried")
    assert code == 450, said
    assert re.search(r"4\.7\.1 .*Greylisted, try again in [1-5] s" + REFERENCE, said), said
    wait_out()
    assert deliver(postfix, "198.18.1.77", "retried")[0] == 250  # from another address of the network
    wait_for(lambda: sink.find("retried"), "the message is delivered")
    assert len(sink.find("retried")) == 1
    wait_for(lambda: all(f"greylist={word}" in policyd.log for word in ("new", "passed")), "it is logged")


def test_who_comes_back_too_early_waits_on(served):
    policyd, postfix = served
    for left in ("3600", r"3[56]\d\d"):
        code, said = deliver(postfix, "198.18.12.1", "early", sender="patience@example.net")
        assert code == 450 and re.search(rf"4\.7\.1 .*Greylisted, try again in {left} s" + REFERENCE, said), said
    wait_for(lambda: "greylist=early" in policyd.log, "it is logged")


def test_each_recipient_waits_for_himself(served, sink):
    _, postfix = served
    with postfix.session("mx", "198.18.2.1") as session:
        assert session.start("a@example.net", "old@example.org")[0] == 450
    wait_out()
    with postfix.session("mx", "198.18.2.1") as session:
        assert session.start("a@example.net", "old@example.org")[0] == 250
        assert session.rcpt("new@example.org")[0] == 450
        assert session.docmd("DATA")[0] == 354
        session.send(b"Subject: half\r\n\r\nhello\r\n.\r\n")
        assert session.getreply()[0] == 250
    wait_for(lambda: sink.find("half"), "the message is delivered")
    assert sink.find("half")[0].recipients == ["old@example.org"]


def test_bounces_wait_too(served):
    _, postfix = served
    assert deliver(postfix, "198.18.3.1", "bounce", sender="")[0] == 450
    wait_out()
    assert deliver(postfix, "198.18.3.1", "bounce", sender="")[0] == 250


@pytest.mark.parametrize("case, address, sender, want, text", [
    ("accepted before", "192.0.2.1", "a@example.net", 250, ""),
    ("refused after", "198.18.4.1", "a@blocked.example", 554, "Blocked"),
])
def test_other_rules_win(served, case, address, sender, want, text):
    policyd, postfix = served
    before = policyd.metric("gatehouse_store_greylist_triplets")
    code, said = deliver(postfix, address, case, sender)
    assert code == want and text in said, said
    assert policyd.metric("gatehouse_store_greylist_triplets") == before


def test_unknown_users_are_told_so(workdir, sink, needs_postfix):
    """DEFER_IF_PERMIT gives way to what Postfix refuses for good."""
    policyd = Policyd(workdir / "unknown", RULES)
    ask = f"check_policy_service inet:127.0.0.1:{policyd.tcp[1]}"
    postfix = Postfix(workdir / "unknown-postfix", sink, {
        "mx": f"smtpd_recipient_restrictions = {ask}, check_recipient_access inline:{{nobody@example.org=REJECT}}\n"})
    try:
        assert deliver(postfix, "198.18.5.1", "unknown", recipients="nobody@example.org")[0] == 554
        assert deliver(postfix, "198.18.5.1", "known")[0] == 450
    finally:
        postfix.stop()
        policyd.stop()


# ---- through the socket ----

def test_hosts_share_what_they_have_seen(start_policyd, redis):
    hosts = [start_policyd(RULES, options=[f"store={redis.url}", *PATIENT]) for _ in range(2)]
    request = {"client_address": "198.18.6.1"}
    wait_for(lambda: all("degraded" not in host.get("/ready")[1] for host in hosts), "both use Redis")
    assert hosts[0].ask(**request).startswith(DEFERRED)
    assert hosts[1].ask(**request).startswith(DEFERRED)
    wait_out()
    assert hosts[1].ask(**request) == "DUNNO"
    hosts[0].restart()
    wait_for(lambda: hosts[0].ask(**request) == "DUNNO", "what has passed is known after a restart", timeout=3)
    keys = redis.cli("KEYS", "gh:grey:*").split("\n")
    assert "gh:grey:{n:198.18.6.0/24}{m:sender@example.net}{m:recipient@example.org}" in keys
    assert all(int(redis.cli("PTTL", key)) > 0 for key in keys)


def test_a_network_is_known_after_enough_mail(start_policyd):
    policyd = start_policyd(RULES)
    for sender in ("one@example.net", "two@example.net"):
        assert policyd.ask(client_address="198.18.7.1", sender=sender).startswith(DEFERRED)
    assert policyd.ask(client_address="198.18.7.1", sender="three@example.net").startswith(DEFERRED)
    wait_out()
    for sender in ("one@example.net", "two@example.net"):
        assert policyd.ask(client_address="198.18.7.1", sender=sender) == "DUNNO"
    assert policyd.ask(client_address="198.18.7.9", sender="four@example.net") == "DUNNO"
    assert policyd.metric("gatehouse_greylist_total", result="known") == 1
    assert policyd.metric("gatehouse_greylist_total", result="new") == 3
    assert policyd.metric("gatehouse_greylist_total", result="passed") == 2


def test_everything_passes_while_redis_is_away(start_policyd, redis):
    policyd = start_policyd(RULES, options=[f"store={redis.url}"])
    wait_for(lambda: policyd.get("/ready")[0] == 200, "policyd is ready")
    # On a busy machine Redis may be too late for the first.
    senders = (f"a{number}@example.net" for number in itertools.count())
    wait_for(lambda: policyd.ask(client_address="198.18.8.1", sender=next(senders)).startswith(DEFERRED), "it greylists")
    redis.pause()
    try:
        before = policyd.metric("gatehouse_greylist_total", result="degraded")
        watch = Stopwatch()
        assert policyd.ask(client_address="198.18.8.2") == "DUNNO"
        assert watch.seconds() < 1
        assert policyd.metric("gatehouse_greylist_total", result="degraded") == before + 1
    finally:
        redis.go_on()
    wait_for(lambda: policyd.ask(client_address="198.18.9.1", sender=next(senders)).startswith(DEFERRED),
             "it is in use again", timeout=3)


def test_explain_leaves_no_trace(start_policyd):
    policyd = start_policyd(RULES)
    request = {"client_address": "198.18.10.1", "sender": "a@example.net", "recipient": "b@example.org"}
    words = ["protocol_state=RCPT", *(f"{name}={value}" for name, value in request.items())]
    for _ in range(2):
        said = policyd.gatectl("explain", *words).stdout
        assert "grey" in said and "Greylisted, try again in 5 s" in said, said
    assert policyd.metric("gatehouse_store_greylist_triplets") == 0
    assert policyd.ask(**request).startswith(DEFERRED)


def test_what_waits_is_charged_no_limit(start_policyd):
    policyd = start_policyd(RULES.replace("rate = 1/1h", "rate = 1/1h\ncharge = rcpt"))
    request = {"client_address": "198.18.11.1", "sender": "a@limited.example"}
    for number in range(3):
        assert policyd.ask(recipient=f"b{number}@example.org", **request).startswith(DEFERRED)
    assert policyd.ask(**request).startswith(DEFERRED)
    wait_out()
    assert policyd.ask(instance="one", **request) == "DUNNO"
    assert policyd.ask(instance="two", **request).startswith("DEFER_IF_PERMIT 4.7.1 Too many messages")


# ---- by SPF ----

def test_spf_stands_in_for_the_network(start_policyd):
    """A sender that SPF allows may come back from another of its networks; who it does not allow waits for itself."""
    dns = DNS({"big.example": {"TXT": ["v=spf1 ip4:192.0.2.0/24 ip4:203.0.113.0/24 -all"]}})
    try:
        policyd = start_policyd("[rule grey]\nthen = greylist 1s\n", options=[f"resolver={dns.resolver}", *PATIENT])
        mail = {"sender": "a@big.example", "recipient": "b@example.org"}
        assert policyd.ask(client_address="192.0.2.7", **mail).startswith(DEFERRED)
        assert policyd.ask(client_address="198.51.100.7", **mail).startswith(DEFERRED)
        time.sleep(1.1)
        assert policyd.ask(client_address="203.0.113.7", **mail) == "DUNNO"
        assert policyd.ask(client_address="198.51.101.7", **mail).startswith(DEFERRED)
    finally:
        dns.stop()
