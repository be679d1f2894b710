"""The target against a real HTTP server on loopback."""

import logging
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from homeiq_server.errors import InvalidOptions
from homeiq_server.history.answers import Action, Category, Refusal
from homeiq_server.history.influx import Influx, InfluxSettings
from homeiq_server.history.target import Identity, Kept
from tests.unit.homeiq_server.history.fake_database import FakeDatabase, Scripted, running

LINES = b"m,t=a f=1.0 1\nm,t=b f=2.0 2"
SECRET = "marker-of-a-secret"


@asynccontextmanager
async def connected(settings: InfluxSettings) -> AsyncIterator[Influx]:
    target = Influx(settings)
    try:
        yield target
    finally:
        await target.close()


@pytest.mark.parametrize(
    ("dialect", "version", "identity", "settling_s", "form"),
    [
        ("influx1.6", "", Identity("InfluxDB", "1.6.7~rc0"), 0, "influx"),
        ("influx1", "", Identity("InfluxDB", "1.8.10"), 0, "influx"),
        ("influx2", "", Identity("InfluxDB", "2.7.11"), 0, "influx"),
        ("influx3", "", Identity("InfluxDB", "3.2.1"), 0, "influx"),
        ("cloud", "", Identity("InfluxDB Cloud", None), 0, "influx"),
        ("victoria", "v1.145.0", Identity("VictoriaMetrics", "1.145.0"), 15, "victoria"),
        ("victoria", "", Identity("VictoriaMetrics", None), 15, "victoria"),
        ("plain", "", Identity("a database with InfluxDB's API", None), 0, "influx"),
    ],
)
async def test_the_product_and_its_version_decide_how_it_is_treated(
    dialect: str, version: str, identity: Identity, settling_s: float, form: str
) -> None:
    async with (
        running(FakeDatabase(dialect, version=version)) as database,
        connected(InfluxSettings(url=f"{database.url}/")) as target,
    ):
        assert await target.identify() == identity
        assert (target.name, target.settling_s, target.form) == (identity.product, settling_s, form)
        assert database.stored == []


async def test_a_victoria_metrics_that_hides_bad_lines_is_refused_with_the_remedy() -> None:
    async with (
        running(FakeDatabase("victoria", version="v1.104.0")) as database,
        connected(InfluxSettings(url=database.url)) as target,
    ):
        database.hides_bad_lines = True
        refusal = await target.identify()
        assert isinstance(refusal, Refusal)
        assert (refusal.action, refusal.category) == (Action.HOLD, Category.CONFIGURATION)
        assert "1.104.0" in refusal.reason
        assert "update it to 1.105" in refusal.reason


async def test_the_embedded_database_is_known_before_it_answers() -> None:
    kept = Kept(past=timedelta(days=3_650), future=timedelta(days=2))
    async with connected(InfluxSettings(url="http://127.0.0.1:1", embedded=True, kept=kept)) as target:
        assert (target.name, target.settling_s, target.form) == ("VictoriaMetrics", 15, "victoria")
        assert target.kept == kept
        refusal = await target.identify()
        assert isinstance(refusal, Refusal)
        assert (refusal.action, refusal.category) == (Action.RETRY, Category.NETWORK)


async def test_the_epoch_changes_with_each_start_of_victoria_metrics_and_never_for_influxdb() -> None:
    for dialect, changes in (("victoria", True), ("influx2", False)):
        async with (
            running(FakeDatabase(dialect)) as database,
            connected(InfluxSettings(url=database.url)) as target,
        ):
            await target.identify()
            before = await target.epoch()
            assert await target.epoch() == before
            await database.stop()
            await database.start()
            assert (await target.epoch() != before) is changes


@pytest.mark.parametrize(("status", "action"), [(401, Action.HOLD), (503, Action.RETRY)])
async def test_victoria_metrics_whose_metrics_cannot_be_read_is_no_unknown_database(
    status: int, action: Action
) -> None:
    async with (
        running(FakeDatabase("victoria")) as database,
        connected(InfluxSettings(url=database.url)) as target,
    ):
        database.metrics = Scripted(status, "no")
        refusal = await target.identify()
        assert isinstance(refusal, Refusal)
        assert refusal.action is action


