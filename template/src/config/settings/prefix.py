"""``URL_PREFIX``: the path of the site, where it shares a host with others.

The proxy removes the prefix from a request, and Django adds it to every URL.
https://docs.djangoproject.com/en/5.2/ref/settings/#force-script-name
"""

from environs import validate

from runtime.environment import env

url_prefix = env.str(
    "URL_PREFIX",
    "",
    validate=validate.Regexp(
        r"(/(?!\.+(/|\Z))[A-Za-z0-9._-]+)*\Z",
        error="write a path such as /shop: it starts with /, does not end with it, "
        "and has letters, digits and . _ - between.",
    ),
)

FORCE_SCRIPT_NAME = url_prefix or None

# Other sites on the same host have their own cookies.
SESSION_COOKIE_PATH = f"{url_prefix}/"
CSRF_COOKIE_PATH = f"{url_prefix}/"
LANGUAGE_COOKIE_PATH = f"{url_prefix}/"
