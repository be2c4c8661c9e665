"""What policyd charges for each recipient (charge = rcpt) is given back for those that contentd refuses or removes while others
get the message, and for nobody else: with a real Postfix, policyd, contentd and Redis."""
import itertools

import pytest

import servers.site
from servers.filter import Filter
from servers.policyd import PATIENT, PATIENT_WITHOUT_DNS, Policyd
from servers.postfix import Postfix
from servers.process import wait_for
from servers.redis import Redis

pytestmark = pytest.mark.usefixtures("needs_postfix")

LIMITS = """
[limit each]
key = recipient
count = recipients
charge = rcpt
rate = 10000/1h

[limit user]
key = sasl_username
count = recipients
charge = rcpt
rate = 10000/1h

[limit received]
key = recipient
count = messages
charge = rcpt
rate = 10000/1h

[limit messages]
key = sasl_username
count = messages
charge = rcpt
rate = 10000/1h

[limit whole]
key = sasl_username
count = recipients
rate = 10000/1h

[rule quota]
then = limit each, user, received, messages, whole
"""

FILTER = """
store = {store}
mixed = {mixed}
[chain one]
[chain other]
[apply]
*                   = one
@apart.example.org  = other

[rule refused]
when = sender = refused@example.com
then = reject 5.7.1 Not this message
[rule never]
when  = recipient = never@example.org
then  = reject 5.7.1 Not to this one
stage = rcpt
[rule gone]
when = recipient_domain = gone.example.org
then = discard
[rule kept]
when = recipient = kept@example.org
then = quarantine for the test
"""

BOB, ANN, NEVER, KEPT = "bob@example.org", "ann@example.org", "never@example.org", "kept@example.org"
GONE, APART = "gone@gone.example.org", "x@apart.example.org"
ALICE = "alice@example.com"
ports = itertools.count(41001)


class Site(servers.site.Site):
    """Two hosts' contentd, one for each way with recipients that disagree, behind one Postfix."""

    def start(self, started, workdir, sink):
        self.redis = Redis(workdir / "redis")
        started.callback(self.redis.stop)
        self.policyd = Policyd(workdir / "policyd", LIMITS, options=[f"store={self.redis.url}", *PATIENT])
        started.callback(self.policyd.stop)
        self.filters = {}
        for mixed in ("quarantine", "split"):
            self.filters[mixed] = Filter(workdir / mixed, FILTER.format(store=self.redis.url, mixed=mixed), PATIENT_WITHOUT_DNS)
            started.callback(self.filters[mixed].stop)
        ask = f"check_policy_service inet:127.0.0.1:{self.policyd.tcp[1]}"
        self.postfix = Postfix(workdir / "postfix", sink, {
            mixed: f"smtpd_recipient_restrictions = reject_unauth_destination, {ask}\nsmtpd_data_restrictions = {ask}\n"
                   f"smtpd_milters = unix:{one.unix}\nmilter_default_action = tempfail\nsmtpd_soft_error_limit = 1000\n"
            for mixed, one in self.filters.items()})
        started.callback(self.postfix.stop)
        for daemon in (self.policyd, *self.filters.values()):
            wait_for(lambda d=daemon: d.gatectl_json("status")["store"]["state"] == "up", "it uses redis")

    def session(self, mixed):
        return self.postfix.session(mixed, "198.18.0.7", port=next(ports), login=ALICE)

    def count(self, limit, who):
        return self.redis.used(limit, f"m:{who}")

    def counts(self, *recipients):
        """For each recipient, and for alice: recipients at RCPT, messages at RCPT, recipients at DATA."""
        return {**{one: (self.count("each", one), self.count("received", one)) for one in recipients},
                ALICE: tuple(self.count(limit, ALICE) for limit in ("user", "messages", "whole"))}

    def records(self):
        """Of messages that have got as far as DATA; gives each as a dict."""
        return [self.redis.hash(key) for key in self.redis.cli("KEYS", "gh:tx:{*/*/*/*}").split()]

    def settles(self):
        """contentd has said what has become of all."""
        wait_for(lambda: not any(one.metric("gatehouse_milter_messages_in_flight") for one in self.filters.values()), "all are over", 30)
        wait_for(lambda: all("verdict.contentd" in record for record in self.records()), "all are settled", 30)

    def come_to(self, counts):
        self.settles()
        wait_for(lambda: self.counts(*(one for one in counts if one != ALICE)) == counts, f"it comes to {counts}", 30)


@pytest.fixture(scope="module")
def site(workdir, sink):
    site = Site(workdir, sink)
    yield site
    site.stop()


@pytest.fixture(autouse=True)
def empty(site):
    site.settles()  # nothing of a test before is written any more
    site.redis.forget("gh:[qtor]*")


