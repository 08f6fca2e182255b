"""docker-compose.yml as it is shipped, brought up under a project of its own."""

import json
import re
import secrets
import shutil
import socket
import subprocess
import time
from collections import Counter
from pathlib import Path

from client import Door
from engine import COMPOSE, DOCKER, ROOT, Engine, Failed

PROJECT = "analytics-check"
VERSION = "check"
DOCKERFILE = ROOT / "deploy/docker/Dockerfile"
TARGETS = ("collector", "processor", "api", "realtime", "analytics")
REPLICAS = {"collector": 3, "processor": 2, "api": 2, "realtime": 2}
# Memory and billionths of processors of each role's container.
LIMITS = {"collector": (512 << 20, 500_000_000), "processor": (1 << 30, 1_000_000_000), "api": (512 << 20, 500_000_000)}

# Projects of the black-box suite, each with the keys that `tests/src/deployment.rs` gives it.
SUITE_PROJECTS = 300

# Grafana is in no Debian package: everything but itself is started. All that is asked comes from one address, which the limits of
# an address would stop: those are tried by tests/operations, and raised here.
_OWN = """services:
  grafana:
    profiles: [left-out]
  nginx:
    volumes:
      - "{limits}:/etc/nginx/snippets/limits.conf:ro"
"""


def build_programs_outside(engine: Engine, folder: Path) -> None:
    """Puts programs that are there already into the final stages of the Dockerfile, and only into those."""
    context = engine.folder / "outside"
    shutil.rmtree(context, ignore_errors=True)
    (context / "programs").mkdir(parents=True)
    for name in TARGETS:
        if not (folder / name).exists():
            raise Failed(f"{folder / name} is not there: build it, or let the image build it (--build)")
        engine.run(["strip", "--strip-debug", "-o", str(context / "programs" / name), str(folder / name)], 120)
    shipped = DOCKERFILE.read_text(encoding="utf-8")
    _, final = shipped.split("# --- Images ", 1)
    first = "ARG BASE_IMAGE=debian:bookworm-slim\nFROM ${BASE_IMAGE} AS build\nCOPY programs /programs\n\n# --- Images "
    (context / "Dockerfile").write_text(first + final, encoding="utf-8")
    for target in TARGETS:
        engine.docker("build", "--quiet", "--target", target, "--tag", f"analytics/{target}:{VERSION}", str(context))


def build_from_sources(engine: Engine) -> None:
    """The whole Dockerfile, for each target; the programs are built once."""
    for target in TARGETS:
        began = time.monotonic()
        log = (engine.folder / f"build-{target}.log").open("wb")
        command = [DOCKER, "build", "--network", "host", "--file", str(DOCKERFILE), "--target", target, "--tag", f"analytics/{target}:{VERSION}", "."]
        done = subprocess.run(command, cwd=ROOT, env=engine.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=7200, check=False)
        if done.returncode != 0:
            raise Failed(f"the image {target} is not built: see {log.name}")
        print(f"compose-check: built {target} from sources in {time.monotonic() - began:.0f} s", flush=True)


_REQUEST = """[req]
distinguished_name = name
x509_extensions = server
prompt = no
[name]
CN = localhost
[server]
basicConstraints = critical, CA:FALSE
subjectAltName = DNS:localhost
"""


