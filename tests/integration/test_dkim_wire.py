"""The corpus of hard messages through a real Postfix with signd as its milter: what arrives verifies with dkimpy, opendkim and signd,
or the message is refused with a clear reason.

What Postfix (3.7) does to a message, and when:
- before milters see it: lone LF end lines, and what else lies about of CR and LF in the text becomes a blank
  (cleanup_replace_stray_cr_lf; RFC 5321 2.3.8 has neither alone); a header field ends at a NUL; a blank before the colon goes; what is
  no field ends the header section. Milters see what goes out;
- after they have: lines of more than 998 bytes are cut by smtp(8) (smtp_line_length_limit, RFC 5321 4.5.3.1.6). signd signs them
  as they will be cut. A missing From is added by cleanup(8) for clients of this host; milters see that field."""
import pytest

from dkim_corpus import CORPUS, HEAVY, UNFIT
from servers.dkim_check import Dkimpy, Key, OpenDKIM, SignFile
from servers.postfix import Postfix
from servers.process import wait_for
from servers.signd import Signd, make_key, put_file
from test_dkim_corpus import expected

pytestmark = pytest.mark.usefixtures("needs_postfix")

REFUSED = {
    "two From": "550 5.6.0 A message must have one From: field",
    "an empty From": "550 5.6.0 A message must have one From: field",
    "too many fields": "550 5.6.0 Message cannot be signed, too many header fields",
}
# As the milter sees it, and as it arrives.
BECOMES = {
    "bare CR within lines": b"\r\n\r\none two\r\n three   \r\nx\r\n",
    "a line of bare CR alone": b"\r\n\r\none\r\n\r\ntwo\r\n",
    "bare CR before the line end": b"\r\n\r\none\r\ntwo\r\n",
    "bare CR in a field": b"\r\nSubject: one two   three\r\n",
    "bare LF in the body": b"\r\n\r\none\r\ntwo \r\n\r\n\r\nthree\r\n",
    "NUL in a field": b"\r\nSubject: a\r\n",
    "NUL in the body": b"\r\n\r\na\0b\r\n\0\r\nx\0\r\n",
    "a blank before the colon": b"\r\nSubject: hello\r\n",
    "a name that is not ASCII": "\r\n\r\nX-Ä: x\r\n\r\nhello\r\n".encode(),
    "a line that is no field": b"\r\n\r\nthis is no field\r\n\r\nhello\r\n",
    "long lines of the body": b"x" * 998 + b"\r\n x\r\n",
}
MESSAGES = {name: message for name, message in {**CORPUS, **UNFIT}.items() if name not in HEAVY}


@pytest.fixture(scope="module")
def keys():
    return [Key("example.com", "rsa", make_key()), Key("example.com", "ed", make_key("ed25519"))]


@pytest.fixture(scope="module")
def daemons(workdir, keys):
    """One for each canonicalization."""
    started = {}
    for mode in ("relaxed", "simple"):
        started[mode] = Signd(workdir / mode, f"header_canonicalization = {mode}\nbody_canonicalization = {mode}\n"
                                              "default_signing_domain = example.com\n")
        for key in keys:
            put_file(started[mode].keys / key.domain / f"{key.selector}.key", key.pem)
    for daemon in started.values():
        daemon.has_active(2)
    yield started
    for daemon in started.values():
        daemon.stop()


@pytest.fixture(scope="module")
def postfix(workdir, sink, daemons):
    server = Postfix(workdir / "postfix", sink, {mode: f"smtpd_milters = unix:{daemon.unix}\n" for mode, daemon in daemons.items()},
                     "milter_default_action = tempfail\nsmtputf8_enable = yes\nnotify_classes =\nmessage_size_limit = 0\n"
                     "remote_header_rewrite_domain =\n")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def verifiers(workdir, keys):
    signd, opendkim = SignFile(keys), OpenDKIM(workdir / "opendkim", keys)
    yield {"signd": signd, "opendkim": opendkim, "dkimpy": Dkimpy(keys)}
    opendkim.stop()
    signd.stop()


def submit(postfix, service, message):
    """The reply to the whole message, as text."""
    with postfix.session(service, login="a@example.com") as session:
        assert session.start("a@example.com", "b@example.org")[0] == 250
        assert session.docmd("DATA")[0] == 354
        session.send(message.replace(b"\r\n.", b"\r\n..") + (b"" if message.endswith(b"\r\n") else b"\r\n") + b".\r\n")
        code, text = session.reply(*session.getreply())
    return f"{code} {text}"


@pytest.mark.parametrize("name", MESSAGES)
@pytest.mark.parametrize("mode", ["relaxed", "simple"])
def test_what_arrives_verifies(postfix, sink, verifiers, keys, mode, name):
    reply = submit(postfix, mode, MESSAGES[name])
    if name in REFUSED:
        assert reply.startswith(REFUSED[name])
        return
    assert reply.startswith("250 ")
    wait_for(lambda: sink.messages, f"{name} is delivered")
    found = sink.messages.pop()
    assert BECOMES.get(name, b"") in found.raw
    assert max(len(line) for line in found.raw.split(b"\r\n")) <= 998
    for verifier, checker in verifiers.items():
        # Postfix has mended what dkimpy cannot read.
        want = {"rsa": "pass", "ed": "pass"} if verifier == "dkimpy" else expected(verifier, name, keys)
        assert checker.verify(found.raw, keys) == want, (verifier, found.raw[:3000])
