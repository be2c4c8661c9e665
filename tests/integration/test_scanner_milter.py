"""The scanner of kind milter: opendkim and clamav-milter have the session replayed to them."""
import dkim
import pytest

from servers.clamd import EICAR, SIGNATURE, Clamd
from servers.milters import ChildMilter, ClamavMilter, OpenDKIM
from servers.process import wait_for
from servers.scan_file import message, scan, scan_all

pytestmark = pytest.mark.sanitized

ADD, INSERT, CHANGE, ADD_RECIPIENT, REMOVE_RECIPIENT, SENDER, BODY = range(7)


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


@pytest.fixture(scope="module", params=[(), ("leadspc", "macros"), ("silent", "leadspc"), ("nobody",), ("skip", "macros")],
                ids=" ".join)
def child(request, workdir):
    """A milter made with libmilter, with these wishes."""
    server = ChildMilter(workdir / ("child-" + "-".join(request.param)), *request.param)
    yield server
    server.stop()


def seen(finding):
    (text,) = [edit["text"] for edit in finding["edits"] if edit["name"] == "X-Seen"]
    return text


def test_is_told_what_it_wants(child):
    text = "X-Value: a\n b\n" + message("hello\n" * 30000)
    finding = scan(f"milter {child.address}", text, piece=100000, login="alice", client="192.0.2.7", sender="a@example.net",
                   recipient=["b@example.org", "c@example.org"])
    assert finding["result"] == "clean", finding
    body = text.partition("\n\n")[2].replace("\n", "\r\n").encode()
    told = 0 if "nobody" in child.options else 65535 if "skip" in child.options else len(body)
    start = f"recipients=2 fields=8 body={told} sum={sum(body[:told]) % 256} value=[{' a' if 'leadspc' in child.options else 'a'}"
    assert seen(finding).startswith(start + "\n b] "), finding
    usual = "j=mx.example.org {client_addr}=192.0.2.7 {daemon_name}=- i=4Xk2Lq0abcz1 {auth_authen}=alice {mail_addr}="
    assert seen(finding).endswith(usual + ("-" if "macros" in child.options else "a@example.net")), finding


def test_what_it_changes(child):
    words = ["add", "insert", "change", "remove", "addrcpt", "progress", "addrcpt_par", "delrcpt", "sender", "quarantine", "body"]
    finding = scan(f"milter {child.address}", "".join(f"X-Do: {word}\n" for word in words) + message("hello"))
    assert (finding["result"], finding["quarantine"], finding["reply"]) == ("clean", True, "text"), finding
    edits = [(edit["kind"], edit.get("name"), edit.get("text"), edit["index"]) for edit in finding["edits"]]
    assert edits[1:] == [
        (ADD, "X-Field", "new\n\tvalue", 0), (INSERT, "X-Field", "new\n\tvalue", 2), (CHANGE, "X-Field", "new\n\tvalue", 1),
        (CHANGE, "X-Field", None, 2), (ADD_RECIPIENT, None, "added@example.org", 0),
        (ADD_RECIPIENT, None, "added@example.org", 0), (REMOVE_RECIPIENT, None, "gone@example.org", 0),
        (SENDER, None, "s@example.org", 0), (BODY, None, "n" * 180000, 0)], edits


@pytest.mark.parametrize("word, result", [("reject", "reject"), ("tempfail", "tempfail"), ("discard", "discard"), ("accept", "clean")])
def test_what_it_says(child, word, result):
    assert scan(f"milter {child.address}", f"X-Do: {word}\n" + message("hello"))["result"] == result


def test_recipients_refused(child):
    everybody = [f"{name}@example.org" for name in ("good", "reject", "later", "lines", "better")]
    finding = scan(f"milter {child.address}", message("hello"), recipient=everybody)
    assert finding["result"] == "clean", finding
    assert finding["recipients"] == [
        {"index": 1, "result": "reject"},
        {"index": 2, "result": "tempfail", "code": 451, "enhanced": "4.2.1", "reply": "100% full"},
        {"index": 3, "result": "reject", "code": 550, "enhanced": "5.1.1", "reply": "one two"}]
    assert seen(finding).startswith("recipients=5 ")
    finding = scan(f"milter {child.address}", message("hello"), recipient=everybody[1:4])
    assert (finding["result"], finding["code"], len(finding["recipients"])) == ("tempfail", 451, 3), finding


def test_it_is_told_goodbye(child):
    begun, _ = child.sessions()
    assert scan(f"milter {child.address}", message("hello"))["result"] == "clean"
    wait_for(lambda: child.sessions() == (begun + 1, begun + 1), "the session has ended, as all before it")
