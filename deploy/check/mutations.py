"""Broken files that the rules have to refuse: what shows that a green check means something."""

from collections.abc import Iterator
from dataclasses import dataclass

from areas import AREAS
from files import Files
from findings import Broken, Finding


@dataclass(frozen=True)
class Mutation:
    """A fault: the first `old` of a file becomes `new`, and the rule that has to speak of it."""

    name: str
    path: str
    old: str
    new: str
    rule: str

    def put_in(self, files: Files) -> Files:
        """The files with this fault."""
        text = files.get(self.path, "")
        if self.old not in text:
            raise Broken(f"the mutation `{self.name}` finds no {self.old!r} in {self.path}")
        return {**files, self.path: text.replace(self.old, self.new, 1)}


def check(files: Files) -> Iterator[Finding]:
    """Each fault is put in alone and has to be found by its own rule, which is silent without it."""
    for mutation in MUTATIONS:
        [area] = [area for area in AREAS if area.holds(mutation.path)]
        look = area.tools if mutation.rule.startswith(TOOLS) else area.rules
        broken = mutation.put_in(files)
        # What looks further than to the first finding of the rule takes three times as long.
        if not any(finding.rule == mutation.rule for finding in look(broken)):
            found = sorted({finding.rule for finding in look(broken)})
            message = f"the rule {mutation.rule} does not see `{mutation.name}`; these spoke: {found}"
            yield Finding("self-test", "deploy/check", message)


# Rules that a tool of somebody else's speaks by.
TOOLS = ("promtool", "nginx -t", "kustomize", "schema", "compose schema", "docker-compose", "systemd-analyze", "sh -n")

_PROMETHEUS = "deploy/prometheus/prometheus.yml"
_ALERTS = "deploy/prometheus/rules/alerts.yml"
_RECORDED = "deploy/prometheus/rules/recording.yml"
_TESTS = "deploy/prometheus/tests.yml"
_COLLECTOR = "deploy/grafana/dashboards/collector-metrics.json"
_API = "deploy/grafana/dashboards/api-metrics.json"
_BUSINESS = "deploy/grafana/dashboards/business-metrics.json"
_SOURCES = "deploy/grafana/provisioning/datasources/analytics.yaml"
_NGINX = "deploy/nginx/nginx.conf"
_UPSTREAMS = "deploy/nginx/snippets/upstreams.conf"
_LOCATIONS = "deploy/nginx/snippets/locations.conf"
_PROXY = "deploy/nginx/snippets/proxy.conf"
_ANSWERS = "deploy/nginx/snippets/answers.conf"
_LOG = "deploy/nginx/snippets/log.conf"
_BASE = "deploy/k8s/base"
_COLLECTORS = f"{_BASE}/collector.yaml"
_ADAPTER = "deploy/k8s/components/adapter-scaling"
_KEDA = "deploy/k8s/components/keda-scaling/scaling.yaml"
_COMPOSE = "docker-compose.yml"
_EXAMPLE = ".env.example"
_DOCKERFILE = "deploy/docker/Dockerfile"
_UNIT = "deploy/systemd/analytics.service"
_UNIT_OF_API = "deploy/systemd/analytics-api.service"
_SETTINGS = "deploy/systemd/analytics.env"
_PACKAGE = "deploy/debian/analytics"

