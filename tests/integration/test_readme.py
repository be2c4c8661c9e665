"""README.md is true: its console sessions happen as printed, its lines for main.cf are those of the script, and what it
and the other documents name is there."""
import getpass
import os
import re
import subprocess

import pytest

from servers.filter import Filter
from servers.machine import Stopwatch
from servers.milter_client import MilterClient
from servers.policyd import GATECTL, PATIENT, Policyd
from servers.process import ROOT
from servers.signd import Signd

DOCUMENTS = ("README.md", "ARCHITECTURE.md", "HACKING.md")
# What is another time, in a pattern that both sides are turned into.
CHANGES = [
    (r"(ref|reference)(\s*[ =])[a-z0-9]{6}\b", r"\1\2REFREF"),
    (r"\b[0-9a-hjkmnp-tv-z]{20}\b", "KEPT"),
    (r"p=[A-Za-z0-9+/]{43}=", "p=KEY"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d", "0000-00-00 00:00"),
    (r"^(ms +)\d+$", r"\g<1>0"),
    (r" of \S*contentd\.conf:", " of contentd.conf:"),
    (rf"\b{re.escape(getpass.getuser())}\b", "root"),
]


def text_of(name):
    return (ROOT / name).read_text()


def blocks(text, kind):
    return re.findall(rf"^```{kind}\n(.*?)^```$", text, re.M | re.S)


def sessions():
    """(command, what it prints) of all console blocks, in order."""
    found = []
    for block in blocks(text_of("README.md"), "console"):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, printed = part.partition("\n")
            found.append((command, printed))
    return found


def same(text):
    for pattern, stands_for in CHANGES:
        text = re.sub(pattern, stands_for, text, flags=re.M)
    return text


# The last of its two chains is not in conf/try-content.conf.
CONTENT = (ROOT / "conf/try-content.conf").read_text() + "\n[chain full]\n"
# Which daemon gatectl asks for these nouns, where all are installed.
GATECTL_SCRIPT = """#!/bin/sh
case "$1 $2 $3" in
apply* | quarantine* | "explain --daemon contentd") exec {gatectl} -s {contentd} "$@" ;;
dkim*) exec {gatectl} -c {signd} "$@" ;;
*) exec {gatectl} -s {policyd} "$@" ;;
esac
"""


@pytest.fixture(name="contentd")
def contentd_with_a_message(workdir, sink):
    """That of `make run`, with a release listener, and one message in its quarantine."""
    contentd = Filter(workdir / "readme-content", CONTENT, options=[f"release=inet:127.0.0.1:{sink.port}"])
    with MilterClient(contentd.unix) as mta:
        last, _ = mta.start().message(sender="<shop@example.net>", recipients=("<carol@example.com>",), headers=(
            ("From", '"service@bank.example" <shop@example.net>'), ("To", "carol@example.com"), ("Subject", "Please buy now")))
    assert last.command == "d", last
    yield contentd
    contentd.stop()


@pytest.fixture(name="signd")
def signd_without_keys(workdir):
    signd = Signd(workdir / "readme-sign")
    signd.conf.write_text(f"http = unix:{signd.http}\nkey_directory = {signd.keys}\n")
    yield signd
    signd.stop()


@pytest.fixture
def environment(workdir, country_database, redis, contentd, signd):
    """The daemons of `make run` (policyd on Redis, for redis-cli) and signd, and commands of that name that reach them."""
    policyd = Policyd(workdir / "readme", conf_file=ROOT / "conf/try.conf",
                      options=[f"geoip_database={country_database}", f"store=redis://127.0.0.1:{redis.port}", *PATIENT])
    commands = workdir / "commands"
    commands.mkdir()
    scripts = {"gatectl": GATECTL_SCRIPT.format(gatectl=GATECTL, policyd=policyd.http, contentd=contentd.http, signd=signd.conf),
               "redis-cli": f"#!/bin/sh\nexec /usr/bin/redis-cli -p {redis.port} \"$@\"\n"}
    for name, script in scripts.items():
        (commands / name).write_text(script)
        (commands / name).chmod(0o755)
    yield {**os.environ, "PATH": f"{commands}:{os.environ['PATH']}", "GATEHOUSE_PORT": str(policyd.tcp[1])}
    policyd.stop()


def test_what_it_prints_is_what_happens(environment):
    references = {}  # printed -> real
    is_slow = False  # the machine may be: what the README gives a second to be in force
    for command, expected in sessions():
        if command.startswith("alias "):
            continue
        for printed, real in references.items():
            command = command.replace(printed, real)

        def run():
            return subprocess.run(["bash", "-c", command], cwd=ROOT, env=environment, capture_output=True, text=True,
                                  timeout=120, check=False)

        done = run()
        if is_slow or command.startswith("gatectl why "):  # the log comes when there is time for it
            watch = Stopwatch()
            while same(done.stdout + done.stderr) != same(expected) and watch.seconds() < 5:
                done = run()
        assert same(done.stdout + done.stderr) == same(expected), command
        is_slow = command.startswith("sleep ")
        for pattern in (r"ref=(\w{6})", r"^([0-9a-z]{20})\b"):
            references.update(zip(re.findall(pattern, expected, re.M), re.findall(pattern, done.stdout, re.M)))
    assert references


def test_lines_for_main_cf_are_those_of_the_script():
    done = subprocess.run([ROOT / "scripts/main-cf-lines"], capture_output=True, text=True, check=True)
    assert done.stdout in blocks(text_of("README.md"), "main.cf")


def test_its_first_limit_is_correct(workdir):
    path = workdir / "first.conf"
    path.write_text(blocks(text_of("README.md"), "policyd.conf")[0])
    assert subprocess.run([GATECTL, "check", path], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("document", DOCUMENTS)
def test_metrics_that_are_named_exist(document, start_policyd, redis, workdir):
    policyd = start_policyd("[limit a]\nkey = sender\nrate = 1/1h\n[rule a]\nthen = limit a\n",
                            options=[f"store=redis://127.0.0.1:{redis.port}"])
    # With what counts only where it is configured: attachments are looked at, copies can be sent.
    contentd = Filter(workdir / f"metrics-{document}", blocks(text_of("README.md"), "contentd.conf")[0],
                      options=["release=inet:127.0.0.1:9"])
    signd = Signd(workdir / f"metrics-sign-{document}")
    known = {name for daemon in (policyd, contentd, signd)
             for name in re.findall(r"^# TYPE (\S+)", daemon.get("/metrics")[1], re.M)}
    signd.stop()
    contentd.stop()
    assert set(re.findall(r"`(gatehouse_[a-z_]+)[`{]", text_of(document))) <= known


@pytest.mark.parametrize("document", DOCUMENTS)
def test_files_that_are_named_exist(document):
    folders = "common|policyd|contentd|signd|gatectl|conf|scripts|systemd|tests|tools"
    named = re.findall(rf"`((?:{folders})/[\w./*\[\]-]*)`", text_of(document))
    real = [path for path in named if not re.search(r"\b(DIR|X)\b|_X\b", path)]  # those stand for any name
    assert [path for path in real if not list(ROOT.glob(path.rstrip("/")))] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_targets_that_are_named_exist(document):
    targets = set(re.findall(r"^([a-z][a-z %-]*):", text_of("Makefile"), re.M))
    known = {word for line in targets for word in line.split()}
    named = set(re.findall(r"^ +make ([a-z-]+)(?: |$)|`make ([a-z-]+)[ `]", text_of(document), re.M))
    assert {a or b for a, b in named} <= known | {"all"}
