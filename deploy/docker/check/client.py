"""A client of the door: HTTPS with the check's own certificate, and a live socket."""

import base64
import http.client
import json
import os
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What a request was answered."""

    status: int
    headers: dict[str, str]
    body: Any


class Door:
    """The published ports of nginx on this machine."""

    def __init__(self, plain: int, secure: int, certificate: Path) -> None:
        self.plain = plain
        self.secure = secure
        self._context = ssl.create_default_context(cafile=str(certificate))

    def ask(self, method: str, path: str, key: str | None = None, body: Any = None, limit: float = 30) -> Answer:
        """One request on a connection of its own, by TLS."""
        connection = http.client.HTTPSConnection("localhost", self.secure, timeout=limit, context=self._context)
        return _ask(connection, method, path, key, body)

    def ask_plain(self, method: str, path: str) -> Answer:
        """One request without TLS."""
        return _ask(http.client.HTTPConnection("localhost", self.plain, timeout=10), method, path, None, None)

    def socket(self, key: str) -> "Live":
        """A live socket."""
        return Live(self._context.wrap_socket(socket.create_connection(("127.0.0.1", self.secure), 20), server_hostname="localhost"), key)


def _ask(connection: http.client.HTTPConnection, method: str, path: str, key: str | None, body: Any) -> Answer:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    if body is not None:
        headers["Content-Type"] = "application/json"
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        text = response.read()
    finally:
        connection.close()
    try:
        read = json.loads(text)
    except ValueError:
        read = text.decode("utf-8", "replace")
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, read)


class Live:
    """A WebSocket, as far as messages of text go."""

    def __init__(self, stream: ssl.SSLSocket, key: str) -> None:
        self._stream = stream
        self._buffer = b""
        nonce = base64.b64encode(os.urandom(16)).decode()
        head = (
            "GET /realtime HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {nonce}", f"Authorization: Bearer {key}", "", "",
        )
        stream.sendall("\r\n".join(head).encode())
        while b"\r\n\r\n" not in self._buffer:
            self._fill()
        answered, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        self.status = int(answered.split()[1])

    def say(self, message: Any) -> None:
        """Sends a message."""
        text = json.dumps(message).encode()
        mask = os.urandom(4)
        length = bytes([0x80 | len(text)]) if len(text) < 126 else bytes([0x80 | 126]) + len(text).to_bytes(2, "big")
        self._stream.sendall(b"\x81" + length + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(text)))

    def hear(self) -> Any:
        """The next message."""
        while True:
            kind, text = self._frame()
            if kind == 1:
                return json.loads(text)
            if kind == 8:
                raise ConnectionError(f"the socket was closed: {text!r}")

    def close(self) -> None:
        """Hangs up."""
        self._stream.close()

    def _frame(self) -> tuple[int, bytes]:
        first, second = self._take(2)
        length = second & 0x7F
        if length >= 126:
            length = int.from_bytes(self._take(2 if length == 126 else 8), "big")
        return first & 0x0F, self._take(length)

    def _take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._fill()
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def _fill(self) -> None:
        more = self._stream.recv(65536)
        if not more:
            raise ConnectionError("the socket ended")
        self._buffer += more
