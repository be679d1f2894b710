"""A home without a recorder: HomeIQ works, and says what it cannot do."""

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError

from custom_components.homeiq.const import DOMAIN
from tests.unit.homeiq.entries import app_entry, set_up
from tests.unit.homeiq.fake_app import FakeApp
from tests.unit.homeiq.past import HOUR, NOON_US
from tests.unit.homeiq.waiting import eventually


async def test_gaps_are_closed_as_missed_and_that_is_said_once(
    hass: HomeAssistant, app: FakeApp, caplog: pytest.LogCaptureFixture
) -> None:
    app.past.covered_since, app.past.whole = 0, 2**52
    app.past.gaps += [(NOON_US, NOON_US + HOUR, None), (NOON_US + 2 * HOUR, NOON_US + 3 * HOUR, 7)]
    entry = await set_up(hass, app_entry(hass, app))
    await eventually(lambda: len(app.past.completed) == 2)
    app.past.gaps.append((NOON_US + 4 * HOUR, NOON_US + 5 * HOUR, None))
    entry.runtime_data.backfill.async_wake()
    await eventually(lambda: len(app.past.completed) == 3)

    assert [told["missed"] for told in app.past.completed] == [None, 7, None]
    assert app.past.events == []
    assert caplog.text.count("There is no recorder") == 1


@pytest.mark.usefixtures("entry")
@pytest.mark.parametrize("action", ["backfill", "import_statistics"])
async def test_an_action_says_that_there_is_no_recorder(hass: HomeAssistant, action: str) -> None:
    with pytest.raises(ServiceValidationError) as caught:
        await hass.services.async_call(DOMAIN, action, {}, blocking=True, return_response=True)
    assert caught.value.translation_key == "no_recorder"
