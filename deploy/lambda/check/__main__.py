"""Holds template.yaml to what it promises: `python deploy/lambda/check [PART ...]`, all parts unless some are named.

PART is one of: lint, rules, faults (does each rule find the fault that it is for), deploy (into moto), costs (is the table of
docs/deploy-lambda.md the computed one); and, only when named, artifacts (what `sam build` made), write-costs (that table).
"""

import logging
import sys
import time
from collections.abc import Callable, Iterable

import artifacts
import costs
import deployment
import document
import lint
import mutations
import rules
from findings import Broken, Finding

PARTS: dict[str, Callable[[], Iterable[Finding]]] = {
    "lint": lambda: (*lint.check_source(), *lint.check_translated(document.read())),
    "rules": lambda: rules.check(document.read()),
    "faults": lambda: mutations.check(document.read()),
    "deploy": lambda: deployment.check(document.read()),
    "costs": costs.check,
    "artifacts": artifacts.check,
    "write-costs": costs.write,
}
UNASKED = [part for part in PARTS if part not in ("artifacts", "write-costs")]


def main(arguments: list[str]) -> int:
    """Runs the parts, prints what they find, and gives the exit status."""
    # SAM's translator complains of metrics that it could not send, in a program that sends none.
    logging.getLogger("samtranslator.metrics").setLevel(logging.CRITICAL)
    unknown = [part for part in arguments if part not in PARTS]
    if unknown:
        print(f"there is no part {', '.join(unknown)}; there are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    found = 0
    for part in arguments or UNASKED:
        began = time.monotonic()
        try:
            findings = list(PARTS[part]())
        except Broken as error:
            findings = [Finding(part, "deploy/lambda/check", str(error))]
        for finding in findings:
            print(finding)
        found += len(findings)
        print(f"template {part}: {len(findings) or 'nothing'} found in {time.monotonic() - began:.1f} s", flush=True)
    return 1 if found else 0


sys.exit(main(sys.argv[1:]))
