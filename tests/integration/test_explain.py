"""gatectl explain for contentd and signd: what is said is what happens, and nothing comes of saying it."""
import json
import re
import socket
import subprocess

import pytest

from servers.clamd import EICAR, Clamd
from servers.contentd import Contentd
from servers.dns import DNS
from servers.machine import Waits
from servers.policyd import GATECTL, PATIENT, PATIENT_WITHOUT_DNS
from servers.process import wait_for
from servers.rspamd import Rspamd
from servers.signd import Signd

pytestmark = pytest.mark.sanitized

CONTENTD = """
mixed = quarantine
quarantine_directory = {directory}/quarantine

[scanner clam]
kind = clamd unix:{clamd}
connect_timeout = 30s
[scanner spam]
kind = rspamd {rspamd}
connect_timeout = 30s

[chain full]
scanners = clam, spam
tag = 6
quarantine = 10
subject_prefix = [SPAM]
[chain light]
scanners = clam

[apply]
*              = full
@light.example = light

[rule evil]
when  = helo_name = evil.example
then  = reject 5.7.1 Go away
stage = helo

[rule closed]
when  = recipient = closed@example.org
then  = reject 5.7.1 Nobody there
stage = rcpt

[rule allow]
when  = sender in list:allow and policy.spf = pass
then  = skip spam
stage = data

[rule author]
when = from_domain = forged.example
then = reject 5.7.1 Not yours, {{from}}

[list allow]
entries = friend@example.net
"""
ENVELOPE = ("client_address=198.18.0.1", "client_port=40000", "client_name=client.example.net", "helo_name=client.example.net",
            "myhostname=mx.example.org", "queue_id=4Xk2Lq", "sender=a@example.net", "recipient=b@example.org")


def head(score=0, sender="a@example.net"):
    return [("From", f"<{sender}>"), ("Subject", "hello"), ("X-Test-Score", str(score))]


def text(fields, body="hello\r\n"):
    return "".join(f"{name}: {value}\r\n" for name, value in fields) + "\r\n" + body


def run(daemon, program, *arguments, message="", check=True):
    """gatectl explain; what it printed."""
    done = subprocess.run([GATECTL, "-s", daemon.http, "explain", "-D", program, *arguments], input=message.encode(),
                          capture_output=True, timeout=120, check=False)
    assert not check or done.returncode == 0, done.stderr.decode()
    return done


def explain(daemon, program, *arguments, message=""):
    return json.loads(run(daemon, program, "--json", *arguments, message=message).stdout)


def explain_with_scanners(daemon, *arguments, message):
    """They have 8 s. Where they had to wait for a processor, and were late, they are asked again."""
    for _ in range(10):
        waits = Waits()
        answer = explain(daemon, "contentd", "--scan", *arguments, message=message)
        if not answer["late"] or waits.seconds() < 1:
            break
    return answer


def counted(daemon):
    """Every counter and histogram, but those of what explaining does use: HTTP, the DNS, the store, the log. What was sent in earnest
    before is all in them."""
    daemon.settles()
    page = daemon.get("/metrics")[1]
    return {line for line in page.splitlines()
            if re.match(r"gatehouse_\w+_(total|count|sum)\b", line) and not re.match(r"gatehouse_(http|dns|store|log|live)_", line)}


# ---- contentd, with a real clamd and a real rspamd ----

@pytest.fixture(scope="module")
def contentd(workdir):
    clamd = Clamd(workdir / "clamd")
    rspamd = Rspamd(workdir / "rspamd")
    directory = workdir / "contentd"
    daemon = Contentd(directory, CONTENTD.format(directory=directory, clamd=clamd.socket, rspamd=rspamd.addresses[0]))
    yield daemon
    daemon.stop()
    rspamd.stop()
    clamd.stop()


def recipient(answer, address):
    return next(one for one in answer["recipients"] if one["recipient"] == address)


def scanners(answer):
    return {one["scanner"]: one for one in answer["scanners"]}


