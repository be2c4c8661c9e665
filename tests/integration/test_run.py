"""`make run`: starts all three daemons, says how to reach them, refuses to run twice, ends whole."""
import contextlib
import os
import pathlib
import signal
import subprocess

import pytest

from servers.daemon import BUILD
from servers.process import ROOT, Process, free_port, is_gone, wait_for

DAEMONS = ["policyd", "contentd", "signd"]


class Tree:
    """A tree like this one in which everything is built and installed: nothing is written to the real one."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        (self.directory / "scripts").mkdir(parents=True)
        (self.directory / "build").mkdir()
        (self.directory / "Makefile").write_text("all:\n")
        for name in ("conf", "tests", "scripts/run", "scripts/main-cf-lines"):
            (self.directory / name).symlink_to(ROOT / name)
        (self.directory / "build/bin").symlink_to(BUILD / "bin")
        (self.directory / "scripts/install-dependencies").symlink_to("/bin/true")
        self.ports = {"GATEHOUSE_PORT": str(free_port()), "GATEHOUSE_MILTER_PORT": str(free_port()),
                      "GATEHOUSE_SIGN_PORT": str(free_port())}
        self.script = self.directory / "scripts/run"
        self.process = None

    def start(self):
        # What ignores an interrupt from the beginning, as in the background of a script, goes on doing so.
        self.process = Process(["env", "--default-signal=INT", self.script], self.directory / "log", env=self.ports)
        self.process.ready(lambda: "Decisions follow." in self.process.output, "all is started")
        wait_for(lambda: self.statuses() == [0] * 3, "all of them answer")

    def fails(self, **ports):
        """What it says when it is run (once more) and cannot be."""
        done = subprocess.run([self.script], capture_output=True, text=True, timeout=120, check=False,
                              env={**os.environ, **self.ports, **ports})
        assert done.returncode == 1, done
        return done.stderr

    def statuses(self):
        """gatectl's exit status for each daemon."""
        return [subprocess.run([BUILD / "bin/gatectl", "-s", self.directory / f"build/run/{daemon}.http", "status"],
                               capture_output=True, check=False).returncode for daemon in DAEMONS]

    def daemons(self):
        """The process ids of its daemons."""
        found = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, check=False).stdout
        return [int(pid) for pid in found.split()]

    def at_work(self):
        """Whatever has a path of it among its arguments."""
        found = []
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):  # it has just ended
                found += [path] if os.fsencode(self.directory) in path.read_bytes() else []
        return found

    def stop(self):
        if self.process is not None and self.process.is_running():
            self.process.stop()


@pytest.fixture
def tree(workdir):
    tree = Tree(workdir / f"tree-{os.urandom(3).hex()}")
    yield tree
    tree.stop()


@pytest.mark.parametrize("number, status", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_it_starts_everything_once_and_ends_it(tree, number, status):
    tree.start()
    pids = tree.daemons()
    assert len(pids) == len(DAEMONS)
    for port in tree.ports.values():
        assert f"inet:127.0.0.1:{port}" in tree.process.output
    # Whether it would take the same ports or not.
    for ports in ({}, {name: str(free_port()) for name in tree.ports}):
        assert "gatehouse-policyd runs already in build/run: end the other" in tree.fails(**ports)
    assert tree.daemons() == pids and tree.statuses() == [0] * 3
    assert tree.process.stop(number) == status
    assert all(is_gone(pid) for pid in pids)


@pytest.mark.parametrize("daemon", DAEMONS)
def test_it_ends_whole_while_it_starts(tree, daemon):
    tree.process = Process([tree.script], tree.directory / "log", env=tree.ports)
    tree.process.ready(lambda: (tree.directory / f"build/run/{daemon}.http").exists(), f"{daemon} is there")
    pids = tree.daemons()
    assert tree.process.stop() == 143
    assert all(is_gone(pid) for pid in pids) and not tree.at_work()


def test_a_port_in_use_is_said(tree, workdir):
    tree.start()
    other = Tree(workdir / "other-tree")
    assert "gatehouse-signd did not start (is port" in other.fails(GATEHOUSE_SIGN_PORT=tree.ports["GATEHOUSE_SIGN_PORT"])
    assert 0 not in other.statuses() and tree.statuses() == [0] * 3


@pytest.mark.parametrize("which", range(len(DAEMONS)))
def test_it_ends_when_one_of_them_does(tree, which):
    tree.start()
    pids = tree.daemons()
    os.kill(pids[which], signal.SIGKILL)
    wait_for(lambda: not tree.process.is_running(), "it ends")
    assert tree.process.child.returncode == 137 and "a daemon has ended with status 137" in tree.process.output
    assert all(is_gone(pid) for pid in pids)
