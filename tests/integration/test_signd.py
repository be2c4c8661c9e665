"""signd at its milter socket: keys that come, go and fail, rotation, rules, resolvers that are away, hostile clients."""
import base64
import json
import os
import re
import signal
import subprocess
import time

import dkim
import pytest

from servers.dns import DNS
from servers.machine import Stopwatch
from servers.milter_client import inserted
from servers.policyd import GATECTL, PATIENT
from servers.process import ROOT, wait_for
from servers.signd import Signd, make_key, put_file, record_of

pytestmark = pytest.mark.sanitized

FIELDS = [("From", "<a@sender.example>"), ("To", "<b@example.org>"), ("Subject", "hello"),
          ("Date", "Sun, 22 Nov 2026 10:00:00 +0000"), ("Message-ID", "<1@sender.example>")]
BODY = b"hello\r\n"
GRACE_S = 5  # how long a key is kept whose file has gone (KEY_SHELF_GRACE_MS)


@pytest.fixture(scope="module")
def dns():
    server = DNS({}, ttl=0)
    yield server
    server.stop()


@pytest.fixture
def start(workdir, dns, request):
    """start(config) -> Signd, stopped after the test. It has patience with the DNS, unless the test says otherwise."""
    started = []

    def one(config="", resolver=None, options=(), **arguments):
        name = re.sub(r"\W", "-", request.node.name)[:20]
        said = config + "".join(f"\n{option}" for option in options)
        patience = [option for option in PATIENT if not re.search(rf"^{option.split('=')[0]} *=", said, re.M)]
        daemon = Signd(workdir / f"{name}-{len(started)}-{os.urandom(3).hex()}", config, resolver=resolver or dns.resolver,
                       options=[*patience, *options], **arguments)
        started.append(daemon)
        return daemon

    yield one
    for daemon in started:
        daemon.stop()


def send(daemon, fields=None, body=BODY, address="127.0.0.1", sender="<a@sender.example>", **macros):
    """(last word, changes) of a message; from 127.0.0.1 it is outbound."""
    fields = FIELDS if fields is None else fields
    with daemon.client() as client:
        client.connect(address=address)
        client.helo()
        if macros:
            client.mail(sender, **macros)
            client.rcpt()
            for field in fields:
                client.header(*field)
            client.headers_end(i="4Xk2Lq")
            client.body(body)
            *changes, last = client.end()
            return last, changes
        return client.message(sender=sender, headers=fields, body=body)


def selectors(changes):
    return sorted(re.search(r"\bs=([^;\s]+)", value)[1] for value in inserted(changes, "DKIM-Signature"))


def verifies(changes, dns, fields=None, body=BODY):
    """Whether dkimpy takes every signature, with the keys that the DNS shows now."""
    def txt(name, timeout=5):
        records = dns.find(name.decode().rstrip(".").lower())
        return records["TXT"][0].encode() if records else None
    made = inserted(changes, "DKIM-Signature")
    text = "".join(f"{name}: {value}\r\n" for name, value in (FIELDS if fields is None else fields)).encode() + b"\r\n" + body
    return bool(made) and all(
        dkim.verify(b"DKIM-Signature:" + value.replace("\n", "\r\n").encode() + b"\r\n" + text, dnsfunc=txt) for value in made)


def counts(daemon, number, name, **labels):
    """Waits until so many have been counted: that is done after the reply."""
    wait_for(lambda: daemon.metric(name, **labels) == number, f"{name} {labels} is {number}, not {daemon.metric(name, **labels)}")


def refusal(last):
    assert last.command == "y", last
    return last.texts[0]


def publish(dns, domain, selector, record):
    dns.add({f"{selector}._domainkey.{domain}": {"TXT": [record]}})


# ---- keys ----

def test_a_new_key_signs_within_a_second(start, dns):
    daemon = start()
    last, changes = send(daemon)
    assert (last.command, changes) == ("c", [])  # nobody has keys: it goes out as it is
    counts(daemon, 1, "gatehouse_signed_total", result="no_keys")
    publish(dns, "sender.example", "new", daemon.add_key("sender.example", "new", "ed25519"))
    wait_for(lambda: selectors(send(daemon)[1]) == ["new"], "the key signs")
    last, changes = send(daemon)
    assert last.command == "c" and verifies(changes, dns)
    assert daemon.metric("gatehouse_keys", state="usable") == 1


