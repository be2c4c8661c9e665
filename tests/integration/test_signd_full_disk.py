"""signd on a disk that is full: the spool of a large message, the log, the keys, what is known of their states. Nothing goes out unsigned
that should be signed, nothing with a broken signature, and all is well again when there is room."""
import json
import re
import subprocess

import dkim
import pytest

from servers.dns import DNS
from servers.milter_client import inserted
from servers.policyd import GATECTL
from servers.postfix import Postfix
from servers.process import wait_for
from servers.signd import Signd, put_file

pytestmark = pytest.mark.sanitized

FIELDS = [("From", "<a@sender.example>"), ("To", "<b@example.org>"), ("Subject", "hello")]
LARGE = b"0123456789 abcdef\r\n" * 60000  # more than the disk has, and than is kept in memory


@pytest.fixture(scope="module")
def dns():
    server = DNS({}, ttl=0)
    yield server
    server.stop()


@pytest.fixture
def start(workdir, dns):
    started = []

    def one(name, config="", **arguments):
        started.append(Signd(workdir / name, config, resolver=dns.resolver, **arguments))
        return started[-1]

    yield one
    for daemon in started:
        daemon.stop()


class Filling:
    """Takes all the room there is, until remove()."""

    def __init__(self, disk):
        self.path = disk / "filling"
        with open(self.path, "wb", buffering=0) as file:
            with pytest.raises(OSError):
                while file.write(b"x" * 65536):
                    pass

    def remove(self):
        self.path.unlink()


def publish(daemon, dns, domain, selector, kind="ed25519"):
    dns.add({f"{selector}._domainkey.{domain}": {"TXT": [daemon.add_key(domain, selector, kind)]}})


def send(daemon, body=b"hello\r\n", fields=FIELDS):
    with daemon.client() as client:
        client.connect(address="127.0.0.1")
        client.helo()
        return client.message(sender="<a@sender.example>", headers=fields, body=body)


def is_signed(daemon, dns, body=b"hello\r\n"):
    """Taken, with signatures that verify."""
    last, changes = send(daemon, body)
    made = inserted(changes, "DKIM-Signature")
    text = "".join(f"{name}: {value}\r\n" for name, value in FIELDS).encode() + b"\r\n" + body

    def txt(name, timeout=5):
        return dns.find(name.decode().rstrip(".").lower())["TXT"][0].encode()
    for value in made:
        assert dkim.verify(b"DKIM-Signature:" + value.replace("\n", "\r\n").encode() + b"\r\n" + text, dnsfunc=txt), value
    return last.command == "c" and bool(made)


def test_a_spool_that_is_full(start, dns, small_disk):
    daemon = start("spool", options=[f"spool_directory={small_disk}", "message_memory=4K"])
    publish(daemon, dns, "sender.example", "s")
    wait_for(lambda: is_signed(daemon, dns), "the key signs")
    for _ in range(3):
        last, changes = send(daemon, LARGE)
        assert last.command == "t" or last.command == "y" and last.texts[0].startswith("4"), last
        assert not changes
        assert is_signed(daemon, dns)  # others are not harmed
    wait_for(lambda: "No space left on device" in daemon.log, "it is said why")
    daemon.reload(f"spool_directory = {daemon.directory}\n")
    subprocess.run(["mount", "-o", "remount,size=8m", small_disk], check=True)
    wait_for(lambda: is_signed(daemon, dns, LARGE), "there is room: it is signed")


@pytest.mark.usefixtures("needs_postfix")
def test_a_spool_that_is_full_beside_postfix(start, dns, small_disk, sink, workdir):
    """Postfix would let it through if the milter went away: it does not."""
    daemon = start("spool-of-postfix", options=[f"spool_directory={small_disk}", "message_memory=4K"])
    publish(daemon, dns, "sender.example", "s")
    wait_for(lambda: is_signed(daemon, dns), "the key signs")
    postfix = Postfix(workdir / "postfix", sink, {"mx": f"smtpd_milters = unix:{daemon.unix}\n"},
                      "milter_default_action = accept\nnotify_classes =\n")
    try:
        for size, code in ((1000, 250), (len(LARGE), 452), (1000, 250)):
            with postfix.session("mx", login="a@sender.example") as session:
                assert session.deliver("a@sender.example", "b@example.org", f"full-{size}", size)[0] == code
        wait_for(lambda: len(sink.find("full-1000")) == 2, "the small ones arrive")
        assert all("DKIM-Signature: " in found.text for found in sink.messages)
        assert not sink.find(f"full-{len(LARGE)}")
    finally:
        postfix.stop()


