"""The images and docker-compose: what is open, what has no password of its own, and what each role is given."""

import re
from collections.abc import Iterator
from typing import Any

import yaml

import reference
from files import Files, laid_out, tool
from findings import Broken, Finding

FOLDER = "deploy/docker"
DOCKERFILE = f"{FOLDER}/Dockerfile"
COMPOSE = "docker-compose.yml"
DEVELOPMENT = "docker-compose.dev.yml"
EXAMPLE = ".env.example"
TOP = (COMPOSE, DEVELOPMENT, EXAMPLE)

# Replicas, memory and processors of each role.
SIZES = {
    "collector": (3, "512M", "0.5"),
    "processor": (2, "1G", "1"),
    "api": (2, "512M", "0.5"),
    "realtime": (2, None, None),
}

# The oldest nginx that asks for an upstream's names again.
OLDEST_NGINX = (1, 27, 3)

SECRET = re.compile(r"PASSWORD|API_KEYS|WRITE_KEYS|AUTH$")
# A variable that has to be set, with the sentence that is said where it is not.
NEEDED = re.compile(r"\$\{(\w+):\?[^}]+\}")
VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)")

Service = dict[str, Any]


def services(files: Files, path: str = COMPOSE) -> dict[str, Service]:
    """The services of a file, aliases in their places."""
    try:
        return yaml.safe_load(files[path])["services"]
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise Broken(f"{path} cannot be read: {error}") from error


def check(files: Files) -> Iterator[Finding]:
    """What can be seen without a tool."""
    found = services(files)
    yield from _doors(found)
    yield from _roles(files, found)
    yield from _secrets(files, found)
    yield from _servers(files, found)
    yield from _order(found)
    yield from _development(files)
    yield from _images(files, found)


def check_with_tools(files: Files) -> Iterator[Finding]:
    """What the Compose specification says, and docker-compose, which merges and fills in; no engine is asked."""
    with laid_out(files) as root:
        for path in (COMPOSE, DEVELOPMENT):
            said = tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", path, cwd=root)
            if said is not None:
                yield Finding("compose schema", path, said)
        for merged in ([COMPOSE], [COMPOSE, DEVELOPMENT]):
            chosen = [part for path in merged for part in ("--file", path)]
            said = tool("docker-compose", "--env-file", EXAMPLE, *chosen, "config", "--quiet", cwd=root)
            if said is not None:
                yield Finding("docker-compose config", merged[-1], said)


def _doors(found: dict[str, Service]) -> Iterator[Finding]:
    """nginx is the only one that is reached from outside."""
    for name, service in found.items():
        if name != "nginx" and (service.get("ports") or service.get("network_mode")):
            yield Finding("door", name, "publishes a port; nginx is the only door")
        if service.get("privileged") or "no-new-privileges:true" not in service.get("security_opt", []):
            yield Finding("rights", name, "security_opt has to hold no-new-privileges:true, and nobody is privileged")
    ports = [port.rsplit(":", 1)[-1] for port in found["nginx"].get("ports", [])]
    if ports != ["80", "443"]:
        yield Finding("door", "nginx", f"publishes {ports} of its own ports; it has to be 80 and 443")
    version = tuple(int(part) for part in re.findall(r"\d+", found["nginx"]["image"].split(":")[1])[:3])
    if (*version, 99)[:3] < OLDEST_NGINX:
        yield Finding("nginx-version", "nginx", f"{found['nginx']['image']} is older than 1.27.3 (`resolve` in an upstream)")


