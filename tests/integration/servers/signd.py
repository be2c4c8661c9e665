"""gatehouse-signd with a given configuration, and keys to sign with."""
import base64
import json
import os
import pathlib
import subprocess

from .daemon import BUILD, Daemon
from .milter_client import MilterClient
from .process import free_port, wait_for


class Signd(Daemon):
    """Serves `unix` (a path) and `tcp` ((host, port)); `keys` is its key_directory."""

    program = BUILD / "bin" / "gatehouse-signd"

    def __init__(self, directory, config="", options=(), env=None, resolver="127.0.0.1@9"):
        directory = pathlib.Path(directory)
        self.keys = directory / "keys"
        self.keys.mkdir(parents=True)
        self.unix = directory / "milter"
        self.tcp = ("127.0.0.1", free_port())
        conf_file = directory / "signd.conf"
        conf_file.write_text(config)
        own = [f"listen=unix:{self.unix}, inet:127.0.0.1:{self.tcp[1]}", f"http=unix:{directory / 'http'}", "log=stderr",
               "listen_mode=0666", f"key_directory={self.keys}", f"key_state_file={directory / 'states'}",
               f"spool_directory={directory}", f"resolver={resolver}"]
        super().__init__(directory, own + list(options), conf_file, env)

    def client(self, version=6, tcp=False, **arguments):
        return MilterClient(self.tcp if tcp else self.unix, version, **arguments)

    def add_key(self, domain, selector, kind="rsa", bits=2048):
        """Makes a key; what its TXT record says."""
        pem = make_key(kind, bits)
        put_file(self.keys / domain / f"{selector}.key", pem)
        return record_of(pem)

    def has_active(self, count):
        """Waits until so many keys sign: their files have been read, and, a moment later, the store has said in what state they are."""
        def active():
            return sum(key["usable"] and key.get("state") == "active" for key in json.loads(self.get("/v1/status")[1])["keys"])
        wait_for(lambda: active() == count, f"{count} keys sign")


def make_key(kind="rsa", bits=2048):
    """A private key in PEM."""
    algorithm = ["-algorithm", "ed25519"] if kind == "ed25519" else ["-algorithm", "rsa", "-pkeyopt", f"rsa_keygen_bits:{bits}"]
    return subprocess.run(["openssl", "genpkey", *algorithm], capture_output=True, check=True).stdout


def put_file(path, data, mode=0o600):
    """In one step, as everybody should."""
    path.parent.mkdir(exist_ok=True)
    new = path.with_suffix(".new")
    new.write_bytes(data)
    new.chmod(mode)
    os.rename(new, path)


def record_of(pem):
    """The key record of a private key."""
    der = subprocess.run(["openssl", "pkey", "-pubout", "-outform", "DER"], input=pem, capture_output=True, check=True).stdout
    if len(der) == 44:  # Ed25519: the key itself is what a record has (RFC 8463)
        return "v=DKIM1; k=ed25519; p=" + base64.b64encode(der[12:]).decode()
    return "v=DKIM1; k=rsa; p=" + base64.b64encode(der).decode()
