"""DNS block lists and DNS checks behind a real Postfix: who is refused, with which words, and who is not. (At RCPT Postfix
makes 5.1.2 of 5.1.8.)"""
import re

import pytest

from servers.dns import DNS
from servers.policyd import PATIENT, Policyd
from servers.postfix import Postfix

pytestmark = pytest.mark.sanitized
RULES = """
[dnsbl one]
zone = one.bl.example
replies = 127.0.0.2*2
[dnsbl two]
zone = two.bl.example
replies = 127.0.0.[4..6]*2

[rule listed]
when = dnsbl.score >= 3
then = reject 5.7.1 Your address is on a block list, {dnsbl.zones}
[rule no-mx]
when = sender_mx in (none, nxdomain, null)
then = reject 5.1.8 Sender domain takes no mail
"""
CLIENT, LISTED, HALF = "91.198.174.10", "91.198.174.20", "91.198.174.30"


def listing(address, zone, reply):
    return {".".join(reversed(address.split("."))) + "." + zone: {"A": [reply]}}


@pytest.fixture(scope="module")
def dns():
    server = DNS({"good.example": {"MX": ["10 mail.good.example"]}, "mail.good.example": {"A": ["91.198.174.1"]},
                  "text.example": {"TXT": ["no mail here"]},
                  **listing("127.0.0.2", "one.bl.example", "127.0.0.2"),
                  **listing("127.0.0.2", "two.bl.example", "127.0.0.4"),
                  **listing(LISTED, "one.bl.example", "127.0.0.2"), **listing(LISTED, "two.bl.example", "127.0.0.5"),
                  **listing(HALF, "one.bl.example", "127.0.0.2")})
    yield server
    server.stop()


@pytest.fixture(scope="module")
def postfix(workdir, sink, dns, needs_postfix):
    policyd = Policyd(workdir / "dns", RULES, options=[f"resolver={dns.resolver}", *PATIENT])
    lines = ("smtpd_recipient_restrictions = reject_unauth_destination, "
             f"check_policy_service inet:127.0.0.1:{policyd.tcp[1]}\n")
    server = Postfix(workdir / "dns-postfix", sink, {"mx": lines})
    yield server
    server.stop()
    policyd.stop()


@pytest.mark.parametrize("address,sender,code,text", [
    (CLIENT, "a@good.example", 250, ""),
    (LISTED, "a@good.example", 554, "5.7.1 .*Your address is on a block list, one,? ?two, ref="),
    (HALF, "a@good.example", 250, ""),
    (CLIENT, "a@text.example", 554, "5.1.[28] .*Sender domain takes no mail, ref="),
    (CLIENT, "a@nowhere.example", 554, "5.1.[28] .*Sender domain takes no mail, ref="),
    (CLIENT, "", 250, ""),
], ids=["clean", "listed-twice", "listed-once", "no-mx", "no-domain", "bounce"])
def test_through_postfix(postfix, address, sender, code, text):
    with postfix.session("mx", address) as session:
        reply = session.deliver(sender, "b@example.org", "dns")
    assert reply[0] == code and re.search(text, reply[1]), reply
