"""SPF end to end: conf/spf.conf with the rules of its comments, a name server with made-up zones, and a real Postfix."""
import re

import pytest

from servers.dns import DNS
from servers.policyd import PATIENT, Policyd
from servers.postfix import Postfix
from servers.process import ROOT, wait_for

pytestmark = [pytest.mark.sanitized, pytest.mark.usefixtures("needs_postfix")]

REFERENCE = r", ref=[a-z0-9]{6}"
GOOD, BAD = "198.18.1.1", "198.18.2.2"  # clients
ZONE = {name: {"TXT": [text]} for name, text in {
    "pass.example": "v=spf1 ip4:198.18.1.0/24 -all",
    "fail.example": "v=spf1 ip4:198.18.1.0/24 -all exp=why.fail.example",
    "why.fail.example": "%{i} may not send for %{d}",
    "curt.example": "v=spf1 -all",
    "soft.example": "v=spf1 ~all",
    "wrong.example": "v=spf1 ip4:198.18.1.0/33 -all",
    "helo.example": "v=spf1 ip4:198.18.1.0/24 -all",
}.items()} | {"away.example": "SILENT"}


def with_presets():
    """conf/spf.conf with the rules that its comments show in force, and the header once for each message."""
    text = (ROOT / "conf/spf.conf").read_text()
    rules = re.sub(r"^#     ", "", text, flags=re.MULTILINE)
    assert rules.count("[rule ") == 4, rules
    return rules.replace("stage = rcpt", "stage = data")


@pytest.fixture(scope="module")
def postfix(workdir, sink):
    dns = DNS(ZONE)
    services, daemons = {}, []
    for name, waits in (("mx", PATIENT), ("hasty", ["dns_timeout=500ms"])):  # where no answer is to come: hasty
        daemons.append(Policyd(workdir / f"spf-{name}", with_presets(), options=[f"resolver={dns.resolver}", *waits]))
        ask = f"check_policy_service inet:127.0.0.1:{daemons[-1].tcp[1]}"
        services[name] = f"smtpd_recipient_restrictions = reject_unauth_destination, {ask}\nsmtpd_data_restrictions = {ask}\n"
    server = Postfix(workdir / "spf-postfix", sink, services)
    yield server
    server.stop()
    for policyd in daemons:
        policyd.stop()
    dns.stop()


def deliver(postfix, address, sender, subject, recipients="bob@example.org", helo="client.example.net"):
    with postfix.session("hasty" if sender.endswith("@away.example") else "mx", address) as session:
        session.ehlo(helo)
        return session.deliver(sender, recipients, subject)


def received_spf(sink, subject):
    wait_for(lambda: sink.find(subject), "the message is delivered")
    return [value for name, value in sink.find(subject)[0].headers if name == "Received-SPF"]


@pytest.mark.parametrize("sender, code, text", [
    ("a@fail.example", 550, f"5.7.23 .*SPF check failed, {re.escape(BAD)} may not send for fail.example"),
    ("a@curt.example", 550, "5.7.23 .*SPF check failed, DEFAULT"),
    ("a@wrong.example", 550, "5.7.24 .*SPF record of wrong.example is wrong"),
    ("a@away.example", 451, "4.7.24 .*SPF record of away.example cannot be read now"),
])
def test_refuses(postfix, sender, code, text):
    got, said = deliver(postfix, BAD, sender, "refused")
    assert got == code and re.search(text + REFERENCE + "$", said), (got, said)


@pytest.mark.parametrize("address, sender, result", [
    (GOOD, "a@pass.example", "pass"),
    (GOOD, "a@fail.example", "pass"),
    (BAD, "a@soft.example", "softfail"),
    (BAD, "a@unheard.example", "none"),
])
def test_accepts_and_says_so_in_the_header(postfix, sink, address, sender, result):
    assert deliver(postfix, address, sender, f"accepted {sender}")[0] == 250
    (header,) = received_spf(sink, f"accepted {sender}")
    assert header.startswith(f"{result} ("), header
    assert f"client-ip={address};" in header and f'envelope-from="{sender}"' in header, header


def test_several_recipients_have_one_header(postfix, sink):
    three = ["a@example.org", "b@example.org", "c@example.org"]
    assert deliver(postfix, GOOD, "a@pass.example", "three", three)[0] == 250
    assert len(received_spf(sink, "three")) == 1


def test_several_messages_of_a_session_have_one_header_each(postfix, sink):
    with postfix.session("mx", GOOD) as session:
        for subject in ("first", "second"):
            assert session.deliver("a@pass.example", ["a@example.org", "b@example.org"], subject)[0] == 250
    assert [len(received_spf(sink, subject)) for subject in ("first", "second")] == [1, 1]


def test_a_bounce_is_checked_by_its_helo_name(postfix, sink):
    got, said = deliver(postfix, BAD, "", "forged bounce", helo="helo.example")
    assert got == 550 and "5.7.23" in said, said
    assert deliver(postfix, GOOD, "", "bounce", helo="helo.example")[0] == 250
    (header,) = received_spf(sink, "bounce")
    assert header.startswith("pass ") and "helo=helo.example" in header, header


def test_a_refused_recipient_leaves_the_session_usable(postfix, sink):
    with postfix.session("mx", BAD) as session:
        assert session.deliver("a@fail.example", "b@example.org", "after")[0] == 550
        session.rset()
        assert session.deliver("a@soft.example", "b@example.org", "after")[0] == 250
    assert len(received_spf(sink, "after")) == 1


def test_postfix_has_no_complaint(postfix):
    assert not [line for line in postfix.log.splitlines() if "warning" in line or "fatal" in line]