def rules(answer, stage):
    """{rule: result} of each stage's first party."""
    for one in answer["stages"]:
        if one["stage"] == stage:
            return {rule["rule"]: rule["result"] for rule in one["trace"] if rule["result"] != "other stage"}
    return None


def happens(daemon, fields, body="hello\r\n"):
    """(last word, changes) of the same message in earnest."""
    with daemon.client() as client:
        return client.start().message(headers=fields, body=body.encode())


def planned(answer):
    """The header fields that are added, as changes()."""
    return sorted((edit["name"], edit["text"]) for edit in answer["plan"]["edits"] if edit["edit"] == "add a header field")


def added(changes):
    return sorted((name, value.lstrip()) for name, value in (change.texts[:2] for change in changes if change.command == "h"))


@pytest.mark.parametrize("score, body", [(0, "hello\r\n"), (7, "hello\r\n"), (12, "hello\r\n"), (0, EICAR + "\r\n")])
def test_what_real_scanners_would_find_is_what_happens(contentd, score, body):
    answer = explain_with_scanners(contentd, *ENVELOPE, message=text(head(score), body))
    last, changes = happens(contentd, head(score), body)
    found = scanners(answer)
    assert {one["source"] for one in found.values()} == {"asked"}
    assert found["clam"]["result"] == ("virus" if body.startswith("X5O") else "clean")
    word = {"deliver": "c", "reject": "y", "quarantine": "d"}[answer["verdict"]]
    assert word == last.command, (answer, last)
    if word == "c":
        assert planned(answer) == added(changes)
        assert found["spam"]["score"] == pytest.approx(score, abs=0.2)
    if word == "y":
        assert re.sub(r"ref=\w+", "", answer["reply"]) == re.sub(r"ref=\w+", "", last.texts[0])


def test_nothing_is_asked_or_done_unless_told(contentd):
    before, lines = counted(contentd), len(contentd.decisions())
    kept = contentd.get("/v1/quarantine")[1]
    answer = explain(contentd, "contentd", *ENVELOPE, "recipient=c@light.example", "clam.virus=Test-Virus", message=text(head()))
    assert answer["verdict"] == "reject" and "Test-Virus" in answer["reply"] and answer["reply"].endswith("ref=explain")
    answer = explain(contentd, "contentd", *ENVELOPE, "spam.score=11", message=text(head()))
    assert answer["plan"]["possible"] and answer["verdict"] == "quarantine" and answer["plan"]["quarantine"][0]["recipients"] == ["b@example.org"]
    assert scanners(answer)["clam"]["source"] == "supposed" and scanners(answer)["spam"]["source"] == "given"
    explain(contentd, "contentd", *ENVELOPE, message=text(head(sender="x@forged.example")))
    explain(contentd, "contentd", "helo_name=evil.example", "recipient=b@example.org")
    assert counted(contentd) == before
    assert len(contentd.decisions()) == lines
    assert contentd.get("/v1/quarantine")[1] == kept


def test_who_has_which_chain_and_why(contentd):
    conf = contentd.conf.read_text().splitlines()
    place = f"contentd.conf:{1 + next(n for n, line in enumerate(conf) if line.startswith('@light'))}"
    arguments = (*ENVELOPE, "recipient=c@light.example")
    chain = recipient(explain(contentd, "contentd", *arguments), "c@light.example")["chain"]
    assert (chain["name"], chain["key"], chain["origin"], chain["place"]) == ("light", "@light.example", "file", chain["place"])
    assert chain["place"].endswith(place) and chain["scanners"] == ["clam"]
    subprocess.run([GATECTL, "-s", contentd.http, "apply", "set", "c@light.example", "full"], check=True)
    chain = wait_for(lambda: [one for one in [recipient(explain(contentd, "contentd", *arguments), "c@light.example")["chain"]]
                              if one["origin"] == "live"], "the live line is in force")[0]
    assert (chain["name"], chain["key"]) == ("full", "c@light.example") and "place" not in chain
    subprocess.run([GATECTL, "-s", contentd.http, "apply", "unset", "c@light.example"], check=True)


