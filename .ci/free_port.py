"""Prints an address on loopback that nobody listens on yet: the default one if it is free, else one of the next."""

from __future__ import annotations

import socket

FIRST, LAST = 9764, 9800


def free_address() -> str:
    """``127.0.0.1:PORT``; port 0, which lets the kernel choose, if none of the first few is free."""
    for port in range(FIRST, LAST):
        with socket.socket() as attempt:
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                attempt.bind(("127.0.0.1", port))
            except OSError:
                continue
            return f"127.0.0.1:{port}"
    return "127.0.0.1:0"


if __name__ == "__main__":
    print(free_address())
