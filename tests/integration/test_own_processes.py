"""What the tests start and use of the machine: nothing is left when they are killed, nothing is used twice."""
import os
import pathlib
import signal
import socket
import subprocess
import sys

import pytest

from servers.process import free_port, held_port, is_gone, ports_of_clients, ports_of_servers, wait_for

HERE = pathlib.Path(__file__).parent
STARTER = """
import sys, threading, time
from servers.process import Process
def start():
    print(Process(["sleep", "1000"], sys.argv[1]).pid, flush=True)
thread = threading.Thread(target=start)  # whose end is not the end of what it has started
thread.start()
thread.join()
print("started", flush=True)
time.sleep(1000)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_tests_have_started_ends_with_them(tmp_path, number):
    tests = subprocess.Popen([sys.executable, "-c", STARTER, tmp_path / "log"], cwd=HERE, stdout=subprocess.PIPE, text=True)
    pid = int(tests.stdout.readline())
    assert tests.stdout.readline() == "started\n"
    wait_for(lambda: pathlib.Path(f"/proc/{pid}/comm").read_text() == "sleep\n", "the server runs")
    assert not is_gone(pid)
    tests.send_signal(number)
    tests.wait(60)
    wait_for(lambda: is_gone(pid), "the server ends with the tests")


def test_what_tests_mount_nobody_else_sees(pytestconfig):
    if subprocess.run(["unshare", "--mount", "true"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
        pytest.skip("nobody can have mounts of his own here")
    assert os.readlink("/proc/self/ns/mnt") != pytestconfig.mounts_of_others
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        assert not [line for line in mounts if " shared:" in line]


def test_a_port_is_given_once_and_never_to_clients():
    ports = [free_port() for _ in range(200)]
    assert len(set(ports)) == len(ports) and set(ports) <= set(ports_of_servers(ports_of_clients()))
    spare = ports_elsewhere("print(*(process.free_port() for _ in range(5)))")  # given back now
    assert not set(spare) & set(ports)
    assert ports_elsewhere(f"process.PORTS = {ports + spare}; print(process.free_port())")[0] in spare


def test_a_held_port_is_its_servers_whenever_they_come():
    port, hold = held_port()
    with hold, socket.socket(type=socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", port))
        for _ in range(2):
            with socket.socket(type=socket.SOCK_DGRAM) as other, pytest.raises(OSError, match="in use"):
                other.bind(("127.0.0.1", port))
            client.send(b"?")
            with pytest.raises(ConnectionRefusedError):
                client.recv(1)
            with socket.socket(type=socket.SOCK_DGRAM) as server:
                server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                server.bind(("127.0.0.1", port))
                client.send(b"?")
                assert server.recv(1, socket.MSG_DONTWAIT) == b"?"


@pytest.mark.parametrize("clients, servers", [
    (range(32768, 61000), range(20768, 32768)),
    (range(10000, 61000), range(1024, 10000)),
    (range(1024, 60000), range(60000, 65536)),
    (range(1024, 65536), range(20000, 32000)),
])
def test_clients_have_other_ports(clients, servers):
    assert ports_of_servers(clients) == servers


def ports_elsewhere(program):
    done = subprocess.run([sys.executable, "-c", "from servers import process; " + program], cwd=HERE, check=True, timeout=120,
                          stdout=subprocess.PIPE, text=True)
    return [int(port) for port in done.stdout.split()]
