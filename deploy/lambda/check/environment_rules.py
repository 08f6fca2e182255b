"""What samconfig.toml says has to be something that the template knows."""

import re
import tomllib
from collections.abc import Iterator

from document import ROOT, Document
from findings import Finding

ENVIRONMENTS = ("dev", "prod")

# What only the reader knows, and the template refuses.
TO_FILL_IN = "FILL-IN"


def read() -> Document:
    """The environments as they are written."""
    return tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))


def check(template: Document, config: Document) -> Iterator[Finding]:
    """Each environment builds Rust, asks before it replaces what is in use, and names parameters that are there."""
    for environment in ENVIRONMENTS:
        tables = config.get(environment, {})
        if tables.get("build", {}).get("parameters", {}).get("beta_features") is not True:
            yield Finding("environment", environment, "build needs beta_features = true")
        deploy = tables.get("deploy", {}).get("parameters", {})
        if environment == "prod" and deploy.get("confirm_changeset") is not True:
            yield Finding("environment", environment, "deploy needs confirm_changeset = true")
        if deploy.get("capabilities") != "CAPABILITY_IAM":
            yield Finding("environment", environment, "capabilities has to be CAPABILITY_IAM, and no more")
        for override in deploy.get("parameter_overrides", []):
            name, _, value = override.partition("=")
            yield from _override(environment, name, value, template["Parameters"].get(name))


def _override(environment: str, name: str, value: str, parameter: Document | None) -> Iterator[Finding]:
    if parameter is None:
        yield Finding("environment", environment, f"the template has no parameter {name}")
        return
    if value == "":
        yield Finding("environment", environment, f"{name} is empty, which sam does not take: leave it out")
    pattern = parameter.get("AllowedPattern", "")
    allowed = [str(choice) for choice in parameter.get("AllowedValues", [value])]
    fits = re.fullmatch(pattern or ".*", value) is not None and value in allowed
    if fits == (value == TO_FILL_IN):
        message = f"{name} takes {value}, and has to refuse it" if fits else f"{name} does not take {value}"
        yield Finding("environment", environment, message)
