"""A machine in a box with censusd installed on it, and the service there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.tools.systemd_box import Box
from tests.tools.systemd_service import Service, install, new_box


@pytest.fixture(scope="session")
def box() -> Iterator[Box]:
    """A machine on which censusd was installed."""
    with new_box() as box:
        install(box)
        yield box


@pytest.fixture
def service(box: Box) -> Iterator[Service]:
    """The service as it is after the installation: neither started nor configured."""
    service = Service(box)
    try:
        yield service
    finally:
        service.forget()
