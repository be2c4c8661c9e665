"""gatectl against a running policyd, and straight on Redis when there is none: the same commands, the same keys."""
import json
import os
import re
import subprocess
import time

import pytest

from servers.machine import Stopwatch
from servers.policyd import GATECTL, PATIENT, PROGRAM
from servers.process import ROOT, Process, free_port, wait_for

CONFIG = """
[limit user-hourly]
key = sasl_username
count = recipients
rate = 20/1h
over = defer 4.7.1 Sending limit reached, try again later
rate.class.gold = 1000/1h

[limit address]
key = client_address
count = messages
rate = 50/1h

[list block]
entries = 192.0.2.0/24

[map owners]
entry.sales@example.com = alice

[classes]
@gold.example = gold

[rule block]
when = client_address in list:block
then = reject 5.7.1 You are on our list

[rule charge]
when = sasl_username is set
then = limit user-hourly, address
"""
DONE, NOTHING, USAGE, UNREACHABLE, REFUSED = range(5)


class Direct:
    """gatectl with a configuration whose daemon does not run."""

    def __init__(self, directory, store, more=""):
        directory.mkdir(parents=True, exist_ok=True)
        self.conf = directory / "policyd.conf"
        self.conf.write_text(f"http = unix:{directory}/nobody\nstore = {store}\n{more}{CONFIG}")

    def __call__(self, *arguments, code=DONE, **options):
        done = subprocess.run([GATECTL, "-c", self.conf, *arguments], capture_output=True, text=True, timeout=120,
                              check=False, **options)
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def json(self, *arguments):
        return json.loads(self("--json", *arguments).stdout)


@pytest.fixture
def direct(workdir, redis):
    return Direct(workdir / f"direct-{os.urandom(3).hex()}", redis.url)


# ---- straight on Redis ----

def test_writes_what_the_key_table_says(direct, redis):
    before = int(redis.cli("GET", "gh:gen") or 0)
    direct("limit", "set", "user-hourly", "user:Alice@Example.com", "500/1h", "--until", "2d", "--note", "a b")
    text = redis.cli("HGET", "gh:limit:user-hourly", "user:alice@example.com")
    until = re.fullmatch(r"500/1h until=(\d+) by=\S+ note=a b", text)
    assert until and abs(int(until[1]) - time.time() - 172800) < 60
    direct("list", "add", "block", "2001:DB8::/32", "!Example.com")
    assert redis.cli("HKEYS", "gh:list:block").split() == ["2001:db8::/32", "!example.com"]
    direct("class", "set", "bob@example.com", "gold")
    assert redis.cli("HGET", "gh:class", "bob@example.com").startswith("gold by=")
    direct("map", "set", "owners", "sales@example.com", "alice", "bob")
    assert redis.cli("HGET", "gh:map:owners", "sales@example.com").startswith("alice, bob by=")
    direct("rule", "set", "storm", "order=5", 'when=helo_name = "x"', "then=reject 5.7.1 No")
    assert redis.cli("HGET", "gh:rule", "storm").endswith(r'when="helo_name = \"x\"" then="reject 5.7.1 No"')
    assert int(redis.cli("GET", "gh:gen")) == before + 6  # two entries were added


def test_removes_and_says_what_was_not_there(direct, redis):
    direct("list", "add", "block", "192.0.2.7")
    direct("list", "rm", "block", "192.0.2.7")
    assert redis.cli("EXISTS", "gh:list:block") == "0"
    direct("list", "rm", "block", "192.0.2.7", code=NOTHING)
    direct("limit", "unset", "user-hourly", "default", code=NOTHING)
    direct("class", "unset", "nobody", code=NOTHING)


@pytest.mark.parametrize("arguments, said", [
    (["limit", "set", "user-hourly", "user:a", "500"], "gatectl: "),
    (["limit", "set", "user-hurly", "user:a", "5/1h"], 'did you mean "user-hourly"?'),
    (["list", "add", "block", "192.0.2.1/24"], "192.0.2.0/24"),
    (["class", "set", "a", "two words"], "a class is"),
    (["rule", "set", "x", "then=accept", "mode=shadow"], "order="),
])
def test_refuses_and_writes_nothing(direct, redis, arguments, said):
    assert said in direct(*arguments, code=REFUSED).stderr
    assert redis.cli("KEYS", "gh:l*") == redis.cli("KEYS", "gh:class") == redis.cli("KEYS", "gh:rule") == ""


