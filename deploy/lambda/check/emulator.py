"""The server that stands in for AWS's accounts: moto, on a free port of this machine."""

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import document
from findings import Broken

_START_SECONDS = 60


@contextmanager
def running() -> Iterator[str]:
    """The URL of a moto server that lives as long as the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    program = Path(sys.executable).parent / "moto_server"
    server = subprocess.Popen(
        [program, "-H", "127.0.0.1", "-p", str(port)],
        env=document.hermetic(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(server, url)
        yield url
    finally:
        server.terminate()
        server.wait(timeout=10)


def _wait(server: subprocess.Popen[bytes], url: str) -> None:
    for _ in range(_START_SECONDS * 10):
        if server.poll() is not None:
            raise Broken(f"moto_server ended with {server.returncode} at its start")
        try:
            with urllib.request.urlopen(f"{url}/moto-api/data.json", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise Broken(f"moto_server does not answer on {url} after {_START_SECONDS} s")
