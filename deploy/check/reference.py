"""What the generated pages say that there is: metrics with their labels, settings with their roles."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from findings import Broken

# Labels that Prometheus gives to everything that it scrapes.
SCRAPED = frozenset({"job", "instance"})

# What Prometheus writes about each target itself.
OF_PROMETHEUS = ("up", "scrape_duration_seconds", "scrape_samples_scraped")

ROLES = ("collector", "processor", "api", "realtime")

# Where each role listens unless told otherwise: docs/configuration.md, and checked against it.
PORTS = {"collector": 4001, "processor": 4004, "api": 4002, "realtime": 4003}


@dataclass(frozen=True)
class Metric:
    """A series that can be asked for."""

    name: str
    kind: str
    labels: frozenset[str]
    roles: str


def metrics(files: Mapping[str, str]) -> dict[str, Metric]:
    """Every series by name; a histogram by each of its three."""
    found: dict[str, Metric] = {}
    for line in files["docs/metrics.md"].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) != 6 or not cells[0].startswith("`"):
            continue
        name, kind, labels, roles = cells[0].strip("`"), cells[1], cells[3], cells[4]
        own = frozenset(re.findall(r"`(\w+)`", labels)) | SCRAPED
        if kind == "histogram":
            for ending, extra in (("_bucket", {"le"}), ("_sum", set()), ("_count", set())):
                found[name + ending] = Metric(name + ending, kind, own | extra, roles)
        else:
            found[name] = Metric(name, kind, own, roles)
    if len(found) < 20:
        raise Broken("docs/metrics.md has no table of metrics any more")
    for name in OF_PROMETHEUS:
        found[name] = Metric(name, "gauge", SCRAPED, "all")
    return found


def settings(files: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """The roles that read each variable."""
    found: dict[str, frozenset[str]] = {}
    for line in files["docs/configuration.md"].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) != 4 or not re.fullmatch(r"`[A-Z_]+`", cells[0]):
            continue
        roles = (*ROLES, "analytics") if cells[1] == "all" else tuple(role.strip() for role in cells[1].split(","))
        found[cells[0].strip("`")] = frozenset(roles)
    if len(found) < 20:
        raise Broken("docs/configuration.md has no table of variables any more")
    return found


def headings(text: str) -> frozenset[str]:
    """The anchors of a page's headings, as they are made for links."""
    names = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return frozenset(re.sub(r"[^\w\- ]", "", name.lower()).replace(" ", "-") for name in names)
