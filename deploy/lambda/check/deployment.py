"""The template deployed into moto's CloudFormation, and what came of it read back.

moto says CREATE_COMPLETE also for what it does not know: whatever it makes is asked for by the service's own API, and what
it passes over is named here and stands or falls with the rules on the translated template.
"""

import ast
import io
import json
import re
import zipfile
from collections.abc import Iterator
from typing import Any

import document
import emulator
from document import Document
from findings import Broken, Finding
from scenarios import EVERYTHING, SMALLEST, Scenario
from stack import FUNCTIONS, Stack

# Types that moto's CloudFormation passes over.
PASSED_OVER = {
    "AWS::ApiGatewayV2::Api",
    "AWS::ApiGatewayV2::ApiMapping",
    "AWS::ApiGatewayV2::DomainName",
    "AWS::ApiGatewayV2::Stage",
    "AWS::CloudWatch::Alarm",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::SNS::Subscription",
    "AWS::SQS::QueuePolicy",
}

# What moto does not keep of those that it makes: the architecture of functions, the policies that a role names by their ARN, and
# what a secret's reference stands for. The rules `function-carrier`, `permission` and `plain-secret` look at those.

# What cannot be made there, since it points to one of these.
LEFT_OUT = {"DomainRecord"}


def check(template: Document) -> Iterator[Finding]:
    """The smallest and the largest stack are made, and are what the template says."""
    for scenario in (SMALLEST, EVERYTHING):
        yield from check_made(template, template, scenario)


def check_made(template: Document, made: Document, scenario: Scenario) -> Iterator[Finding]:
    """What differs between what `template` says and what comes of deploying `made`."""
    with emulator.running() as url:
        yield from _Deployment(template, made, scenario, url).check()


