"""What the application ``notes`` of ``tests/apps`` is asked for: rows with files."""

import json
import secrets

from stack import Answer, Stack, request

NOTES = "/notes/"


def multipart(text: str, content: bytes) -> tuple[bytes, dict[str, str]]:
    """Return the body of a form with a note and its file, and its headers."""
    boundary = secrets.token_hex(16)
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="text"\r\n\r\n{text}\r\n'.encode(),
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="note.bin"\r\n\r\n'.encode(),
        content,
        f"\r\n--{boundary}--\r\n".encode(),
    ]
    return b"".join(parts), {"Content-Type": f"multipart/form-data; boundary={boundary}"}


def note(site: Stack, text: str, content: bytes = b"content") -> Answer:
    """Keep a note with a file."""
    body, headers = multipart(text, content)
    return request(site.url, NOTES, "POST", body, headers, timeout=60)


def notes(site: Stack) -> dict[str, str]:
    """Return the notes and the addresses of their files."""
    found: dict[str, str] = json.loads(site.request(NOTES).text)
    return found
