-- Plain PostgreSQL: the days of time-series tables are their partitions.

-- The days of a table, oldest first: rows as the planner would estimate them (null where nobody
-- has counted yet), bytes with indexes and all.
CREATE FUNCTION muster_days(series text)
RETURNS TABLE (
    part oid, starts_at timestamptz, ends_at timestamptz, row_estimate bigint, bytes bigint
)
LANGUAGE sql STABLE AS $$
    SELECT child.oid,
           day::timestamp AT TIME ZONE 'UTC',
           (day + 1)::timestamp AT TIME ZONE 'UTC',
           CASE
               WHEN child.reltuples < 0 THEN NULL
               WHEN child.relpages = 0 THEN child.reltuples
               ELSE child.reltuples / child.relpages * pages
           END::bigint,
           coalesce(pg_total_relation_size(child.oid), 0)
    FROM pg_inherits
    JOIN pg_class AS child ON child.oid = pg_inherits.inhrelid
    CROSS JOIN LATERAL (
        SELECT to_date(right(child.relname, 8), 'YYYYMMDD') AS day,
               coalesce(pg_relation_size(child.oid), 0)
                   / current_setting('block_size')::bigint AS pages
    ) AS measured
    WHERE pg_inherits.inhparent = quote_ident(series)::regclass
    ORDER BY day
$$;

-- Deletes the rows of some hosts from `since` until before `before`; answers how many.
CREATE FUNCTION muster_delete_rows(
    series text, hosts text[], since timestamptz, before timestamptz
) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    deleted bigint;
BEGIN
    EXECUTE format(
        'DELETE FROM %I WHERE host_id = ANY ($1) AND ts >= $2 AND ts < $3', series
    ) USING hosts, since, before;
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN deleted;
END
$$;
