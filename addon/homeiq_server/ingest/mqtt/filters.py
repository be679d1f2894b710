"""Which topics are subscribed to, and which subscription a topic belongs to. Pure."""

from typing import Final

DEVICES: Final = "tenant/+/device/+/+"
"""Of all that devices send: tenant, device, and the type of the message."""

_DEVICES_ROOT: Final = "tenant/"


def of_devices(share: str | None) -> str:
    """Return the filter that devices' messages are subscribed with, as one of the group ``share`` or alone."""
    return DEVICES if share is None else f"$share/{share}/{DEVICES}"


def is_of_devices(topic: str) -> bool:
    """Whether a topic that came is one of devices."""
    return topic.startswith(_DEVICES_ROOT)


def covers(topic_filter: str, topic: str) -> bool:
    """Whether messages of ``topic`` come to who has subscribed to ``topic_filter``; MQTT 5, section 4.7."""
    wanted, levels = topic_filter.split("/"), topic.split("/")
    if topic.startswith("$") and wanted[0] in ("+", "#"):
        return False
    if wanted[-1] == "#":
        wanted.pop()
        if len(levels) < len(wanted):
            return False
        levels = levels[: len(wanted)]
    return len(wanted) == len(levels) and all(want in ("+", level) for want, level in zip(wanted, levels, strict=True))
