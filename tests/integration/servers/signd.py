"""gatehouse-signd with a given configuration, and keys to sign with."""
import base64
import os
import pathlib
import subprocess

from .milter_client import MilterClient
from .policyd import BUILD, Policyd
from .process import accepts


class Signd(Policyd):
    """Serves `unix` (a path) or, with tcp=True, `tcp` ((host, port)); `keys` is its key_directory."""

    program = BUILD / "bin" / "gatehouse-signd"

    def __init__(self, directory, config="", options=(), env=None, tcp=False, resolver="127.0.0.1@9"):
        self.keys = pathlib.Path(directory) / "keys"
        self.keys.mkdir(parents=True)
        self.is_tcp = tcp
        self.resolver = resolver
        super().__init__(directory, config, options, env=env)

    def argv(self, *more):
        place = f"inet:127.0.0.1:{self.tcp[1]}" if self.is_tcp else f"unix:{self.unix}"
        options = [*self.options, f"listen={place}", f"key_directory={self.keys}", f"spool_directory={self.directory}",
                   f"resolver={self.resolver}"]
        return [self.program, "-c", self.conf, *(part for option in options for part in ("-o", option)), *more]

    def is_ready(self):
        return accepts(self.tcp if self.is_tcp else self.unix) and self.http.exists() and self.get("/health")[0] == 200

    def milter(self):
        """As main.cf names it."""
        return f"inet:127.0.0.1:{self.tcp[1]}" if self.is_tcp else f"unix:{self.unix}"

    def client(self, version=6, **arguments):
        return MilterClient(self.tcp if self.is_tcp else self.unix, version, **arguments)

    def add_key(self, domain, selector, kind="rsa", bits=2048):
        """Makes a key; what its TXT record says."""
        pem = make_key(kind, bits)
        put_file(self.keys / domain / f"{selector}.key", pem)
        return record_of(pem)


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