def _roles(files: Files, found: dict[str, Service]) -> Iterator[Finding]:
    """Replicas, limits, rights and settings of the roles."""
    known = reference.settings(files)
    for role, (replicas, memory, processors) in SIZES.items():
        service = found.get(role, {})
        deploy = service.get("deploy", {})
        limits = deploy.get("resources", {}).get("limits", {})
        if (deploy.get("replicas"), limits.get("memory"), limits.get("cpus")) != (replicas, memory, processors):
            yield Finding("size", role, f"has to have {replicas} replicas, {memory} of memory and {processors} processors")
        if service.get("read_only") is not True or service.get("cap_drop") != ["ALL"]:
            yield Finding("rights", role, "a role keeps nothing and needs no right: read_only, cap_drop ALL")
        build = service.get("build", {})
        if not service.get("image", "").startswith(f"analytics/{role}:") or build.get("target") != role or build.get("dockerfile") != DOCKERFILE:
            yield Finding("build", role, f"has image analytics/{role} and is built from the target {role} of {DOCKERFILE}")
        for name in service.get("environment", {}):
            if role not in known.get(name, frozenset()):
                yield Finding("setting", role, f"{name} is not read by this role (docs/configuration.md)")
        if not str(service.get("environment", {}).get("APP_ENV", "")).endswith(":-production}"):
            yield Finding("production", role, "APP_ENV is production unless .env says otherwise")
    if found["processor"]["environment"].get("CONCURRENCY") != 10:
        yield Finding("size", "processor", "CONCURRENCY has to be 10")
    if found["collector"]["environment"].get("DURABILITY") != "durable":
        yield Finding("durable", "collector", "DURABILITY has to be durable: a 202 survives a power cut")


def _secrets(files: Files, found: dict[str, Service]) -> Iterator[Finding]:
    """Passwords and keys come from .env alone, and those of the example stop the start."""
    for name, service in found.items():
        for variable, value in service.get("environment", {}).items():
            holds_url = "_URL" in variable and "@" in str(value)
            if (SECRET.search(variable) or holds_url) and not NEEDED.search(str(value)):
                yield Finding("secret", f"{name}.{variable}", "comes from .env and has no default: ${NAME:?what to do}")
    text = files[COMPOSE]
    needed = set(NEEDED.findall(text))
    for variable in sorted(set(VARIABLE.findall(text)) - needed):
        if SECRET.search(variable):
            yield Finding("secret", variable, "has a default, or none and no sentence: ${NAME:?what to do}")
    example = dict(line.split("=", 1) for line in files[EXAMPLE].splitlines() if "=" in line and not line.startswith("#"))
    if set(example) != needed:
        yield Finding("example", EXAMPLE, f"has to hold exactly what is needed; these differ: {sorted(set(example) ^ needed)}")
    for variable, value in example.items():
        if "change-me" not in value:
            yield Finding("example", f"{EXAMPLE}: {variable}", "an example's value holds change-me, which a start refuses")
    told = set(re.findall(r"^#?(\w+)=", files[EXAMPLE], re.MULTILINE)) - {"COMPOSE_PROJECT_NAME"}
    if set(VARIABLE.findall(text)) - {"APP_ENV"} != told:
        yield Finding("example", EXAMPLE, f"tells of each setting: {sorted((set(VARIABLE.findall(text)) - {'APP_ENV'}) ^ told)}")
    checked = set(NEEDED.findall(found["settings"]["environment"]["VALUES"]))
    if checked != needed:
        yield Finding("example", "settings", f"looks at every needed value for change-me; these differ: {sorted(checked ^ needed)}")


def _servers(files: Files, found: dict[str, Service]) -> Iterator[Finding]:
    """A durable queue, a cache that may forget, and one network whose proxy is believed."""
    queue, cache = (" ".join(found[name]["command"]) for name in ("redis", "redis-cache"))
    if "--appendonly yes" not in queue or "--appendfsync always" not in queue or "--maxmemory-policy noeviction" not in queue or "--maxmemory " not in queue:
        yield Finding("durable", "redis", "appendonly yes, appendfsync always, a maxmemory and noeviction")
    if "--maxmemory-policy allkeys-lru" not in cache or "--appendonly no" not in cache or found["redis-cache"].get("volumes"):
        yield Finding("cache", "redis-cache", "allkeys-lru, a maxmemory, and nothing on a disk")
    for name, folder in (("redis", "/data"), ("postgres", "/var/lib/postgresql/data")):
        if not any(volume.endswith(f":{folder}") for volume in found[name].get("volumes", [])):
            yield Finding("volume", name, f"{folder} is a volume, or everything is gone with the container")
    [subnet] = [part["subnet"] for part in yaml.safe_load(files[COMPOSE])["networks"]["analytics"]["ipam"]["config"]]
    for role in ("collector", "api", "realtime"):
        if found[role]["environment"].get("TRUSTED_PROXIES") != subnet:
            yield Finding("proxies", role, f"TRUSTED_PROXIES has to be the network's {subnet}, where nginx is")


