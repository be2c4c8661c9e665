"""signd beside a real Postfix: what it signs verifies with dkimpy, what comes in gets the right Authentication-Results."""
import re
import subprocess

import dkim
import pytest

from servers.dns import DNS
from servers.postfix import Postfix
from servers.process import wait_for
from servers.signd import Signd, make_key, record_of

pytestmark = pytest.mark.usefixtures("needs_postfix")

OURS = "mx.example.org"


@pytest.fixture(scope="module")
def dns():
    server = DNS({})
    yield server
    server.stop()


@pytest.fixture(scope="module")
def signd(workdir, dns):
    daemon = Signd(workdir / "signd", "dns_timeout = 1s\ninternal_networks = 192.0.2.0/24\n",
                   resolver=dns.resolver)
    for selector, kind in (("rsa1", "rsa"), ("ed1", "ed25519")):
        dns.add({f"{selector}._domainkey.sender.example": {"TXT": [daemon.add_key("sender.example", selector, kind)]}})
    wait_for(lambda: daemon.metric("gatehouse_keys", state="usable") == 2, "both keys are there")
    yield daemon
    daemon.stop()


@pytest.fixture(scope="module")
def postfix(workdir, sink, signd):
    server = Postfix(workdir / "postfix", sink, {"smtpd": f"smtpd_milters = {signd.milter()}\n"},
                     f"non_smtpd_milters = {signd.milter()}\nmilter_default_action = tempfail\nsmtputf8_enable = yes\n"
                     "notify_classes =\nremote_header_rewrite_domain =\n")
    yield server
    server.stop()


def submit(session, message, sender="a@sender.example", recipient="b@example.org"):
    """A message as it is, CRLF line ends; the reply."""
    reply = session.start(sender, recipient)
    if reply[0] != 250:
        return reply
    assert session.docmd("DATA")[0] == 354
    session.send(message.replace(b"\r\n.", b"\r\n..") + b".\r\n")
    return session.reply(*session.getreply())


def message(subject, sender="a@sender.example", body=b"hello\r\n", fields=b""):
    return (f"From: <{sender}>\r\nTo: <b@example.org>\r\nSubject: {subject}\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\n"
            f"Message-ID: <{subject}@sender.example>\r\n").encode() + fields + b"\r\n" + body


def arrived(sink, subject):
    """The one message with this subject."""
    wait_for(lambda: sink.find(subject), f"{subject} is delivered")
    assert len(sink.find(subject)) == 1
    return sink.find(subject)[0]


def fields(found, name):
    return [value for key, value in found.headers if key.lower() == name.lower()]


def verdicts(found, dns):
    """dkimpy's verdict of each signature."""
    def txt(name, timeout=5):
        records = dns.find(name.decode().rstrip(".").lower())
        return records["TXT"][0].encode() if records else None
    checker = dkim.DKIM(found.raw)
    count = sum(name.lower() == b"dkim-signature" for name, _ in checker.headers)
    return [dkim.DKIM(found.raw).verify(idx=index, dnsfunc=txt) for index in range(count)]


def results(found):
    """Our Authentication-Results as {method: (result, text)}; dkim is a list."""
    own = [value for value in fields(found, "Authentication-Results") if value.startswith(OURS + ";")]
    assert len(own) == 1, found.text
    parsed = {"dkim": []}
    for part in own[0].split(";")[1:]:
        match = re.fullmatch(r"\s*(\w+)=(\w+)(.*)", part, re.DOTALL)
        entry = (match[2], match[3].strip())
        if match[1] == "dkim":
            parsed["dkim"].append(entry)
        else:
            parsed[match[1]] = entry
    return parsed


# ---- signing ----

