"""All rules, over all scenarios."""

from collections.abc import Iterable, Iterator

import alarm_rules
import environment_rules
import function_rules
import http_rules
import permission_rules
import queue_rules
import realtime_rules
import secret_rules
from document import Document
from findings import Finding
from scenarios import ALL, Scenario
from stack import Stack

RULES = (
    queue_rules.check,
    function_rules.check,
    secret_rules.check,
    http_rules.check,
    alarm_rules.check,
    permission_rules.check,
    realtime_rules.check,
)


def check(template: Document, scenarios: Iterable[Scenario] = ALL) -> Iterator[Finding]:
    """What the template breaks, each finding once."""
    seen = set()
    for finding in _all(template, scenarios):
        if finding not in seen:
            seen.add(finding)
            yield finding


def _all(template: Document, scenarios: Iterable[Scenario]) -> Iterator[Finding]:
    yield from function_rules.check_builds(template)
    yield from environment_rules.check(template, environment_rules.read())
    for scenario in scenarios:
        stack = Stack.plan(template, scenario)
        for rule in RULES:
            yield from rule(stack)
