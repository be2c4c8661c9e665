"""What strangers publish and name servers do, through policyd: it stays up, keeps its time and its memory, asks no more than
it may, says nothing that came raw from the network, and answers the next ordinary request."""
import re
import struct
import time

import pytest

from servers.hostile_dns import (HostileDns, closing_tcp, delayed, failing, flooding, raw, rows, silent, txt, wrong_id,
                                 wrong_question)
from servers.machine import Stopwatch, Waits
from servers.policy import attributes, encode
from servers.policyd import BUILD, PATIENT, Policyd
from servers.process import ROOT, wait_for

pytestmark = pytest.mark.sanitized

IS_PLAIN_BUILD = BUILD == ROOT / "build"  # sanitizers keep what was freed
CLIENT = "198.18.5.5"
DNS_TIMEOUT, BUDGET = 0.5, 1.5
BUDGET_ALONE = 3.0  # of one that never gives up a question
SLACK = 1.5  # for a busy machine
PASS = txt(f"v=spf1 ip4:{CLIENT} -all")
FAIL, ERROR, TEMPORARY = {"fail"}, {"permerror"}, {"temperror"}


def record(owner, data, kind=16, length=None):
    """A record as bytes."""
    return owner + struct.pack("!HHIH", kind, 1, 0, len(data) if length is None else length) + data


def includes(count, below):
    return "v=spf1 " + " ".join(f"include:i{number}.{below}" for number in range(count)) + " -all"


