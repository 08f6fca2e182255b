"""Holds the files of deploy/ to what they promise: `python deploy/check [PART ...]`, all parts unless some are named.

PART is one of: prometheus, dashboards, nginx, kubernetes, compose, systemd, debian, faults (does each rule find the fault that it is for). Only when named
alone: write-rules (the rules of deploy/prometheus as the PrometheusRule of deploy/k8s), live-queries and live-scrape (what tests
ask a running Prometheus, and what it is started with), live-environment (with what the pods of an overlay start).
"""

import sys
import time
from collections.abc import Callable, Iterable

import files as deployment
import kubernetes_files
import live
import mutations
from areas import AREAS
from files import Files
from findings import Broken, Finding

PARTS: dict[str, Callable[[Files], Iterable[Finding]]] = {
    **{area.name: area.check for area in AREAS},
    "faults": mutations.check,
}
COMMANDS: dict[str, Callable[[Files, list[str]], None]] = {
    "live-queries": live.print_queries,
    "live-scrape": live.print_scrape,
    "live-environment": live.print_environment,
    "write-rules": lambda files, _: print(kubernetes_files.write_rules(files)),
}


def main(arguments: list[str]) -> int:
    """Runs the parts, prints what they find, and gives the exit status."""
    files = deployment.read()
    if arguments and arguments[0] in COMMANDS:
        COMMANDS[arguments[0]](files, arguments[1:])
        return 0
    unknown = [part for part in arguments if part not in PARTS]
    if unknown:
        print(f"there is no part {', '.join(unknown)}; there are {', '.join((*PARTS, *COMMANDS))}", file=sys.stderr)
        return 2
    found = 0
    for part in arguments or PARTS:
        began = time.monotonic()
        try:
            findings = list(PARTS[part](files))
        except Broken as error:
            findings = [Finding(part, "deploy/check", str(error))]
        for finding in findings:
            print(finding)
        found += len(findings)
        print(f"deploy {part}: {len(findings) or 'nothing'} found in {time.monotonic() - began:.1f} s", flush=True)
    return 1 if found else 0


sys.exit(main(sys.argv[1:]))
