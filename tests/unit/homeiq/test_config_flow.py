"""Every way through the flow, and back from every error."""

import logging
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import ClientTimeout, web
from homeassistant.components.hassio.const import DATA_COMPONENT
from homeassistant.components.hassio.handler import HassIO
from homeassistant.config_entries import SOURCE_HASSIO, SOURCE_USER, ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.service_info.hassio import HassioServiceInfo

from custom_components.homeiq.const import CONF_APP_SLUG, DOMAIN
from tests.unit.homeiq.entries import app_entry, set_up
from tests.unit.homeiq.fake_app import SERVER_ID, TOKEN, FakeApp
from tests.unit.homeiq.waiting import eventually

SLUG = "f6d4f174_homeiq"


async def begin(hass: HomeAssistant) -> ConfigFlowResult:
    return await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})


async def answer(hass: HomeAssistant, step: ConfigFlowResult, **fields: str) -> ConfigFlowResult:
    step = await hass.config_entries.flow.async_configure(step["flow_id"], dict(fields))
    await hass.async_block_till_done()
    return step


async def discover(
    hass: HomeAssistant, app: FakeApp, *, token: str | None = None, without: str | None = None
) -> ConfigFlowResult:
    config = {"host": "127.0.0.1", "port": app.port, "token": token or app.token, "server_id": app.server_id}
    config = {key: value for key, value in config.items() if key != without}
    info = HassioServiceInfo(config=config, name="HomeIQ", slug=SLUG, uuid="u")
    step = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_HASSIO}, data=info)
    await hass.async_block_till_done()
    return step