# Each name is a domain that somebody sends mail from: (name, what its server does, results that are right). Further names
# that it leads to are in OTHERS.
POINTER = b"\xc0\x0c"  # to the question's name
CASES = [
    # ---- records ----
    ("macros-mechanism", txt("v=spf1 exists:" + "%{s}%{l}%{o}%{d}" * 255 + ".example -all"), FAIL),
    ("macros-redirect", txt("v=spf1 redirect=" + "%{d}." * 800 + "example"), ERROR),
    ("macros-explanation", txt("v=spf1 -all exp=long-explanation.example"), FAIL),
    ("macros-include", txt("v=spf1 include:" + "%{i}%{h}" * 500 + ".example -all"), ERROR),
    ("macros-digits", txt("v=spf1 exists:%{d" + "9" * 4000 + "}.example -all"), FAIL),
    ("macros-open", txt("v=spf1 exists:" + "%{" * 2000 + " -all"), ERROR),
    ("long-fail", txt("v=spf1 " + "ip4:192.0.2.1 " * 4500 + "-all"), FAIL),
    ("long-pass", txt("v=spf1 " + "ip6:2001:db8::1 " * 4000 + f"ip4:{CLIENT} -all"), {"pass"}),
    ("long-wrong", txt("v=spf1 " + "x" * 60000), ERROR),
    ("many-texts", txt(*["x" * 200] * 250, f"v=spf1 ip4:{CLIENT} -all"), {"pass"}),
    ("many-records", txt(*["v=spf1 -all"] * 500), ERROR),
    ("nul", txt("v=spf1 \0 -all"), ERROR),
    ("nul-after-version", txt("v=spf1\0 -all"), {"none"}),
    ("line-ends", txt("v=spf1 a:x\r\n\naction=OK\n\n.example -all"), ERROR),
    ("escapes", txt("v=spf1 include:\x1b[31m\x07\x7f\xff\x80.example -all"), ERROR),
    ("control-explanation", txt("v=spf1 -all exp=control-text.example"), FAIL),
    ("control-names", rows(("TXT", "v=spf1 mx ptr -all"), ("MX", (10, "a\n\naction=OK\n.example"))), FAIL),
    # ---- loops and crowds ----
    ("include-self", txt("v=spf1 include:include-self.example -all"), ERROR),
    ("include-pair", txt("v=spf1 include:include-back.example -all"), ERROR),
    ("redirect-self", txt("v=spf1 redirect=redirect-self.example"), ERROR),
    ("redirect-pair", txt("v=spf1 redirect=redirect-back.example"), ERROR),
    ("include-wide", txt(includes(100, "wide.example")), ERROR),
    ("include-none", txt(includes(100, "none.example")), ERROR),
    ("lookups", txt("v=spf1 " + " ".join(f"a:a{n}.hosts.example" for n in range(100)) + " -all"), ERROR),
    ("voids", txt("v=spf1 " + " ".join(f"exists:v{n}.none.example" for n in range(100)) + " -all"), ERROR),
    ("exchangers", rows(("TXT", "v=spf1 mx -all"), *(("MX", (1, f"m{n}.hosts.example")) for n in range(100))), ERROR),
    ("exchangers-void", rows(("TXT", "v=spf1 mx -all"), *(("MX", (1, f"m{n}.none.example")) for n in range(10))), FAIL),
    ("aliases", lambda query: [query.packet([("CNAME", "aliases.example")])], TEMPORARY | {"none"}),
    # ---- packets ----
    ("wrong-id", wrong_id(PASS), TEMPORARY),
    ("wrong-question", wrong_question(PASS), TEMPORARY),
    ("pointer-to-itself", raw(lambda at: record(struct.pack("!H", 0xC000 | at), b"\1x")), TEMPORARY),
    ("pointer-pair", raw(lambda at: record(struct.pack("!HH", 0xC000 | at + 2, 0xC000 | at), b"\1x")), TEMPORARY),
    ("pointer-ahead", raw(lambda at: record(b"\xff\xff", b"\1x")), TEMPORARY),
    ("record-too-long", raw(lambda _: record(POINTER, b"\4v=s", length=60000)), TEMPORARY),
    ("string-too-long", raw(lambda _: record(POINTER, b"\xffv=spf1 -all")), TEMPORARY),
    ("record-missing", raw(lambda _: b""), TEMPORARY),
    ("no-packet", lambda _: [b""], TEMPORARY),
    ("half-header", lambda query: [query.packet()[:7]], TEMPORARY),
    ("half-packet", lambda query: [packet[:-9] for packet in PASS(query)], TEMPORARY),
    ("noise", lambda query: [query.packet()[:2] + bytes(range(256)) * 4], TEMPORARY),
    ("truncated", closing_tcp(PASS), TEMPORARY),
    ("truncated-for-ever", lambda query: [packet[:2] + b"\x87\x80" + packet[4:] for packet in PASS(query)], TEMPORARY),
    ("refused", failing(5), TEMPORARY),
    ("server-failure", failing(2), TEMPORARY),
    ("flood", flooding(PASS, 300), {"pass"} | TEMPORARY),
    # ---- time ----
    ("slow", delayed(0.1, PASS), {"pass"}),
    ("too-slow", delayed(2, PASS), TEMPORARY),
    ("silent", silent, TEMPORARY),
    ("silent-explanation", txt("v=spf1 -all exp=silent.example"), FAIL),
]
OTHERS = {
    "good.example": PASS,
    "long-explanation.example": txt("%{s} %{i} %{h} " * 260),
    "control-text.example": txt("Sorry\0\r\n\r\naction=OK\n\n\x1b[31m \xff"),
    "include-back.example": txt("v=spf1 include:include-pair.example -all"),
    "redirect-back.example": txt("v=spf1 redirect=redirect-pair.example"),
    "*.wide.example": lambda query: [query.packet([("TXT", includes(100, query.name))])],
    "*.hosts.example": rows(("A", "192.0.2.99")),
    "slow-chain.example": delayed(1, txt(includes(9, "slow.example"))),
    "*.slow.example": delayed(1, txt("v=spf1 ip4:192.0.2.99 -all")),
}
# Who publishes them is answered in full: what comes of it is no matter of time.
ANSWERED = [name for name, _, results in CASES if results != TEMPORARY and name != "silent-explanation"]


@pytest.fixture(scope="module")
def names():
    server = HostileDns({**OTHERS, **{f"{name}.example": does for name, does, _ in CASES}})
    yield server
    server.stop()


@pytest.fixture(scope="module")
def start_checker(workdir, names):
    """start_checker(name, options...) -> policyd that checks SPF"""
    started = []

    def start(name, *options):
        started.append(Policyd(workdir / name, conf_file=ROOT / "conf/spf.conf", options=[f"resolver={names.resolver}", *options]))
        return started[-1]

    yield start
    for policyd in started:
        policyd.stop()


