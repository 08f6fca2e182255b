"""What each overlay of deploy/k8s comes to: rendered by kustomize, as a cluster would get it."""

import functools
import io
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

import prometheus_rules
from files import Files, laid_out, run, under
from findings import Broken

FOLDER = "deploy/k8s"
OVERLAYS = ("dev", "production", "keda")
RULES = f"{FOLDER}/components/monitoring/rules.yaml"
ADAPTER = f"{FOLDER}/components/adapter-scaling/adapter-values.yaml"

Resource = dict[str, Any]


class _Written(yaml.SafeDumper):
    """YAML as a person writes it: what has lines keeps them, and lists are indented."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


_Written.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None))

RULES_HEAD = """# Made from deploy/prometheus/rules by `python deploy/check write-rules`; do not edit by hand.
"""


def render(files: Files, overlay: str) -> list[Resource]:
    """The resources of an overlay; nobody changes them, so the same files are rendered once."""
    return _render(tuple(under(files, FOLDER)), overlay)


@functools.lru_cache(maxsize=len(OVERLAYS))
def _render(files: tuple[tuple[str, str], ...], overlay: str) -> list[Resource]:
    with laid_out(dict(files)) as root:
        status, said = run("kubectl", "kustomize", f"{FOLDER}/overlays/{overlay}", cwd=root)
    if status != 0:
        raise Broken(f"kustomize cannot build overlays/{overlay}: {said}")
    return [resource for resource in yaml.safe_load_all(io.StringIO(said)) if resource]


def of(resources: list[Resource], kind: str) -> Iterator[Resource]:
    """The resources of a kind."""
    yield from (resource for resource in resources if resource["kind"] == kind)


def pods(resources: list[Resource]) -> Iterator[tuple[str, Resource]]:
    """Every pod's template, with what it is the template of."""
    for resource in resources:
        template = resource.get("spec", {}).get("template")
        if template and "containers" in template.get("spec", {}):
            yield f"{resource['kind']}/{resource['metadata']['name']}", template


def rules_resource(files: Files) -> str:
    """The rules of deploy/prometheus as the Prometheus Operator takes them."""
    resource = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "analytics"},
        "spec": {"groups": prometheus_rules.groups(files)},
    }
    return RULES_HEAD + yaml.dump(resource, Dumper=_Written, sort_keys=False, width=120, allow_unicode=True)


def external_metrics(files: Files) -> dict[str, str]:
    """What the Prometheus adapter offers: each metric's name and its query."""
    rules = yaml.safe_load(files[ADAPTER])["rules"]
    found = {}
    for rule in (*rules["custom"], *rules["external"]):
        series = re.match(r"\w+", rule["seriesQuery"]).group()
        query = rule["metricsQuery"].replace("<<.Series>>", series)
        query = re.sub(r"\{<<\.LabelMatchers>>\}", "", query).replace("<<.GroupBy>>", "pod")
        found[rule["name"]["as"]] = query
    return found


def write_rules(files: Files) -> Path:
    """Writes the made resource into the repository."""
    from files import ROOT

    path = ROOT / RULES
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as draft:
        draft.write(rules_resource(files))
    Path(draft.name).chmod(0o644)
    Path(draft.name).rename(path)
    return path
