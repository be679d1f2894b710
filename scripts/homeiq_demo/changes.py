"""A gentle stream of changes: the demo integration's entities hardly change by themselves."""

import asyncio
import contextlib
import itertools
import math

from .home_assistant import HomeAssistant
from .process import DemoError
from .rest import Json

EVERY_S = 0.25
PERIOD_STEPS = 480
ROOMS = ("kitchen", "living room", "garden", "Küche 🍳")
TOGGLED = ("light", "switch", "fan", "siren", "humidifier")


class Changes:
    """Moves two entities of its own, named as what they are, and switches the demo's entities in turn.

    Attributes:
        marks: Every state that it set itself, as Home Assistant answered, oldest first.
    """

    def __init__(self, home_assistant: HomeAssistant) -> None:
        """Change the entities of ``home_assistant``."""
        self.marks: list[Json] = []
        self._home_assistant = home_assistant

    async def run(self) -> None:
        """Make changes until cancelled."""
        states = await self._home_assistant.states()
        toggled = [s["entity_id"] for s in states if s["entity_id"].split(".")[0] in TOGGLED]
        for step, entity_id in zip(itertools.count(), itertools.cycle(toggled), strict=False):
            await self._mark(step)
            with contextlib.suppress(DemoError):  # some of the demo's entities refuse to be switched, on purpose
                await self._home_assistant.call("homeassistant", "toggle", entity_id=entity_id)
            await asyncio.sleep(EVERY_S)

    async def _mark(self, step: int) -> None:
        wave = round(50 + 50 * math.sin(step / PERIOD_STEPS * math.tau), 2)
        self.marks.append(
            await self._home_assistant.set_state(
                "sensor.homeiq_demo_wave",
                str(wave),
                friendly_name="HomeIQ demo: a wave",
                unit_of_measurement="%",
                state_class="measurement",
                step=step,
            )
        )
        self.marks.append(
            await self._home_assistant.set_state(
                "sensor.homeiq_demo_walk", ROOMS[step % len(ROOMS)], friendly_name="HomeIQ demo: a walk", step=step
            )
        )
