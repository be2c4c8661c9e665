"""Transaction records: what policyd writes of a message is there when Postfix tells a milter of it, under the names that the
milter is told; what was charged can be given back, once."""
import itertools
import subprocess
import threading

import pytest

import servers.site
from servers.policyd import BUILD, PATIENT, Policyd
from servers.postfix import Postfix
from servers.process import wait_for
from servers.redis import Redis
from servers.watching_milter import WatchingMilter

pytestmark = pytest.mark.usefixtures("needs_postfix")

PROGRAM = BUILD / "tests/transaction"

RULES = """
[limit recipients]
key = sasl_username
count = recipients
rate = 10000/1h

[limit each]
key = client_address
count = recipients
charge = rcpt
rate = 10000/1h

[limit bytes]
key = sasl_username
count = bytes
rate = 1000M/1d

[limit connections]
key = client_address
count = connections
rate = 10000/1h

[rule refused]
when = sender_domain = refused.example
stage = data
then = reject 5.7.1 Refused by a rule

[rule quota]
when = sender_domain != free.example
then = limit recipients, each, bytes, connections

[rule points]
then = score +1.5

[rule allowed]
when = sasl_username is set
then = accept
"""


class Site(servers.site.Site):
    """Redis, policyd, a Postfix that asks it at RCPT, DATA and END-OF-MESSAGE, and a milter behind that; another policyd, which
    does not wait for Redis, serves the mail that comes to `hasty`."""

    def start(self, started, workdir, sink):
        self.redis = Redis(workdir / "redis")
        started.callback(self.redis.stop)
        self.policyd = Policyd(workdir / "policyd", RULES, options=[f"store={self.redis.url}", "workers=2", *PATIENT])
        started.callback(self.policyd.stop)
        self.hasty = Policyd(workdir / "hasty", RULES, options=[f"store={self.redis.url}", "workers=2"])
        started.callback(self.hasty.stop)
        self.seen = []  # (step, record) as the milter finds it
        self.told = {}
        self.looks = True
        self.lock = threading.Lock()
        self.milter = WatchingMilter(self.on_step)
        started.callback(self.milter.stop)
        self.postfix = Postfix(workdir / "postfix", sink, {"mx": self.asking(self.policyd), "hasty": self.asking(self.hasty)})
        started.callback(self.postfix.stop)
        for policyd in (self.policyd, self.hasty):
            wait_for(lambda p=policyd: p.gatectl_json("status")["store"]["state"] == "up", "policyd uses redis")

    def asking(self, policyd):
        ask = f"check_policy_service inet:127.0.0.1:{policyd.tcp[1]}"
        return f"smtpd_recipient_restrictions = reject_unauth_destination, {ask}\n" \
               f"smtpd_data_restrictions = {ask}\n" \
               f"smtpd_end_of_data_restrictions = {ask}\n" \
               f"smtpd_milters = inet:127.0.0.1:{self.milter.port}\n" \
               "milter_connect_macros = j {daemon_name} {daemon_addr} {client_addr} {client_port} v _\n"

    def on_step(self, step, known):
        """Reads the record at once, by what the milter knows."""
        if step not in "TNE" or not self.looks:
            return
        key = f"gh:tx:{{{known.get('i', '')}/{known['connect_address']}/{known['connect_port']}/{known['daemon_addr']}}}"
        record = self.redis.hash(key)
        with self.lock:
            self.seen.append((step, record))
            self.told = dict(known)

    def program(self, what, *more, sender=None):
        told = self.told
        done = subprocess.run([PROGRAM, what, self.redis.url, told["i"], told["connect_address"], told["connect_port"],
                               told["daemon_addr"], sender or told["sender"], *more],
                              capture_output=True, text=True, timeout=30, check=True)
        return done.stdout.strip()


@pytest.fixture(scope="module")
def site(workdir, sink):
    site = Site(workdir, sink)
    yield site
    site.stop()


@pytest.fixture(autouse=True)
def empty(site):
    site.seen.clear()
    site.redis.forget("gh:[qto]*")


_port = itertools.count(40001)


def deliver(site, sender="alice@example.com", recipients=("bob@example.org", "carol@example.org"), size=0,
            address="198.18.0.7", service="mx"):
    """In a connection of its own."""
    with site.postfix.session(service, address, port=next(_port), login="alice@example.com") as session:
        return session.deliver(sender, list(recipients), "record", size=size)


def test_is_there_before_the_milter_hears_of_it(site):
    """What is charged comes with its charge. A milter that reads over another connection, without a moment's delay, finds what was known at DATA when it is told of
    DATA, and all of it when it is told of the message: again and again."""
    for _ in range(20):
        site.seen.clear()
        assert deliver(site, size=2000)[0] == 250
        assert [step for step, _ in site.seen] == ["T", "N", "E"]
        for step, record in site.seen:
            assert record.get("sender") == "alice@example.com", (step, record)
            assert record["rule"] == "allowed" and record["score"] == "1.5"
            charged = [field for field in record if field.startswith("gh:q:")]
            limits = sorted(field.split("}:")[1].split(".")[0] for field in charged)
            assert limits == (["each", "recipients"] if step == "T" else ["bytes", "each", "recipients"]), record


