-- The spool's tables, version 1. Times (_us) are microseconds since the epoch, UTC. The laws that the
-- counters keep are in totals.py; queued and dead lines are not counted here but summed over the rows.

BEGIN IMMEDIATE;

CREATE TABLE meta (
    key    TEXT PRIMARY KEY,
    value  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One row is one batch of lines that waits. AUTOINCREMENT: an id is never used twice, because the writer
-- remembers ids of rows that it has sent. since_us and newest_us say what a source loses if the row is lost:
-- its events after the first and up to the second. The body stands last, so that sums need not read it.
CREATE TABLE queue (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    accepted_us  INTEGER NOT NULL,
    channel      TEXT    NOT NULL,
    source       TEXT,
    precision    TEXT    NOT NULL CHECK (precision IN ('ns', 'us', 'ms', 's')),
    form         TEXT    NOT NULL,
    count        INTEGER NOT NULL CHECK (count > 0),
    raw_bytes    INTEGER NOT NULL CHECK (raw_bytes > 0),
    since_us     INTEGER,
    newest_us    INTEGER,
    body         BLOB    NOT NULL CHECK (length(body) > 0)
) STRICT;

-- Lines that the database will never take; channel to form are the queue row's, so that a replay can queue them again.
CREATE TABLE dead (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    died_us      INTEGER NOT NULL,
    accepted_us  INTEGER NOT NULL,
    channel      TEXT    NOT NULL,
    source       TEXT,
    precision    TEXT    NOT NULL CHECK (precision IN ('ns', 'us', 'ms', 's')),
    form         TEXT    NOT NULL,
    count        INTEGER NOT NULL CHECK (count > 0),
    code         INTEGER,
    reason       TEXT    NOT NULL,
    target       TEXT    NOT NULL,
    line         BLOB    NOT NULL CHECK (length(line) > 0)
) STRICT;

-- How far each stream has come: seq is the last batch stored.
CREATE TABLE streams (
    source       TEXT    NOT NULL,
    stream       TEXT    NOT NULL,
    seq          INTEGER NOT NULL CHECK (seq > 0),
    opened_us    INTEGER NOT NULL,
    used_us      INTEGER NOT NULL,
    PRIMARY KEY (source, stream)
) STRICT, WITHOUT ROWID;

-- Between covered_us and whole_us the source's live events have come, its gaps apart.
CREATE TABLE sources (
    source       TEXT    PRIMARY KEY,
    covered_us   INTEGER,
    whole_us     INTEGER,
    first_us     INTEGER NOT NULL,
    seen_us      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE labels (
    source       TEXT    NOT NULL,
    entity_id    TEXT    NOT NULL,
    updated_us   INTEGER NOT NULL,
    json         BLOB    NOT NULL,
    PRIMARY KEY (source, entity_id)
) STRICT, WITHOUT ROWID;

-- missed: of a closed gap, the events that the backfill could not supply. growing: rows are being dropped, and
-- the next one may make the gap longer.
CREATE TABLE gaps (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    source       TEXT    NOT NULL,
    start_us     INTEGER NOT NULL,
    end_us       INTEGER NOT NULL,
    events       INTEGER CHECK (events >= 0),
    reason       TEXT    NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('open', 'closed')),
    opened_us    INTEGER NOT NULL,
    closed_us    INTEGER,
    missed       INTEGER CHECK (missed >= 0),
    growing      INTEGER NOT NULL DEFAULT 0 CHECK (growing IN (0, 1)),
    CHECK (start_us < end_us),
    CHECK ((state = 'closed') = (closed_us IS NOT NULL))
) STRICT;

CREATE INDEX gaps_open ON gaps (source, start_us) WHERE state = 'open';
CREATE INDEX gaps_closed ON gaps (source, closed_us) WHERE state = 'closed';
CREATE INDEX gaps_growing ON gaps (source) WHERE growing = 1;

-- scope is a channel of the intake, 'lines' or 'gaps'; reason is '' where the name says all.
CREATE TABLE counters (
    scope        TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    reason       TEXT    NOT NULL,
    n            INTEGER NOT NULL CHECK (n >= 0),
    PRIMARY KEY (scope, name, reason)
) STRICT, WITHOUT ROWID;

PRAGMA application_id = 1212764499;
PRAGMA user_version = 1;

COMMIT;
