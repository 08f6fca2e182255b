"""Kubernetes: what every overlay has to be, rendered."""

import re
from collections.abc import Iterator

import yaml

import kubernetes_files
import prometheus_rules
import reference
from expressions import unknown
from files import Files
from findings import Broken, Finding
from kubernetes_files import FOLDER, OVERLAYS, RULES, Resource, of, pods
from reference import PORTS

# Before Kubernetes gives it to its oldest release still maintained, and to its newest.
RELEASES = ("1.34.0", "1.37.0")

# Kinds of others: the schemas of Kubernetes do not know them, and what is wanted of them is said here.
FOREIGN = {
    "ServiceMonitor": ("monitoring.coreos.com/v1", {"jobLabel", "selector", "endpoints"}),
    "PrometheusRule": ("monitoring.coreos.com/v1", {"groups"}),
    "ScaledObject": ("keda.sh/v1alpha1", {"scaleTargetRef", "minReplicaCount", "maxReplicaCount", "pollingInterval", "triggers"}),
}

# Who scales by the roles' own metrics where.
SCALED = {"dev": set(), "production": {"collector", "processor", "api", "realtime"}, "keda": {"collector", "processor", "api", "realtime"}}


def check(files: Files) -> Iterator[Finding]:
    """What is seen in the rendered resources."""
    yield from _rules_are_those_of_prometheus(files)
    page = files.get("docs/deploy-k8s.md", "")
    settings = reference.settings(files)
    for overlay in OVERLAYS:
        try:
            resources = kubernetes_files.render(files, overlay)
        except Broken as error:
            yield Finding("kustomize", overlay, str(error))
            continue
        for finding in _overlay(files, overlay, resources, settings, page):
            yield Finding(finding.rule, f"{overlay}: {finding.place}", finding.message)


def check_with_tools(files: Files) -> Iterator[Finding]:
    """What the schemas of Kubernetes say, every field known."""
    import kubernetes_validate

    for overlay in OVERLAYS:
        try:
            resources = kubernetes_files.render(files, overlay)
        except Broken as error:
            yield Finding("kustomize", overlay, str(error))
            continue
        for resource in resources:
            place = f"{overlay}: {resource['kind']}/{resource['metadata']['name']}"
            if resource["kind"] in FOREIGN:
                continue
            for release in RELEASES:
                try:
                    kubernetes_validate.validate(resource, release, strict=True)
                except kubernetes_validate.ValidationError as error:
                    yield Finding("schema", place, f"{release}: {'.'.join(map(str, error.path))}: {error.message}")
                except Exception as error:  # noqa: BLE001: an unknown kind or version has classes of its own
                    yield Finding("schema", place, f"{release}: {error}")


def _overlay(files: Files, overlay: str, resources: list[Resource], settings: dict[str, frozenset[str]], page: str) -> Iterator[Finding]:
    deployments = {resource["metadata"]["name"]: resource for resource in of(resources, "Deployment")}
    if set(deployments) != {f"analytics-{role}" for role in PORTS}:
        yield Finding("role", "Deployments", f"{sorted(deployments)} are not the four roles")
    yield from _pods(resources)
    yield from _environment(resources, settings, page)
    yield from _selectors(resources)
    yield from _ports(deployments, resources)
    yield from _images(overlay, resources)
    yield from _scaling(files, overlay, deployments, resources)
    yield from _ingress(resources)
    yield from _network(resources)
    yield from _foreign(resources)


def _pods(resources: list[Resource]) -> Iterator[Finding]:
    """No pod may do more than it has to, and each says what it needs."""
    for place, template in pods(resources):
        spec = template["spec"]
        context = spec.get("securityContext", {})
        if not context.get("runAsNonRoot") or not context.get("runAsUser") or context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield Finding("security", place, "a pod runs as a numbered user that is not root, under the runtime's seccomp profile")
        if spec.get("automountServiceAccountToken") is not False:
            yield Finding("security", place, "no pod gets a token for the cluster")
        for container in spec["containers"]:
            own = container.get("securityContext", {})
            if own.get("allowPrivilegeEscalation") is not False or not own.get("readOnlyRootFilesystem") or own.get("capabilities", {}).get("drop") != ["ALL"]:
                yield Finding("security", place, f"{container['name']} has to drop all capabilities, on a read-only root, without escalation")
            for what in ("requests", "limits"):
                if set(container.get("resources", {}).get(what, {})) != {"cpu", "memory"}:
                    yield Finding("resources", place, f"{container['name']} says its {what} of cpu and memory")
        if place.startswith("Deployment/"):
            yield from _life(place, spec)


