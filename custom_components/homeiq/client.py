"""Speaks HTTP to the app. Knows nothing of Home Assistant but the session that it is given."""

import json
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

from aiohttp import ClientError, ClientSession, ClientTimeout
from yarl import URL

from .const import API_VERSION, MIN_API_VERSION
from .coverage import Coverage
from .errors import (
    AppTooOld,
    Busy,
    CannotConnect,
    IntegrationTooOld,
    InvalidAuth,
    NotFound,
    NotHomeIQ,
    OutOfTurn,
    Refused,
    StaleRevision,
    TimedOut,
    TooLarge,
)
from .status import Status

_ASK_TIMEOUT: Final = ClientTimeout(total=10, connect=5)
# A full batch is 4 MiB, and its answer waits for the app's disk.
_SEND_TIMEOUT: Final = ClientTimeout(total=30, connect=5)
_LONGEST_ADVICE_S: Final = 300.0
# What reading an answer of another shape raises; OverflowError: JSON's Infinity where a whole number belongs.
MISSHAPEN: Final = (KeyError, TypeError, ValueError, OverflowError)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppInfo:
    """Who answers.

    Attributes:
        server_id: The app's own id, kept with its data; it stays when host, port or token change.
        version: The app's release.
    """

    server_id: str
    version: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """The app's answer to a batch that it has stored.

    Attributes:
        duplicates: How many of its events the app had before.
        rejected: Pairs of entity_id and reason, for events that the app could not understand and has not stored.
    """

    duplicates: int = 0
    rejected: tuple[tuple[str, str], ...] = ()


class AppClient:
    """The app's API. Every method raises an ``AppError``, and nothing else."""

    def __init__(self, session: ClientSession, url: str, token: str) -> None:
        """Borrow ``session``; its owner closes it."""
        self._session = session
        self._url = URL(url)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    async def info(self) -> AppInfo:
        """Return who answers; needs no token.

        Raises:
            VersionMismatch: The app answers, but the two sides have no version of the link in common.
        """
        status, answer = await self.ask("GET", "api/v1/info", with_token=False)
        try:
            info = AppInfo(server_id=str(answer["server_id"]), version=str(answer["version"]))
            newest, oldest = int(answer["api_version"]), int(answer["min_api_version"])
        except MISSHAPEN as err:
            raise NotHomeIQ(f"the answer (HTTP {status}) does not say which HomeIQ app it comes from") from err
        if newest < MIN_API_VERSION:
            raise AppTooOld(f"the app {info.version} is too old for this integration", app_version=info.version)
        if oldest > API_VERSION:
            raise IntegrationTooOld(f"the app {info.version} is too new for this integration", app_version=info.version)
        return info

    async def status(self) -> Status:
        """Return what the app says of itself."""
        status, answer = await self.ask("GET", "api/v1/status")
        try:
            return Status.from_json(answer)
        except MISSHAPEN as err:
            raise NotHomeIQ(f"the answer (HTTP {status}) is not the status of a HomeIQ app: {err!r}") from err

    async def send(self, body: bytes) -> Receipt:
        """Hand over one batch of changes; return once the app has it on disk."""
        return await self._hand_over("api/v1/events", body)

    async def backfill(self, body: bytes) -> Receipt:
        """Hand over one batch of changes out of the recorder; its body is that of ``send``."""
        return await self._hand_over("api/v1/backfill", body)

    async def statistics(self, body: bytes) -> Receipt:
        """Hand over one batch of long-term statistics."""
        return await self._hand_over("api/v1/statistics", body)

    async def coverage(self, source: str, start_us: int, end_us: int) -> Coverage:
        """Return what the app does not know to have of a Home Assistant's changes between two instants."""
        asked = {"source": source, "start_us": str(start_us), "end_us": str(end_us)}
        status, answer = await self.ask("GET", "api/v1/gaps", query=asked)
        try:
            return Coverage.from_json(answer)
        except MISSHAPEN as err:
            raise NotHomeIQ(f"the answer (HTTP {status}) does not say what is missing") from err

    async def complete(self, source: str, start_us: int, end_us: int, missed: int | None) -> None:
        """Tell that all there is between two instants was handed over, but for ``missed`` changes; None for unknown."""
        told = {"source": source, "start_us": start_us, "end_us": end_us, "missed": missed}
        await self.ask("POST", "api/v1/gaps/complete", body=json.dumps(told).encode())

    async def _hand_over(self, path: str, body: bytes) -> Receipt:
        status, answer = await self.ask("POST", path, body=body)
        try:
            rejected = tuple((str(one["entity_id"] or "?"), str(one["reason"])) for one in answer["rejected"])
            return Receipt(int(answer["duplicates"]), rejected)
        except MISSHAPEN as err:
            raise NotHomeIQ(f"the answer (HTTP {status}) is not a receipt of a HomeIQ app") from err

    async def ask(  # noqa: PLR0913 - one for each part of a request
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: bytes | None = None,
        with_token: bool = True,
        wait_s: float = 0.0,
    ) -> tuple[int, Any]:
        """Return the status and the parsed body of a 2xx answer; what it should look like is for the caller to know.

        ``wait_s`` is how long the app was asked to wait for something to tell.
        """
        limit = _ASK_TIMEOUT if body is None else _SEND_TIMEOUT
        if wait_s:
            limit = ClientTimeout(total=(limit.total or 0) + wait_s, connect=limit.connect)
        try:
            async with self._session.request(
                method,
                self._url / path,
                params=query,
                data=None if body is None else BytesIO(body),  # sent in chunks: bytes would hold up the event loop
                headers=self._headers if with_token else None,
                timeout=limit,
                allow_redirects=False,  # The token goes to the address that the user entered, and to no other.
            ) as response:
                text = await response.read()
        except TimeoutError as err:
            raise TimedOut(f"no answer from {self._url.host} in time") from err
        except (ClientError, OSError, ValueError, RuntimeError) as err:  # RuntimeError: the session is closed.
            raise CannotConnect(f"cannot reach {self._url.host}: {type(err).__name__}") from err
        answer = _parse(text)
        _raise_for_status(response.status, answer, response.headers.get("Retry-After"))
        return response.status, answer


