"""Why a websocket is closed. Applications take codes from 4000 on, after which clients do not come back.

https://www.iana.org/assignments/websocket/websocket.xhtml#close-code-number
"""

from .types import Receive, Send

UNSUPPORTED_DATA = 1003
INVALID_DATA = 1007
POLICY_VIOLATION = 1008
MESSAGE_TOO_BIG = 1009
SERVICE_RESTART = 1012
TRY_AGAIN_LATER = 1013


async def put_off(receive: Receive, send: Send) -> None:
    """Let a websocket in and close it with 1013: a browser learns no code of one that is refused."""
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": TRY_AGAIN_LATER})
