import type { DatabaseSchema } from "../../platform/database.ts";

const tables = `
  CREATE TABLE messages (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    subscription TEXT NOT NULL,
    lane TEXT NOT NULL,
    id TEXT NOT NULL,
    type TEXT NOT NULL,
    rank INTEGER NOT NULL,
    guest TEXT NOT NULL,
    migration TEXT,
    body TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    state TEXT NOT NULL,
    created_ms REAL NOT NULL,
    since_ms REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_ms REAL NOT NULL DEFAULT 0,
    attempted_ms REAL,
    ended_ms REAL,
    status INTEGER,
    error TEXT,
    UNIQUE (subscription, id)
  ) STRICT;
  CREATE INDEX messages_pending ON messages (subscription, lane, number) WHERE state = 'pending';
  CREATE INDEX messages_droppable ON messages (subscription, rank, number) WHERE state = 'pending';
  CREATE INDEX messages_by_subscription ON messages (subscription, number);
  CREATE TABLE told_outcomes (
    migration TEXT NOT NULL,
    outcome TEXT NOT NULL,
    PRIMARY KEY (migration, outcome)
  ) STRICT;
  CREATE TABLE subscriptions_since (subscription TEXT PRIMARY KEY, since_ms REAL NOT NULL) STRICT;
  CREATE TABLE present_guests (guest TEXT PRIMARY KEY, facts TEXT NOT NULL) STRICT;`;

/** The spool's tables. */
export const spoolSchema: DatabaseSchema = { version: 1, tables };