def test_shows_what_policyd_has_counted(workdir, redis, direct, start_policyd):
    policyd = start_policyd(CONFIG, options=[f"store={redis.url}", *PATIENT])
    for size in range(3):
        policyd.ask("DATA", sasl_username="carol@gold.example", client_address="198.51.100.7", recipient_count="2",
                    instance=f"m{size}")
    rows = direct.json("show", "user", "Carol@gold.example")["limits"]
    used = {row["limit"]: row for row in rows}["user-hourly"]
    assert (used["used"], used["allowed"], used["field"], used["live"]) == (6, 1000, "class:gold", False)
    assert "m:carol@gold.example" in direct("top", "user-hourly").stdout
    direct("class", "set", "carol@gold.example", "silver")
    assert {row["limit"]: row["allowed"] for row in direct.json("show", "user", "carol@gold.example")["limits"]}[
        "user-hourly"] == 20
    policyd.ask("RCPT", client_address="192.0.2.9", queue_id="4XkDirect")
    wait_for(lambda: "4XkDirect" in redis.cli("XRANGE", "gh:log", "-", "+"), "the log has it")
    assert "192.0.2.9" in direct("why", "4XkDirect").stdout
    direct("limit", "reset", "user-hourly", "carol@gold.example")
    assert {row["limit"]: row["used"] for row in direct.json("show", "user", "carol@gold.example")["limits"]}[
        "user-hourly"] == 0


def test_only_the_daemon_can_explain(direct):
    assert "only the running daemon" in direct("explain", "sender=a@example.net", code=UNREACHABLE).stderr
    direct("rule", "set", "storm", "order=5", "then=accept")
    shown = direct("rule", "list")
    assert "storm" in shown.stdout and "only live ones" in shown.stderr


def test_logs_in_with_the_password_from_the_file(workdir, start_redis):
    redis = start_redis("--requirepass", "secret")
    secret = workdir / "secret"
    secret.write_text("secret\n")
    known = Direct(workdir / "known", redis.url, f"store_password_file = {secret}\n")
    known("list", "add", "block", "192.0.2.7")
    unknown = Direct(workdir / "unknown", redis.url)
    assert "nor does its store" in unknown("list", "show", "block", code=UNREACHABLE).stderr


def test_finds_the_master_by_sentinel(workdir, redis):
    port = free_port()
    directory = workdir / "sentinel"
    directory.mkdir()
    conf = directory / "sentinel.conf"
    conf.write_text(f"port {port}\nbind 127.0.0.1\ndir {directory}\n"
                    f"sentinel monitor mail 127.0.0.1 {redis.port} 1\n")
    sentinel = Process(["redis-server", conf, "--sentinel"], directory / "log")
    try:
        sentinel.ready(lambda: subprocess.run(["redis-cli", "-p", str(port), "SENTINEL", "masters"],
                                              capture_output=True, check=False).stdout.count(b"mail"), "sentinel answers")
        found = Direct(workdir / "by-sentinel", f"redis+sentinel://127.0.0.1:{port}/mail")
        found("list", "add", "block", "192.0.2.7")
    finally:
        sentinel.stop()
    assert redis.cli("HEXISTS", "gh:list:block", "192.0.2.7") == "1"


def test_a_store_that_is_away_or_in_the_daemon_is_said(workdir):
    away = Direct(workdir / "away", f"redis://127.0.0.1:{free_port()}/0")
    watch = Stopwatch()
    assert "Connection refused" in away("status", code=UNREACHABLE).stderr
    assert watch.seconds() < 10
    memory = Direct(workdir / "memory", "memory")
    assert "its own memory" in memory("list", "show", "block", code=UNREACHABLE).stderr


# ---- through the daemon ----

@pytest.fixture
def policyd(start_policyd):
    return start_policyd(CONFIG)


def test_a_change_is_in_force_within_a_second(policyd):
    ask = {"sasl_username": "alice@example.com", "recipient_count": "2", "client_address": "198.51.100.7"}
    assert policyd.ask("DATA", **ask, instance="1") == "DUNNO"
    policyd.gatectl("limit", "set", "user-hourly", "user:alice@example.com", "3/1h")
    wait_for(lambda: "Sending limit reached" in policyd.ask("DATA", **ask, instance=os.urandom(4).hex()),
             "the rate is in force", timeout=1.5)
    policyd.gatectl("list", "add", "block", "198.51.100.7")
    wait_for(lambda: "on our list" in policyd.ask("RCPT", **ask, instance=os.urandom(4).hex()),
             "the entry is in force", timeout=1.5)
    policyd.gatectl("list", "rm", "block", "198.51.100.7")
    policyd.gatectl("rule", "set", "storm", "order=5", 'when=helo_name = "evil.example"', "then=reject 5.7.1 Storm")
    wait_for(lambda: "Storm" in policyd.ask("RCPT", helo_name="evil.example", instance=os.urandom(4).hex()),
             "the rule is in force", timeout=1.5)
    assert [rule["name"] for rule in policyd.gatectl_json("rule", "list")["rules"]] == ["storm", "block", "charge"]