def _life(place: str, spec: Resource) -> Iterator[Finding]:
    [container] = spec["containers"]
    for probe, path in (("readinessProbe", "/health"), ("livenessProbe", "/health/live")):
        get = container.get(probe, {}).get("httpGet", {})
        ports = {port["name"] for port in container["ports"]}
        if get.get("path") != path or get.get("port") not in ports:
            yield Finding("probe", place, f"{probe} has to get {path} at one of {sorted(ports)}, and gets {get}")
    pause = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    # Twenty seconds for requests in flight, three for slow clients (shared/host), and some for the store to be closed.
    if pause < 5 or spec.get("terminationGracePeriodSeconds", 30) < pause + 30:
        yield Finding("stop", place, "a pod waits 5 s before it stops, and has 30 s more to stop")


def _environment(resources: list[Resource], settings: dict[str, frozenset[str]], page: str) -> Iterator[Finding]:
    """Each variable is a setting of its role; each secret is described and none is written down."""
    shared = {resource["metadata"]["name"]: resource.get("data", {}) for resource in of(resources, "ConfigMap")}
    if list(of(resources, "Secret")):
        yield Finding("plain-secret", "Secret", "no Secret is written down: it is made by hand, as the page says")
    for place, template in pods(resources):
        role = template["metadata"]["labels"].get("app.kubernetes.io/component")
        if role is None:
            continue
        reader = "analytics" if role == "migrate" else role
        for container in template["spec"]["containers"]:
            named = {variable["name"]: variable for variable in container.get("env", [])}
            for source in container.get("envFrom", []):
                for name in shared.get(source["configMapRef"]["name"], {}):
                    if name not in settings:
                        yield Finding("setting", place, f"nobody reads {name} of {source['configMapRef']['name']}")
                if source["configMapRef"]["name"] not in shared:
                    yield Finding("setting", place, f"there is no ConfigMap {source['configMapRef']['name']}")
            for name, variable in named.items():
                if reader not in settings.get(name, frozenset()):
                    yield Finding("setting", place, f"{role} does not read {name}")
                reference_ = variable.get("valueFrom", {}).get("secretKeyRef")
                if reference_ and f"`{reference_['key']}`" not in page:
                    yield Finding("secret-described", place, f"docs/deploy-k8s.md does not say what {reference_['key']} is")
                if not reference_ and re.search(r"_URL$|_KEYS$|PASSWORD", name):
                    yield Finding("plain-secret", place, f"{name} has to come from the Secret")
    for name, data in shared.items():
        for key in data:
            if re.search(r"_URL$|_KEYS$|PASSWORD", key):
                yield Finding("plain-secret", f"ConfigMap/{name}", f"{key} belongs into the Secret")


def _selectors(resources: list[Resource]) -> Iterator[Finding]:
    """Whoever chooses pods by label chooses some."""
    labels = [template["metadata"]["labels"] for _, template in pods(resources)]
    for resource in resources:
        spec, kind = resource.get("spec", {}), resource["kind"]
        if kind == "Deployment" or kind == "StatefulSet":
            wanted, found = spec["selector"]["matchLabels"], [spec["template"]["metadata"]["labels"]]
        elif kind == "Service":
            wanted, found = spec["selector"], labels
        elif kind == "PodDisruptionBudget":
            wanted, found = spec["selector"]["matchLabels"], labels
        elif kind == "ServiceMonitor":
            wanted, found = spec["selector"]["matchLabels"], [service["metadata"].get("labels", {}) for service in of(resources, "Service")]
        elif kind == "NetworkPolicy":
            for expression in spec["podSelector"].get("matchExpressions", []):
                for value in expression["values"]:
                    if not any(pod.get(expression["key"]) == value for pod in labels):
                        yield Finding("selector", f"{kind}/{resource['metadata']['name']}", f"no pod has {expression['key']}={value}")
            wanted, found = spec["podSelector"].get("matchLabels", {}), labels
        else:
            continue
        if not any(wanted.items() <= candidate.items() for candidate in found):
            yield Finding("selector", f"{kind}/{resource['metadata']['name']}", f"{wanted} chooses nothing")


