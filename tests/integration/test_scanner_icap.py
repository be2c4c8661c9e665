"""The scanner of kind icap, c-icap's virus_scan and a real clamd behind it."""
import pytest

from servers.c_icap import CIcap
from servers.clamd import EICAR, SIGNATURE, Clamd
from servers.scan_file import message, scan, scan_all

pytestmark = pytest.mark.sanitized


@pytest.fixture(scope="module")
def clamd(workdir):
    server = Clamd(workdir / "clamd", stream_max="60M")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def icap(workdir, clamd):
    server = CIcap(workdir / "icap", clamd.socket)
    yield server
    server.stop()


@pytest.mark.parametrize("piece", [0, 1000], ids=["whole", "growing"])
@pytest.mark.parametrize("service", ["virus_scan", "/avscan", "sendsback"])
def test_malware_is_named(icap, service, piece):
    finding = scan(f"icap {icap.address}", message("hello\n" * 500 + EICAR), path=service, piece=piece)
    assert finding["result"] == "virus" and SIGNATURE in finding["virus"], finding
    finding = scan(f"icap {icap.address}", message("look", attachment=EICAR.encode()), path=service, piece=piece)
    assert finding["result"] == "virus" and SIGNATURE in finding["virus"], finding


@pytest.mark.parametrize("size", [0, 1, 5000, 3000000])
@pytest.mark.parametrize("service", ["virus_scan", "avscan", "sendsback", "echo"])
def test_clean_messages(icap, service, size):
    """`sendsback` gives the content instead of 204: it is compared."""
    text = message("0123456789abcdef" * (size // 16))
    for piece in (0, 4000 if size < 1000000 else 300000):
        finding = scan(f"icap {icap.address}", text, path=service, piece=piece)
        assert finding["result"] == "clean", finding


def test_many_at_once(icap):
    findings = scan_all(f"icap {icap.address}", message("0123456789 " * 20000), path="avscan", scans=40, parallel=8)
    assert [finding["result"] for finding in findings] == ["clean"] * 40, findings


def test_no_such_service(icap):
    finding = scan(f"icap {icap.address}", message("hello"), path="nothing")
    assert finding["result"] == "trouble" and "answers 404" in finding["error"], finding


def test_server_whose_engine_is_gone(workdir):
    """And not clean either when the server is gone as well."""
    engine = Clamd(workdir / "engine")
    server = CIcap(workdir / "icap-alone", engine.socket)
    assert scan(f"icap {server.address}", message("hello"), path="avscan")["result"] == "clean"
    engine.stop()
    finding = scan(f"icap {server.address}", message(EICAR), path="avscan")
    assert finding["result"] == "trouble" and "answers 500" in finding["error"], finding
    server.stop()
    finding = scan(f"icap {server.address}", message(EICAR), path="avscan")
    assert finding["result"] == "trouble" and "Connection refused" in finding["error"], finding
