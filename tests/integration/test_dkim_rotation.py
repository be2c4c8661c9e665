"""A domain's keys change over while its mail flows through two hosts that share a Redis. Two resolvers show its zone, as two
caches on the way to it would. Whatever has been signed verifies at verifiers that ask that zone (dkimpy at each resolver, opendkim):
at once, and as late as the life of a key promises, which is until it is retired."""
import collections
import json
import re
import subprocess
import threading

import dkim
import dnslib
import pytest

from servers.dkim_check import OpenDKIM
from servers.dns import DNS
from servers.milter_client import inserted
from servers.policyd import GATECTL
from servers.postfix import Postfix
from servers.process import wait_for
from servers.signd import Signd, make_key, put_file, record_of

DOMAIN = "sender.example"
KINDS = ["rsa", "ed25519"]
# A key stays seen, or retiring, until the test has the time come: Site.time_comes().
CONFIG = ("store = {store}\nkey_check_interval = 1s\nkey_activate_after = 1h\nkey_retire_after = 1h\ndns_timeout = 2s\n"
          "smtp_line_length_limit = 0\n")

# `text`: as it left; `selectors`: of its signatures.
Sent = collections.namedtuple("Sent", "host subject text selectors")


def txt(dns):
    """The look-up of dkimpy, at a name server."""
    def look_up(name, timeout=5):
        question = dnslib.DNSRecord.question(name.decode(), "TXT")
        answer = dnslib.DNSRecord.parse(question.send("127.0.0.1", dns.port, timeout=10))
        return b"".join(answer.rr[0].rdata.data) if answer.rr else None
    return look_up


def dkimpy_says(text, dns):
    """Whether each signature is good."""
    count = len(re.findall(rb"^DKIM-Signature:", text, re.M))
    return [dkim.DKIM(text).verify(idx=index, dnsfunc=txt(dns)) for index in range(count)]


class Host:
    """One signd, and mail that flows through it until stop()."""

    def __init__(self, name, directory, store, resolvers):
        self.name = name
        self.signd = Signd(directory, CONFIG.format(store=store), resolver=resolvers)
        self.sent, self.deferred, self.wrong = [], 0, []
        self.judge = lambda sent: None  # what is wrong with a message that has just been signed
        self.is_ending = threading.Event()
        self.traffic = threading.Thread(target=self.flow)

    def flow(self):
        while not self.is_ending.is_set():
            try:
                self.send(f"{self.name}-{len(self.sent)}-{self.deferred}")
            except (ConnectionError, FileNotFoundError):
                self.is_ending.wait(0.001)  # it is being started
            except Exception as error:  # noqa: BLE001 - the test shall see it, whatever it is
                self.wrong.append(repr(error))
                return

    def send(self, subject):
        fields = [("From", f"<a@{DOMAIN}>"), ("To", "<b@example.org>"), ("Subject", subject),
                  ("Date", "Sun, 22 Nov 2026 10:00:00 +0000"), ("Message-ID", f"<{subject}@{DOMAIN}>")]
        with self.signd.client() as client:
            client.connect(address="127.0.0.1")
            client.helo()
            last, changes = client.message(sender=f"<a@{DOMAIN}>", headers=fields, body=b"hello\r\n")
        if last.command == "y":
            assert last.texts[0].startswith("4"), last
            self.deferred += 1
            return
        made = [value.replace("\n", "\r\n") for value in inserted(changes, "DKIM-Signature")]
        text = "".join(f"DKIM-Signature: {value}\r\n" for value in made) + "".join(f"{name}: {value}\r\n" for name, value in fields)
        sent = Sent(self.name, subject, text.encode() + b"\r\nhello\r\n", {re.search(r"\bs=([^;\s]+)", value)[1] for value in made})
        wrong = self.judge(sent) if made else "it is not signed"
        if wrong:
            self.wrong.append(f"{subject} {sent.selectors}: {wrong}")
        self.sent.append(sent)

    def stop(self):
        self.is_ending.set()
        if self.traffic.ident is not None:
            self.traffic.join()
        self.signd.stop()


