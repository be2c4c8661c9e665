"""Nothing is lost and nothing is altered: messages through Postfix while scanners fail at random, contentd is restarted and killed,
the quarantine's disk is full, Redis is silent. At the end each recipient of each message is accounted for.

600 messages; GATEHOUSE_MESSAGES=10000 for another number, GATEHOUSE_SEED for the same choices again."""
import collections
import concurrent.futures
import contextlib
import hashlib
import json
import os
import random
import re
import signal
import smtplib
import subprocess
import threading
import time
from dataclasses import dataclass, field

import pytest

from servers.clamd import EICAR, Clamd
from servers.fake_scanners import FAULTS, FakeScanner
from servers.filter import Filter, filtering_postfix
from servers.process import wait_for

pytestmark = [pytest.mark.usefixtures("needs_postfix"), pytest.mark.sanitized]

MESSAGES = int(os.environ.get("GATEHOUSE_MESSAGES", "600"))
SEED = int(os.environ.get("GATEHOUSE_SEED", random.randrange(1 << 30)))
CLIENTS = 8
TRIES = 4  # of a message that is deferred
PLACE_BYTES = 400 << 20
ENDS_S = 40  # messages under way have 25

# Beside clam: name, kind, and what becomes of a message that it does not answer for.
SCANNERS = [("fakeav", "clamd {fake_clamd}", "quarantine"), ("icap", "icap {icap}", "quarantine"),
            ("spam", "spamd {spamd}", "accept"), ("otherspam", "rspamd {rspamd}", "accept"), ("child", "milter {milter}", "accept")]

# No chain lets malware pass: those who look for it are asked again later, or the message is kept.
CONFIG = """
release        = inet:127.0.0.1:{release}
store          = {redis}
message_memory = 32K
outbox_retry_max = 1s

[scanner clam]
kind         = clamd unix:{clamd}, inet:127.0.0.1:{clamd_port}
scan_timeout = 2s
{scanners}[chain one]
scanners   = clam, icap, spam
tag        = 6
quarantine = 10
[chain two]
scanners   = clam
virus      = quarantine
[chain boss]
scanners       = clam, icap, fakeav, otherspam
tag            = 6
reject         = 14
subject_prefix = [SPAM]
[chain plain]
scanners = clam, child

[apply]
*                  = one
@two.example.org   = two
@boss.example.org  = boss
@plain.example.org = plain
""".replace("{scanners}", "".join(f"[scanner {name}]\nkind = {kind}\nscan_timeout = 1s\ntrouble = {trouble}\n"
                                 for name, kind, trouble in SCANNERS))
DOMAINS = ["one.example.org", "two.example.org", "boss.example.org", "plain.example.org"]
ADDED = {"received", "x-virus-scanned", "x-virus-status", "x-spam-flag", "x-spam-score", "x-spam-level", "x-spam-status",
         "x-gatehouse-unscanned", "x-seen"}


@dataclass
class Sent:
    """A message, and what its client was told."""
    number: int
    recipients: list
    head: list  # (name, value)
    body: bytes
    is_malware: bool
    last: str = "nothing"  # taken, refused, deferred, unknown
    taken: list = field(default_factory=list)  # recipients, when it was
    refused: list = field(default_factory=list)  # recipients, at RCPT
    is_doubtful: bool = False  # a try of it was under way when contentd was killed, or had no answer

    @property
    def data(self):
        return b"".join(f"{name}: {value}\r\n".encode() for name, value in self.head) + b"\r\n" + self.body


def make_body(chosen, number, is_malware, score):
    lines = [f"{number} {chosen.random()}", f"fake-score={score}"]
    size = chosen.choice([0, 100, 1000, 4000, 20000, 100000]) if chosen.random() < 0.99 else 3000000
    while size > 0:
        kind = chosen.randrange(6)
        line = {0: "", 1: ".", 2: "..x", 3: "From here", 4: "x" * chosen.randrange(900)}.get(
            kind, chosen.randbytes(chosen.randrange(200)).translate(bytes(range(256)), b"\r\n\0").decode("latin-1"))
        lines.append(line)
        size -= len(line) + 2
    if is_malware:
        lines.append(EICAR)
    return "\r\n".join(lines).encode("latin-1") + b"\r\n" * chosen.randrange(1, 3)


