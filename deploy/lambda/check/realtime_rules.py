"""What realtime on Fargate has to be, where it is asked for."""

from collections.abc import Iterator

from findings import Finding
from stack import Stack

KINDS = (
    "AWS::ECS::Cluster",
    "AWS::ECS::TaskDefinition",
    "AWS::ECS::Service",
    "AWS::ElasticLoadBalancingV2::LoadBalancer",
    "AWS::ElasticLoadBalancingV2::Listener",
)
SECRETS = {"REDIS_URL", "DATABASE_URL", "API_KEYS", "WRITE_KEYS"}


def check(stack: Stack) -> Iterator[Finding]:
    """Sockets come over TLS alone, to a container that nothing but its load balancer reaches."""
    asked = bool(stack.scenario.parameters.get("RealtimeImage"))
    for kind in KINDS:
        if (len(list(stack.of(kind))) == 1) != asked:
            yield Finding("realtime", kind, "has to be there" if asked else "must not be there: no image was given")
    for name, listener in stack.of("AWS::ElasticLoadBalancingV2::Listener"):
        if listener["Protocol"] != "HTTPS" or not listener.get("Certificates"):
            yield Finding("realtime-tls", name, "has to speak HTTPS with a certificate")
    for name, group in stack.of("AWS::EC2::SecurityGroup"):
        for rule in group.get("SecurityGroupIngress", []):
            if rule["FromPort"] != 443 and "SourceSecurityGroupId" not in rule:
                yield Finding("realtime-closed", name, f"port {rule['FromPort']} is open to more than a security group")
    for name, service in stack.of("AWS::ECS::Service"):
        network = service["NetworkConfiguration"]["AwsvpcConfiguration"]
        if network.get("AssignPublicIp") != "DISABLED":
            yield Finding("realtime-closed", name, "AssignPublicIp has to be DISABLED")
        if network["Subnets"] != stack.scenario.parameters["SubnetIds"].split(","):
            yield Finding("realtime", name, "has to run in SubnetIds")
    for name, task in stack.of("AWS::ECS::TaskDefinition"):
        [container] = task["ContainerDefinitions"]
        told = {entry["Name"] for entry in container["Secrets"]}
        if told != SECRETS:
            yield Finding("realtime", name, f"the secrets are {sorted(told)}; they have to be {sorted(SECRETS)}")
        architecture = {"x86_64": "X86_64", "arm64": "ARM64"}[stack.scenario.parameters.get("Architecture", "x86_64")]
        if task["RuntimePlatform"]["CpuArchitecture"] != architecture:
            yield Finding("realtime", name, f"CpuArchitecture has to be {architecture}")