def test_mail_of_a_login_has_two_signatures(postfix, sink, dns):
    with postfix.session("smtpd", login="a@sender.example") as session:
        assert submit(session, message("login"))[0] == 250
    found = arrived(sink, "login")
    assert sorted(re.search(r"s=(\w+)", value)[1] for value in fields(found, "DKIM-Signature")) == ["ed1", "rsa1"]
    assert verdicts(found, dns) == [True, True], found.text
    assert results(found)["auth"] == ("pass", "smtp.auth=a@sender.example")


def test_mail_of_the_host_itself_is_signed(postfix, sink, dns):
    subprocess.run(["/usr/sbin/sendmail", "-C", postfix.directory / "etc", "-f", "root@sender.example", "b@example.org"],
                   input=b"From: root@sender.example\nSubject: cron\n\nhello\n", check=True, timeout=30)
    assert verdicts(arrived(sink, "cron"), dns) == [True, True]


# ---- verifying ----

@pytest.fixture(scope="module")
def signer(dns):
    """signer(message) -> the message as other.example signs it, with a strict DMARC policy."""
    pem = make_key()
    dns.add({"key._domainkey.other.example": {"TXT": [record_of(pem)]},
             "_dmarc.other.example": {"TXT": ["v=DMARC1; p=reject"]}})
    def sign(text):
        return dkim.sign(text, b"key", b"other.example", pem, include_headers=[b"from", b"to", b"subject", b"date"]) + text
    return sign


def receive(postfix, sink, text, sender="x@other.example"):
    """What becomes of mail from outside."""
    with postfix.session("smtpd") as session:
        assert submit(session, text, sender)[0] == 250
    subject = re.search(rb"Subject: (\S+)", text)[1].decode()
    return arrived(sink, subject)


def inbound(subject, **arguments):
    return message(subject, sender="x@other.example", **arguments)


def test_mail_with_a_good_signature(postfix, sink, signer):
    found = receive(postfix, sink, signer(inbound("good")))
    assert found.headers[0][0] == "Authentication-Results"
    said = results(found)
    assert said["dkim"][0][0] == "pass" and "header.d=other.example" in said["dkim"][0][1]
    assert "(2048-bit key)" in said["dkim"][0][1] and "header.s=key" in said["dkim"][0][1]
    assert said["dmarc"] == ("pass", "(p=reject dis=none) header.from=other.example")
    assert "auth" not in said and len(fields(found, "DKIM-Signature")) == 1


def test_mail_that_was_altered(postfix, sink, signer):
    found = receive(postfix, sink, signer(inbound("altered")).replace(b"hello", b"h3llo"))
    assert results(found)["dkim"][0][0] == "fail"
    assert "body hash did not verify" in results(found)["dkim"][0][1]


def test_mail_without_a_signature(postfix, sink):
    found = receive(postfix, sink, inbound("unsigned"))
    assert results(found)["dkim"] == [("none", "")]
    # policyd has not looked at SPF: nobody can say that it fails.
    assert results(found)["dmarc"][0] == "temperror"


FORGED = [OURS + "; dkim=pass", "MX.Example.ORG;\r\n\tspf=pass", f"(x) {OURS} 1; dmarc=pass", f'"{OURS}"; none', f"{OURS}(x)/1; none"]
STAY = ["other.example; dkim=pass", f"not{OURS}; spf=pass", f"{OURS}.example.net; none"]


def test_forged_results_are_removed_and_others_stay(postfix, sink):
    mixed = [FORGED[0], STAY[0], FORGED[1], FORGED[2], STAY[1], FORGED[3], STAY[2], FORGED[4]]
    forged = "".join(f"Authentication-Results: {value}\r\n" for value in mixed).encode()
    found = receive(postfix, sink, inbound("forged", fields=forged))
    assert fields(found, "Authentication-Results")[1:] == STAY
    assert results(found)["dkim"] == [("none", "")]
    with postfix.session("smtpd", login="a@sender.example") as session:
        assert submit(session, message("forged-out", fields=forged))[0] == 250
    assert fields(arrived(sink, "forged-out"), "Authentication-Results")[1:] == STAY
