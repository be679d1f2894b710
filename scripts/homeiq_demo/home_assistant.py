"""A Home Assistant of our own: its process, and what the demo and the tests do with it."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from .configuration import ROOT
from .process import DemoError, Process, plain_environment, wait_for
from .rest import Json, Rest

HASS = ROOT / ".venvs" / "newest" / "bin" / "hass"
STAND_INS = Path(__file__).parent / "stand_ins"
START_S = 90
STOP_S = 60
MOST_STEPS = 5


class HomeAssistant:
    """A Home Assistant on a loopback port, entered as its owner after ``start``."""

    def __init__(self, folder: Path, *, port: int, log: Path) -> None:
        """Run on the configuration folder ``folder`` (see ``write_configuration``)."""
        command = (str(HASS), "--skip-pip", "--config", str(folder))
        environment = plain_environment({"PYTHONPATH": str(STAND_INS)})
        self.process = Process("Home Assistant", command, log=log, env=environment)
        self.rest = Rest(f"http://127.0.0.1:{port}")

    async def __aenter__(self) -> Self:
        """Return itself; the process is not started yet."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop the process and close the client."""
        try:
            await self.stop()
        finally:
            await self.rest.close()

    @property
    def url(self) -> str:
        """Where its page is."""
        return self.rest.url

    async def start(self) -> None:
        """Start, make the owner on the first start, log in, and wait until all integrations are set up.

        Raises:
            DemoError: It ended, or did not come up in time; the text has its log's tail.
        """
        await self.process.start()
        enter = await wait_for("Home Assistant's first answer", self._way_in, deadline_s=START_S)
        await enter()
        await wait_for("Home Assistant to finish its start", self._running, deadline_s=START_S)

    async def stop(self) -> int | None:
        """Let it stop in order, and return its exit code."""
        return await self.process.stop(timeout_s=STOP_S)

    async def _way_in(self) -> Callable[[], Awaitable[None]] | None:
        """Return how to get in: by making the owner on the first start, else by logging in; None while it starts."""
        self.process.check()
        if await self.rest.is_there("/auth/providers"):
            return self.rest.log_in
        return self.rest.create_owner if await self.rest.is_there("/api/onboarding") else None

    async def _running(self) -> bool:
        self.process.check()
        config = await self.rest.get("/api/config")
        return bool(config["state"] == "RUNNING" and not config["recovery_mode"])

    async def call(self, domain: str, action: str, **fields: object) -> None:
        """Perform an action."""
        await self.rest.post(f"/api/services/{domain}/{action}", fields)

    async def ask(self, domain: str, action: str, **fields: object) -> Json:
        """Perform an action that answers, and return its answer."""
        answer = await self.rest.post(f"/api/services/{domain}/{action}?return_response", fields)
        return dict(answer["service_response"])

    async def set_state(self, entity_id: str, state: str, **attributes: object) -> Json:
        """Set a state as any REST client may; return it as Home Assistant has it."""
        answer: Json = await self.rest.post(f"/api/states/{entity_id}", {"state": state, "attributes": attributes})
        return answer

    async def states(self) -> list[Json]:
        """Return every entity's current state."""
        answer: list[Json] = await self.rest.get("/api/states")
        return answer

    async def history(self, entity_ids: list[str], *, start: datetime, end: datetime) -> list[Json]:
        """Return every state that its recorder holds of the entities in that time, oldest first for each."""
        rows: list[list[Json]] = await self.rest.get(
            f"/api/history/period/{start.isoformat()}",
            filter_entity_id=",".join(entity_ids),
            end_time=end.isoformat(),
            significant_changes_only="0",
            skip_initial_state="1",
        )
        return [row for entity in rows for row in entity]

    async def entries(self, domain: str) -> list[Json]:
        """Return the config entries of an integration."""
        answer: list[Json] = await self.rest.get("/api/config/config_entries/entry", domain=domain)
        return answer

    async def remove_entry(self, entry_id: str) -> None:
        """Delete a config entry."""
        await self.rest.request("DELETE", f"/api/config/config_entries/entry/{entry_id}")

    async def add_integration(self, domain: str, answers: Mapping[str, Any]) -> None:
        """Go through an integration's real config flow, answering the fields that it asks with ``answers``.

        Raises:
            DemoError: The flow ended otherwise; the text has its last step.
        """
        step = await self.rest.post("/api/config/config_entries/flow", {"handler": domain})
        for _ in range(MOST_STEPS):
            match step:
                case {"type": "create_entry"}:
                    return
                case {"type": "menu"}:
                    reply = {"next_step_id": "manual"}
                case {"type": "form", "data_schema": fields} if not step.get("errors"):
                    reply = {field["name"]: answers[field["name"]] for field in fields if field["name"] in answers}
                case _:
                    break
            step = await self.rest.post(f"/api/config/config_entries/flow/{step['flow_id']}", reply)
        raise DemoError(f"The set-up of {domain} in Home Assistant ended with {step!r}.\n{self.process.tail()}")
