"""What has to wake somebody."""

from collections.abc import Iterator

from findings import Finding
from stack import FUNCTIONS, Stack

ALARMS = {
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "<DeadLetterQueue.QueueName>"),
    ("AWS/SQS", "ApproximateAgeOfOldestMessage", "<EventQueue.QueueName>"),
    ("AWS/ApiGateway", "5xx", "<HttpApi>"),
    *(("AWS/Lambda", metric, f"<{function}Function>") for function in FUNCTIONS for metric in ("Errors", "Throttles")),
}


def check(stack: Stack) -> Iterator[Finding]:
    """There is an alarm for each way in which events can fail to arrive, and each tells the topic."""
    found = set()
    for name, alarm in stack.of("AWS::CloudWatch::Alarm"):
        [dimension] = alarm["Dimensions"]
        found.add((alarm["Namespace"], alarm["MetricName"], dimension["Value"]))
        if alarm.get("AlarmActions") != ["<AlarmTopic>"]:
            yield Finding("alarm", name, "AlarmActions has to be the topic AlarmTopic")
        if alarm.get("TreatMissingData") != "notBreaching":
            yield Finding("alarm", name, "without traffic there are no data, which is no alarm: notBreaching")
        if alarm.get("ComparisonOperator") != "GreaterThanThreshold":
            yield Finding("alarm", name, "ComparisonOperator has to be GreaterThanThreshold")
    for missing in sorted(ALARMS - found):
        yield Finding("alarm", "template.yaml", f"there is no alarm on {' '.join(missing)}")
    subscribed = [entry["Endpoint"] for _, entry in stack.of("AWS::SNS::Subscription")]
    asked = stack.scenario.parameters.get("AlarmEmail", "")
    if subscribed != ([asked] if asked else []):
        yield Finding("alarm", "AlarmSubscription", f"{subscribed} is told of alarms; {asked or 'nobody'} was asked for")
