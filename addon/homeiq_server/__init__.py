"""The HomeIQ app: keeps every state change it is sent, and writes it to a time-series database."""

from typing import Final

VERSION: Final = "0.1.0"
API_VERSION: Final = 1
MIN_API_VERSION: Final = 1
