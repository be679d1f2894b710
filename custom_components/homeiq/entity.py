"""What all entities of HomeIQ have in common."""

from homeassistant.const import CONF_URL
from homeassistant.helpers.device_registry import DeviceEntryType, DeviceInfo
from homeassistant.helpers.entity import Entity, EntityDescription

from .const import CONF_APP_SLUG, DOMAIN
from .coordinator import HomeIQConfigEntry


class HomeIQEntity(Entity):
    """An entity of the HomeIQ device, which is a service: one for each app."""

    _attr_has_entity_name = True

    def __init__(self, entry: HomeIQConfigEntry, description: EntityDescription) -> None:
        """Make the entity unique by the app's own id, so that it survives another address or token."""
        self.entity_description = description
        self._attr_unique_id = f"{entry.unique_id}_{description.key}"
        status = entry.runtime_data.coordinator.last_status
        slug = entry.data.get(CONF_APP_SLUG)
        self._attr_device_info = DeviceInfo(
            identifiers={(DOMAIN, str(entry.unique_id))},
            entry_type=DeviceEntryType.SERVICE,
            name="HomeIQ",
            manufacturer="HomeIQ",
            sw_version=status.version if status is not None else None,
            configuration_url=f"homeassistant://app/{slug}" if slug else entry.data[CONF_URL],
        )
