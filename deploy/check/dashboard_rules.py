"""Grafana: dashboards that show what there is, and the files that bring them in."""

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

import prometheus_rules
import reference
from expressions import filled_in, labels_left, unknown, uses
from files import Files, under
from findings import Finding

FOLDER = "deploy/grafana/dashboards"
PROVISIONING = "deploy/grafana/provisioning"
WANTED = ("collector-metrics.json", "processor-metrics.json", "api-metrics.json", "business-metrics.json")
TYPES = {"prometheus": "datasource", "grafana-postgresql-datasource": "database"}

# Columns of Grafana's page.
WIDTH = 24

# The tables of docs/contract.md, and those that its sentences are about.
TABLES = {"raw_events", "daily_metrics", "session_users", "receipt_counts"}


def dashboards(files: Files) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every dashboard by its path."""
    for path, text in under(files, FOLDER, ".json"):
        yield path, json.loads(text)


def panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The panels that show something; rows only part them."""
    for panel in dashboard["panels"]:
        if panel["type"] != "row":
            yield panel


def expressions(files: Files) -> Iterator[tuple[str, str]]:
    """The PromQL of every panel, with where it stands."""
    for path, dashboard in dashboards(files):
        for panel in panels(dashboard):
            for target in panel["targets"]:
                if "expr" in target:
                    yield f"{path}: {panel['title']}", target["expr"]


def statements(files: Files) -> Iterator[tuple[str, str]]:
    """The SQL of every panel, with where it stands."""
    for path, dashboard in dashboards(files):
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                yield f"{path}: variable {variable['name']}", variable["query"]
        for panel in panels(dashboard):
            for target in panel["targets"]:
                if "rawSql" in target:
                    yield f"{path}: {panel['title']}", target["rawSql"]


def check(files: Files) -> Iterator[Finding]:
    """What can be seen without Grafana."""
    found = dict(dashboards(files))
    for name in WANTED:
        if f"{FOLDER}/{name}" not in found:
            yield Finding("dashboard", FOLDER, f"{name} is missing")
    uids = [dashboard["uid"] for dashboard in found.values()]
    if len(set(uids)) < len(uids):
        yield Finding("uid", FOLDER, f"two dashboards have the same uid: {sorted(uids)}")
    for path, dashboard in found.items():
        yield from _form(path, dashboard)
        yield from _layout(path, dashboard)
    yield from _queries(files)
    yield from _every_metric_is_shown(files)
    yield from _provisioning(files)


def _form(path: str, dashboard: dict[str, Any]) -> Iterator[Finding]:
    """What every panel has to have to be read without its author."""
    if dashboard.get("id") is not None:
        yield Finding("form", path, "`id` belongs to one Grafana; the uid names the dashboard")
    variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
    ids = [panel["id"] for panel in dashboard["panels"]]
    if len(set(ids)) < len(ids):
        yield Finding("panel-id", path, f"panels share an id: {ids}")
    for panel in panels(dashboard):
        place = f"{path}: {panel.get('title')}"
        for field in ("title", "description"):
            if not panel.get(field):
                yield Finding("form", place, f"a panel has a {field}")
        if not panel["fieldConfig"]["defaults"].get("unit"):
            yield Finding("unit", place, "a panel says the unit of what it shows")
        for source in (panel["datasource"], *(target["datasource"] for target in panel["targets"])):
            name = TYPES.get(source["type"])
            if name is None or source["uid"] != f"${{{name}}}" or variables.get(name, {}).get("query") != source["type"]:
                yield Finding("datasource", place, f"{source} is no data source that the reader chooses by a variable")
        references = [target["refId"] for target in panel["targets"]]
        if not references or len(set(references)) < len(references):
            yield Finding("form", place, f"targets need ids of their own: {references}")


def _layout(path: str, dashboard: dict[str, Any]) -> Iterator[Finding]:
    """No panel lies on another or beyond the page."""
    taken: dict[tuple[int, int], str] = {}
    for panel in dashboard["panels"]:
        grid = panel["gridPos"]
        if grid["x"] < 0 or grid["x"] + grid["w"] > WIDTH or grid["w"] < 1 or grid["h"] < 1:
            yield Finding("layout", path, f"{panel['title']} is beyond the page: {grid}")
        cells = {(x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])}
        others = {taken[cell] for cell in cells & taken.keys()}
        if others:
            yield Finding("layout", path, f"{panel['title']} lies on {', '.join(sorted(others))}")
        taken.update(dict.fromkeys(cells, panel["title"]))