@pytest.mark.parametrize("fault", ["garbage", "empty", "readable", "directory", "link"])
def test_a_key_that_cannot_be_used_defers_its_domain_alone(start, fault):
    daemon = start()
    for domain in ("sender.example", "other.example"):
        daemon.add_key(domain, "s", "ed25519")
    daemon.has_active(2)
    path = daemon.keys / "sender.example" / "s.key"
    if fault == "readable":
        path.chmod(0o644)
    elif fault == "directory":
        path.unlink()
        path.mkdir()
    elif fault == "link":
        path.unlink()
        path.symlink_to("/nonexistent")
    else:
        put_file(path, b"-----BEGIN PRIVATE KEY-----\ngarbage\n" if fault == "garbage" else b"")
    wait_for(lambda: daemon.metric("gatehouse_keys", state="unusable") == 1, "the fault is seen")
    last, changes = send(daemon)
    assert refusal(last).startswith("451 4.7.5 Message cannot be signed now") and changes == []
    other = [("From", "<a@other.example>"), *FIELDS[1:]]
    last, changes = send(daemon, other)
    assert last.command == "c" and selectors(changes) == ["s"]
    counts(daemon, 1, "gatehouse_signed_total", result="keys_unusable")
    wait_for(lambda: "sender.example/s.key cannot be used" in daemon.log, "it is logged")
    assert daemon.log.count("sender.example/s.key cannot be used") == 1
    status = json.loads(daemon.get("/v1/status")[1])
    assert [(key["domain"], key["usable"]) for key in status["keys"]] == [("other.example", True), ("sender.example", False)]
    # Mended, it signs again.
    if fault == "directory":
        path.rmdir()
    put_file(path, make_key("ed25519"))
    wait_for(lambda: selectors(send(daemon)[1]) == ["s"], "it signs again")


def test_an_unreadable_directory_keeps_the_keys_read_before(start):
    daemon = start()
    daemon.add_key("sender.example", "s", "ed25519")
    wait_for(lambda: selectors(send(daemon)[1]) == ["s"], "the key signs")
    away = daemon.keys.with_name("away")
    daemon.keys.rename(away)
    wait_for(lambda: daemon.metric("gatehouse_key_directory_unreadable") == 1, "it is noticed")
    assert selectors(send(daemon)[1]) == ["s"]
    assert "key_directory" in daemon.get("/ready")[1]
    # Started like this, nobody knows who has keys.
    daemon.restart()
    assert refusal(send(daemon)[0]).startswith("451 4.7.5")
    away.rename(daemon.keys)
    wait_for(lambda: selectors(send(daemon)[1]) == ["s"], "it signs again")


def test_a_file_replaced_in_two_steps_leaves_no_gap(start):
    daemon = start()
    daemon.add_key("sender.example", "s", "ed25519")
    wait_for(lambda: selectors(send(daemon)[1]) == ["s"], "the key signs")
    path = daemon.keys / "sender.example" / "s.key"
    pem = path.read_bytes()
    gone = time.monotonic()
    path.unlink()

    def signs():
        """Or it is too late to say."""
        return selectors(send(daemon)[1]) == ["s"] or time.monotonic() - gone > GRACE_S
    while time.monotonic() < gone + 1.2:
        assert signs()
    put_file(path, pem)
    assert signs()
    wait_for(lambda: selectors(send(daemon)[1]) == ["s"], "it signs")
    path.unlink()
    wait_for(lambda: send(daemon)[1] == [], "at last it is gone")
    wait_for(lambda: "is not there any more" in daemon.log, "it is logged")
    assert daemon.log.count("is not there any more") == 1


# ---- whose mail ----

