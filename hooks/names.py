"""The names that the questionnaire checks answers against: reserved package names, languages and time zones."""

import json
import keyword
import subprocess
import textwrap
import tomllib
from importlib.resources import files
from pathlib import Path

from stdlibs import KNOWN_VERSIONS, stdlib_module_names

HEADER = "{# Written by hooks/relock.py. #}\n"

# What stands beside the package in src/ or is a folder, a service or a database of every project.
OWN = [
    "app",
    "admin",
    "api",
    "assets",
    "auth",
    "backup",
    "backups",
    "beat",
    "broker",
    "cache",
    "config",
    "data",
    "db",
    "default",
    "dev",
    "docker",
    "docs",
    "frontend",
    "health",
    "home",
    "host",
    "locale",
    "localhost",
    "mail",
    "main",
    "manage",
    "media",
    "migrate",
    "node_modules",
    "pages",
    "postgres",
    "prod",
    "proxy",
    "public",
    "restore",
    "root",
    "runtime",
    "scripts",
    "search",
    "settings",
    "src",
    "static",
    "system",
    "template0",
    "template1",
    "templates",
    "test",
    "tests",
    "tools",
    "urls",
    "user",
    "users",
    "web",
    "welcome",
    "worker",
    "ws",
    "wsgi",
    "asgi",
]

# Devices that Windows keeps for itself in every folder:
# https://learn.microsoft.com/windows/win32/fileio/naming-a-file
WINDOWS = ["aux", "con", "nul", "prn", *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10))]

# What locks/ lacks and a later release may bring into a project: the site's own package must not hide it. The module uwsgi is
# made by the server itself.
PLANNED = [
    "crispy_forms",
    "django_browser_reload",
    "elastic_transport",
    "elasticsearch",
    "mysqlclient",
    "mysqldb",
    "opensearchpy",
    "playwright",
    "pymysql",
    "uwsgi",
    "valkey",
    "whitenoise",
]

# The areas of the tz database whose names are current; the names outside of them (EST, US/Eastern, ...) are kept for old data.
AREAS = ["Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Etc", "Europe", "Indian", "Pacific"]

# Old names inside of those areas, which Debian, and so the images of Python, leave to the package tzdata-legacy.
LEGACY = [
    "Africa/Asmera",
    "America/Argentina/ComodRivadavia",
    "America/Buenos_Aires",
    "America/Catamarca",
    "America/Cordoba",
    "America/Fort_Wayne",
    "America/Godthab",
    "America/Indianapolis",
    "America/Jujuy",
    "America/Knox_IN",
    "America/Louisville",
    "America/Mendoza",
    "America/Rosario",
    "Antarctica/South_Pole",
    "Asia/Ashkhabad",
    "Asia/Calcutta",
    "Asia/Choibalsan",
    "Asia/Chungking",
    "Asia/Dacca",
    "Asia/Katmandu",
    "Asia/Macao",
    "Asia/Rangoon",
    "Asia/Saigon",
    "Asia/Thimbu",
    "Asia/Ujung_Pandang",
    "Asia/Ulan_Bator",
    "Atlantic/Faeroe",
    "Australia/ACT",
    "Australia/LHI",
    "Australia/NSW",
    "Australia/North",
    "Australia/Queensland",
    "Australia/South",
    "Australia/Tasmania",
    "Australia/Victoria",
    "Australia/West",
    "Europe/Kiev",
    "Europe/Uzhgorod",
    "Europe/Zaporozhye",
    "Pacific/Enderbury",
    "Pacific/Ponape",
    "Pacific/Truk",
]

# Letters of the Latin alphabets that have a usual spelling without accents.
LATIN = {
    "a": "àáâãåāăąǎ", "ae": "äæ", "c": "çćĉċč", "d": "ďđð", "e": "èéêëēĕėęě", "g": "ĝğġģ", "h": "ĥħ", "i": "ìíîïĩīĭįı",
    "j": "ĵ", "k": "ķ", "l": "ĺļľŀł", "n": "ñńņňŋ", "o": "òóôõōŏőǒ", "oe": "öøœ", "r": "ŕŗř", "s": "śŝşšș", "ss": "ß",
    "t": "ţťŧț", "th": "þ", "u": "ùúûũūŭůűųǔ", "ue": "ü", "w": "ŵ", "y": "ýÿŷ", "z": "źżž",
}  # fmt: skip

# Run in the environment of the superset: the importable names, and Django's languages.
ASK = """
import importlib.metadata, json
from django.conf import global_settings
print(json.dumps([
    sorted({*importlib.metadata.packages_distributions(), *(d.name for d in importlib.metadata.distributions())}),
    [code for code, name in global_settings.LANGUAGES],
]))
"""


def template(locks: Path) -> str:
    """Return ``questions/names.jinja``.

    Args:
        locks: the folder of the superset, whose environment is installed.
    """
    asked = subprocess.run(
        ["pdm", "run", "--project", str(locks), "python", "-c", ASK], check=True, capture_output=True, text=True
    )
    dependencies, languages = json.loads(asked.stdout)
    # A project runs on any Python from 3.11 on, and "3.9" is not older than "3.11" as text.
    versions = [version for version in KNOWN_VERSIONS if tuple(map(int, version.split("."))) >= (3, 11)]
    modules = set().union(*map(stdlib_module_names, versions))
    reserved = {*modules, *keyword.kwlist, *OWN, *WINDOWS, *PLANNED}
    locked = tomllib.loads((locks / "pdm.lock").read_text())["package"]
    dependencies += [package["name"] for package in locked]
    reserved |= {name.lower().replace("-", "_").replace(".", "_") for name in dependencies}
    zones = [zone for zone in files("tzdata").joinpath("zones").read_text().split() if zone.split("/")[0] in AREAS]
    zones = [zone for zone in zones if "/" in zone and zone not in LEGACY]
    latin = {letter: plain for plain, letters in LATIN.items() for letter in letters}
    return HEADER + "".join(
        [
            _assign("languages", " ".join(["en-us", *languages])),
            _assign("time_zones", " ".join(sorted(["UTC", *zones]))),
            _assign("reserved", " ".join(sorted(name for name in reserved if name.isidentifier() and name[0] != "_"))),
            "{% set latin = {\n",
            *(f'    {ord(letter)}: "{plain}",\n' for letter, plain in sorted(latin.items())),
            "} %}\n",
        ]
    )


def _assign(name: str, words: str) -> str:
    """Return a Jinja assignment of a long line of words, wrapped."""
    return f"{{% set {name} %}}\n{textwrap.fill(words, 120, break_long_words=False, break_on_hyphens=False)}\n{{% endset %}}\n"
