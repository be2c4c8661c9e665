"""Real answers of all kinds of scanners, cut at random: never clean."""
import random

import pytest

from servers.c_icap import CIcap
from servers.clamd import Clamd
from servers.cutter import Cutter
from servers.milters import ClamavMilter, OpenDKIM
from servers.rspamd import Rspamd
from servers.scan_file import message, scan, scan_all
from servers.spamd import Spamd

pytestmark = pytest.mark.sanitized

CUTS = 60


@pytest.fixture(scope="module")
def clamd(workdir):
    server = Clamd(workdir / "clamd")
    yield server
    server.stop()


@pytest.fixture(scope="module", params=["clamd", "rspamd", "spamd", "icap", "icap that sends back", "opendkim", "clamav-milter"])
def scanner(request, workdir, clamd):
    """(kind, address, settings) of a running one."""
    server, settings = None, {}
    if request.param == "clamd":
        kind, address = "clamd", clamd.addresses[1]
    elif request.param == "rspamd":
        server = Rspamd(workdir / "rspamd")
        kind, address = "rspamd", server.addresses[0]
    elif request.param == "spamd":
        server = Spamd(workdir / "spamd")
        kind, address = "spamd", server.address
    elif request.param.startswith("icap"):
        server = CIcap(workdir / request.param.replace(" ", "-"), clamd.socket)
        kind, address = "icap", server.address
        settings = {"path": "sendsback" if "back" in request.param else "avscan"}
    elif request.param == "opendkim":
        server = OpenDKIM(workdir / "opendkim", "example.net", "sel", "192.0.2.7")
        kind, address = "milter", server.address
        settings = {"client": "192.0.2.7"}
    else:
        server = ClamavMilter(workdir / "clamav-milter", clamd.socket)
        kind, address = "milter", server.address
    yield kind, address, settings
    if server is not None:
        server.stop()


def test_no_part_of_an_answer_is_clean(scanner):
    kind, address, settings = scanner
    cutter = Cutter(address)
    text = message("How are you?\n" * 20)
    try:
        lengths = []  # rspamd says how many seconds it took
        for _ in range(3):
            finding = scan(f"{kind} {cutter.address}", text, **settings)
            assert finding["result"] == "clean", finding
            lengths.append(cutter.passed)
        whole = min(lengths)
        seed = random.randrange(1 << 30)
        chosen = random.Random(seed)
        cuts = {0, 1, whole - 1} | {chosen.randrange(whole) for _ in range(CUTS)}
        for cut in sorted(cuts):
            cutter.most, cutter.hangs = cut, chosen.random() < 0.2
            finding = scan(f"{kind} {cutter.address}", text, **settings, timeout=400 if cutter.hangs else 5000)
            assert finding["result"] == "trouble", f"{cut} of {whole} bytes, seed {seed}: {finding}"
        cutter.most, cutter.hangs = None, False
        assert scan(f"{kind} {cutter.address}", text, **settings)["result"] == "clean"
    finally:
        cutter.stop()


def test_scans_at_the_same_time_do_not_notice(scanner):
    """While one address cuts every answer the other serves all."""
    kind, address, settings = scanner
    cutter = Cutter(address)
    cutter.most = 3
    try:
        findings = scan_all(f"{kind} {cutter.address}, {address}", message("hello\n" * 100), scans=20, parallel=4, **settings)
        assert [finding["result"] for finding in findings] == ["clean"] * 20, findings
    finally:
        cutter.stop()