def test_a_rule_is_refused_where_it_is_wrong(policyd):
    done = policyd.gatectl("rule", "set", "x", "order=5", "when=helo_nam is set", "then=accept", check=False)
    assert done.returncode == REFUSED and "when: column 1" in done.stderr and "helo_name" in done.stderr
    done = policyd.gatectl("rule", "set", "x", "order=5", "then=limit user-hurly", check=False)
    assert done.returncode == REFUSED and "then: column" in done.stderr


def test_explains_from_arguments_and_from_standard_input(policyd):
    said = policyd.gatectl("explain", "client_address=192.0.2.9", "sender=a@example.net").stdout
    assert "list:block = yes" in said and "5.7.1 You are on our list" in said
    request = b"request=smtpd_access_policy\nprotocol_state=RCPT\nclient_address=192.0.2.9\n\n"
    done = subprocess.run([GATECTL, "-s", policyd.http, "--json", "explain", "-"], input=request, capture_output=True,
                          timeout=120, check=True)
    answer = json.loads(done.stdout)
    assert answer["verdict"] == "reject" and answer["rule"] == "block"
    assert policyd.gatectl_json("show", "user", "a@example.net")["limits"][0]["used"] == 0


def test_tells_why_by_reference_and_queue_id(policyd):
    reply = policyd.ask("RCPT", client_address="192.0.2.9", queue_id="4Xk2LqABC", instance="why")
    reference = re.search(r"ref=(\w+)", reply)[1]
    for word in (reference, "4Xk2LqABC"):
        said = wait_for(lambda: policyd.gatectl("why", word, check=False).stdout, "the log has it")
        assert re.search(r"^rule +block$", said, re.M), said
    assert policyd.gatectl("why", "zzzzzz", check=False).returncode == NOTHING


def test_tail_follows(policyd, workdir):
    out = workdir / "tail"
    with open(out, "wb") as file, subprocess.Popen([GATECTL, "-s", policyd.http, "--json", "tail"],
                                                   stdout=file) as tail:
        try:
            for number in range(2):
                policyd.ask("RCPT", client_address="192.0.2.9", sender=f"tail{number}@example.net",
                            instance=f"tail{number}")
                wait_for(lambda: f"tail{number}@" in out.read_text(), "tail shows it")
        finally:
            tail.terminate()
            tail.wait(60)
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert len({line["id"] for line in lines}) == len(lines) == 2


def test_hostile_text_reaches_no_terminal(policyd):
    policyd.ask("RCPT", client_address="192.0.2.9", sender="\x1b[2J\x9b31m@example.net", instance="hostile",
                queue_id="4XHOSTILE")
    said = wait_for(lambda: policyd.gatectl("why", "4XHOSTILE", check=False).stdout, "the log has it")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", said), ascii(said)


def test_check_is_the_daemons(policyd, workdir):
    bad = workdir / "bad.conf"
    bad.write_text("listem = unix:/x\n")
    done = subprocess.run([GATECTL, "check", bad], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 78 and "bad.conf:1:1:" in done.stdout + done.stderr
    assert PROGRAM.parent == GATECTL.parent
    assert subprocess.run([GATECTL, "-c", policyd.conf, "check"], capture_output=True, timeout=120,
                          check=False).returncode == 0


def test_manual_page_is_sound():
    page = subprocess.run([GATECTL, "help", "--man"], capture_output=True, timeout=120, check=True).stdout
    done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z"], input=page, capture_output=True, timeout=120,
                          check=True)
    assert done.stderr == b""


@pytest.mark.parametrize("words, want", [
    ("limit s", {"set"}), ("ru", {"rule"}), ("tail --co", {"--config", "--count"}), ("list add b", {"block"}),
    ("explain --daemon c", {"contentd"}), ("explain --daemon signd --sc", {"--scan"}),
])
def test_completion_completes(words, want, policyd):
    script = (f"source gatectl/completion.bash; COMP_WORDS=({GATECTL} -c {policyd.conf} {words}); "
              "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _gatectl; echo ${COMPREPLY[@]}")
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=120, check=True, cwd=ROOT)
    assert set(done.stdout.split()) == want and done.stderr == ""
