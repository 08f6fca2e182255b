"""The units and the packages: what a service may do, what it is started with, and what an installation does by itself."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import reference
from files import Files, run, tool, under
from findings import Broken, Finding

FOLDER = "deploy/systemd"
PACKAGES = "deploy/debian"

# Each unit with what it starts, whose settings it takes and from where.
UNITS = {
    "analytics.service": ("/usr/bin/analytics serve", ("analytics",), "analytics.env"),
    **{f"analytics-{role}.service": (f"/usr/lib/analytics/{role}", reference.ROLES, "roles.env") for role in reference.ROLES},
}
INSTALLED = "/etc/analytics"

# What every unit says, beside what `systemd-analyze security` weighs.
SAID = {
    "User": "analytics",
    "Type": "exec",
    "Restart": "on-failure",
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "UMask": "0077",
    "CapabilityBoundingSet": "",
}
# The most that systemd may find exposed, of 100: the network is what is left.
MOST_EXPOSED = 15
# Requests in flight and slow clients, in seconds.
LEAST_TO_STOP = 30

SECRET = re.compile(r"KEYS|URL|PASSWORD")
Unit = dict[str, list[str]]


def _unit(text: str) -> Unit:
    """The assignments of a unit by their names."""
    found: Unit = {}
    for line in text.splitlines():
        if match := re.fullmatch(r"(\w+)=(.*)", line):
            found.setdefault(match[1], []).append(match[2])
    return found


def _variables(text: str) -> dict[str, tuple[str, bool]]:
    """The variables of a file for `EnvironmentFile`: the value, and whether it is set or only shown."""
    found = re.findall(r"^(#?)([A-Z_]+)=(.*)$", text, re.MULTILINE)
    return {name: (value, not shown) for shown, name, value in found}


def check(files: Files) -> Iterator[Finding]:
    """What can be seen without a tool."""
    there = {path.rsplit("/", 1)[-1] for path, _ in under(files, FOLDER, ".service")}
    for name in sorted(set(UNITS) ^ there):
        yield Finding("unit", name, "a unit for each role and one for the single process, and no other")
    for name in sorted(set(UNITS) & there):
        yield from _service(name, _unit(files[f"{FOLDER}/{name}"]))
    yield from _settings(files)


def _service(name: str, unit: Unit) -> Iterator[Finding]:
    start, _, settings = UNITS[name]
    if unit.get("ExecStart") != [start]:
        yield Finding("start", name, f"ExecStart has to be {start}")
    if unit.get("EnvironmentFile") != [f"{INSTALLED}/{settings}"]:
        yield Finding("settings", name, f"EnvironmentFile has to be {INSTALLED}/{settings}, and has to be there")
    for key, value in SAID.items():
        if unit.get(key) != [value]:
            yield Finding("rights", name, f"{key} has to be {value!r}, once")
    environment = " ".join(unit.get("Environment", ()))
    if "APP_ENV=production" not in environment:
        yield Finding("production", name, "what can be guessed has to be refused: APP_ENV=production")
    for variable in re.findall(r"([A-Z_]+)=", environment):
        if SECRET.search(variable):
            yield Finding("secret", name, f"{variable} stands in the unit, which everybody may read; it belongs into {settings}")
    if int(re.sub(r"\D", "", (unit.get("TimeoutStopSec") or ["0"])[0]) or 0) < LEAST_TO_STOP:
        yield Finding("stop", name, f"TimeoutStopSec has to leave at least {LEAST_TO_STOP}s for what is in flight")
    if not {"MemoryMax", "TasksMax", "LimitNOFILE"} <= set(unit):
        yield Finding("resources", name, "MemoryMax, TasksMax and LimitNOFILE have to be set")
    state = (unit.get("StateDirectory"), unit.get("StateDirectoryMode"))
    if state != ((["analytics"], ["0700"]) if name == "analytics.service" else (None, None)):
        yield Finding("state", name, "the single process has /var/lib/analytics for itself, and a role has nothing")


def _settings(files: Files) -> Iterator[Finding]:
    """The samples: known to somebody who reads them, and no start without keys of one's own."""
    known = reference.settings(files)
    for sample in sorted({settings for _, _, settings in UNITS.values()}):
        path = f"{FOLDER}/{sample}"
        roles = {role for _, roles, settings in UNITS.values() if settings == sample for role in roles}
        variables = _variables(files.get(path, ""))
        for name, (value, _) in variables.items():
            if not known.get(name, frozenset()) & roles:
                yield Finding("setting", path, f"{name} is read by none of {', '.join(sorted(roles))}")
            if SECRET.search(name) and value:
                yield Finding("sample-secret", path, f"{name} has a value, which somebody will keep; leave it empty")
        if variables.get("API_KEYS") != ("", True):
            yield Finding("sample-secret", path, "API_KEYS has to stand there, empty: nothing starts before it is set")


