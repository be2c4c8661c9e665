"""signd looks at the records of keys that sign: what a real DNS server shows, withdraws, changes or does not answer is said in
the log, the metric, the status and `gatectl dkim list`; mail is signed all the while."""
import json
import re
import subprocess

import pytest

from servers.dns import DNS
from servers.milter_client import inserted
from servers.policyd import GATECTL
from servers.process import wait_for
from servers.signd import Signd, make_key, put_file, record_of

pytestmark = pytest.mark.sanitized

NAME = "one._domainkey.sender.example"
OTHER = "v=DKIM1; k=ed25519; p=21qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
WORDS = ["good", "missing", "differs", "unknown"]
OFTEN = "key_watch_interval = 1s\n"


class Site:
    """A signd with one active key, and two resolvers that show its record."""

    def __init__(self, directory, redis, config):
        self.resolvers = [DNS({}, ttl=0), DNS({}, ttl=0)]
        self.config = f"store = {redis.url}\ndns_timeout = 20s\n"
        self.signd = Signd(directory, self.config + config, resolver=", ".join(dns.resolver for dns in self.resolvers))
        self.conf = directory / "gatectl.conf"
        self.conf.write_text(f"{self.config}http = unix:{self.signd.http}\nkey_directory = {self.signd.keys}\n")
        pem = make_key("ed25519")
        self.show(record_of(pem))
        put_file(self.signd.keys / "sender.example" / "one.key", pem)
        wait_for(self.signs, "it signs")

    def stop(self):
        self.signd.stop()
        for dns in self.resolvers:
            dns.stop()

    def show(self, *texts):
        """What the resolvers show, all the same or each its own: a text, None, "SERVFAIL" or "SILENT"."""
        for dns, text in zip(self.resolvers, texts * 2 if len(texts) == 1 else texts, strict=True):
            dns.set({} if text is None else {NAME: text if text in ("SERVFAIL", "SILENT") else {"TXT": [text]}})

    def signs(self):
        with self.signd.client() as client:
            client.connect(address="127.0.0.1")
            client.helo()
            fields = [("From", "<a@sender.example>"), ("Date", "Sun, 22 Nov 2026 10:00:00 +0000")]
            changes = client.message(sender="<a@sender.example>", headers=fields, body=b"hello\r\n")[1]
            return bool(inserted(changes, "DKIM-Signature"))

    def gatectl(self, *arguments):
        return subprocess.run([GATECTL, "-c", self.conf, "dkim", *arguments], capture_output=True, text=True, timeout=60,
                              check=True).stdout

    def key(self):
        return json.loads(self.signd.get("/v1/status")[1])["keys"][0]

    def counts(self):
        return [self.signd.metric("gatehouse_key_records", record=word) for word in WORDS]

    def said(self):
        """What the log has of it."""
        return [line for line in self.signd.log.splitlines() if "key sender.example/one: " in line and "record" in line]

    def is_seen(self, word, lines=0):
        """Waits for it, and for so many lines of log, and says which there are; all other places say the same, and the key signs."""
        wait_for(lambda: self.key().get("record") == word, f"the record is {word}", 60)
        assert self.counts() == [word == one for one in WORDS]
        listed = json.loads(self.gatectl("list", "--json"))["keys"][0]
        assert (listed["record"], listed["state"]) == (word, "active")
        assert listed["looked"] > 0 and ("record_problem" in listed) == (word != "good")
        assert re.search(rf"^sender\.example +one +ed25519 +256 +active +(\S+ \S+ +)?{word}\b", self.gatectl("list"), re.M)
        assert self.signs()
        wait_for(lambda: len(self.said()) >= lines, f"{lines} lines of log")
        return self.said()

    def is_asked(self, times=2):
        enough = [dns.asked(NAME) + times for dns in self.resolvers]
        wait_for(lambda: all(dns.asked(NAME) >= count for dns, count in zip(self.resolvers, enough, strict=True)),
                 "it asks again", 60)


@pytest.fixture
def site(workdir, redis, request):
    made = Site(workdir / re.sub(r"\W", "-", request.node.name)[:40], redis, getattr(request, "param", OFTEN))
    yield made
    made.stop()


def test_a_record_that_is_withdrawn_and_comes_again_is_said_once(site):
    record = site.resolvers[0].zone[NAME]["TXT"][0]
    assert not site.is_seen("good")
    site.show(None)
    lines = site.is_seen("missing", 1)
    assert len(lines) == 1 and "is missing" in lines[0] and "no such name" in lines[0] and "warning" in lines[0]
    site.is_asked()
    assert site.is_seen("missing") == lines
    site.show(record)
    lines = site.is_seen("good", 2)
    assert len(lines) == 2 and "again" in lines[1]


@pytest.mark.parametrize("shown, word, says, why", [
    ([OTHER, OTHER], "differs", 0, "another one"),
    (["v=DKIM1; k=ed25519; p=", "own"], "differs", 0, "revoked"),
    (["own", "v=spf1 -all"], "differs", 1, "v=DKIM1"),
    ([None, "own"], "missing", 0, "no such name"),
    (["own", OTHER], "differs", 1, "another one"),
    (["SERVFAIL", "SERVFAIL"], "unknown", 0, "could not tell"),
    (["own", "SERVFAIL"], "unknown", 1, "could not tell"),
    (["own", "SILENT"], "unknown", 1, "the resolver "),
    (["SERVFAIL", None], "missing", 1, "no such name"),
])
def test_what_the_resolvers_show(site, shown, word, says, why):
    own = site.resolvers[0].zone[NAME]["TXT"][0]
    site.is_seen("good")
    site.show(*(own if text == "own" else text for text in shown))
    site.is_seen(word)
    problem = site.key()["record_problem"]
    assert problem.startswith(site.resolvers[says].resolver + ": ") and why in problem


def test_resolvers_that_are_gone_are_no_missing_record(site):
    site.is_seen("good")
    for dns in site.resolvers:
        dns.stop()
    site.is_seen("unknown")
    assert "missing" not in site.signd.log
    for dns in site.resolvers:
        dns.start()
    site.is_seen("good")


def test_a_key_that_does_not_sign_is_not_watched(site):
    site.is_seen("good")
    site.gatectl("set", "sender.example", "one", "retired")
    wait_for(lambda: "record" not in site.key(), "it is not watched any more")
    site.show(None)
    assert site.counts() == [0, 0, 0, 0]
    assert "is missing" not in site.signd.log
    site.gatectl("set", "sender.example", "one", "active")
    wait_for(lambda: site.key().get("record") == "missing", "its record is missed", 60)


@pytest.mark.parametrize("site", ["key_watch_interval = 0\n"], indirect=True)
def test_it_can_be_switched_off_and_on(site):
    site.show(None)
    assert "record" not in site.key()
    assert [dns.asked(NAME) for dns in site.resolvers] == [0, 0]
    site.signd.reload(site.config + OFTEN)
    site.is_seen("missing")
    site.signd.reload(site.config + "key_watch_interval = 0\n")
    wait_for(lambda: "record" not in site.key(), "it is not watched any more")


def test_without_the_daemon_nobody_knows(site):
    site.is_seen("good")
    site.signd.stop()
    try:
        listed = json.loads(site.gatectl("list", "--json"))["keys"][0]
        assert listed["selector"] == "one" and "record" not in listed
    finally:
        site.signd.start()
