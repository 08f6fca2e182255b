"""The sets of parameters under which the template is checked: every condition once as it is and once the other way."""

from dataclasses import dataclass, field
from typing import Any

_ARN = "arn:aws:{service}:eu-central-1:123456789012:{rest}"
SECRET = _ARN.format(service="secretsmanager", rest="secret:analytics-AbCdEf")
CERTIFICATE = _ARN.format(service="acm", rest="certificate/11111111-2222-3333-4444-555555555555")


@dataclass(frozen=True)
class Scenario:
    """A name and the parameters that differ from the template's defaults."""

    name: str
    parameters: dict[str, Any] = field(default_factory=dict)


SMALLEST = Scenario("smallest", {"SecretArn": SECRET})

POOLED = Scenario(
    "in a VPC, behind a pooler",
    {
        "SecretArn": SECRET,
        "SubnetIds": "subnet-11111111,subnet-22222222",
        "SecurityGroupIds": "sg-11111111",
        "StatementCache": "off",
        "AutoMigrate": "false",
        "Enrich": "none",
        "DomainName": "events.example.com",
        "CertificateArn": CERTIFICATE,
    },
)

EVERYTHING = Scenario(
    "everything",
    {
        "SecretArn": SECRET,
        "SecretVersion": "11111111-2222-3333-4444-555555555555",
        "WithRedis": "true",
        "SubnetIds": "subnet-11111111,subnet-22222222",
        "SecurityGroupIds": "sg-11111111,sg-22222222",
        "VpcReachesSqs": "true",
        "Architecture": "arm64",
        "ApiReservedConcurrency": 20,
        "ProcessorReservedConcurrency": 10,
        "ProcessorConcurrency": 10,
        "BatchSize": 500,
        "BatchWindowSeconds": 5,
        "DomainName": "events.example.com",
        "CertificateArn": CERTIFICATE,
        "HostedZoneId": "Z0123456789ABCDEFGHIJ",
        "AlarmEmail": "operators@example.com",
        "RealtimeImage": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/realtime:1.0.0",
        "RealtimeRepositoryArn": _ARN.format(service="ecr", rest="repository/realtime"),
        "RealtimeCertificateArn": CERTIFICATE,
        "VpcId": "vpc-11111111",
        "PublicSubnetIds": "subnet-33333333,subnet-44444444",
    },
)

PUBLIC_IMAGE = Scenario(
    "realtime from a public image",
    {
        **EVERYTHING.parameters,
        "RealtimeImage": "public.ecr.aws/analytics/realtime:1.0.0",
        "RealtimeRepositoryArn": "",
    },
)

ALL = [SMALLEST, POOLED, EVERYTHING, PUBLIC_IMAGE]
