"""Pictures by address, for servers that allow it, without opening the way into the server's own network.

Every name is resolved here, every address it resolves to must be public, and the connection goes to the checked
address itself, so that a name cannot change its mind in between (DNS rebinding). Redirects are checked the same way.
Proxies of the environment are not used.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpcore

from agent.server.errors import Refused

REDIRECTS = 3
AT_A_TIME = 8
NOT_PUBLIC = tuple(
    ipaddress.ip_network(block)
    for block in ("64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16", "::/96", "fec0::/10", "192.88.99.0/24")
)  # tunnels and translations, which may lead anywhere


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public Internet; IPv4 inside IPv6 counts as what it is inside."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    blocked = any(ip in block for block in NOT_PUBLIC if block.version == ip.version)
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or blocked)


class PinnedBackend(httpcore.AsyncNetworkBackend):
    """Connects to public addresses only; TLS still checks the certificate against the name."""

    def __init__(self, allowed: Callable[[str], bool], resolve: Callable[..., Any] | None = None) -> None:
        self.allowed, self.resolve, self.inner = allowed, resolve, httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        resolve = self.resolve or asyncio.get_running_loop().getaddrinfo
        try:
            found = await resolve(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise _bad("the address of the picture has a host that is not known") from None
        addresses = [str(entry[4][0]) for entry in found]
        if not addresses or not all(map(self.allowed, addresses)):
            raise _bad("the address of the picture does not lead to the public Internet")
        return await self.inner.connect_tcp(addresses[0], port, timeout, local_address, socket_options)

    async def connect_unix_socket(self, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
        raise _bad("the address of the picture must be http or https")

    async def sleep(self, seconds: float) -> None:
        await self.inner.sleep(seconds)


class Fetcher:
    """Fetches pictures of at most `max_bytes` within `timeout_s`, redirects included."""

    def __init__(
        self, max_bytes: int, timeout_s: float, allowed: Callable[[str], bool] = is_public, resolve: Any = None
    ) -> None:
        self.max_bytes, self.timeout_s = max_bytes, timeout_s
        self.backend = PinnedBackend(allowed, resolve)
        self._turns = asyncio.Semaphore(AT_A_TIME)

    async def get(self, url: str) -> bytes:
        """The encoded picture. Raises `Refused`."""
        try:
            async with asyncio.timeout(self.timeout_s), self._turns:
                return await self._get(url)
        except TimeoutError:
            raise _bad(f"the picture did not arrive within {self.timeout_s:g} s; send it as a data URL") from None

    async def _get(self, url: str) -> bytes:
        backend, context = self.backend, ssl.create_default_context()
        async with httpcore.AsyncConnectionPool(network_backend=backend, ssl_context=context, retries=0) as pool:
            for _ in range(REDIRECTS + 1):
                target = checked_url(url)
                try:
                    headers = [(b"Accept", b"image/*"), (b"Accept-Encoding", b"identity"), (b"User-Agent", b"p2g")]
                    async with pool.stream("GET", target, headers=headers) as response:
                        if response.status in (301, 302, 303, 307, 308):
                            url = urljoin(target, header(response, b"location"))
                            continue
                        return await self._body(response)
                except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError):
                    raise _bad("the picture cannot be fetched from its address; send it as a data URL") from None
        raise _bad(f"the address of the picture redirects more than {REDIRECTS} times")

    async def _body(self, response: httpcore.Response) -> bytes:
        if response.status != 200:
            raise _bad(f"the address of the picture answered with status {response.status}")
        if header(response, b"content-encoding") not in ("", "identity"):
            raise _bad("the picture comes compressed, which was not asked for; send it as a data URL")
        data = bytearray()
        async for piece in response.aiter_stream():
            data += piece
            if len(data) > self.max_bytes:
                raise Refused(413, "too_large", f"the picture is over the limit of {self.max_bytes / 1e6:.0f} MB")
        return bytes(data)


def checked_url(url: str) -> str:
    """The address without its fragment. Raises `Refused` unless it is plain http or https."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _bad("the address of the picture is not one") from None
    printable = url.isascii() and url.isprintable() and " " not in url and len(url) <= 4000
    if parts.scheme not in ("http", "https") or not host or not printable or port == 0:
        raise _bad("the address of the picture must be http or https, in ASCII")
    if parts.username is not None or parts.password is not None:
        raise _bad("the address of the picture must not hold a password")
    return parts._replace(fragment="").geturl()


def header(response: httpcore.Response, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in response.headers if key.lower() == name), "")


def _bad(message: str) -> Refused:
    return Refused(400, "bad_picture_url", message, "picture")
