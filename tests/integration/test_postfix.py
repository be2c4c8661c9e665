"""policyd beside a real Postfix: what a fresh installation does, and what Postfix really does to a policy service."""
import itertools
import re
import signal
import subprocess
import threading

import pytest

from servers.policyd import Policyd
from servers.postfix import Postfix
from servers.process import ROOT, wait_for

pytestmark = pytest.mark.usefixtures("needs_postfix")

REFERENCE = r", ref=[a-z0-9]{6}"

# A rule and a limit for each trap; the sender's domain chooses. Clients' addresses keep the tests apart.
TRAPS = """
[limit messages]
key = client_address
count = messages
rate = 2/1h
over = defer 4.7.1 Too many messages

[limit recipients]
key = client_address
count = recipients
rate = 5/1h
over = defer 4.7.1 Too many recipients

[limit bytes]
key = client_address
count = bytes
rate = 8K/1h
over = defer 4.7.1 Too many bytes

[rule large]
when = size > 100K
stage = end-of-message
then = reject 5.3.4 Message too large

[rule one-only]
when = recipient_count > 1 and sender_domain = single.example
then = reject 5.5.3 One recipient a message

[rule refused]
when = sender_domain = refused.example
stage = data
then = reject 5.7.1 Refused by a rule

[rule header]
then = prepend X-Policy: seen {client_address}

[rule messages]
when = sender_domain in (messages.example, refused.example, single.example)
then = limit messages

[rule recipients]
when = sender_domain = recipients.example
then = limit recipients

[rule bytes]
when = sender_domain = bytes.example
then = limit bytes
"""

_host = itertools.count(1)


@pytest.fixture
def address():
    """A client address that no other test uses."""
    number = next(_host)
    return f"198.18.{number // 250}.{number % 250 + 1}"


def printed_lines(service):
    """The lines for main.cf, exactly as `make run` prints them."""
    return subprocess.run([ROOT / "scripts/main-cf-lines", service], capture_output=True, text=True, check=True).stdout


def inet(policyd):
    return f"inet:127.0.0.1:{policyd.tcp[1]}"


# ---- a fresh installation ----

@pytest.fixture(scope="module")
def fresh(workdir, sink, country_database):
    """policyd with the configuration of `make run`, and a Postfix with the lines that it prints."""
    policyd = Policyd(workdir / "fresh", conf_file=ROOT / "conf/try.conf",
                      options=[f"geoip_database={country_database}"])
    postfix = Postfix(workdir / "fresh-postfix", sink, {"mx": ""}, printed_lines(inet(policyd)))
    yield postfix
    postfix.stop()
    policyd.stop()


def test_printed_lines_are_accepted_by_postfix(fresh):
    with fresh.session("mx") as session:
        assert session.noop()[0] == 250
    assert "fatal" not in fresh.log and "warning" not in fresh.log, fresh.log


def test_clean_mail_arrives(fresh, sink):
    with fresh.session("mx", "192.0.2.1") as session:
        assert session.deliver("someone@example.net", "bob@example.org", "clean")[0] == 250
    wait_for(lambda: sink.find("clean"), "the message is delivered")
    assert sink.find("clean")[0].recipients == ["bob@example.org"]


@pytest.mark.parametrize("case, address, login, sender, text", [
    ("blocked client", "198.18.66.7", None, "a@example.net", "5.7.1 .*Your address is blocked here"),
    ("blocked domain", "192.0.2.1", None, "a@mail.spam.example", "5.7.1 .*Your domain is blocked here"),
    ("blocked country", "198.51.100.7", None, "a@example.net",
     "5.7.1 .*Mail from this country is not accepted here"),
    ("forged sender", "192.0.2.1", "bob@example.com", "alice@example.com",
     "5.7.1 .*Sender address does not belong to this login"),
])
def test_refuses(fresh, case, address, login, sender, text):
    with fresh.session("mx", address, login=login) as session:
        code, said = session.deliver(sender, "bob@example.org", case)
    assert code == 554, said
    assert re.search(text + REFERENCE + "$", said), said


@pytest.mark.parametrize("case, address, login, sender", [
    ("own address", "192.0.2.1", "alice@example.com", "alice@example.com"),
    ("shared address", "192.0.2.1", "bob@example.com", "sales@example.com"),
    ("user abroad", "198.51.100.7", "alice@example.com", "alice@example.com"),
    ("bounce", "192.0.2.1", None, ""),
])
def test_accepts(fresh, case, address, login, sender):
    with fresh.session("mx", address, login=login) as session:
        code, said = session.deliver(sender, "bob@example.org", case)
    assert code == 250, said


def test_quota_ends_the_message_over_it(fresh):
    with fresh.session("mx", "192.0.2.9", login="quota@example.com") as session:
        for _ in range(10):
            assert session.deliver("", "bob@example.org", "quota")[0] == 250
        code, said = session.deliver("", "bob@example.org", "quota")
    assert code == 450, said
    assert re.search("4.7.1 .*Sending limit reached, try again later" + REFERENCE + "$", said), said


# ---- what Postfix does to a policy service ----

