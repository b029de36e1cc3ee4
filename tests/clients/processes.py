"""Servers whose process ends within a test, however it ends."""

import contextlib

from conftest import start
from control import Account


@contextlib.contextmanager
def running(environment, *definitions):
    """Yields a server and its account; it is killed at the end of the block, unless it has ended."""
    server = start(definitions, environment)
    try:
        yield server, Account(server.url)
    finally:
        server.process.kill()
        server.process.wait()