async def test_a_hundred_health_checks_open_one_connection() -> None:
    async with (
        running(FakeDatabase()) as database,
        connected(InfluxSettings(url=database.url)) as target,
    ):
        for _ in range(100):
            assert await target.healthy()
        assert len(database.connections) == 1


async def test_no_secret_is_shown_even_when_the_other_side_repeats_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    settings = InfluxSettings(url="http://127.0.0.1:1", token=SECRET, username=None, password=SECRET)
    async with (
        running(FakeDatabase(token="another")) as database,
        connected(replace(settings, url=database.url)) as target,
    ):
        refused = await target.write(LINES, precision="us")
        database.scripted.append(Scripted(502, f"<html>Authorization: Token {SECRET}</html>"))
        repeated = await target.write(LINES, precision="us")
        shown = [repr(target), repr(settings), target.url, repr(refused), repr(repeated), caplog.text]
    assert isinstance(repeated, Refusal)
    assert SECRET not in "".join(shown) + repeated.text


async def test_a_user_and_a_password_are_sent_as_such() -> None:
    async with (
        running(FakeDatabase()) as database,
        connected(InfluxSettings(url=database.url, username="u", password="p")) as target,
    ):
        assert await target.write(LINES, precision="us") is None
        assert database.authorizations == {"Basic dTpw"}


async def test_an_address_with_credentials_is_refused_without_repeating_it() -> None:
    with pytest.raises(InvalidOptions) as error:
        Influx(InfluxSettings(url=f"http://u:{SECRET}@127.0.0.1:1"))
    assert SECRET not in str(error.value)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Make a self-signed certificate for 127.0.0.1 and its key."""
    if (openssl := shutil.which("openssl")) is None:
        pytest.skip("there is no openssl here to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subject = ("-subj", "/CN=fake", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2")
    command = (
        openssl,
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        str(key),
        "-out",
        str(cert),
        *subject,
    )
    subprocess.run(command, check=True, capture_output=True)
    return cert, key


@asynccontextmanager
async def running_with_tls(certificate: tuple[Path, Path]) -> AsyncIterator[FakeDatabase]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*certificate)
    async with running(FakeDatabase(), tls) as database:
        yield database


async def test_a_certificate_that_nobody_vouches_for_is_a_setting_to_mend(certificate: tuple[Path, Path]) -> None:
    async with running_with_tls(certificate) as database, connected(InfluxSettings(url=database.url)) as target:
        refusal = await target.write(LINES, precision="us")
        assert isinstance(refusal, Refusal)
        assert (refusal.action, refusal.category) == (Action.HOLD, Category.CONFIGURATION)
        assert "certificate" in refusal.reason
        assert database.requests == []


async def test_a_certificate_of_one_s_own_is_trusted_when_given(certificate: tuple[Path, Path]) -> None:
    async with (
        running_with_tls(certificate) as database,
        connected(InfluxSettings(url=database.url, ca_file=certificate[0])) as target,
    ):
        assert await target.write(LINES, precision="us") is None


async def test_an_unchecked_certificate_is_warned_of_once(
    certificate: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        running_with_tls(certificate) as database,
        connected(InfluxSettings(url=database.url, verify_ssl=False)) as target,
    ):
        for _ in range(3):
            assert await target.write(LINES, precision="us") is None
    assert [record.levelname for record in caplog.records if "is not checked" in record.message] == ["WARNING"]


async def test_a_file_without_certificates_is_an_option_to_mend(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    for name in ("ca.pem", "none.pem"):
        with pytest.raises(InvalidOptions, match=r"ca_file"):
            Influx(InfluxSettings(url="https://127.0.0.1:1", ca_file=tmp_path / name))