def test_mail_without_an_author_is_refused(start):
    daemon = start()
    none, two = FIELDS[1:], [("From", "<x@other.example>"), *FIELDS]
    assert send(daemon, none)[0].command == "c"  # there are no keys, nothing is to be signed
    daemon.add_key("sender.example", "s", "ed25519")
    wait_for(lambda: selectors(send(daemon)[1]) == ["s"], "the key signs")
    for fields in (none, two, [("From", "nobody at all"), *none], [("From", ""), *none]):
        assert refusal(send(daemon, fields)[0]).startswith("550 5.6.0 A message must have one From: field"), fields
    counts(daemon, 4, "gatehouse_signed_total", result="bad_from")
    daemon.reload("bad_from = unsigned\n")
    wait_for(lambda: send(daemon, two)[0].command == "c", "it is let go")
    assert send(daemon, two)[1] == []
    wait_for(lambda: daemon.metric("gatehouse_signed_total", result="bad_from_unsigned") >= 2, "it is counted")


def test_whose_keys(start):
    daemon = start("signing_map = signers\ndefault_signing_domain = default.example\n"
                   "[map signers]\nentry.bulk@sender.example = other.example\nentry.@plain.example = none\n"
                   "entry.@lost.example = nokeys.example\n")
    for domain in ("sender.example", "other.example", "default.example"):
        daemon.add_key(domain, domain.split(".")[0], "ed25519")
    daemon.has_active(3)
    for author, selector in (("a@sender.example", ["sender"]), ("a@below.sender.example", ["sender"]),
                             ("bulk@sender.example", ["other"]), ("a@plain.example", []), ("a@elsewhere.example", ["default"])):
        assert selectors(send(daemon, [("From", author), *FIELDS[1:]])[1]) == selector, author
    assert refusal(send(daemon, [("From", "a@lost.example"), *FIELDS[1:]])[0]).startswith("451 4.7.5")


def test_every_setting_of_a_domain_shows(start, dns):
    daemon = start("[domain sender.example]\nheader_canonicalization = simple\nbody_canonicalization = simple\n"
                   "signature_expiry = 7d\n")
    publish(dns, "sender.example", "s", daemon.add_key("sender.example", "s", "ed25519"))
    wait_for(lambda: selectors(send(daemon)[1]) == ["s"], "the key signs")
    changes = send(daemon)[1]
    value = inserted(changes, "DKIM-Signature")[0]
    assert "c=simple/simple" in value
    assert int(re.search(r"x=(\d+)", value)[1]) - int(re.search(r"t=(\d+)", value)[1]) == 7 * 86400
    assert verifies(changes, dns)


# ---- rotation ----

def test_a_key_goes_through_its_life(start, dns, redis):
    """At every moment what is signed verifies at whoever asks that DNS, and something signs."""
    second = DNS({}, ttl=0)

    def config(activate, retire):
        return f"store = {redis.url}\nkey_check_interval = 1s\nkey_activate_after = {activate}\nkey_retire_after = {retire}\n"
    daemon = start(config("1h", "1h"), resolver=f"{dns.resolver}, {second.resolver}")
    redis.cli("HSET", "gh:dkim", "sender.example/b", "pending since=1")
    publish(dns, "sender.example", "a", daemon.add_key("sender.example", "a", "ed25519"))
    record = daemon.add_key("sender.example", "b", "ed25519")
    wait_for(lambda: selectors(send(daemon)[1]) == ["a"], "the old key signs")

    def state(selector):
        text = redis.cli("HGET", "gh:dkim", f"sender.example/{selector}")
        changes = send(daemon)[1]
        assert verifies(changes, dns), (text, changes)
        return text.split()[0] if text else None

    publish(dns, "sender.example", "b", record)
    asked = dns.asked("b._domainkey.sender.example")
    wait_for(lambda: dns.asked("b._domainkey.sender.example") >= asked + 3, "it is looked for again and again")
    assert state("b") == "pending"  # one resolver alone is not enough
    publish(second, "sender.example", "b", record)
    wait_for(lambda: state("b") == "seen", "both resolvers show it")
    assert selectors(send(daemon)[1]) == ["a"]
    daemon.reload(config("1s", "1h"))
    wait_for(lambda: state("b") == "active", "it has been seen long enough")
    wait_for(lambda: selectors(send(daemon)[1]) == ["b"], "it alone signs")
    assert state("a") == "retiring"
    daemon.reload(config("1s", "1s"))
    wait_for(lambda: state("a") == "retired", "the old one is retired")
    assert "by=gatehouse-signd" in redis.cli("HGET", "gh:dkim", "sender.example/a")
    counts(daemon, 1, "gatehouse_key_rotations_total", state="active")
    second.stop()


