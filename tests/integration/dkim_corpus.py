"""Messages that are hard to sign, as they come over SMTP."""

HEAD = (b"From: A <a@example.com>\r\nTo: b@example.org\r\nSubject: hello\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\n"
        b"Message-ID: <1@example.com>\r\n")


def with_body(body):
    return HEAD + b"\r\n" + body


def with_fields(fields, body=b"hello\r\n"):
    return HEAD + fields + b"\r\n" + body


def instead(old, new):
    return with_body(b"hello\r\n").replace(old, new, 1)


ONE_BAD_SIGNATURE = [
    b"", b" ", b" hello", b" ;", b" v=1", b" v=1; v=1; a=rsa-sha256", b" v=1; a=rsa-sha256; d=example.com; s=rsa; h=from; bh=; b=",
    b" v=1; a=rsa-sha256; c=odd/odd; d=example.com; s=rsa; h=from; bh=AAAA; b=AAAA", b" v=1; b=\xff\xfe", b" =;=;=",
    b" v=1; a=rsa-sha256; d=" + b"x" * 3000 + b"; s=rsa; h=from; bh=AAAA; b=AAAA", b" v=1; h=" + b"a:" * 20000,
    b" v=1; a=rsa-sha256; d=example.com; s=rsa; h=from; bh=%%%%; b=????",
]
OTHERS_SIGNATURE = (b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/simple; d=other%d.example; s=s%d;\r\n\th=From:To:Subject; "
                    b"bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n\tb=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8Gwps"
                    b"Re0IeIixNTe3DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2JzdA+L10TeYt9BgDfQNZtKdN1WO//Kg"
                    b"IqXP7OdEFE4LjFYNcUxZQ4FADY+8=\r\n")

