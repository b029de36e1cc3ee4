"""Runs a model server of others on a free port of this machine until its tests are over."""

import contextlib
import http.client
import os
import random
import signal
import socket
import subprocess
import time

READY_S, STOP_S, POLL_S = 120, 60, 0.05
PORTS = range(20_000, 32_000)


def free_port():
    """Below those that the system gives to outgoing connections; multi-model-server refuses those over 32767."""
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port
    raise OSError("No port is free.")


@contextlib.contextmanager
def running(command, port, folder, environment):
    """Yields the URL. The server and all that it starts log to what pytest captures, and end together."""
    process = subprocess.Popen(command, cwd=folder, env=os.environ | environment, start_new_session=True)
    try:
        await_ping(process, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(STOP_S)


def await_ping(process, port):
    give_up = time.monotonic() + READY_S
    while time.monotonic() < give_up:
        assert process.poll() is None, f"The model server ended with code {process.returncode} before it answered."
        with contextlib.suppress(OSError):
            if request(port, "GET", "/ping")[0] == 200:
                return
        time.sleep(POLL_S)
    raise TimeoutError(f"The model server did not answer within {READY_S} s.")


def request(port, method, path, body=None, content_type=None):
    """The status and the body, without any client between."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=READY_S)
    try:
        headers = {"Content-Type": content_type, "Accept": content_type} if content_type else {}
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()
