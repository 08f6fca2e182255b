"""What each role may do: exactly what stands here."""

from collections.abc import Iterator
from typing import Any

from document import Document
from findings import Finding
from stack import Stack

_LOG = {"logs:CreateLogStream", "logs:PutLogEvents"}

# Role or policy -> resource -> actions.
ALLOWED: dict[str, dict[str, set[str]]] = {
    "CollectorRole": {
        "<CollectorLog.Arn>": _LOG,
        "<EventQueue.Arn>": {"sqs:SendMessage", "sqs:GetQueueAttributes"},
    },
    "ApiRole": {"<ApiLog.Arn>": _LOG, "<EventQueue.Arn>": {"sqs:GetQueueAttributes"}},
    "ProcessorRole": {
        "<ProcessorLog.Arn>": _LOG,
        "<EventQueue.Arn>": {
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:ChangeMessageVisibility",
            "sqs:GetQueueAttributes",
        },
    },
    "MaintenanceRole": {"<MaintenanceLog.Arn>": _LOG},
    "NetworkPolicy": {
        "*": {
            "ec2:CreateNetworkInterface",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSubnets",
            "ec2:DeleteNetworkInterface",
            "ec2:AssignPrivateIpAddresses",
            "ec2:UnassignPrivateIpAddresses",
        }
    },
    "RealtimeExecutionRole": {
        "<RealtimeLog.Arn>": _LOG,
        "SECRET": {"secretsmanager:GetSecretValue"},
        "*": {"ecr:GetAuthorizationToken"},
        "REPOSITORY": {"ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"},
    },
}

# The statements that may say `*` as their resource, and why AWS takes nothing narrower.
ANY_RESOURCE = {
    ("NetworkPolicy", "InterfacesInSubnets"): "Lambda checks these for `*`: an interface has no name before it is made",
    ("RealtimeExecutionRole", "RegistryToken"): "the token of a registry is asked for before a repository is named",
}

# Roles with an AWS-owned policy: none, since those speak of `*`.
MANAGED = {"<NetworkPolicy>"}

SERVICES = {"lambda.amazonaws.com", "ecs-tasks.amazonaws.com"}


def check(stack: Stack) -> Iterator[Finding]:
    """No role may do more or less than it needs, and nobody but AWS's own services may take one on."""
    documents: dict[str, list[Document]] = {}
    for name, role in stack.of("AWS::IAM::Role"):
        documents[name] = [policy["PolicyDocument"] for policy in role.get("Policies", [])]
        for arn in role.get("ManagedPolicyArns", []):
            if arn not in MANAGED:
                yield Finding("permission", name, f"{arn} is not the template's own policy")
        for statement in role["AssumeRolePolicyDocument"]["Statement"]:
            if statement["Principal"].get("Service") not in SERVICES or list(statement["Principal"]) != ["Service"]:
                yield Finding("permission", name, f"{statement['Principal']} may take it on")
    for kind in ("AWS::IAM::ManagedPolicy", "AWS::IAM::Policy"):
        for name, policy in stack.of(kind):
            documents[name] = [policy["PolicyDocument"]]
    for name, policies in documents.items():
        statements = [statement for policy in policies for statement in policy["Statement"]]
        yield from _stars(name, statements)
        yield from _exact(stack, name, statements)


def _stars(name: str, statements: list[Document]) -> Iterator[Finding]:
    for statement in statements:
        if statement["Effect"] != "Allow":
            continue
        for key in ("NotAction", "NotResource", "NotPrincipal"):
            if key in statement:
                yield Finding("permission-star", name, f"{key} allows whatever it does not name")
        for action in _list(statement.get("Action", [])):
            if "*" in action:
                yield Finding("permission-star", name, f"the action {action} is many; name each")
        for resource in _list(statement.get("Resource", [])):
            if "*" in resource and (name, statement.get("Sid")) not in ANY_RESOURCE:
                yield Finding("permission-star", name, f"the resource {resource} is many; name each")


def _exact(stack: Stack, name: str, statements: list[Document]) -> Iterator[Finding]:
    wanted = _with_arns(stack, ALLOWED.get(name, {}))
    found: dict[str, set[str]] = {}
    for statement in statements:
        if statement["Effect"] == "Allow":
            for resource in _list(statement.get("Resource", [])):
                found.setdefault(resource, set()).update(_list(statement.get("Action", [])))
    if found != wanted:
        for resource in sorted(found.keys() | wanted.keys()):
            more = sorted(found.get(resource, set()) - wanted.get(resource, set()))
            less = sorted(wanted.get(resource, set()) - found.get(resource, set()))
            if more:
                yield Finding("permission", name, f"may {', '.join(more)} on {resource}, which it has no need of")
            if less:
                yield Finding("permission", name, f"may not {', '.join(less)} on {resource}, which it needs")


def _with_arns(stack: Stack, allowed: dict[str, set[str]]) -> dict[str, set[str]]:
    parameters = stack.scenario.parameters
    given = {"SECRET": parameters["SecretArn"], "REPOSITORY": parameters.get("RealtimeRepositoryArn", "")}
    if not given["REPOSITORY"]:
        # A public image is fetched without a token.
        allowed = {place: actions for place, actions in allowed.items() if not any("ecr:" in a for a in actions)}
    return {given.get(place, place): actions for place, actions in allowed.items()}


def _list(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]