class Trouble:
    """Something that goes wrong with the app, and can be undone."""

    def __init__(self, app: FakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
        self.app, self.monkeypatch = app, monkeypatch

    async def begin(self, name: str) -> None:
        match name:
            case "cannot_connect":
                await self.app.stop()
            case "timeout_connect":
                self.monkeypatch.setattr("custom_components.homeiq.client._ASK_TIMEOUT", ClientTimeout(total=0.01))
                self.app.hold_info.clear()
            case "invalid_auth":
                self.app.token = "another"
            case "app_too_old":
                self.app.api_version = self.app.min_api_version = 0
            case "integration_too_old":
                self.app.api_version = self.app.min_api_version = 9
            case "not_homeiq":
                self.app.server_id = None
            case "app_busy":
                self.app.status_code = 503
            case "unexpected_answer":
                self.app.status_code = 422
            case _:
                raise ValueError(name)

    async def end(self) -> None:
        self.monkeypatch.undo()
        self.app.token, self.app.server_id = TOKEN, SERVER_ID
        self.app.api_version = self.app.min_api_version = 1
        self.app.status_code = 200
        self.app.hold_info.set()
        await self.app.start()


TROUBLES = (
    "cannot_connect",
    "timeout_connect",
    "invalid_auth",
    "app_too_old",
    "integration_too_old",
    "not_homeiq",
    "app_busy",
    "unexpected_answer",
)


@pytest.fixture
def trouble(app: FakeApp, monkeypatch: pytest.MonkeyPatch) -> Trouble:
    return Trouble(app, monkeypatch)


async def test_an_address_and_a_token_make_an_entry(hass: HomeAssistant, app: FakeApp) -> None:
    step = await begin(hass)
    assert (step["type"], step["step_id"]) == (FlowResultType.FORM, "manual")
    done = await answer(hass, step, url=f" {app.url}/ ", token=f"{TOKEN}\n")

    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert done["data"] == {"url": app.url, "token": TOKEN}
    assert done["result"].unique_id == SERVER_ID
    assert done["title"] == "HomeIQ"


@pytest.mark.parametrize("name", TROUBLES)
async def test_every_error_can_be_recovered_from(
    hass: HomeAssistant, app: FakeApp, trouble: Trouble, name: str
) -> None:
    await trouble.begin(name)
    step = await answer(hass, await begin(hass), url=app.url, token=TOKEN)
    assert step["errors"] == {"base": name}
    assert TOKEN not in repr(step["data_schema"])

    await trouble.end()
    done = await answer(hass, step, url=app.url, token=TOKEN)
    assert done["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.parametrize(
    "url",
    [
        "",
        "homeassistant.local",
        "homeassistant.local:8098",
        "ftp://host",
        "http://",
        "http://user:secret@host",
        "http://[x",
    ],
)
async def test_what_is_no_url_is_said_to_be_none(hass: HomeAssistant, app: FakeApp, url: str) -> None:
    step = await answer(hass, await begin(hass), url=url, token=TOKEN)
    assert step["errors"] == {"url": "invalid_url"}

    done = await answer(hass, step, url=app.url, token=TOKEN)
    assert done["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.parametrize("token", ["", "  ", "two words", "line\nbreak", "schlüssel"])
async def test_what_is_no_token_is_said_to_be_none(hass: HomeAssistant, app: FakeApp, token: str) -> None:
    step = await answer(hass, await begin(hass), url=app.url, token=token)
    assert step["errors"] == {"token": "invalid_token"}

    done = await answer(hass, step, url=app.url, token=TOKEN)
    assert done["type"] is FlowResultType.CREATE_ENTRY


async def test_an_app_that_is_set_up_already_is_not_set_up_twice(hass: HomeAssistant, app: FakeApp) -> None:
    entry = app_entry(hass, app)
    hass.config_entries.async_update_entry(entry, data={"url": "http://old", "token": "old"})
    done = await answer(hass, await begin(hass), url=app.url, token=TOKEN)

    assert (done["type"], done["reason"]) == (FlowResultType.ABORT, "already_configured")
    assert entry.data == {"url": app.url, "token": TOKEN}


async def test_a_discovered_app_is_confirmed_and_remembered_as_one(hass: HomeAssistant, app: FakeApp) -> None:
    step = await discover(hass, app)
    assert (step["type"], step["step_id"]) == (FlowResultType.FORM, "hassio_confirm")
    done = await answer(hass, step)

    assert done["data"] == {"url": app.url, "token": TOKEN, CONF_APP_SLUG: SLUG}
    assert done["result"].unique_id == SERVER_ID


@pytest.mark.parametrize("missing", ["host", "port", "token"])
async def test_a_discovery_without_its_fields_is_refused(hass: HomeAssistant, app: FakeApp, missing: str) -> None:
    step = await discover(hass, app, without=missing)

    assert (step["type"], step["reason"]) == (FlowResultType.ABORT, "invalid_discovery_info")


@pytest.mark.parametrize("name", TROUBLES)
async def test_a_discovered_app_in_trouble_is_found_again_later(
    hass: HomeAssistant, app: FakeApp, trouble: Trouble, name: str
) -> None:
    await trouble.begin(name)
    step = await discover(hass, app, token=TOKEN)
    assert (step["type"], step["reason"]) == (FlowResultType.ABORT, name)

    await trouble.end()
    step = await discover(hass, app)
    assert step["type"] is FlowResultType.FORM


async def test_a_rediscovery_brings_the_new_token_and_reloads(hass: HomeAssistant, app: FakeApp) -> None:
    entry = await set_up(hass, app_entry(hass, app, app_slug=SLUG))
    app.token = "renewed"
    hass.states.async_set("light.kitchen", "on")
    step = await discover(hass, app)

    assert (step["type"], step["reason"]) == (FlowResultType.ABORT, "already_configured")
    assert entry.data["token"] == "renewed"
    await eventually(lambda: ("light.kitchen", "on") in app.states)


async def test_a_rediscovery_of_an_app_that_is_still_starting_is_not_lost(hass: HomeAssistant, app: FakeApp) -> None:
    entry = await set_up(hass, app_entry(hass, app, app_slug=SLUG))
    await app.stop()
    app.token = "renewed"
    hass.states.async_set("light.kitchen", "on")
    step = await discover(hass, app)
    assert (step["type"], step["reason"]) == (FlowResultType.ABORT, "already_configured")
    assert entry.data["token"] == "renewed"

    await app.start()
    await eventually(lambda: ("light.kitchen", "on") in app.states)


async def test_an_unreachable_app_of_another_id_changes_nothing_here(hass: HomeAssistant, app: FakeApp) -> None:
    entry = await set_up(hass, app_entry(hass, app, app_slug=SLUG))
    before = dict(entry.data)
    await app.stop()
    app.server_id, app.token = "0" * 32, "renewed"
    step = await discover(hass, app)

    assert (step["type"], step["reason"]) == (FlowResultType.ABORT, "cannot_connect")
    assert entry.data == before


@pytest.fixture
async def supervisor(hass: HomeAssistant, app: FakeApp) -> AsyncIterator[dict[str, Any]]:
    """A Supervisor that has kept the app's message; what the fixture gives can be changed by a test."""
    config = {"host": "127.0.0.1", "port": app.port, "token": TOKEN}
    kept = {"addon": SLUG, "service": "homeiq", "uuid": uuid4().hex, "config": config}
    told: dict[str, Any] = {"status": 200, "discovery": [{**kept, "service": "mqtt"}, kept]}

    async def discovery(_: web.Request) -> web.Response:
        return web.json_response({"result": "ok", "data": {"discovery": told["discovery"]}}, status=told["status"])

    server = web.Application()
    server.add_routes([web.get("/discovery", discovery)])
    runner = web.AppRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = f"127.0.0.1:{runner.addresses[0][1]}"
    hass.data[DATA_COMPONENT] = HassIO(hass.loop, async_get_clientsession(hass), address)
    hass.config.components.add("hassio")
    yield told
    await runner.cleanup()


@pytest.mark.usefixtures("supervisor")
async def test_the_app_on_this_machine_is_offered_first(hass: HomeAssistant, app: FakeApp) -> None:
    step = await begin(hass)
    assert (step["type"], step["menu_options"]) == (FlowResultType.MENU, ["app", "manual"])
    done = await answer(hass, step, next_step_id="app")

    assert done["data"] == {"url": app.url, "token": TOKEN, CONF_APP_SLUG: SLUG}


@pytest.mark.usefixtures("supervisor")
@pytest.mark.parametrize("name", TROUBLES)
async def test_the_app_on_this_machine_can_be_tried_again(hass: HomeAssistant, trouble: Trouble, name: str) -> None:
    step = await begin(hass)
    await trouble.begin(name)
    step = await answer(hass, step, next_step_id="app")
    assert (step["step_id"], step["errors"]) == ("app", {"base": name})

    await trouble.end()
    done = await answer(hass, step)
    assert done["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.usefixtures("supervisor")
async def test_an_address_can_be_entered_although_there_is_an_app(hass: HomeAssistant, app: FakeApp) -> None:
    step = await answer(hass, await begin(hass), next_step_id="manual")
    done = await answer(hass, step, url=app.url, token=TOKEN)

    assert CONF_APP_SLUG not in done["data"]


@pytest.mark.parametrize("told", [{"discovery": []}, {"status": 500}])
async def test_a_supervisor_that_knows_of_no_app_is_no_obstacle(
    hass: HomeAssistant, supervisor: dict[str, Any], told: dict[str, Any]
) -> None:
    supervisor.update(told)

    assert (await begin(hass))["step_id"] == "manual"


@pytest.mark.parametrize("name", TROUBLES)
async def test_a_new_token_ends_the_reauthentication(
    hass: HomeAssistant, app: FakeApp, trouble: Trouble, name: str
) -> None:
    entry = await set_up(hass, app_entry(hass, app))
    hass.config_entries.async_update_entry(entry, data={"url": app.url, "token": "expired"})
    entry.async_start_reauth(hass)
    await hass.async_block_till_done()
    (step,) = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    await trouble.begin(name)
    step = await answer(hass, step, token=TOKEN)
    assert (step["step_id"], step["errors"]) == ("reauth_confirm", {"base": name})

    await trouble.end()
    done = await answer(hass, step, token=TOKEN)
    assert (done["type"], done["reason"]) == (FlowResultType.ABORT, "reauth_successful")
    assert entry.data["token"] == TOKEN


async def test_a_token_of_another_app_is_none_of_this_one(hass: HomeAssistant, app: FakeApp) -> None:
    entry = await set_up(hass, app_entry(hass, app))
    app.server_id = "0" * 32
    entry.async_start_reauth(hass)
    await hass.async_block_till_done()
    (step,) = hass.config_entries.flow.async_progress_by_handler(DOMAIN)
    done = await answer(hass, step, token=TOKEN)

    assert (done["type"], done["reason"]) == (FlowResultType.ABORT, "another_app")


async def reconfigure(hass: HomeAssistant, entry_id: str) -> ConfigFlowResult:
    return await hass.config_entries.flow.async_init(DOMAIN, context={"source": "reconfigure", "entry_id": entry_id})


@pytest.mark.parametrize("name", TROUBLES)
async def test_the_address_can_be_changed_and_the_token_kept(
    hass: HomeAssistant, app: FakeApp, trouble: Trouble, name: str
) -> None:
    entry = await set_up(hass, app_entry(hass, app))
    hass.config_entries.async_update_entry(entry, data={"url": "http://moved", "token": TOKEN})
    await trouble.begin(name)
    step = await answer(hass, await reconfigure(hass, entry.entry_id), url=app.url)
    assert (step["step_id"], step["errors"]) == ("reconfigure", {"base": name})

    await trouble.end()
    done = await answer(hass, step, url=app.url)
    assert (done["type"], done["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
    assert entry.data == {"url": app.url, "token": TOKEN}


async def test_the_address_of_another_app_is_refused(hass: HomeAssistant, app: FakeApp) -> None:
    entry = await set_up(hass, app_entry(hass, app))
    app.server_id = "0" * 32
    done = await answer(hass, await reconfigure(hass, entry.entry_id), url=app.url, token=TOKEN)

    assert (done["type"], done["reason"]) == (FlowResultType.ABORT, "another_app")


async def test_the_options_are_asked_for_kept_and_take_effect(hass: HomeAssistant, app: FakeApp) -> None:
    entry = await set_up(hass, app_entry(hass, app))
    step = await hass.config_entries.options.async_init(entry.entry_id)
    nothing: dict[str, list[str]] = {}
    chosen = {"include": {"domains": ["light"], "entity_globs": [], "areas": []}, "exclude": nothing}
    done = await hass.config_entries.options.async_configure(step["flow_id"], chosen)
    await hass.async_block_till_done()
    assert done["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options == {"include": {"domains": ["light"]}}

    hass.states.async_set("sensor.counter", "1")
    hass.states.async_set("light.kitchen", "on")
    await eventually(lambda: ("light.kitchen", "on") in app.states)
    assert ("sensor.counter", "1") not in app.states

    step = await hass.config_entries.options.async_init(entry.entry_id)
    done = await hass.config_entries.options.async_configure(step["flow_id"], {"include": nothing, "exclude": nothing})
    await hass.async_block_till_done()
    assert done["data"] == {}


async def test_no_four_characters_of_the_token_reach_the_log_of_a_flow(
    hass: HomeAssistant, app: FakeApp, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    app.token = "another"
    step = await answer(hass, await begin(hass), url=app.url, token=TOKEN)
    app.token = TOKEN
    await answer(hass, step, url=app.url, token=TOKEN)

    assert not [TOKEN[at : at + 4] for at in range(len(TOKEN) - 3) if TOKEN[at : at + 4] in caplog.text]
