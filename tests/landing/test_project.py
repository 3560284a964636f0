"""A generated project, installed and used as its owner would."""

import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from projects import APPS, ISOLATED, LAPTOP, PRODUCTION, PRODUCTION_HERE, add_app, copier
from questionnaire import NASTY
from tools import free_port, get, need, run, serving

Project = Callable[..., Path]

# A variable, its value, and the rule that the line must name.
WRONG = [
    ("SECRET_KEY", None, "not set"),
    ("SECRET_KEY", "short-secret", "at least 50"),
    ("DEBUG", "flase", "valid boolean"),
    ("DATABASE_URL", "postgres://u:p@ss@h/x", "percent-encoded"),
    ("DATABASE_URL", "nosql://u:passw0rd@h/x", "scheme://"),
    ("DATABASE_URL", "postgres://u:passw0rd@h:port/x", "port"),
    ("DATABASE_URL", "mysql://u:passw0rd@h/x", "mysqlclient"),
    ("DATABASE_POOL_MAX_SIZE", "many", "valid integer"),
    ("REDIS_URL", "rediss//:passw0rd@h", "redis://"),
    ("REDIS_URL", "redis://:passw0rd@h/one", "redis://"),
    ("EMAIL_URL", "pigeon://u:passw0rd@h", "submission://"),
    ("EMAIL_URL", "smtp://u:passw0rd@h?timeout=soon", "submission://"),
    ("ALLOWED_HOSTS", "", "at least one host"),
    ("ALLOWED_HOSTS", None, "not set"),
    ("ALLOWED_HOSTS", "https://example.com", "without scheme"),
    ("LOG_LEVEL", "LOUD", "DEBUG, INFO"),
    ("SECURE_HSTS_SECONDS", "year", "valid integer"),
]


def test_the_message_after_a_copy_gives_the_next_commands(template: Path, environment: Path, tmp_path: Path) -> None:
    folder = tmp_path / "Ada's $HOME (new)"
    printed = copier("copy", "--defaults", template, folder, cwd=tmp_path)
    commands = [line.strip() for line in printed.splitlines() if line.startswith("    ")]
    assert commands[1:3] == ["pdm install", "pdm run dev"]
    assert [command.split()[1] for command in commands[3:]] == ["init", "add", "commit"]
    (folder / ".venv").symlink_to(environment)
    typed = [command.replace("run dev", "run manage check") for command in commands]
    run("sh", "-ec", "\n".join(typed), cwd=tmp_path, env=ISOLATED)
    assert run("git", "log", "--format=%s", cwd=folder).strip() == "Start my_site"


def test_the_site_is_there_with_two_commands(project: Project) -> None:
    folder = project()
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with serving(["pdm", "run", "dev", f"127.0.0.1:{port}"], url, cwd=folder) as seconds:
        print(f"pdm run dev answered after {seconds:.1f} s")
        assert "My Site" in get(url)[1]
        assert get(f"{url}/health/live")[0] == 200
        assert get(f"{url}/health/ready")[0] == 200
        assert get(f"{url}/admin/login/")[0] == 200
        assert get(f"{url}/accounts/login/")[0] == 200
        assert get(f"{url}/static/pages/site.css")[0] == 200
        assert get(f"{url}/nowhere/")[0] == 404


def test_the_nastiest_answers_make_a_site_that_shows_them(project: Project) -> None:
    folder = project("nasty")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    escaped = NASTY.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    escaped = escaped.replace('"', "&quot;").replace("'", "&#x27;")
    with serving(["pdm", "run", "dev", f"127.0.0.1:{port}"], url, cwd=folder):
        page = get(url)[1]
    assert escaped in page
    assert 'dir="rtl"' in page
    assert 'lang="ar"' in page


def test_pages_that_stay_are_in_the_language_of_the_answers(project: Project) -> None:
    folder = project("long")
    run("pdm", "run", "manage", "collectstatic", "--noinput", cwd=folder)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with serving(["pdm", "run", "dev", f"127.0.0.1:{port}"], url, cwd=folder, env={"DEBUG": "false", **PRODUCTION_HERE}):
        assert "Anmelden" in get(f"{url}/accounts/login/")[1]
        assert "Seite nicht gefunden" in get(f"{url}/nowhere/")[1]


def test_a_clone_without_env_gets_one_with_secrets_of_its_own(project: Project) -> None:
    folder = project()
    before = (folder / ".env").read_text()
    (folder / ".env").unlink()
    line = run("pdm", "run", "manage", "check", cwd=folder, code=1)
    assert "pdm run env" in line
    run("pdm", "run", "env", cwd=folder)
    after = (folder / ".env").read_text()
    assert after.splitlines()[1:] != before.splitlines()[1:]
    assert [line.split("=")[0] for line in after.splitlines() if "=" in line] == [
        line.split("=")[0] for line in before.splitlines() if "=" in line
    ]
    run("pdm", "run", "env", cwd=folder)
    assert (folder / ".env").read_text() == after
    run("pdm", "run", "manage", "check", cwd=folder)