def _ports(deployments: dict[str, Resource], resources: list[Resource]) -> Iterator[Finding]:
    """Each role listens where it does everywhere, and its Service and its scraper find it there."""
    services = {service["metadata"]["name"]: service for service in of(resources, "Service")}
    for role, port in PORTS.items():
        name = f"analytics-{role}"
        [container] = deployments.get(name, {}).get("spec", {}).get("template", {}).get("spec", {}).get("containers", [{}])
        opened = {entry["name"]: entry["containerPort"] for entry in container.get("ports", [])}
        if list(opened.values()) != [port]:
            yield Finding("port", name, f"it listens on {port}, and opens {opened}")
        service = services.get(name, {"spec": {"ports": []}})
        offered = [(entry["port"], entry["targetPort"]) for entry in service["spec"]["ports"]]
        if [number for number, _ in offered] != [port] or any(target not in opened for _, target in offered):
            yield Finding("port", f"Service/{name}", f"it has to offer {port} by the name of the container's port; it offers {offered}")
    for monitor in of(resources, "ServiceMonitor"):
        name = monitor["metadata"]["name"]
        known = {entry["name"] for entry in services.get(name, {"spec": {"ports": []}})["spec"]["ports"]}
        for endpoint in monitor["spec"]["endpoints"]:
            if endpoint["port"] not in known or endpoint.get("path") != "/metrics":
                yield Finding("port", f"ServiceMonitor/{name}", f"{endpoint} is none of the Service's {sorted(known)} at /metrics")
        label = monitor["spec"].get("jobLabel", "")
        if services.get(name, {}).get("metadata", {}).get("labels", {}).get(label) != name.removeprefix("analytics-"):
            yield Finding("job", f"ServiceMonitor/{name}", "jobLabel has to name the label that holds the role: dashboards go by it")


def _images(overlay: str, resources: list[Resource]) -> Iterator[Finding]:
    for place, template in pods(resources):
        for container in template["spec"]["containers"]:
            name, _, tag = container["image"].rpartition(":")
            if not name or tag == "latest":
                yield Finding("image", place, f"{container['image']} names no release")
            if name.startswith("analytics/") and overlay != "dev" and not re.fullmatch(r"\d+\.\d+\.\d+", tag):
                yield Finding("image", place, f"{container['image']} names no release")


def _scaling(files: Files, overlay: str, deployments: dict[str, Resource], resources: list[Resource]) -> Iterator[Finding]:
    """Who scales a role, scales one that is there, by a metric that is there; and one alone does."""
    metrics, offered = prometheus_rules.known(files), kubernetes_files.external_metrics(files)
    for name, query in offered.items():
        known = {metric: entry.__class__(entry.name, entry.kind, entry.labels | {"namespace", "pod"}, entry.roles) for metric, entry in metrics.items()}
        for sentence in unknown(query, known):
            yield Finding("scale-metric", f"adapter: {name}", sentence)
    targets: list[str] = []
    for scaler in of(resources, "HorizontalPodAutoscaler"):
        place, spec = f"HorizontalPodAutoscaler/{scaler['metadata']['name']}", scaler["spec"]
        targets.append(spec["scaleTargetRef"]["name"])
        yield from _bounds(place, spec["minReplicas"], spec["maxReplicas"])
        for metric in spec["metrics"]:
            own = metric.get("external", metric.get("pods"))
            if own and own["metric"]["name"] not in offered:
                yield Finding("scale-metric", place, f"the adapter offers no {own['metric']['name']}")
    for scaler in of(resources, "ScaledObject"):
        place, spec = f"ScaledObject/{scaler['metadata']['name']}", scaler["spec"]
        targets.append(spec["scaleTargetRef"]["name"])
        yield from _bounds(place, spec["minReplicaCount"], spec["maxReplicaCount"])
        for trigger in spec["triggers"]:
            known = {metric: entry.__class__(entry.name, entry.kind, entry.labels | {"namespace"}, entry.roles) for metric, entry in metrics.items()}
            for sentence in unknown(trigger["metadata"]["query"], known):
                yield Finding("scale-metric", place, sentence)
    for target in targets:
        if target not in deployments:
            yield Finding("scale-target", target, "is scaled, and is not there")
        elif "replicas" in deployments[target]["spec"]:
            yield Finding("scale-replicas", target, "is scaled: a number of its own would be put back by each `kubectl apply`")
        if targets.count(target) > 1:
            yield Finding("scale-target", target, "is scaled by two, who would pull at it")
    if {target.removeprefix("analytics-") for target in targets} != SCALED[overlay]:
        yield Finding("scale-target", overlay, f"{sorted(targets)} are scaled; it has to be {sorted(SCALED[overlay])}")


