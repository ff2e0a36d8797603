"""A receiver of Tenantry's webhooks for Python 3.9 or later, without a dependency. It checks the signature (Standard Webhooks), answers
the ping and handles each event once. Copy it, and write your own `handle`.

    WEBHOOK_SECRET='…' python3 receiver.py

HOST and PORT say where it listens (127.0.0.1, 8080): put a server with TLS before it. SEEN is the folder in which it remembers ids.
An event may be delivered again for as long as Tenantry keeps it, a month. Older files may be deleted.
"""

import base64
import hashlib
import hmac
import json
import os
import re
import sys
import time
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Mapping, Optional, Tuple

MAX_BYTES = 1_000_000


def handle(event: Any) -> None:
    """What you do with an event. If this raises, the event comes again."""
    print(json.dumps(event), flush=True)


def key_of(secret: str) -> bytes:
    """The key in a secret: `whsec_` and base64, padded or not, or else the text itself."""
    found = re.fullmatch(r"whsec_([A-Za-z0-9+/]+)={0,2}", secret)
    if found is None:
        return secret.encode()
    return base64.b64decode(found[1] + "=" * (-len(found[1]) % 4))


def verify(secret: str, headers: Mapping[str, str], body: bytes, now: Optional[float] = None) -> Any:
    """The event in `body`, which are the bytes as they came. ValueError unless one signature is right, and the message is fresh."""
    timestamp = headers.get("webhook-timestamp", "")
    signed = f"{headers.get('webhook-id', '')}.{timestamp}.".encode() + body
    right = b"v1," + base64.b64encode(hmac.new(key_of(secret), signed, hashlib.sha256).digest())
    given = headers.get("webhook-signature", "").encode().split(b" ")
    if not any(hmac.compare_digest(one, right) for one in given):
        raise ValueError("wrong signature")
    if abs((time.time() if now is None else now) - int(timestamp)) > 300:
        raise ValueError("too old")
    return json.loads(body)


class Memory:
    """Remembers ids, each as a file: its name can be taken once, by whichever process."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def file(self, message_id: str) -> Path:
        return self.folder / hashlib.sha256(message_id.encode()).hexdigest()

    def add(self, message_id: str) -> bool:
        """Whether the id is new."""
        try:
            self.file(message_id).touch(exist_ok=False)
            return True
        except FileExistsError:
            return False

    def remove(self, message_id: str) -> None:
        self.file(message_id).unlink()


def receive(secret: str, headers: Mapping[str, str], body: bytes, seen: Memory) -> Tuple[int, str]:
    """The status and the text to answer."""
    try:
        event = verify(secret, headers, body)
    except ValueError as error:
        return 401, str(error)
    if event["type"] == "webhook.ping":
        return 200, "pong"
    message_id = headers["webhook-id"]
    if not seen.add(message_id):
        return 200, "seen before"
    try:
        handle(event)
        return 200, "handled"
    except Exception:
        seen.remove(message_id)
        traceback.print_exc()
        return 500, "send it again"


def serve(secret: str, host: str, port: int, folder: str) -> None:
    if len(key_of(secret)) < 16:
        sys.exit("WEBHOOK_SECRET is not set, or too short to be one.")
    seen = Memory(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = self.headers.get("content-length", "")
            if not length.isdecimal():
                return self.answer(411, "how long is it?")
            if int(length) > MAX_BYTES:
                return self.answer(413, "too large")
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.answer(*receive(secret, headers, self.rfile.read(int(length)), seen))

        def answer(self, status: int, text: str) -> None:
            self.send_response(status)
            self.send_header("content-type", "text/plain; charset=utf-8")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: `handle` says what happens."""

    with ThreadingHTTPServer((host, port), Handler) as server:
        print(f"listening on http://{host}:{server.server_address[1]}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    serve(
        os.environ.get("WEBHOOK_SECRET", ""),
        os.environ.get("HOST", "127.0.0.1"),
        int(os.environ.get("PORT", "8080")),
        os.environ.get("SEEN", "seen"),
    )
