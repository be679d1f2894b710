"""Which database devices are kept in, as the options say; and what is told of one that cannot be."""

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest

from homeiq_server.errors import InvalidOptions
from homeiq_server.options import Options, Secret
from homeiq_server.postgres import open_device_database
from tests.unit.homeiq_server.server_builders import eventually

_URL, _OWNER_URL = Secret("postgresql://homeiq:marker@127.0.0.1:1/h"), Secret("postgresql://o:marker@127.0.0.1:1/h")


def _external(**more: Any) -> Options:  # noqa: ANN401  # each option has its own type
    return Options(database_url=_URL, database_owner_url=_OWNER_URL, **more)


def test_a_database_of_the_user_s_needs_a_certificate_that_is_trusted() -> None:
    database = open_device_database(_external())
    assert database.child is None
    access = database.store._access
    assert access.tls
    assert (access.tls.verify_mode, access.tls.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert access.role == "homeiq"
    assert "marker" not in repr(access)
    status = database.status()
    assert (status.state, status.embedded, status.version) == ("starting", False, None)


def test_without_the_check_tls_is_not_demanded_and_a_warning_tells_it(caplog: pytest.LogCaptureFixture) -> None:
    database = open_device_database(_external(database_verify_ssl=False))
    assert database.store._access.tls is None
    assert "not checked" in caplog.text
    assert "marker" not in caplog.text


def test_a_file_without_certificates_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(InvalidOptions, match="database_ca_cert"):
        open_device_database(_external(database_ca_cert=tmp_path / "ca.pem"))


async def test_without_programs_to_embed_the_status_tells_the_remedy(tmp_path: Path) -> None:
    database = open_device_database(Options(data_dir=tmp_path, postgresql=tmp_path))
    task = asyncio.create_task(database.store.run(), name="store")
    await eventually(lambda: database.status().state == "misconfigured")
    status = database.status()
    assert status.embedded
    assert "Install the Debian package postgresql" in (status.error or "")
    task.cancel()
    await asyncio.wait([task])