def _queries(files: Files) -> Iterator[Finding]:
    """Each query asks for something that is there; what a legend names is left by its query."""
    known = prometheus_rules.known(files)
    for path, dashboard in dashboards(files):
        for panel in panels(dashboard):
            for target in panel["targets"]:
                place = f"{path}: {panel['title']}"
                if "expr" in target:
                    yield from _promql(place, target, known)
                elif "rawSql" in target:
                    yield from _sql(place, target["rawSql"])
                else:
                    yield Finding("query", place, "a target has `expr` or `rawSql`")


def _promql(place: str, target: dict[str, Any], known: dict[str, reference.Metric]) -> Iterator[Finding]:
    expression = target["expr"]
    try:
        yield from (Finding("metric", place, sentence) for sentence in unknown(expression, known))
    except ValueError as error:
        yield Finding("promql", place, f"{filled_in(expression)}: {error}")
        return
    if any(f"rate({use.metric}" in expression and "$__rate_interval" not in expression for use in uses(expression)):
        yield Finding("rate", place, f"a rate over $__rate_interval fits every zoom: {expression}")
    left = labels_left(expression)
    all_labels = frozenset().union(*(known[use.metric].labels for use in uses(expression) if use.metric in known))
    for label in re.findall(r"\{\{\s*(\w+)\s*\}\}", target.get("legendFormat", "")):
        if label not in (all_labels if left is None else left):
            yield Finding("legend", place, f"{expression} leaves no label {label} for the legend")


def _sql(place: str, statement: str) -> Iterator[Finding]:
    """A statement reads the published tables, one project, one range."""
    common = set(re.findall(r"(?:WITH|,)\s+(\w+) AS \(", statement))
    tables = set(re.findall(r"\b(?:FROM|JOIN)\s+([a-z_]+)", statement)) - common
    if not tables or not tables <= TABLES:
        yield Finding("table", place, f"{sorted(tables)} are not all of {sorted(TABLES)}")
    if "project = ${project:sqlstring}" not in statement:
        yield Finding("project", place, "a statement is about the chosen project, quoted by Grafana")
    if "$__timeFilter(" not in statement and "$__timeFrom()" not in statement:
        yield Finding("range", place, "a statement is about the chosen range")


def _every_metric_is_shown(files: Files) -> Iterator[Finding]:
    """What the roles tell is on some panel or in some rule: else why tell it."""
    asked = [expression for _, expression in expressions(files)] + [rule["expr"] for rule in prometheus_rules.rules(files)]
    shown = {use.metric for expression in asked if _reads(expression) for use in uses(expression)}
    for metric in reference.metrics(files).values():
        stem = re.sub(r"_(bucket|sum|count)$", "", metric.name)
        if metric.name in reference.OF_PROMETHEUS:
            continue
        if not any(name == metric.name or name.startswith(f"{stem}_") for name in shown):
            yield Finding("shown", "docs/metrics.md", f"{metric.name} is on no panel and in no rule")


def _reads(expression: str) -> bool:
    try:
        uses(expression)
    except ValueError:
        return False
    return True


def _provisioning(files: Files) -> Iterator[Finding]:
    """Grafana finds both data sources and the folder, and no secret is written down."""
    sources = yaml.safe_load(files[f"{PROVISIONING}/datasources/analytics.yaml"])["datasources"]
    if {source["type"] for source in sources} != set(TYPES):
        yield Finding("provisioning", PROVISIONING, f"there has to be a data source of each of {sorted(TYPES)}")
    for source in sources:
        for name, value in source.get("secureJsonData", {}).items():
            if not re.fullmatch(r"\$\{\w+\}", str(value)):
                yield Finding("plain-secret", source["name"], f"{name} has to come from a variable")
    providers = yaml.safe_load(files[f"{PROVISIONING}/dashboards/analytics.yaml"])["providers"]
    if not all(provider["options"].get("path") for provider in providers):
        yield Finding("provisioning", PROVISIONING, "a provider names the folder of the dashboards")
