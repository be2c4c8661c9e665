"""What contentd makes of scanners that fail, of every kind and in every way: `trouble` is kept to, nobody else notices, everybody
has an answer within the budget."""
import concurrent.futures
import json
import random
import time

import pytest

from servers.fake_scanners import FAULTS, KINDS, FakeScanner
from servers.filter import Filter
from servers.milter_client import MilterClient
from servers.policyd import PATIENT
from servers.process import wait_for

pytestmark = pytest.mark.sanitized

TROUBLES = ["tempfail", "accept", "quarantine"]
BUDGET_S = 20
GRACE_S = 10  # of a machine that does much else
NAMES = [f"{kind}-{trouble}" for kind in KINDS for trouble in TROUBLES]


def config(scanners, calm, timeout="600ms"):
    """A chain for each scanner, which has the calm one, too. They have so much time."""
    text = f"message_budget = {BUDGET_S}s\n[scanner calm]\nkind = clamd {calm.address}\n[chain calm]\nscanners = calm\n"
    for name, scanner in scanners.items():
        text += (f"[scanner {name}]\nkind = {scanner.kind} {scanner.address}\ntrouble = {name.split('-')[1]}\nscan_timeout = {timeout}\n"
                 f"connect_timeout = {timeout}\n[chain {name}]\nscanners = calm, {name}\n")
    return text + "[apply]\n* = calm\n" + "".join(f"{name}@example.org = {name}\n" for name in scanners)


@pytest.fixture(scope="module")
def calm():
    server = FakeScanner("clamd")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def contentd(workdir, calm):
    server = Filter(workdir / "contentd", config({}, calm))
    yield server
    server.stop()


def send(contentd, names, subject):
    """(last word, changes, seconds) of a message for these."""
    began = time.monotonic()
    with MilterClient(contentd.unix, timeout=BUDGET_S + 2 * GRACE_S) as client:
        client.start()
        last, changes = client.message(recipients=[f"<{name}@example.org>" for name in names], headers=[("Subject", subject)],
                                       body=random.randbytes(30).hex().encode() * 100 + b"\r\n")
    return last, changes, time.monotonic() - began


def kept(contentd, subject):
    """For whom a message is in the quarantine."""
    found = [json.loads(path.read_text()) for path in (contentd.directory / "quarantine").glob("*.json")]
    return sorted(to["address"].split("@")[0] for one in found if one["subject"] == subject for to in one["recipients"])


def said(last, changes):
    """What became of a message for one recipient, in a word."""
    if any(change.command in "hi" and b"X-Gatehouse-Unscanned" in change.data for change in changes):
        return "accept"
    return {"c": "clean", "a": "clean", "d": "quarantine", "t": "tempfail"}.get(
        last.command, "tempfail" if last.data.startswith(b"4") else "reject")


@pytest.fixture(params=["good", "refused", *FAULTS])
def scanners(request, contentd, calm):
    """One for each kind and `trouble`, all with the same fault; contentd knows them."""
    servers = {name: FakeScanner(name.split("-")[0], lambda: request.param) for name in NAMES}
    contentd.put_in_force(config(servers, calm, f"{BUDGET_S}s" if request.param == "good" else "600ms"))
    for server in servers.values() if request.param == "refused" else ():
        server.refuse()
    yield request.param
    want = set() if request.param == "refused" else set(NAMES)
    # Who had no time for an answer may not have been greeted yet.
    wait_for(lambda: want == {name for name, server in servers.items() if server.conversations > 0}, "all have been asked")
    for server in servers.values():
        server.stop()


def test_trouble_is_kept_to(contentd, scanners):
    alone = NAMES + ["calm"] * 5
    together = [f"{kind}-{trouble}" for kind in KINDS for trouble in ("accept", "quarantine")] + ["calm"]
    with concurrent.futures.ThreadPoolExecutor(len(alone) + 1) as pool:
        of_all = pool.submit(send, contentd, together, f"{scanners} together")
        replies = list(pool.map(lambda name: send(contentd, [name], f"{scanners} {name}"), alone))
    for name, (last, changes, seconds) in zip(alone, replies):
        want = "clean" if scanners == "good" or name == "calm" else name.split("-")[1]
        assert said(last, changes) == want, (name, last, changes)
        assert kept(contentd, f"{scanners} {name}") == ([name] if want == "quarantine" else []), name
        assert seconds < BUDGET_S + GRACE_S, name
    last, changes, seconds = of_all.result()
    gone = sorted(change.data.split(b"@")[0].decode().lstrip("<") for change in changes if change.command == "-")
    want = [] if scanners == "good" else sorted(name for name in together if name.endswith("quarantine"))
    assert (last.command in "ac", gone, kept(contentd, f"{scanners} together")) == (True, want, want), (last, changes)
    assert seconds < BUDGET_S + GRACE_S


POLICYD = "[limit messages]\nkey = sender\ncount = messages\nrate = 100/1h\n[rule all]\nthen = limit messages\n"


def test_the_mta_goes_while_a_scanner_is_silent(workdir, start_policyd, start_redis):
    """Nobody waits for the scanner any longer; the message comes again, so it has cost nothing."""
    redis = start_redis()
    policyd = start_policyd(POLICYD, options=[f"store={redis.url}", *PATIENT])
    silent = FakeScanner("clamd", lambda: "silent")
    server = Filter(workdir / "gone", f"[scanner s]\nkind = clamd {silent.address}\nscan_timeout = 50s\n"
                                      "[chain all]\nscanners = s\n[apply]\n* = all\n",
                    [f"store={redis.url}", "store_timeout=10s"])

    def used():
        return [redis.cli("HVALS", key) for key in redis.cli("KEYS", "gh:q:*").split()]

    try:
        assert policyd.ask("DATA", queue_id="4XkGone", sender="a@example.net", client_address="198.18.0.1", client_port="40000",
                           server_address="127.0.0.1") == "DUNNO"
        assert used() == ["1"]
        client = MilterClient(server.unix)
        client.connect(**{"{daemon_addr}": "127.0.0.1"})
        client.helo()
        client.mail(i="4XkGone")
        client.rcpt(i="4XkGone")
        client.headers_end(i="4XkGone")
        client.send(b"\0\0\0\1E")
        wait_for(lambda: silent.conversations == 1, "the scanner is asked")
        client.close()
        wait_for(lambda: server.metric("gatehouse_content_unwanted_total") == 1, "it is noticed")
        wait_for(lambda: server.metric("gatehouse_milter_messages_in_flight") == 0, "the message is over")
        wait_for(lambda: used() in ([], ["0"]), "it is given back")
        assert "tempfail nobody waits" in server.gatectl("why", "4XkGone").stdout
        assert server.metric("gatehouse_content_undecided_total") == 0
    finally:
        server.stop()
        silent.stop()