def deliver(session, recipients, sender=ALICE):
    """Codes at RCPT, and at the end."""
    assert session.mail(sender)[0] == 250
    codes = [session.rcpt(one)[0] for one in recipients]
    assert session.docmd("DATA")[0] == 354
    session.send(f"From: <{sender}>\r\nSubject: each\r\n\r\nhello\r\n.\r\n".encode())
    return codes, session.getreply()[0]


# Recipients, what RCPT says of each, and who is still charged for.
MIXED = [
    ([BOB, ANN], [250, 250], [BOB, ANN]),
    ([BOB, GONE], [250, 250], [BOB]),
    ([GONE, BOB, "too@gone.example.org"], [250, 250, 250], [BOB]),
    ([BOB, KEPT], [250, 250], [BOB, KEPT]),  # it is there for him
    ([KEPT, GONE], [250, 250], [KEPT]),
    ([BOB, NEVER], [250, 554], [BOB]),
    ([NEVER, BOB], [554, 250], [BOB]),  # Postfix has no queue id when that one is refused
    ([NEVER, BOB, GONE, KEPT, "Never@Example.ORG"], [554, 250, 250, 250, 554], [BOB, KEPT]),
]


@pytest.mark.parametrize("recipients, codes, charged", MIXED)
def test_who_does_not_get_it_costs_nothing(site, recipients, codes, charged):
    with site.session("quarantine") as session:
        got, code = deliver(session, recipients)
    assert (got, code) == (codes, 250)
    names = {one.lower() for one in recipients}
    taken = sum(one == 250 for one in codes)
    site.come_to({**{one: (int(one in charged),) * 2 for one in names}, ALICE: (len(charged), 1, taken)})
    assert site.filters["quarantine"].metric("gatehouse_content_refunds_failed_total") == 0
    # The record, which `gatectl why` shows, says what is left.
    record, = site.records()
    left = {who: sum(int(amount) for name, amount in record.items() if name.startswith(f"gh:q:{{m:{who}}}:each."))
            for who in names}
    assert left == {one: int(one in charged) for one in names}


def test_who_is_told_to_come_again_is_charged_once(site):
    with site.session("split") as session:
        assert deliver(session, [BOB, APART, ANN]) == ([250, 452, 250], 250)
    site.come_to({BOB: (1, 1), APART: (0, 0), ANN: (1, 1), ALICE: (2, 1, 2)})
    with site.session("split") as session:
        assert deliver(session, [APART]) == ([250], 250)
    site.come_to({BOB: (1, 1), APART: (1, 1), ANN: (1, 1), ALICE: (3, 2, 3)})


def test_a_message_that_is_refused_costs_nothing(site):
    with site.session("quarantine") as session:
        codes, code = deliver(session, [BOB, NEVER, GONE], sender="refused@example.com")
        assert codes == [250, 554, 250] and code == 554
    site.come_to({BOB: (0, 0), NEVER: (0, 0), GONE: (0, 0), ALICE: (0, 0, 0)})


def test_messages_on_one_connection_are_apart(site):
    """What was refused in one message is not given back with the next."""
    with site.session("quarantine") as session:
        assert deliver(session, [BOB, NEVER]) == ([250, 554], 250)
        assert session.mail(ALICE)[0] == 250
        assert session.rcpt(ANN)[0] == 250
        assert session.rcpt(NEVER)[0] == 554
        assert session.docmd("RSET")[0] == 250  # nobody hears what became of that one
        assert deliver(session, [BOB, ANN]) == ([250, 250], 250)
    site.come_to({BOB: (2, 2), ANN: (2, 2), NEVER: (1, 1), ALICE: (5, 3, 3)})


def test_many_recipients(site):
    many = [f"u{n}@{'gone.' if n % 2 else ''}example.org" for n in range(300)]
    with site.session("quarantine") as session:
        codes, code = deliver(session, many)
    assert set(codes) == {250} and code == 250
    wait_for(lambda: site.counts()[ALICE] == (150, 1, 300), "half of them are given back", 30)
    stay = site.redis.cli("KEYS", "gh:q:*:each.*").split()
    assert sorted(stay) == sorted(f"gh:q:{{m:{one}}}:each.3600000.24" for one in many[::2])


def test_what_is_kept_of_recipients_ends(site):
    with site.session("quarantine") as session:
        assert deliver(session, [BOB, ANN])[1] == 250
    keys = site.redis.cli("KEYS", "gh:rcpt:*").split()
    assert len(keys) == 1
    assert 0 < int(site.redis.cli("PTTL", keys[0])) <= 3600 * 1000