MUTATIONS = [
    Mutation("no key of the specification", _COMPOSE, "read_only: true", "readonly: true", "compose schema"),
    Mutation("a service that is not there", _COMPOSE, "redis-cache: {condition: service_healthy}", "redis-other: {condition: service_healthy}", "docker-compose config"),
    Mutation("a role's port for everybody", _COMPOSE, "CONCURRENCY: 10\n      AUTO_MIGRATE: \"false\"\n", "CONCURRENCY: 10\n      AUTO_MIGRATE: \"false\"\n    ports: [\"4004:4004\"]\n", "door"),
    Mutation("a third port", _COMPOSE, "${HTTPS_PORT:-443}:443\"", "${HTTPS_PORT:-443}:443\"\n      - \"8080:8080\"", "door"),
    Mutation("an nginx that is too old", _COMPOSE, "nginx:1.28-alpine", "nginx:1.26-alpine", "nginx-version"),
    Mutation("fewer collectors", _COMPOSE, "replicas: 3", "replicas: 2", "size"),
    Mutation("more at once", _COMPOSE, "CONCURRENCY: 10", "CONCURRENCY: 5", "size"),
    Mutation("a role that may write", _COMPOSE, "read_only: true\n  cap_drop: [ALL]", "read_only: false\n  cap_drop: [ALL]", "rights"),
    Mutation("rights for all", _COMPOSE, "no-new-privileges:true", "no-new-privileges:false", "rights"),
    Mutation("another role's image", _COMPOSE, "target: realtime", "target: api", "build"),
    Mutation("a setting of somebody else's", _COMPOSE, "RATE_LIMIT: ${RATE_LIMIT:-off}", "CONCURRENCY: 4", "setting"),
    Mutation("not for production", _COMPOSE, "APP_ENV: ${APP_ENV:-production}\n  NODE_ENV", "APP_ENV: ${APP_ENV:-development}\n  NODE_ENV", "production"),
    Mutation("a password written down", _COMPOSE, "POSTGRES_PASSWORD: ${POSTGRES_PASSWORD:?say it in .env, see .env.example}", "POSTGRES_PASSWORD: password", "secret"),
    Mutation("a password by default", _COMPOSE, "- ${REDIS_PASSWORD:?say it in .env, see .env.example}", "- ${REDIS_PASSWD_PASSWORD:-password}", "secret"),
    Mutation("a queue of the last second", _COMPOSE, "- always", "- everysec", "durable"),
    Mutation("a 202 that may go", _COMPOSE, "DURABILITY: durable", "DURABILITY: fast", "durable"),
    Mutation("a queue that forgets", _COMPOSE, "- noeviction", "- allkeys-lru", "durable"),
    Mutation("a cache that refuses", _COMPOSE, "- allkeys-lru", "- noeviction", "cache"),
    Mutation("a store without a disk", _COMPOSE, "volumes: [postgres_data:/var/lib/postgresql/data]", "volumes: [postgres_data:/var/lib/postgresql]", "volume"),
    Mutation("everybody is believed", _COMPOSE, "TRUSTED_PROXIES: ${SUBNET:-10.89.17.0/24}", "TRUSTED_PROXIES: 10.0.0.0/8", "proxies"),
    Mutation("ended for ever", _COMPOSE, "restart: unless-stopped", "restart: on-failure", "restart"),
    Mutation("a log without end", _COMPOSE, "options: {max-size: 10m, max-file: \"5\"}", "options: {}", "log"),
    Mutation("not waited for", _COMPOSE, "migrate: {condition: service_completed_successfully}", "migrate: {condition: service_started}", "order"),
    Mutation("a volume with the example's password", _COMPOSE, "settings: {condition: service_completed_successfully}", "{}", "order"),
    Mutation("nobody asks after it", _COMPOSE, "healthcheck:\n      test: [CMD-SHELL, \"pg_isready", "x-healthcheck:\n      test: [CMD-SHELL, \"pg_isready", "health"),
    Mutation("a value that is not asked for", _EXAMPLE, "REDIS_PASSWORD=change-me\n", "", "example"),
    Mutation("an example that would start", _EXAMPLE, "POSTGRES_PASSWORD=change-me", "POSTGRES_PASSWORD=postgres", "example"),
    Mutation("a setting that nobody reads", _EXAMPLE, "#RATE_LIMIT=off", "#RATE_LIMITS=off", "example"),
    Mutation("open to the office", "docker-compose.dev.yml", "127.0.0.1:9090:9090", "9090:9090", "loopback"),
    Mutation("an image of root's", _DOCKERFILE, "USER 65532:65532\nWORKDIR", "USER root\nWORKDIR", "image"),
    Mutation("a shell that hears no signal", _DOCKERFILE, 'ENTRYPOINT ["/usr/local/bin/api"]', "ENTRYPOINT /usr/local/bin/api", "image"),
    Mutation("the health of another port", _DOCKERFILE, '"http://127.0.0.1:4004"', '"http://127.0.0.1:4001"', "image"),
    Mutation("a stage less", _DOCKERFILE, "AS realtime", "AS sockets", "image"),
    Mutation("a role at another's port", _PROMETHEUS, "port: 4004", "port: 4001", "job"),
    Mutation("a role by another name", _PROMETHEUS, "job_name: realtime", "job_name: sockets", "job"),
    Mutation("no time at all", _PROMETHEUS, "scrape_interval: 15s", "scrape_interval: soon", "promtool check config"),
    Mutation("a metric that nobody has", _RECORDED, "analytics_events_queued_total", "analytics_events_enqueued_total", "metric"),
    Mutation("a label that it has not", _RECORDED, 'status=~"5.."', 'code=~"5.."', "metric"),
    Mutation("grouped by what is not there", _ALERTS, "sum by (job) (rate", "sum by (queue) (rate", "metric"),
    Mutation("no PromQL", _RECORDED, "sum(rate(analytics_events_queued_total[5m]))", "sum(rate(analytics_events_queued_total))", "promtool check rules"),
    Mutation("added up over replicas", _RECORDED, "expr: max(analytics_queue_depth)", "expr: sum(analytics_queue_depth)", "promtool test rules"),
    Mutation("another threshold", _ALERTS, "analytics:queue_depth:max > 1000", "analytics:queue_depth:max > 10000", "promtool test rules"),
    Mutation("woken by every burst", _ALERTS, "expr: analytics:queue_depth:max > 1000\n        for: 5m", "expr: analytics:queue_depth:max > 1000", "promtool test rules"),
    Mutation("an alert that is gone", _ALERTS, "alert: AnalyticsQueueDeep", "alert: AnalyticsQueueHigh", "alert"),
    Mutation("an alert without a page", _ALERTS, "operations.md#analyticsroledown", "operations.md#no-such-heading", "runbook"),
    Mutation("an alert without weight", _ALERTS, "severity: critical", "severity: grave", "severity"),
    Mutation("an alert without a test", _TESTS, "alertname: AnalyticsHandlerPanicked", "alertname: AnalyticsRoleDown", "alert-tested"),
    Mutation("an alert that never ends", _ALERTS, "dead_letters:max > (", "dead_letters:max >= (", "promtool test rules"),
    Mutation("a panel of a metric that nobody has", _COLLECTOR, "analytics_events_queued_total", "analytics_events_enqueued_total", "metric"),
    Mutation("a panel by a label that it has not", _API, "sum by (endpoint)", "sum by (route)", "metric"),
    Mutation("a legend of what is gone", _API, '"{{endpoint}}"', '"{{instance}}"', "legend"),
    Mutation("a panel that is no PromQL", _API, "sum(analytics_realtime_connections)", "sum(analytics_realtime_connections", "promql"),
    Mutation("a rate of one zoom", _COLLECTOR, "sum(rate(analytics_events_queued_total[$__rate_interval]))", "sum(rate(analytics_events_queued_total[5m]))", "rate"),
    Mutation("a metric that is on no panel", "deploy/grafana/dashboards/processor-metrics.json", "analytics_events_expired_total", "analytics_events_duplicate_total", "shown"),
    Mutation("a panel twice", _COLLECTOR, '"id": 3', '"id": 2', "panel-id"),
    Mutation("a panel on another", _COLLECTOR, '"x": 5', '"x": 4', "layout"),
    Mutation("a panel beyond the page", _API, '"w": 12', '"w": 25', "layout"),
    Mutation("no unit", _COLLECTOR, '"unit": "eps"', '"unit": ""', "unit"),
    Mutation("no title", _COLLECTOR, '"title": "Accepted"', '"title": ""', "form"),
    Mutation("somebody's own data source", _COLLECTOR, '"uid": "${datasource}"', '"uid": "PBFA97CFB590B2093"', "datasource"),
    Mutation("one uid twice", _API, '"uid": "analytics-api"', '"uid": "analytics-collector"', "uid"),
    Mutation("a table that is not published", _BUSINESS, "FROM daily_metrics WHERE", "FROM event_columns WHERE", "table"),
    Mutation("every project at once", _BUSINESS, "project = ${project:sqlstring} AND metric_name", "metric_name", "project"),
    Mutation("a value as it comes", _BUSINESS, "project = ${project:sqlstring}", "project = '$project'", "project"),
    Mutation("always everything", _BUSINESS, "$__timeFilter(e.timestamp)", "true", "range"),
    Mutation("a password written down", _SOURCES, "${GRAFANA_READER_PASSWORD}\n    jsonData", "hunter2\n    jsonData", "plain-secret"),
    Mutation("a data source less", _SOURCES, "type: prometheus", "type: loki", "provisioning"),
    Mutation("no directive of nginx", _NGINX, "server_tokens off;", "server_tokens;", "nginx -t"),
    Mutation("a zone that is not there", _LOCATIONS, "zone=live burst", "zone=alive burst", "nginx -t"),
    Mutation("one after the other", _UPSTREAMS, "least_conn;", "ip_hash;", "balance"),
    Mutation("another role's port", _UPSTREAMS, "server api:4002", "server api:4001", "upstream"),
    Mutation("found once for ever", _UPSTREAMS, "server collector:4001 resolve", "server collector:4001", "resolve"),
    Mutation("kept for longer than the role", _UPSTREAMS, "keepalive_timeout 60s;", "keepalive_timeout 2m;", "keep-alive"),
    Mutation("a POST sent twice", _PROXY, "proxy_next_upstream error timeout;", "proxy_next_upstream error timeout non_idempotent;", "sent-twice"),
    Mutation("a cache by URL", _LOCATIONS, "proxy_cache off;", "proxy_cache answers;", "cache"),
    Mutation("metrics for everybody", _LOCATIONS, "location = /metrics {\n    return 404;", "location = /metrics {\n    proxy_pass http://api;", "closed"),
    Mutation("a location that is gone", _LOCATIONS, "location = /realtime {", "location = /sockets {", "route"),
    Mutation("questions to the collector", _LOCATIONS, "proxy_pass http://api;", "proxy_pass http://collector;", "route"),
    Mutation("larger than the collector takes", _LOCATIONS, "client_max_body_size 1m;", "client_max_body_size 8m;", "body"),
    Mutation("answers that pile up", _LOCATIONS, "proxy_pass http://collector;\n    proxy_buffering off;", "proxy_pass http://collector;", "buffering"),
    Mutation("sockets of a minute", _LOCATIONS, "proxy_read_timeout 86400s;", "proxy_read_timeout 60s;", "lasting"),
    Mutation("no upgrade", _LOCATIONS, "proxy_set_header Upgrade $http_upgrade;", "", "upgrade"),
    Mutation("no limit", _LOCATIONS, "limit_req zone=collect burst=500 nodelay;", "", "limit"),
    Mutation("what the client says of itself", _PROXY, "X-Forwarded-For $remote_addr", "X-Forwarded-For $proxy_add_x_forwarded_for", "header"),
    Mutation("requests without a name", _PROXY, "proxy_set_header X-Request-Id $request_name;", "", "header"),
    Mutation("a header that takes others away", _ANSWERS, "    add_header X-Request-Id $request_name always;\n    add_header Retry", "    add_header Retry", "header"),
    Mutation("old TLS", "deploy/nginx/snippets/tls.conf", "TLSv1.2", "TLSv1.1 TLSv1.2", "tls"),
    Mutation("answers in the open", _NGINX, "return 308 https://$host$request_uri;", "proxy_pass http://api;", "plain-http"),
    Mutation("keys in the log", _LOG, '"path":"$logged_path"', '"path":"$request_uri"', "private-log"),
    Mutation("a log of its own", _LOCATIONS, "proxy_pass http://collector;", "proxy_pass http://collector;\n    access_log /dev/stdout combined;", "private-log"),
    Mutation("keys in the log of errors", _NGINX, "error_log /dev/stderr crit;", "error_log /dev/stderr warn;", "private-log"),
    Mutation("a file that is not there", f"{_BASE}/kustomization.yaml", "- api.yaml", "- apis.yaml", "kustomize"),
    Mutation("a role less", f"{_BASE}/kustomization.yaml", "  - realtime.yaml\n", "", "role"),
    Mutation("a field that nobody knows", _COLLECTORS, "replicas: 3", "replica: 3", "schema"),
    Mutation("a number as text", f"{_BASE}/collector-scaling.yaml", "minReplicas: 3", 'minReplicas: "3"', "schema"),
    Mutation("a kind of long ago", f"{_BASE}/collector-scaling.yaml", "autoscaling/v2", "autoscaling/v2beta2", "schema"),
    Mutation("a service of nobody", _COLLECTORS, "  selector:\n    app: analytics-collector\n  ports", "  selector:\n    app: collector\n  ports", "selector"),
    Mutation("a budget of nobody", f"{_BASE}/api.yaml", "  maxUnavailable: 1\n  selector:\n    matchLabels:\n      app: analytics-api", "  maxUnavailable: 1\n  selector:\n    matchLabels:\n      app: api", "selector"),
    Mutation("a policy of nobody", f"{_BASE}/network.yaml", "values: [analytics-collector, analytics-api, analytics-realtime]", "values: [collector, analytics-api, analytics-realtime]", "selector"),
    Mutation("a port that is not open", _COLLECTORS, "targetPort: http", "targetPort: web", "port"),
    Mutation("another port", f"{_BASE}/realtime.yaml", "containerPort: 4003", "containerPort: 8080", "port"),
    Mutation("scraped elsewhere", "deploy/k8s/components/monitoring/service-monitors.yaml", "port: metrics", "port: http", "port"),
    Mutation("a job by another name", "deploy/k8s/components/monitoring/service-monitors.yaml", "jobLabel: app.kubernetes.io/component", "jobLabel: app", "job"),
    Mutation("a variable that nobody reads", f"{_BASE}/processor.yaml", "name: CONCURRENCY", "name: WORKERS", "setting"),
    Mutation("a setting that nobody reads", f"{_BASE}/settings.yaml", "RETENTION_DAYS:", "RETENTION:", "setting"),
    Mutation("another role's variable", _COLLECTORS, "name: WRITE_KEYS", "name: API_KEYS", "setting"),
    Mutation("a secret that nobody describes", f"{_BASE}/api.yaml", "key: api-keys", "key: keys-of-api", "secret-described"),
    Mutation("a secret written down", f"{_BASE}/settings.yaml", "  LOG_LEVEL: info", "  REDIS_URL: redis://:hunter2@redis", "plain-secret"),
    Mutation("as root", _COLLECTORS, "runAsNonRoot: true", "runAsNonRoot: false", "security"),
    Mutation("what may be written", f"{_BASE}/api.yaml", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "security"),
    Mutation("every capability", f"{_BASE}/migrate.yaml", "drop: [ALL]", "drop: [NET_RAW]", "security"),
    Mutation("a token for nothing", f"{_BASE}/realtime.yaml", "      automountServiceAccountToken: false\n", "", "security"),
    Mutation("as much as it likes", f"{_BASE}/processor.yaml", "            limits:\n              memory: 1Gi\n              cpu: \"1\"\n", "", "resources"),
    Mutation("restarted when Redis is away", _COLLECTORS, "path: /health/live", "path: /health", "probe"),
    Mutation("killed in the middle", f"{_BASE}/api.yaml", "terminationGracePeriodSeconds: 40", "terminationGracePeriodSeconds: 20", "stop"),
    Mutation("any image", "deploy/k8s/components/production/kustomization.yaml", "newTag: 1.0.0", "newTag: latest", "image"),
    Mutation("nobody is scaled", f"{_BASE}/collector-scaling.yaml", "name: analytics-collector\n  minReplicas", "name: collector\n  minReplicas", "scale-target"),
    Mutation("scaled by two", _KEDA, "name: analytics-api\n  minReplicaCount", "name: analytics-processor\n  minReplicaCount", "scale-target"),
    Mutation("put back by each apply", f"{_ADAPTER}/kustomization.yaml", "app.kubernetes.io/name=analytics", "app=none", "scale-replicas"),
    Mutation("no room", f"{_ADAPTER}/scaling.yaml", "maxReplicas: 8", "maxReplicas: 2", "scale-bounds"),
    Mutation("scaled by what nobody offers", f"{_ADAPTER}/scaling.yaml", "name: analytics_queue_depth", "name: analytics_queue_length", "scale-metric"),
    Mutation("offered and not exposed", f"{_ADAPTER}/adapter-values.yaml", "seriesQuery: analytics_queue_depth", "seriesQuery: analytics_queue_length", "scale-metric"),
    Mutation("asked of KEDA and not exposed", _KEDA, "analytics_realtime_connections", "analytics_sockets", "scale-metric"),
    Mutation("an unknown part of KEDA's", _KEDA, "pollingInterval: 15", "pollInterval: 15", "foreign"),
    Mutation("metrics for everybody", f"{_BASE}/ingress.yaml", "- path: /\n            pathType: Exact", "- path: /\n            pathType: Prefix", "closed"),
    Mutation("a path to nobody", f"{_BASE}/ingress.yaml", "name: analytics-realtime", "name: realtime", "port"),
    Mutation("in the open", f"{_BASE}/ingress.yaml", "  tls:\n    - hosts: [analytics.example.com]\n      secretName: analytics-tls\n", "", "tls"),
    Mutation("nothing is closed", f"{_BASE}/network.yaml", "policyTypes: [Ingress, Egress]", "policyTypes: [Ingress]", "network"),
    Mutation("collectors at the database", f"{_BASE}/network.yaml", "values: [analytics-processor, analytics-api, analytics-realtime, analytics-migrate]", "values: [analytics-collector, analytics-processor]", "network"),
    Mutation("other rules than Prometheus'", "deploy/k8s/components/monitoring/rules.yaml", "> 1000", "> 9000", "rules-alike"),
    Mutation("no directive of systemd", _UNIT, "NoNewPrivileges=yes", "NoNewPrivilege=yes", "systemd-analyze verify"),
    Mutation("a time that is none", _UNIT, "TimeoutStopSec=40s", "TimeoutStopSec=soon", "systemd-analyze verify"),
    Mutation("a section that is not there", _UNIT_OF_API, "[Service]", "[Services]", "systemd-analyze verify"),
    Mutation("homes for everybody", _UNIT_OF_API, "ProtectHome=yes\nProtectProc=invisible\nProcSubset=pid\nProtectClock=yes\n", "", "systemd-analyze security"),
    Mutation("every call of the kernel", _UNIT, "SystemCallFilter=@system-service\nSystemCallFilter=~@privileged\n", "", "systemd-analyze security"),
    Mutation("as root", _UNIT, "User=analytics\n", "User=root\n", "rights"),
    Mutation("what may be written", _UNIT_OF_API, "ProtectSystem=strict", "ProtectSystem=full", "rights"),
    Mutation("files for everybody", _UNIT, "UMask=0077", "UMask=0022", "rights"),
    Mutation("another program", _UNIT_OF_API, "/usr/lib/analytics/api", "/usr/lib/analytics/collector", "start"),
    Mutation("settings that may be missing", _UNIT, "EnvironmentFile=/etc", "EnvironmentFile=-/etc", "settings"),
    Mutation("not for production", _UNIT, "APP_ENV=production", "APP_ENV=development", "production"),
    Mutation("a key that everybody may read", _UNIT, "Environment=DATA_DIR", "Environment=API_KEYS=0123456789abcdef\nEnvironment=DATA_DIR", "secret"),
    Mutation("killed in the middle", _UNIT_OF_API, "TimeoutStopSec=40s", "TimeoutStopSec=5s", "stop"),
    Mutation("as much as it likes", _UNIT, "MemoryMax=2G\n", "", "resources"),
    Mutation("data for everybody", _UNIT, "StateDirectoryMode=0700", "StateDirectoryMode=0755", "state"),
    Mutation("a setting that nobody reads", _SETTINGS, "#RETENTION_DAYS=", "#RETENTION=", "setting"),
    Mutation("a key that somebody will keep", _SETTINGS, "API_KEYS=\n", "API_KEYS=0123456789abcdef:default:admin\n", "sample-secret"),
    Mutation("a package by another name", f"{_PACKAGE}/control", "Package: analytics\n", "Package: analytics-server\n", "control"),
    Mutation("settings that an upgrade overwrites", f"{_PACKAGE}/conffiles", "analytics.env", "settings.env", "conffiles"),
    Mutation("started before it is set", f"{_PACKAGE}/postinst", "systemctl try-restart", "systemctl enable", "started"),
    Mutation("data that goes with the package", f"{_PACKAGE}/postrm", "! rmdir /var/lib/analytics", "! rm -rf /var/lib/analytics", "data"),
    Mutation("an error that is passed over", f"{_PACKAGE}/prerm", "set -e\n", "", "script"),
    Mutation("no shell", f"{_PACKAGE}/postinst", "if [ -z", "fi [ -z", "sh -n"),
]
