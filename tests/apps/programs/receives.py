"""Consumes from an SQS that answers the first receive with 503, and prints the number of receives within some seconds.

The argument is the transport.
"""

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from kombu import Connection, Consumer, Queue
from kombu.asynchronous import Hub, set_event_loop

SECONDS, ENOUGH = 8, 3


class SQS(BaseHTTPRequestHandler):
    """An SQS whose queue is empty."""

    protocol_version = "HTTP/1.1"
    receives = 0

    def do_POST(self) -> None:
        """Answer a request."""
        self.rfile.read(int(self.headers["Content-Length"]))
        status, answer = 200, {"Attributes": {"ApproximateNumberOfMessages": "0"}}
        if self.headers["X-Amz-Target"].endswith("ReceiveMessage"):
            SQS.receives += 1
            status, answer = (503 if SQS.receives == 1 else 200), {}
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


server = ThreadingHTTPServer(("127.0.0.1", 0), SQS)
threading.Thread(target=server.serve_forever, daemon=True).start()
address = f"127.0.0.1:{server.server_port}"
options = {
    "predefined_queues": {"default": {"url": f"http://{address}/000000000000/default"}},
    "polling_interval": 0.1,
    "wait_time_seconds": 1,
}
hub = Hub()
set_event_loop(hub)
with Connection(f"sqs://key:secret@{address}", transport=sys.argv[1], transport_options=options) as connection:
    Consumer(connection.channel(), [Queue("default")], callbacks=[print]).consume()
    connection.transport.register_with_event_loop(connection.connection, hub)
    hub.call_repeatedly(0.1, lambda: None)
    loop = hub.create_loop()
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and SQS.receives < ENOUGH:
        next(loop)
print(SQS.receives)