def test_is_there_without_charges_too(site):
    """Nothing is due: the record is written by itself, and the answer waits for it."""
    for _ in range(20):
        site.seen.clear()
        assert deliver(site, sender="alice@free.example")[0] == 250
        assert [step for step, record in site.seen if record.get("rule") == "allowed"] == ["T", "N", "E"], site.seen


def test_many_sessions_at_once(site):
    """The same with policyd under load."""
    errors = []

    def run(number):
        try:
            for _ in range(5):
                assert deliver(site, address=f"198.18.1.{number}", sender=f"s{number}@example.com")[0] == 250
        except Exception as error:  # a thread's failure is the test's
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors
    assert len(site.seen) == 8 * 5 * 3
    missing = [step for step, record in site.seen if not record]
    assert not missing, missing


def test_is_found_by_the_queue_id_that_postfix_logs(site):
    code, said = deliver(site)
    assert code == 250
    queue_id = said.split()[-1]
    assert site.told["i"] == queue_id
    keys = site.redis.cli("KEYS", "gh:tx:*").split()
    assert keys == [f"gh:tx:{{{queue_id}/198.18.0.7/{site.told['connect_port']}/127.0.0.1}}"]  # the one of RCPT has become part of it
    assert 0 < int(site.redis.cli("TTL", keys[0])) <= 3600
    record = site.redis.hash(keys[0])
    assert record["instance"]
    assert site.program("read") == "found rule=allowed charges=3 spf="


def test_gives_back_exactly_and_once(site):
    assert deliver(site, recipients=["x@example.org"])[0] == 250  # another message, which stays charged
    assert deliver(site, size=3000)[0] == 250
    bytes_used = site.redis.used("bytes")
    charged = int(next(text for field, text in site.redis.hash(site.redis.cli("KEYS", f"gh:tx:*{site.told['i']}*")).items()
                       if ":bytes." in field))
    assert charged > 3000
    assert (site.redis.used("recipients"), site.redis.used("each")) == (3, 3)
    assert site.program("refund", "reject virus=Eicar") == "given 3"
    assert (site.redis.used("recipients"), site.redis.used("each")) == (1, 1)
    assert site.redis.used("bytes") == bytes_used - charged
    assert site.redis.used("connections") == 2  # are no matter of the message's
    assert site.program("refund", "reject virus=Eicar") == "repeated"
    assert (site.redis.used("recipients"), site.redis.used("each")) == (1, 1)
    assert site.redis.used("bytes") == bytes_used - charged


def test_gives_nothing_back_for_another_sender(site):
    assert deliver(site)[0] == 250
    assert site.program("refund", sender="mallory@example.com") == "none"
    assert site.redis.used("recipients") == 2
    assert site.program("refund", sender="<Alice@EXAMPLE.com>") == "given 3"


@pytest.mark.parametrize("sender", ['"a b"@example.com', "Alice+News@EXAMPLE.com", "", '"a\\"b"@example.com'])
def test_both_sides_know_the_sender_by_the_same_name(site, sender):
    assert deliver(site, sender=sender)[0] == 250
    assert site.program("read").startswith("found"), site.told


def test_refused_mail_has_no_record_of_its_own(site):
    code, _ = deliver(site, sender="a@refused.example")
    assert code == 554
    assert not [key for key in site.redis.cli("KEYS", "gh:tx:*").split() if key.count("/") > 1]


def test_why_shows_all_of_it(site):
    assert deliver(site, size=2000)[0] == 250
    queue_id = site.told["i"]
    assert site.program("refund", "reject virus=Eicar") == "given 3"
    said = wait_for(lambda: site.policyd.gatectl("why", queue_id, check=False).stdout, "there is something")
    assert f"record            gh:tx:{{{queue_id}/198.18.0.7/" in said
    assert "sender            <alice@example.com>" in said
    assert "score             1.5" in said
    assert "given_back        recipients" in said
    assert "contentd          reject virus=Eicar" in said
    assert '"verdict": "reject virus=Eicar"' in site.policyd.gatectl("why", queue_id, "--json").stdout


def test_two_messages_of_one_session_have_records_of_their_own(site):
    with site.postfix.session("mx", "198.18.0.8", port=next(_port), login="alice@example.com") as session:
        assert session.deliver("alice@example.com", ["b@example.org"], "one")[0] == 250
        assert session.deliver("bob@example.com", ["b@example.org"], "two")[0] == 250
        assert session.deliver("", ["b@example.org"], "bounce")[0] == 250
    senders = [site.redis.hash(key)["sender"] for key in site.redis.cli("KEYS", "gh:tx:*").split()]
    assert sorted(senders) == ["", "alice@example.com", "bob@example.com"]


def test_mail_passes_without_redis(site):
    """Last: the record is missing, which is counted, and nobody waits long."""
    site.looks = False
    site.redis.pause()
    try:
        code, said = deliver(site, service="hasty")
        assert code == 250, (said, site.hasty.process.output[-3000:], site.postfix.log[-2000:])
    finally:
        site.redis.go_on()
    assert site.hasty.metric("gatehouse_policy_records_total", result="failed") >= 1
