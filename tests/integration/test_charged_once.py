"""A request is charged once however often, and wherever, it is asked again; what is refused costs nothing.

With Redis, over several processes; beside a real Postfix: test_postfix.py."""
import time

import pytest

from servers.load import Load
from servers.policy import attributes, encode
from servers.policyd import PATIENT
from servers.process import wait_for

CONFIG = """
workers = 2

[limit hourly]
key = sasl_username
count = recipients
rate = 10/1h
over = defer 4.7.1 Too many

[limit total]
key = sender_domain
count = recipients
rate = 1000/1h
over = defer 4.7.1 Domain is full

[limit small]
key = sender
count = messages
rate = 2/1h
over = defer 4.7.1 Sender is full

[limit offences]
key = sasl_username
count = refused
rate = 1000/1h

[rule offences]
then = limit offences

[rule charged]
then = limit total, small, hourly

[rule refused]
when = sender_domain = refused.example
then = reject 5.7.1 Refused by a rule

[rule header]
stage = data
then = prepend X-Policy: seen
"""


@pytest.fixture
def start(start_policyd, redis, request):
    """start() -> a policyd on the one Redis, which is waited for unless it hangs in the test."""
    options = () if request.node.get_closest_marker("redis_hangs") else PATIENT
    return lambda: start_policyd(CONFIG, options=[f"store={redis.url}", *options])


@pytest.fixture
def policyd(start):
    return start()


def message(user="bob@example.com", sender="a@example.com", recipients=1):
    return attributes("DATA", sasl_username=user, sender=sender, recipient_count=str(recipients))


def charged(redis):
    """limit -> what Redis has counted, all subjects together."""
    found = {}
    for (_, limit), amount in redis.usage().items():
        found[limit] = found.get(limit, 0) + amount
    return found


def once(recipients):
    return {"hourly": recipients, "total": recipients, "small": 1}


# ---- asked again ----

def test_three_restriction_lists_on_one_connection(policyd, redis):
    values = message(recipients=3)
    with policyd.client() as client:
        answers = [client.ask_again(values) for _ in range(3)]
    assert answers == ["PREPEND X-Policy: seen", "DUNNO", "DUNNO"]  # one header, not three
    assert charged(redis) == once(3)


@pytest.mark.parametrize("wait_s", [0, 0.3])
def test_a_retry_on_another_connection(policyd, redis, wait_s):
    values = message(recipients=3)
    first = policyd.client().ask_again(values)
    time.sleep(wait_s)
    assert policyd.client(tcp=True).ask_again(values) == first == "PREPEND X-Policy: seen"
    assert charged(redis) == once(3)


@pytest.mark.redis_hangs
def test_a_retry_while_the_first_is_stalled(policyd, redis):
    """Redis hangs; each of many connections asks the same before the first has an answer."""
    values = message(recipients=3)
    policyd.client().ask_again(message())
    clients = [policyd.client(tcp=number % 2 == 0) for number in range(8)]
    redis.pause()
    try:
        for client in clients:
            client.send(encode(values))
        answers = [client.reply() for client in clients]
    finally:
        redis.go_on()
    assert answers == [b"action=PREPEND X-Policy: seen"] * len(clients)
    wait_for(policyd.is_whole, "Redis is in use again")
    wait_for(lambda: charged(redis) == {"hourly": 4, "total": 4, "small": 2}, "all is charged once")
    time.sleep(0.5)  # nothing comes afterwards
    assert charged(redis) == {"hourly": 4, "total": 4, "small": 2}


@pytest.mark.redis_hangs
def test_a_retry_when_the_client_of_the_first_has_gone(policyd, redis):
    values = message()
    redis.pause()
    try:
        with policyd.client() as client:
            client.send(encode(values))
        assert policyd.client().ask_again(values) == "PREPEND X-Policy: seen"
    finally:
        redis.go_on()
    wait_for(lambda: charged(redis) == once(1), "it is charged")
    assert policyd.client().ask_again(values) == "PREPEND X-Policy: seen"
    assert charged(redis) == once(1)


def test_a_retry_on_another_process(start, redis):
    one, other = start(), start()
    values = message(recipients=3)
    assert one.client().ask_again(values) == other.client().ask_again(values) == "PREPEND X-Policy: seen"
    assert charged(redis) == once(3)


