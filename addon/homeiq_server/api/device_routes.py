"""The routes about devices: what is asked of them, and what Home Assistant tells of them."""

from collections.abc import Callable

from aiohttp import web

from homeiq_server.insights.finding import Facts
from homeiq_server.intake.registry import RegistryIntake
from homeiq_server.store.pool import Tenants

from . import devices, findings, hours, insights, registry, reported, store


def serve(app: web.Application, tenants: Tenants, facts: Callable[[str], Facts | None]) -> None:
    """Serve what people and programs want to know, and let them deal with findings.

    Args:
        app: Serves.
        tenants: The way to the store.
        facts: What is measured of a device now.
    """
    app[store.STORE] = tenants
    app[devices.FACTS] = facts
    for noun in (devices, findings, hours, insights):
        noun.add_routes(app.router)


def take_in(app: web.Application, registries: RegistryIntake, listener: reported.Listener) -> None:
    """Take in what Home Assistant tells of its registries and of what has reported."""
    app[registry.REGISTRIES] = registries
    app[reported.LISTENER] = listener
    app.router.add_get(registry.PATH, registry.get_registry)
    app.router.add_post(registry.PATH, registry.post_registry)
    app.router.add_post(reported.PATH, reported.post_reported)
