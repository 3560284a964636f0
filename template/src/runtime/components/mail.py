"""Mail: a connection, and a message to the site's own address."""

from io import StringIO

from django.conf import settings
from django.core.mail import EmailMessage, get_connection

from .base import Component

CONSOLE = "django.core.mail.backends.console.EmailBackend"


def describe() -> str:
    """Return the mail server, or the name of the backend where there is no server."""
    if settings.EMAIL_HOST:
        return f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}"
    return str(settings.EMAIL_BACKEND).split(".")[-2]


def probe() -> str:
    """Connect to the mail server, where there is one."""
    with get_connection():
        return describe()


def trial() -> str:
    """Send a message from the site to itself. The console backend prints nothing of it."""
    console = settings.EMAIL_BACKEND == CONSOLE
    connection = get_connection(stream=StringIO()) if console else get_connection()
    address = settings.DEFAULT_FROM_EMAIL
    EmailMessage(
        subject=f"{settings.SITE_NAME}: mail works",
        body="`manage.py doctor` sent this message to check whether mail arrives.",
        to=[address],
        connection=connection,
    ).send()
    done = "a message written" if console else f"a message sent to {address}"
    return f"{describe()}, {done}"


component = Component("mail", probe, trial)
