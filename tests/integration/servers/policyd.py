"""gatehouse-policyd with a given configuration."""
import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess

from .policy import PolicyClient, ask
from .process import ROOT, SANITIZER_WORDS, Process, accepts, free_port, wait_for

BUILD = pathlib.Path(os.environ.get("GATEHOUSE_BUILD", ROOT / "build"))
PROGRAM = BUILD / "bin" / "gatehouse-policyd"
GATECTL = BUILD / "bin" / "gatectl"


class UnixHTTPConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Policyd:
    """Runs until stop(). Serves `unix` (a path) and `tcp` ((host, port)); `http` is its control socket."""

    def __init__(self, directory, config="", options=(), conf_file=None, env=None, keep_options=True):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.unix = self.directory / "policy"
        self.http = self.directory / "http"
        self.tcp = ("127.0.0.1", free_port())
        self.conf = pathlib.Path(conf_file) if conf_file else self.directory / "policyd.conf"
        if conf_file is None:
            self.conf.write_text(config)
        own = [f"listen=unix:{self.unix}, inet:127.0.0.1:{self.tcp[1]}", f"http=unix:{self.http}",
               "log=stderr", "listen_mode=0666", "resolver=127.0.0.1@9"]
        self.options = own + list(options) if keep_options else list(options)
        self.process = None
        self.env = env
        self.start()

    def argv(self, *more):
        return [PROGRAM, "-c", self.conf, *(part for option in self.options for part in ("-o", option)), *more]

    def start(self):
        self.process = Process(self.argv(), self.directory / "policyd.log", env=self.env)
        self.process.ready(self.is_ready, "policyd serves")

    def is_ready(self):
        if not (accepts(self.unix) and accepts(self.tcp) and self.http.exists()):
            return False
        with contextlib.suppress(OSError):  # the socket's file is there a moment before anybody listens
            return self.get("/health")[0] == 200
        return False

    def stop(self):
        """Ends it; fails when it did not end well or a sanitizer has spoken."""
        status = self.process.stop()
        log = self.process.output
        found = [line for line in log.splitlines() if any(word in line for word in SANITIZER_WORDS)]
        assert not found, "\n".join(found) + "\n" + log[-8000:]
        assert status == 0, f"policyd ended with {status}:\n{log[-8000:]}"

    def restart(self):
        self.stop()
        self.start()

    def reload(self, config=None):
        """Puts another configuration in force. The caller waits for what shall be different."""
        if config is not None:
            self.conf.write_text(config)
        self.process.send_signal(signal.SIGUSR1)

    # ---- asking it ----

    def client(self, tcp=False, timeout=10.0):
        return PolicyClient(self.tcp if tcp else self.unix, timeout)

    def ask(self, stage="RCPT", **changes):
        return ask(self.unix, stage, **changes)

    def get(self, path):
        """(status, text) of a page of the control socket."""
        connection = UnixHTTPConnection(self.http)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def metric(self, name, **labels):
        """The sum of a metric's samples that carry these labels; 0 when there is none."""
        total = 0.0
        for line in self.get("/metrics")[1].splitlines():
            match = re.fullmatch(r"([a-zA-Z_:]+)(?:\{(.*)\})? (\S+)", line)
            if match and match[1] == name:
                found = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match[2] or ""))
                if all(found.get(label) == value for label, value in labels.items()):
                    total += float(match[3])
        return total

    def connections(self):
        """How many clients are connected."""
        return int(self.metric("gatehouse_connections"))

    def gatectl(self, *arguments, check=True):
        """gatectl on this daemon's control socket."""
        done = subprocess.run([GATECTL, "-s", self.http, *arguments], capture_output=True, text=True, timeout=30,
                              check=False)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def gatectl_json(self, *arguments):
        return json.loads(self.gatectl("--json", *arguments).stdout)

    # ---- what it left behind ----

    @property
    def log(self):
        return self.process.output

    def decisions(self):
        """The decision lines so far, each as a dict."""
        found = []
        for line in self.log.splitlines():
            at = line.find("decision ")
            if at >= 0:
                found.append(dict(re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)', line[at:])))
        return found

    def settles_at(self, descriptors, timeout=10.0):
        """Waits until it has no more than so many descriptors open."""
        wait_for(lambda: self.process.descriptors() <= descriptors,
                 f"at most {descriptors} descriptors (there are {self.process.descriptors()})", timeout)