class Site:
    """Two hosts, `redis` between them, the zone as two resolvers show it, verifiers that ask them."""

    def __init__(self, workdir, redis):
        self.redis = redis
        self.resolvers = [DNS({}, ttl=0), DNS({}, ttl=0)]
        asked = ", ".join(dns.resolver for dns in self.resolvers)
        self.hosts = [Host(name, workdir / name, redis.url, asked) for name in ("one", "two")]
        self.opendkim = OpenDKIM(workdir / "opendkim", resolver=self.resolvers[0].resolver)
        self.turn = threading.Lock()
        for host in self.hosts:
            host.judge = self.judge
        self.conf = workdir / "gatectl.conf"
        self.conf.write_text(f"http = unix:{workdir}/nobody\nstore = {redis.url}\nkey_directory = {self.hosts[0].signd.keys}\n")

    def stop(self):
        for host in self.hosts:
            host.stop()
        self.opendkim.stop()
        for dns in self.resolvers:
            dns.stop()

    def judge(self, sent):
        """What verifiers have against it, now."""
        said = [dkimpy_says(sent.text, dns) for dns in self.resolvers]
        if not all(all(one) for one in said):
            return f"dkimpy says {said}"
        with self.turn:
            found = self.opendkim.results(sent.text) or ""
        said = re.findall(r"\bdkim=(\w+)", found)
        return None if said == ["pass"] * len(sent.selectors) else f"opendkim says {found!r}"

    def flow(self):
        for host in self.hosts:
            host.traffic.start()

    # ---- keys ----

    def gatectl(self, *arguments):
        done = subprocess.run([GATECTL, "-c", self.conf, "dkim", *arguments, "--json"], capture_output=True, text=True, timeout=60,
                              check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["keys"]

    def copy(self, keys):
        """From the first host to the second one, as the operator does."""
        for key in keys:
            name = f"{key['selector']}.key"
            put_file(self.hosts[1].signd.keys / DOMAIN / name, (self.hosts[0].signd.keys / DOMAIN / name).read_bytes())

    def make_first(self):
        keys = self.gatectl("new", DOMAIN, "--selector", "old", "--rsa", "2048", "--ed25519", "--active")
        self.copy(keys)
        self.publish(keys)
        for host in self.hosts:
            host.signd.has_active(2)
        return keys

    def publish(self, keys, resolvers=None):
        for dns in self.resolvers if resolvers is None else resolvers:
            dns.add({key["name"]: {"TXT": [key["record"]]} for key in keys})

    def withdraw(self, keys, resolvers=None):
        for dns in self.resolvers if resolvers is None else resolvers:
            dns.set({name: records for name, records in dns.zone.items() if name not in {key["name"] for key in keys}})

    def states(self, keys):
        return [self.redis.cli("HGET", "gh:dkim", f"{DOMAIN}/{key['selector']}").split(" ")[0] for key in keys]

    def time_comes(self, parameter):
        """key_activate_after or key_retire_after is a second, on both hosts."""
        for host in self.hosts:
            host.signd.put_in_force(host.signd.conf.read_text().replace(f"{parameter} = 1h", f"{parameter} = 1s"))

    def are(self, keys, state):
        wait_for(lambda: self.states(keys) == [state] * len(keys), f"the keys are {state}", 30)

    def stay(self, keys, state):
        """Both hosts have looked at the DNS twice, at least, from now on, and nothing has come of it."""
        for _ in range(2):
            before = [dns.asked(key["name"]) for dns in self.resolvers for key in keys]
            wait_for(lambda b=before: all(now >= then + len(self.hosts) for now, then in
                                          zip([dns.asked(key["name"]) for dns in self.resolvers for key in keys], b, strict=True)),
                     "the hosts ask again", 30)
            assert self.states(keys) == [state] * len(keys)

    # ---- mail ----

    def moves(self):
        """Mail flows on both hosts; what they have signed so far."""
        counts = [len(host.sent) for host in self.hosts]
        wait_for(lambda: all(len(host.sent) >= count + 3 or host.wrong for host, count in zip(self.hosts, counts, strict=True)),
                 "mail flows", 30)
        self.nothing_is_wrong()
        return [sent for host in self.hosts for sent in list(host.sent)]

    def nothing_is_wrong(self):
        wrong = [text for host in self.hosts for text in host.wrong]
        assert not wrong, wrong[:10]

    def signs(self, keys):
        """Waits until these keys alone sign, on both hosts."""
        wanted = {key["selector"] for key in keys}
        wait_for(lambda: all(host.wrong or host.sent[-1:] and host.sent[-1].selectors == wanted for host in self.hosts),
                 f"{wanted} sign", 30)
        self.nothing_is_wrong()

    def rotate_first(self):
        """While mail flows that is signed with the first key: that one, and its successor."""
        old = self.make_first()
        self.flow()
        self.signs(old)
        return old, self.gatectl("rotate", DOMAIN)

    def late(self, messages):
        """A verifier that comes to it only now takes each of them."""
        for sent in messages:
            assert all(dkimpy_says(sent.text, self.resolvers[0])), sent


@pytest.fixture
def site(workdir, redis, request):
    made = Site(workdir / re.sub(r"\W", "-", request.node.name)[:20], redis)
    yield made
    made.stop()


def selectors(messages):
    return {selector for sent in messages for selector in sent.selectors}


def test_what_is_signed_at_any_moment_verifies(site):
    old, new = site.rotate_first()
    site.copy(new)
    site.stay(new, "pending")
    site.publish(new)
    site.are(new, "seen")
    site.time_comes("key_activate_after")
    site.are(new, "active")
    site.are(old, "retiring")
    site.signs(new)
    under_way = site.moves()
    site.time_comes("key_retire_after")
    site.are(old, "retired")
    # The records have been there until now, so it is the last moment for what is still under way.
    assert selectors(under_way) == {key["selector"] for key in old + new}
    site.late(under_way)
    site.withdraw(old)
    after = [sent for sent in site.moves() if sent not in under_way]
    site.late(after)
    assert selectors(after) == {key["selector"] for key in new}


def test_a_record_that_is_not_everywhere_or_wrong_or_withdrawn_is_waited_for(site):
    old, new = site.rotate_first()
    site.copy(new)
    # One resolver shows it, the other one does not.
    site.publish(new, site.resolvers[:1])
    site.stay(new, "pending")
    # ... or another key of the same name: as after a mistake, or of the rotation before.
    other = [{"name": key["name"], "record": record_of(make_key(kind))} for key, kind in zip(new, KINDS, strict=True)]
    site.publish(other, site.resolvers[1:])
    site.stay(new, "pending")
    site.publish(new, site.resolvers[1:])
    site.are(new, "seen")
    # Withdrawn before it signs: it waits again.
    site.withdraw(new, site.resolvers[1:])
    site.are(new, "pending")
    site.stay(new, "pending")
    site.moves()
    assert selectors(site.moves()) == {key["selector"] for key in old}
    site.publish(new)
    site.are(new, "seen")
    site.time_comes("key_activate_after")
    site.are(new, "active")
    site.signs(new)
    # The old one's record withdrawn too early: what is under way is lost to verifiers, what is signed now is not.
    site.are(old, "retiring")
    site.withdraw(old)
    before = site.moves()
    now = [sent for sent in site.moves() if sent not in before]
    assert selectors(now) == {key["selector"] for key in new}
    site.late(now)
    site.time_comes("key_retire_after")
    site.are(old, "retired")
    site.moves()


def test_a_host_that_is_started_again_meanwhile(site):
    """In each state of the change; a key that nobody can look up yet does not sign because a host has forgotten that."""
    host = site.hosts[1].signd
    old, new = site.rotate_first()
    site.copy(new)
    site.stay(new, "pending")
    for _ in range(3):
        host.restart()
        site.moves()
    site.stay(new, "pending")
    site.publish(new)
    site.are(new, "seen")
    host.restart()
    site.time_comes("key_activate_after")
    site.are(new, "active")
    host.restart()
    site.signs(new)
    site.are(old, "retiring")
    host.restart()
    site.time_comes("key_retire_after")
    site.are(old, "retired")
    site.withdraw(old)
    host.restart()
    site.moves()


def test_a_host_that_has_not_got_the_new_key_defers(site):
    """Nothing goes out unsigned, or signed with what is on its way out only."""
    old, new = site.rotate_first()
    site.publish(new)
    site.time_comes("key_activate_after")
    site.are(new, "active")
    first, second = site.hosts
    count = second.deferred
    wait_for(lambda: second.deferred > count, "the second host defers")
    wait_for(lambda: first.sent[-1].selectors == {key["selector"] for key in new}, "the first one signs")
    site.copy(new)
    site.signs(new)


@pytest.mark.usefixtures("needs_postfix")
def test_through_postfix_in_each_state(site, workdir, sink):
    """A message for each host in each state, to a server that keeps it; all of it verifies when it is taken from there."""
    services = {host.name: f"smtpd_milters = unix:{host.signd.unix}\n" for host in site.hosts}
    postfix = Postfix(workdir / "postfix-of-rotation", sink, services, "milter_default_action = tempfail\nnotify_classes =\n")
    sent = {}

    def pass_on(word, keys):
        for host in site.hosts:
            subject = f"{word}-{host.name}"
            wanted = {key["selector"] for key in keys}
            def deliver(host=host, subject=subject):
                with postfix.session(host.name, login=f"a@{DOMAIN}") as session:
                    return session.deliver(f"a@{DOMAIN}", "b@example.org", subject)
            wait_for(lambda d=deliver: d()[0] == 250, f"{subject} is taken")
            wait_for(lambda s=subject: sink.find(s), f"{subject} is delivered", 30)
            found = sink.find(subject)[-1]
            assert set(re.findall(r"\bs=(\w+);", found.text)) == wanted, found.text
            assert all(dkimpy_says(found.raw, dns) == [True, True] for dns in site.resolvers), found.text
            sent[subject] = found

    try:
        old = site.make_first()
        pass_on("before", old)
        new = site.gatectl("rotate", DOMAIN)
        site.copy(new)
        pass_on("pending", old)
        site.publish(new)
        site.time_comes("key_activate_after")
        site.are(new, "active")
        for host in site.hosts:
            wait_for(lambda h=host: {key["selector"]: key["state"] for key in json.loads(h.signd.get("/v1/status")[1])["keys"]}
                     == {**{key["selector"]: "retiring" for key in old}, **{key["selector"]: "active" for key in new}}, "it knows")
        pass_on("retiring", new)
        site.time_comes("key_retire_after")
        site.are(old, "retired")
        for found in sent.values():
            assert all(dkimpy_says(found.raw, site.resolvers[0])), found.text
        site.withdraw(old)
        pass_on("retired", new)
    finally:
        postfix.stop()
