-- Plain PostgreSQL: time-series tables are partitioned by day, natively.
--
-- The TimescaleDB counterpart beside this file defines the same functions; nothing else in the
-- schema or in a query knows which engine it runs on.

CREATE TABLE time_series (
    table_name text PRIMARY KEY
);

-- Creates a table of which `host_id text` and `ts timestamptz` are two columns.
CREATE FUNCTION muster_create_time_series(name text, columns text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE %I (%s) PARTITION BY RANGE (ts)', name, columns);
    EXECUTE format('CREATE INDEX ON %I (host_id, ts DESC)', name);
    INSERT INTO time_series (table_name) VALUES (name);
END
$$;

-- Makes sure that every time-series table can take rows of the days from `first` to `last`, both
-- included, UTC. Safe to run from any number of workers at once.
CREATE FUNCTION muster_ensure_partitions(first date, last date) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    series text;
    day date;
    part text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('muster.partitions'));
    FOR series IN SELECT table_name FROM time_series ORDER BY table_name LOOP
        FOR day IN SELECT generate_series(first, last, interval '1 day')::date LOOP
            part := series || to_char(day, '"_p"YYYYMMDD');
            CONTINUE WHEN to_regclass(quote_ident(part)) IS NOT NULL;
            -- ATTACH locks the parent far less than CREATE ... PARTITION OF: writers go on.
            EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS)', part, series);
            EXECUTE format(
                'ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                series, part,
                day::timestamp AT TIME ZONE 'UTC',
                (day + 1)::timestamp AT TIME ZONE 'UTC'
            );
        END LOOP;
    END LOOP;
END
$$;

-- Drops all whole days of a table that end at or before `horizon`; answers how many were dropped.
CREATE FUNCTION muster_drop_before(series text, horizon timestamptz) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    part text;
    dropped bigint := 0;
BEGIN
    FOR part IN
        SELECT child.relname
        FROM pg_inherits
        JOIN pg_class child ON child.oid = pg_inherits.inhrelid
        WHERE pg_inherits.inhparent = quote_ident(series)::regclass
          AND (to_date(right(child.relname, 8), 'YYYYMMDD') + 1)::timestamp AT TIME ZONE 'UTC'
              <= horizon
    LOOP
        EXECUTE format('DROP TABLE %I', part);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END
$$;
