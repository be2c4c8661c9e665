"""The scanner of kind milter: opendkim and clamav-milter have the session replayed to them."""
import dkim
import pytest

from servers.clamd import EICAR, SIGNATURE, Clamd
from servers.milters import ClamavMilter, OpenDKIM
from servers.scan_file import message, scan, scan_all

pytestmark = pytest.mark.sanitized

ADD, INSERT, CHANGE = 0, 1, 2


@pytest.fixture(scope="module")
def opendkim(workdir):
    server = OpenDKIM(workdir / "opendkim", "example.net", "sel", "192.0.2.7")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def clamd(workdir):
    server = Clamd(workdir / "clamd", stream_max="60M")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def clamav(workdir, clamd):
    server = ClamavMilter(workdir / "clamav-milter", clamd.socket)
    yield server
    server.stop()


@pytest.mark.parametrize("piece", [0, 7, 100000], ids=["whole", "small pieces", "large pieces"])
@pytest.mark.parametrize("lines", [0, 1, 9000], ids=["empty", "short", "several chunks"])
def test_a_signature_is_good(opendkim, lines, piece):
    """So it was told the header fields and the body byte by byte."""
    if lines == 9000 and piece == 7:
        piece = 3000
    text = message("0123456789 abcdef\n" * lines).replace("To:", "X-Folded: a\n\tb  c\nTo:")
    finding = scan(f"milter {opendkim.address}", text, piece=piece, client="192.0.2.7", sender="a@example.net")
    assert finding["result"] == "clean", finding
    (edit,) = finding["edits"]
    assert (edit["kind"], edit["name"]) == (INSERT, "DKIM-Signature")
    signed = f"DKIM-Signature: {edit['text']}\n{text}".replace("\n", "\r\n").encode()
    record = f"v=DKIM1; k=rsa; p={opendkim.public_key()}".encode()
    assert dkim.verify(signed, dnsfunc=lambda name, timeout=5: record)
    assert not dkim.verify(signed + b"x", dnsfunc=lambda name, timeout=5: record)


def test_a_result_is_added(opendkim):
    finding = scan(f"milter {opendkim.address}", message("hello"), client="192.0.2.99", sender="a@example.net")
    assert finding["result"] == "clean", finding
    (edit,) = finding["edits"]
    assert (edit["kind"], edit["name"], edit["index"]) == (INSERT, "Authentication-Results", 0)
    assert edit["text"].startswith("mx.example.org;") and "dkim=none" in edit["text"], edit


def test_malware_is_refused(clamav):
    finding = scan(f"milter {clamav.address}", message("hello\n" * 20000 + EICAR), piece=50000)
    assert finding["result"] == "reject", finding
    assert (finding["code"], finding["enhanced"]) == (550, "5.7.1")
    assert finding["reply"].startswith(f"Malware found: {SIGNATURE}"), finding


def test_clean_mail_is_marked(clamav):
    finding = scan(f"milter {clamav.address}", message("hello"))
    assert finding["result"] == "clean", finding
    assert {"X-Virus-Scanned", "X-Virus-Status"} <= {edit["name"] for edit in finding["edits"]}, finding


def test_many_at_once(clamav):
    findings = scan_all(f"milter {clamav.address}", message("0123456789 " * 20000), scans=40, parallel=8, piece=70000)
    assert [finding["result"] for finding in findings] == ["clean"] * 40, findings


def test_milter_whose_engine_is_gone(workdir):
    engine = Clamd(workdir / "engine")
    server = ClamavMilter(workdir / "alone", engine.socket)
    engine.stop()
    finding = scan(f"milter {server.address}", message(EICAR))
    assert finding["result"] == "tempfail", finding
    server.stop()
    finding = scan(f"milter {server.address}", message(EICAR))
    assert finding["result"] == "trouble" and str(server.socket) in finding["error"], finding
