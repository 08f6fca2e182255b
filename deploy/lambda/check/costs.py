"""The table of costs in docs/deploy-lambda.md, computed from the template's defaults and deploy/lambda/costs.toml."""

import math
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass

import document
from document import Document
from findings import Broken, Finding

FIGURES = document.ROOT / "deploy/lambda/costs.toml"
PAGE = document.ROOT / "docs/deploy-lambda.md"
BEGIN = "<!-- costs: written by deploy/lambda/check -->"
END = "<!-- end of costs -->"

EVENTS = (10_000, 1_000_000, 100_000_000)
A_REQUEST = (1, 20)
MOST_A_RECEIVE = 10
LONG_POLL_SECONDS = 20
TICK_SECONDS = 300


@dataclass(frozen=True)
class Month:
    """What a month costs, in dollars, by what is paid for."""

    events: int
    a_request: int
    http: float
    collector: float
    queue: float
    processor: float
    logs: float
    standing: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.http + self.collector + self.queue + self.processor + self.logs + self.standing

    def row(self) -> str:
        """Its line of the table."""
        parts = (self.http, self.collector, self.queue, self.processor, self.logs, self.standing, self.total)
        return f"| {self.events:,} | {self.a_request} | " + " | ".join(f"{part:.2f}" for part in parts) + " |"


def table() -> str:
    """The whole table, in Markdown."""
    figures = tomllib.loads(FIGURES.read_text(encoding="utf-8"))
    parameters = document.read()["Parameters"]
    rows = [_month(figures, parameters, events, a_request).row() for events in EVENTS for a_request in A_REQUEST]
    head = "| events a month | a request | HTTP API | collector | queue | processor | logs | standing | together |"
    return "\n".join([head, "|" + "---:|" * 9, *rows])


def _month(figures: Document, parameters: Document, events: int, a_request: int) -> Month:
    prices, platform = figures["prices"], figures["platform"]
    collector, processor = figures["collector"], figures["processor"]
    seconds = figures["lambda"]["month_seconds"]
    requests = events / a_request

    # Messages come evenly; an invocation takes those of one window, as many as fit into a batch.
    in_a_window = requests / seconds * parameters["BatchWindowSeconds"]["Default"]
    messages = min(max(in_a_window, 1), parameters["BatchSize"]["Default"])
    invocations = requests / messages
    sent = requests
    received_and_deleted = 2 * requests / min(messages, MOST_A_RECEIVE)
    polls = platform["pollers"] * seconds / LONG_POLL_SECONDS

    collect_ms = _billed(figures, parameters["CollectorMemory"], collector[f"cpu_ms_of_{a_request}"], collector["wait_ms"])
    store_cpu = processor["cpu_ms_of_invocation"] + processor["cpu_ms_of_event"] * messages * a_request
    store_ms = _billed(figures, parameters["ProcessorMemory"], store_cpu, processor["wait_ms"])
    ticks = seconds / TICK_SECONDS
    tick_ms = figures["maintenance"]["ms"]

    request_log = platform["access_log_bytes"] + platform["log_bytes"] + collector["log_bytes"]
    invocation_log = platform["log_bytes"] + processor["log_bytes"]
    return Month(
        events,
        a_request,
        http=requests / 1e6 * prices["http_api_million"],
        collector=_lambda(prices, requests, collect_ms, parameters["CollectorMemory"]),
        queue=(sent + received_and_deleted) / 1e6 * prices["sqs_million"],
        processor=_lambda(prices, invocations, store_ms, parameters["ProcessorMemory"]),
        logs=(requests * request_log + invocations * invocation_log) / 1e9 * prices["logs_gb"],
        standing=polls / 1e6 * prices["sqs_million"] + _lambda(prices, ticks, tick_ms, parameters["ProcessorMemory"]),
    )


def _billed(figures: Document, memory: Document, cpu_ms: float, wait_ms: float) -> int:
    """The milliseconds that are paid for: work at the function's share of a core, and waiting; begun ones count."""
    share = min(memory["Default"] / figures["lambda"]["cpu_memory"], 1)
    return math.ceil(cpu_ms / share + wait_ms)


def _lambda(prices: Document, invocations: float, ms: int, memory: Document) -> float:
    gb_seconds = invocations * ms / 1000 * memory["Default"] / 1024
    return invocations / 1e6 * prices["lambda_million"] + gb_seconds * prices["lambda_gb_second"]


def check() -> Iterator[Finding]:
    """The page's table is the computed one."""
    _, present, _ = _parts()
    if present != f"\n{table()}\n":
        message = "the table of costs is not the computed one: run `scripts/tools python -B deploy/lambda/check write-costs`"
        yield Finding("costs", "docs/deploy-lambda.md", message)


def write() -> Iterator[Finding]:
    """Puts the computed table into the page."""
    before, _, after = _parts()
    PAGE.write_text(f"{before}{BEGIN}\n{table()}\n{END}{after}", encoding="utf-8")
    return iter(())


def _parts() -> tuple[str, str, str]:
    text = PAGE.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise Broken(f"docs/deploy-lambda.md needs one `{BEGIN}` and one `{END}`")
    before, rest = text.split(BEGIN)
    present, after = rest.split(END)
    return before, present, after
