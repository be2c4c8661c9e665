"""One of our daemons with a given configuration: started, asked over its control socket, ended and looked at."""
import contextlib
import http.client
import os
import pathlib
import re
import signal

from .process import ROOT, SANITIZER_WORDS, Process, connected, wait_for

BUILD = pathlib.Path(os.environ.get("GATEHOUSE_BUILD", ROOT / "build"))


class UnixHTTPConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = str(path)

    def connect(self):
        self.sock = connected(self.path, self.timeout)


class Daemon:
    """Runs until stop(). `http` is its control socket. A subclass says which program."""

    program = None

    def __init__(self, directory, options, conf_file, env=None):
        self.directory = pathlib.Path(directory)
        self.http = self.directory / "http"
        self.conf = pathlib.Path(conf_file)
        self.options = list(options)
        self.env = env
        self.process = None
        self.start()

    def argv(self, *more):
        return [self.program, "-c", self.conf, *(part for option in self.options for part in ("-o", option)), *more]

    def start(self):
        self.process = Process(self.argv(), self.directory / f"{self.program.name}.log", env=self.env)
        self.process.ready(self.is_ready, f"{self.program.name} serves")

    def is_ready(self):
        """It answers over HTTP last of all: then it listens everywhere. Nobody connects there for this: connections are counted."""
        with contextlib.suppress(OSError):
            return self.get("/health")[0] == 200
        return False

    def stop(self, timeout=15.0):
        """Ends it; fails when it did not end well or a sanitizer has spoken."""
        status = self.process.stop(timeout=timeout)
        log = self.process.output
        found = [line for line in log.splitlines() if any(word in line for word in SANITIZER_WORDS)]
        assert not found, "\n".join(found) + "\n" + log[-8000:]
        assert status == 0, f"{self.program.name} ended with {status}:\n{log[-8000:]}"

    def restart(self):
        self.stop()
        self.start()

    def reload(self, config=None):
        """Has it read its configuration, perhaps another one, which is there in one step: a reload that is still going on reads
        the one before or this one. The caller waits for what shall be different."""
        if config is not None:
            new = self.conf.with_suffix(".new")
            new.write_text(config)
            new.rename(self.conf)
        self.process.send_signal(signal.SIGUSR1)

    def put_in_force(self, config):
        """Reloads, and waits: whoever connects from now on has it (log_level is info at least)."""
        def times():
            return self.log.count("configuration read again")

        before = times()
        self.reload(config)
        wait_for(lambda: times() > before, "the configuration is in force")

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

    def is_whole(self):
        """Whether it has all that it works with; a shared store, too, and on every worker."""
        return self.get("/ready") == (200, "ok\n")

    def connections(self):
        """How many clients are connected."""
        return int(self.metric("gatehouse_connections"))

    @property
    def log(self):
        """Its lines; one that is being written is not there yet."""
        text = self.process.output
        return text[:text.rfind("\n") + 1]

    def decisions(self):
        """The decision lines so far, each as a dict; one that is just being written is none yet."""
        found = []
        for line in self.log.rpartition("\n")[0].splitlines():
            at = line.find("decision ")
            if at >= 0:
                found.append(dict(re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)', line[at:])))
        return found

    def settles(self):
        """Waits until every message that a milter was sent is over, counted and logged: each ends with one decision line, if it
        is decided and its recipients share a verdict."""
        wait_for(lambda: self.metric("gatehouse_milter_messages_in_flight") == 0
                 and len(self.decisions()) == self.metric("gatehouse_milter_messages_total"),
                 "all messages are over and logged")

    def settles_at(self, descriptors, timeout=10.0):
        """Waits until it has no more than so many descriptors open."""
        wait_for(lambda: self.process.descriptors() <= descriptors,
                 f"at most {descriptors} descriptors (there are {self.process.descriptors()})", timeout)
