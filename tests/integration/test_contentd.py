"""contentd behind a real Postfix, with real clamd and spamd: verdicts, recipients that disagree, live changes."""
import contextlib
import email.utils
import os
import re
import socket
import subprocess

import pytest

from servers.clamd import EICAR, Clamd
from servers.filter import Filter, filtering_postfix, send
from servers.milters import OpenDKIM
from servers.policyd import BUILD, PATIENT, Policyd
from servers.process import ROOT, wait_for
from servers.spamd import GTUBE, Spamd

pytestmark = [pytest.mark.usefixtures("needs_postfix"), pytest.mark.sanitized]

CONFIG = """
release = inet:127.0.0.1:{release}

[scanner clam]
kind = clamd unix:{clamd}

[scanner spam]
kind = spamd inet:127.0.0.1:{spamd}
scan_timeout = 30s

[chain full]
scanners   = clam, spam
tag        = 6
quarantine = 10

[chain light]
scanners = clam

[chain boss]
scanners       = clam, spam
tag            = 6
subject_prefix = [SPAM]

[apply]
*                       = full
@light.example.org      = light
gm@example.org          = boss

[rule not-you]
when  = sender = "bad@example.net"
then  = reject 5.7.1 Not you
stage = mail

[rule author]
when = authenticated and from != sasl_username
then = reject 5.7.1 From address does not belong to this login

[rule programs]
when = attachment.extension in (exe, scr)
then = reject 5.7.1 No programs, {{attachment.name}}
[rule ambiguous]
when = mime.ambiguous
then = reject 5.7.1 Write it plainly

[rule crowd]
when  = connections > 2 and client_address = 198.18.7.7
then  = tempfail 4.7.0 Too many connections
stage = connect
"""

# Of now: SpamAssassin goes by the date.
HEAD = "From: <a@example.net>\nTo: <b@example.org>\nSubject: {subject}\nX-Spam-Flag: NO\n" \
       f"Date: {email.utils.formatdate()}\n" "Message-ID: <{subject}@example.net>\n\n"


def text(subject, body="hello"):
    return HEAD.format(subject=subject) + body


@pytest.fixture(scope="module")
def site(workdir, sink):
    """(contentd, Postfix, configuration) with clamd and spamd."""
    with contextlib.ExitStack() as stack:
        clamd = Clamd(workdir / "clamd")
        stack.callback(clamd.stop)
        spamd = Spamd(workdir / "spamd")
        stack.callback(spamd.stop)
        postfix = filtering_postfix(workdir / "postfix", sink, workdir / "contentd/milter")
        stack.callback(postfix.stop)
        config = CONFIG.format(release=postfix.ports["release"], clamd=clamd.socket, spamd=spamd.port)
        contentd = Filter(workdir / "contentd", config)
        stack.callback(contentd.stop)
        yield contentd, postfix, config, clamd


@contextlib.contextmanager
def configured(site, other):
    """Another configuration is in force, for so long."""
    contentd, _, config, _ = site
    contentd.put_in_force(other)
    try:
        yield
    finally:
        contentd.put_in_force(config)


def delivered(sink, subject):
    return wait_for(lambda: [m for m in sink.messages if f"Message-ID: <{subject}@example.net>" in m.text], f"{subject} arrives")


def test_malware_is_refused_and_named(site, sink):
    contentd, postfix, _, _ = site
    with postfix.session("mx") as session:
        reply = send(session, "a@example.net", ["b@example.org"], text("eicar", EICAR))
    assert reply[0] == 554
    assert re.search(r"5\.7\.1 Message contains malware, Gatehouse\.Test\.EICAR\S*, ref=\w{6}", reply[1])
    reference = reply[1].rsplit("ref=", 1)[1]
    line = wait_for(lambda: [line for line in contentd.decisions() if reference in line], "the decision is logged")[0]
    assert "verdict=reject" in line and "by=virus" in line and "found=clam:virus" in line
    assert not [m for m in sink.messages if "eicar@example.net" in m.text]


def test_clean_mail_says_so_and_forged_fields_go(site, sink):
    _, postfix, _, _ = site
    with postfix.session("mx") as session:
        assert send(session, "a@example.net", ["b@example.org"], text("clean"))[0] == 250
    headers = delivered(sink, "clean")[0].headers
    assert ("X-Virus-Status", "Clean") in headers
    assert [name for name, _ in headers if name == "X-Spam-Flag"] == []
    assert any(name == "X-Spam-Status" and value.startswith("No, score=") for name, value in headers)


