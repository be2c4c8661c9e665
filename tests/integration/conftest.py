"""Fixtures: policyd, redis, sink, postfix; everything that a test starts is ended after it."""
import contextlib
import ctypes
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest

from servers.policyd import PROGRAM, Policyd
from servers.process import ROOT
from servers.redis import Redis
from servers.sink import Sink


# Of unshare(2) and mount(2).
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 0x40000


def mount_for_ourselves():
    """What the tests mount is gone with their last process, however they end, and nobody else sees it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) == 0:
        libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None)


def pytest_configure(config):
    config.addinivalue_line("markers", "sanitized: is run with the sanitizer builds of policyd too")
    config.addinivalue_line("markers", "redis_hangs: Redis is made to hang, and must not be waited for")
    # What races in a build for ThreadSanitizer without being one: scripts/test_all.py says it, too, and more.
    os.environ.setdefault("TSAN_OPTIONS", f"suppressions={ROOT / 'tests/tsan.supp'}")
    config.mounts_of_others = os.readlink("/proc/self/ns/mnt")
    mount_for_ourselves()


def pytest_collection_modifyitems(items):
    if not PROGRAM.exists():
        pytest.exit(f"{PROGRAM} is not built", returncode=2)
    if os.getuid() != 0:
        for item in items:
            if "needs_postfix" in item.fixturenames:
                item.add_marker(pytest.mark.skip(reason="a private Postfix needs root"))


@pytest.fixture(scope="session")
def needs_postfix():
    """Tests that use it are skipped where Postfix cannot be started."""


@pytest.fixture(scope="module")
def workdir():
    """A short path (unix sockets have 107 bytes) that other users may enter; gone after the tests."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def country_database(tmp_path_factory):
    """A database with made-up countries; see make_mmdb.pl."""
    path = tmp_path_factory.mktemp("geoip") / "country.mmdb"
    subprocess.run(["perl", ROOT / "tests/integration/make_mmdb.pl", "maxmind", path], check=True)
    return path


@pytest.fixture
def start_policyd(workdir, request):
    """start_policyd(config, options=[...]) -> Policyd; all are stopped, and their ends checked, after the test."""
    with contextlib.ExitStack() as ended:  # all of them, though one may not end well
        def start(config="", **arguments):
            test = re.sub(r"\W", "-", request.node.name)[:20]
            policyd = Policyd(workdir / f"{test}-{os.urandom(4).hex()}", config, **arguments)
            ended.callback(policyd.stop)
            return policyd

        yield start


@pytest.fixture
def start_redis(workdir):
    """start_redis(*options) -> Redis"""
    with contextlib.ExitStack() as ended:
        def start(*options, **arguments):
            redis = Redis(workdir / f"redis-{os.urandom(4).hex()}", *options, **arguments)
            ended.callback(redis.stop)
            return redis

        yield start


@pytest.fixture
def redis(start_redis):
    return start_redis()


@pytest.fixture(scope="module")
def sink():
    server = Sink()
    yield server
    server.stop()


@pytest.fixture
def small_disk(workdir):
    """A file system of 256 KiB."""
    path = workdir / f"disk-{os.urandom(3).hex()}"
    path.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", path], check=False).returncode != 0:
        pytest.skip("no file system can be mounted here")
    yield path
    subprocess.run(["umount", "-l", path], check=True)  # what uses it may end later
