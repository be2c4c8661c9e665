"""signd beside a real Postfix: what it signs verifies with dkimpy, what comes in gets the right Authentication-Results."""
import os
import random
import itertools
import re
import subprocess
import threading

import dkim
import pytest

from servers.dns import DNS
from servers.milters import OpenDKIMVerifier
from servers.policyd import PATIENT
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
def records():
    """Name of a key -> its record."""
    return {}


@pytest.fixture(scope="module")
def signd(workdir, dns, records):
    daemon = Signd(workdir / "signd", "internal_networks = 192.0.2.0/24\n", PATIENT, resolver=dns.resolver)
    for selector, kind in (("rsa1", "rsa"), ("ed1", "ed25519")):
        records[f"{selector}._domainkey.sender.example"] = daemon.add_key("sender.example", selector, kind)
    dns.add({name: {"TXT": [record]} for name, record in records.items()})
    daemon.has_active(2)
    yield daemon
    daemon.stop()


@pytest.fixture(scope="module")
def opendkim(workdir, signd, records):
    """A second opinion: it verifies what signd has signed."""
    milter = OpenDKIMVerifier(workdir / "opendkim", records)
    os.chmod(milter.socket, 0o666)
    yield milter
    milter.stop()


@pytest.fixture(scope="module")
def postfix(workdir, sink, signd, opendkim, signer):
    """`smtpd`: signd alone; `judged`: opendkim verifies what it has made. The records of `signer` are there from the beginning."""
    server = Postfix(workdir / "postfix", sink, {
                         "smtpd": f"smtpd_milters = unix:{signd.unix}\n",
                         "judged": f"smtpd_milters = unix:{signd.unix}, {opendkim.address}\n"},
                     f"non_smtpd_milters = unix:{signd.unix}\nmilter_default_action = tempfail\nsmtputf8_enable = yes\n"
                     "notify_classes =\nremote_header_rewrite_domain =\ncleanup_replace_stray_cr_lf = no\n")
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


def verdicts(found, dns, most=10):
    """dkimpy's verdict of the first signatures."""
    def txt(name, timeout=5):
        records = dns.find(name.decode().rstrip(".").lower())
        return records["TXT"][0].encode() if records else None
    checker = dkim.DKIM(found.raw)
    count = sum(name.lower() == b"dkim-signature" for name, _ in checker.headers)
    return [dkim.DKIM(found.raw).verify(idx=index, dnsfunc=txt) for index in range(min(count, most))]


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


# Messages that signers stumble over: header fields before a blank line, and a body.
NASTY = {
    "eight-bit": ("Subject: eight-bit\r\nX-Name: J\xfcrgen", b"caf\xe9 \xff\xfe\r\n"),
    "no-body": ("Subject: no-body", b""),
    "only-blank-lines": ("Subject: only-blank-lines", b"\r\n\r\n\r\n"),
    "trailing-blanks": ("Subject: trailing-blanks", b"a  \t \r\n b\t\tc \r\n \r\n\r\n\r\n"),
    "folded": ("Subject: folded\r\nTo: <b@example.org>,\r\n\t<c@example.org>,\r\n   <d@example.org>", b"x\r\n"),
    "duplicates": ("Subject: duplicates\r\nTo: <b@example.org>\r\nTo: <c@example.org>\r\nSubject: again", b"x\r\n"),
    "no-space": ("Subject:no-space\r\nReply-To:<x@sender.example>\r\nX-Test:  two", b"x\r\n"),
    "empty-values": ("Subject: empty-values\r\nReply-To:\r\nCc: \r\nX-Empty:", b"x\r\n"),
    "long-lines": ("Subject: long-lines\r\nX-Long: " + "x" * 990, b"y" * 990 + b"\r\n"),
    "odd-case": ("subject: odd-case\r\nREPLY-TO: <X@SENDER.example>", b"x\r\n"),
    "malformed-signature": ("Subject: malformed-signature\r\nDKIM-Signature: v=1; ; = broken\r\nDKIM-Signature: nonsense", b"x\r\n"),
    "dots": ("Subject: dots", b".\r\n..\r\n.x\r\n"),
    "from-in-body": ("Subject: from-in-body", b"From here\r\n>From there\r\n"),
    "large": ("Subject: large", b"0123456789 abcdef\r\n" * 200000),
}


