"""Who asks, and what he may do."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from homeiq_server.errors import Forbidden


class Scope(StrEnum):
    """What a token allows; ``write`` includes neither ``read`` nor anything else."""

    DEVICES_READ = "devices:read"
    DEVICES_WRITE = "devices:write"
    SUBSCRIPTIONS_READ = "subscriptions:read"
    SUBSCRIPTIONS_WRITE = "subscriptions:write"
    ALERTS_READ = "alerts:read"
    ALERTS_WRITE = "alerts:write"
    ROUTES_READ = "routes:read"
    ROUTES_WRITE = "routes:write"
    QUARANTINE_READ = "quarantine:read"
    QUARANTINE_WRITE = "quarantine:write"
    USAGE_READ = "usage:read"
    TOKENS_READ = "tokens:read"
    TOKENS_WRITE = "tokens:write"
    OPERATOR = "operator"


EVERY_SCOPE: Final = frozenset(Scope)
GRANTABLE: Final = EVERY_SCOPE - {Scope.OPERATOR}
"""What a token of a tenant can allow; the operator has the app's own token, and no other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks.

    Attributes:
        tenant_id: From his token, never from the address or the body.
        name: For audits: ``app`` for the app's own token and the page, else ``token:<how it begins>``.
        scopes: What he may do.
    """

    tenant_id: str
    name: str
    scopes: frozenset[Scope]

    def must(self, scope: Scope) -> None:
        """Return when he may.

        Raises:
            Forbidden: He may not.
        """
        if scope not in self.scopes:
            raise Forbidden(f"this token has no scope {scope.value}: use one that has it")


HOME: Final = Caller(tenant_id="home", name="app", scopes=EVERY_SCOPE)
