"""What tests ask a running Prometheus, and what it is started with: the files of deploy/, for other addresses."""

import json

import yaml

import dashboard_rules
import kubernetes_files
import prometheus_rules
from expressions import filled_in, uses
from files import Files
from findings import Broken

# A second where production has fifteen: a test does not wait for minutes.
INTERVAL = "1s"


def print_queries(files: Files, _: list[str]) -> None:
    """JSON: each panel's expression and statement, and every series with the labels that are asked of it."""
    panels = [{"place": place, "expr": filled_in(expr, {"$__rate_interval": "10s"})} for place, expr in dashboard_rules.expressions(files)]
    statements = [{"place": place, "sql": sql} for place, sql in dashboard_rules.statements(files)]
    asked = [expr for _, expr in dashboard_rules.expressions(files)] + [rule["expr"] for rule in prometheus_rules.rules(files)]
    series = {(use.metric, label) for expr in asked for use in uses(expr) for label in (use.labels or {""})}
    recorded = sorted(rule["record"] for rule in prometheus_rules.rules(files) if "record" in rule)
    print(json.dumps({"panels": panels, "statements": statements, "series": sorted(series), "recorded": recorded}))


def print_environment(files: Files, overlays: list[str]) -> None:
    """JSON: of each pod of an overlay the arguments and variables, `{"secret": KEY}` where a value is one."""
    [overlay] = overlays
    resources = kubernetes_files.render(files, overlay)
    shared = {resource["metadata"]["name"]: resource["data"] for resource in kubernetes_files.of(resources, "ConfigMap")}
    found = {}
    for _, template in kubernetes_files.pods(resources):
        role = template["metadata"]["labels"].get("app.kubernetes.io/component")
        [container] = template["spec"]["containers"]
        variables = {name: value for source in container.get("envFrom", []) for name, value in shared[source["configMapRef"]["name"]].items()}
        for variable in container.get("env", []):
            secret = variable.get("valueFrom", {}).get("secretKeyRef", {})
            variables[variable["name"]] = {"secret": secret["key"]} if secret else variable["value"]
        if role:
            program = container["image"].rpartition(":")[0].removeprefix("analytics/")
            found[role] = {"program": program, "arguments": container.get("args", []), "variables": variables}
    print(json.dumps(found))


def print_scrape(files: Files, targets: list[str]) -> None:
    """YAML: deploy/prometheus/prometheus.yml with `ROLE=HOST:PORT` in place of what DNS would give, and quick."""
    config = yaml.safe_load(files[prometheus_rules.CONFIG])
    addresses = dict(target.split("=", 1) for target in targets)
    for job in config["scrape_configs"]:
        if job["job_name"] not in addresses:
            raise Broken(f"no address was given for the job {job['job_name']}")
        del job["dns_sd_configs"]
        job["static_configs"] = [{"targets": [addresses[job["job_name"]]]}]
    config["global"].update(scrape_interval=INTERVAL, scrape_timeout=INTERVAL, evaluation_interval=INTERVAL)
    print(yaml.safe_dump(config))
