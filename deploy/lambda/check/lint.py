"""What SAM's and CloudFormation's own tools say of the template."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import document
from document import Document
from findings import Broken, Finding
from scenarios import ALL, EVERYTHING, Scenario

_TOOLS = Path(sys.executable).parent

# W1030 judges a value whether or not the resource that it is for is made; it has a say where every parameter is given.
_OF_VALUES = "W1030"


def check_source() -> Iterator[Finding]:
    """`sam validate --lint` on the file as it is."""
    validated = subprocess.run(
        [_TOOLS / "sam", "validate", "--lint", "--template-file", document.TEMPLATE, "--region", document.REGION],
        env=document.hermetic(),
        cwd=document.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if validated.returncode != 0:
        yield Finding("sam-validate", "template.yaml", (validated.stderr or validated.stdout).strip())


def check_translated(template: Document, scenarios: list[Scenario] = ALL) -> Iterator[Finding]:
    """cfn-lint on what SAM makes of it: values that SAM hands on unread are read only there."""
    for scenario in scenarios:
        translated = document.translate(document.fill_in(template, scenario.parameters))
        translated.pop("Metadata", None)
        ignored = [] if scenario is EVERYTHING else [_OF_VALUES]
        yield from _lint(translated, scenario, ignored)


def _lint(translated: Document, scenario: Scenario, ignored: list[str]) -> Iterator[Finding]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "translated.json"
        path.write_text(json.dumps(translated, indent=1), encoding="utf-8")
        command = [_TOOLS / "cfn-lint", "--format", "json", "--regions", document.REGION]
        for rule in ignored:
            command += ["--ignore-checks", rule]
        linted = subprocess.run(
            [*command, "--", path], env=document.hermetic(), cwd=folder, capture_output=True, text=True, check=False
        )
    try:
        matches = json.loads(linted.stdout or "[]")
    except json.JSONDecodeError as error:
        raise Broken(f"cfn-lint gave no JSON: {linted.stdout} {linted.stderr}") from error
    if linted.returncode != 0 and not matches:
        raise Broken(f"cfn-lint ended with {linted.returncode}: {linted.stderr}")
    for match in matches:
        place = "/".join(str(part) for part in match["Location"].get("Path") or ["translated template"])
        yield Finding(f"cfn-lint {match['Rule']['Id']}", f"{place} ({scenario.name})", match["Message"])
