"""Facts from the DNS: sender and recipient domains, HELO names, block and allow lists; with resolvers that fail."""
import time

import pytest

from servers.dns import DNS, address_list, domain_list
from servers.process import wait_for

SHOW = """
[rule show]
then = reject 5.7.1 Seen, {facts}
stage = {stage}
"""


@pytest.fixture
def dns():
    server = DNS()
    yield server
    server.stop()


@pytest.fixture
def show(start_policyd, dns):
    """show("fact, ...", sections, options) -> function that asks and gives the facts' values as texts."""

    def start(facts, sections="", options=(), stage="rcpt"):
        shown = " ".join("<{%s}>" % fact for fact in facts.split())
        policyd = start_policyd(SHOW.format(facts=shown, stage=stage) + sections,
                                options=[f"resolver={dns.resolver}", "workers=1", *options])

        def values(**changes):
            action = policyd.ask(**changes)
            assert "Seen, " in action, action
            seen = action.partition("Seen, <")[2].rpartition(">,")[0].split("> <")
            return seen[0] if len(seen) == 1 else seen

        values.policyd = policyd
        return values

    return start


MAIL = {
    "ok.test": {"MX": ["10 mx.ok.test"]},
    "mx.ok.test": {"A": ["8.8.4.4"]},
    "plain.test": {"A": ["8.8.4.4"]},
    "six.test": {"AAAA": ["2a00:1450::1"]},
    "bare.test": {"TXT": ["no mail"]},
    "nohost.test": {"MX": ["10 gone.test", "20 bare.test"]},
    "null.test": {"MX": ["0 ."]},
    "inside.test": {"MX": ["10 mx.inside.test"]},
    "mx.inside.test": {"A": ["10.1.2.3"]},
    "loop.test": {"MX": ["10 mx.loop.test"]},
    "mx.loop.test": {"A": ["127.0.0.1"], "AAAA": ["::1"]},
    "mixed.test": {"MX": ["10 mx.inside.test", "20 mx.ok.test"]},
    "broken.test": "SERVFAIL",
    "halfbroken.test": {"MX": ["10 broken.test", "20 mx.inside.test"]},
    "halfok.test": {"MX": ["10 broken.test", "20 mx.ok.test"]},
}


@pytest.mark.parametrize("domain, word, exists", [
    ("ok.test", "ok", "yes"),
    ("plain.test", "ok", "yes"),
    ("six.test", "ok", "yes"),
    ("bare.test", "none", "yes"),
    ("nohost.test", "none", "yes"),
    ("null.test", "null", "yes"),
    ("gone.test", "nxdomain", "no"),
    ("inside.test", "private", "yes"),
    ("loop.test", "loop", "yes"),
    ("mixed.test", "ok", "yes"),
    ("[10.0.0.1]", "private", "yes"),
    ("[8.8.4.4]", "ok", "yes"),
    ("broken.test", "unknown", "unknown"),
    ("halfbroken.test", "unknown", "yes"),
    ("halfok.test", "ok", "yes"),
])
def test_domains_of_mail(show, dns, domain, word, exists):
    dns.add(MAIL)
    values = show("sender_mx sender_domain_exists recipient_mx")
    assert values(sender=f"a@{domain}", recipient=f"b@{domain}") == [word, exists, word]
