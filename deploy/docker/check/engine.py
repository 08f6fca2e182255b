"""A Docker engine of the check's own, beside any other of this machine, and how it is spoken with."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

# Debian's own: another docker may come first on PATH.
DOCKER = "/usr/bin/docker"
COMPOSE = "/usr/bin/docker-compose"
ROOT = Path(__file__).resolve().parents[3]

TABLES = ("filter", "nat")
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
BRIDGE = Path("/sys/class/net/docker0")


class Failed(Exception):
    """What did not come about, in a sentence."""


class Engine:
    """A dockerd that keeps everything in one folder; ended when left."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = f"unix://{folder}/docker.sock"
        self.environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(folder),
            "DOCKER_HOST": self.socket,
            # The classic builder: Debian 12 has no buildx.
            "DOCKER_BUILDKIT": "0",
            "LC_ALL": "C.UTF-8",
        }
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Engine":
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._answers():
            # Somebody's who is at work on this check; theirs to end.
            return self
        self._remember_network()
        log = (self.folder / "dockerd.log").open("ab")
        options = ("--data-root", "data", "--exec-root", "exec", "--pidfile", "pid")
        self._process = subprocess.Popen(
            ["/usr/sbin/dockerd", *(str(self.folder / part) if not part.startswith("-") else part for part in options), "--host", self.socket],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment,
        )
        for _ in range(120):
            if self._answers():
                return self
            if self._process.poll() is not None:
                break
            time.sleep(0.5)
        self.__exit__()
        raise Failed(f"dockerd does not come up: see {self.folder}/dockerd.log")

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            os.kill(self._process.pid, signal.SIGTERM)
            self._process.wait(60)
            self._restore_network()

    def _remember_network(self) -> None:
        """What an engine changes of the machine and leaves so: rules, the policy of what is forwarded, a bridge."""
        self._forwards = FORWARDING.read_text(encoding="ascii")
        self._bridged = BRIDGE.exists()
        for table in TABLES:
            # A table that nobody has looked at yet is not written down.
            self.run(["iptables", "--table", table, "--list-rules"], 60)
        self._rules = "".join(self.run(["iptables-save", "--table", table], 60) for table in TABLES)

    def _restore_network(self) -> None:
        subprocess.run(["iptables-restore"], input=self._rules, text=True, env=self.environment, timeout=60, check=True)
        FORWARDING.write_text(self._forwards, encoding="ascii")
        if not self._bridged and BRIDGE.exists():
            self.run(["ip", "link", "delete", BRIDGE.name], 60)

    def _answers(self) -> bool:
        return subprocess.run([DOCKER, "version"], env=self.environment, capture_output=True, timeout=60, check=False).returncode == 0

    def docker(self, *arguments: str, limit: float = 600, **options: object) -> str:
        """Runs a command of docker's, which has to succeed; what it wrote."""
        return self.run([DOCKER, *arguments], limit, **options)

    def run(self, command: Sequence[str], limit: float, **options: object) -> str:
        """Runs a program with this engine, which has to succeed; what it wrote to standard output."""
        status, out, err = self.attempt(command, limit, **options)
        if status != 0:
            raise Failed(f"`{' '.join(command[:6])}` ends with status {status}: {(out + err).strip()[-2000:]}")
        return out

    def attempt(self, command: Sequence[str], limit: float, **options: object) -> tuple[int, str, str]:
        """Runs a program with this engine: its status, and what it wrote."""
        settings = {"cwd": ROOT, "env": self.environment, "text": True, "stdin": subprocess.DEVNULL, **options}
        try:
            done = subprocess.run(command, capture_output=True, timeout=limit, check=False, **settings)
        except subprocess.TimeoutExpired:
            return 124, "", f"it took longer than {limit:.0f} s"
        return done.returncode, done.stdout, done.stderr

    def has(self, image: str) -> bool:
        """Whether an image is there."""
        return self.attempt([DOCKER, "image", "inspect", image], 60)[0] == 0