def test_three_chains_three_outcomes(site, sink):
    contentd, postfix, _, _ = site
    with postfix.session("mx") as session:
        reply = send(session, "a@example.net", ["x@example.org", "y@light.example.org", "gm@example.org"], text("gtube", GTUBE))
    assert reply[0] == 250
    wait_for(lambda: len(delivered(sink, "gtube")) == 2, "two copies arrive")
    by_recipient = {m.recipients[0]: m.headers for m in delivered(sink, "gtube")}
    assert set(by_recipient) == {"y@light.example.org", "gm@example.org"}
    plain, tagged = by_recipient["y@light.example.org"], by_recipient["gm@example.org"]
    assert ("Subject", "gtube") in plain and not [name for name, _ in plain if name.startswith("X-Spam")]
    assert ("Subject", "[SPAM] gtube") in tagged and ("X-Spam-Flag", "YES") in tagged
    kept = contentd.gatectl("quarantine", "list").stdout
    assert "x@example.org" in kept
    wait_for(lambda: any("gm@example.org" in line for line in contentd.decisions()), "it is counted and logged")
    looked_at = contentd.metric("gatehouse_content_messages_total")
    identity = re.search(r"\b01\w{18}\b", kept)[0]
    assert contentd.gatectl("quarantine", "release", identity).returncode == 0
    wait_for(lambda: len(delivered(sink, "gtube")) == 3, "the third is released")
    assert delivered(sink, "gtube")[2].recipients == ["x@example.org"]
    assert contentd.metric("gatehouse_content_messages_total") == looked_at  # not scanned again


def test_a_live_change_is_in_force_within_a_second(site, sink):
    contentd, postfix, _, _ = site
    assert contentd.gatectl("apply", "set", "live@example.org", "ligth").returncode != 0
    assert contentd.gatectl("apply", "set", "live@example.org", "light").returncode == 0

    def is_light():
        with postfix.session("mx") as session:
            assert send(session, "a@example.net", ["live@example.org"], text("live"))[0] == 250
        return "chain=light" in wait_for(lambda: [d for d in contentd.decisions() if "live@example.org" in d], "decided")[-1]

    wait_for(is_light, "the chain is another", 5)
    assert "light" in contentd.gatectl("apply", "list").stdout
    assert contentd.gatectl("apply", "unset", "live@example.org").returncode == 0


@pytest.mark.parametrize("what, arguments, reply", [
    ("before the message", dict(sender="bad@example.net"), "Not you"),
    ("impersonation", dict(login="b@example.org"), "From address does not belong to this login"),
    ("two boundaries", dict(head="MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b; boundary=c\n"), "Write it plainly"),
    ("an attachment in two forms", dict(head="MIME-Version: 1.0\nContent-Type: application/octet-stream; name=a.txt; name*=utf-8''a.exe\n"),
     "No programs, a.txt"),
    ("an attachment", dict(head="MIME-Version: 1.0\nContent-Type: application/octet-stream; name*=utf-8''a%2Eexe\n"), "No programs, a.exe"),
])
def test_rules_refuse(site, what, arguments, reply):
    _, postfix, _, _ = site
    head = arguments.get("head", "")
    with postfix.session("mx", login=arguments.get("login")) as session:
        code, said = send(session, arguments.get("sender", "a@example.net"), ["b@example.org"], head + text("rules"))
    assert code == 554 and reply in said and "ref=" in said, what


def test_connections_at_the_same_time(site):
    contentd, postfix, _, _ = site
    with contextlib.ExitStack() as stack:
        replies = []
        for _ in range(4):
            session = stack.enter_context(contextlib.closing(postfix.session("mx", address="198.18.7.7")))
            replies.append(session.reply(*session.mail("a@example.net"))[0])
        assert replies == [250, 250, 451, 451] or replies == [250, 250, 421, 421], replies
    assert wait_for(lambda: any("rule=crowd" in line for line in contentd.decisions()), "it is logged")


def test_a_dead_scanner_defers_its_chain_alone(site, sink):
    _, postfix, config, clamd = site
    clamd.pause()
    try:
        with configured(site, config.replace(f"unix:{clamd.socket}", f"unix:{clamd.socket}\nscan_timeout = 300ms\nconnect_timeout = 300ms")
                        .replace("[apply]", "[chain none]\n[apply]\nfree@example.org = none")):
            with postfix.session("mx") as session:
                reply = send(session, "a@example.net", ["b@example.org"], text("dead"))
                assert reply[0] == 451 and "cannot be scanned now" in reply[1], reply
            with postfix.session("mx") as session:
                assert send(session, "a@example.net", ["free@example.org"], text("free"))[0] == 250
    finally:
        clamd.go_on()
    delivered(sink, "free")


