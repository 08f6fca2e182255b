"""Broken templates that the rules have to refuse: what shows that a green check means something."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import deployment
import environment_rules
import lint
import rules
from document import Document
from findings import Broken, Finding
from scenarios import EVERYTHING, SMALLEST


@dataclass(frozen=True)
class Mutation:
    """A fault, how it is put in, and the rule that has to speak of it."""

    name: str
    put_in: Callable[[Document], None]
    rule: str


def check(template: Document) -> Iterator[Finding]:
    """Each fault is put into the template alone and has to be found by its own rule."""
    for mutation in MUTATIONS:
        broken = copy.deepcopy(template)
        mutation.put_in(broken["Resources"])
        if broken == template:
            raise Broken(f"the mutation `{mutation.name}` changes nothing")
        if mutation.rule.startswith("cfn-lint"):
            found = {finding.rule for finding in lint.check_translated(broken, [EVERYTHING])}
        else:
            found = {finding.rule for finding in rules.check(broken)}
        if mutation.rule not in found:
            message = f"the rule {mutation.rule} does not see `{mutation.name}`; these spoke: {sorted(found)}"
            yield Finding("self-test", "deploy/lambda/check", message)
    yield from _environments(template)
    yield from _deployed(template)


def _environments(template: Document) -> Iterator[Finding]:
    """A fault in samconfig.toml is found, too."""
    for override in ("NoSuchParameter=1", "AlarmEmail=", "Architecture=sparc", "SubnetIds=FILL-IN", "Enrich=browser"):
        config = environment_rules.read()
        config["prod"]["deploy"]["parameters"]["parameter_overrides"].append(override)
        if not list(environment_rules.check(template, config)):
            yield Finding("self-test", "deploy/lambda/check", f"nobody sees {override} in samconfig.toml")


def _deployed(template: Document) -> Iterator[Finding]:
    """What is read back from a deployment is what was deployed, and not what the template says."""
    made = copy.deepcopy(template)
    expected = set()
    for place, put_in in DEPLOYED:
        put_in(made["Resources"])
        expected.add(f"{place} ({SMALLEST.name})")
    found = {finding.place for finding in deployment.check_made(template, made, SMALLEST)}
    for place in sorted(expected - found):
        yield Finding("self-test", "deploy/lambda/check", f"a fault put into {place} is not read back")


def _set(path: str, value: object) -> Callable[[Document], None]:
    """Sets what `path` names, as `EventQueue/Properties/VisibilityTimeout`."""

    def put_in(resources: Document) -> None:
        *parents, last = path.split("/")
        node = resources
        for part in parents:
            node = node[int(part)] if isinstance(node, list) else node[part]
        node[int(last) if isinstance(node, list) else last] = value

    return put_in


def _drop(path: str) -> Callable[[Document], None]:
    """Takes away what `path` names."""

    def put_in(resources: Document) -> None:
        *parents, last = path.split("/")
        node = resources
        for part in parents:
            node = node[int(part)] if isinstance(node, list) else node[part]
        del node[int(last) if isinstance(node, list) else last]

    return put_in


_QUEUE = "EventQueue/Properties"
_MESSAGES = "ProcessorFunction/Properties/Events/Messages/Properties"
_COLLECTOR_QUEUE = "CollectorRole/Properties/Policies/1/PolicyDocument/Statement/0"
_API = "ApiFunction/Properties"
_SECRET = f"{_API}/Environment/Variables"

MUTATIONS = [
    Mutation("hidden for too short", _set(f"{_QUEUE}/VisibilityTimeout", 300), "queue-visibility"),
    Mutation("a slower processor", _set("ProcessorFunction/Properties/Timeout", 90), "queue-visibility"),
    Mutation("given up within an hour", _set(f"{_QUEUE}/RedrivePolicy/maxReceiveCount", 5), "queue-redrive"),
    Mutation("no dead letters", _drop(f"{_QUEUE}/RedrivePolicy"), "queue-redrive"),
    Mutation("kept for a day", _set(f"{_QUEUE}/MessageRetentionPeriod", 86400), "queue-retention"),
    Mutation("small messages", _set(f"{_QUEUE}/MaximumMessageSize", 262144), "queue-size"),
    Mutation("not encrypted", _set("DeadLetterQueue/Properties/SqsManagedSseEnabled", False), "queue-encrypted"),
    Mutation("not over TLS alone", _drop("QueuePolicy"), "queue-tls"),
    Mutation("goes with the stack", _drop("EventQueue/DeletionPolicy"), "queue-kept"),
    Mutation("all or nothing", _drop(f"{_MESSAGES}/FunctionResponseTypes"), "partial-failures"),
    Mutation("unbounded processors", _drop(f"{_MESSAGES}/ScalingConfig"), "queue-concurrency"),
    Mutation("reserved unasked", _set("ProcessorFunction/Properties/ReservedConcurrentExecutions", 50), "reserved"),
    Mutation("any action", _set(f"{_COLLECTOR_QUEUE}/Action", "sqs:*"), "permission-star"),
    Mutation("any resource", _set(f"{_COLLECTOR_QUEUE}/Resource", "*"), "permission-star"),
    Mutation("any but one action", _set(f"{_COLLECTOR_QUEUE}/NotAction", "sqs:DeleteQueue"), "permission-star"),
    Mutation("may read too", _set(f"{_COLLECTOR_QUEUE}/Action/1", "sqs:ReceiveMessage"), "permission"),
    Mutation("another queue", _set(f"{_COLLECTOR_QUEUE}/Resource", {"Fn::GetAtt": "DeadLetterQueue.Arn"}), "permission"),
    Mutation(
        "a policy of AWS",
        _set("ApiRole/Properties/ManagedPolicyArns", ["arn:aws:iam::aws:policy/AmazonSQSFullAccess"]),
        "permission",
    ),
    Mutation("a password written down", _set(f"{_SECRET}/DATABASE_URL", "postgres://a:b@db/c"), "plain-secret"),
    Mutation("a key by parameter", _set(f"{_SECRET}/API_KEYS", {"Ref": "LogLevel"}), "plain-secret"),
    Mutation(
        "a secret in the open",
        _set("RealtimeTask/Properties/ContainerDefinitions/0/Environment/0", {"Name": "REDIS_URL", "Value": "x"}),
        "plain-secret",
    ),
    Mutation("a variable nobody reads", _set(f"{_SECRET}/DATABSE_URL", "x"), "function-setting"),
    Mutation("a missing queue", _drop("CollectorFunction/Properties/Environment/Variables/SQS_QUEUE_URL"), "function-setting"),
    Mutation("additions that nobody can choose", _drop("CollectorFunction/Properties/Environment/Variables/ENRICH"), "function-setting"),
    Mutation("another retention", _set(f"{_SECRET}/RETENTION_DAYS", "7"), "retention-alike"),
    Mutation("longer than the API waits", _set(f"{_API}/Timeout", 60), "function-timeout"),
    Mutation("longer statements", _set(f"{_SECRET}/STATEMENT_TIMEOUT_SECONDS", "29"), "function-timeout"),
    Mutation("another runtime", _set(f"{_API}/Runtime", "provided.al2"), "function-carrier"),
    Mutation("another binary", _set("ApiFunction/Metadata/BuildProperties/Binary", "collector"), "function-build"),
    Mutation("logs for ever", _drop(f"{_API}/LoggingConfig"), "function-log"),
    Mutation("a collector in the VPC", _set("CollectorFunction/Properties/VpcConfig", {"SubnetIds": ["s"], "SecurityGroupIds": ["g"]}), "function-vpc"),
    Mutation("CORS twice", _set("HttpApi/Properties/CorsConfiguration", True), "cors-once"),
    Mutation("keys in the log", _set("HttpApi/Properties/AccessLogSettings/Format", "$context.identity.sourceIp"), "access-log"),
    Mutation("no limit", _drop("HttpApi/Properties/DefaultRouteSettings"), "throttling"),
    Mutation("a lost route", _drop("CollectorFunction/Properties/Events/Collect"), "route"),
    Mutation("a rest that SAM permits nobody", _set("CollectorFunction/Properties/Events/HealthParts/Properties/Path", "/health/{part+}"), "route-permission"),
    Mutation("a silent alarm", _drop("DeadLettersAlarm/Properties/AlarmActions"), "alarm"),
    Mutation("no alarm", _drop("ProcessorErrorsAlarm"), "alarm"),
    Mutation("plain sockets", _set("RealtimeListener/Properties/Protocol", "HTTP"), "realtime-tls"),
    Mutation("an open container", _set("RealtimeSecurityGroup/Properties/SecurityGroupIngress", [{"IpProtocol": "tcp", "FromPort": 4003, "ToPort": 4003, "CidrIp": "0.0.0.0/0"}]), "realtime-closed"),
    Mutation("a statistic that CloudWatch has not", _set("QueueAgeAlarm/Properties/Statistic", "Most"), "cfn-lint E3030"),
]

# Where a deployment differs, and how it is made to.
DEPLOYED = [
    ("EventQueue", _set(f"{_QUEUE}/VisibilityTimeout", 60)),
    ("ProcessorFunctionMessages", _drop(f"{_MESSAGES}/FunctionResponseTypes")),
    ("ApiFunction", _set(f"{_SECRET}/LOG_FORMAT", "text")),
    ("CollectorRole", _set(f"{_COLLECTOR_QUEUE}/Action", "sqs:*")),
    ("MaintenanceFunctionTick", _set("MaintenanceFunction/Properties/Events/Tick/Properties/Schedule", "rate(1 day)")),
]