def _bounds(place: str, least: int, most: int) -> Iterator[Finding]:
    if not 2 <= least < most:
        yield Finding("scale-bounds", place, f"{least} to {most} replicas: one alone may be away, and there has to be room")


def _ingress(resources: list[Resource]) -> Iterator[Finding]:
    """Clients reach what is for them and nothing else."""
    services = {service["metadata"]["name"]: {port["name"] for port in service["spec"]["ports"]} for service in of(resources, "Service")}
    routes = {}
    for ingress in of(resources, "Ingress"):
        place = f"Ingress/{ingress['metadata']['name']}"
        if not ingress["spec"].get("tls"):
            yield Finding("tls", place, "clients come over TLS alone")
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                service = path["backend"]["service"]
                routes[path["path"]] = service["name"]
                if service["port"].get("name") not in services.get(service["name"], set()):
                    yield Finding("port", place, f"{path['path']} goes to {service}, which is not there")
                if path["pathType"] != "Exact" and "/metrics".startswith(path["path"].rstrip("/") or "/"):
                    yield Finding("closed", place, f"{path['path']} takes /metrics too, which is for Prometheus")
    of_api = dict.fromkeys(("/api", "/", "/assets", "/tracker.js"), "analytics-api")
    wanted = {"/collect": "analytics-collector", "/realtime": "analytics-realtime", **of_api}
    if not wanted.items() <= routes.items():
        yield Finding("route", "Ingress", f"{routes} does not send {wanted} where they belong")


def _network(resources: list[Resource]) -> Iterator[Finding]:
    """Nobody speaks with anybody unasked."""
    closed = [
        policy
        for policy in of(resources, "NetworkPolicy")
        if policy["spec"]["podSelector"] == {"matchLabels": {"app.kubernetes.io/part-of": "analytics"}}
        and set(policy["spec"]["policyTypes"]) == {"Ingress", "Egress"}
        and not policy["spec"].get("ingress")
        and not policy["spec"].get("egress")
    ]
    if not closed:
        yield Finding("network", "NetworkPolicy", "one policy closes everything that no other opens")
    for policy in of(resources, "NetworkPolicy"):
        apps = {app for expression in policy["spec"]["podSelector"].get("matchExpressions", []) for app in expression["values"]}
        for rule in policy["spec"].get("egress", []):
            if "analytics-collector" in apps and any(port["port"] in (5432, 6432) for port in rule.get("ports", [])):
                yield Finding("network", policy["metadata"]["name"], "the collector has nothing to do with the database")
        for rule in policy["spec"].get("ingress", []):
            if not rule.get("from"):
                yield Finding("network", policy["metadata"]["name"], "lets everybody in")


def _foreign(resources: list[Resource]) -> Iterator[Finding]:
    for resource in resources:
        wanted = FOREIGN.get(resource["kind"])
        if wanted and (resource["apiVersion"] != wanted[0] or set(resource["spec"]) != wanted[1]):
            place = f"{resource['kind']}/{resource['metadata']['name']}"
            yield Finding("foreign", place, f"{resource['apiVersion']} with {sorted(resource['spec'])}; it has to be {wanted}")


def _rules_are_those_of_prometheus(files: Files) -> Iterator[Finding]:
    if files.get(RULES) != kubernetes_files.rules_resource(files):
        yield Finding("rules-alike", RULES, "differs from deploy/prometheus/rules: `python deploy/check write-rules` writes it anew")
    made = yaml.safe_load(files.get(RULES) or "{}") or {}
    if made.get("kind") != "PrometheusRule":
        yield Finding("rules-alike", f"{FOLDER}/components/monitoring", "there is no PrometheusRule")