def test_malware_does_not_wait_for_scanners_behind(site, workdir):
    contentd, postfix, config, _ = site
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as silent:
        silent.bind(str(workdir / "silent"))
        silent.listen(10)
        with configured(site, config.replace("[chain light]\nscanners = clam\n",
                                             "[chain light]\nscanners = clam, silent\n[scanner silent]\nkind = clamd "
                                             f"unix:{workdir}/silent\nscan_timeout = 40s\n")):
            with postfix.session("mx") as session:
                assert send(session, "a@example.net", ["y@light.example.org"], text("early", EICAR))[0] == 554
            line = wait_for(lambda: [line for line in contentd.decisions() if "silent:" in line], "decided")[0]
            assert "found=clam:virus,silent:cancelled" in line


def test_split_sends_other_chains_away(site, sink):
    _, postfix, config, _ = site
    with configured(site, "mixed = split\n" + config), postfix.session("mx") as session:
        session.start("a@example.net", "b@example.org")
        assert session.reply(*session.rcpt("y@light.example.org"))[0] == 452
        assert session.reply(*session.rcpt("c@example.org"))[0] == 250
        session.docmd("DATA")
        session.send(text("split").replace("\n", "\r\n").encode() + b"\r\n.\r\n")
        assert session.getreply()[0] == 250
    assert sorted(delivered(sink, "split")[0].recipients) == ["b@example.org", "c@example.org"]


def test_shadow_mode_changes_nothing(site, sink):
    contentd, postfix, config, _ = site
    with configured(site, "mode = shadow\n" + config), postfix.session("mx") as session:
        assert send(session, "a@example.net", ["b@example.org"], text("shadow", EICAR))[0] == 250
    assert not [name for name, _ in delivered(sink, "shadow")[0].headers if name.startswith("X-Virus")]
    wait_for(lambda: any("mode=shadow" in line and "verdict=reject" in line for line in contentd.decisions()), "it is logged")


POLICYD = """
[limit messages]
key   = sender
count = messages
rate  = 100/1h
[limit each]
key    = sender
count  = recipients
charge = rcpt
rate   = 100/1h
[rule all]
then = limit messages, each
"""


@pytest.fixture
def with_policyd(site, workdir, sink, redis):
    """(contentd, Postfix, how much counts now) that share a Redis with a policyd, asked at RCPT and DATA."""
    _, _, config, clamd = site
    redis.cli("FLUSHDB")
    own = workdir / f"paid-{os.urandom(3).hex()}"
    own.mkdir(mode=0o755)
    with contextlib.ExitStack() as stack:
        policyd = Policyd(own / "policyd", POLICYD, [f"store={redis.url}", *PATIENT])
        stack.callback(policyd.stop)
        ask = f"check_policy_service unix:{policyd.unix}"
        postfix = filtering_postfix(own / "postfix", sink, own / "contentd/milter",
                                    f"smtpd_recipient_restrictions = reject_unauth_destination, {ask}\n"
                                    f"smtpd_data_restrictions = {ask}\n")
        stack.callback(postfix.stop)
        contentd = Filter(own / "contentd", re.sub(r"release = .*", "message_size_max = 20000", config),
                          [f"store={redis.url}", "store_timeout=10s"])
        stack.callback(contentd.stop)

        yield contentd, postfix, redis.used


def test_mail_that_is_not_taken_costs_nothing(site, with_policyd):
    """Deferred mail comes again, as another message to policyd: it is paid for once, when it is delivered."""
    clamd = site[3]
    contentd, postfix, used = with_policyd
    to = ["b@example.org", "c@example.org"]
    with postfix.session("mx") as session:
        code, said = send(session, "a@example.net", to, text("large", "x" * 30000))
    assert code == 552 and "larger than is handled here" in said
    wait_for(lambda: used() == 0, "it is given back")
    queue_id = wait_for(lambda: re.search(r"(\w+): milter-reject: .*Message is larger", postfix.log), "Postfix logs it")[1]
    assert "reject too large" in contentd.gatectl("why", queue_id).stdout
    patient = contentd.conf.read_text()
    contentd.put_in_force(patient.replace(str(clamd.socket), f"{clamd.socket}\nscan_timeout = 1s\nconnect_timeout = 1s"))
    clamd.pause()
    try:
        for _ in range(2):
            with postfix.session("mx") as session:
                assert send(session, "a@example.net", to, text("again"))[0] == 451
    finally:
        clamd.go_on()
        contentd.put_in_force(patient)
    wait_for(lambda: used() == 0, "it is given back")
    with postfix.session("mx") as session:
        assert send(session, "a@example.net", to, text("again"))[0] == 250
    assert used() == 3  # a message, two recipients


