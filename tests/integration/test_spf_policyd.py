"""The test suite of RFC 7208 through policyd's socket, with conf/spf.conf and a name server that has the suite's zones."""
import re

import pytest

from servers.dns import DNS
from servers.policyd import PATIENT, Policyd
from servers.process import ROOT
from test_rfc7208 import CASES, SCENARIOS, text


def zone_of(zonedata):
    """The suite's zone as the server wants it. Records of type SPF stand for TXT where a name has no TXT ones."""
    zone = {}
    for name, records in zonedata.items():
        pairs = [("SILENT", "") if record == "TIMEOUT" else next(iter(record.items())) for record in records]
        has_txt = any(kind == "TXT" for kind, _ in pairs)
        here = zone.setdefault(str(name).rstrip("."), {})
        for kind, value in pairs:
            if kind == "TXT" and value == "NONE" or kind == "SPF" and has_txt:
                continue
            here.setdefault("TXT" if kind == "SPF" else kind, []).append(text(value) if kind in ("SPF", "TXT") else value)
    return zone


@pytest.fixture(scope="module")
def dns():
    server = DNS(ttl=0)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def checker(workdir, dns):
    policyd = Policyd(workdir / "checker", conf_file=ROOT / "conf/spf.conf", options=[f"resolver={dns.resolver}", *PATIENT])
    yield policyd
    policyd.stop()


@pytest.fixture(scope="module")
def hasty(workdir, dns):
    """For names of which nothing is said."""
    policyd = Policyd(workdir / "hasty", conf_file=ROOT / "conf/spf.conf", options=[f"resolver={dns.resolver}", "dns_timeout=500ms"])
    yield policyd
    policyd.stop()


@pytest.mark.sanitized
@pytest.mark.parametrize("number,name", CASES, ids=[name for _, name in CASES])
def test_case(checker, hasty, dns, number, name):
    scenario = SCENARIOS[number]
    test = scenario["tests"][name]
    dns.set(zone_of(scenario["zonedata"]))
    wanted = [test["result"]] if isinstance(test["result"], str) else test["result"]
    with (hasty if "temperror" in wanted else checker).client() as client:
        reply = client.ask(client_address=test["host"], helo_name=test["helo"], sender=test["mailfrom"])
    found = re.fullmatch(r"PREPEND Received-SPF: (\w+) \(.*", reply)
    assert found, reply
    assert found[1] in wanted, reply
    if "explanation" in test:
        assert f'x-exp="{test["explanation"]}"' in reply


# ---- what other implementations get wrong ----

CLIENT, CLIENT_SIX = "198.18.5.5", "2001:db8::5"
NETWORKS = " ".join(f"ip4:203.0.113.{number}" for number in range(100))
NETWORKS_SIX = " ".join(f"ip6:2001:db8:1::{number:x}" for number in range(60))
ZONE = {name: {"TXT": texts if isinstance(texts, list) else [texts]} for name, texts in {
    "long-mechanism.test": "v=spf1 exists:" + "%{s}%{l}%{o}%{d}" * 255 + ".test -all",
    "long-redirect.test": "v=spf1 redirect=" + "%{s}" * 1000 + ".test",
    "long-exp.test": "v=spf1 -all exp=long-text.test",
    "long-text.test": "%{s} %{i} %{h} " * 260,
    "many-four.test": f"v=spf1 {NETWORKS} ip4:{CLIENT} -all",
    "many-four-fail.test": f"v=spf1 {NETWORKS} -all",
    "many-six.test": f"v=spf1 {NETWORKS_SIX} ip6:{CLIENT_SIX} -all",
    "many-six-fail.test": f"v=spf1 {NETWORKS_SIX} -all",
    "fan.test": "v=spf1 " + " ".join(f"include:{letter}.fan.test" for letter in "abcdefgh") + " -all",
    **{f"{letter}.fan.test": "v=spf1 " + " ".join(f"include:{other}.fan.test" for other in "abcdefgh" if other != letter)
       + " -all" for letter in "abcdefgh"},
    "void.test": "v=spf1 a:one.void.test a:two.void.test a:three.void.test -all",
    "zero.test": "v=spf1 -ip4:0.0.0.0/0 ip6:::/0 -all",
    "zero-a.test": "v=spf1 a:somewhere.test/0//0 -all",
    "redirect-first.test": f"v=spf1 redirect=all-fail.test ip4:{CLIENT}",
    "redirect-all.test": "v=spf1 redirect=all-pass.test -all",
    "all-fail.test": "v=spf1 -all",
    "all-pass.test": "v=spf1 +all",
    "syntax.test": "v=spf1 a:b..test:x/33 -all",
    "unknown.test": "v=spf1 foo:bar -all",
    "two.test": ["v=spf1 -all", "v=spf1 +all"],
    "included.test": "v=spf1 include:nothing.test -all",
    "blanks.test": "v=spf1 -all exp=text.blanks.test",
    "text.blanks.test": "Mail from  %{d}  comes from%_elsewhere,%-not %{i} ",
    "four.test": f"v=spf1 ip4:{CLIENT} -all",
    "six.test": "v=spf1 ip6:::ffff:0:0/96 -all",
    "local.test": "v=spf1 -all",
}.items()} | {"somewhere.test": {"A": ["192.0.2.1"], "AAAA": ["2001:db8:ffff::1"]}}


