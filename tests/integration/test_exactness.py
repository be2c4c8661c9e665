"""In no window are more than N admitted, on all hosts together, and of a burst exactly N.

A client knows when it sent and when it was answered; the charge happened in between. A window is exceeded beyond doubt
when requests that were sent in it and answered in it cost more than N: so the test cannot accuse wrongly. A refusal was
wrong beyond doubt when all that may have counted, and what was asked for, is not more than N."""
import itertools
import random
import time
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

import pytest

from servers.load import Asked, Load
from servers.policy import attributes
from servers.policyd import PATIENT

CONNECTIONS = 64
DAEMONS = 4
SECONDS = 9.0
ROUNDS = 10  # at most, of so many seconds
BUCKETS = 24
USERS = 4


@dataclass(frozen=True)
class Limit:
    """Its window is a little longer than what a slot may be late."""
    name: str
    most: int
    window_ms: int
    dearest: int  # most recipients of a request

    @property
    def window(self):
        return self.window_ms / 1000


LIMITS = [Limit("w24", 8, 24, 1), Limit("w50", 12, 50, 3), Limit("w120", 30, 120, 9), Limit("w250", 40, 250, 9),
          Limit("w600", 60, 600, 20), Limit("w2000", 150, 2000, 50)]

CONFIG = "workers = 1\nlog_level = warning\n" + "".join(f"""
[limit {limit.name}]
key = sasl_username
count = recipients
rate = {limit.most}/{limit.window_ms}ms
over = defer 4.7.1 Over

[rule {limit.name}]
when = sender_domain = {limit.name}.example
then = limit {limit.name}
""" for limit in LIMITS)

BURST = """
[limit burst]
key = sasl_username
count = recipients
rate = {most}/1h
over = defer 4.7.1 Over

[rule burst]
then = limit burst
"""


def cost(asked):
    return int(asked.values["recipient_count"])


def random_requests(seconds, seed):
    dice = random.Random(seed)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        limit = dice.choice(LIMITS)
        yield attributes("DATA", sender=f"a@{limit.name}.example", sasl_username=f"user{dice.randrange(USERS)}",
                         recipient_count=str(dice.randint(1, limit.dearest)))


# ---- the judge ----

def fullest(admitted, window):
    """The most that was admitted, beyond doubt, in a window of this length: sent and answered in it."""
    found = 0
    by_answer = sorted(admitted, key=lambda asked: asked.answered)
    inside, first = [], 0
    for last in by_answer:
        inside.append(last)
        while by_answer[first].answered < last.answered - window:
            first += 1
        found = max(found, sum(cost(asked) for asked in by_answer[first:len(inside)]
                               if asked.sent >= last.answered - window))
    return found


def wrongly_refused(admitted, refused, limit):
    """Refusals although all that may have counted leaves room: a slot is free at most a bucket's width late."""
    by_sent = sorted(admitted, key=lambda asked: asked.sent)
    sent = [asked.sent for asked in by_sent]
    longest = max((asked.seconds for asked in by_sent), default=0)
    counts_for = limit.window * (1 + 1 / BUCKETS) + 0.002  # the clock has whole milliseconds
    found = []
    for one in refused:
        least = one.sent - counts_for
        near = by_sent[bisect_left(sent, least - longest):bisect_right(sent, one.answered)]
        if sum(cost(asked) for asked in near if asked.answered >= least) + cost(one) <= limit.most:
            found.append(one)
    return found


def at(sent, answered, recipients=1, action="DUNNO"):
    return Asked(0, {"recipient_count": str(recipients)}, sent, answered, action)


def test_the_judge_sees_what_is_wrong():
    admitted = [at(0.0, 0.01, 5), at(0.5, 0.51, 3), at(0.98, 0.99, 2), at(1.2, 1.21, 4)]
    assert fullest(admitted, 1.0) == 10
    assert fullest([at(0.0, 0.01, 5), at(0.99, 1.01, 5)], 1.0) == 5  # perhaps just outside
    limit = Limit("x", 10, 1000, 9)
    assert wrongly_refused(admitted, [at(2.3, 2.31, 6)], limit)
    assert not wrongly_refused(admitted, [at(2.0, 2.01, 7)], limit)


def judge(every, record_property):
    """Of all that was asked: fails when a window was exceeded. Returns in how many disjoint windows that could have happened, and
    where the load was too small to come near."""
    windows, blunt = 0, []
    for limit, user in itertools.product(LIMITS, range(USERS)):
        mine = [asked for asked in every if asked.values["sender"] == f"a@{limit.name}.example"
                and asked.values["sasl_username"] == f"user{user}"]
        admitted = [asked for asked in mine if asked.is_admitted]
        refused = [asked for asked in mine if not asked.is_admitted]
        most = fullest(admitted, limit.window)
        assert most <= limit.most, f"{limit} user{user}: {most} in a window"
        wrong = wrongly_refused(admitted, refused, limit)
        assert not wrong, f"{limit} user{user}: {len(wrong)} of {len(refused)} refused for nothing: {wrong[0]}"
        if limit.window_ms >= 600 and most <= limit.most * 0.9:  # long beside the time that an answer takes
            blunt.append(f"{limit} user{user}: {most}")
        windows += int((every[-1].answered - every[0].sent) / limit.window)
    record_property("windows", windows)
    record_property("requests", len(every))
    print(f"{len(every)} requests, {windows} windows")
    return windows, blunt


@pytest.fixture
def daemons(start_policyd, redis, request):
    """start(store, config) -> several processes on one Redis, or one with its memory."""
    def start(config):
        if request.param == "memory":
            return [start_policyd(config.replace("workers = 1", "workers = 4"))]
        # However busy the machine is, Redis decides.
        return [start_policyd(config, options=[f"store={redis.url}", *PATIENT]) for _ in range(DAEMONS)]
    return start


@pytest.mark.parametrize("daemons", ["redis", "memory"], indirect=True)
def test_no_window_has_more_than_the_limit(daemons, record_property):
    servers = daemons(CONFIG)
    every = []
    for number in range(ROUNDS):  # one, where the machine does not do much else
        load = Load([server.unix for server in servers], CONNECTIONS, random_requests(SECONDS, number)).run()
        assert not load.unanswered and not load.lost
        assert not any(server.metric("gatehouse_store_degraded_total") for server in servers)
        every += load.asked
        windows, blunt = judge(every, record_property)
        if not blunt:
            break
    assert windows > 1000 and not blunt


@pytest.mark.parametrize("daemons", ["redis", "memory"], indirect=True)
@pytest.mark.parametrize("dearest", [1, 7])
def test_of_a_burst_exactly_the_limit_is_admitted(daemons, dearest):
    most = 300
    dice = random.Random(dearest)
    servers = daemons(BURST.format(most=most))
    burst = [attributes("DATA", sasl_username="one", recipient_count=str(dice.randint(1, dearest))) for _ in range(10 * most)]
    load = Load([server.unix for server in servers], CONNECTIONS, burst).run()
    assert not load.unanswered and not load.lost
    assert not any(server.metric("gatehouse_store_degraded_total") for server in servers)
    # Single recipients come to the end, so they fill what dearer ones leave.
    assert sum(cost(asked) for asked in load.asked if asked.is_admitted) == most