def make(chosen, number):
    is_malware = chosen.random() < 0.12
    score = chosen.choices([0.5, 7.5, 11.5, 20.0], [80, 8, 6, 6])[0]
    recipients = [f"r{number}-{n}@{chosen.choice(DOMAINS)}" for n in range(chosen.choice([1, 1, 1, 2, 3, 5, 12]))]
    head = [("From", "<a@example.net>"), ("Subject", f"message {number}"), ("X-Spam-Flag", "NO"), ("X-Kept", "a\r\n\tb  c"),
            ("Message-ID", f"<{number}@nothing.lost>"), ("Date", "Sun, 22 Nov 2026 09:00:00 +0000"), ("To", "<b@example.org>")]
    return Sent(number, recipients, head, make_body(chosen, number, is_malware, score), is_malware)


class Site:
    """Everything, and what may be done to it."""

    def __init__(self, workdir, sink, redis, stack):
        self.chosen = random.Random(SEED)
        self.sink, self.redis = sink, redis
        self.weight = 0.05  # of faults of the fake scanners
        self.kills = 0  # of contentd: twice their number, odd while it is down
        self.on_the_way = set()  # recipients whose copies were in the outbox then: perhaps sent already
        self.done = collections.Counter()
        self.places = workdir / "places"
        self.places.mkdir()
        self.has_disk = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={PLACE_BYTES}", "none", self.places],
                                       check=False, capture_output=True).returncode == 0
        if self.has_disk:
            stack.callback(subprocess.run, ["umount", "-l", self.places], check=True)
        self.clamd = Clamd(workdir / "clamd")
        stack.callback(self.clamd.stop)
        self.fakes = {name: FakeScanner(kind, self.fault) for name, kind in {
            "fake_clamd": "clamd", "icap": "icap", "spamd": "spamd", "rspamd": "rspamd", "milter": "milter"}.items()}
        for fake in self.fakes.values():
            stack.callback(fake.stop)
        self.postfix = filtering_postfix(workdir / "postfix", sink, workdir / "contentd/milter",
                                         shared="default_process_limit = 50\nminimal_backoff_time = 1s\nqueue_run_delay = 1s\n")
        stack.callback(self.postfix.stop)
        config = CONFIG.format(release=self.postfix.ports["release"], redis=redis.url, clamd=self.clamd.socket,
                               clamd_port=self.clamd.port, **{name: fake.address for name, fake in self.fakes.items()})
        self.contentd = Filter(workdir / "contentd", config, [f"quarantine_directory={self.places}/quarantine",
                                                              f"outbox_directory={self.places}/outbox"])
        stack.callback(self.contentd.stop, timeout=ENDS_S)

    def fault(self):
        """Called by the threads of the fake scanners."""
        return random.choice(FAULTS) if random.random() < self.weight else "good"

    # ---- what goes wrong ----

    def clamd_pauses(self):
        self.clamd.pause()
        time.sleep(self.chosen.uniform(0.1, 3))
        self.clamd.go_on()

    def clamd_dies(self):
        self.clamd.kill()
        time.sleep(self.chosen.uniform(0, 1))
        self.clamd.start()

    def fakes_get_worse(self):
        self.weight = self.chosen.choice([0, 0.05, 0.3, 0.9])

    def fake_is_away(self):
        fake = self.chosen.choice(list(self.fakes.values()))
        fake.refuse()
        time.sleep(self.chosen.uniform(0.1, 2))
        fake.accept_again()

    def contentd_ends(self):
        self.contentd.stop(timeout=ENDS_S)
        self.contentd.start()

    def contentd_is_killed(self):
        self.kills += 1
        self.contentd.process.child.kill()
        self.contentd.process.child.wait()
        for path in (self.places / "outbox").glob("*.json"):
            self.on_the_way.update(to["address"] for to in json.loads(path.read_text())["recipients"])
        self.kills += 1
        time.sleep(self.chosen.uniform(0, 0.5))
        self.contentd.start()

    def contentd_reloads(self):
        self.contentd.reload()

    def postfix_reloads(self):
        self.postfix.process.send_signal(signal.SIGHUP)

    def redis_is_silent(self):
        self.redis.pause()
        time.sleep(self.chosen.uniform(0.1, 2))
        self.redis.go_on()

    def disk_is_full(self):
        if not self.has_disk:
            return
        filling = self.places / "filling"
        with contextlib.suppress(OSError), open(filling, "wb") as out:
            free = os.statvfs(self.places)
            os.posix_fallocate(out.fileno(), 0, free.f_bavail * free.f_frsize)
        time.sleep(self.chosen.uniform(0.2, 1.5))
        filling.unlink()

    FAULTS = [clamd_pauses, clamd_dies, fakes_get_worse, fakes_get_worse, fake_is_away, contentd_ends, contentd_is_killed,
              contentd_reloads, postfix_reloads, redis_is_silent, disk_is_full]

    def go_wrong(self, is_over):
        """Each of them once at least, in any order."""
        todo = []
        while todo or not is_over.is_set():
            if not todo:
                todo = self.chosen.sample(self.FAULTS, len(self.FAULTS))
            what = todo.pop()
            what(self)
            self.done[what.__name__] += 1
            if is_over.is_set() and all(self.done[each.__name__] for each in self.FAULTS):
                break
            time.sleep(self.chosen.uniform(0, 0.5))
        self.weight = 0