@pytest.fixture(scope="module")
def hasty(start_checker):
    return start_checker("hasty", f"dns_timeout={DNS_TIMEOUT * 1000:.0f}ms", f"budget={BUDGET * 1000:.0f}ms")


@pytest.fixture(scope="module")
def patient(start_checker):
    return start_checker("patient", *PATIENT)


@pytest.fixture(scope="module")
def budgeted(start_checker):
    return start_checker("budgeted", *PATIENT, f"budget={BUDGET_ALONE * 1000:.0f}ms")


def check(policyd, name):
    """(result, whole reply, seconds); the client has made sure that it is one line of printable ASCII."""
    watch = Stopwatch()
    reply = policyd.ask(client_address=CLIENT, helo_name="mail.example.net", sender=f"user@{name}.example")
    took = watch.seconds()
    found = re.match(r"PREPEND Received-SPF: (\w+)", reply)
    assert found, reply
    return found[1], reply, took


def check_in_time(policyd, name, results):
    """The same. A name server that had to wait for a processor, so that its answer came too late, is asked again."""
    for _ in range(20):
        waits = Waits()
        result, reply, took = check(policyd, name)
        if result in results or result not in TEMPORARY or waits.seconds() < DNS_TIMEOUT / 2:
            break
    return result, reply, took


@pytest.mark.parametrize("name, results", [(name, results) for name, _, results in CASES],
                         ids=[name for name, _, _ in CASES])
def test_hostile_names(request, names, name, results):
    policyd = request.getfixturevalue("patient" if name in ANSWERED else "hasty")
    names.asked.clear()
    result, reply, took = check_in_time(policyd, name, results)
    assert result in results, reply
    assert took < BUDGET + SLACK
    assert len(reply) < 1000, reply
    assert check_in_time(policyd, "good", {"pass"})[0] == "pass"


@pytest.mark.parametrize("name, kind, most", [
    ("include-self", "TXT", 1),
    ("include-pair", "TXT", 2),
    ("redirect-pair", "TXT", 2),
    ("include-wide", "TXT", 1 + 10),
    ("include-none", "TXT", 1 + 1),
    ("lookups", "A", 10),
    ("voids", "A", 2 + 1),  # the one too many has to be asked for
    ("exchangers", "A", 0),
    ("exchangers-void", "A", 10),
])
def test_asks_no_more_than_it_may(patient, names, name, kind, most):
    names.asked.clear()
    check(patient, name)
    others = {f"{other}.example" for other, _, _ in CASES} - {f"{name}.example"}  # asked again, of tests before
    asked = sorted(asked for asked in list(names.asked) if asked[1] == kind and asked[0] not in others)
    assert len(asked) <= most, asked


def test_the_budget_ends_a_chain_of_slow_answers(budgeted):
    before = budgeted.metric("gatehouse_policy_late_total")
    begin = time.monotonic()
    result, reply, took = check(budgeted, "slow-chain")
    assert result == "temperror" and "the time for the check is up" in reply, reply
    assert BUDGET_ALONE - 0.1 < time.monotonic() - begin and took < BUDGET_ALONE + SLACK, reply
    assert budgeted.metric("gatehouse_policy_late_total") == before + 1
    assert check_in_time(budgeted, "good", {"pass"})[0] == "pass"


def test_others_are_answered_while_some_wait(budgeted):
    with budgeted.client() as slow, budgeted.client() as quick:
        slow.send(encode(attributes(sender="user@silent.example")))
        watch = Stopwatch()
        reply = quick.ask(client_address=CLIENT, sender="user@good.example")
        assert reply.startswith("PREPEND Received-SPF: pass") and watch.seconds() < DNS_TIMEOUT
        assert b"temperror" in slow.reply()


def test_nothing_is_left_behind(patient, hasty):
    """Neither questions nor memory."""
    fast = [name for name in ANSWERED if name != "slow"]
    for name in fast:
        check(patient, name)
    before = patient.process.memory_kib()
    for _ in range(5):
        for name in fast:
            check(patient, name)
    check(hasty, "silent")
    for policyd in (patient, hasty):
        wait_for(lambda: policyd.metric("gatehouse_dns_in_flight") == 0, "no question is on its way", timeout=15)
    if IS_PLAIN_BUILD:
        assert patient.process.memory_kib() - before < 4096