def _order(found: dict[str, Service]) -> Iterator[Finding]:
    """Nobody starts before what it needs, what runs on comes back, and logs have an end."""
    for name, service in found.items():
        once = name in ("settings", "migrate", "grafana-reader")
        if service.get("restart") != ("no" if once else "unless-stopped"):
            yield Finding("restart", name, "what runs on has restart: unless-stopped, what runs once has \"no\"")
        if "max-size" not in service.get("logging", {}).get("options", {}):
            yield Finding("log", name, "its log has no end: logging.options.max-size")
        for needed, how in service.get("depends_on", {}).items():
            ends = needed in ("settings", "migrate", "grafana-reader")
            if how.get("condition") != ("service_completed_successfully" if ends else "service_healthy"):
                yield Finding("order", name, f"waits for {needed} in another way than it ends or gets healthy")
        if not once and name not in SIZES and "test" not in service.get("healthcheck", {}):
            yield Finding("health", name, "has no healthcheck")
    for name in ("processor", "api", "realtime"):
        if "migrate" not in found[name].get("depends_on", {}):
            yield Finding("order", name, "waits for the schema: migrate")
    for name in ("redis", "redis-cache", "postgres", "prometheus"):
        if "settings" not in found[name].get("depends_on", {}):
            yield Finding("order", name, "waits for settings: a server that was made with the example's password keeps it")


def _development(files: Files) -> Iterator[Finding]:
    """What is opened for work on it is opened to this machine alone."""
    for name, service in services(files, DEVELOPMENT).items():
        for port in service.get("ports", []):
            if not port.startswith("127.0.0.1:"):
                yield Finding("loopback", name, f"{port} is reached from outside; 127.0.0.1:{port} is not")


def _images(files: Files, found: dict[str, Service]) -> Iterator[Finding]:
    """Each target is a role's program, run by nobody in particular, that ends when told and tells its health."""
    stages = _stages(files[DOCKERFILE])
    for role, port in {**reference.PORTS, "analytics": 4000}.items():
        stage = stages.get(role)
        if stage is None:
            yield Finding("image", role, "has no stage of this name")
            continue
        text = stages.get("base", "") + stage
        if f'ENTRYPOINT ["/usr/local/bin/{role}"]' not in stage or "STOPSIGNAL SIGTERM" not in text:
            yield Finding("image", role, "ENTRYPOINT is the program in exec form, which SIGTERM reaches")
        if f"EXPOSE {port}\n" not in stage or f'CMD ["/usr/local/bin/analytics", "healthcheck", "http://127.0.0.1:{port}"]' not in stage:
            yield Finding("image", role, f"EXPOSE and HEALTHCHECK are of its port {port}")
        users = re.findall(r"^USER (\S+)$", text, re.MULTILINE)
        if not users or not re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1]):
            yield Finding("image", role, f"runs as {users[-1:]}: a number that is not root's")
    for service in found.values():
        target = service.get("build", {}).get("target", "base")
        if target not in stages:
            yield Finding("build", target, f"is no stage of {DOCKERFILE}")


def _stages(text: str) -> dict[str, str]:
    """The text of each stage."""
    parts = re.split(r"^FROM \S+ AS (\S+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))