def test_rules_of_each_stage(contentd):
    answer = explain(contentd, "contentd", *ENVELOPE, message=text(head(sender="x@forged.example")))
    assert rules(answer, "helo") == {"evil": "false"}
    assert rules(answer, "rcpt") == {"closed": "false"}
    assert rules(answer, "data")["author"] == "true"
    assert answer["reply"].startswith("554 5.7.1 Not yours, x@forged.example")
    seen = next(rule for stage in answer["stages"] if stage["stage"] == "data" for rule in stage["trace"] if rule["rule"] == "author")
    assert {"name": "from_domain", "state": "known", "value": "forged.example"} in seen["facts"]
    assert not any(one["wanted"] for one in answer["scanners"])  # a rule has decided: nobody is asked


def test_a_refusal_before_the_message(contentd):
    answer = explain(contentd, "contentd", "helo_name=evil.example", "recipient=b@example.org")
    assert answer["verdict"] == "reject" and answer["reply"] == "554 5.7.1 Go away, ref=explain" and "plan" not in answer
    answer = explain(contentd, "contentd", *ENVELOPE, "recipient=closed@example.org", message=text(head()))
    assert answer["verdict"] == "deliver"
    one = recipient(answer, "closed@example.org")
    assert (one["verdict"], one["stage"]) == ("reject", "rcpt") and "Nobody there" in one["reply"]


def test_a_record_may_be_supposed(contentd):
    arguments = [word if not word.startswith("sender") else "sender=friend@example.net" for word in ENVELOPE]
    assert recipient(explain(contentd, "contentd", *arguments), "b@example.org")["skipped"] == []
    answer = explain(contentd, "contentd", *arguments, "policy.spf=pass", "spam.score=50")
    assert recipient(answer, "b@example.org")["skipped"] == ["spam"] and answer["verdict"] == "deliver"
    assert not scanners(answer)["spam"]["wanted"] and scanners(answer)["clam"]["wanted"]


def test_policyds_record_is_read_and_left_alone(workdir, redis):
    key = "gh:tx:{4Xk2Lq/198.18.0.1/40000/192.0.2.1}"
    daemon = Contentd(workdir / "recorded", "[rule passed]\nwhen = policy.spf = pass\nthen = reject\n",
                      options=[f"store={redis.url}", f"quarantine_directory={workdir}/recorded/quarantine", *PATIENT_WITHOUT_DNS])
    try:
        wait_for(lambda: daemon.get("/ready")[1].strip() == "ok", "its store is there")
        redis.cli("HSET", key, "sender", "a@example.net", "spf", "pass", "spf.domain", "example.net")
        before = redis.cli("HGETALL", key)
        answer = explain(daemon, "contentd", *ENVELOPE, "daemon_address=192.0.2.1")
        assert answer["verdict"] == "reject" and rules(answer, "data") == {"passed": "true"}
        answer = explain(daemon, "contentd", *ENVELOPE, "daemon_address=192.0.2.2")
        assert answer["verdict"] == "deliver" and rules(answer, "data") == {"passed": "false"}
        assert redis.cli("HGETALL", key) == before and redis.cli("XLEN", "gh:log").strip() == "0"
    finally:
        daemon.stop()


