"""Devices that send by MQTT and HTTP, as a home or a fleet has them."""