def check_with_tools(files: Files) -> Iterator[Finding]:
    """What systemd says of the units."""
    with tempfile.TemporaryDirectory(prefix="analytics-units-") as folder:
        root = Path(folder)
        for path, text in under(files, FOLDER, ".service"):
            # Programs are looked for, and lie here under other names; a unit is judged by its own.
            (root / path.rsplit("/", 1)[-1]).write_text(re.sub(r"(?m)^ExecStart=/\S+", "ExecStart=/bin/true", text), encoding="utf-8")
        for unit in sorted(root.iterdir()):
            said = run("systemd-analyze", "verify", "--man=no", unit.name, cwd=root)
            # It also speaks, and ends well, where it passes over what it does not know.
            if said[0] != 0 or said[1]:
                yield Finding("systemd-analyze verify", unit.name, said[1])
            exposed = tool("systemd-analyze", "security", "--offline=yes", f"--threshold={MOST_EXPOSED}", "--no-pager", unit.name, cwd=root)
            if exposed is not None:
                yield Finding("systemd-analyze security", unit.name, exposed.strip().splitlines()[-1])


def check_packages(files: Files) -> Iterator[Finding]:
    """What the packages say and do."""
    packages = sorted({path.split("/")[2] for path, _ in under(files, PACKAGES)})
    if packages != ["analytics", "analytics-roles"]:
        raise Broken(f"{PACKAGES} holds {packages}, which nobody checks")
    for package in packages:
        folder = f"{PACKAGES}/{package}"
        control = files[f"{folder}/control"]
        for field in ("Package", "Version", "Architecture", "Maintainer", "Depends", "Description"):
            if not re.search(rf"^{field}: \S", control, re.MULTILINE):
                yield Finding("control", folder, f"{field} is missing")
        if f"Package: {package}\n" not in control or "Version: @VERSION@\n" not in control:
            yield Finding("control", folder, "the name is the folder's, and the version that of the workspace")
        for path in files[f"{folder}/conffiles"].split():
            name = path.removeprefix(f"{INSTALLED}/")
            if f"{FOLDER}/{name}" not in files:
                yield Finding("conffiles", folder, f"{path} is no sample of {FOLDER}")
        for script in ("postinst", "prerm", "postrm"):
            text = files[f"{folder}/{script}"]
            if not text.startswith("#!/bin/sh\n") or "\nset -e\n" not in text:
                yield Finding("script", f"{folder}/{script}", "a shell script that ends at its first error")
            if re.search(r"systemctl (--now )?(enable|start)\b", re.sub(r"echo '[^']*'", "", text)):
                yield Finding("started", f"{folder}/{script}", "an installation starts nothing: settings come first")
            if "/var/lib/analytics" in text and re.search(r"rm -\w*r", text):
                yield Finding("data", f"{folder}/{script}", "a package that goes must not take the data with it")


def check_packages_with_tools(files: Files) -> Iterator[Finding]:
    """What the shell says of the scripts."""
    with tempfile.TemporaryDirectory(prefix="analytics-packages-") as folder:
        root = Path(folder)
        for path, text in under(files, PACKAGES, "postinst", "prerm", "postrm"):
            (root / "script").write_text(text, encoding="utf-8")
            said = tool("sh", "-n", "script", cwd=root)
            if said is not None:
                yield Finding("sh -n", path, said)
