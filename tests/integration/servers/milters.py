"""Milters from Debian, each on a unix socket: opendkim, clamav-milter."""
import os
import pathlib
import subprocess

from .milter_client import MilterClient
from .process import ROOT, Process, Server, accepts


class Milter(Server):
    """A program that takes its configuration from a file. Runs until stop()."""

    def __init__(self, directory, argv, config):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.socket = self.directory / "milter.sock"
        self.argv, self.process = argv, None
        self.directory.joinpath("conf").write_text(config.replace("@", str(self.directory)))
        self.start()

    @property
    def address(self):
        return f"unix:{self.socket}"

    def start(self):
        self.process = Process([*self.argv, self.directory / "conf"], self.directory / "log")
        self.process.ready(self.is_ready, f"{self.argv[0]} answers", 30)

    def is_ready(self):
        return accepts(self.socket)

    def stop(self):
        super().stop()
        self.socket.unlink(missing_ok=True)


class OpenDKIM(Milter):
    """Signs what comes from `internal` (an address), verifies all else."""

    def __init__(self, directory, domain, selector, internal):
        directory = pathlib.Path(directory)
        directory.mkdir(parents=True)
        self.key = directory / "key.pem"
        subprocess.run(["openssl", "genrsa", "-out", self.key, "2048"], check=True, capture_output=True)
        self.key.chmod(0o600)
        super().__init__(directory, ["opendkim", "-f", "-x"],
                         f"Domain {domain}\nSelector {selector}\nKeyFile @/key.pem\nSocket local:@/milter.sock\nMode sv\n"
                         f"Canonicalization relaxed/simple\nInternalHosts {internal}\nBackground no\nSyslog no\n"
                         "AlwaysAddARHeader yes\nAuthservID mx.example.org\nRequireSafeKeys no\nPidFile @/pid\n")

    def public_key(self):
        """The record's p=."""
        text = subprocess.run(["openssl", "rsa", "-in", self.key, "-pubout"], check=True, capture_output=True, text=True).stdout
        return "".join(text.splitlines()[1:-1])


class OpenDKIMVerifier(Milter):
    """Verifies everything and says so as verifier.example. `records`: name of a key -> its record."""

    def __init__(self, directory, records):
        directory = pathlib.Path(directory)
        directory.mkdir(parents=True)
        (directory / "records").write_text("".join(f"{name} {record}\n" for name, record in records.items()))
        super().__init__(directory, ["opendkim", "-f", "-x"],
                         "Socket local:@/milter.sock\nMode v\nInternalHosts 192.0.2.255\nBackground no\nSyslog no\nAlwaysAddARHeader yes\n"
                         "AuthservID verifier.example\nPidFile @/pid\nTestPublicKeys @/records\nOn-BadSignature accept\nOn-NoSignature accept\n")


class ClamavMilter(Milter):
    """Refuses what `clamd_socket` finds, and marks all else."""

    def __init__(self, directory, clamd_socket):
        super().__init__(directory, ["clamav-milter", "--config-file"],
                         f"MilterSocket unix:@/milter.sock\nForeground yes\nClamdSocket unix:{clamd_socket}\n"
                         "OnInfected Reject\nOnFail Defer\nAddHeader Replace\nRejectMsg Malware found: %v\n"
                         "TemporaryDirectory @\nPidFile @/pid\n")

    def is_ready(self):
        """Not as soon as it listens: it asks clamd in a thread of its own, and defers all mail until it has an answer."""
        if not accepts(self.socket):
            return False
        with MilterClient(self.socket) as client:
            client.start()
            client.mail()
            client.rcpt()
            reply = client.header("Subject", "ready?")
            return reply is None or reply.command == "c"


class ChildMilter(Milter):
    """tests/programs/child_milter.c: does what the message tells it."""

    def __init__(self, directory, *options):
        directory = pathlib.Path(directory)
        build = pathlib.Path(os.environ.get("GATEHOUSE_BUILD", ROOT / "build"))
        self.options = options
        super().__init__(directory, [build / "tests/child_milter", f"unix:{directory / 'milter.sock'}", *options], "")

    def sessions(self):
        """How many have begun, and how many of them have ended."""
        return tuple(self.process.output.count(f"child_milter: {event}") for event in ("begun", "ended"))
