"""A recipient that contentd removes is removed, however the address is written and whatever Postfix makes of it; and it has
the chain of who gets the message."""
import json

import pytest

from servers.filter import Filter, filtering_postfix, send
from servers.policyd import Policyd
from servers.process import wait_for

pytestmark = pytest.mark.usefixtures("needs_postfix")

CONFIG = """
release = inet:127.0.0.1:{release}
[chain other]
[chain own]
[apply]
*                = other
kept@example.org = own
[rule kept]
when = recipient matches "/kept/i"
then = quarantine for the test
[rule whole]
when = recipient = whole@example.org and recipient_domain = example.org
then = quarantine for the test
[rule moved]
when = recipient_domain = moved.example.org
then = redirect kept@example.org
[rule moved-otherwise]
when = recipient_domain = spelt.example.org
then = redirect "KEPT"@Example.ORG
[rule moved-here]
when = recipient_domain = here.example.org
then = redirect plain@example.org
"""

MAIN_CF = """\
virtual_alias_maps = inline:{ { kept-alias@example.org = one@example.org, two@example.org } }
recipient_canonical_maps = inline:{ { kept-canonical@example.org = canonical@example.org } }
recipient_delimiter = +
"""
MYORIGIN = "myorigin = example.org\n"  # of all of Postfix

# What follows RCPT TO:, and the chain; None: we refuse it.
WRITTEN = [
    ("<kept@example.org>", "own"),
    ("<KEPT@Example.ORG>", "own"),
    ("<kept>", "own"),
    ("Kept", "own"),
    ('<"kept">', "own"),
    ("<kept-alias>", "other"),
    ("< kept@example.org >", "own"),
    (" kept@example.org", "own"),
    ("<kept@example.org.>", "own"),
    ('<"kept"@example.org>', "own"),
    ("<@a.example,@b.example:kept@example.org>", "own"),
    ("@a.example:kept@example.org", "own"),
    ("<example.org!kept>", "own"),
    ("<kept%example.org>", "own"),
    ("<kept@example.org> NOTIFY=NEVER ORCPT=rfc822;x@example.org", "own"),
    ("<kept-alias@example.org>", "other"),
    ("<Kept-Alias@EXAMPLE.org>", "other"),
    ("<kept-canonical@example.org>", "other"),
    ('<"kept me"@example.org>', "other"),
    ('<"<kept>, \\"x"@example.org>', "other"),
    ("<kept+more@example.org>", "own"),
    ("<.k..kept.@example.org>", "other"),
    ("<kept@[127.0.0.1]>", "other"),
    ("<<kept@example.org>>", None),
    ("<Kept <kept@example.org>>", None),
    ("<kept@example.org>,", None),
    ("<kept@example.org;>", None),
    ("<group:kept@example.org;>", None),
    ("<kept@example.org (comment)>", None),
    ("<(comment)kept@example.org>", None),
    ("<kept @ example.org>", None),
    ("<ke\\pt@example.org>", None),
    ("<kept@example.org@>", None),
]


@pytest.fixture(scope="module")
def site(workdir, sink):
    postfix = filtering_postfix(workdir / "postfix", sink, workdir / "contentd/milter", MAIN_CF, MYORIGIN)
    contentd = Filter(workdir / "contentd", CONFIG.format(release=postfix.ports["release"]))
    yield contentd, postfix
    contentd.stop()
    postfix.stop()


@pytest.mark.parametrize("written, chain", WRITTEN, ids=[written for written, _ in WRITTEN])
def test_who_is_removed_gets_nothing(site, sink, written, chain):
    contentd, postfix = site
    subject = f"written-{WRITTEN.index((written, chain))}"
    with postfix.session("mx") as session:
        session.mail("a@example.net")
        code, text = session.docmd("RCPT", f"TO:{written}")
        assert code == (553 if chain is None else 250), text
        if chain is None:
            return
        assert session.rcpt("plain@example.org")[0] == 250
        session.docmd("DATA")
        session.send(f"From: <a@example.net>\r\nSubject: {subject}\r\n\r\nhello\r\n.\r\n".encode())
        code, text = session.getreply()
        assert code == 250, text
    queue_id = text.split()[-1].decode()
    wait_for(lambda: f"{queue_id}: removed" in postfix.log, "it has been delivered")
    assert [to for message in sink.find(subject) for to in message.recipients] == ["plain@example.org"]
    kept = [one for one in json.loads(contentd.gatectl("--json", "quarantine", "list").stdout)["messages"]
            if one["subject"] == subject]
    assert [len(one["recipients"]) for one in kept] == [1]
    lines = wait_for(lambda: [line for line in Policyd.decisions(contentd) if line["queue_id"] == queue_id], "it is logged")
    assert [line["chain"] for line in lines if line["verdict"] == "quarantine"] == [chain]


# Recipients, and who gets the message in the end: kept@ alone is quarantined. Whoever is redirected to somebody else's mailbox is
# at home there, though that one's own is removed.
MOVED = [
    (["x@moved.example.org", "kept@example.org"], ["kept@example.org"]),
    (["kept@example.org", "x@moved.example.org"], ["kept@example.org"]),
    (["KEPT@Example.org", "plain@example.org", "x@spelt.example.org", "y@moved.example.org"], ["KEPT@Example.org", "plain@example.org"]),
    (["x@here.example.org", "plain@example.org", "kept@example.org"], ["plain@example.org"]),
    (["x@here.example.org", "kept@example.org"], ["plain@example.org"]),
    (["kept", "x@moved.example.org"], ["kept@example.org"]),
    (["kept-canonical@example.org", "x@moved.example.org", "kept@example.org"], ["kept@example.org"]),
]


@pytest.mark.parametrize("recipients, delivered", MOVED, ids=[",".join(to) for to, _ in MOVED])
def test_who_is_redirected_arrives(site, sink, recipients, delivered):
    contentd, postfix = site
    subject = f"moved-{MOVED.index((recipients, delivered))}"
    with postfix.session("mx") as session:
        code, text = send(session, "a@example.net", recipients, f"From: <a@example.net>\nSubject: {subject}\n\nhello")
    assert code == 250, text
    queue_id = text.split()[-1]
    wait_for(lambda: f"{queue_id}: removed" in postfix.log, "it has been delivered")
    assert sorted(to for message in sink.find(subject) for to in message.recipients) == delivered


def test_rules_see_the_whole_name(site, sink):
    contentd, postfix = site
    with postfix.session("mx") as session:
        code, text = send(session, "a@example.net", ["whole", "plain"], "From: <a@example.net>\nSubject: whole\n\nhello")
    assert code == 250, text
    queue_id = text.split()[-1]
    lines = wait_for(lambda: [line for line in Policyd.decisions(contentd) if line["queue_id"] == queue_id], "it is logged")
    assert [line["recipient"] for line in lines if line["verdict"] == "quarantine"] == ["<whole>"]
