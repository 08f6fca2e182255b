"""The parts of deploy/ that are checked, each with its rules and the tools that it is for."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import compose_rules
import dashboard_rules
import kubernetes_rules
import nginx_rules
import prometheus_rules
import systemd_rules
from files import Files
from findings import Finding


@dataclass(frozen=True)
class Area:
    """A folder's checks: rules of our own, which are quick, and those of the tools."""

    name: str
    folder: str
    rules: Callable[[Files], Iterable[Finding]]
    tools: Callable[[Files], Iterable[Finding]]
    # Beside the folder's: those at the top of the repository.
    more: tuple[str, ...] = ()

    def holds(self, path: str) -> bool:
        """Whether a file is one of these."""
        return path.startswith(f"{self.folder}/") or path in self.more

    def check(self, files: Files) -> Iterator[Finding]:
        """Everything."""
        yield from self.rules(files)
        yield from self.tools(files)


def _no_tool(_: Files) -> Iterable[Finding]:
    return ()


AREAS = (
    Area("prometheus", "deploy/prometheus", prometheus_rules.check, prometheus_rules.check_with_tools),
    Area("dashboards", "deploy/grafana", dashboard_rules.check, _no_tool),
    Area("nginx", "deploy/nginx", nginx_rules.check, nginx_rules.check_with_tools),
    Area("kubernetes", "deploy/k8s", kubernetes_rules.check, kubernetes_rules.check_with_tools),
    Area("compose", "deploy/docker", compose_rules.check, compose_rules.check_with_tools, compose_rules.TOP),
    Area("systemd", systemd_rules.FOLDER, systemd_rules.check, systemd_rules.check_with_tools),
    Area("debian", systemd_rules.PACKAGES, systemd_rules.check_packages, systemd_rules.check_packages_with_tools),
)