def _parse(text: bytes) -> Any:  # noqa: ANN401 - any JSON value; callers check the shape
    try:
        return json.loads(text)
    except ValueError, RecursionError:
        return None


def _raise_for_status(status: int, answer: Any, retry_after: str | None) -> None:  # noqa: ANN401 - any JSON value
    """Raise what a status other than 2xx means for the caller."""
    problem = answer if isinstance(answer, dict) else {}
    detail = f"HTTP {status}: {problem.get('detail') or problem.get('title') or 'no reason given'}"
    match status:
        case _ if 200 <= status < 300:  # noqa: PLR2004 - the range of success, RFC 9110 15.3
            return
        case 401 | 403:
            raise InvalidAuth(detail)
        case 404 if problem.get("status") == status:  # RFC 9457; a server that is not HomeIQ answers otherwise.
            raise NotFound(detail)
        case 409 if "revision" in problem:
            revision = problem["revision"]
            raise StaleRevision(revision if isinstance(revision, int) else None)
        case 409:
            expected = problem.get("expected")
            raise OutOfTurn(expected if isinstance(expected, int) else 1)
        case 413:
            raise TooLarge(detail)
        case 400 | 411 | 415 | 422:
            raise Refused(detail)
        case 502 | 504:  # A proxy answers in the app's place.
            raise CannotConnect(detail)
        case _ if status in (408, 429) or status >= 500:  # noqa: PLR2004 - the range of server errors, RFC 9110 15.6
            raise Busy(detail, after=_seconds(retry_after))
        case _:
            raise NotHomeIQ(detail)


def _seconds(retry_after: str | None) -> float | None:
    """Return the advice in seconds, within reason; its form as a date is not used by the app."""
    if retry_after is None or not retry_after.isdecimal():
        return None
    return min(float(retry_after), _LONGEST_ADVICE_S)