class _Deployment:
    def __init__(self, template: Document, made: Document, scenario: Scenario, url: str) -> None:
        import boto3

        self._session = boto3.Session("none", "none", region_name=document.REGION)
        self._url = url
        self._scenario = self._in_this_account(scenario)
        self._stack = Stack.plan(template, self._scenario)
        self._made = Stack.plan(made, self._scenario)
        self._ids: dict[str, str] = {}

    def check(self) -> Iterator[Finding]:
        self._deploy()
        for finding in (
            *self._nothing_unforeseen(),
            *self._queues(),
            *self._functions(),
            *self._mapping(),
            *self._permissions(),
            *self._roles(),
            *self._schedule(),
            *self._logs(),
            *self._realtime(),
        ):
            yield Finding(finding.rule, f"{finding.place} ({self._scenario.name})", finding.message)

    def _client(self, service: str) -> Any:
        return self._session.client(service, endpoint_url=self._url)

    def _in_this_account(self, scenario: Scenario) -> Scenario:
        """The scenario with a network, a certificate and a zone that are there."""
        parameters = dict(scenario.parameters)
        if "SubnetIds" in parameters:
            ec2 = self._client("ec2")
            vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
            of_vpc = [{"Name": "vpc-id", "Values": [vpc]}]
            subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets(Filters=of_vpc)["Subnets"]]
            groups = [group["GroupId"] for group in ec2.describe_security_groups(Filters=of_vpc)["SecurityGroups"]]
            parameters["SubnetIds"] = ",".join(subnets[:2])
            parameters["SecurityGroupIds"] = groups[0]
            if "VpcId" in parameters:
                parameters["VpcId"] = vpc
                parameters["PublicSubnetIds"] = ",".join(subnets[1:3])
        for name in ("CertificateArn", "RealtimeCertificateArn"):
            if name in parameters:
                certificate = self._client("acm").request_certificate(DomainName="*.example.com")
                parameters[name] = certificate["CertificateArn"]
        if "HostedZoneId" in parameters:
            zone = self._client("route53").create_hosted_zone(Name="example.com", CallerReference="check")
            parameters["HostedZoneId"] = zone["HostedZone"]["Id"].rsplit("/", 1)[-1]
        return Scenario(scenario.name, parameters)

    def _deploy(self) -> None:
        storage = self._client("s3")
        bucket, key = document.CODE
        storage.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": document.REGION})
        storage.put_object(Bucket=bucket, Key=key, Body=_an_archive())
        formation = self._client("cloudformation")
        name = "analytics"
        given = self._scenario.parameters.items()
        formation.create_stack(
            StackName=name,
            TemplateBody=json.dumps(self._deployable()),
            Parameters=[{"ParameterKey": key, "ParameterValue": str(value)} for key, value in given],
            Capabilities=["CAPABILITY_IAM"],
        )
        status = formation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
        if status != "CREATE_COMPLETE":
            raise Broken(f"the stack ({self._scenario.name}) is {status}")
        for page in formation.get_paginator("list_stack_resources").paginate(StackName=name):
            for resource in page["StackResourceSummaries"]:
                # moto lists the parts of some resources without a name.
                if resource["LogicalResourceId"]:
                    self._ids[resource["LogicalResourceId"]] = resource["PhysicalResourceId"]

    def _deployable(self) -> Document:
        """The translated template without the outputs that only what moto passes over can tell, and without LEFT_OUT."""
        translated = dict(self._made.translated)
        resources = translated["Resources"].items()
        translated["Resources"] = {name: resource for name, resource in resources if name not in LEFT_OUT}
        absent = [name for name, resource in translated["Resources"].items() if resource["Type"] in PASSED_OVER]
        outputs = translated["Outputs"].items()
        translated["Outputs"] = {
            name: output
            for name, output in outputs
            if not any(re.search(rf"\b{resource}\b", json.dumps(output)) for resource in absent)
        }
        return translated

    def _nothing_unforeseen(self) -> Iterator[Finding]:
        kinds = {name: resource["Type"] for name, resource in self._stack.resources.items()}
        for name, kind in kinds.items():
            if (name in self._ids) == (kind in PASSED_OVER or name in LEFT_OUT):
                message = f"moto {'makes' if name in self._ids else 'passes over'} {kind}, and PASSED_OVER says otherwise"
                yield Finding("deploy", name, message)
        for name in self._ids.keys() - kinds.keys():
            yield Finding("deploy", name, "is made, and a condition of this scenario says it is not")

    def _queues(self) -> Iterator[Finding]:
        queues = self._client("sqs")
        for name in ("EventQueue", "DeadLetterQueue"):
            found = queues.get_queue_attributes(QueueUrl=self._ids[name], AttributeNames=["All"])["Attributes"]
            wanted = dict(self._stack.properties(name))
            redrive = wanted.pop("RedrivePolicy", None)
            for attribute, value in wanted.items():
                yield from _same(name, attribute, found.get(attribute, "").lower(), str(value).lower())
            if redrive:
                real = json.loads(found.get("RedrivePolicy", "{}"))
                yield from _same(name, "dead letters", real.get("deadLetterTargetArn"), self._queue_arn("DeadLetterQueue"))
                yield from _same(name, "maxReceiveCount", real.get("maxReceiveCount"), redrive["maxReceiveCount"])

    def _queue_arn(self, name: str) -> str:
        queue = self._client("sqs").get_queue_attributes(QueueUrl=self._ids[name], AttributeNames=["QueueArn"])
        return queue["Attributes"]["QueueArn"]

    def _functions(self) -> Iterator[Finding]:
        functions = self._client("lambda")
        for function in FUNCTIONS:
            name = f"{function}Function"
            wanted = self._stack.properties(name)
            found = functions.get_function_configuration(FunctionName=self._ids[name])
            for key in ("Handler", "MemorySize", "Runtime", "Timeout"):
                yield from _same(name, key, found.get(key), wanted[key])
            network = {key: found.get("VpcConfig", {}).get(key) or [] for key in ("SubnetIds", "SecurityGroupIds")}
            yield from _same(name, "network", network, wanted.get("VpcConfig", dict.fromkeys(network, [])))
            reserve = functions.get_function_concurrency(FunctionName=self._ids[name])
            reserved = reserve.get("ReservedConcurrentExecutions")
            yield from _same(name, "reserve", reserved, wanted.get("ReservedConcurrentExecutions"))
            variables = self._with_ids(wanted["Environment"]["Variables"])
            real = {key: str(value) for key, value in found["Environment"]["Variables"].items()}
            yield from _same(name, "variables", real, variables)
            role = self._client("iam").get_role(RoleName=self._ids[f"{function}Role"])["Role"]["Arn"]
            yield from _same(name, "role", found["Role"], role)

    def _mapping(self) -> Iterator[Finding]:
        name = "ProcessorFunctionMessages"
        wanted = self._stack.properties(name)
        [found] = self._client("lambda").list_event_source_mappings()["EventSourceMappings"]
        for key in ("BatchSize", "MaximumBatchingWindowInSeconds", "FunctionResponseTypes", "ScalingConfig"):
            yield from _same(name, key, found.get(key), wanted[key])
        yield from _same(name, "queue", found["EventSourceArn"], self._queue_arn("EventQueue"))
        yield from _same(name, "function", found["FunctionArn"].rsplit(":", 1)[-1], self._ids["ProcessorFunction"])

    def _permissions(self) -> Iterator[Finding]:
        functions = self._client("lambda")
        for function, count in (("Collector", 3), ("Api", 1), ("Maintenance", 1)):
            policy = json.loads(functions.get_policy(FunctionName=self._ids[f"{function}Function"])["Policy"])
            principals = [statement["Principal"]["Service"] for statement in policy["Statement"]]
            who = "events.amazonaws.com" if function == "Maintenance" else "apigateway.amazonaws.com"
            yield from _same(f"{function}Function", "who may invoke it", principals, [who] * count)
            if not all(statement.get("Condition") for statement in policy["Statement"]):
                yield Finding("deploy", f"{function}Function", "a permission to invoke it names no source")

    def _roles(self) -> Iterator[Finding]:
        roles = self._client("iam")
        for name, wanted in self._stack.of("AWS::IAM::Role"):
            for policy in wanted.get("Policies", []):
                real = roles.get_role_policy(RoleName=self._ids[name], PolicyName=policy["PolicyName"])
                written = _policy(real["PolicyDocument"])
                actions = _actions(written)
                yield from _same(name, policy["PolicyName"], actions, _actions(policy["PolicyDocument"]))
                if policy["PolicyName"] == "queue":
                    resources = [statement["Resource"] for statement in written["Statement"]]
                    yield from _same(name, "queue", resources, [self._queue_arn("EventQueue")])

    def _schedule(self) -> Iterator[Finding]:
        name = "MaintenanceFunctionTick"
        rules = self._client("events").list_rules()["Rules"]
        schedules = [(rule.get("ScheduleExpression"), rule.get("State")) for rule in rules]
        wanted = self._stack.properties(name)["ScheduleExpression"]
        yield from _same(name, "schedule", schedules, [(wanted, "ENABLED")])

    def _logs(self) -> Iterator[Finding]:
        groups = self._client("logs").describe_log_groups()["logGroups"]
        found = {group["logGroupName"]: group.get("retentionInDays") for group in groups}
        wanted = {
            group["LogGroupName"]: group["RetentionInDays"] for _, group in self._stack.of("AWS::Logs::LogGroup")
        }
        yield from _same("logs", "retention", found, wanted)

    def _realtime(self) -> Iterator[Finding]:
        if "RealtimeService" not in self._stack.resources:
            return
        containers = self._client("ecs")
        cluster = containers.list_clusters()["clusterArns"][0]
        [service] = containers.list_services(cluster=cluster)["serviceArns"]
        [found] = containers.describe_services(cluster=cluster, services=[service])["services"]
        task = containers.describe_task_definition(taskDefinition=found["taskDefinition"])["taskDefinition"]
        [container] = task["containerDefinitions"]
        wanted = self._stack.properties("RealtimeTask")["ContainerDefinitions"][0]
        yield from _same("RealtimeTask", "image", container["image"], wanted["Image"])
        secrets = {secret["name"]: secret["valueFrom"] for secret in container.get("secrets", [])}
        own = {secret["Name"]: secret["ValueFrom"] for secret in wanted["Secrets"]}
        yield from _same("RealtimeTask", "secrets", secrets, own)
        yield from _same("RealtimeService", "count", found["desiredCount"], 1)

    def _with_ids(self, variables: Document) -> dict[str, str]:
        return {
            key: self._ids[value.strip("<>")] if str(value).startswith("<") else str(value)
            for key, value in variables.items()
        }


def _same(place: str, what: str, found: Any, wanted: Any) -> Iterator[Finding]:
    if found != wanted:
        yield Finding("deploy", place, f"{what} is {found}; it has to be {wanted}")


def _policy(written: str | Document) -> Document:
    """A role's policy, which moto gives back in Python's own notation where a stack made it."""
    return ast.literal_eval(written) if isinstance(written, str) else written


def _actions(policy: Document) -> list[str]:
    actions = []
    for statement in policy["Statement"]:
        action = statement["Action"]
        actions += action if isinstance(action, list) else [action]
    return sorted(actions)


def _an_archive() -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("bootstrap", "#!/bin/sh\n")
    return archive.getvalue()
