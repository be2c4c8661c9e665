"""scripts/install-dependencies where apt-get does not work at once: another one is at work, the lists are old, the archive is away."""
import os
import subprocess

import pytest

from servers.process import ROOT

# apt-get writes down what it was to do, and fails as often as its file says.
PROGRAMS = {
    "apt-get": """for word; do case $word in install | update) did=$word ;; esac; done
echo "$did" >> "$STATE/did"
left=$(cat "$STATE/$did" 2>/dev/null || echo 0)
[ "$left" -eq 0 ] || { echo $((left - 1)) > "$STATE/$did"; exit 100; }
""",
    "dpkg-query": 'cat "$STATE/installed"\n',
    "sudo": 'exec "$@"\n',
    "sleep": 'echo "sleep" >> "$STATE/did"\n',
}


@pytest.fixture
def install(tmp_path):
    """install(installed=[...], install=N, update=N) -> (exit status, what was done): apt-get fails so many times at either."""
    for name, text in PROGRAMS.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}")
        (tmp_path / name).chmod(0o755)

    def run(installed=(), **failures):
        (tmp_path / "installed").write_text("".join(f"ii  {name}\n" for name in installed))
        for what, count in failures.items():
            (tmp_path / what).write_text(str(count))
        done = subprocess.run([ROOT / "scripts/install-dependencies", "build"], capture_output=True, text=True, check=False, timeout=120,
                              env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "STATE": str(tmp_path)})
        did = tmp_path / "did"
        return done.returncode, did.read_text().split() if did.exists() else []

    return run


def test_nothing_is_missing(install):
    needed = subprocess.run([ROOT / "scripts/dependencies", "build"], capture_output=True, text=True, check=True).stdout.split()
    assert install(installed=needed) == (0, [])


@pytest.mark.parametrize("failures, did", [
    ({}, ["install"]),
    ({"install": 1}, ["install", "update", "install"]),
    ({"install": 2, "update": 1}, ["install", "update", "sleep", "install", "update", "install"]),
    ({"install": 4, "update": 4}, ["install", *["update", "sleep", "install"] * 4]),
])
def test_what_fails_for_a_moment_is_tried_again(install, failures, did):
    assert install(**failures) == (0, did)


def test_what_always_fails_ends(install):
    status, did = install(install=1000)
    assert (status, did) == (1, [*["install", "update"] * 4, "install"])
