"""What the HTTP API has to be: its routes, its limits, what it writes down, and who may invoke what."""

import re
from collections.abc import Iterator

from findings import Finding
from stack import Stack

# Path, method, function. Every method of a path goes to whoever knows which of them are right.
ROUTES = {
    ("/collect", "any"): "CollectorFunction",
    ("/health", "any"): "CollectorFunction",
    ("/health/{proxy+}", "any"): "CollectorFunction",
    ("/$default", "any"): "ApiFunction",
}

# What the access log may hold: nothing of a query string, which may hold a key, and nothing that names a person.
LOGGED = {
    "requestTimeEpoch",
    "requestId",
    "httpMethod",
    "path",
    "routeKey",
    "status",
    "responseLength",
    "responseLatency",
    "integrationLatency",
    "integrationErrorMessage",
}


def check(stack: Stack) -> Iterator[Finding]:
    """Every request reaches the function that answers it, no faster than allowed, and leaves no key in a log."""
    api = stack.properties("HttpApi")
    yield from _routes(stack)
    cors = "CorsConfiguration" in api or "x-amazon-apigateway-cors" in api["Body"]
    if cors:
        yield Finding("cors-once", "HttpApi", "the functions answer preflights; the HTTP API must not as well")
    stage = stack.properties("HttpApiApiGatewayDefaultStage")
    limits = stage.get("DefaultRouteSettings", {})
    if not limits.get("ThrottlingRateLimit") or not limits.get("ThrottlingBurstLimit"):
        yield Finding("throttling", "HttpApi", "DefaultRouteSettings needs both throttling limits")
    log = stage.get("AccessLogSettings", {})
    if log.get("DestinationArn") != "<AccessLog.Arn>":
        yield Finding("access-log", "HttpApi", "AccessLogSettings needs the group AccessLog")
    for name in sorted(set(re.findall(r"\$context\.([A-Za-z.]+)", log.get("Format", ""))) - LOGGED):
        yield Finding("access-log", "HttpApi", f"$context.{name} may hold a key or name a person")
    asked = stack.scenario.parameters.get("DomainName", "")
    mapped = [mapping["DomainName"] for _, mapping in stack.of("AWS::ApiGatewayV2::ApiMapping")]
    if mapped != (["<Domain>"] if asked else []):
        yield Finding("domain", "DomainMapping", f"{asked or 'no domain'} was asked for, and {mapped} is mapped")


def _routes(stack: Stack) -> Iterator[Finding]:
    found = {}
    for path, methods in stack.properties("HttpApi")["Body"]["paths"].items():
        for method, operation in methods.items():
            integration = operation["x-amazon-apigateway-integration"]
            if integration["payloadFormatVersion"] != "2.0":
                yield Finding("route", path, "payloadFormatVersion has to be 2.0")
            [function] = re.findall(r"<(\w+)\.Arn>", integration["uri"])
            found[(path, "any" if "any" in method else method)] = function
    if found != ROUTES:
        yield Finding("route", "HttpApi", f"the routes are {found}; they have to be {ROUTES}")
    wanted = {(function, _invocable(path)) for (path, _), function in ROUTES.items()}
    invocable = {
        (permission["FunctionName"].strip("<>"), permission["SourceArn"].split(":<HttpApi>", 1)[-1])
        for _, permission in stack.of("AWS::Lambda::Permission")
        if permission["Principal"] == "apigateway.amazonaws.com"
    }
    if invocable != wanted:
        yield Finding("route-permission", "HttpApi", f"it may invoke {invocable}; it has to be {wanted}")


def _invocable(path: str) -> str:
    """The part of a permission's ARN; SAM makes `*` of a rest of the path only where it is named `proxy`."""
    return "/*/*" if path == "/$default" else "/*/*" + re.sub(r"\{.*\}", "*", path)
