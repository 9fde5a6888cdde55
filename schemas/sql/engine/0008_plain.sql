-- Plain PostgreSQL: partitions may be months as well as days, each table's are its own affair.

-- The tables of which a partition is a month; of all others it is a day.
ALTER TABLE time_series ADD COLUMN by_month boolean NOT NULL DEFAULT false;

-- The partitions of all time-series tables and what lies in them, as PostgreSQL itself has it:
-- names tell the first day only. Bounds are text in the catalogue, so who reads this sets the date
-- style, in which they are written and read here.
CREATE VIEW time_series_partitions AS
SELECT table_name,
       child.oid AS part,
       bounds[1]::timestamptz AS starts_at,
       bounds[2]::timestamptz AS ends_at
FROM time_series
JOIN pg_inherits ON inhparent = quote_ident(table_name)::regclass
JOIN pg_class AS child ON child.oid = inhrelid
CROSS JOIN LATERAL regexp_match(
    pg_get_expr(child.relpartbound, child.oid), $$FROM \('(.*)'\) TO \('(.*)'\)$$
) AS bounds;

-- The parts of a table, oldest first: rows as the planner would estimate them (null where nobody
-- has counted yet), bytes with indexes and all.
DROP FUNCTION muster_days(text);
CREATE FUNCTION muster_parts(series text)
RETURNS TABLE (
    part oid, starts_at timestamptz, ends_at timestamptz, row_estimate bigint, bytes bigint
)
LANGUAGE sql STABLE
SET datestyle = 'ISO'
SET timezone = 'UTC'
AS $$
    SELECT part, starts_at, ends_at,
           CASE
               WHEN reltuples < 0 THEN NULL
               WHEN relpages = 0 THEN reltuples
               ELSE reltuples / relpages
                   * (coalesce(pg_relation_size(part), 0)
                      / current_setting('block_size')::bigint)
           END::bigint,
           coalesce(pg_total_relation_size(part), 0)
    FROM time_series_partitions
    JOIN pg_class ON pg_class.oid = part
    WHERE table_name = series
    ORDER BY starts_at
$$;

-- Parts of a table that are made from now on are months. Those that are there stay.
CREATE FUNCTION muster_by_month(series text) RETURNS void
LANGUAGE sql AS $$ UPDATE time_series SET by_month = true WHERE table_name = series $$;

-- Makes sure that a table can take rows of the days from `first` to `last`, both included, UTC. A
-- part never overlaps another: of a month in which some days have parts of their own, a part is
-- what lies between them.
CREATE FUNCTION muster_ensure_parts(series text, first date, last date) RETURNS void
LANGUAGE plpgsql
SET datestyle = 'ISO'
SET timezone = 'UTC'
AS $$
DECLARE
    monthly CONSTANT boolean := (SELECT by_month FROM time_series WHERE table_name = series);
    day date := first;
    since timestamptz;
    until timestamptz;
    there timestamptz;
    name text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('muster.partitions'));
    WHILE day <= last LOOP
        since := day;
        until := day + 1;
        IF monthly THEN
            SELECT greatest(date_trunc('month', since), max(ends_at) FILTER (WHERE ends_at <= day)),
                   least(date_trunc('month', since) + interval '1 month',
                         min(starts_at) FILTER (WHERE starts_at > day)),
                   max(ends_at) FILTER (WHERE starts_at <= day AND ends_at > day)
            INTO since, until, there
            FROM time_series_partitions WHERE table_name = series;
        ELSIF to_regclass(quote_ident(series || to_char(day, '"_p"YYYYMMDD'))) IS NOT NULL THEN
            there := until;
        ELSE
            there := NULL;
        END IF;
        day := coalesce(there, until)::date;
        CONTINUE WHEN there IS NOT NULL;
        name := series || to_char(since, '"_p"YYYYMMDD');
        -- ATTACH locks the parent far less than CREATE ... PARTITION OF: writers go on.
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS)', name, series);
        EXECUTE format(
            'ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
            series, name, since, until
        );
    END LOOP;
END
$$;

-- The same for all time-series tables. Safe to run from any number of workers at once.
CREATE OR REPLACE FUNCTION muster_ensure_partitions(first date, last date) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('muster.partitions'));
    PERFORM muster_ensure_parts(table_name, first, last)
    FROM (SELECT table_name FROM time_series ORDER BY table_name) AS series;
END
$$;

-- Drops all parts of a table that end at or before `horizon`; answers how many were dropped.
CREATE OR REPLACE FUNCTION muster_drop_before(series text, horizon timestamptz) RETURNS bigint
LANGUAGE plpgsql
SET datestyle = 'ISO'
SET timezone = 'UTC'
AS $$
DECLARE
    expired regclass;
    dropped bigint := 0;
BEGIN
    FOR expired IN
        SELECT part FROM time_series_partitions
        WHERE table_name = series AND ends_at <= horizon
    LOOP
        EXECUTE format('DROP TABLE %s', expired);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END
$$;
