-- TimescaleDB 2.29 or later: time-series tables are hypertables of one-day chunks, moved to the
-- column store two days later, when late data has become rare.
--
-- The plain counterpart beside this file defines the same functions; nothing else in the schema
-- or in a query knows which engine it runs on.

CREATE TABLE time_series (
    table_name text PRIMARY KEY
);

-- Creates a table of which `host_id text` and `ts timestamptz` are two columns.
CREATE FUNCTION muster_create_time_series(name text, columns text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE %I (%s)', name, columns);
    PERFORM create_hypertable(
        format('%I', name)::regclass,
        by_range('ts', INTERVAL '1 day'),
        create_default_indexes => false
    );
    EXECUTE format('CREATE INDEX ON %I (host_id, ts DESC)', name);
    EXECUTE format(
        'ALTER TABLE %I SET (timescaledb.enable_columnstore, '
        'timescaledb.segmentby = ''host_id'', timescaledb.orderby = ''ts DESC'')',
        name
    );
    EXECUTE format('CALL add_columnstore_policy(%L, after => INTERVAL ''2 days'')', name);
    INSERT INTO time_series (table_name) VALUES (name);
END
$$;

-- Chunks are made by the extension as rows arrive.
CREATE FUNCTION muster_ensure_partitions(first date, last date) RETURNS void
LANGUAGE sql AS $$ SELECT $$;

-- Drops all whole chunks of a table that end at or before `horizon`; answers how many.
CREATE FUNCTION muster_drop_before(series text, horizon timestamptz) RETURNS bigint
LANGUAGE sql AS $$
    SELECT count(*) FROM drop_chunks(format('%I', series)::regclass, older_than => horizon)
$$;
