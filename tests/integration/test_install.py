"""`make install`: what lands where, what stays as it is, and that it can be read."""
import fcntl
import os
import re
import subprocess

import pytest

from servers.policyd import BUILD, GATECTL
from servers.process import ROOT

pytestmark = pytest.mark.skipif(BUILD != ROOT / "build", reason="make install installs the normal build")


def install(destination, *variables):
    with open(ROOT / "Makefile", "rb") as makefile:
        fcntl.flock(makefile, fcntl.LOCK_EX)  # who tests beside us does not build the same at the same time
        make_install(destination, *variables)


def make_install(destination, *variables):
    subprocess.run(["make", "-s", "install", f"DESTDIR={destination}", *variables], cwd=ROOT, check=True, timeout=600,
                   capture_output=True)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    destination = tmp_path_factory.mktemp("installed")
    install(destination)
    return destination


@pytest.mark.parametrize("path, mode", [
    ("usr/sbin/gatehouse-policyd", 0o755),
    ("usr/sbin/gatehouse-contentd", 0o755),
    ("usr/sbin/gatehouse-signd", 0o755),
    ("usr/sbin/gatectl", 0o755),
    ("etc/gatehouse/signd.conf", 0o640),
    ("usr/lib/systemd/system/gatehouse-signd.service", 0o644),
    ("usr/lib/systemd/system/gatehouse-signd.socket", 0o644),
    ("usr/share/man/man8/gatehouse-signd.8", 0o644),
    ("usr/share/man/man5/signd.conf.5", 0o644),
    ("etc/gatehouse/policyd.conf", 0o640),
    ("usr/lib/systemd/system/gatehouse-policyd.service", 0o644),
    ("usr/lib/systemd/system/gatehouse-policyd.socket", 0o644),
    ("etc/gatehouse/contentd.conf", 0o640),
    ("usr/lib/systemd/system/gatehouse-contentd.service", 0o644),
    ("usr/lib/systemd/system/gatehouse-contentd.socket", 0o644),
    ("usr/share/man/man8/gatehouse-contentd.8", 0o644),
    ("usr/share/man/man5/contentd.conf.5", 0o644),
    ("usr/lib/sysusers.d/gatehouse.conf", 0o644),
    ("usr/lib/tmpfiles.d/gatehouse.conf", 0o644),
    ("usr/share/man/man8/gatehouse-policyd.8", 0o644),
    ("usr/share/man/man8/gatectl.8", 0o644),
    ("usr/share/man/man5/policyd.conf.5", 0o644),
    ("usr/share/bash-completion/completions/gatectl", 0o644),
])
def test_installs(installed, path, mode):
    assert (installed / path).stat().st_mode & 0o777 == mode


def test_installed_configuration_is_correct(installed):
    done = subprocess.run([installed / "usr/sbin/gatehouse-policyd", "-t", "-c", installed / "etc/gatehouse/policyd.conf"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_sample_is_what_the_tables_say():
    """`make samples` has been run after the last change of a parameter."""
    done = subprocess.run([BUILD / "tools/policyd_documents", "sample"], capture_output=True, text=True, check=True)
    assert (ROOT / "conf/policyd.conf").read_text() == done.stdout


def test_a_changed_configuration_stays(installed):
    conf = installed / "etc/gatehouse/policyd.conf"
    conf.write_text("# mine\n")
    install(installed)
    assert conf.read_text() == "# mine\n"


@pytest.mark.skipif(os.getuid() != 0, reason="gives files away")
def test_the_account_can_read_the_configuration_and_others_cannot(tmp_path):
    install(tmp_path)
    for program in (["systemd-sysusers"], ["systemd-tmpfiles", "--create"]):
        subprocess.run([*program, f"--root={tmp_path}"], check=True, capture_output=True)
    group = int(re.search(r"^gatehouse:[^:]*:(\d+):", (tmp_path / "etc/group").read_text(), re.M)[1])
    directory = tmp_path / "etc/gatehouse"
    for path, mode in ((directory, 0o750), (directory / "policyd.conf", 0o640)):
        found = path.stat()
        assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (0, group, mode)


def test_another_prefix_is_in_the_unit(tmp_path):
    install(tmp_path, "PREFIX=/opt/gatehouse", "SYSCONFDIR=/opt/etc")
    unit = (tmp_path / "opt/gatehouse/lib/systemd/system/gatehouse-policyd.service").read_text()
    assert "ExecStart=/opt/gatehouse/sbin/gatehouse-policyd -c /opt/etc/gatehouse/policyd.conf" in unit


@pytest.mark.parametrize("page", ["man8/gatehouse-policyd.8", "man8/gatehouse-contentd.8", "man8/gatehouse-signd.8", "man8/gatectl.8",
                                  "man5/policyd.conf.5", "man5/contentd.conf.5", "man5/signd.conf.5"])
def test_manual_pages_are_well_formed(installed, page):
    done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", installed / "usr/share/man" / page],
                          capture_output=True, text=True, check=True)
    assert done.stderr == ""


@pytest.mark.parametrize("words, want", [
    (["lim"], ["limit"]),
    (["limit", ""], ["get", "list", "reset", "set", "unset"]),
    (["--json", "limit", "g"], ["get"]),
    (["-c", str(ROOT / "conf/try.conf"), "limit", "get", "user"], ["user-hourly"]),
    (["--no"], ["--note"]),
])
def test_completion(installed, words, want):
    script = f"""
        source {installed}/usr/share/bash-completion/completions/gatectl
        COMP_WORDS=("{GATECTL}" "$@"); COMP_CWORD=$#
        _gatectl
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", script, "bash", *words], capture_output=True, text=True, check=True)
    assert sorted(done.stdout.split()) == want