@pytest.fixture(scope="module")
def traps(workdir, sink):
    """(policyd, postfix): smtpd `plain` has the printed lines, `lists` asks in every list, `hasty` waits 1 s only."""
    policyd = Policyd(workdir / "traps", TRAPS)
    ask = f"check_policy_service {inet(policyd)}"
    hasty = f"check_policy_service {{ {inet(policyd)}, timeout=1s, try_limit=4, retry_delay=1s }}"
    stages = ("client", "helo", "sender", "recipient", "data", "end_of_data")
    postfix = Postfix(workdir / "traps-postfix", sink, {
        "plain": printed_lines(inet(policyd)),
        "lists": "".join(f"smtpd_{stage}_restrictions = {ask}, {ask}\n" for stage in stages),
        "hasty": f"smtpd_data_restrictions = {hasty}\n",
        "eager": "smtpd_delay_reject = no\n" + "".join(f"smtpd_{stage}_restrictions = {ask}\n" for stage in stages),
    })
    yield policyd, postfix
    postfix.stop()
    policyd.stop()


@pytest.mark.parametrize("service", ["plain", "lists", "eager"])
def test_several_lists_charge_once(traps, address, service):
    with traps[1].session(service, address) as session:
        for _ in range(2):
            assert session.deliver("a@messages.example", "b@example.org", "lists")[0] == 250
        code, said = session.deliver("a@messages.example", "b@example.org", "lists")
    assert code == 450 and "Too many messages" in said, said


def test_each_recipient_is_charged_once(traps, address):
    three = ["a@example.org", "b@example.org", "c@example.org"]
    with traps[1].session("plain", address) as session:
        assert session.deliver("a@recipients.example", three, "three")[0] == 250
        code, said = session.deliver("a@recipients.example", three, "six")
        assert code == 450 and "Too many recipients" in said, said
        session.rset()
        assert session.deliver("a@recipients.example", three[:2], "five")[0] == 250


def test_a_refused_message_costs_nothing(traps, address):
    with traps[1].session("plain", address) as session:
        for _ in range(3):
            assert session.deliver("a@refused.example", "b@example.org", "refused")[0] == 554
            session.rset()
        for _ in range(2):
            assert session.deliver("a@messages.example", "b@example.org", "free")[0] == 250


def test_retry_after_a_stalled_answer_is_charged_once(traps, address):
    policyd, postfix = traps
    with postfix.session("hasty", address) as session:
        assert session.start("a@messages.example", "b@example.org")[0] == 250
        policyd.process.send_signal(signal.SIGSTOP)
        going_on = threading.Timer(1.5, policyd.process.send_signal, [signal.SIGCONT])
        going_on.start()
        code, said = session.docmd("DATA")
        going_on.join()
        assert code == 354, said
        session.send(b"Subject: stalled\r\n\r\nhello\r\n.\r\n")
        assert session.getreply()[0] == 250
        assert session.deliver("a@messages.example", "b@example.org", "second")[0] == 250
        assert session.deliver("a@messages.example", "b@example.org", "third")[0] == 450
    wait_for(lambda: "timeout" in postfix.log or "problem talking to server" in postfix.log, "Postfix says that it had to wait")


def test_bare_postmaster_is_charged_too(traps, address):
    """Postfix skips all recipient restrictions for it."""
    with traps[1].session("plain", address) as session:
        for _ in range(2):
            assert session.deliver("a@messages.example", "postmaster", "bare")[0] == 250
        code, said = session.deliver("a@messages.example", "postmaster", "bare")
    assert code == 450 and "Too many messages" in said, said


@pytest.mark.parametrize("sender, size, want, text", [
    ("a@bytes.example", 20000, 421, "Too many bytes"),
    ("a@example.net", 200000, 521, "Message too large"),
])
def test_a_refusal_at_end_of_message_closes_the_session(traps, address, sender, size, want, text):
    """Otherwise Postfix before 3.12 answers the next MAIL with 503 nested MAIL command."""
    with traps[1].session("plain", address) as session:
        code, said = session.deliver(sender, "b@example.org", "large", size)
        assert code == want and text in said, said
        assert session.sock is None or session.sock.recv(1) == b""
    with traps[1].session("plain", address) as session:
        assert session.deliver(sender, "b@example.org", "small")[0] == 250


def test_bytes_are_charged_at_end_of_message(traps, address):
    with traps[1].session("plain", address) as session:
        assert session.deliver("a@bytes.example", "b@example.org", "first", 6000)[0] == 250
    with traps[1].session("plain", address) as session:
        assert session.deliver("a@bytes.example", "b@example.org", "second", 6000)[0] == 421


@pytest.mark.parametrize("service", ["plain", "lists", "eager"])
def test_prepend_puts_one_header(traps, address, sink, service):
    subject = f"header {service}"
    with traps[1].session(service, address) as session:
        assert session.deliver("a@example.net", ["a@example.org", "b@example.org", "c@example.org"], subject)[0] == 250
    wait_for(lambda: sink.find(subject), "the message is delivered")
    headers = [value for name, value in sink.find(subject)[0].headers if name == "X-Policy"]
    assert headers == [f"seen {address}"]


def test_recipient_count_is_known_at_data(traps, address):
    with traps[1].session("plain", address) as session:
        assert session.deliver("a@single.example", "a@example.org", "one")[0] == 250
        code, said = session.deliver("a@single.example", ["a@example.org", "b@example.org"], "two")
    assert code == 554 and "One recipient a message" in said, said


def test_postfix_has_no_complaint(traps):
    """Runs last of those that use it: no protocol error was logged except by the stalled retry."""
    complaints = [line for line in traps[1].log.splitlines() if "warning" in line or "fatal" in line]
    allowed = ("timeout", "problem talking to server", "premature end", "Success")
    assert not [line for line in complaints if not any(word in line for word in allowed)]
