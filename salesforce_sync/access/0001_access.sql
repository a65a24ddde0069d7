-- Who may come in. A token is kept as its SHA-256; a user who is revoked stays, so that his number is nobody else's.
CREATE TABLE user (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL COLLATE NOCASE,
    role TEXT NOT NULL,
    token_hash TEXT NOT NULL UNIQUE,
    made_at TEXT NOT NULL,
    revoked_at TEXT
);
CREATE UNIQUE INDEX user_by_name ON user (name) WHERE revoked_at IS NULL;

-- Browsers that have logged in, by the SHA-256 of their cookie.
CREATE TABLE session (
    cookie_hash TEXT NOT NULL PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES user (id),
    made_at TEXT NOT NULL,
    used_at TEXT NOT NULL
) WITHOUT ROWID;

-- Links that log in once, by the SHA-256 of their secret.
CREATE TABLE link (
    secret_hash TEXT NOT NULL PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES user (id),
    ends_at TEXT NOT NULL
) WITHOUT ROWID;

-- Orgs beside the one of config.yaml. A name is its owner's own; owner null: this machine's.
CREATE TABLE connection (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    owner_id INTEGER REFERENCES user (id),
    instance_url TEXT NOT NULL,
    made_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX connection_by_name ON connection (ifnull(owner_id, 0), name);

-- Whom an owner has let in.
CREATE TABLE share (
    connection_id TEXT NOT NULL REFERENCES connection (id),
    user_id INTEGER NOT NULL REFERENCES user (id),
    PRIMARY KEY (connection_id, user_id)
) WITHOUT ROWID;

-- Production orgs that may be written to, and who said so.
CREATE TABLE production (
    org TEXT NOT NULL PRIMARY KEY,
    who TEXT NOT NULL,
    at TEXT NOT NULL
) WITHOUT ROWID;

-- What was done. Each entry's hash covers it and the hash before; `begun` is the number of the entry that it ends.
CREATE TABLE audit (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    who TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    origin TEXT NOT NULL,
    outcome TEXT NOT NULL,
    detail TEXT NOT NULL,
    begun INTEGER,
    hash TEXT NOT NULL
);
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit log is only appended to');
END;
CREATE TRIGGER audit_is_not_shortened BEFORE DELETE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit log is only appended to');
END;
