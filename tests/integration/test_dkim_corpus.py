"""What signd signs verifies with dkimpy, with opendkim and with itself; what was altered does not, with any of them. Examples of
the RFCs, a corpus of hard messages (dkim_corpus.py), random messages (GATEHOUSE_DKIM_MESSAGES: how many, 300).

Where verifiers disagree, and who is right:
- A malformed DKIM-Signature in the message: opendkim gives up on all its signatures, though RFC 6376 6.1.1 has a verifier ignore
  it and 6.1 go on with the others. dkimpy and signd (which keeps such fields from libopendkim) do.
- A bare CR in the body. RFC 6376 3.4.3 and 3.4.4 know CRLF and WSP (2.8: blank and tab) alone, so it is a byte like any other.
  libopendkim takes it for white space under `relaxed`: signd signs such bodies `simple`, where all agree, but about a line that is a
  CR alone, which libopendkim drops. RFC 5322 2.3 forbids it, 6376 5.3 has the signer make the message proper before: it is
  refused. (Postfix with cleanup_replace_stray_cr_lf, its default, makes a blank of each, RFC 5321 2.3.8: test_dkim_wire.py.)
- Bare CR, form feed, vertical tab in a signed field: libopendkim (isspace()) and dkimpy (strip(), and at the ends alone) take some
  for white space under `relaxed`, the RFC none. signd signs such fields `simple`.
- A blank before the colon: obsolete (RFC 5322 4.5), not read by dkimpy at all.
- NUL in a field: libopendkim's texts end there. No milter ever sees one: values end at a NUL in the protocol.
"""
import os
import random
import re

import pytest

from dkim_corpus import CORPUS, HEAVY
from servers.dkim_check import Dkimpy, Key, OpenDKIM, Refused, SignFile, split
from servers.signd import make_key

MESSAGES = int(os.environ.get("GATEHOUSE_DKIM_MESSAGES", "300"))
MODES = ("relaxed", "simple")
# What is not signed, and why.
REFUSED = {
    "no From": "no From field",  # RFC 6376 5.4: it must be signed
    "a line of bare CR alone": "a bare CR alone",
    "a body of a bare CR alone": "a bare CR alone",
    **{name: "From has a blank before its colon, or another field more than one"
       for name in ("a tab before the colon", "two blanks before the colon", "a blank before the colon of From")},
    "too many fields": "too many header fields",
}
# Messages about which a verifier says nothing at all.
SILENT = {
    "opendkim": re.compile("malformed signature (0|1|2|3|4|5|8|9|11)$|signatures of others that are none"),
    "dkimpy": re.compile("a blank before the colon|blanks (before all|around) colons"),
    "signd": re.compile("(?!)"),
}


@pytest.fixture(scope="module")
def keys():
    return [Key("example.com", "rsa", make_key()), Key("example.com", "ed", make_key("ed25519"))]


EXAMPLE_KEYS = {
    "brisbane._domainkey.example.com": "v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fW"
    "n7/zYtIxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMm"
    "PSPDdQPNUYckcQ2QIDAQAB",
    "brisbane._domainkey.football.example.com": "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
    "test._domainkey.football.example.com": "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3id"
    "Y6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzB"
    "fO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB",
}


class Published:
    """A key of which only the record is known."""

    def __init__(self, name):
        self.name, self.record = name, EXAMPLE_KEYS[name]
        self.selector, _, self.domain = name.partition("._domainkey.")


@pytest.fixture(scope="module")
def verifiers(workdir, keys):
    known = [*keys, *(Published(name) for name in EXAMPLE_KEYS)]
    signd, opendkim = SignFile(known), OpenDKIM(workdir / "opendkim", known)
    yield {"signd": signd, "opendkim": opendkim, "dkimpy": Dkimpy(known)}
    opendkim.stop()
    signd.stop()


def said(verifiers, message, keys):
    return {name: verifier.verify(message, keys) for name, verifier in verifiers.items()}


# ---- the examples of the RFCs ----

FIELDS = """\
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.  Are you hungry yet?

Joe.
"""
RFC_6376 = """\
DKIM-Signature: v=1; a=rsa-sha256; s=brisbane; d=example.com;
      c=simple/simple; q=dns/txt; i=joe@football.example.com;
      h=Received : From : To : Subject : Date : Message-ID;
      bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
      b=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB
      4nujc7YopdG5dWLSdNg6xNAZpOPr+kHxt1IrE+NahM6L/LbvaHut
      KVdkLLkpVaVVQPzeRDI009SO2Il5Lu7rDNH6mZckBdrIx0orEtZV
      4bmp/YzhwvcubU4=;
Received: from client1.football.example.com  [192.0.2.1]
      by submitserver.example.com with SUBMISSION;
      Fri, 11 Jul 2003 21:01:54 -0700 (PDT)
""" + FIELDS.replace("game.  ", "game. ")
RFC_8463 = """\
DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :
 date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=
""" + FIELDS


