"""The tests of a generated project, and those of its runtime, on versions of Django that are newer than its own."""

from collections.abc import Callable
from pathlib import Path

import pytest
from containers import Site, docker
from projects import add_runtime_tests, facts_of
from questionnaire import answers_of
from tools import all_passed, run

# Warnings are errors, but for sockets that tests leave to the garbage collector.
STRICT = ["-W", "error", "-W", "ignore::ResourceWarning"]

# What Django 6.1 deprecates in favour of MAILERS, which Django 5.2 does not know.
MAIL = ["The EMAIL_", "get_connection() is deprecated", "The 'connection' argument is deprecated"]

# By version: the answers, and the options of pytest. django-celery-beat allows no Django from 6.1 on.
NEWER = {
    "6.0": ("default", STRICT),
    "6.1": ("celery_beat=False", [*STRICT, *(part for message in MAIL for part in ("-W", f"ignore:{message}"))]),
}


@pytest.mark.parametrize("version", NEWER)
def test_the_tests_of_a_project_pass_on_a_newer_django(
    version: str, development: Callable[[str], Site], tmp_path: Path
) -> None:
    name, options = NEWER[version]
    made = development(name)
    add_runtime_tests(made.folder, facts_of(answers_of(name)))
    image = f"{made.image}-django-{version}"
    dockerfile = tmp_path / "Dockerfile"
    install = f'RUN /usr/local/bin/python -m pip --python /opt/venv/bin/python install --quiet --no-deps "django~={version}.0"'
    uid, gid = made.folder.stat().st_uid, made.folder.stat().st_gid
    dockerfile.write_text(f"FROM {made.image}\nUSER 0\n{install}\nUSER {uid}:{gid}\n")
    run("docker", "build", "--tag", image, "--file", dockerfile, ".", cwd=tmp_path, attempts=3, timeout=600)
    mounted = ["--network", "none", "--volume", f"{made.folder}:/app"]
    version_of = ["python", "-c", "import django; print(django.__version__)"]
    assert docker("run", "--rm", *mounted, image, *version_of).startswith(f"{version}.")
    print(all_passed(docker("run", "--rm", *mounted, image, "pdm", "run", "test", *options)))
