"""Where secrets may stand: in Secrets Manager, and nowhere in the template, its parameters or its outputs."""

import re
from collections.abc import Iterator

from findings import Finding
from stack import FUNCTIONS, Stack

_NAMES_A_SECRET = re.compile(r"(_KEYS?|_URL|PASSWORD|TOKEN)$")
_NO_SECRETS = {"SQS_QUEUE_URL"}
_LOOKS_LIKE_ONE = re.compile(r"[a-z]+://[^/\s]*:[^/\s]*@")


def check(stack: Stack) -> Iterator[Finding]:
    """A secret's value is fetched by who deploys or starts, never passed through."""
    secret = stack.scenario.parameters["SecretArn"]
    version = stack.scenario.parameters.get("SecretVersion")
    for function in FUNCTIONS:
        for name, value in stack.variables(function).items():
            if _is_secret(name):
                wanted = f"{{{{resolve:secretsmanager:{secret}:SecretString:{name}{f'::{version}' if version else ''}}}}}"
                if value != wanted:
                    message = f"{name} has to be {wanted}"
                    yield Finding("plain-secret", f"{function}Function", message)
    for task, properties in stack.of("AWS::ECS::TaskDefinition"):
        for container in properties["ContainerDefinitions"]:
            for variable in container.get("Environment", []):
                if _is_secret(variable["Name"]):
                    yield Finding("plain-secret", task, f"{variable['Name']} belongs among the container's Secrets")
            for entry in container.get("Secrets", []):
                wanted = f"{secret}:{entry['Name']}::{version or ''}"
                if entry["ValueFrom"] != wanted:
                    yield Finding("plain-secret", task, f"{entry['Name']} has to come from {wanted}")
    for name, parameter in stack.translated["Parameters"].items():
        plain = name not in ("SecretArn", "SecretVersion") and re.search(r"Url|Password|Secret|Token|Keys?$", name)
        if plain or parameter.get("NoEcho"):
            yield Finding("plain-secret", name, "a parameter holds no secret: put it into the secret of SecretArn")
        if _LOOKS_LIKE_ONE.search(str(parameter.get("Default", ""))):
            yield Finding("plain-secret", name, "the default holds a password")


def _is_secret(name: str) -> bool:
    return bool(_NAMES_A_SECRET.search(name)) and name not in _NO_SECRETS
