"""One child process: started with its output in a file, waited for by condition, ended by its id."""
import collections
import concurrent.futures
import contextlib
import os
import pathlib
import random
import signal
import socket
import subprocess
import time

from .machine import Stopwatch

ROOT = pathlib.Path(__file__).resolve().parents[3]
# What a sanitizer writes when it has found something.
SANITIZER_WORDS = ("Sanitizer:", "runtime error:", "ThreadSanitizer")


def ports_of_clients():
    """Those that the kernel gives to clients."""
    with contextlib.suppress(OSError):
        first, last = pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
        return range(int(first), int(last) + 1)
    return range(32768, 61000)


def ports_of_servers(clients):
    """Ours: no client may come upon one of them while its server is away. Where clients have nearly all, there is no choice."""
    below, above = range(max(clients.start - 12000, 1024), clients.start), range(clients.stop, 65536)
    return next((ports for ports in (below, above) if len(ports) >= 2000), range(20000, 32000))


PORTS = ports_of_servers(ports_of_clients())
# The last ports that were given away, each claimed by a name that only one socket of this machine can have.
_claims = collections.deque(maxlen=300)


def free_port():
    """A TCP port of 127.0.0.1 that nobody uses now, and that no test beside this one is given: its server comes
    later, and may go and come back."""
    while True:
        port = random.SystemRandom().choice(PORTS)
        claim = socket.socket(socket.AF_UNIX)
        with socket.socket() as probe, contextlib.suppress(OSError):
            claim.bind(f"\0gatehouse-test-port-{port}")
            probe.bind(("127.0.0.1", port))
            _claims.append(claim)
            return port
        claim.close()


def held_port():
    """The same, and a socket that keeps the UDP port from libunbound, which asks from any: servers that reuse addresses can
    bind it. Nothing reaches that socket, it is connected to where nobody is: while its server is away who asks is refused."""
    while True:
        port = free_port()
        hold = socket.socket(type=socket.SOCK_DGRAM)
        hold.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            hold.bind(("127.0.0.1", port))
            hold.connect(("127.0.0.1", 1))
            return port, hold
        hold.close()


def wait_for(condition, what, timeout=10.0, interval=0.02):
    """Returns the first true result of condition(); fails, naming `what`, when there is none in time. What the machine makes us wait
    for a processor does not count."""
    watch = None
    while True:
        result = condition()
        if result:
            return result
        if watch is None:
            watch = Stopwatch()
        elif time.monotonic() - watch.began > timeout and watch.seconds() > timeout:
            raise AssertionError(f"not within {timeout} s: {what}")
        time.sleep(interval)


def is_gone(pid):
    """Whether that process has ended, though its parent may not have looked yet."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def accepts(address):
    """Whether a (host, port) or a unix socket's path takes connections."""
    family = socket.AF_UNIX if isinstance(address, (str, pathlib.Path)) else socket.AF_INET
    with socket.socket(family) as probe:
        probe.settimeout(1)
        with contextlib.suppress(OSError):
            probe.connect(str(address) if family == socket.AF_UNIX else address)
            return True
    return False


def connected(address, timeout):
    """A connection to a (host, port) or a unix socket's path, whose recv() and the like wait for so long."""
    is_inet = isinstance(address, tuple)
    connection = socket.socket(socket.AF_INET if is_inet else socket.AF_UNIX)
    try:
        # Without a time-out yet: a unix socket's connect() that would have to wait for the acceptor fails with one.
        connection.connect(address if is_inet else str(address))
    except BaseException:
        connection.close()
        raise
    connection.settimeout(timeout)
    return connection


def says(address, request, beginning):
    """Whether who listens there answers these bytes with what begins like that."""
    with contextlib.suppress(OSError), connected(address, 60) as connection:
        connection.sendall(request)
        return connection.recv(64).startswith(beginning)
    return False


# What it starts is told to end when this thread does: with the tests, however those end.
_starter = concurrent.futures.ThreadPoolExecutor(1)


class Process:
    """A server. `log` is the file that gets its standard output and error; it inherits the descriptors in `keep`."""

    def __init__(self, argv, log, env=None, cwd=None, keep=()):
        self.argv = [str(arg) for arg in argv]
        self.log = pathlib.Path(log)
        with open(self.log, "ab") as out:
            # A session of its own: what ends the test run does not end it twice, and its children can be found.
            self.child = _starter.submit(
                subprocess.Popen, ["setpriv", "--pdeathsig", "TERM", *self.argv], stdin=subprocess.DEVNULL, stdout=out,
                stderr=out, cwd=cwd, env={**os.environ, **(env or {})}, start_new_session=True, pass_fds=keep).result()

    @property
    def pid(self):
        return self.child.pid

    @property
    def output(self):
        return self.log.read_text(errors="replace")

    def is_running(self):
        return self.child.poll() is None

    def ready(self, condition, what, timeout=20.0):
        """Waits for the condition, or fails with the output, and ends the process, when that does not come."""
        def done():
            if not self.is_running():
                raise AssertionError(f"{self.argv[0]} ended with {self.child.returncode}:\n{self.output}")
            return condition()
        try:
            return wait_for(done, what, timeout)
        except BaseException as error:
            # Nobody has it yet who would end it.
            self.kill_all()
            raise AssertionError(f"{error}\n{self.output}") from error

    def send_signal(self, number):
        self.child.send_signal(number)

    def kill_all(self):
        """It, and what it has started."""
        if self.is_running():
            os.killpg(self.pid, signal.SIGKILL)
        self.child.wait()

    def stop(self, number=signal.SIGTERM, timeout=15.0):
        """Ends it and returns its exit status; kills it (and fails) when it does not end in time, but for what the machine takes."""
        if self.is_running():
            self.child.send_signal(signal.SIGCONT)
            self.child.send_signal(number)
        watch = Stopwatch()
        while watch.seconds() <= timeout:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return self.child.wait(max(timeout - watch.seconds(), 0.1))
        self.kill_all()
        raise AssertionError(f"{self.argv[0]} did not end within {timeout} s:\n{self.output[-4000:]}")

    def descriptors(self):
        """How many files and sockets it has open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def memory_kib(self):
        """Its anonymous memory."""
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1])
        return 0


class Server:
    """A real server with a `process`, which start() sets; runs until stop()."""

    process = None

    def start(self):
        raise NotImplementedError

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        self.process.child.kill()
        self.process.child.wait()

    def stop(self):
        self.process.stop()
