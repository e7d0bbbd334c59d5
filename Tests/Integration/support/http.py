"""Plain HTTP requests, one connection each."""

import asyncio
import http.client
import json
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass
class Response:
    status: int
    headers: dict[str, str]  # names in lower case; the last of a repeated one
    body: bytes
    cookies: list[str]

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.body)


def request_now(method: str, url: str, *, headers=None, body=None, timeout=10.0) -> Response:
    """One request and its whole answer. Raises OSError or HTTPException when there is none."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=timeout)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target, body=body, headers=headers or {})
        answer = connection.getresponse()
        pairs = answer.getheaders()
        return Response(
            answer.status,
            {name.lower(): value for name, value in pairs},
            answer.read(),
            [value for name, value in pairs if name.lower() == "set-cookie"],
        )
    finally:
        connection.close()


async def request(method: str, url: str, **options) -> Response:
    return await asyncio.to_thread(request_now, method, url, **options)


async def get(url: str, **options) -> Response:
    return await request("GET", url, **options)


async def get_json(url: str, **options):
    return (await get(url, **options)).json()


async def status_of(url: str, timeout: float = 5.0) -> int:
    """The status of a GET, 0 when nobody answers."""
    try:
        return (await get(url, timeout=timeout)).status
    except (OSError, http.client.HTTPException):
        return 0