@pytest.mark.parametrize("mode", ["enforce", "shadow"])
def test_split_and_shadow(workdir, mode):
    daemon = Contentd(workdir / f"mode-{mode}", f"mode = {mode}\nmixed = split\nquarantine_directory = {workdir}/mode-{mode}/q\n"
                      "[chain a]\n[chain b]\n[apply]\n* = a\n@light.example = b\n"
                      "[rule bad]\nwhen = subject = bad\nthen = reject\n")
    try:
        answer = explain(daemon, "contentd", *ENVELOPE, "recipient=c@light.example", message=text(head()))
        one = recipient(answer, "c@light.example")
        if mode == "enforce":
            assert (one["verdict"], one["stage"]) == ("tempfail", "rcpt") and one["reply"].startswith("452 4.5.3 ")
        else:
            assert one["verdict"] == "deliver" and "stage" not in one
        assert answer["verdict"] == "deliver" and answer["mode"] == mode
        said = run(daemon, "contentd", *ENVELOPE, message="Subject: bad\n\n").stdout.decode()
        if mode == "enforce":
            assert said.endswith("verdict: reject\nreply: 554 5.7.1 Message refused, ref=explain\n")
        else:
            assert "mode: shadow: the MTA is told to accept it as it is\n" in said and "bad: true (shadow) -> reject\n" in said
            assert said.endswith("verdict: deliver\n")
    finally:
        daemon.stop()


def test_it_is_said_in_words(contentd):
    said = run(contentd, "contentd", *ENVELOPE, "spam.score=7", message=text(head())).stdout.decode()
    assert re.search(r"^at rcpt, for b@example.org:$", said, re.M)
    assert re.search(r"^scanner spam \(rspamd .*: given: clean 7\.0$", said, re.M)
    assert re.search(r"^    chain full \(clam, spam\), for \* of .*contentd\.conf:\d+$", said, re.M)
    assert re.search(r"^    deliver, tagged, by score: score 7\.0; delivered$", said, re.M)
    assert re.search(r"^edit: add a header field X-Spam-Flag: YES$", said, re.M)
    assert said.endswith("verdict: deliver\n")


def test_hostile_text_reaches_no_terminal(contentd, signd):
    hostile = "\x1b[2J\x9b31m\x07"
    fields = [("From", f"{hostile}@sender.example"), ("Subject", hostile), (f"X-{hostile}", hostile)]
    for daemon, program, direction in ((contentd, "contentd", "client_address=198.18.0.1"), (signd, "signd", "client_address=127.0.0.1"),
                                       (signd, "signd", "client_address=198.18.0.1")):
        said = run(daemon, program, direction, f"sender={hostile}@example.net", f"recipient={hostile}@example.org", f"helo_name={hostile}",
                   message=text(fields, hostile)).stdout.decode()
        assert "verdict: " in said and not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", said), ascii(said)


@pytest.mark.parametrize("words, want", [
    (["recipent=b@example.org"], 'there is no attribute "recipent"; did you mean "recipient"?'),
    ([], "a recipient is needed"),
    (["recipient=b@example.org", "clam.result=none"], "clam.result: clean, virus"),
    (["recipient=b@example.org", "client_address=here"], "client_address: no IP address"),
    (["recipient=b@example.org", "clan.result=virus"], "there is no attribute"),
    (["recipient"], "ATTRIBUTE=VALUE is expected")])
def test_mistakes_are_named(contentd, words, want):
    done = run(contentd, "contentd", *words, check=False)
    assert done.returncode in (2, 4) and want in done.stderr.decode()