def test_a_log_that_is_full(start, dns, small_disk):
    daemon = start("log", options=[f"log=file:{small_disk / 'log'}"])
    publish(daemon, dns, "sender.example", "s")
    wait_for(lambda: is_signed(daemon, dns), "the key signs")
    filling = Filling(small_disk)
    lost = daemon.metric("gatehouse_log_lines_dropped_total")
    for _ in range(30):
        assert is_signed(daemon, dns)
    wait_for(lambda: daemon.metric("gatehouse_log_lines_dropped_total") > lost, "it is counted")
    filling.remove()

    def says():
        assert is_signed(daemon, dns)
        return "log lines lost" in (small_disk / "log").read_text(errors="replace")
    wait_for(says, "the log goes on, and says that lines are missing")


def gatectl(daemon, directory, *arguments):
    conf = daemon.directory / "gatectl.conf"
    conf.write_text(f"http = unix:{daemon.http}\nkey_directory = {directory}\n")
    return subprocess.run([GATECTL, "-c", conf, "dkim", *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_keys_on_a_full_disk(start, dns, small_disk):
    """A key that could be written in part only holds its domain's mail back; one that gatectl could not make is not there."""
    keys = small_disk / "keys"
    keys.mkdir(mode=0o700)
    daemon = start("keys", options=[f"key_directory={keys}"])
    daemon.keys = keys
    publish(daemon, dns, "sender.example", "old")
    wait_for(lambda: is_signed(daemon, dns), "the key signs")
    filling = Filling(small_disk)
    done = gatectl(daemon, keys, "new", "sender.example", "--selector", "new", "--active")
    assert done.returncode != 0 and "No space left on device" in done.stderr, done
    assert [path.name for path in (keys / "sender.example").iterdir()] == ["old.key"]
    assert json.loads(daemon.get("/v1/live/dkim")[1])["fields"] == {}  # nobody waits for it
    assert is_signed(daemon, dns)
    filling.remove()
    assert gatectl(daemon, keys, "new", "sender.example", "--selector", "new", "--active").returncode == 0
    record = json.loads(gatectl(daemon, keys, "show", "sender.example", "--json").stdout)["keys"]
    dns.add({key["name"]: {"TXT": [key["record"]]} for key in record})
    wait_for(lambda: daemon.metric("gatehouse_keys", state="usable") == 2 and is_signed(daemon, dns), "both sign")
    # Copied by hand, as far as there is room.
    pem = (keys / "sender.example/old.key").read_bytes()
    with open(keys / "sender.example/old.key", "wb", buffering=0) as file, pytest.raises(OSError):
        filling = Filling(small_disk)
        file.write(pem)
    wait_for(lambda: daemon.metric("gatehouse_keys", state="unusable") == 1, "the fault is seen")
    last, changes = send(daemon)
    assert last.command == "y" and last.texts[0].startswith("451 4.7.5") and not changes
    filling.remove()
    put_file(keys / "sender.example/old.key", pem)
    wait_for(lambda: is_signed(daemon, dns), "it signs again")


def test_states_on_a_full_disk(start, dns, small_disk):
    """They are in force, and it is said that a restart would forget them; they are written as soon as there is room."""
    states = small_disk / "states"
    daemon = start("states", options=[f"key_state_file={states}"])
    publish(daemon, dns, "sender.example", "old")
    wait_for(lambda: is_signed(daemon, dns), "the key signs")
    # It signs before that is written.
    before = wait_for(lambda: states.exists() and "sender.example/old" in states.read_text() and states.read_text(), "it is written")
    filling = Filling(small_disk)
    assert gatectl(daemon, daemon.keys, "new", "sender.example", "--selector", "new", "--ed25519").returncode == 0
    wait_for(lambda: daemon.metric("gatehouse_key_states_unsaved") == 1, "it is counted")
    assert "key_state_file" in daemon.get("/ready")[1]
    assert states.read_text() == before  # whole, as it was
    wait_for(lambda: daemon.metric("gatehouse_keys", state="usable") == 2, "the new key is there")
    for _ in range(10):
        last, changes = send(daemon)
        assert [re.search(r"s=(\w+)", value)[1] for value in inserted(changes, "DKIM-Signature")] == ["old"]
    filling.remove()
    wait_for(lambda: daemon.metric("gatehouse_key_states_unsaved") == 0, "it has been written")
    assert "sender.example/new pending" in states.read_text()
    wait_for(lambda: "has been written" in daemon.log, "it is said, after all that was said before")
    assert daemon.log.count("cannot be written: No space left on device") == 1
    assert not list(small_disk.glob("*.new"))
