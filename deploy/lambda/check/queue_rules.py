"""What the queues and the way from them to the processor have to be."""

from collections.abc import Iterator
from typing import Any

from findings import Finding
from stack import Stack

HOUR = 3600
DAY = 24 * HOUR
MOST_IN_A_MESSAGE = 1024 * 1024


def check(stack: Stack) -> Iterator[Finding]:
    """Nothing accepted is lost, handed out twice at once, or given up in an hour without database."""
    yield from _hiding(stack)
    yield from _giving_up(stack)
    yield from _keeping(stack)
    yield from _safety(stack)
    yield from _mapping(stack)


def _hiding(stack: Stack) -> Iterator[Finding]:
    visibility = stack.properties("EventQueue").get("VisibilityTimeout", 30)
    timeout = stack.properties("ProcessorFunction")["Timeout"]
    window = stack.parameter("BatchWindowSeconds")["MaxValue"]
    if visibility < 6 * timeout + window:
        least = f"6 times the processor's timeout of {timeout} s and the longest window of {window} s"
        yield Finding("queue-visibility", "EventQueue", f"VisibilityTimeout is {visibility} s; at least {least}")


def _giving_up(stack: Stack) -> Iterator[Finding]:
    properties = stack.properties("EventQueue")
    redrive = properties.get("RedrivePolicy", {})
    if redrive.get("deadLetterTargetArn") != "<DeadLetterQueue.Arn>":
        yield Finding("queue-redrive", "EventQueue", "what is received too often goes to DeadLetterQueue")
    an_hour = HOUR // properties.get("VisibilityTimeout", 30) + 1
    most = int(redrive.get("maxReceiveCount", 0))
    if most < 5 * an_hour:
        message = f"maxReceiveCount is {most}; an hour without database takes {an_hour}, and 5 of them have to pass"
        yield Finding("queue-redrive", "EventQueue", message)


def _keeping(stack: Stack) -> Iterator[Finding]:
    for name, days in (("EventQueue", 4), ("DeadLetterQueue", 14)):
        kept = stack.properties(name).get("MessageRetentionPeriod")
        if kept != days * DAY:
            yield Finding("queue-retention", name, f"MessageRetentionPeriod is {kept}; {days} days are {days * DAY}")
        if stack.properties(name).get("MaximumMessageSize") != MOST_IN_A_MESSAGE:
            yield Finding("queue-size", name, f"MaximumMessageSize has to be {MOST_IN_A_MESSAGE}, the most SQS takes")
        if stack.resources[name].get("DeletionPolicy") != "Retain":
            yield Finding("queue-kept", name, "DeletionPolicy has to be Retain: accepted events outlive the stack")
    least = stack.parameter("DedupeDays").get("MinValue", 0)
    if least * DAY <= stack.properties("DeadLetterQueue").get("MessageRetentionPeriod", 0):
        message = f"MinValue is {least}; a dead letter that is sent again must still be known, so more than it is kept"
        yield Finding("dedupe-covers-redrive", "DedupeDays", message)


def _safety(stack: Stack) -> Iterator[Finding]:
    for name in ("EventQueue", "DeadLetterQueue"):
        if stack.properties(name).get("SqsManagedSseEnabled") is not True:
            yield Finding("queue-encrypted", name, "SqsManagedSseEnabled has to be true")
        if not any(_only_over_tls(policy, name) for _, policy in stack.of("AWS::SQS::QueuePolicy")):
            yield Finding("queue-tls", name, "a queue policy has to deny every request that does not come over TLS")


def _only_over_tls(policy: dict[str, Any], queue: str) -> bool:
    return f"<{queue}>" in policy["Queues"] and any(
        statement["Effect"] == "Deny"
        and statement["Principal"] == "*"
        and statement["Action"] == "sqs:*"
        and f"<{queue}.Arn>" in statement["Resource"]
        and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        for statement in policy["PolicyDocument"]["Statement"]
    )


def _mapping(stack: Stack) -> Iterator[Finding]:
    mappings = list(stack.of("AWS::Lambda::EventSourceMapping"))
    if [mapping["FunctionName"] for _, mapping in mappings] != ["<ProcessorFunction>"]:
        yield Finding("queue-to-processor", "ProcessorFunction", "the queue has to invoke the processor and nothing else")
    for name, mapping in mappings:
        if mapping.get("EventSourceArn") != "<EventQueue.Arn>":
            yield Finding("queue-to-processor", name, "EventSourceArn has to be EventQueue's")
        if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            message = "FunctionResponseTypes has to be [ReportBatchItemFailures]: else one message brings all again"
            yield Finding("partial-failures", name, message)
        concurrency = mapping.get("ScalingConfig", {}).get("MaximumConcurrency")
        if not isinstance(concurrency, int) or not 2 <= concurrency <= 1000:
            message = f"MaximumConcurrency is {concurrency}; 2 to 1000, since each instance holds a connection"
            yield Finding("queue-concurrency", name, message)
        if mapping.get("BatchSize", 10) > 10 and mapping.get("MaximumBatchingWindowInSeconds", 0) < 1:
            yield Finding("batch-window", name, "more than 10 messages a batch need a window of a second")
    reserved = stack.properties("ProcessorFunction").get("ReservedConcurrentExecutions")
    asked = stack.scenario.parameters.get("ProcessorReservedConcurrency", 0)
    if (reserved or 0) != asked:
        yield Finding("reserved", "ProcessorFunction", f"{reserved} instances are reserved; {asked} were asked for")