def field_of(found, authserv_id):
    return [value for value in fields(found, "Authentication-Results") if value.startswith(authserv_id)]


@pytest.mark.parametrize("name", NASTY)
def test_nasty_mail_is_signed_so_that_everybody_agrees(postfix, sink, dns, signd, name):
    head, body = NASTY[name]
    text = f"From: <a@sender.example>\r\n{head}\r\n\r\n".encode("latin-1") + body
    with postfix.session("judged", login="a@sender.example") as session:
        assert submit(session, text)[0] == 250
    wait_for(lambda: [one for one in sink.messages if f"ubject: {name}".encode() in one.raw or f"ubject:{name}".encode() in one.raw],
             f"{name} is delivered", timeout=30)
    found = [one for one in sink.messages if f"ubject: {name}".encode() in one.raw or f"ubject:{name}".encode() in one.raw][0]
    assert verdicts(found, dns, 2) == [True, True], found.raw[:3000]
    if name != "malformed-signature":  # opendkim judges no signature of a message with a malformed one
        said = field_of(found, "verifier.example")
        # It may not know Ed25519; of RSA it is sure.
        assert len(said) == 1 and re.search(r"dkim=pass[^;]*header\.s=rsa1", said[0]), said
        assert "dkim=fail" not in said[0]
    # signd takes its own signatures when the message comes in from outside.
    with postfix.session("smtpd") as session:
        assert submit(session, found.raw)[0] == 250
    wait_for(lambda: len([one for one in sink.messages if f"ubject: {name}".encode() in one.raw or f"ubject:{name}".encode() in one.raw]) == 2,
             "it comes back", timeout=30)
    back = [one for one in sink.messages if f"ubject: {name}".encode() in one.raw or f"ubject:{name}".encode() in one.raw][1]
    assert [result for result, _ in results(back)["dkim"]][:2] == ["pass", "pass"], back.raw[:3000]


def test_bare_line_ends(postfix, sink, dns):
    """Postfix takes a bare LF for a line end; a bare CR stays, and the body is signed as `simple`."""
    with postfix.session("judged", login="a@sender.example") as session:
        assert submit(session, message("bare", body=b"one\rtwo  three\r\nfour\nfive\r\n"))[0] == 250
    found = arrived(sink, "bare")
    assert verdicts(found, dns) == [True, True]
    assert all("/simple;" in value for value in fields(found, "DKIM-Signature"))


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


FORGED = [OURS + "; dkim=pass", "MX.Example.ORG;\r\n\tspf=pass", f"(x) {OURS} 1; dmarc=pass", f'"{OURS}"; none', f"{OURS}(x)/1; none",
          f"{OURS}.; dmarc=pass", f"=?us-ascii?Q?{OURS}=3B_dmarc=3Dpass?=", "=?us-ascii?Q?mx?=\r\n\t=?us-ascii?Q?.example.org;?= x=y"]
STAY = ["other.example; dkim=pass", f"not{OURS}; spf=pass", f"{OURS}.example.net; none"]


SPELT = ["Authentication-Results", "Authentication-Results \t", "AUTHENTICATION-results"]


def test_forged_results_are_removed_and_others_stay(postfix, sink):
    mixed = [FORGED[0], STAY[0], FORGED[1], FORGED[2], STAY[1], FORGED[3], STAY[2], FORGED[4]]
    mixed += FORGED[5:]
    forged = "".join(f"{name}: {value}\r\n" for name, value in zip(itertools.cycle(SPELT), mixed)).encode()
    found = receive(postfix, sink, inbound("forged", fields=forged))
    assert fields(found, "Authentication-Results")[1:] == STAY
    assert results(found)["dkim"] == [("none", "")]
    with postfix.session("smtpd", login="a@sender.example") as session:
        assert submit(session, message("forged-out", fields=forged))[0] == 250
    assert fields(arrived(sink, "forged-out"), "Authentication-Results")[1:] == STAY