@pytest.mark.parametrize(("variable", "value", "rule"), WRONG)
def test_a_wrong_variable_stops_the_program_with_one_line(
    variable: str, value: str | None, rule: str, project: Project
) -> None:
    folder = project()
    (folder / ".env").unlink()
    env = {key: content for key, content in {**PRODUCTION, variable: value}.items() if content is not None}
    started = time.monotonic()
    line = run(folder / ".venv/bin/python", "src/manage.py", "check", cwd=folder, env=env, code=1).strip()
    seconds = time.monotonic() - started
    print(f"stopped after {seconds:.2f} s: {line}")
    assert "\n" not in line
    assert variable in line
    assert rule in line
    assert not value or value not in line or variable not in {"SECRET_KEY", "DATABASE_URL", "REDIS_URL", "EMAIL_URL"}
    assert not re.search("p@ss|passw0rd|short-secret", line)


def test_the_deployment_checks_are_clean(project: Project) -> None:
    folder = project()
    (folder / ".env").unlink()
    printed = run("pdm", "run", "manage", "check", "--deploy", "--fail-level", "WARNING", cwd=folder, env=PRODUCTION)
    assert "WARNING" not in printed


def test_doctor_tries_every_component_and_names_what_fails(project: Project) -> None:
    folder = project()
    run("pdm", "run", "manage", "migrate", "--verbosity", "0", cwd=folder)
    table = run("pdm", "run", "doctor", cwd=folder)
    assert re.findall(r"^(\w+) +ok ", table, re.MULTILINE) == ["database", "cache", "broker", "websockets", "mail", "static"]
    broken = {"EMAIL_URL": "smtp://127.0.0.1:9"}
    table = run("pdm", "run", "doctor", cwd=folder, env=broken, code=1)
    assert re.findall(r"^(\w+) +FAILED ", table, re.MULTILINE) == ["mail"]
    assert "Not working: mail." in table


def test_translations_are_made_with_gettext(project: Project) -> None:
    need("msgfmt")
    folder = project()
    run("pdm", "run", "manage", "makemessages", "--locale", "de", cwd=folder)
    catalogue = folder / "src/locale/de/LC_MESSAGES/django.po"
    text = catalogue.read_text()
    assert 'msgid "Next steps"' in text
    catalogue.write_text(re.sub(r'(msgid "Next steps"\nmsgstr) ""', r'\1 "Wie es weitergeht"', text))
    run("pdm", "run", "manage", "compilemessages", "--locale", "de", cwd=folder)
    settings = folder / "src/config/settings/internationalization.py"
    settings.write_text(settings.read_text().replace('LANGUAGE_CODE = "en-us"', 'LANGUAGE_CODE = "de"'))
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    with serving(["pdm", "run", "dev", f"127.0.0.1:{port}"], url, cwd=folder):
        assert "Wie es weitergeht" in get(url)[1]


def test_the_hooks_of_pre_commit_find_a_new_project_clean(project: Project) -> None:
    folder = project()
    run("git", "init", "--quiet", cwd=folder)
    run("git", "add", "--all", cwd=folder)
    tracked = run("git", "ls-files", cwd=folder).splitlines()
    assert ".env" not in tracked
    assert "data/db.sqlite3" not in tracked
    run("pdm", "run", "pre-commit", "run", "--all-files", cwd=folder, env=LAPTOP)
    bad = folder / "src/config/bad.py"
    bad.write_text("import os\nx=1 \n")
    run("git", "add", "--all", cwd=folder)
    run("pdm", "run", "pre-commit", "run", "--all-files", cwd=folder, env=LAPTOP, code=1)


def test_lint_names_what_it_complains_about(project: Project) -> None:
    folder = project()
    page = folder / "src/my_site/pages/templates/404.html"
    page.write_text(page.read_text().replace("  {% translate", "{% translate"))
    assert "404.html" in run("pdm", "run", "lint", cwd=folder, env=LAPTOP, code=1)
    run("pdm", "run", "format", cwd=folder, env=LAPTOP)
    run("pdm", "run", "lint", cwd=folder, env=LAPTOP)


def test_doctor_says_what_to_do_with_a_database_without_tables(project: Project) -> None:
    folder = project()
    printed = run("pdm", "run", "doctor", cwd=folder, code=1)
    assert "migrations are not applied: run `pdm run manage migrate`" in printed
    assert "Traceback" not in printed


def test_the_applications_of_the_tests_are_typed_as_those_of_an_owner(project: Project) -> None:
    folder = project()
    for app in ("broken", "files", "jobs", "notes", "probe"):
        add_app(folder, app)
    shutil.copy(APPS / "static_server.py", folder / "src")
    run(".venv/bin/mypy", "src", cwd=folder, env={"PYTHONPATH": "src", "DJANGO_SETTINGS_MODULE": "config.settings"})


def test_prettier_would_change_nothing(render: Callable[[str], Path], tmp_path: Path) -> None:
    need("npx")
    # Copier and pnpm write files of their own, and djlint formats Django's templates.
    (tmp_path / "ignore").write_text("*.html\n.copier-answers.yml\npnpm-lock.yaml\n")
    # Where there is a package.json, it makes a folder for its cache.
    for name in ("default", "texts", "frontend=none", "ci=gitlab", "long"):
        shutil.copytree(render(name), tmp_path / "projects" / name)
    ignored = ("--ignore-path", str(tmp_path / "ignore"))
    run("npx", "--yes", "prettier@3.6.2", "--check", *ignored, "projects", cwd=tmp_path, attempts=3)