CORPUS = {
    "plain": with_body(b"hello\r\n\r\nworld\r\n"),
    "8-bit body": with_body(bytes(range(128, 256)) + b"\r\n"),
    "8-bit fields": instead(b"hello\r\nDate", b"\xff\xfe h\xe4ll\xf6 \xa0\x85\r\nDate"),
    "UTF-8 addresses": instead(b"A <a@example.com>", "Jö <jö@bücher.example>".encode()),
    "no body": with_body(b""),
    "no blank line": HEAD,
    "one blank line": with_body(b"\r\n"),
    "only blank lines": with_body(b"\r\n" * 50),
    "lines of blanks alone": with_body(b" \r\n\t \r\n  \r\n"),
    "blank lines first": with_body(b"\r\n\r\nhello\r\n"),
    "blank lines last": with_body(b"hello\r\n\r\n\r\n"),
    "blanks at the ends of lines": with_body(b"one \t\r\n two\t\t\r\n \tthree  x\r\n \r\n\r\n"),
    "no line end": with_body(b"hello"),
    "no line end after a blank": with_body(b"hello\r\n \t"),
    "dots": with_body(b".\r\n..\r\n.x\r\n"),
    "mbox From": with_body(b"From a@example.com\r\n>From b\r\n"),
    "multipart": with_fields(b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n\tboundary=\"b\"\r\n",
                             b"x\r\n--b\r\n\r\ntext \r\n--b\r\nContent-Type: a/b\r\n\r\n\r\n--b--\r\n\r\n"),
    "folded": instead(b"hello", b"one\r\n two\r\n\tthree\r\n \t four"),
    "folded at once": instead(b" hello", b"\r\n hello"),
    "folds of blanks alone": instead(b"hello", b"one\r\n \r\n\t\r\n two"),
    "a fold of blanks last": instead(b"hello", b"one\r\n "),
    "blanks at the end of a field": instead(b"hello", b"hello \t "),
    "runs of blanks in a field": instead(b"hello", b" \t one  two \t three"),
    "a field that has nothing": instead(b" hello", b""),
    "a field that has a blank": instead(b" hello", b" "),
    "a field that has blanks and a fold": instead(b" hello", b" \t\r\n \r\n\t"),
    "an empty To": instead(b" b@example.org", b""),
    "no blank after the colon": with_body(b"x\r\n").replace(b": ", b":"),
    "many blanks after the colon": with_body(b"x\r\n").replace(b": ", b": \t   "),
    "a tab after the colon": with_body(b"x\r\n").replace(b": ", b":\t"),
    "a blank before the colon": instead(b"Subject:", b"Subject :"),
    "a blank before the colon of From": instead(b"From:", b"From :"),
    "blanks before all colons": with_body(b"x\r\n").replace(b": ", b" : ").replace(b"From :", b"From:"),
    "two blanks before the colon": instead(b"Subject:", b"Subject  :"),
    "a tab before the colon": instead(b"Subject:", b"Subject\t:"),
    "blanks around colons and folds": with_body(b"x\r\n").replace(b": ", b" :\r\n  ").replace(b"From :", b"From:"),
    "upper case": with_body(b"x\r\n").replace(b"From", b"FROM").replace(b"Subject", b"sUBJECT"),
    "fields twice": with_fields(b"Subject: other\r\nTo: c@example.org\r\nSubject: third\r\nReceived: x\r\nReceived: y\r\n"),
    "odd names": with_fields(b"X-!#$%&'*+^_`|~: odd\r\n" + b"X" * 500 + b": long\r\n"),
    "semicolons and colons": instead(b"hello", b"a; b=c; h=from:to: x=1;"),
    "b= in a field": instead(b"hello", b"b=abc; bh=def"),
    "long lines of the body": with_body(b"".join(b"x" * n + b"\r\n" for n in (997, 998, 999, 1000, 1001, 2048, 5000, 70000))),
    "a long field": instead(b"hello", b"x" * 990),
    "a very long field": instead(b"hello", b"word " * 8000),
    "a long folded field": instead(b"b@example.org", b",\r\n ".join(b"r%d@example.org" % n for n in range(3000))),
    "many fields": with_fields(b"".join(b"X-%d: %d\r\n" % (n, n) for n in range(1000))),
    "25 MiB": with_body(b"".join(b"%076d\r\n" % n for n in range((25 << 20) // 78))),
    "a MiB in one line": with_body(b"x " * (1 << 19) + b"\r\n"),
    "many blank lines": with_body(b"\r\n" * (1 << 16)),
    "many blanks": with_body(b"x" + b" " * 10000 + b"\r\n" + b" " * 10000 + b"y\r\n"),
    "control characters in the body": with_body(bytes(n for n in range(1, 32) if n not in (10, 13)) + b"\x7f\r\n"),
    "form feeds at ends of lines": with_body(b"one\x0c\r\n\x0c\r\ntwo \x0b \r\nx \x0c\r\n"),
    "NUL in the body": with_body(b"a\0b\r\n\0\r\nx\0"),
    "300 signatures": b"".join(OTHERS_SIGNATURE % (n, n) for n in range(300)) + with_body(b"hello\r\n"),
    "its own signature, broken": OTHERS_SIGNATURE.replace(b"other%d.example; s=s%d", b"example.com; s=rsa") + with_body(b"hello\r\n"),
    "signatures of others that are none": b"".join(b"DKIM-Signature:" + value + b"\r\n" for value in ONE_BAD_SIGNATURE)
                                         + with_body(b"hello\r\n"),
    **{f"malformed signature {n}": b"DKIM-Signature:" + value + b"\r\n" + with_body(b"hello\r\n") for n, value in enumerate(ONE_BAD_SIGNATURE)},
    "two From": with_body(b"x\r\n").replace(b"To:", b"From: other@example.net\r\nTo:"),
    "no From": with_body(b"x\r\n").replace(b"From", b"X-From"),
    "bare CR at the end": with_body(b"one\r"),
    "bare CR before the line end": with_body(b"one\r\r\ntwo\r\r\r\n"),
    "bare CR in a field": instead(b"hello", b"one\rtwo \r three"),
    "bare LF in the body": with_body(b"one\ntwo \n\n\r\nthree\n"),
    "bare LF everywhere": with_body(b"one\r\ntwo\r\n").replace(b"\r\n", b"\n"),
    "form feed in a field": instead(b"hello", b"one\x0ctwo \x0b three\x0c"),
    "control characters in a field": instead(b"hello", b"a\x01\x08\x1b\x1f\x7fb"),
    "bare CR within lines": with_body(b"one\rtwo\r\n three \r \r\nx\r"),
    "a line of bare CR alone": with_body(b"one\r\n\r\r\ntwo\r\n"),
    "a body of a bare CR alone": with_body(b"\r"),
    "too many fields": with_fields(b"".join(b"Resent-To: %d@example.org\r\n" % n for n in range(600))),
}

# Takes long, with some verifiers at least.
HEAVY = {"25 MiB"}

# What the MTA makes something else of, or signd refuses before it comes to signing.
UNFIT = {
    "an empty From": instead(b" A <a@example.com>", b""),
    "NUL in a field": instead(b"hello", b"a\0b"),
    "a name that is not ASCII": with_fields("X-Ä: x\r\n".encode()),
    "a line that is no field": with_fields(b"this is no field\r\n"),
}
