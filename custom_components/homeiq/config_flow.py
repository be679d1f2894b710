"""Setting HomeIQ up, mending its connection, and choosing what is forwarded."""

from collections.abc import Mapping
from typing import Any, Final, override

import probatio
from homeassistant.config_entries import ConfigEntry, ConfigFlow, ConfigFlowResult, OptionsFlowWithReload
from homeassistant.const import CONF_TOKEN, CONF_URL
from homeassistant.core import callback
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.selector import TextSelector, TextSelectorConfig, TextSelectorType
from homeassistant.helpers.service_info.hassio import HassioServiceInfo
from yarl import URL

from .app import async_discovered_app
from .client import AppClient
from .const import CONF_APP_SLUG, DOMAIN
from .errors import AppError, Busy, CannotConnect, TimedOut
from .options import options_schema, tidy

_TITLE: Final = "HomeIQ"
_DEFAULT_URL: Final = "http://homeassistant.local:8098"
_NOT_YET: Final = {CannotConnect.key, TimedOut.key, Busy.key}
_URL_FIELD: Final = TextSelector(TextSelectorConfig(type=TextSelectorType.URL))
_TOKEN_FIELD: Final = TextSelector(TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="off"))
_MANUAL_SCHEMA: Final = probatio.Schema(
    {probatio.Required(CONF_URL): _URL_FIELD, probatio.Required(CONF_TOKEN): _TOKEN_FIELD}
)
_RECONFIGURE_SCHEMA: Final = probatio.Schema(
    {probatio.Required(CONF_URL): _URL_FIELD, probatio.Optional(CONF_TOKEN): _TOKEN_FIELD}
)
_TOKEN_SCHEMA: Final = probatio.Schema({probatio.Required(CONF_TOKEN): _TOKEN_FIELD})


