"""The units: how much they confine, and that policyd is what they say (a notifying, socket-activated daemon)."""
import os
import re
import socket
import subprocess

import pytest

from servers.policy import ask
from servers.policyd import PROGRAM
from servers.process import ROOT, Process, accepts, free_port, wait_for

SERVICE = ROOT / "systemd/gatehouse-policyd.service"
SOCKET = ROOT / "systemd/gatehouse-policyd.socket"
DAEMONS = ("policyd", "contentd", "signd")


def setting(unit, name):
    return re.findall(rf"^{name}=(.*)$", unit.read_text(), re.M)


@pytest.mark.parametrize("daemon", DAEMONS)
def test_exposure_is_small(daemon):
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager",
                           ROOT / f"systemd/gatehouse-{daemon}.service"], capture_output=True, text=True, check=False)
    exposure = float(re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)[1])
    assert exposure <= 1.3, done.stdout


def test_units_are_well_formed(tmp_path):
    """With the program that was built, and without the manual pages that are not installed here."""
    for unit in (ROOT / f"systemd/gatehouse-{daemon}.{kind}" for daemon in DAEMONS for kind in ("service", "socket")):
        text = unit.read_text().replace("/usr/sbin/", f"{PROGRAM.parent}/")
        (tmp_path / unit.name).write_text(re.sub(r"^Documentation=.*\n", "", text, flags=re.M))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *sorted(tmp_path.iterdir())], capture_output=True,
                          text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if "gatehouse" in line]
    assert not complaints, done.stderr


@pytest.mark.parametrize("daemon", DAEMONS)
def test_socket_is_postfix_own(daemon):
    unit = ROOT / f"systemd/gatehouse-{daemon}.socket"
    assert setting(unit, "ListenStream") == [f"/var/spool/postfix/gatehouse/{daemon}"]
    assert setting(unit, "SocketGroup") == ["postfix"]
    assert setting(unit, "SocketMode") == ["0660"]


def test_keys_are_of_an_account_of_their_own():
    assert setting(ROOT / "systemd/gatehouse-signd.service", "User") == ["gatehouse-signd"]
    assert all(setting(ROOT / f"systemd/gatehouse-{name}.service", "User") == ["gatehouse"] for name in ("policyd", "contentd"))


def test_account_is_declared():
    done = subprocess.run(["systemd-sysusers", "--dry-run", ROOT / "systemd/gatehouse.sysusers"], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0 and "gatehouse" in done.stdout + done.stderr, done.stderr


@pytest.fixture
def config(workdir):
    path = workdir / f"activated-{os.urandom(3).hex()}.conf"
    path.write_text("log = stderr\nhttp =\n")
    return path


def test_serves_the_sockets_that_systemd_made(workdir, config):
    path, port = workdir / "activated", free_port()
    server = Process(["systemd-socket-activate", "-l", path, "-l", f"127.0.0.1:{port}", PROGRAM, "-c", config, "-o",
                      f"listen=unix:{path}, inet:127.0.0.1:{port}"], workdir / "activated.log")
    try:
        server.ready(lambda: accepts(path), "the socket is there")
        assert ask(path) == "DUNNO"
        assert ask(("127.0.0.1", port)) == "DUNNO"
    finally:
        status = server.stop()
    assert status == 0, server.output
    assert path.exists()  # not ours to remove


def test_tells_systemd_when_it_is_ready_and_that_it_lives(workdir, config):
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(str(workdir / "notify"))
    notify.settimeout(60)
    path = workdir / "notifying"
    server = Process([PROGRAM, "-c", config, "-o", f"listen=unix:{path}"], workdir / "notify.log",
                     env={"NOTIFY_SOCKET": str(workdir / "notify"), "WATCHDOG_USEC": "1000000"})
    said = set()

    def hear(word):
        while not any(line.startswith(word) for line in said):
            said.update(notify.recv(4096).decode().splitlines())

    try:
        hear("READY=1")
        assert accepts(path)
        hear("WATCHDOG=1")
        hear("STATUS=")
    finally:
        assert server.stop() == 0, server.output
    hear("STOPPING=1")
    wait_for(lambda: not path.exists(), "its own socket is gone")
