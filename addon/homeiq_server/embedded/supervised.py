"""What every server that the app brings along tells of its process."""

from .child import Child, State


class Supervised:
    """A server with a process under supervision."""

    def __init__(self, child: Child) -> None:
        self._child = child

    @property
    def generation(self) -> int:
        """Return how many times it was started: what was in its memory is lost when this changes."""
        return self._child.generation

    @property
    def state(self) -> State:
        """Return where it stands."""
        return self._child.state

    @property
    def error(self) -> str | None:
        """Return why it does not run, or None while it does."""
        return self._child.error

    @property
    def pid(self) -> int | None:
        """Return its process, or None."""
        return self._child.pid

    async def ready(self) -> None:
        """Return once it can be used; waits as long as that takes."""
        await self._child.ready()

    async def run(self) -> None:
        """Keep it running until cancelled; leave only when its process is gone, with everything on disk.

        Run it in an outer ``TaskGroup`` of those who use it, so that they stop first.
        """
        await self._child.run()