class HomeIQConfigFlow(ConfigFlow, domain=DOMAIN):
    """An entry is one app, known by the id that it keeps with its data.

    The manifest does not say ``single_config_entry``: Home Assistant would then refuse a repeated discovery before
    it reaches ``async_step_hassio``, and it is by those that a new token or address arrives.
    """

    VERSION = 1

    def __init__(self) -> None:
        self._app: HassioServiceInfo | None = None
        self._entry_data: dict[str, Any] = {}

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: ConfigEntry) -> HomeIQOptionsFlow:
        """Return the flow behind the button Configure."""
        return HomeIQOptionsFlow()

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Offer the app that runs on this machine, or ask for an address."""
        self._app = await async_discovered_app(self.hass)
        if self._app is None:
            return await self.async_step_manual()
        return self.async_show_menu(step_id="user", menu_options=["app", "manual"])

    async def async_step_app(self, _: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Use the app that runs on this machine."""
        errors = await self._async_try_app()
        if errors:
            return self.async_show_form(step_id="app", errors={"base": next(iter(errors.values()))})
        return self._async_finish()

    async def async_step_manual(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the address of an app, and for its token."""
        errors: dict[str, str] = {}
        if user_input is not None:
            errors = await self._async_try(user_input[CONF_URL], user_input[CONF_TOKEN])
            if not errors:
                return self._async_finish()
        return self._async_show_fields("manual", _MANUAL_SCHEMA, user_input or {CONF_URL: _DEFAULT_URL}, errors)

    @override
    async def async_step_hassio(self, discovery_info: HassioServiceInfo) -> ConfigFlowResult:
        """The Supervisor tells of an app: a new one, or one that has a new address or token."""
        self._app = discovery_info
        errors = await self._async_try_app(discovered=True)
        reason = next(iter(errors.values()), None)
        if reason in _NOT_YET:
            # The app may still be starting, and the Supervisor does not repeat itself.
            await self.async_set_unique_id(str(discovery_info.config.get("server_id")))
            self._abort_if_unique_id_configured(updates=self._entry_data)
        if reason is not None:
            return self.async_abort(reason=reason)
        self._abort_if_unique_id_configured(updates=self._entry_data)
        return await self.async_step_hassio_confirm()

    async def async_step_hassio_confirm(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask whether the app that was found is to be used."""
        if user_input is not None:
            return self._async_finish()
        self._set_confirm_only()
        return self.async_show_form(step_id="hassio_confirm")

    async def async_step_reauth(self, _: Mapping[str, Any]) -> ConfigFlowResult:
        """The app refuses the token."""
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for another token."""
        errors: dict[str, str] = {}
        entry = self._get_reauth_entry()
        if user_input is not None:
            errors = await self._async_try(entry.data[CONF_URL], user_input[CONF_TOKEN])
            if not errors:
                self._abort_if_unique_id_mismatch(reason="another_app")
                return self.async_update_reload_and_abort(entry, data_updates=self._entry_data)
        return self._async_show_fields("reauth_confirm", _TOKEN_SCHEMA, {}, errors)

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for another address; a token that is left empty stays as it is."""
        errors: dict[str, str] = {}
        entry = self._get_reconfigure_entry()
        if user_input is not None:
            errors = await self._async_try(user_input[CONF_URL], user_input.get(CONF_TOKEN) or entry.data[CONF_TOKEN])
            if not errors:
                self._abort_if_unique_id_mismatch(reason="another_app")
                return self.async_update_reload_and_abort(entry, data=self._entry_data)
        return self._async_show_fields(
            "reconfigure", _RECONFIGURE_SCHEMA, user_input or {CONF_URL: entry.data[CONF_URL]}, errors
        )

    async def _async_try(self, url: str, token: str, *, discovered: bool = False) -> dict[str, str]:
        """Talk to an app; return the errors by field, or note what the entry keeps and whose it is."""
        if (good_url := _clean_url(url)) is None:
            return {CONF_URL: "invalid_url"}
        if (good_token := _clean_token(token)) is None:
            return {CONF_TOKEN: "invalid_token"}
        self._entry_data = {CONF_URL: good_url, CONF_TOKEN: good_token}
        client = AppClient(async_get_clientsession(self.hass), good_url, good_token)
        try:
            info = await client.info()
            await client.status()
        except AppError as err:
            return {"base": err.key}
        await self.async_set_unique_id(info.server_id, raise_on_progress=discovered)
        return {}

    async def _async_try_app(self, *, discovered: bool = False) -> dict[str, str]:
        """Talk to the app that the Supervisor told of."""
        if self._app is None:
            return {"base": "invalid_discovery_info"}
        config = self._app.config
        try:
            url = f"http://{config['host']}:{config['port']}"
            token = str(config["token"])
        except KeyError:
            return {"base": "invalid_discovery_info"}
        errors = await self._async_try(url, token, discovered=discovered)
        self._entry_data[CONF_APP_SLUG] = self._app.slug
        return errors

    @callback
    def _async_finish(self) -> ConfigFlowResult:
        """Create the entry, or give the one that exists the connection that was just tried."""
        self._abort_if_unique_id_configured(updates=self._entry_data)
        return self.async_create_entry(title=_TITLE, data=self._entry_data)

    @callback
    def _async_show_fields(
        self, step_id: str, schema: probatio.Schema, values: Mapping[str, Any], errors: dict[str, str]
    ) -> ConfigFlowResult:
        """Show a form with what was entered before, except the token."""
        shown = {key: value for key, value in values.items() if key != CONF_TOKEN}
        return self.async_show_form(
            step_id=step_id, data_schema=self.add_suggested_values_to_schema(schema, shown), errors=errors
        )


class HomeIQOptionsFlow(OptionsFlowWithReload):
    """Which entities are forwarded, and what is shown of devices."""

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the include and exclude lists, and for the entities of devices."""
        if user_input is not None:
            return self.async_create_entry(data=tidy(user_input))
        return self.async_show_form(step_id="init", data_schema=options_schema(self.hass, self.config_entry.options))


def _clean_url(text: str) -> str | None:
    """Return the URL without a slash at its end, or None when it is not one to reach an app by.

    User names and passwords are no part of it: they would show up wherever the URL is shown.
    """
    try:
        url = URL(text.strip())
        usable = url.scheme in {"http", "https"} and url.host and url.port and url.user is None
    except ValueError:
        return None
    return str(url.with_query(None).with_fragment(None)).rstrip("/") if usable else None


def _clean_token(text: str) -> str | None:
    """Return the token without the blanks that copying brings along, or None when a header cannot carry it."""
    token = text.strip()
    return token if token and token.isascii() and token.isprintable() and " " not in token else None
