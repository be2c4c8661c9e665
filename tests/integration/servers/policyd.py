"""gatehouse-policyd with a given configuration."""
import json
import pathlib
import subprocess

from .daemon import BUILD, Daemon
from .policy import PATIENCE_S, PolicyClient, ask
from .process import free_port

PROGRAM = BUILD / "bin" / "gatehouse-policyd"
GATECTL = BUILD / "bin" / "gatectl"

# Options for what is not about time: Redis and resolvers are waited for, however busy the machine is.
PATIENT = ("store_timeout=10s", "dns_timeout=20s", "budget=30s")
PATIENT_WITHOUT_DNS = ("store_timeout=10s", "budget=30s")  # of contentd, which asks no resolver


class Policyd(Daemon):
    """Serves `unix` (a path) and `tcp` ((host, port))."""

    program = PROGRAM

    def __init__(self, directory, config="", options=(), conf_file=None, env=None, keep_options=True):
        directory = pathlib.Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        self.unix = directory / "policy"
        self.tcp = ("127.0.0.1", free_port())
        if conf_file is None:
            conf_file = directory / "policyd.conf"
            conf_file.write_text(config)
        own = [f"listen=unix:{self.unix}, inet:127.0.0.1:{self.tcp[1]}", f"http=unix:{directory / 'http'}",
               "log=stderr", "listen_mode=0666", "resolver=127.0.0.1@9"]
        super().__init__(directory, own + list(options) if keep_options else options, conf_file, env)

    # ---- asking it ----

    def client(self, tcp=False, timeout=PATIENCE_S):
        return PolicyClient(self.tcp if tcp else self.unix, timeout)

    def ask(self, stage="RCPT", **changes):
        return ask(self.unix, stage, **changes)

    def gatectl(self, *arguments, check=True):
        """gatectl on this daemon's control socket."""
        done = subprocess.run([GATECTL, "-s", self.http, *arguments], capture_output=True, text=True, timeout=60,
                              check=False)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def gatectl_json(self, *arguments):
        return json.loads(self.gatectl("--json", *arguments).stdout)