@pytest.mark.parametrize("text, names", [
    (RFC_6376, ["brisbane._domainkey.example.com"]),
    (RFC_8463, ["brisbane._domainkey.football.example.com", "test._domainkey.football.example.com"]),
], ids=["RFC 6376 appendix A", "RFC 8463 appendix A"])
def test_examples_of_the_rfcs(verifiers, text, names):
    message = text.replace("\n", "\r\n").encode()
    signers = [Published(name) for name in names]
    for name, result in said(verifiers, message, signers).items():
        assert result == {key.selector: "pass" for key in signers}, name
    for name, result in said(verifiers, message.replace(b"hungry", b"angry"), signers).items():
        assert "pass" not in result.values(), name


# ---- the corpus ----

def expected(verifier, name, signers):
    return {} if SILENT[verifier].match(name) else {key.selector: "pass" for key in signers}


@pytest.mark.parametrize("name", [name for name in CORPUS if name not in REFUSED])
def test_what_is_signed_verifies(verifiers, keys, name):
    for header, body in [(header, body) for header in MODES for body in MODES] if name not in HEAVY else [("relaxed", "relaxed")]:
        for signers in (keys[:1], keys[1:], keys) if name not in HEAVY else [keys]:
            message = verifiers["signd"].sign(CORPUS[name], signers, header, body)
            for verifier, result in said(verifiers, message, signers).items():
                assert result == expected(verifier, name, signers), (verifier, header, body)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_signed_is_refused(verifiers, keys, name):
    for header in MODES:
        for body in MODES:
            with pytest.raises(Refused, match=REFUSED[name]):
                verifiers["signd"].sign(CORPUS[name], keys, header, body)


# ---- altered messages ----

def joined(fields, body):
    return b"".join(name + b":" + value + b"\r\n" for name, value in fields) + b"\r\n" + body


def of_name(fields, name):
    return [n for n, field in enumerate(fields) if field[0].strip().lower() == name]


def with_other_body(fields, body):
    at = next((at for at, byte in enumerate(body) if byte not in b" \t\r\n"), None)
    return joined(fields, body + b"x\r\n" if at is None else body[:at] + bytes([body[at] ^ 1 or 2]) + body[at + 1:])


def with_more_body(fields, body):
    return joined(fields, body.removesuffix(b"\r\n") + b"\r\nP.S.\r\n")


def with_other_date(fields, body):
    (at,) = of_name(fields, b"date")
    return joined([*fields[:at], (b"Date", fields[at][1] + b"x"), *fields[at + 1:]], body)


def without_date(fields, body):
    (at,) = of_name(fields, b"date")
    return joined(fields[:at] + fields[at + 1:], body)


def with_one_more(name, value, on_top):
    """Both ends: verifiers take fields from the bottom up (RFC 6376 5.4.2), mail programs show the first or the last."""
    def alter(fields, body):
        return joined([(name, value), *fields] if on_top else [*fields, (name, value)], body)
    return alter


def with_duplicates_in_another_order(fields, body):
    at = of_name(fields, b"subject")
    if len(at) < 2 or fields[at[0]] == fields[at[-1]]:
        return None
    fields = list(fields)
    fields[at[0]], fields[at[-1]] = fields[at[-1]], fields[at[0]]
    return joined(fields, body)


ALTERED = {
    "another byte in the body": with_other_body,
    "a line more in the body": with_more_body,
    "another date": with_other_date,
    "no date": without_date,
    **{f"one more {name.decode()} {'on top' if on_top else 'at the end'}": with_one_more(name, value, on_top)
       for name, value in ((b"From", b" <other@example.net>"), (b"To", b" c@example.net"), (b"Subject", b" other"),
                           (b"subject", b""), (b"Reply-To", b" x@example.net"), (b"Content-Type", b" text/html"))
       for on_top in (True, False)},
    "duplicates in another order": with_duplicates_in_another_order,
}


@pytest.mark.parametrize("name", [name for name in CORPUS if name not in REFUSED and name not in HEAVY])
def test_what_was_altered_fails(verifiers, keys, name):
    for mode in MODES if len(CORPUS[name]) < 50000 else MODES[:1]:
        fields, body = split(verifiers["signd"].sign(CORPUS[name], keys, mode, mode))
        assert joined(fields, body) == verifiers["signd"].sign(CORPUS[name], keys, mode, mode)
        for what, alter in ALTERED.items():
            message = alter(fields, body)
            for verifier, result in said(verifiers, message, keys).items() if message else ():
                assert "pass" not in result.values(), (verifier, what, mode)
                assert set(result) == set(expected(verifier, name, keys)), (verifier, what, mode)


