-- How long what is stored is kept.
--
-- Only what somebody has set; the defaults and what a rule means are in the vocabulary
-- (schemas: retention). The functions muster_days and muster_delete_rows are the engine's
-- (sql/engine/0005_*).

-- Written by gateways, read by the ingest workers, which enforce it.
CREATE TABLE retention_rules (
    -- A group of tables (raw, rollup_1m, ...) or a table.
    scope     text NOT NULL,
    -- `key=value`: only rows of hosts with this label; empty: all.
    label     text NOT NULL DEFAULT '',
    keep_days bigint NOT NULL CHECK (keep_days > 0),
    PRIMARY KEY (scope, label)
);

-- When it was last set, and by whom; no row before the first time.
CREATE TABLE retention_change (
    only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version    bigint NOT NULL,
    updated_at timestamptz NOT NULL,
    updated_by text NOT NULL
);

-- What is dropped by its age is found by it.
CREATE INDEX ON events (at);
CREATE INDEX ON host_inventory_history (at);
