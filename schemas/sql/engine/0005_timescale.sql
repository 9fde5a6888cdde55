-- TimescaleDB: the days of time-series tables are their chunks.

-- The days of a table, oldest first: rows as the extension estimates them, whether they are in the
-- column store or not (null where nobody has counted yet), bytes with indexes and all.
CREATE FUNCTION muster_days(series text)
RETURNS TABLE (
    part oid, starts_at timestamptz, ends_at timestamptz, row_estimate bigint, bytes bigint
)
LANGUAGE sql STABLE AS $$
    SELECT chunk.relation::oid,
           chunk.range_start,
           chunk.range_end,
           nullif(approximate_row_count(chunk.relation), 0),
           coalesce(size.total_bytes, 0)
    FROM (
        SELECT chunks.chunk_schema, chunks.chunk_name, chunks.range_start, chunks.range_end,
               format('%I.%I', chunks.chunk_schema, chunks.chunk_name)::regclass AS relation
        FROM timescaledb_information.chunks AS chunks
        JOIN pg_class AS parent ON parent.relname = chunks.hypertable_name
        JOIN pg_namespace AS namespace
            ON namespace.oid = parent.relnamespace AND namespace.nspname = chunks.hypertable_schema
        WHERE parent.oid = quote_ident(series)::regclass
    ) AS chunk
    LEFT JOIN chunks_detailed_size(quote_ident(series)::regclass) AS size
        ON size.chunk_schema = chunk.chunk_schema AND size.chunk_name = chunk.chunk_name
    ORDER BY chunk.range_start
$$;

-- Deletes the rows of some hosts from `since` until before `before`; answers how many. In the
-- column store a host's rows of a day are segments of their own, and how many of them one
-- statement may open has a limit, which is meant for accidents.
CREATE FUNCTION muster_delete_rows(
    series text, hosts text[], since timestamptz, before timestamptz
) RETURNS bigint
LANGUAGE plpgsql
SET timescaledb.max_tuples_decompressed_per_dml_transaction = 0
AS $$
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
