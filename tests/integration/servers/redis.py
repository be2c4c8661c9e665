"""redis-server on a free port, nothing on disk."""
import collections
import pathlib
import socket
import subprocess

from .process import Process, Server, free_port


class Redis(Server):
    """Runs until stop(). `url` is what policyd's `store` takes."""

    def __init__(self, directory, *options, port=None):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        self.options = options
        self.start()

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self):
        self.process = Process(
            ["redis-server", "--port", self.port, "--bind", "127.0.0.1", "--dir", self.directory, "--save", "",
             "--appendonly", "no", "--unixsocket", self.directory / "redis.sock", *self.options],
            self.directory / "redis.log")
        self.process.ready(self.answers, "redis answers")

    def answers(self):
        """True as soon as it speaks, whatever it says (NOAUTH too)."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64)[:1] in (b"+", b"-") or False
        except OSError:
            return False

    def cli(self, *arguments):
        """Runs redis-cli as an operator would; returns what it prints."""
        words = [word if isinstance(word, bytes) else str(word) for word in arguments]
        done = subprocess.run(["redis-cli", "-p", str(self.port), *words], capture_output=True, text=True, timeout=60, check=True)
        return done.stdout.strip()

    def hash(self, key):
        """As a dict."""
        lines = self.cli("HGETALL", key).splitlines()
        return dict(zip(lines[::2], lines[1::2]))

    def usage(self, limit="*", subject="*"):
        """(subject, limit) -> what counts of it, whatever the bucket. Subjects as in keys: `m:alice@example.com`."""
        found = collections.Counter()
        for key in self.cli("--scan", "--pattern", f"gh:q:{{{subject}}}:{limit}.*").split():
            who, name = key.removeprefix("gh:q:{").rsplit(".", 2)[0].rsplit("}:", 1)
            found[who, name] += sum(map(int, self.cli("HVALS", key).split()))
        return found

    def used(self, limit="*", subject="*"):
        """All of that together."""
        return sum(self.usage(limit, subject).values())

    def forget(self, pattern):
        keys = self.cli("KEYS", pattern).split()
        if keys:
            self.cli("DEL", *keys)

    def replication(self):
        """What it says about its role; nothing where Sentinel, promoting it, has just cut its clients off."""
        try:
            return self.cli("INFO", "replication")
        except subprocess.CalledProcessError:
            return ""
