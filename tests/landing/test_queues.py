"""The queues of SQS: one file of numbers, and three who read it: the settings, development and production."""

import json
import os
import re
import shutil
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import REGIONS, lint
from cfnlint.decode.cfn_yaml import loads
from containers import names
from tools import free_port, need, run

Render = Callable[[str], Path]

# As in the account of somebody. The numbers are none that anything else has.
STACK = "my-site-production"
PSEUDO = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "eu-central-1",
    "AWS::StackName": STACK,
    "AWS::URLSuffix": "amazonaws.com",
}
NUMBERS = {"VisibilityTimeout": "77", "MaxReceiveCount": "3"}

TEMPLATE = Path("docker/broker/sqs.yml")
PARAMETERS = Path("src/config/queues.json")


class Made:
    """What a template makes of an account, by what its functions mean.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
    """

    def __init__(self, text: str, parameters: dict[str, str]) -> None:
        self.template = loads(text)
        self.values = PSEUDO | parameters

    def value(self, node: Any) -> Any:
        """Return what a node stands for."""
        if isinstance(node, list):
            return [self.value(item) for item in node]
        if not isinstance(node, dict):
            return node
        if "Ref" in node:
            return self.values.get(node["Ref"], node["Ref"])
        if "Fn::Sub" in node:
            return re.sub(r"\$\{(.+?)\}", lambda found: self.values[found[1]], node["Fn::Sub"])
        if "Fn::GetAtt" in node:
            name, attribute = node["Fn::GetAtt"]
            assert attribute == "Arn"
            return arn(self.properties(name)["QueueName"])
        return {key: self.value(item) for key, item in node.items()}

    def properties(self, name: str) -> dict[str, Any]:
        """Return the properties of a resource."""
        found: dict[str, Any] = self.value(self.template["Resources"][name]["Properties"])
        return found

    def of(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return the properties of all resources of a type, by their names in the template."""
        resources = self.template["Resources"]
        return {name: self.properties(name) for name in resources if resources[name]["Type"] == f"AWS::{kind}"}

    def queues(self) -> dict[str, dict[str, Any]]:
        """Return the properties of the queues, by their names in the account."""
        return {made["QueueName"]: made for made in self.of("SQS::Queue").values()}


def arn(queue: str) -> str:
    """Return the address of a queue of the account."""
    return f"arn:aws:sqs:eu-central-1:123456789012:{queue}"


@pytest.fixture(scope="module")
def made(render: Render) -> Made:
    """The queues of production, with the numbers of a new project."""
    project = render("default")
    parameters = json.loads((project / PARAMETERS).read_text())["Parameters"]
    return Made((project / TEMPLATE).read_text(), parameters)


@pytest.fixture
def settings(project: Callable[..., Path]) -> Callable[[str], Any]:
    """Read settings of a project whose file of numbers has others."""
    folder = project("default")
    (folder / PARAMETERS).write_text(json.dumps({"Parameters": NUMBERS}))

    @cache
    def read(expression: str) -> Any:
        code = f"import json; from django.conf import settings; print(json.dumps({expression}))"
        return json.loads(run(folder / ".venv/bin/python", "src/manage.py", "shell", "--no-imports", "-c", code, cwd=folder))

    return read


@pytest.mark.parametrize("name", ["default", "long", "short"])
def test_the_queues_of_production_are_valid_in_every_region(name: str, render: Render) -> None:
    text = (render(name) / TEMPLATE).read_text()
    assert lint(text, regions=REGIONS) == []
    found = re.search(r"--stack-name (\S+)", text)
    assert found is not None
    # "-default-dead" follows, and the name of a queue has 80 characters at most.
    assert re.fullmatch(r"[a-z][a-z0-9-]{0,66}", found[1])


def test_a_number_stands_in_one_file_alone(render: Render, made: Made) -> None:
    asked = made.template["Parameters"]
    assert set(asked) == set(json.loads((render("default") / PARAMETERS).read_text())["Parameters"])
    assert not [name for name, parameter in asked.items() if "Default" in parameter]
    elasticmq = (render("default") / "docker/broker/elasticmq.conf").read_text()
    written = set(re.findall(r"(?:Timeout|Count) = (\S+)", elasticmq))
    assert written == {'${Parameters.VisibilityTimeout}"', "${Parameters.MaxReceiveCount}"}


def test_the_numbers_are_texts_because_some_versions_of_the_aws_cli_send_no_others(render: Render) -> None:
    numbers = json.loads((render("default") / PARAMETERS).read_text())["Parameters"].values()
    assert all(isinstance(number, str) and int(number) > 0 for number in numbers)


def test_production_has_the_numbers_of_the_file_and_the_queues_of_the_settings(
    render: Render, settings: Callable[[str], Any]
) -> None:
    queues = Made((render("default") / TEMPLATE).read_text(), NUMBERS).queues()
    dead = settings("settings.DEAD_LETTER_QUEUES")
    assert set(queues) == {f"{STACK}-{name}" for names in dead.items() for name in names}
    for queue in queues.values():
        assert queue["VisibilityTimeout"] == NUMBERS["VisibilityTimeout"]
    for name, letters in dead.items():
        assert queues[f"{STACK}-{name}"]["RedrivePolicy"] == {
            "deadLetterTargetArn": arn(f"{STACK}-{letters}"),
            "maxReceiveCount": NUMBERS["MaxReceiveCount"],
        }
        assert "RedrivePolicy" not in queues[f"{STACK}-{letters}"]


def test_the_settings_have_the_numbers_of_the_file(settings: Callable[[str], Any]) -> None:
    assert settings("settings.CELERY_TASK_TIME_LIMIT") == 77 * 4 // 5


@pytest.fixture
def elasticmq(render: Render, tmp_path: Path) -> Iterator[str]:
    """The address of the broker of development, whose file of numbers has others."""
    need("docker")
    folder = tmp_path / "broker"
    shutil.copytree(render("default"), folder)
    (folder / PARAMETERS).write_text(json.dumps({"Parameters": NUMBERS}))
    with names() as named:
        ports = {"BROKER_PORT": str(free_port()), "BROKER_PAGE_PORT": str(free_port())}
        env = {**named, **ports, "UID": str(os.getuid()), "GID": str(os.getgid())}
        try:
            run("docker", "compose", "up", "--detach", "--wait", "--no-deps", "broker", cwd=folder, env=env)
            yield f"http://127.0.0.1:{env['BROKER_PORT']}"
        finally:
            run("docker", "compose", "down", "--volumes", "--timeout", "1", cwd=folder, env=env)


def ask(url: str, target: str, **parameters: Any) -> Any:
    """Ask SQS in its own words, without a library."""
    headers = {"X-Amz-Target": f"AmazonSQS.{target}", "Content-Type": "application/x-amz-json-1.0"}
    request = urllib.request.Request(url, json.dumps(parameters).encode(), headers)
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.load(answer)


def test_development_has_the_numbers_of_the_file_and_the_queues_of_the_settings(
    elasticmq: str, settings: Callable[[str], Any]
) -> None:
    urls = ask(elasticmq, "ListQueues")["QueueUrls"]
    attributes = {
        url.rpartition("/")[2]: ask(elasticmq, "GetQueueAttributes", QueueUrl=url, AttributeNames=["All"])["Attributes"]
        for url in urls
    }
    dead = settings("settings.DEAD_LETTER_QUEUES")
    assert set(attributes) == {name for names in dead.items() for name in names}
    for found in attributes.values():
        assert found["VisibilityTimeout"] == NUMBERS["VisibilityTimeout"]
    for name, letters in dead.items():
        redrive = json.loads(attributes[name]["RedrivePolicy"])
        assert redrive["deadLetterTargetArn"].rpartition(":")[2] == letters
        assert str(redrive["maxReceiveCount"]) == NUMBERS["MaxReceiveCount"]
    assert {urllib.parse.urlsplit(url).path.split("/")[1] for url in urls} == {"000000000000"}


def test_a_queue_is_encrypted_and_keeps_its_messages_for_fourteen_days(made: Made) -> None:
    assert len(made.queues()) == 2
    for queue in made.queues().values():
        assert queue["SqsManagedSseEnabled"] is True
        assert queue["MessageRetentionPeriod"] == 14 * 24 * 60 * 60
        assert queue["ReceiveMessageWaitTimeSeconds"] == 20


def test_tasks_outlive_their_stack(made: Made) -> None:
    for resource in made.template["Resources"].values():
        if resource["Type"] == "AWS::SQS::Queue":
            assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


def test_only_its_own_queue_may_name_a_queue_of_dead_letters(made: Made) -> None:
    pairs = {
        name: queue["RedrivePolicy"]["deadLetterTargetArn"] for name, queue in made.queues().items() if "RedrivePolicy" in queue
    }
    assert pairs
    dead = {arn(name): queue for name, queue in made.queues().items()}
    for name, target in pairs.items():
        assert dead[target]["RedriveAllowPolicy"] == {"redrivePermission": "byQueue", "sourceQueueArns": [arn(name)]}


def test_every_queue_refuses_what_is_not_encrypted_on_its_way(made: Made) -> None:
    [policy] = made.of("SQS::QueuePolicy").values()
    assert policy["Queues"] == list(made.of("SQS::Queue"))
    assert policy["PolicyDocument"]["Statement"] == [
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sqs:*",
            "Resource": "*",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    ]


def test_role_may_do_what_the_site_does_and_no_more(made: Made) -> None:
    [policy] = made.of("IAM::ManagedPolicy").values()
    allowed = {}
    for statement in policy["PolicyDocument"]["Statement"]:
        assert statement["Effect"] == "Allow"
        actions, resources = statement["Action"], statement["Resource"]
        for resource in [resources] if isinstance(resources, str) else resources:
            allowed[resource] = {actions} if isinstance(actions, str) else set(actions)
    assert allowed == {
        arn(f"{STACK}-default"): {
            "sqs:ChangeMessageVisibility",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
            "sqs:ReceiveMessage",
            "sqs:SendMessage",
        },
        arn(f"{STACK}-default-dead"): {"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"},
    }


def test_the_url_of_the_broker_is_one_that_the_settings_take(made: Made, settings: Callable[[str], Any]) -> None:
    url = made.value(made.template["Outputs"]["BrokerUrl"]["Value"])
    assert url == f"sqs://sqs.eu-central-1.amazonaws.com/123456789012/{STACK}-"
    assert settings(f"__import__('config.settings.broker', fromlist=['x'])._check({url!r})") is None
