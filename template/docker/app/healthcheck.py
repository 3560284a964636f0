"""Ask the server of this container whether it lives: exits with 0 if so."""

import sys
from http.client import HTTPConnection, HTTPException

connection = HTTPConnection("127.0.0.1", 8000, timeout=4)
try:
    connection.request("GET", "/health/live")
    status = connection.getresponse().status
except (OSError, HTTPException) as error:
    sys.exit(f"/health/live: {error}")
if status != 200:
    sys.exit(f"/health/live: {status}")