def header(checker, sender, client=CLIENT, **changes):
    reply = checker.ask(client_address=client, helo_name="mail.test", sender=sender, **changes)
    assert reply.startswith("PREPEND Received-SPF: "), reply
    return reply.removeprefix("PREPEND Received-SPF: ")


# libspf2 1.2.10 aborts on the first three, evaluates the next four to neutral, has no limit for fan and void, refuses /0,
# takes redirect where it stands, says nothing but "invalid" of mistakes, garbles blanks, takes ::ffff:a.b.c.d for IPv6, and
# lets loopback clients pass unseen.
@pytest.mark.sanitized
@pytest.mark.parametrize("domain, client, result, text", [
    ("long-mechanism", CLIENT, "fail", "mechanism=-all"),
    ("long-redirect", CLIENT, "permerror", "redirect to a domain without SPF"),
    ("long-exp", CLIENT, "fail", 'x-exp="user@long-exp.test 198.18.5.5 mail.test user@'),
    ("many-four", CLIENT, "pass", f'mechanism="ip4:{CLIENT}"'),
    ("many-four-fail", CLIENT, "fail", "mechanism=-all"),
    ("many-six", CLIENT_SIX, "pass", f"ip6:{CLIENT_SIX}"),
    ("many-six-fail", CLIENT_SIX, "fail", "mechanism=-all"),
    ("fan", CLIENT, "permerror", "too many terms that need lookups"),
    ("void", CLIENT, "permerror", "too many lookups without an answer"),
    ("zero", CLIENT, "fail", "-ip4:0.0.0.0/0"),
    ("zero", CLIENT_SIX, "pass", "ip6:::/0"),
    ("zero-a", CLIENT, "pass", "a:somewhere.test/0//0"),
    ("zero-a", CLIENT_SIX, "pass", "a:somewhere.test/0//0"),
    ("redirect-first", CLIENT, "pass", f"ip4:{CLIENT}"),
    ("redirect-first", "198.18.5.6", "fail", "mechanism=-all"),
    ("redirect-all", CLIENT, "fail", "mechanism=-all"),
    ("syntax", CLIENT, "permerror", "b..test:x/33"),
    ("unknown", CLIENT, "permerror", "foo:bar"),
    ("two", CLIENT, "permerror", "more than one SPF record"),
    ("included", CLIENT, "permerror", "include of a domain without SPF: nothing.test"),
    ("blanks", CLIENT, "fail", 'x-exp="Mail from  blanks.test  comes from elsewhere,%20not 198.18.5.5 "'),
    ("four", f"::ffff:{CLIENT}", "pass", f"client-ip={CLIENT};"),
    ("six", f"::ffff:{CLIENT}", "fail", "mechanism=-all"),
    ("local", "127.0.0.1", "fail", "mechanism=-all"),
    ("local", "::1", "fail", "mechanism=-all"),
    ("local", "10.0.0.1", "fail", "mechanism=-all"),
])
def test_what_libspf2_gets_wrong(checker, dns, domain, client, result, text):
    dns.set(ZONE)
    said = header(checker, f"user@{domain}.test", client)
    assert said.startswith(f"{result} (") and text in said, said


def test_nobody_is_skipped_and_nothing_is_remembered(checker, dns):
    """What conf/spf.conf is for: logins and the own host are checked too, and a TTL of 0 is obeyed."""
    dns.set(ZONE)
    login = {"sasl_username": "alice", "sasl_method": "PLAIN", "sasl_sender": ""}
    assert header(checker, "user@local.test", "127.0.0.1", **login).startswith("fail (")
    dns.set({"local.test": {"TXT": ["v=spf1 ip4:127.0.0.1 -all"]}})
    assert header(checker, "user@local.test", "127.0.0.1", **login).startswith("pass (")
    dns.set({})
    assert header(checker, "user@local.test", "127.0.0.1", **login).startswith("none (")
