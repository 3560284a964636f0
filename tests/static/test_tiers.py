"""How the tests are divided: shards, deep tests of what changed, and the files that say what tests know of components."""

from pathlib import Path

import lanes
import pytest
from projects import commit
from questionnaire import QUESTIONS, ROOT, RULES, choices

from components import UNASKED, Component, components, doctor_lines, read, stops


def test_shards_hold_every_unit_once() -> None:
    names = [f"nightly/test_{number}.py" for number in range(20)]
    shards = [lanes.shard(names, number, 6) for number in range(1, 7)]
    assert sorted(name for shard in shards for name in shard) == sorted(names)
    assert all(shards)


def test_a_unit_that_was_never_recorded_is_expected_to_take_what_others_of_its_module_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lanes, "recorded", lambda: {"landing/test_host.py[one]": 90.0, "nightly/test_host.py[two]": 110.0})
    assert lanes.expected("nightly/test_host.py[two]") == 110
    assert lanes.expected("nightly/test_host.py[three]") == 100
    assert lanes.expected("nightly/test_docs.py") == lanes.UNKNOWN


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
        ("template/docs/{% if granian %}granian.md{% endif %}.jinja", "nightly/test_servers.py[granian, True]"),
        ("tests/nightly/test_disks.py", "nightly/test_disks.py"),
        ("tests/overrides/sqs/test_transport.py", "nightly/sqs/test_transport.py"),
        ("docs/servers.md", ""),
    ],
)
def test_a_change_chooses_the_deep_tests_of_its_component(path: str, deep: str) -> None:
    names = {"nightly/test_tasks.py[sqs]", "nightly/test_servers.py[granian, True]", "nightly/test_disks.py"}
    names.add("nightly/sqs/test_transport.py")
    taken, left = lanes.deep(names, [path])
    assert taken | left == ({deep} if deep else set())


def test_deep_tests_that_do_not_fit_are_left_to_the_nightly_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        lanes, "recorded", lambda: {"nightly/test_tasks.py[sqs]": 60.0, "nightly/test_tasks.py[redis]": lanes.DEEP}
    )
    taken, left = lanes.deep(["nightly/test_tasks.py[redis]", "nightly/test_tasks.py[sqs]"], ["tests/nightly/test_tasks.py"])
    assert taken == {"nightly/test_tasks.py[sqs]"}
    assert left == {"nightly/test_tasks.py[redis]"}


def test_every_process_chooses_the_same_deep_tests() -> None:
    names = [f"nightly/test_tasks.py[{number}]" for number in range(40)]
    paths = ["tests/nightly/test_tasks.py"]
    assert lanes.deep(names, paths) == lanes.deep(names[::-1], paths)
    assert lanes.deep(names, paths)[1]


def test_what_changed_is_what_differs_from_the_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "ROOT", tmp_path)
    (tmp_path / "kept").touch()
    commit(tmp_path, "Base", tag="base")
    (tmp_path / "committed").touch()
    commit(tmp_path, "Change")
    (tmp_path / "new").touch()
    assert lanes.changed("base") == ["committed", "new"]
    with pytest.raises(ValueError, match="nonsense is no revision"):
        lanes.changed("nonsense")


@pytest.mark.parametrize("component", components(), ids=lambda component: component.folder)
def test_a_component_is_a_choice_that_exists_and_names_tests_that_exist(component: Component) -> None:
    listed = choices().get(component.axis)
    assert listed is not None or component.axis in UNASKED, f"{component.folder}: there is no question {component.axis}"
    if listed is not None and component.choice:
        values = ["yes" if value is True else "no" if value is False else value for value in listed]
        assert component.choice in values, f"{component.folder}: the choices of {component.axis} are {values}"
    for module in component.deep:
        assert list((ROOT / "tests").glob(f"*/{module.partition('[')[0]}")), f"{component.folder} names {module}"


def test_every_choice_says_what_tests_need_to_know() -> None:
    for axis in {component.axis for component in components()} & {*choices()}:
        for value in choices()[axis]:
            choice = "yes" if value is True else value
            path = ROOT / "components" / axis / str(choice) / "test.toml"
            assert value in {"none", False} or path.exists(), (
                f"write {path.relative_to(ROOT)}: docs/maintain.md says what is in it"
            )


def test_a_file_of_a_component_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for text, reason in (
        ("wrods = {}", "wrods"),
        ("[words]\nno_fact = 'x'", "no_fact"),
        ("deep = 'test_tasks.py'", "deep has to be a list"),
        ("[stops]\ncache = 'cache'", "stops"),
        ("[words]\nsqs = '('", "sqs"),
        ("stops =", "test.toml"),
    ):
        path = tmp_path / "test.toml"
        path.write_text(text)
        with pytest.raises(ValueError, match=reason) as refused:
            read(path, "axis", "choice")
        assert str(path) in str(refused.value)


def test_a_component_that_is_chosen_has_its_lines_of_doctor_and_its_services() -> None:
    full = RULES.full({})
    assert doctor_lines(full) == {"database", "cache", "broker", "websockets", "mail", "static", "proxy"}
    assert stops(full)["cache"] == {"cache", "websockets"}
    small = RULES.full({"redis": False, "celery_broker": "none"})
    assert doctor_lines(small) == {"database", "cache", "websockets", "mail", "static", "proxy"}
    assert stops(small) == {"db": {"database"}, "proxy": {"proxy"}}
    assert {fact for component in components() for fact in component.words} <= QUESTIONS.keys()
