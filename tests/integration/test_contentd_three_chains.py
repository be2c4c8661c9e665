"""One message to three recipients: two virus scanners and a spam filter for one domain, one virus scanner for another, three virus
scanners and a spam filter for the general manager. All real: two clamd that know different things, c-icap, rspamd."""
import contextlib
import json
import re

import pytest

from servers.c_icap import CIcap
from servers.clamd import Clamd
from servers.filter import Filter, filtering_postfix, send
from servers.policyd import Policyd
from servers.process import wait_for
from servers.rspamd import Rspamd

pytestmark = pytest.mark.usefixtures("needs_postfix")

CONFIG = """
release = inet:127.0.0.1:{release}

[scanner clam1]
kind = clamd unix:{clam1}
[scanner clam2]
kind = clamd inet:127.0.0.1:{clam2}
[scanner icap]
kind = icap {icap}
[scanner spam]
kind = rspamd {rspamd}

[chain domain1]
scanners   = clam1, clam2, spam
virus      = quarantine
quarantine = 10
[chain domain2]
scanners = clam1
[chain boss]
scanners       = clam1, clam2, icap, spam
tag            = 6
subject_prefix = [SPAM]

[apply]
*                      = domain2
@domain1.example.org   = domain1
@domain2.example.org   = domain2
gm@domain1.example.org = boss
"""
ANN, BOB, GM = "ann@domain1.example.org", "bob@domain2.example.org", "gm@domain1.example.org"
ONLY_CLAM2 = "known to the second virus scanner alone"


@pytest.fixture(scope="module")
def site(workdir, sink):
    with contextlib.ExitStack() as stack:
        started = []
        for make in (lambda: Clamd(workdir / "clam1"), lambda: Clamd(workdir / "clam2"),
                     lambda: CIcap(workdir / "icap", started[0].socket), lambda: Rspamd(workdir / "rspamd")):
            started.append(make())
            stack.callback(started[-1].stop)
        clam1, clam2, icap, rspamd = started
        clam2.stop()
        (clam2.directory / "db/second.ndb").write_text(f"Gatehouse.Test.Second:0:*:{ONLY_CLAM2.encode().hex()}\n")
        clam2.start()
        postfix = filtering_postfix(workdir / "postfix", sink, workdir / "contentd/milter")
        stack.callback(postfix.stop)
        contentd = Filter(workdir / "contentd", CONFIG.format(release=postfix.ports["release"], clam1=clam1.socket, clam2=clam2.port,
                                                              icap=icap.address, rspamd=rspamd.addresses[0]))
        stack.callback(contentd.stop)
        yield contentd, postfix


def outcome(site, sink, subject, score, body):
    """({recipient: message that has come}, [what is kept], {recipient: what was found}) of a message to all three."""
    contentd, postfix = site
    text = f"From: <a@example.net>\nSubject: {subject}\nX-Test-Score: {score}\n\n{body}"
    with postfix.session("mx") as session:
        code, said = send(session, "a@example.net", [ANN, BOB, GM], text)
    assert code == 250, said
    queue_id = said.split()[-1]
    wait_for(lambda: f"{queue_id}: removed" in postfix.log, "it is delivered")
    wait_for(lambda: contentd.metric("gatehouse_outbox_messages") == 0, "its copies are sent")
    wait_for(lambda: not any(list((postfix.directory / "queue" / name).iterdir()) for name in ("incoming", "active")), "and delivered")

    def decisions():
        return [line for line in Policyd.decisions(contentd) if line["queue_id"] == queue_id]

    wait_for(lambda: len(decisions()) == 3, "each chain's decision is counted and logged")
    found = {line["recipient"]: line["found"] for line in decisions()}
    kept = [one for one in json.loads(contentd.gatectl("--json", "quarantine", "list").stdout)["messages"] if one["subject"] == subject]
    return {to: message for message in arrived(sink, subject) for to in message.recipients}, kept, found


def arrived(sink, subject):
    return [message for message in sink.messages if re.search(rf"^Subject: (\[SPAM\] )?{subject}\r$", message.text, re.M)]


def field(message, name):
    return [value for one, value in message.headers if one == name]


def released(site, sink, kept, subject):
    """The message that comes when it is released."""
    contentd, _ = site
    looked_at, before = contentd.metric("gatehouse_content_messages_total"), len(arrived(sink, subject))
    assert contentd.gatectl("quarantine", "release", kept["id"]).returncode == 0
    wait_for(lambda: len(arrived(sink, subject)) == before + 1, "the released message comes")
    assert contentd.metric("gatehouse_content_messages_total") == looked_at, "it is not looked at again"
    assert kept["id"] not in contentd.gatectl("quarantine", "list").stdout
    return arrived(sink, subject)[-1]


def test_spam_is_delivered_tagged_and_kept(site, sink):
    got, kept, found = outcome(site, sink, "three chains", 12, "buy")
    assert set(got) == {BOB, GM}
    assert field(got[BOB], "Subject") == ["three chains"] and not field(got[BOB], "X-Spam-Flag")
    assert field(got[GM], "Subject") == ["[SPAM] three chains"] and field(got[GM], "X-Spam-Flag") == ["YES"]
    assert [one["recipients"][0]["address"] for one in kept] == [ANN]
    assert [re.sub(r":[\d.]+", "", found[f"<{to}>"]) for to in (ANN, BOB, GM)] == [
        "clam1:clean,clam2:clean,spam:spam", "clam1:clean", "clam1:clean,clam2:clean,icap:clean,spam:spam"]
    message = released(site, sink, kept[0], "three chains")
    assert message.recipients == [ANN] and message.text.endswith("\r\n\r\nbuy\r\n")


def test_malware_that_only_some_know(site, sink):
    got, kept, found = outcome(site, sink, "second opinion", 0, ONLY_CLAM2)
    assert set(got) == {BOB}
    assert field(got[BOB], "X-Virus-Status") == ["Clean"]
    assert sorted(to["address"] for one in kept for to in one["recipients"]) == [ANN, GM]
    assert all("Gatehouse.Test.Second" in one["reason"] for one in kept)
    assert found[f"<{BOB}>"] == "clam1:clean" and "clam2:virus" in found[f"<{ANN}>"] and "clam2:virus" in found[f"<{GM}>"]


def test_mail_that_is_harmless_is_the_same_for_all(site, sink):
    got, kept, _ = outcome(site, sink, "harmless", 0, "hello")
    assert set(got) == {ANN, BOB, GM} and not kept
    for to, message in got.items():
        assert field(message, "X-Virus-Status") == ["Clean"] and message.text.endswith("\r\n\r\nhello\r\n"), to
        assert field(message, "Subject") == ["harmless"]
