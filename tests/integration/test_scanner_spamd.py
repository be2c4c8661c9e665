"""The scanner of kind spamd and a real spamd, local tests only."""
import pytest

from servers.fake_scanners import FakeScanner
from servers.process import free_port
from servers.scan_file import message, scan, scan_all
from servers.spamd import GTUBE, Spamd

pytestmark = pytest.mark.sanitized

# What spamd makes of the fields that we put on top of the message.
RULES = r"""
trusted_networks 203.0.113.0/24
internal_networks 203.0.113.0/24
header   __GATEHOUSE_RELAY X-Spam-Relays-Untrusted =~ /^\[ ip=192\.0\.2\.7 rdns=client\.example\.net helo=helo\.example\.net by=mx\.example\.org .* auth= /
meta     GATEHOUSE_RELAY __GATEHOUSE_RELAY
score    GATEHOUSE_RELAY 0.1
header   GATEHOUSE_LOGIN X-Spam-Relays-Trusted =~ /^\[ ip=192\.0\.2\.7 [^\]]* auth=ESMTPA /
score    GATEHOUSE_LOGIN 0.1
header   GATEHOUSE_SENDER EnvelopeFrom:addr =~ /^sender\@example\.net$/
score    GATEHOUSE_SENDER 0.1
"""


@pytest.fixture(scope="module")
def spamd(workdir):
    server = Spamd(workdir / "spamd", RULES)
    yield server
    server.stop()


def test_ham_has_a_score(spamd):
    finding = scan(f"spamd {spamd.address}", message("How are you?"))
    assert finding["result"] == "clean", finding
    assert finding["score"] < finding["required"] == 5.0


def test_gtube_is_spam(spamd):
    finding = scan(f"spamd {spamd.address}", message(f"buy\n{GTUBE}"))
    assert finding["result"] == "spam" and finding["score"] > 999, finding
    assert "GTUBE(1000)" in finding["symbols"]
    assert "BODY: Generic Test for Unsolicited Bulk Email" in finding["report"]


def test_client_helo_and_sender_are_known(spamd):
    """From the fields put on top; the message's own ones cannot pretend otherwise."""
    forged = "Return-Path: <forged@example.com>\nX-Envelope-From: forged@example.com\nReceived: from forged.example.com " \
             "(forged.example.com [198.51.100.1]) by forged.example.org (Postfix) with ESMTPA id 1;\n" \
             " Sun, 22 Nov 2026 08:00:00 +0000\n"
    symbols = scan(f"spamd {spamd.address}", forged + message("hello"))["symbols"]
    assert "GATEHOUSE_RELAY" in symbols and "GATEHOUSE_SENDER" in symbols, symbols
    assert "GATEHOUSE_LOGIN" not in symbols
    # Who has logged in is trusted: there is no other relay.
    symbols = scan(f"spamd {spamd.address}", message("hello"), login="alice")["symbols"]
    assert "GATEHOUSE_LOGIN" in symbols and "GATEHOUSE_RELAY" not in symbols, symbols


def test_a_helo_name_stays_in_its_place(spamd):
    helo = "x (y [203.0.113.1]) by mx.example.org helo=z (envelope-from <other@example.com>)"
    symbols = scan(f"spamd {spamd.address}", message("hello"), helo=helo)["symbols"]
    assert "GATEHOUSE_SENDER" in symbols, symbols


@pytest.mark.parametrize("user", ["mail", "{recipient}", "odd name"])
def test_users(spamd, user):
    finding = scan(f"spamd {spamd.address}", message("hello"), user=user)
    assert finding["result"] == "clean", finding


def test_sizes_on_both_sides_of_a_segment(spamd):
    for size in (0, 1, 1000, 65000, 400000):
        assert scan(f"spamd {spamd.address}", message("x\n" * (size // 2)))["result"] == "clean"


def test_side_by_side(spamd):
    findings = scan_all(f"spamd {spamd.address}", message(GTUBE), scans=12, parallel=4)
    assert [finding["result"] for finding in findings] == ["spam"] * 12


def test_the_next_address_when_one_is_dead(spamd):
    finding = scan(f"spamd inet:127.0.0.1:{free_port()}, {spamd.address}", message(GTUBE))
    assert finding["result"] == "spam", finding


def test_one_that_hangs_is_trouble(spamd):
    """Its parent process alone is stopped: connections are made, nobody answers."""
    spamd.pause()
    try:
        finding = scan(f"spamd {spamd.address}", message(GTUBE), timeout=300)
        # A child that waits already may have taken it.
        assert finding["result"] in ("trouble", "spam"), finding
    finally:
        spamd.go_on()
    assert scan(f"spamd {spamd.address}", message(GTUBE))["result"] == "spam"


@pytest.mark.parametrize("ending, result", [("open", "clean"), ("good", "clean"), ("length", "trouble"), ("stray", "trouble"), ("cut", "trouble")])
def test_an_answer_ends_where_it_says(ending, result):
    """Not when the connection is closed, which may be never; with less or more than it says it is none."""
    fake = FakeScanner("spamd", lambda: ending)
    try:
        finding = scan(f"spamd {fake.address}", message("hello"), timeout=25000)
        assert finding["result"] == result, finding
        assert "no answer" not in finding.get("error", ""), finding
    finally:
        fake.stop()