def test_a_large_message(contentd):
    body = "x" * 70 + "\r\n"
    quick = [word.replace("b@example.org", "b@light.example") for word in ENVELOPE]  # clamd alone
    answer = explain_with_scanners(contentd, *quick, message=text(head(), body * ((8 << 20) // len(body))))
    assert answer["verdict"] == "deliver" and not answer["late"] and scanners(answer)["clam"]["result"] == "clean"
    done = run(contentd, "contentd", *ENVELOPE, message=text(head(), body * ((17 << 20) // len(body))), check=False)
    assert done.returncode == 2 and "too long" in done.stderr.decode()


def test_the_end_waits_for_what_is_explained(workdir):
    """While a scanner says nothing: the answer is dropped or given, and the daemon ends well."""
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(workdir / "silent"))
        silent.listen()
        silent.settimeout(60)
        daemon = Contentd(workdir / "ending", f"[scanner s]\nkind = clamd unix:{workdir}/silent\nscan_timeout = 1s\n"
                          "[chain a]\nscanners = s\n[apply]\n* = a\n")
        asking = subprocess.Popen([GATECTL, "-s", daemon.http, "explain", "-D", "contentd", "-x", "recipient=b@example.org"],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with silent.accept()[0]:  # it is being asked
            daemon.stop()
        asking.communicate(timeout=120)


# ---- signd ----

SIGND = """
authserv_id = mx.example.org
[rule reject]
when  = dmarc.policy = reject
then  = reject 5.7.1 Not from {from_domain}
[rule none]
when  = header.X-Unsigned is set
then  = none
stage = data
"""
OUT = ("client_address=127.0.0.1", "client_port=40000", "sender=a@sender.example", "recipient=b@example.org")
IN = ("client_address=198.18.0.1", "client_port=40000", "helo_name=mx.sender.example", "sender=a@sender.example",
      "recipient=b@example.org")
FIELDS = [("From", "<a@sender.example>"), ("To", "<b@example.org>"), ("Subject", "hello"),
          ("Date", "Sun, 22 Nov 2026 10:00:00 +0000"), ("Message-ID", "<1@sender.example>")]


@pytest.fixture(scope="module")
def dns():
    server = DNS({}, ttl=0)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def signd(workdir, dns):
    daemon = Signd(workdir / "signd", SIGND, options=PATIENT, resolver=dns.resolver)
    for kind, selector in (("rsa", "rsa1"), ("ed25519", "ed1")):
        dns.add({f"{selector}._domainkey.sender.example": {"TXT": [daemon.add_key("sender.example", selector, kind)]}})
    daemon.add_key("sender.example", "next")
    subprocess.run([GATECTL, "-s", daemon.http, "dkim", "set", "sender.example", "next", "pending"], check=True)
    dns.add({"_dmarc.sender.example": {"TXT": ["v=DMARC1; p=reject"]}})
    states = {"rsa1": "active", "ed1": "active", "next": "pending"}
    wait_for(lambda: {key["selector"]: key.get("state") for key in json.loads(daemon.get("/v1/status")[1])["keys"]} == states,
             "the keys are there")
    yield daemon
    daemon.stop()


def in_earnest(daemon, address, fields=None):
    """(last word, values of the fields that are put before the others, in their order)."""
    with daemon.client() as client:
        last, changes = client.start(address=address).message(sender="<a@sender.example>", headers=fields or FIELDS)
    return last, [change.data[4:].split(b"\0")[1].decode().lstrip() for change in reversed(changes) if change.command == "i"]


def signed(daemon):
    """The message with the signatures that signd makes."""
    last, made = in_earnest(daemon, "127.0.0.1")
    assert last.command == "c" and len(made) == 2
    return [("DKIM-Signature", value) for value in made] + FIELDS


def test_who_signs_and_who_does_not(signd):
    before = counted(signd)
    answer = explain(signd, "signd", *OUT, message=text(FIELDS))
    assert (answer["task"], answer["task_by"], answer["verdict"]) == ("sign", "direction", "accept")
    assert "internal_networks" in answer["direction_reason"]
    signing = answer["signing"]
    assert signing["result"] == "signed" and [one["domain"] for one in signing["looked"]] == ["sender.example"]
    keys = {key["selector"]: key for key in signing["looked"][0]["keys"]}
    assert {name: (key["state"], key["signs"]) for name, key in keys.items()} == {
        "rsa1": ("active", True), "ed1": ("active", True), "next": ("pending", False)}
    assert sorted(one["algorithm"] for one in signing["signatures"]) == ["ed25519-sha256", "rsa-sha256"]
    for one in signing["signatures"]:
        assert one["canonicalization"] == "relaxed/relaxed" and one["headers"].count("From") == 2
    assert counted(signd) == before


def test_no_signature_is_shown(signd):
    said = run(signd, "signd", "--json", *OUT, message=text(FIELDS)).stdout.decode()
    fields = [edit["text"] for edit in json.loads(said)["edits"] if edit["name"] == "DKIM-Signature"]
    assert len(fields) == 2 and all(field.rstrip().endswith("b=") for field in fields)
    assert not re.search(r"[^h]b=[A-Za-z0-9+/]", said)


def test_why_it_is_not_signed(signd):
    answer = explain(signd, "signd", *OUT, message=text([("From", "<a@other.example>")]))
    assert answer["signing"]["result"] == "no_keys"
    assert [(one["domain"], one["why"], one["keys"]) for one in answer["signing"]["looked"]] == [
        ("other.example", "from", []), ("example", "parent", [])]
    answer = explain(signd, "signd", *OUT, message=text([("X-Unsigned", "yes"), *FIELDS]))
    assert (answer["task"], answer["task_by"]) == ("none", "rule") and "signing" not in answer
    assert rules(answer, "data") == {"none": "true"}
    answer = explain(signd, "signd", *OUT, message=text([("Subject", "nobody's")]))
    assert answer["verdict"] == "reject" and answer["signing"]["result"] == "bad_from" and "550 5.6.0" in answer["reply"]


def test_what_verifying_finds(signd):
    fields = signed(signd)
    before = counted(signd)
    answer = explain(signd, "signd", *IN, message=text(fields))
    assert (answer["task"], answer["direction"]) == ("verify", "inbound")
    assert [one["result"] for one in answer["verification"]["signatures"]] == ["pass", "pass"]
    assert answer["verification"]["dmarc"]["result"] == "pass" and answer["verification"]["dmarc"]["dkim_aligned"]
    assert answer["verification"]["spf"] == {"result": "", "domain": "", "source": "nobody: there is no record of policyd's"}
    assert "dkim=pass" in answer["authentication_results"] and answer["authentication_results"].startswith("mx.example.org")
    broken = explain(signd, "signd", *IN, "policy.spf=fail", "policy.spf_domain=sender.example", message=text(fields, "changed\r\n"))
    assert {one["reason"] for one in broken["verification"]["signatures"]} == {"body hash did not verify"}
    assert broken["verification"]["dmarc"] == {
        "result": "fail", "domain": "sender.example", "published": "reject", "policy": "reject", "spf_aligned": False,
        "dkim_aligned": False, "domains": [{"domain": "sender.example", "lookup": "found", "organizational": False, "percent": 100}]}
    assert broken["verification"]["spf"]["source"] == "policyd's record"
    assert broken["verdict"] == "reject" and broken["rule"] == "reject" and broken["reply"].endswith("sender.example, ref=explain")
    assert rules(broken, "end-of-message")["reject"] == "true"
    assert counted(signd) == before


def test_the_field_is_the_one_that_is_put(signd):
    fields = signed(signd)
    answer = explain(signd, "signd", *IN, message=text(fields))
    last, put = in_earnest(signd, "198.18.0.1", fields)
    assert last.command == "c" and put == [answer["authentication_results"]]


def test_signd_says_it_in_words(signd):
    said = run(signd, "signd", *OUT, message=text(FIELDS)).stdout.decode()
    assert re.search(r"^task: sign, by the direction$", said, re.M)
    assert re.search(r"^    key sender\.example/next rsa 2048, pending: does not sign", said, re.M)
    assert re.search(r"^signature of sender\.example/rsa1: rsa-sha256, relaxed/relaxed, of .*From", said, re.M)
    said = run(signd, "signd", *IN, "policy.spf=pass", "policy.spf_domain=sender.example", message=text(signed(signd))).stdout.decode()
    assert re.search(r"^dkim: pass sender\.example/rsa1, rsa-sha256$", said, re.M)
    assert re.search(r"^spf: pass sender\.example, says policyd's record$", said, re.M)
    assert re.search(r"^dmarc: pass sender\.example, published reject, asks for none; spf aligned, dkim aligned$", said, re.M)


def test_only_contentd_has_scanners(signd):
    done = run(signd, "signd", "--scan", *OUT, check=False)
    assert done.returncode == 2 and "only contentd has scanners" in done.stderr.decode()
