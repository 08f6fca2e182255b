"""PromQL, read: which series an expression asks for, and by which labels."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import promql_parser

from reference import Metric

# What Grafana puts in before Prometheus sees an expression.
VARIABLES = {"$__rate_interval": "1m", "$__interval": "1m", "$__range": "1h"}


@dataclass(frozen=True)
class Use:
    """A series with the labels that an expression names of it, in selectors and in what groups it."""

    metric: str
    labels: frozenset[str]


def filled_in(expression: str, variables: Mapping[str, str] | None = None) -> str:
    """An expression as Prometheus sees it."""
    for name, value in {**VARIABLES, **(variables or {})}.items():
        expression = expression.replace(name, value)
    return expression


def uses(expression: str) -> list[Use]:
    """What an expression asks for; ValueError where it is no PromQL."""
    return list(_uses(promql_parser.parse(filled_in(expression)), frozenset()))


def labels_left(expression: str) -> frozenset[str] | None:
    """The labels that an aggregation leaves; None where it is none, and all are left."""
    node = promql_parser.parse(filled_in(expression))
    while isinstance(node, (promql_parser.ParenExpr, promql_parser.BinaryExpr)):
        node = node.expr if isinstance(node, promql_parser.ParenExpr) else node.lhs
    return _left(node)


def _left(node: object) -> frozenset[str] | None:
    if isinstance(node, promql_parser.AggregateExpr):
        # `topk` picks series as they are.
        if str(node.op) in ("topk", "bottomk"):
            return _left(node.expr)
        return frozenset(node.modifier.labels) if node.modifier else frozenset()
    if isinstance(node, promql_parser.Call) and node.func.name == "histogram_quantile":
        inner = _left(node.args[1])
        return None if inner is None else inner - {"le"}
    return None


def _uses(node: object, grouped: frozenset[str]) -> Iterator[Use]:
    match node:
        case promql_parser.VectorSelector():
            named = frozenset(matcher.name for matcher in node.matchers.matchers) - {"__name__"}
            yield Use(node.name or "", named | grouped)
        case promql_parser.MatrixSelector():
            yield from _uses(node.vector_selector, grouped)
        case promql_parser.AggregateExpr():
            own = frozenset(node.modifier.labels) if node.modifier else frozenset()
            yield from _uses(node.expr, grouped | own)
        case promql_parser.Call():
            for argument in node.args:
                yield from _uses(argument, grouped)
        case promql_parser.BinaryExpr():
            # A grouping around both sides need not find its labels on each of them: `vector(0)` has none.
            yield from _uses(node.lhs, grouped)
            yield from _uses(node.rhs, grouped)
        case promql_parser.ParenExpr() | promql_parser.UnaryExpr() | promql_parser.SubqueryExpr():
            yield from _uses(node.expr, grouped)


def unknown(expression: str, known: Mapping[str, Metric]) -> Iterator[str]:
    """What of an expression nobody exposes, a sentence each."""
    for use in uses(expression):
        metric = known.get(use.metric)
        if metric is None:
            yield f"no role exposes {use.metric}"
            continue
        for label in sorted(use.labels - metric.labels):
            yield f"{use.metric} has no label {label}; it has {', '.join(sorted(metric.labels))}"