def gatectl_dkim(daemon, *arguments):
    conf = daemon.directory / "gatectl.conf"
    conf.write_text(f"http = unix:{daemon.http}\nkey_directory = {daemon.keys}\n")
    done = subprocess.run([GATECTL, "-c", conf, "dkim", *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_a_new_key_that_waits_never_signs(start):
    """Not between the moments when its file and its state are seen, either."""
    daemon = start()
    daemon.add_key("sender.example", "old", "ed25519")
    wait_for(lambda: selectors(send(daemon)[1]) == ["old"], "the key signs")
    for number in range(8):
        gatectl_dkim(daemon, "new", "sender.example", "--ed25519", "--selector", f"new{number}")
        while daemon.metric("gatehouse_keys", state="usable") < number + 2:
            assert selectors(send(daemon)[1]) == ["old"]
        for _ in range(20):
            assert selectors(send(daemon)[1]) == ["old"]


@pytest.mark.parametrize("state", ["pending", "seen", "active", "retiring", "retired"])
def test_a_restart_without_redis_forgets_no_state(start, dns, state):
    """Ended at once, and killed; gatectl sees the states, too, as soon as it is asked."""
    daemon = start()
    daemon.add_key("sender.example", "old", "ed25519")
    wait_for(lambda: selectors(send(daemon)[1]) == ["old"], "the key signs")
    gatectl_dkim(daemon, "new", "sender.example", "--ed25519", "--selector", "new")
    if state == "seen":
        publish(dns, "sender.example", "new", record_of((daemon.keys / "sender.example/new.key").read_bytes()))
    gatectl_dkim(daemon, "set", "sender.example", "new", state)
    wanted = ["new", "old"] if state == "active" else ["old"]

    def check():
        for _ in range(30):
            last, changes = send(daemon)
            assert last.command == "y" or selectors(changes) == wanted, changes
        wait_for(lambda: selectors(send(daemon)[1]) == wanted, "those sign that should")
        status = json.loads(daemon.get("/v1/status")[1])
        assert {key["selector"]: key["state"] for key in status["keys"]} == {"old": "active", "new": state}
        # With the memory store, too, it is what gatectl is told.
        wait_for(lambda: state == "active" or json.loads(daemon.get("/v1/live/dkim")[1])["fields"].get(
            "sender.example/new", "").startswith(state + " "), "it is said again")

    daemon.restart()
    check()
    daemon.process.stop(signal.SIGKILL)
    daemon.start()
    check()


def test_a_store_that_has_lost_everything(start, dns, redis):
    daemon = start(f"store = redis://127.0.0.1:{redis.port}/0\nkey_check_interval = 1s\n")
    redis.cli("HSET", "gh:dkim", "sender.example/b", "pending since=7")
    for selector in ("a", "b"):
        daemon.add_key("sender.example", selector, "ed25519")
    wait_for(lambda: selectors(send(daemon)[1]) == ["a"], "the key signs")
    redis.cli("FLUSHALL")
    wait_for(lambda: selectors(send(daemon)[1]) == ["a"] and redis.cli("HGET", "gh:dkim", "sender.example/b").startswith("pending since=7"),
             "it is told again")
    assert "by=gatehouse-signd" in redis.cli("HGET", "gh:dkim", "sender.example/b")
    # Started without it: what was known counts; a key of which nothing is known may wait for its record.
    redis.stop()
    record = daemon.add_key("other.example", "c", "ed25519")
    daemon.restart()
    for _ in range(20):
        assert selectors(send(daemon)[1]) == ["a"]
    other = [("From", "<a@other.example>"), *FIELDS[1:]]
    assert refusal(send(daemon, other)[0]).startswith("451 4.7.5")
    wait_for(lambda: "the store has not said yet in what state it is" in daemon.log, "it says why")
    redis.start()
    publish(dns, "other.example", "c", record)
    wait_for(lambda: selectors(send(daemon, other)[1]) == ["c"], "nothing is said of it: it signs")


@pytest.mark.parametrize("text", ["garbage\n", "sender.example/s active since=1\nsender.exam"])
def test_a_broken_state_file_is_no_start(start, text):
    daemon = start()
    daemon.stop()
    (daemon.directory / "states").write_text(text)
    with pytest.raises(AssertionError, match="key_state_file .* cannot be used: mend it, or remove it"):
        daemon.start()
    (daemon.directory / "states").unlink()
    daemon.start()


# ---- rules ----

def test_rules_decide_what_is_done(start):
    daemon = start("[rule none]\nwhen = header.x-do = none\nthen = none\n"
                   "[rule verify]\nwhen = header.x-do = verify\nthen = verify\n"
                   "[rule sign]\nwhen = header.x-do = sign\nthen = sign\n"
                   "[rule no]\nwhen = header.x-do = reject\nthen = reject 5.7.1 Not this one, {from}\n"
                   "[rule later]\nwhen = header.x-do = tempfail\nthen = tempfail Not now\n"
                   "[rule away]\nwhen = header.x-do = discard\nthen = discard\n"
                   "[rule hold]\nwhen = header.x-do = hold\nthen = hold for a look\n"
                   "[rule mark]\nwhen = signed and header.x-do = mark\nthen = add_header Subject: [marked]\n")
    daemon.add_key("sender.example", "s", "ed25519")
    wait_for(lambda: selectors(send(daemon)[1]) == ["s"], "the key signs")

    def do(word, **arguments):
        return send(daemon, [*FIELDS, ("X-Do", word)], **arguments)

    assert do("none")[1] == []
    last, changes = do("verify")
    assert "dkim=none" in inserted(changes, "Authentication-Results")[0] and selectors(changes) == []
    assert selectors(do("sign", address="198.18.0.1")[1]) == ["s"]
    assert refusal(do("reject")[0]).startswith("550 5.7.1 Not this one, a@sender.example, ref=")
    assert refusal(do("tempfail")[0]).startswith("451 4.7.1 Not now, ref=")
    assert do("discard")[0].command == "d"
    last, changes = do("hold")
    assert [change.command for change in changes] == ["i", "q"] and selectors(changes) == ["s"]
    wanted = {"no": "reject", "later": "tempfail", "away": "discard", "hold": "hold"}  # in any order: each is logged after its reply
    wait_for(lambda: wanted.items() <= {line["rule"]: line["verdict"] for line in daemon.decisions()}.items(), "all of it is in the log")


def test_what_a_rule_adds_is_signed(start, dns):
    """Subject is oversigned: one that is added afterwards would break the signature."""
    daemon = start("[rule mark]\nwhen = signed\nthen = add_header Subject: second\n")
    publish(dns, "sender.example", "s", daemon.add_key("sender.example", "s", "ed25519"))
    wait_for(lambda: selectors(send(daemon)[1]) == ["s"], "the key signs")
    changes = send(daemon)[1]
    assert verifies(changes, dns, [*FIELDS, ("Subject", "second")]) and not verifies(changes, dns)


def test_shadow_changes_nothing(start):
    daemon = start("mode = shadow\n[rule no]\nthen = reject No\n")
    daemon.add_key("sender.example", "s", "ed25519")
    daemon.has_active(1)
    last, changes = send(daemon)
    assert (last.command, changes) == ("c", [])
    last, changes = send(daemon, address="198.18.0.1")
    assert (last.command, changes) == ("c", [])


def test_a_change_that_the_mta_does_not_allow(start):
    daemon = start()
    with daemon.client(actions=0) as client:
        client.connect(address="198.18.0.1")
        client.helo()
        last, changes = client.message(sender="<a@sender.example>", headers=FIELDS, body=BODY)
    assert last.command == "y" and last.texts[0].startswith("451 ") and not changes
    wait_for(lambda: re.search(r"decision .*verdict=tempfail .*sent=no", daemon.process.output), "it is not called accepted")


# ---- verifying ----

def signed(pem, body=BODY):
    """FIELDS with a signature of dkimpy, which takes the bare 32 bytes of an Ed25519 key."""
    der = base64.b64decode("".join(pem.decode().splitlines()[1:-1]))
    text = "".join(f"{name}: {value}\r\n" for name, value in FIELDS).encode() + b"\r\n" + body
    field = dkim.sign(text, b"key", b"sender.example", base64.b64encode(der[-32:]), signature_algorithm=b"ed25519-sha256",
                      include_headers=[b"from", b"to", b"subject"]).decode()
    name, value = field.rstrip("\r\n").split(":", 1)
    return [(name, value.strip().replace("\r\n", "\n")), *FIELDS]


HONOUR = ("[rule reject]\nwhen = dmarc = fail and dmarc.policy = reject\nthen = reject 5.7.1 DMARC\n"
          "[rule hold]\nwhen = dmarc = fail and dmarc.policy = quarantine\nthen = hold\n")


def outside(daemon, fields, **arguments):
    return send(daemon, fields, address="198.18.0.1", **arguments)


def results(changes):
    found = inserted(changes, "Authentication-Results")
    assert len(found) == 1
    return dict(re.findall(r"\b(spf|dkim|dmarc|auth)=(\w+)", found[0]))


@pytest.mark.parametrize("policy, tag", [("p=reject", "y"), ("p=quarantine", "q"), ("p=none", "c"), ("p=reject; pct=0", "q")])
def test_dmarc_is_honoured(start, dns, policy, tag):
    """Mail from elsewhere: SPF could not have made it pass."""
    daemon = start(HONOUR)
    pem = make_key("ed25519")
    publish(dns, "sender.example", "key", record_of(pem))
    dns.add({"_dmarc.sender.example": {"TXT": [f"v=DMARC1; {policy}"]}})
    last, changes = outside(daemon, signed(pem), sender="<x@elsewhere.example>")
    assert last.command == "c" and results(changes) == {"dkim": "pass", "dmarc": "pass"}
    last, changes = outside(daemon, FIELDS, sender="<x@elsewhere.example>")
    said = "y" if last.command == "y" else "q" if any(change.command == "q" for change in changes) else last.command
    assert said == tag
    counts(daemon, 1, "gatehouse_dmarc_total", result="fail")


def test_without_spf_dmarc_does_not_fail(start, dns):
    daemon = start(HONOUR)
    dns.add({"_dmarc.sender.example": {"TXT": ["v=DMARC1; p=reject"]}})
    last, changes = outside(daemon, FIELDS)
    assert last.command == "c" and results(changes) == {"dkim": "none", "dmarc": "temperror"}


def test_an_author_whom_nobody_can_read_is_not_as_good_as_one_without_a_policy(start, dns):
    daemon = start("[rule unsure]\nwhen = dmarc = permerror\nthen = hold\n")
    dns.add({"_dmarc.sender.example": {"TXT": ["v=DMARC1; p=reject"]}})
    last, changes = outside(daemon, [("From", "=?utf-8?q?boss=40sender.example?="), *FIELDS[1:]], sender="<x@elsewhere.example>")
    assert last.command == "c" and results(changes)["dmarc"] == "permerror"
    assert "q" in [change.command for change in changes]


def test_the_sample_that_honours_dmarc(start, dns):
    text = (ROOT / "conf/sign-dmarc.conf").read_text().replace("mode = shadow\n", "")
    daemon = start(text + "[list known]\n")
    two = [("From", "<x@other.example>"), *FIELDS]
    assert refusal(outside(daemon, two)[0]).startswith("550 5.6.0 A message must have one author")
    for unreadable in ("=?utf-8?q?boss=40sender.example?=", "The boss@sender.example", "\ufeff boss@sender.example", "Boss: ;"):
        last, _ = outside(daemon, [("From", unreadable), *FIELDS[1:]])
        assert refusal(last).startswith("550 5.6.0 A message must have an author who can be read"), unreadable
    for policy, word in (("reject", "y"), ("quarantine", "q")):
        dns.add({"_dmarc.sender.example": {"TXT": [f"v=DMARC1; p={policy}"]}})
        last, changes = outside(daemon, FIELDS, sender="<x@elsewhere.example>")
        assert word in [last.command, *(change.command for change in changes)], policy
    own = [("From", "<me@example.com>"), *FIELDS[1:]]
    beside = [("From", "<me@example.com>, <boss@example.com>"), *FIELDS[1:]]
    assert refusal(send(daemon, beside, **{"{auth_authen}": "me@example.com"})[0]).startswith("550 5.7.1 You may not send as this author")
    for login, is_refused in (("postmaster@example.com", False), ("me@example.com", False), ("other@example.com", True)):
        last, _ = send(daemon, own, **{"{auth_authen}": login})
        assert (last.command == "y") == is_refused, login
    assert refusal(last).startswith("550 5.7.1 You may not send as this author, me@example.com")


@pytest.mark.parametrize("trust", [False, True])
def test_received_spf_is_believed_only_when_told_so(start, dns, trust):
    daemon = start(HONOUR, options=["trust_received_spf=" + ("yes" if trust else "no")])
    dns.add({"_dmarc.sender.example": {"TXT": ["v=DMARC1; p=reject"]}})
    field = ("Received-SPF", "pass (mx.example.org: sender.example designates 198.18.0.1) receiver=mx.example.org; "
             "client-ip=198.18.0.1; envelope-from=\"a@sender.example\"; helo=client.example.net")
    changes = outside(daemon, [field, *FIELDS])[1]
    assert results(changes) == ({"spf": "pass", "dkim": "none", "dmarc": "pass"} if trust else
                                {"dkim": "none", "dmarc": "temperror"})
    # Of somebody else, or not the first field: nobody's word.
    others = [[(field[0], field[1].replace("receiver=mx.example.org", "receiver=mx.example.net")), *FIELDS], [FIELDS[0], field, *FIELDS[1:]]]
    for fields in others:
        assert results(outside(daemon, fields)[1]) == {"dkim": "none", "dmarc": "temperror"}


@pytest.mark.parametrize("trouble", ["SILENT", "SERVFAIL"])
def test_a_resolver_in_trouble_is_a_temperror(start, dns, trouble):
    daemon = start("budget = 1s\n" + HONOUR)
    pem = make_key("ed25519")
    dns.add({"key._domainkey.sender.example": trouble, "_dmarc.sender.example": trouble})
    watch = Stopwatch()
    last, changes = outside(daemon, signed(pem))
    assert last.command == "c" and results(changes) == {"dkim": "temperror", "dmarc": "temperror"}
    assert watch.seconds() < 6


def test_a_dead_resolver_costs_the_budget(start):
    """Nothing is refused, nothing waits for longer, and outbound mail is signed as ever."""
    daemon = start("budget = 1s\n", resolver="127.0.0.1@9", options=["dns_timeout=30s"])
    daemon.add_key("sender.example", "s", "ed25519")
    wait_for(lambda: selectors(send(daemon)[1]) == ["s"], "the key signs")
    watch = Stopwatch()
    last, changes = outside(daemon, signed(make_key("ed25519")))
    assert last.command == "c" and results(changes) == {"dkim": "temperror", "dmarc": "temperror"}
    assert watch.seconds() < 10


@pytest.mark.parametrize("author, why", [("nobody at all", "no mailbox in From"), ("", "no mailbox in From"), ("undisclosed:;", "no mailbox in From"),
                                         (None, "no From field")])
def test_mail_without_an_author_has_no_result_that_could_change(start, dns, author, why):
    """Signed or not: nobody is answerable for it (RFC 8601 2.7.1, RFC 7489 6.6.1), and the log says why."""
    daemon = start(HONOUR)
    pem = make_key("ed25519")
    publish(dns, "sender.example", "key", record_of(pem))
    others = [field for field in signed(pem) if field[0] != "From"]
    fields = others if author is None else [*others, ("From", author)]
    last, changes = outside(daemon, fields)
    assert last.command == "c" and results(changes) == {"dkim": "permerror", "dmarc": "permerror"}
    field = inserted(changes, "Authentication-Results")[0]
    assert "dkim=permerror (no From field with a mailbox)" in field and "dmarc=permerror (no domain in From)" in field
    wait_for(lambda: daemon.decisions(), "it is in the log")
    line = daemon.decisions()[-1]
    assert line["author"].strip('"') == why and line["dkim"].startswith("permerror:")


def test_many_signatures(start, dns):
    daemon = start("max_signatures = 3\n")
    pem = make_key("ed25519")
    publish(dns, "sender.example", "key", record_of(pem))
    good = signed(pem)
    fields = [("DKIM-Signature", "v=1; a=garbage")] * 2 + good[:1] * 298 + good[1:]
    last, changes = outside(daemon, fields)
    found = inserted(changes, "Authentication-Results")[0]
    assert found.count("dkim=") == 3 and "dkim=pass" in found
    counts(daemon, 297, "gatehouse_verified_signatures_over_total")


def test_forged_results_are_removed_by_position(start):
    daemon = start()
    values = ["mx.example.org; dkim=pass", "other.example; none", "MX.EXAMPLE.ORG 1; spf=pass"]
    changes = outside(daemon, [*FIELDS, *(("Authentication-Results", value) for value in values)])[1]
    removed = [int.from_bytes(change.data[:4], "big") for change in changes if change.command == "m"]
    assert removed == [3, 1]
    assert refusal(outside(daemon, [*FIELDS, *(("Authentication-Results", values[0]) for _ in range(1200))])[0]).startswith("550 5.7.1")


# ---- the store ----

def test_policyd_and_signd_share_a_record(start, redis, dns):
    """As policyd writes it: its SPF is in the results, and it is told what came of the message."""
    daemon = start(f"store = redis://127.0.0.1:{redis.port}/0\n" + HONOUR)
    dns.add({"_dmarc.sender.example": {"TXT": ["v=DMARC1; p=reject"]}})
    wait_for(lambda: daemon.get("/ready")[0] == 200 and "degraded" not in daemon.get("/ready")[1], "the store is up")
    key = "gh:tx:{4Xk2Lq/198.18.0.1/40000/127.0.0.1}"
    for spf, said in (("pass", "pass"), ("fail", None), ("temperror", "temperror")):
        redis.cli("DEL", key)
        redis.cli("HSET", key, "sender", "a@sender.example", "spf", spf, "spf.domain", "sender.example")
        last, changes = send_at(daemon, FIELDS)
        if said is None:
            assert refusal(last).startswith("550 5.7.1 DMARC, ref=")
        else:
            assert results(changes) == {"spf": spf, "dkim": "none", "dmarc": said}
        word = "reject" if said is None else "accept"
        wait_for(lambda w=word: redis.cli("HGET", key, "verdict.signd").startswith(w), "it is told")


def send_at(daemon, fields):
    with daemon.client() as client:
        client.connect(address="198.18.0.1", **{"{daemon_addr}": "127.0.0.1"})
        client.helo()
        return client.message(sender="<a@sender.example>", headers=fields)


def test_without_redis_mail_flows(start, redis, dns):
    daemon = start(f"store = redis://127.0.0.1:{redis.port}/0\n" + HONOUR)
    dns.add({"_dmarc.sender.example": {"TXT": ["v=DMARC1; p=reject"]}})
    daemon.add_key("sender.example", "s", "ed25519")
    wait_for(lambda: selectors(send(daemon)[1]) == ["s"], "the key signs")
    redis.stop()
    assert selectors(send(daemon)[1]) == ["s"]
    last, changes = outside(daemon, FIELDS)
    assert last.command == "c" and results(changes)["dmarc"] == "temperror"


# ---- other than that ----

def test_a_nasty_client_hurts_nobody(start):
    """Half messages, cut anywhere, while others are served."""
    daemon = start()
    daemon.add_key("sender.example", "s", "ed25519")
    wait_for(lambda: selectors(send(daemon)[1]) == ["s"], "the key signs")
    for cut in range(8):
        client = daemon.client()
        steps = [lambda c: c.connect(), lambda c: c.helo(), lambda c: c.mail(), lambda c: c.rcpt(), lambda c: c.header("From", "x"),
                 lambda c: c.headers_end(), lambda c: c.body(b"x" * 100000)]
        for step in steps[:cut]:
            step(client)
        client.close()
    assert selectors(send(daemon)[1]) == ["s"]
    wait_for(lambda: daemon.metric("gatehouse_milter_messages_in_flight") == 0, "all messages have ended")
