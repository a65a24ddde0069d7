"""`SFSync` before a production org: nothing is written to it before somebody has said so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from salesforce_sync.app.connecting import Connecting
from salesforce_sync.errors import ProductionUnconfirmed
from salesforce_sync.models.org_kind import OrgFacts, OrgKind

if TYPE_CHECKING:
    from salesforce_sync.access import Access


class ProductionGuard(Connecting):
    """Whether the connected org may be written to."""

    def unconfirmed(self) -> OrgFacts | None:
        """The org, if a business runs on it and nobody has said yet that it may be written to; None: it may be.

        The address of a sandbox, and of an org on this machine, says enough; any other org is asked, in one call.
        """
        if self.config.salesforce.production_writes or self._harmless:
            return None
        org = self._connected()
        if org.kind() in (None, OrgKind.PRODUCTION):
            if self._about is None:
                self._about = org.about()
            if self._about.kind is OrgKind.PRODUCTION:
                # Looked up each time: somebody may have said it in another process meanwhile.
                with self._access() as access:
                    return None if access.production.is_confirmed(_key(self._about)) else self._about
        self._harmless = True
        return None

    def confirm_production(self, who: str) -> None:
        """Let this production org be written to, from now on and from every replica in the folder."""
        from salesforce_sync.access import Deed

        facts = self.unconfirmed()
        if facts is not None:
            with self._access() as access, access.audit.doing(Deed(who, "allow production writes", str(facts))):
                access.production.confirm(_key(facts), who)

    def _check_may_write(self) -> None:
        facts = self.unconfirmed()
        if facts is not None:
            raise ProductionUnconfirmed(
                f"{facts} is a production org, and nobody has said yet that it may be written to. Edits wait.",
                hint="Say so once: 'salesforce-sync push' asks; in a script 'push --yes', or the setting "
                "salesforce.production_writes: true.",
            )

    def _access(self) -> Access:
        from salesforce_sync.access import Access

        return Access(self.config, self._clock)


def _key(facts: OrgFacts) -> str:
    return facts.org_id or facts.host