def test_refused_mail_costs_nothing(with_policyd):
    contentd, postfix, used = with_policyd
    with postfix.session("mx") as session:
        assert send(session, "a@example.net", ["b@example.org"], text("refund", EICAR))[0] == 554
    wait_for(lambda: contentd.metric("gatehouse_content_refunds_total") == 2, "it is given back")
    assert used() == 0
    queue_id = re.search(r"queue_id=(\S+)", wait_for(contentd.decisions, "it is logged")[0])[1]
    why = contentd.gatectl("why", queue_id).stdout
    assert "contentd" in why and "reject virus=Gatehouse.Test.EICAR" in why, why
    with postfix.session("mx") as session:
        assert send(session, "a@example.net", ["b@example.org"], text("paid"))[0] == 250
    wait_for(lambda: len(contentd.decisions()) == 2, "decided")
    assert contentd.metric("gatehouse_content_refunds_total") == 2
    assert used() == 2


def test_the_sample_of_aximilter(workdir, sink):
    child = OpenDKIM(workdir / "opendkim", "example.net", "test", "198.18.0.1")
    try:
        sample = (ROOT / "conf/aximilter.conf").read_text()
        assert "milter inet:127.0.0.1:1990" in sample and "listen = inet:127.0.0.1:1981" in sample
        contentd = Filter(workdir / "aximilter", sample.replace("inet:127.0.0.1:1990", child.address))
        postfix = None
        try:
            postfix = filtering_postfix(workdir / "postfix4", sink, contentd.unix)
            with postfix.session("mx") as session:
                assert send(session, "a@example.net", ["b@example.org"], text("signed"))[0] == 250
            headers = delivered(sink, "signed")[0].headers
            assert [name for name, _ in headers if name == "DKIM-Signature"] == ["DKIM-Signature"]
            assert ("X-Spam-Flag", "NO") in headers and not [name for name, _ in headers if name.startswith("X-Virus")]
        finally:
            if postfix is not None:
                postfix.stop()
            contentd.stop()
    finally:
        child.stop()


def test_status_tells_of_scanners_and_chains(site):
    told = site[0].gatectl("status").stdout
    assert re.search(r"^scanners +name=clam  kind=clamd  addresses=unix:\S+ works=(yes|no)$", told, re.M), told
    assert re.search(r"^chains +name=full  scanners=clam, spam$", told, re.M), told


def test_gatectl_checks_its_configuration(site, tmp_path):
    contentd, _, config, _ = site
    assert contentd.gatectl("check", contentd.conf).returncode == 0
    bad = tmp_path / "contentd.conf"
    bad.write_text(config.replace("scanners = clam\n", "scanners = clamm\n"))
    done = contentd.gatectl("check", bad)
    assert done.returncode == 78 and 'there is no scanner "clamm"; did you mean clam?' in done.stderr


@pytest.mark.skipif(BUILD != ROOT / "build", reason="only the normal build makes documents")
def test_the_sample_of_all_parameters_is_that_of_the_tables():
    done = subprocess.run([BUILD / "tools/contentd_documents", "sample"], capture_output=True, text=True, check=True)
    assert done.stdout == (ROOT / "conf/contentd.conf").read_text()


def test_mail_that_is_kept_for_all_is_taken_and_kept(site, sink):
    contentd, postfix, _, _ = site
    with postfix.session("mx") as session:
        assert send(session, "a@example.net", ["k@example.org", "l@example.org"], text("kept", GTUBE))[0] == 250
    kept = contentd.gatectl("quarantine", "list", "--recipient", "l@example.org").stdout
    identity = re.search(r"\b01\w{18}\b", kept)[0]
    assert contentd.gatectl("quarantine", "release", identity).returncode == 0
    message = delivered(sink, "kept")[0]
    assert sorted(message.recipients) == ["k@example.org", "l@example.org"]
    assert ("X-Spam-Flag", "YES") in message.headers