class Stack:
    """The services, gone with their volumes when left."""

    def __init__(self, engine: Engine, keep: bool = False) -> None:
        self.engine = engine
        self.keep = keep
        self.folder = engine.folder / "stack"
        self.folder.mkdir(exist_ok=True)
        self.write_key, self.read_key, self.admin_key = (secrets.token_hex(16) for _ in range(3))
        self.other_write_key, self.other_key = secrets.token_hex(16), secrets.token_hex(16)
        plain, secure = _free_ports(2)
        self._settings = {
            "API_KEYS": ",".join((f"{self.read_key}:shop:read", f"{self.admin_key}:shop:admin", f"{self.other_key}:other:admin", *_suite_keys())),
            "WRITE_KEYS": ",".join((f"{self.write_key}:shop", f"{self.other_write_key}:other", *_suite_write_keys())),
            **{name: secrets.token_hex(16) for name in ("POSTGRES_PASSWORD", "REDIS_PASSWORD", "GRAFANA_ADMIN_PASSWORD", "GRAFANA_READER_PASSWORD")},
            "TLS_FOLDER": str(self.folder / "tls"),
            "BIND_ADDRESS": "127.0.0.1", "HTTP_PORT": str(plain), "HTTPS_PORT": str(secure),
            "ANALYTICS_VERSION": VERSION,
        }
        self._certificate()
        self.certificate = self.folder / "tls/tls.crt"
        self.door = Door(plain, secure, self.certificate)
        limits = (ROOT / "deploy/nginx/snippets/limits.conf").read_text(encoding="utf-8")
        (self.folder / "limits.conf").write_text(re.sub(r"rate=\d+r/s", "rate=20000r/s", limits), encoding="utf-8")
        (self.folder / "own.yml").write_text(_OWN.format(limits=self.folder / "limits.conf"), encoding="utf-8")
        self.write_settings(self._settings)

    def __enter__(self) -> "Stack":
        return self

    def __exit__(self, *_: object) -> None:
        if not self.keep:
            self.compose("down", "--volumes", "--timeout", "5", limit=300)

    def write_settings(self, settings: dict[str, str]) -> None:
        """The file that --env-file names."""
        lines = "".join(f"{name}={value}\n" for name, value in settings.items())
        (self.folder / "env").write_text(lines, encoding="utf-8")

    def with_example(self) -> dict[str, str]:
        """The settings with one of the example's values."""
        return {**self._settings, "POSTGRES_PASSWORD": "change-me"}

    def with_own(self) -> dict[str, str]:
        """The settings that start."""
        return self._settings

    def attempt(self, *arguments: str, limit: float = 900) -> tuple[int, str]:
        """A command of docker-compose: its status and all that it said."""
        files = ["--project-name", PROJECT, "--project-directory", str(ROOT), "--env-file", str(self.folder / "env")]
        files += ["--file", str(ROOT / "docker-compose.yml"), "--file", str(self.folder / "own.yml")]
        status, out, err = self.engine.attempt([COMPOSE, *files, *arguments], limit)
        return status, out + err

    def compose(self, *arguments: str, limit: float = 900) -> str:
        """A command of docker-compose, which has to succeed."""
        status, said = self.attempt(*arguments, limit=limit)
        if status != 0:
            raise Failed(f"docker-compose {' '.join(arguments)} ends with status {status}: {said.strip()[-2500:]}")
        return said

    def containers(self, service: str) -> list[str]:
        """The ids of a service's containers."""
        return self.engine.docker("ps", "--all", "--quiet", "--no-trunc", *_of(service)).split()

    def inspect(self, container: str) -> dict[str, object]:
        """All that the engine knows of one."""
        return json.loads(self.engine.docker("inspect", container))[0]

    def wait_healthy(self, services: list[str], limit: float = 240) -> None:
        """Waits until each container of these is healthy."""
        until = time.monotonic() + limit
        while time.monotonic() < until:
            seen = {name: [self.inspect(one)["State"].get("Health", {}).get("Status") for one in self.containers(name)] for name in services}
            if all(states and set(states) == {"healthy"} for states in seen.values()):
                return
            time.sleep(1)
        raise Failed(f"not healthy after {limit} s: {seen}")

    def published(self) -> dict[str, list[str]]:
        """Each service that is reached from outside, with its own ports."""
        found: dict[str, list[str]] = {}
        for one in self.engine.docker("ps", "--quiet", "--filter", f"label=com.docker.compose.project={PROJECT}").split():
            seen = self.inspect(one)
            service = seen["Config"]["Labels"]["com.docker.compose.service"]
            open_ports = [port for port, bound in seen["NetworkSettings"]["Ports"].items() if bound]
            if open_ports or seen["HostConfig"]["NetworkMode"] == "host":
                found.setdefault(service, sorted(open_ports))
        return found

    def asked(self, path: str, since: float) -> Counter[str]:
        """How often nginx asked each replica for a path, in the seconds just past."""
        lines = self.engine.docker("logs", "--since", f"{int(since)}s", self.containers("nginx")[0]).splitlines()
        seen = [json.loads(line) for line in lines if line.startswith("{")]
        return Counter(line["upstream"] for line in seen if line["path"] == path and line["upstream_status"] in ("200", "202"))

    def _certificate(self) -> None:
        # No authority's: some clients trust no server that shows one as its own.
        folder = self.folder / "tls"
        folder.mkdir(exist_ok=True)
        (folder / "request.cnf").write_text(_REQUEST, encoding="utf-8")
        asked = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "7", "-config", str(folder / "request.cnf"))
        self.engine.run(["openssl", *asked, "-keyout", str(folder / "tls.key"), "-out", str(folder / "tls.crt")], 60)


def _suite_keys() -> list[str]:
    return [
        key
        for project in range(SUITE_PROJECTS)
        for key in (f"reading-key-of-{project:03}:project-{project:03}:read", f"admin-key-of-{project:03}:project-{project:03}:admin")
    ]


def _suite_write_keys() -> list[str]:
    return [f"write-key-of-{project:03}:project-{project:03}" for project in range(SUITE_PROJECTS)]


def _of(service: str) -> list[str]:
    return ["--filter", f"label=com.docker.compose.project={PROJECT}", "--filter", f"label=com.docker.compose.service={service}"]


def _free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports
