"""Three verifiers of DKIM signatures: dkimpy, opendkim (as a milter), and signd's own code (tests/programs/sign_file.c, which
also signs)."""
import base64
import json
import os
import pathlib
import re
import subprocess
import time

import dkim

from .milter_client import MilterClient
from .milters import Milter
from .process import ROOT
from .signd import record_of

PROGRAM = pathlib.Path(os.environ.get("GATEHOUSE_BUILD", ROOT / "build")) / "tests/sign_file"
SIGND = pathlib.Path(os.environ.get("GATEHOUSE_BUILD", ROOT / "build")) / "bin/gatehouse-signd"
NOW = int(time.time())  # of signing and of our verdicts


class Refused(Exception):
    """signd does not sign it; the text says why."""


def default_list(parameter):
    """A parameter of signd that is a list, as it is without configuration."""
    text = subprocess.run([SIGND, "-d"], check=True, capture_output=True, text=True).stdout
    return re.search(rf"^#? ?{parameter} = (.*(?:\n[ \t]+\S.*)*)$", text, re.M)[1].replace("\n", " ").replace(",", " ").split()


class Key:
    """`kind`: rsa or ed25519."""

    def __init__(self, domain, selector, pem):
        self.domain, self.selector, self.pem = domain, selector, pem
        self.name = f"{selector}._domainkey.{domain}"
        self.record = record_of(pem)


class SignFile:
    """signd's own signing and verifying, in a process that lives until stop()."""

    def __init__(self, keys):
        self.records = {key.name: key.record for key in keys}
        self.names, self.oversigned = default_list("sign_headers"), default_list("oversign_headers")
        self.child = subprocess.Popen([PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def stop(self):
        self.child.stdin.close()
        assert self.child.wait(30) == 0
        self.child.stdout.close()

    def ask(self, **request):
        self.child.stdin.write(json.dumps(request).encode() + b"\n")
        self.child.stdin.flush()
        return json.loads(self.child.stdout.readline())

    def sign(self, message, keys, header="relaxed", body="relaxed", **more):
        """The message as it leaves."""
        answer = self.ask(do="sign", message=base64.b64encode(message).decode(), header=header, body=body, now=NOW,
                          names=self.names, oversigned=self.oversigned, **more,
                          keys=[{"domain": key.domain, "selector": key.selector, "pem": key.pem.decode()} for key in keys])
        if "refused" in answer:
            raise Refused(answer["refused"])
        return base64.b64decode(answer["message"])

    def claims(self, message, records=None, most=20, now=NOW):
        """What signd says of each signature, from the top, as dicts; and how many more there are."""
        answer = self.ask(do="verify", message=base64.b64encode(message).decode(), max=most, now=now,
                          records=self.records if records is None else records)
        return answer["claims"], answer["over"]

    def verify(self, message, keys):
        """{selector: result} of signatures made with `keys`."""
        claims, _ = self.claims(message)
        return {claim["selector"]: claim["result"] for claim in reversed(claims)
                if any(claim["selector"] == key.selector and claim["domain"] == key.domain for key in keys)}


def split(message):
    """[(name, value)], body: as an MTA takes a message apart; values keep what stands after the colon."""
    head, _, body = message.partition(b"\r\n\r\n")
    fields = re.split(rb"\r\n(?![ \t])", head.removesuffix(b"\r\n"))
    return [tuple(field.split(b":", 1)) for field in fields], body


# For libunbound: one name server for everything, and nothing is remembered.
UNBOUND_CONF = """\
server:
  do-not-query-localhost: no
  module-config: "iterator"
  cache-max-ttl: 0
  cache-max-negative-ttl: 0
forward-zone:
  name: "."
  forward-addr: {resolver}
"""


class OpenDKIM(Milter):
    """The daemon, verifying, with the records of `keys` in a file, or as `resolver` (ADDRESS@PORT) tells them."""

    def __init__(self, directory, keys=(), resolver=None):
        directory = pathlib.Path(directory)
        directory.mkdir(parents=True)
        directory.joinpath("keys").write_text("".join(f"{key.name} {key.record}\n" for key in keys))
        directory.joinpath("unbound.conf").write_text(UNBOUND_CONF.format(resolver=resolver))
        records = "TestPublicKeys @/keys\n" if resolver is None else "ResolverConfiguration @/unbound.conf\n"
        super().__init__(directory, ["opendkim", "-f", "-x"],
                         f"Mode v\nSocket local:@/milter.sock\n{records}Background no\nSyslog no\nPidFile @/pid\n"
                         "AlwaysAddARHeader yes\nAuthservID checker\nMaximumHeaders 0\nMaximumSignaturesToVerify 400\n")

    def field(self, client, name, value):
        if client.steps & (1 << 20) == 0:  # without HDR_LEADSPC the MTA keeps one blank to itself
            value = value.removeprefix(b" ")
        return client.step("L", name + b"\0" + value.replace(b"\r\n", b"\n") + b"\0")

    def results(self, message):
        """The Authentication-Results field that it would add; None: it gives the message another fate."""
        fields, body = split(message)
        with MilterClient(self.socket) as client:
            client.start()
            client.mail()
            client.rcpt()
            client.step("T")
            for reply in (*(self.field(client, name, value) for name, value in fields), client.headers_end(i="4Xk2Lq")):
                if reply is not None and reply.command != "c":
                    return None
            reply = client.body(body)
            if reply is not None and reply.command not in "cs":
                return None
            *changes, last = client.end(i="4Xk2Lq")
        if last.command not in "ca":
            return None
        added = [change.data for change in changes if b"Authentication-Results" in change.data]
        return added[0].decode("latin-1") if added else ""

    def verify(self, message, keys):
        """{selector: result}."""
        said = self.results(message) or ""
        return {key.selector: found[1] for key in keys
                if (found := re.search(rf"dkim=(\w+)[^;]*header\.d={re.escape(key.domain)}\s[^;]*header\.s={key.selector}\b", said))}


class Dkimpy:
    def __init__(self, keys):
        self.records = {key.name: key.record.encode() for key in keys}

    def lookup(self, name, timeout=5):
        return self.records.get(name.decode().rstrip("."))

    def verify(self, message, keys):
        """{selector: "pass", "fail" or "error: why"}; nothing when it cannot read the message."""
        results = {}
        try:
            count = sum(name.lower() == b"dkim-signature" for name, _ in dkim.rfc822_parse(message)[0])
        except dkim.MessageFormatError:
            return results
        for index in range(count):
            checker = dkim.DKIM(message)
            try:
                good = checker.verify(idx=index, dnsfunc=self.lookup)
                result = "pass" if good else "fail"
            except Exception as error:  # noqa: BLE001 - it raises what it likes
                result = f"error: {type(error).__name__} {error}"
            for key in keys:
                if checker.selector == key.selector.encode() and checker.domain == key.domain.encode():
                    results.setdefault(key.selector, result)  # the topmost one is ours
        return results