def test_white_space_before_a_colon_hides_no_field(postfix, sink, dns):
    """RFC 5322 4.5. A forged result goes, and those of others stay; a second author is one."""
    forged = (f"Authentication-Results : {FORGED[0]}\r\nAuthentication-Results: {STAY[0]}\r\n"
              f"Authentication-Results\t: {FORGED[1]}\r\nAuthentication-Results : {STAY[1]}\r\n").encode()
    found = receive(postfix, sink, inbound("white", fields=forged))
    said = re.findall(r"^authentication-results[ \t]*:\s*([^;\s]+)", found.text, re.M | re.I)
    assert said == [OURS, *(value.split(";")[0] for value in STAY[:2])], found.text
    dns.add({"_dmarc.evil.example": {"TXT": ["v=DMARC1; p=reject"]}})
    one = receive(postfix, sink, inbound("one-author"))
    two = [receive(postfix, sink, inbound(f"two-authors-{n}", fields=b"From" + blanks + b": <y@evil.example>\r\n"))
           for n, blanks in enumerate((b"", b" ", b"\t "))]
    assert len({results(found)["dmarc"] for found in two}) == 1
    assert results(two[0])["dmarc"] != results(one)["dmarc"]


# What policyd's prepend does.
PREPENDED = (f"Received-SPF: pass (x) receiver={OURS}; client-ip=198.18.0.1; envelope-from=x@other.example; helo=client.example.net")


def test_received_spf_is_the_first_field_where_postfix_prepends_it(workdir, sink, dns, signer, request):
    """trust_received_spf: what is prepended is believed, what a sender writes is not while something is prepended."""
    daemon = Signd(workdir / "trusting", "trust_received_spf = yes\n", PATIENT, resolver=dns.resolver)
    request.addfinalizer(daemon.stop)
    table = workdir / "prepend.cidr"
    table.write_text(f"0.0.0.0/0 PREPEND {PREPENDED}\n")
    server = Postfix(workdir / "trusting-postfix", sink, {
        "says": f"smtpd_milters = unix:{daemon.unix}\nsmtpd_recipient_restrictions = check_client_access cidr:{table}\n",
        "silent": f"smtpd_milters = unix:{daemon.unix}\n"}, "milter_default_action = tempfail\nnotify_classes =\n")
    request.addfinalizer(server.stop)
    forged = PREPENDED.replace("other.example", "evil.example").encode() + b"\r\n"
    for name, service, field in (("spf-said", "says", b""), ("spf-and-forged", "says", forged)):
        with server.session(service) as session:
            assert submit(session, inbound(name, fields=field), "x@other.example")[0] == 250
        assert results(arrived(sink, name))["spf"] == ("pass", "smtp.mailfrom=x@other.example"), name
        assert results(arrived(sink, name))["dmarc"][0] == "pass"


# ---- ends and beginnings ----

def test_ended_and_started_under_load_it_loses_nothing(postfix, sink, dns, signd):
    """Whatever is accepted arrives once, and signed."""
    accepted, refused, errors, stop = [], [], [], threading.Event()

    def work(number):
        try:
            send(number)
        except Exception as error:  # a thread's failure is the test's
            errors.append(error)

    def send(number):
        chance = random.Random(number)
        for n in range(10000):
            if stop.is_set():
                return
            subject = f"load-{number}-{n}"
            with postfix.session("smtpd", login="a@sender.example") as session:
                reply = submit(session, message(subject, body=b"x" * chance.randrange(60) + b"\r\n"))
            (accepted if reply[0] == 250 else refused).append((subject, reply))

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for _ in range(4):
        count = len(accepted)
        wait_for(lambda c=count: errors or len(accepted) >= c + 10, "mail flows", timeout=30)
        signd.stop()
        signd.start()
    stop.set()
    for worker in workers:
        worker.join()
    assert not errors, errors
    assert all(reply[0] // 100 == 4 for _, reply in refused), refused
    wanted = {subject for subject, _ in accepted}
    wait_for(lambda: wanted <= {dict(one.headers).get("Subject") for one in sink.messages}, "all arrive", timeout=60)
    found = [one for one in sink.messages if dict(one.headers).get("Subject", "").startswith("load-")]
    assert len(found) == len(wanted)
    for one in found:
        assert verdicts(one, dns) == [True, True], one.text
