"""Zigbee2MQTT as a source of facts about devices: what it tells of them beside what Home Assistant is told."""
