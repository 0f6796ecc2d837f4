"""The address of a server: which names it answers to, and the socket that it listens on."""

from __future__ import annotations

import errno
import ipaddress
import secrets
import socket
from dataclasses import dataclass, replace
from pathlib import Path

from latent_assets.errors import UsageError
from latent_assets.store.atomic import replacing
from latent_assets.store.failures import explaining

BACKLOG = 128


@dataclass(frozen=True)
class Address:
    """Where a server listens, and who may come in."""

    host: str = "127.0.0.1"
    port: int = 3000
    names: tuple[str, ...] = ()
    """Further names that it answers to, in small letters: of a proxy before it, for instance."""
    token: str = ""
    """What everyone has to show; empty: nobody is asked."""

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return self.host == "localhost" or _loopback(self.host)

    @property
    def url(self) -> str:
        """The address for people and for programs on this machine."""
        host = "127.0.0.1" if _is_any(self.host) else self.host
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def answers_to(self, host: str) -> bool:
        """Whether it is known under this name (of a `Host` header, without the port).

        A page of another origin can point a name of its own at this machine (DNS rebinding), but
        no number: a server that others may reach answers to every number, and to names it knows.
        """
        name = host.lower().rstrip(".")
        if name == "localhost" or name in self.names:
            return True
        if self.is_loopback:
            return _loopback(name)
        return _is_number(name) or name in {self.host.lower(), socket.gethostname().lower()}


def addressed(
    host: str, port: int, names: tuple[str, ...], ask_token: bool | None, folder: Path
) -> Address:
    """The address that a person asked for.

    ask_token: whether to ask for a token; None: if others than this machine reach it. folder: where
    the token is kept. Raises StoreError.
    """
    address = Address(host, port, tuple(name.lower() for name in names))
    asks = not address.is_loopback if ask_token is None else ask_token
    return replace(address, token=kept_token(folder)) if asks else address


def listen(address: Address) -> socket.socket:
    """A socket that listens there. Raises UsageError, if it cannot: another program does."""
    host, port = address.host, address.port
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError):
        raise UsageError(
            f"--host {host!r} is no address of this machine", "The usual one is 127.0.0.1."
        ) from None
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(where)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise _refused(host, port, error) from None
    return listener


def kept_token(folder: Path) -> str:
    """The token of a data folder, made at its first use: addresses with it hold after a restart.

    Raises StoreError.
    """
    path = folder / "token"
    with explaining("use", path):
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            with replacing(path) as temporary:
                temporary.touch(mode=0o600)
                temporary.write_text(secrets.token_urlsafe(24) + "\n")
        return path.read_text().strip()


def _refused(host: str, port: int, error: OSError) -> UsageError:
    if error.errno == errno.EADDRINUSE:
        return UsageError(
            f"port {port} is in use by another program, perhaps by another `latent-assets ui`",
            f"Choose another one: --port {port + 1 if port < 65535 else 3000}.",  # noqa: PLR2004
        )
    if error.errno == errno.EACCES:
        return UsageError(
            f"you may not listen on port {port}", "Choose one above 1023: --port 3000."
        )
    return UsageError(
        f"--host {host} is no address of this machine ({error.strerror})",
        "The usual one is 127.0.0.1.",
    )


def _number(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None


def _is_number(host: str) -> bool:
    return _number(host) is not None


def _loopback(host: str) -> bool:
    number = _number(host)
    return number is not None and number.is_loopback


def _is_any(host: str) -> bool:
    number = _number(host)
    return number is not None and number.is_unspecified
