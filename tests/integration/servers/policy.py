"""The policy protocol as Postfix speaks it (SMTPD_POLICY_README), and as others might."""
import itertools
import os

from .process import connected

# An answer may take the whole `budget` (PATIENT in policyd.py), on a machine that is busy.
PATIENCE_S = 60.0
_serial = itertools.count(1)


def new_instance():
    """A new message's `instance`."""
    return f"{os.getpid():x}.{next(_serial):x}.0"


def attributes(stage="RCPT", **changes):
    """What Postfix 3.7 sends at a stage, in its order; a change to None leaves the attribute out."""
    values = {
        "request": "smtpd_access_policy",
        "protocol_state": stage,
        "protocol_name": "ESMTP",
        "client_address": "192.0.2.10",
        "client_name": "mail.example.net",
        "client_port": "40000",
        "reverse_client_name": "mail.example.net",
        "server_address": "127.0.0.1",
        "server_port": "25",
        "helo_name": "mail.example.net",
        "sender": "sender@example.net",
        "recipient": "recipient@example.org",
        "recipient_count": "0" if stage == "RCPT" else "1",
        "queue_id": "" if stage == "RCPT" else "4XkTest1",
        "instance": new_instance() if "instance" not in changes else "",
        "size": "1000" if stage == "END-OF-MESSAGE" else "0",
        "etrn_domain": "",
        "stress": "",
        "sasl_method": "",
        "sasl_username": "",
        "sasl_sender": "",
        "ccert_subject": "",
        "ccert_issuer": "",
        "ccert_fingerprint": "",
        "ccert_pubkey_fingerprint": "",
        "encryption_protocol": "",
        "encryption_cipher": "",
        "encryption_keysize": "0",
        "policy_context": "",
        "compatibility_level": "3.6",
        "mail_version": "3.7.11",
    }
    values.update(changes)
    if values["sasl_username"] and "sasl_method" not in changes:
        values["sasl_method"] = "plain"
    return {name: value for name, value in values.items() if value is not None}


def encode(values):
    """Attributes as bytes, with the empty line."""
    lines = [f"{name}={value}\n" for name, value in values.items()]
    return "".join(lines).encode("utf-8", "surrogateescape") + b"\n"


class Closed(Exception):
    """The server closed the connection."""


class PolicyClient:
    """One connection. `address` is a unix socket's path or (host, port)."""

    def __init__(self, address, timeout=PATIENCE_S):
        self.socket = connected(address, timeout)
        self.received = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Closed from error

    def reply(self):
        """The next reply's bytes, without the empty line."""
        while b"\n\n" not in self.received:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError as error:
                raise Closed from error
            if not data:
                raise Closed
            self.received += data
        reply, self.received = self.received.split(b"\n\n", 1)
        return reply

    def ask(self, stage="RCPT", **changes):
        """Sends a request and returns the action: "DUNNO", "REJECT ...", ..."""
        return self.ask_again(attributes(stage, **changes))

    def ask_again(self, values):
        """The same with attributes made before."""
        self.send(encode(values))
        reply = self.reply().decode("ascii")  # printable ASCII is promised
        assert reply.startswith("action=") and "\n" not in reply, reply
        assert reply.isprintable(), reply
        return reply.removeprefix("action=")

    def is_closed(self, timeout):
        """Whether the server closes within so many seconds (what it still sends is thrown away)."""
        self.socket.settimeout(timeout)
        try:
            while self.socket.recv(65536):
                pass
        except TimeoutError:
            return False
        except OSError:
            return True
        return True


def ask(address, stage="RCPT", **changes):
    """One request on a connection of its own."""
    with PolicyClient(address) as client:
        return client.ask(stage, **changes)