@pytest.mark.parametrize("name", [b"From", b"To", b"Subject", b"Reply-To"])
def test_white_space_before_a_colon_hides_no_field(verifiers, keys, name):
    """Some verifiers have nothing to say of such a message; nobody takes the field for another one."""
    for mode in MODES:
        fields, body = split(verifiers["signd"].sign(CORPUS["plain"], keys, mode, mode))
        for blanks in (b" ", b"\t", b"  ", b" \t "):
            for altered in ([(name + blanks, b" <other@example.net>"), *fields], [*fields, (name + blanks, b" <other@example.net>")]):
                for verifier, result in said(verifiers, joined(altered, body), keys).items():
                    # For dkimpy what begins with "From " is the first line of a message in an mbox file, and no field.
                    if verifier != "dkimpy" or not (name + blanks).startswith(b"From "):
                        assert "pass" not in result.values(), (verifier, mode, altered[0], altered[-1])


def test_duplicates_are_tried_in_another_order():
    assert with_duplicates_in_another_order(*split(CORPUS["fields twice"]))


# ---- random messages ----

VALUE = [b"word", b" ", b"\t", b"  ", b"\r\n ", b"\r\n\t", b"a:b", b"=?utf-8?q?x?=", b"<a@b>", b";", b"=", b"\xc3\xa4", b"\xff", b"(c)",
         b'"q"', b",", b".", b"\x0c", b"\x0b", b"\r", b"\x01", b"b=x;", b"\xa0"]
BODY = [b"line", b" ", b"\t", b"\r\n", b"\r\n\r\n", b" \r\n", b"\t \r\n", b"two  words", b"\xe4", b"=20", b"--b", b".", b"\r\n.\r\n", b"\n", b"\r",
        b"\r\r\n", b"\0", b"\x0c", b"\x0b\r\n", b"x" * 120, b"From ", b"\x80\xff"]
NAMES = [b"To", b"Cc", b"Subject", b"Reply-To", b"Date", b"Message-ID", b"Received", b"X-Odd", b"Sender", b"List-Id", b"SUBJECT", b"to"]


def some(dice, pieces, most):
    return b"".join(dice.choice(pieces) for _ in range(dice.randrange(most + 1)))


def random_field(dice, name):
    # What ends in a fold alone is no field of RFC 5322; a line of blanks alone would be another story.
    return name + dice.choice([b":", b": ", b": ", b":\t"]) + some(dice, VALUE, 12) + b"x\r\n"


def random_from(dice):
    # With a mailbox: what has none is no mail for anybody (RFC 5322 3.6.2), nor does signd sign it.
    return random_field(dice, dice.choice([b"From", b"from", b"FROM"])).removesuffix(b"x\r\n") + b" <a@example.com>\r\n"


def random_message(dice):
    fields = [random_field(dice, dice.choice(NAMES)) for _ in range(dice.randrange(12))]
    fields.insert(dice.randrange(len(fields) + 1), random_from(dice))
    return b"".join(fields) + b"\r\n" + some(dice, BODY, 30)


@pytest.mark.parametrize("part", range(3))
def test_random_messages_verify(verifiers, keys, part):
    signed = 0
    for number in range(part, MESSAGES, 3):
        dice = random.Random(number)
        message, signers = random_message(dice), dice.choice([keys[:1], keys[1:], keys])
        header, body = dice.choice(MODES), dice.choice(MODES)
        try:
            sent = verifiers["signd"].sign(message, signers, header, body)
        except Refused as why:
            assert "a bare CR alone" in str(why) and re.search(rb"(\r\n\r\n|\n)[ \t]*\r+(\r\n|$)", message), (number, message)
            continue
        signed += 1
        for name in ("signd", "dkimpy"):
            result = verifiers[name].verify(sent, signers)
            assert result == {key.selector: "pass" for key in signers}, (name, number, header, body, sent)
    assert signed > MESSAGES // 6


def cut(message, limit):
    """What Postfix's smtp(8) makes of long lines (smtp_line_length_limit)."""
    lines = []
    for line in message.split(b"\r\n"):
        while len(line) > limit:
            lines.append(line[:limit])
            line = b" " + line[limit:]
        lines.append(line)
    return b"\r\n".join(lines)


def test_long_lines_are_signed_as_they_are_sent(verifiers, keys):
    for number in range(MESSAGES // 3):
        dice = random.Random(number)
        limit = dice.randrange(90, 200)
        message = b"From: <a@example.com>\r\n"
        message += b"".join(random_field(dice, name) + b" " + some(dice, [b"word ", b"long" * 20, b"\t"], 10) + b"x\r\n"
                            for name in (b"Subject", b"To", b"Cc")) + b"\r\n"
        message += b"".join(some(dice, [b"x" * 40, b" ", b"y z", b"\t\t"], 20) + b"\r\n" for _ in range(5))
        message = message.replace(b"\r\n", b"\n").replace(b"\r", b"").replace(b"\n", b"\r\n")
        sent = cut(verifiers["signd"].sign(message, keys, dice.choice(MODES), dice.choice(MODES), line_max=limit), limit)
        for name in ("signd", "dkimpy"):
            assert verifiers[name].verify(sent, keys) == {"rsa": "pass", "ed": "pass"}, (name, number, limit, sent)
