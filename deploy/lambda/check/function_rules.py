"""What the functions have to be, and be told."""

import re
import tomllib
from collections.abc import Iterator
from functools import cache

from document import ROOT, Document
from findings import Finding
from stack import FUNCTIONS, Stack

# The role in docs/configuration.md, and the variables without which the function would not be what it is for.
ROLES = {
    "Collector": ("collector", {"SQS_QUEUE_URL", "WRITE_KEYS", "CORS_ORIGINS", "ENRICH"}),
    "Api": ("api", {"DATABASE_URL", "API_KEYS", "WRITE_KEYS", "CORS_ORIGINS", "DATABASE_STATEMENT_CACHE"}),
    "Processor": ("processor", {"SQS_QUEUE_URL", "DATABASE_URL", "DATABASE_STATEMENT_CACHE", "AUTO_MIGRATE"}),
    "Maintenance": ("processor", {"SQS_QUEUE_URL", "DATABASE_URL", "DATABASE_STATEMENT_CACHE", "AUTO_MIGRATE"}),
}
EVERY = {"APP_ENV": "production", "LOG_FORMAT": "json"}

# How long the HTTP API waits for a function.
HTTP_API_WAITS = 30


def check(stack: Stack) -> Iterator[Finding]:
    """Each function runs the right binary with the right settings, and ends before whoever waits for it gives up."""
    for function in FUNCTIONS:
        name = f"{function}Function"
        properties = stack.properties(name)
        yield from _carrier(stack, name, properties)
        yield from _times(name, properties)
        yield from _settings(stack, function)
    timeout = stack.properties("ApiFunction")["Timeout"]
    if timeout >= HTTP_API_WAITS:
        yield Finding("function-timeout", "ApiFunction", f"Timeout is {timeout} s; the HTTP API waits {HTTP_API_WAITS}")
    told = {function: stack.variables(function).get("RETENTION_DAYS") for function in FUNCTIONS}
    if len(set(map(str, told.values()))) != 1 or None in told.values():
        yield Finding("retention-alike", "RETENTION_DAYS", f"every function has to be told the same: {told}")


def _carrier(stack: Stack, name: str, properties: Document) -> Iterator[Finding]:
    architecture = stack.scenario.parameters.get("Architecture", "x86_64")
    wanted = {"Runtime": "provided.al2023", "Handler": "bootstrap", "Architectures": [architecture]}
    for key, value in wanted.items():
        if properties.get(key) != value:
            yield Finding("function-carrier", name, f"{key} is {properties.get(key)}; it has to be {value}")
    log = properties.get("LoggingConfig", {}).get("LogGroup", "").strip("<>")
    group = stack.resources.get(log, {})
    if group.get("Type") != "AWS::Logs::LogGroup" or not group["Properties"].get("RetentionInDays"):
        yield Finding("function-log", name, "the log needs a group of the template, with RetentionInDays")
    subnets = stack.scenario.parameters.get("SubnetIds", "")
    inside = name != "CollectorFunction" and subnets != ""
    if ("VpcConfig" in properties) != inside:
        yield Finding("function-vpc", name, f"{'has to be' if inside else 'has no business'} in the VPC")


def _times(name: str, properties: Document) -> Iterator[Finding]:
    statement = properties["Environment"]["Variables"].get("STATEMENT_TIMEOUT_SECONDS")
    if statement is not None and int(statement) >= properties["Timeout"]:
        message = f"a statement may take {statement} s and the function {properties['Timeout']}: it could not tell why"
        yield Finding("function-timeout", name, message)


def _settings(stack: Stack, function: str) -> Iterator[Finding]:
    name = f"{function}Function"
    variables = stack.variables(function)
    role, required = ROLES[function]
    readers = _documented()
    for variable in variables:
        if not readers.get(variable, set()) & {role, "all"}:
            message = f"docs/configuration.md knows no {variable} of the role {role}"
            yield Finding("function-setting", name, message)
    for variable in sorted(required - set(variables)):
        yield Finding("function-setting", name, f"{variable} is not told")
    for variable, value in EVERY.items():
        if variables.get(variable) != value:
            yield Finding("function-setting", name, f"{variable} is {variables.get(variable)}; it has to be {value}")
    redis = stack.scenario.parameters.get("WithRedis") == "true" and function != "Collector"
    if ("REDIS_URL" in variables) != redis:
        yield Finding("function-setting", name, f"REDIS_URL {'has to' if redis else 'must not'} be told here")


@cache
def _documented() -> dict[str, set[str]]:
    """The variables of docs/configuration.md and who reads each."""
    page = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([A-Z_]+)` \| ([a-z, ]+) \|", page, re.MULTILINE)
    return {name: set(roles.split(", ")) for name, roles in rows}


def check_builds(template: Document) -> Iterator[Finding]:
    """Each function is built from the package that has its binary."""
    for function in FUNCTIONS:
        name = f"{function}Function"
        resource = template["Resources"][name]
        metadata = resource.get("Metadata", {})
        if metadata.get("BuildMethod") != "rust-cargolambda":
            yield Finding("function-build", name, "BuildMethod has to be rust-cargolambda")
        manifest = ROOT / resource["Properties"].get("CodeUri", ".") / "Cargo.toml"
        binary = metadata.get("BuildProperties", {}).get("Binary")
        binaries = [entry["name"] for entry in tomllib.loads(manifest.read_text(encoding="utf-8")).get("bin", [])]
        if binary != ROLES[function][0] or binary not in binaries:
            message = f"Binary is {binary}; {ROLES[function][0]} is wanted, and {manifest.parent.name} has {binaries}"
            yield Finding("function-build", name, message)
