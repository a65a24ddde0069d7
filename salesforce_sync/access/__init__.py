"""Who may do what, and who did what: users, browser sessions, several connections, limits, the audit log.

    access = Access(config, clock)                # <folder of storage.path>/access.db, made 0600 where it is missing
    user, token = access.users.add("ada", Role.EDITOR)    # the token is shown once; only its hash is kept
    access.users.by_token(token)                  # → User | None; user.role.allows(Role.EDITOR)
    access.logins.link(user)                      # → a secret for a link that logs in once
    access.logins.follow(secret)                  # → User | None: uses the link up
    access.logins.open(user)                      # → Opened: cookie (told once), session
    access.logins.session(cookie)                 # → BrowserSession | None: user, takes(csrf), ends_at
    access.logins.close(cookie)
    access.connections.list(user)                 # → what this user may see; None instead of a user: this machine
    access.connections.get(id_or_name, user)      # → KnownConnection; ConnectionNotFound: not there, or not yours
    access.connections.config_of(id_or_name, user)    # → a Config: SFSync(config) opens its replica
    access.connections.add(name, instance_url, owner) # → KnownConnection; its replica has a folder of its own
    access.audit.append(Deed(who, action, subject, origin), outcome)    # one entry
    with access.audit.doing(Deed(…)) as ending: …     # one entry before, one with the outcome after
    access.audit.entries(most=100)                # → newest first
    access.audit.verify()                         # → Verdict: how many are sound, the first broken one, and why
    Throttle(Limit(60, per_second=20)).take(key, now) # → seconds to wait, 0.0: go on (in memory; `look` takes nothing)

A login by the page: `salesforce_sync.connecting`. A production org: `SFSync.unconfirmed`, `SFSync.confirm_production`.

Everything here may be used from several threads and several processes at once. A call takes well under a millisecond,
but for those that write (a commit on the disk).
"""

from salesforce_sync.access.audit import INTERRUPTED, Audit, Deed, Ending, Entry, Verdict
from salesforce_sync.access.connections import Connections, KnownConnection
from salesforce_sync.access.house import Access
from salesforce_sync.access.logins import BrowserSession, Logins, Opened
from salesforce_sync.access.throttle import Limit, Throttle, address_key
from salesforce_sync.access.users import Role, User, Users

__all__ = [
    "INTERRUPTED",
    "Access",
    "Audit",
    "BrowserSession",
    "Connections",
    "Deed",
    "Ending",
    "Entry",
    "KnownConnection",
    "Limit",
    "Logins",
    "Opened",
    "Role",
    "Throttle",
    "User",
    "Users",
    "Verdict",
    "address_key",
]
