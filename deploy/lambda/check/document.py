"""The template as a document: read, filled in, and translated into what CloudFormation takes."""

import copy
import json
import os
from pathlib import Path
from typing import Any

from findings import Broken

Document = dict[str, Any]

ROOT = Path(__file__).resolve().parents[3]
TEMPLATE = ROOT / "template.yaml"
REGION = "eu-central-1"

# Where the code of all functions is said to lie: a translation takes no folder.
CODE = ("code-of-the-check", "bootstrap.zip")


def hermetic() -> dict[str, str]:
    """The environment of tools that must reach nobody: no account, no telemetry, no metadata service."""
    return {
        **os.environ,
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "SAM_CLI_TELEMETRY": "0",
    }


def read(path: Path = TEMPLATE) -> Document:
    """The template as it is written, CloudFormation's short forms (`!Ref`) in their long ones."""
    from samcli.yamlhelper import yaml_parse

    return json.loads(json.dumps(yaml_parse(path.read_text(encoding="utf-8"))))


def fill_in(template: Document, parameters: dict[str, Any]) -> Document:
    """The template with `parameters` as the defaults, so that every tool sees these values."""
    filled = copy.deepcopy(template)
    for name, value in parameters.items():
        if name not in filled["Parameters"]:
            raise Broken(f"the template has no parameter {name}, which a scenario sets")
        filled["Parameters"][name]["Default"] = value
    return filled


def translate(template: Document) -> Document:
    """The template as CloudFormation gets it from SAM's transform, which is made here, without AWS."""
    import boto3
    from samtranslator.parser import parser
    from samtranslator.public.exceptions import InvalidDocumentException
    from samtranslator.translator.translator import Translator

    source = copy.deepcopy(template)
    for resource in source["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://" + "/".join(CODE)
    values = {name: parameter.get("Default", "") for name, parameter in source["Parameters"].items()}
    translator = Translator(None, parser.Parser(), boto_session=boto3.Session(region_name=REGION))
    try:
        # No managed policy is named by its short name, so no map of them is asked for.
        translated = translator.translate(source, values, get_managed_policy_map=dict)
    except InvalidDocumentException as error:
        causes = " ".join(cause.message for cause in error.causes)
        raise Broken(f"SAM cannot translate the template: {causes}") from error
    return json.loads(json.dumps(translated))