class Client(threading.Thread):
    """Sends messages until there are no more, a few on each connection."""

    def __init__(self, site, todo, seed):
        super().__init__(daemon=True)
        self.site, self.todo, self.chosen = site, todo, random.Random(seed)
        self.session, self.left, self.error = None, 0, None

    def run(self):
        try:
            while self.todo:
                with contextlib.suppress(IndexError):
                    self.send(self.todo.pop())
            self.close()
        except BaseException as error:  # the test tells of it
            self.error = error

    def close(self):
        if self.session is not None:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                self.session.quit()
            self.session.close()
        self.session = None

    def send(self, sent):
        for _ in range(TRIES):
            kills = self.site.kills
            try:
                self.attempt(sent)
            except (OSError, smtplib.SMTPException, AssertionError) as error:
                # Without an answer to the end nobody knows.
                sent.last = "unknown" if sent.last == "asked" else "deferred"
                sent.is_doubtful |= sent.last == "unknown"
                self.close()
                time.sleep(0.05)
                del error
            sent.is_doubtful |= self.site.kills != kills or kills % 2 == 1
            if sent.last != "deferred":
                return
            time.sleep(self.chosen.uniform(0.02, 0.3))

    def attempt(self, sent):
        sent.last, sent.taken, sent.refused = "deferred", [], []
        if self.session is None:
            self.left = self.chosen.randrange(1, 8)
            self.session = self.site.postfix.session("mx")
        self.left -= 1
        self.dialogue(sent)
        if sent.last == "deferred" or self.left <= 0:
            self.close()

    def dialogue(self, sent):
        session = self.session
        if session.mail("a@example.net")[0] != 250:
            return
        replies = [(to, session.rcpt(to)[0]) for to in sent.recipients]
        taken = [to for to, code in replies if code == 250]
        if not taken or any(code >= 500 for _, code in replies) or session.docmd("DATA")[0] != 354:
            return
        session.send(re.sub(rb"(?m)^\.", b"..", sent.data) + b".\r\n")
        sent.last = "asked"
        code = session.getreply()[0]
        sent.last = "taken" if code == 250 else "refused" if code >= 500 else "deferred"
        sent.taken = taken if code == 250 else []
        sent.refused = [to for to, code in replies if code != 250]


def on_the_way(site):
    """What is in Postfix' queue and in the outbox."""
    queue = site.postfix.directory / "queue"
    return [path for name in ("maildrop", "incoming", "active", "deferred") for path in (queue / name).rglob("*") if path.is_file()] + \
        list((site.places / "outbox").glob("*.json"))


def is_all_out(site):
    """Asks Postfix to look at its queue: what was being delivered while it reloaded it would not look at for minutes."""
    left = on_the_way(site)
    if left:
        subprocess.run(["postqueue", "-c", site.postfix.directory / "etc", "-f"], check=True)
    return not left