def test_the_same_on_both_processes_at_once(start, redis):
    policyds = [start(), start()]
    clients = [policyd.client() for policyd in policyds * 4]
    for number in range(1, 51):
        values = message(user=f"user{number}@example.com", sender=f"{number}@example.com")
        for client in clients:
            client.send(encode(values))
        for client in clients:
            client.reply()
    assert charged(redis) == {"hourly": 50, "total": 50, "small": 50}


@pytest.mark.redis_hangs
def test_the_same_on_both_processes_while_redis_is_away(start, redis):
    """Both decide for themselves; what they write back afterwards counts once."""
    policyds = [start(), start()]
    values = message(recipients=3)
    redis.pause()
    try:
        assert [policyd.client().ask_again(values) for policyd in policyds] == ["PREPEND X-Policy: seen"] * 2
    finally:
        redis.go_on()
    wait_for(lambda: all(policyd.is_whole() for policyd in policyds), "Redis is in use again")
    wait_for(lambda: charged(redis) == once(3), "it is charged once")
    time.sleep(0.5)
    assert charged(redis) == once(3)


def test_a_refusal_is_repeated(start, redis):
    """Verbatim by the same process, in substance by another, and by neither charged or counted twice."""
    one, other = start(), start()
    one.client().ask_again(message(recipients=10))
    values = message(sender="b@example.com")
    with one.client() as client:
        first = client.ask_again(values)
        assert "Too many" in first and client.ask_again(values) == first
    assert one.client().ask_again(values) == first
    assert other.client().ask_again(values).startswith("DEFER_IF_PERMIT 4.7.1 Too many")
    assert charged(redis) == {**once(10), "offences": 1}


def test_another_message_is_another_request(policyd, redis):
    with policyd.client() as client:
        client.ask_again(message())
        client.ask_again(message())
    assert charged(redis) == {"hourly": 2, "total": 2, "small": 2}


# ---- refused ----

def test_what_a_rule_refuses_costs_nothing(policyd, redis):
    for _ in range(3):
        assert "Refused by a rule" in policyd.client().ask_again(message(sender="a@refused.example"))
    assert charged(redis) == {"offences": 3}


def test_all_or_nothing(policyd, redis):
    """The last of three limits is exceeded: the first two are not charged."""
    policyd.client().ask_again(message(recipients=8))
    assert "Too many" in policyd.client().ask_again(message(sender="b@example.com", recipients=3))
    assert charged(redis) == {**once(8), "offences": 1}
    assert policyd.client().ask_again(message(sender="b@example.com", recipients=2)).startswith("PREPEND")
    assert charged(redis) == {"hourly": 10, "total": 10, "small": 2, "offences": 1}


def test_all_or_nothing_from_many_connections(start, redis):
    """Whatever the interleaving, the limits agree on what was admitted."""
    policyds = [start(), start()]
    requests = [message(user=f"user{number % 3}@example.com", sender=f"{number % 17}@example.com",
                        recipients=number % 4 + 1) for number in range(400)]
    load = Load([policyd.unix for policyd in policyds], 16, requests).run()
    admitted = [asked for asked in load.asked if asked.action.startswith("PREPEND")]
    recipients = sum(int(asked.values["recipient_count"]) for asked in admitted)
    found = charged(redis)
    assert found == {"hourly": recipients, "total": recipients, "small": len(admitted),
                     "offences": len(load.asked) - len(admitted)}
    assert recipients == 30  # three users, and single recipients fill what dearer ones leave


def test_a_store_in_memory_does_the_same(start_policyd):
    policyd = start_policyd(CONFIG)
    clients = [policyd.client(tcp=number % 2 == 0) for number in range(8)]
    values = message(recipients=8)
    for client in clients:
        client.send(encode(values))
    assert [client.reply() for client in clients] == [b"action=PREPEND X-Policy: seen"] * 8
    assert "Too many" in clients[0].ask_again(message(sender="b@example.com", recipients=3))
    assert clients[0].ask_again(message(sender="b@example.com", recipients=2)).startswith("PREPEND")
