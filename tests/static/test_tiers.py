"""How the tests are divided: shards, deep tests of what changed, and the files that say what tests know of components."""

import subprocess

import lanes
import pytest
from questionnaire import QUESTIONS, ROOT, RULES, choices

from components import Component, components, doctor_lines, stops


def test_shards_hold_every_unit_once() -> None:
    names = [f"nightly/test_{number}.py" for number in range(20)]
    shards = [lanes.shard(names, number, 6) for number in range(1, 7)]
    assert sorted(name for shard in shards for name in shard) == sorted(names)
    assert all(shards)


def test_shards_are_even_by_recorded_durations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "recorded", lambda: {"long": 100.0, "a": 40.0, "b": 30.0, "c": 30.0})
    assert lanes.shard(["a", "b", "c", "long"], 1, 2) == {"long"}
    assert lanes.shard(["a", "b", "c", "long"], 2, 2) == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("path", "deep"),
    [
        ("template/docker/{% if sqs %}broker{% endif %}/elasticmq.conf", "nightly/test_tasks.py[sqs]"),
        ("components/celery_broker/rabbitmq/test.toml", ""),
        ("components/celery_broker/sqs/test.toml", "nightly/test_tasks.py[sqs]"),
        ("template/docker/app/{% if granian %}serve.py{% endif %}.jinja", "nightly/test_servers.py[granian, True]"),
        ("tests/nightly/test_disks.py", "nightly/test_disks.py"),
        ("docs/servers.md", ""),
    ],
)
def test_a_change_chooses_the_deep_tests_of_its_component(path: str, deep: str) -> None:
    names = {"nightly/test_tasks.py[sqs]", "nightly/test_servers.py[granian, True]", "nightly/test_disks.py"}
    taken, left = lanes.deep(names, [path])
    assert taken | left == ({deep} if deep else set())


def test_deep_tests_that_do_not_fit_are_left_to_the_nightly_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        lanes, "recorded", lambda: {"nightly/test_tasks.py[sqs]": 60.0, "nightly/test_tasks.py[redis]": lanes.DEEP}
    )
    taken, left = lanes.deep(["nightly/test_tasks.py[redis]", "nightly/test_tasks.py[sqs]"], ["tests/nightly/test_tasks.py"])
    assert taken == {"nightly/test_tasks.py[sqs]"}
    assert left == {"nightly/test_tasks.py[redis]"}


def test_what_changed_is_what_differs_from_the_base() -> None:
    shown = subprocess.run(
        ["git", "show", "--name-only", "--format=", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert {*shown.stdout.splitlines()} <= {*lanes.changed("HEAD~1")}


@pytest.mark.parametrize("component", components(), ids=lambda component: component.folder)
def test_a_component_is_a_choice_that_exists_and_names_tests_that_exist(component: Component) -> None:
    listed = choices().get(component.axis)
    values = {"yes" if value is True else "no" if value is False else value for value in listed or []}
    assert listed is None or not component.choice or component.choice in values
    for module in component.deep:
        assert list((ROOT / "tests").glob(f"*/{module.partition('[')[0]}")), f"{component.folder} names {module}"


def test_every_choice_that_is_made_of_files_says_what_tests_need_to_know() -> None:
    axes = {component.axis for component in components()}
    known = {(component.axis, component.choice) for component in components()}
    for axis, values in choices().items():
        for value in values if axis in axes else []:
            assert value in {"none", False} or (axis, "yes" if value is True else value) in known


def test_a_component_that_is_chosen_has_its_lines_of_doctor_and_its_services() -> None:
    full = RULES.full({})
    assert doctor_lines(full) == {"database", "cache", "broker", "websockets", "mail", "static", "proxy"}
    assert stops(full)["redis"] == {"cache", "websockets"}
    small = RULES.full({"redis": False, "celery_broker": "none"})
    assert doctor_lines(small) == {"database", "cache", "websockets", "mail", "static", "proxy"}
    assert stops(small) == {"db": {"database"}, "nginx": {"proxy"}}
    assert {fact for component in components() for fact in component.words} <= QUESTIONS.keys()
