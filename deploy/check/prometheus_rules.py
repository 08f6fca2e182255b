"""Prometheus: what it scrapes, records and wakes somebody for."""

from collections.abc import Iterator
from typing import Any

import yaml

import reference
from expressions import labels_left, unknown
from files import Files, laid_out, tool, under
from findings import Finding
from reference import Metric

FOLDER = "deploy/prometheus"
CONFIG = f"{FOLDER}/prometheus.yml"
TESTS = f"{FOLDER}/tests.yml"
RULES = f"{FOLDER}/rules"
SEVERITIES = ("critical", "warning")

# What has to wake somebody, whatever else does: where events are refused, wait or are put aside, and answers fail.
WANTED_ALERTS = {
    "AnalyticsRoleDown": "up",
    "AnalyticsQueueDeep": "analytics:queue_depth:max",
    "AnalyticsQueueStalled": "analytics:events_processed:rate5m",
    "AnalyticsIngestLag": "analytics:ingest_lag_seconds:max",
    "AnalyticsDeadLettersGrowing": "analytics:dead_letters:max",
    "AnalyticsCollectSlow": "analytics:collect_latency_seconds:p99_5m",
    "AnalyticsApiSlow": "analytics:api_latency_seconds:p95_5m",
    "AnalyticsApiErrors": "analytics:api_errors:ratio5m",
    "AnalyticsHandlerPanicked": "analytics_http_panics_total",
}


def groups(files: Files) -> list[dict[str, Any]]:
    """The groups of all rule files, in the order of their names."""
    return [group for _, text in sorted(under(files, RULES, ".yml")) for group in yaml.safe_load(text)["groups"]]


def rules(files: Files) -> Iterator[dict[str, Any]]:
    """Every rule of every file."""
    for group in groups(files):
        yield from group["rules"]


def known(files: Files) -> dict[str, Metric]:
    """Everything that an expression may ask for: what roles expose, and what is recorded."""
    found = reference.metrics(files)
    for rule in rules(files):
        if "record" in rule:
            found[rule["record"]] = Metric(rule["record"], "recorded", labels_left(rule["expr"]) or frozenset(), "")
    return found


def check(files: Files) -> Iterator[Finding]:
    """What can be seen without Prometheus."""
    yield from _jobs(files)
    metrics = known(files)
    for rule in rules(files):
        name = rule.get("record") or rule["alert"]
        for sentence in unknown(rule["expr"], metrics):
            yield Finding("metric", name, sentence)
    yield from _alerts(files)


def check_with_tools(files: Files) -> Iterator[Finding]:
    """What promtool says of the configuration and the rules, and whether the rules' own tests pass."""
    with laid_out(files) as root:
        calls = (("check", "config", CONFIG), ("check", "rules", *(path for path, _ in under(files, RULES, ".yml"))), ("test", "rules", TESTS))
        for call in calls:
            said = tool("promtool", *call, cwd=root)
            if said is not None:
                yield Finding(f"promtool {call[0]} {call[1]}", call[2], said)


def _jobs(files: Files) -> Iterator[Finding]:
    """Each role is scraped as a job of its name, at its port."""
    jobs = {job["job_name"]: job for job in yaml.safe_load(files[CONFIG])["scrape_configs"]}
    for role, port in reference.PORTS.items():
        found = [(names, config["port"]) for config in jobs.get(role, {}).get("dns_sd_configs", []) for names in config["names"]]
        if found != [(role, port)]:
            yield Finding("job", CONFIG, f"{role} has to be a job that asks {role}:{port}, and asks {found}")
    for job in jobs.values():
        if job.get("metrics_path", "/metrics") != "/metrics":
            yield Finding("job", CONFIG, f"{job['job_name']} shows its metrics at /metrics")


def _alerts(files: Files) -> Iterator[Finding]:
    """Each alert has a weight, a sentence, a page that says what to do, and a test in which it fires."""
    page = files.get("docs/operations.md", "")
    anchors = reference.headings(page)
    alerts = {rule["alert"]: rule for rule in rules(files) if "alert" in rule}
    fired, silent = _tested(files)
    for name, rule in alerts.items():
        if rule.get("labels", {}).get("severity") not in SEVERITIES:
            yield Finding("severity", name, f"severity has to be one of {', '.join(SEVERITIES)}")
        notes = rule.get("annotations", {})
        if not notes.get("summary"):
            yield Finding("summary", name, "an alert says in one sentence what is wrong")
        path, _, anchor = notes.get("runbook_url", "").partition("#")
        if path != "docs/operations.md" or anchor not in anchors:
            yield Finding("runbook", name, f"docs/operations.md has no heading for {notes.get('runbook_url')!r}")
        if name not in fired:
            yield Finding("alert-tested", name, f"{TESTS} has no case in which it fires")
    for name, series in WANTED_ALERTS.items():
        if series not in alerts.get(name, {}).get("expr", ""):
            yield Finding("alert", FOLDER, f"there has to be an alert {name} on {series}")
    if not silent:
        yield Finding("alert-tested", TESTS, "no case says that no alert fires where all is well")


def _tested(files: Files) -> tuple[set[str], bool]:
    """The alerts that some case lets fire, and whether a case holds all of them silent."""
    fired, silent = set(), False
    for case in yaml.safe_load(files[TESTS])["tests"]:
        fired |= {test["alertname"] for test in case.get("alert_rule_test", []) if test["exp_alerts"]}
        silent |= any("ALERTS" in test["expr"] for test in case.get("promql_expr_test", []))
    return fired, silent