def wait_until_all_is_out(site):
    try:
        wait_for(lambda: is_all_out(site), "queue and outbox are empty", 60 + MESSAGES / 20, 0.5)
    except AssertionError as error:
        raise AssertionError(f"{error}, seed {SEED}: {on_the_way(site)}\n{site.contentd.log[-3000:]}\n{site.postfix.log[-3000:]}") from None


def split(raw):
    """((name, value) as they are, body) of a message."""
    head, _, body = raw.partition(b"\r\n\r\n")
    fields = re.sub(rb"\r\n(?=[ \t])", b"\0", head).split(b"\r\n")
    return [(name.decode(), value.replace(b"\0", b"\r\n").decode()) for name, _, value in (one.partition(b": ") for one in fields)], body


def altered(sent, raw):
    """What is wrong with what has come, or is kept, of a message; None: nothing is."""
    fields, body = split(raw)
    if hashlib.sha256(body).digest() != hashlib.sha256(sent.body).digest():
        return f"the body is another: {len(body)} bytes for {len(sent.body)}"
    left = [(name, value.removeprefix("[SPAM] ") if name == "Subject" else value) for name, value in fields
            if name.lower() not in ADDED]
    wanted = [(name, value) for name, value in sent.head if name.lower() not in ADDED]
    return None if left == wanted else f"the header is another: {left}"


def number_of(raw):
    return int(re.search(rb"Message-ID: <(\d+)@nothing.lost>", raw[:20000])[1])


def account(site, all_sent):
    """Complaints about each recipient, and how many there were of each fate."""
    got, kept, wrong, fates = collections.Counter(), collections.Counter(), [], collections.Counter()
    for message in site.sink.messages:
        sent = all_sent[number_of(message.raw)]
        got.update(message.recipients)
        if what := altered(sent, message.raw):
            wrong.append(f"{sent.number} delivered: {what}")
        if sent.is_malware:
            wrong.append(f"{sent.number}: malware was delivered to {message.recipients}")
    for path in (site.places / "quarantine").glob("*.json"):
        known, raw = json.loads(path.read_text()), path.with_suffix(".eml").read_bytes()
        sent = all_sent[number_of(raw)]
        kept.update(to["address"] for to in known["recipients"])
        if what := altered(sent, raw):
            wrong.append(f"{sent.number} kept: {what}")
    for sent in all_sent:
        for to in sent.recipients:
            places = got[to] + kept[to]
            wanted = 1 if to in sent.taken else 0
            fates["delivered" if got[to] else "kept" if kept[to] else sent.last] += 1
            may_repeat = sent.is_doubtful or to in site.on_the_way
            if places < wanted or (places > wanted and not may_repeat):
                wrong.append(f"{to}: {sent.last}, delivered {got[to]} times, kept {kept[to]} times")
            fates["more than once, after a kill"] += places > wanted
    strangers = set(got + kept) - {to for sent in all_sent for to in sent.recipients}
    return wrong + [f"{to}: nobody's" for to in strangers], fates


def test_nothing_is_lost(workdir, sink, redis):
    with contextlib.ExitStack() as stack:
        site = Site(workdir, sink, redis, stack)
        chosen = random.Random(SEED)
        all_sent = [make(chosen, number) for number in range(MESSAGES)]
        todo, is_over = all_sent[::-1], threading.Event()
        clients = [Client(site, todo, SEED + n) for n in range(CLIENTS)]
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            wrecker = pool.submit(site.go_wrong, is_over)
            try:
                for client in clients:
                    client.start()
                for client in clients:
                    client.join()
            finally:
                is_over.set()
        wrecker.result()  # fails when something could not be made to go wrong
        assert [client.error for client in clients] == [None] * CLIENTS
        assert all(site.done[what.__name__] for what in Site.FAULTS), site.done
        wait_until_all_is_out(site)
        wrong, fates = account(site, all_sent)
        told = collections.Counter(sent.last for sent in all_sent)
        summary = f"seed {SEED}: {dict(told)}, recipients {dict(fates)}, faults {dict(site.done)}"
        print(summary)
        assert not wrong, "\n".join([summary, f"{len(wrong)} complaints", *wrong[:40]])
        assert told["taken"] and fates["kept"] and fates["delivered"] and told["refused"], summary
