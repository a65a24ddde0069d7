"""Users, connections and the audit log, for a person and for a program."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from salesforce_sync.process.terminal import say, say_table, stamp

if TYPE_CHECKING:
    from salesforce_sync.access import Entry, KnownConnection, User, Verdict


def user_document(user: User) -> dict[str, object]:
    """A user, for a program."""
    return {"user": user.name, "role": user.role.value, "made_at": stamp(user.made_at)}


def say_users(users: Iterable[User]) -> None:
    """List the users."""
    rows = [(each.name, each.role.value, stamp(each.made_at)) for each in users]
    if not rows:
        say("There are no users. 'user add NAME --role admin' makes the first.")
        return
    say_table(("user", "role", "since"), rows)


def connection_document(each: KnownConnection) -> dict[str, object]:
    """A connection, for a program."""
    return {
        "connection": each.name,
        "id": each.id,
        "owner": each.owner,
        "instance_url": each.instance_url,
        "database": str(each.database),
        "made_at": stamp(each.made_at),
    }


def say_connections(connections: Iterable[KnownConnection]) -> None:
    """List the connections."""
    rows = [(e.name, e.instance_url or "-", e.owner or "-", e.id, str(e.database)) for e in connections]
    say_table(("connection", "org", "owner", "id", "database"), rows)


def entry_document(entry: Entry) -> dict[str, object]:
    """A line of the audit log, for a program."""
    deed = entry.deed
    return {
        "number": entry.number,
        "at": stamp(entry.at),
        "who": deed.who,
        "action": deed.action,
        "subject": deed.subject,
        "origin": deed.origin,
        "outcome": entry.outcome,
        "detail": deed.detail,
        "begun": entry.begun,
        "hash": entry.hash,
    }


def say_entries(entries: Sequence[Entry]) -> None:
    """List the audit log, one line a deed: its end, with what was told at its beginning."""
    ended = {each.begun for each in entries if each.begun is not None}
    said = {each.number: each.deed.detail for each in entries if each.number in ended}

    def detail(of: Entry) -> str:
        told = said.get(of.begun or 0, ""), of.deed.detail
        return "; ".join(dict.fromkeys(each for each in told if each))

    rows = [
        (e.number, stamp(e.at), e.deed.who, e.deed.origin, e.deed.action, e.deed.subject, e.outcome, detail(e))
        for e in entries
        if e.number not in ended
    ]
    say_table(("number", "at", "who", "from", "action", "on", "outcome", "detail"), rows)


def verdict_document(verdict: Verdict) -> dict[str, object]:
    """What `audit verify` found, for a program."""
    return {
        "sound": verdict.sound,
        "broken": verdict.broken,
        "why": verdict.why or None,
        "head": head(verdict),
    }


def say_verdict(verdict: Verdict) -> None:
    """Tell what `audit verify` found."""
    if verdict.broken is not None:
        say(f"The audit log is broken at entry {verdict.broken}: {verdict.why}.")
        say(f"The {verdict.sound} entries before it are sound.")
        return
    say(f"All {verdict.sound} entries are sound.")
    say(f"The end of the chain: {head(verdict)}")
    say("Note it elsewhere; 'audit verify --noted' compares with it later.")


def head(verdict: Verdict) -> str:
    """The last sound entry, as `--noted` takes it again."""
    return f"{verdict.last}:{verdict.head}"
