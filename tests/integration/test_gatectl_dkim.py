"""gatectl dkim: keys are made with the right modes, their records fit, states are shared through Redis, and what the DNS
says is compared with the key."""
import json
import os
import re
import subprocess

import pytest

from servers.dns import DNS
from servers.policyd import GATECTL

DONE, NOTHING, USAGE, UNREACHABLE, REFUSED, FAILED = range(6)


class Dkim:
    """gatectl dkim on a configuration of signd whose daemon does not run."""

    def __init__(self, directory, redis, *resolvers):
        self.keys = directory / "keys"
        self.keys.mkdir(mode=0o700, parents=True)
        self.conf = directory / "signd.conf"
        listed = ", ".join(resolvers)
        self.conf.write_text(f"http = unix:{directory}/nobody\nstore = {redis.url}\nkey_directory = {self.keys}\n"
                             + (f"resolver = {listed}\n" if listed else ""))

    def __call__(self, *arguments, code=DONE):
        done = subprocess.run([GATECTL, "-c", self.conf, "dkim", *arguments], capture_output=True, text=True, timeout=600,
                              check=False)
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def json(self, *arguments, code=DONE):
        return json.loads(self(*arguments, "--json", code=code).stdout)


@pytest.fixture(name="dkim")
def dkim_on_redis(tmp_path, redis):
    return Dkim(tmp_path / "signd", redis)


def strings_of(record):
    return [record[at:at + 255] for at in range(0, len(record), 255)]


def publish(dns, keys):
    dns.add({key["name"]: {"TXT": [key["record"]]} for key in keys})


def states(dkim):
    return {key["selector"]: key["state"] for key in dkim.json("list")["keys"]}


def test_new_keys_belong_to_who_has_the_directory(dkim):
    os.chown(dkim.keys, 65534, 65534)
    dkim("new", "Example.COM", "--rsa", "2048", "--ed25519")
    files = sorted((dkim.keys / "example.com").iterdir())
    assert len(files) == 2
    for path in [dkim.keys / "example.com", *files]:
        info = path.stat()
        assert (info.st_uid, info.st_gid) == (65534, 65534)
        assert info.st_mode & 0o077 == 0
    for path in files:
        subprocess.run(["openssl", "pkey", "-in", path, "-noout"], check=True)


def test_the_record_in_all_forms_is_the_same(dkim):
    text = dkim("new", "example.com", "--selector", "big", "--rsa", "4096").stdout
    zone, line, strings = re.split(r"^;.*\n", text.split("\n\n")[0] + "\n", flags=re.M)[1:]
    record = line.strip()
    assert record.startswith("v=DKIM1; k=rsa; p=MII") and len(record) > 700
    assert "".join(re.findall(r'"([^"]*)"', zone)) == record
    assert re.findall(r'"([^"]*)"', strings) == strings_of(record)
    assert zone.startswith("big._domainkey.example.com. IN TXT (")
    assert dkim.json("show", "example.com")["keys"][0]["record"] == record


def test_a_new_key_waits_and_all_hosts_know(dkim, redis):
    made = dkim.json("new", "example.com", "--selector", "one")["keys"]
    assert made[0]["state"] == "pending"
    assert redis.cli("HGET", "gh:dkim", "example.com/one").startswith("pending since=")
    assert states(dkim) == {"one": "pending"}
    dkim("new", "example.com", "--selector", "two", "--ed25519", "--active")
    assert states(dkim) == {"one": "pending", "two": "active"}


def test_no_key_is_replaced(dkim):
    dkim("new", "example.com", "--selector", "one")
    before = (dkim.keys / "example.com" / "one.key").read_bytes()
    assert "File exists" in dkim("new", "example.com", "--selector", "one", code=FAILED).stderr
    assert (dkim.keys / "example.com" / "one.key").read_bytes() == before
    assert [path.name for path in (dkim.keys / "example.com").iterdir()] == ["one.key"]


def test_without_a_store_a_key_is_made_only_to_sign_at_once(dkim, redis):
    redis.stop()
    assert "--active" in dkim("new", "example.com", code=UNREACHABLE).stderr
    assert not list(dkim.keys.iterdir())
    dkim("new", "example.com", "--active")
    assert len(list((dkim.keys / "example.com").iterdir())) == 1


def test_rotation_makes_a_successor_of_each_kind(dkim):
    dkim("new", "example.com", "--selector", "old", "--rsa", "3072", "--ed25519", "--active")
    made = dkim.json("rotate", "example.com")["keys"]
    assert len(made) == 2
    assert {key["state"] for key in made} == {"pending"}
    kinds = {(key["type"], key["bits"]) for key in dkim.json("list")["keys"] if key["state"] == "pending"}
    assert kinds == {("rsa", 3072), ("ed25519", 256)}
    assert "--force" in dkim("rotate", "example.com", code=REFUSED).stderr
    dkim("rotate", "nothing.example", code=NOTHING)


def test_states_by_hand(dkim):
    dkim("new", "example.com", "--selector", "one")
    assert "has no key" not in dkim("set", "example.com", "one", "active").stderr
    assert states(dkim) == {"one": "active"}
    assert "has no key example.com/oen.key" in dkim("set", "example.com", "oen", "active").stderr
    assert 'did you mean "retired"' in dkim("set", "example.com", "one", "retird", code=USAGE).stderr


def test_what_is_published_is_compared_at_every_resolver(tmp_path, redis):
    first, second = DNS(), DNS()
    try:
        dkim = Dkim(tmp_path / "signd", redis, first.resolver, second.resolver)
        made = dkim.json("new", "example.com", "--selector", "one", "--rsa", "2048", "--ed25519")["keys"]
        assert dkim("test", "example.com", code=NOTHING).stdout.count("there is no such name") == 4
        publish(first, made)
        publish(second, made)
        assert dkim("test", "example.com").stdout.count(": ok") == 4
        wrong = {made[0]["name"]: {"TXT": [made[0]["record"].replace("MII", "MIX")]},
                 made[1]["name"]: {"TXT": [made[1]["record"].replace("k=ed25519; ", "")]}}
        second.add(wrong)
        said = dkim("test", "example.com", code=NOTHING).stdout
        assert said.count(": ok") == 2
        assert "the published key is another one" in said and "lacks k=ed25519" in said
        second.add({made[0]["name"]: {"TXT": [made[0]["record"][:200]]}, made[1]["name"]: "SERVFAIL"})
        said = dkim("test", "example.com", code=NOTHING).stdout
        assert "cut off" in said and "the resolver could not tell" in said
    finally:
        first.stop()
        second.stop()


@pytest.mark.parametrize("arguments, text", [
    (["new", "not a domain"], "is no domain"),
    (["new", "example.com", "--selector", "a/b"], "is no selector"),
    (["new", "example.com", "--rsa", "1024"], "2048, 3072 or 4096"),
    (["test", "[192.0.2.1]"], "is no domain"),
])
def test_wrong_words_are_refused(dkim, arguments, text):
    assert text in dkim(*arguments, code=USAGE).stderr
    assert not list(dkim.keys.iterdir())
