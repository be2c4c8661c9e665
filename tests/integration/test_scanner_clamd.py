"""The scanner of kind clamd and a real clamd."""
import pytest

from servers import scan_file
from servers.clamd import EICAR, SIGNATURE, Clamd
from servers.process import free_port
from servers.scan_file import message, scan, scan_all

pytestmark = pytest.mark.sanitized


@pytest.fixture(scope="module")
def clamd(workdir):
    server = Clamd(workdir / "clamd", stream_max="1M")
    yield server
    server.stop()


@pytest.mark.parametrize("which", [0, 1], ids=["unix", "inet"])
@pytest.mark.parametrize("piece", [0, 100, 5000], ids=["whole", "small pieces", "pieces"])
def test_clean_and_infected(clamd, which, piece):
    scanner = f"clamd {clamd.addresses[which]}"
    clean = scan(scanner, message("hello\n" * 3000), piece=piece)
    assert clean["result"] == "clean", clean
    infected = scan(scanner, message("hello\n" * 3000 + EICAR), piece=piece)
    assert infected["result"] == "virus" and infected["virus"].startswith(SIGNATURE), infected


def test_finds_it_in_an_attachment(clamd):
    finding = scan(f"clamd {clamd.addresses[0]}", message("see attachment", attachment=EICAR.encode()))
    assert finding["result"] == "virus", finding


@pytest.mark.parametrize("which", [0, 1], ids=["unix", "inet"])
@pytest.mark.parametrize("piece", [0, 50000], ids=["whole", "pieces"])
def test_what_clamd_does_not_take_is_oversize(clamd, which, piece):
    """It answers and closes while the message is still being sent."""
    finding = scan(f"clamd {clamd.addresses[which]}", message("hello world\n" * 400000), piece=piece)
    assert finding["result"] == "oversize", finding


def test_our_own_limit(clamd):
    text = message("hello world\n" * 1000)
    assert scan(f"clamd {clamd.addresses[0]}", text, size_max=1000)["result"] == "oversize"
    assert scan(f"clamd {clamd.addresses[0]}", text, size_max=1000000)["result"] == "clean"


def test_a_body_larger_than_memory(workdir):
    """Most of it lies in a file; what is found is at its end."""
    server = Clamd(workdir / "large", stream_max="100M", MaxScanSize="100M", MaxFileSize="100M")
    try:
        text = message("".join(f"{n:079d}\n" for n in range(250000)) + EICAR)
        for address in server.addresses:
            assert scan(f"clamd {address}", text)["result"] == "virus"
    finally:
        server.stop()


def test_many_at_once(clamd):
    """All are answered, none stalls; over both kinds of socket."""
    for address in clamd.addresses:
        findings = scan_all(f"clamd {address}", message("hello\n" * 500 + EICAR), scans=300, parallel=30)
        assert [finding["result"] for finding in findings] == ["virus"] * 300


def test_the_next_address_when_one_is_dead(clamd):
    dead = f"inet:127.0.0.1:{free_port()}, unix:/nonexistent/clamd"
    findings = scan_all(f"clamd {dead}, {clamd.addresses[1]}", message("hello"), scans=20)
    assert {finding["result"] for finding in findings} == {"clean"}


def test_all_dead_is_trouble():
    finding = scan(f"clamd unix:/nonexistent/clamd, inet:127.0.0.1:{free_port()}", message("hello"))
    assert finding["result"] == "trouble"
    assert "unix:/nonexistent/clamd: No such file or directory; inet:127.0.0.1:" in finding["error"], finding
    assert finding["error"].endswith("Connection refused")


def test_one_that_hangs_is_trouble_in_time_and_the_next_one_helps(workdir, clamd):
    hanging = Clamd(workdir / "hanging")
    try:
        hanging.pause()
        alone = scan(f"clamd {hanging.addresses[0]}", message("hello"), timeout=300)
        assert alone["result"] == "trouble" and "no answer within 300ms" in alone["error"], alone
        # Half of the time is for the next one, which may be busy.
        both = scan(f"clamd {hanging.addresses[0]}, {clamd.addresses[0]}", message("hello"), timeout=16000)
        assert both["result"] == "clean", both
        hanging.go_on()
        assert scan(f"clamd {hanging.addresses[0]}", message("hello"))["result"] == "clean"
    finally:
        hanging.stop()


def test_clamd_dies_under_load(workdir):
    """Every scan ends; those without a whole answer are trouble; when it is back all is well."""
    server = Clamd(workdir / "dying")
    try:
        child = scan_file.start(f"clamd {server.addresses[0]}, {server.addresses[1]}", message("hello\n" * 2000 + EICAR),
                                scans=3000, parallel=20)
        for _ in range(200):  # some have been answered
            assert b"virus" in child.stdout.readline()
        server.kill()
        results = {finding["result"] for finding in scan_file.finish(child)}
        assert results <= {"virus", "trouble"} and "trouble" in results
        server.start()
        assert scan(f"clamd {server.addresses[0]}", message("hello"))["result"] == "clean"
    finally:
        server.stop()


def test_a_name_is_looked_up(clamd, monkeypatch):
    port = clamd.addresses[1].rsplit(":", 1)[1]
    findings = scan_all(f"clamd inet:localhost:{port}", message("hello"), scans=50, parallel=5)
    assert {finding["result"] for finding in findings} == {"clean"}
    monkeypatch.setenv("RES_OPTIONS", "timeout:1 attempts:1")  # the host's resolver may be away
    unknown = scan(f"clamd inet:nobody.invalid:{port}", message("hello"))
    assert unknown["result"] == "trouble" and "the name is not known" in unknown["error"], unknown

