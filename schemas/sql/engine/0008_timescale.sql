-- TimescaleDB: chunks may span thirty days as well as one, each table's are its own affair.

-- The parts of a table, oldest first: rows as the extension estimates them, whether they are in the
-- column store or not (null where nobody has counted yet), bytes with indexes and all.
DROP FUNCTION muster_days(text);
CREATE FUNCTION muster_parts(series text)
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

-- Chunks of a table that are made from now on span thirty days: the extension knows no calendar.
-- Those that are there stay, and the next one is cut where it would overlap them.
CREATE FUNCTION muster_by_month(series text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_chunk_time_interval(format('%I', series)::regclass, INTERVAL '30 days');
END
$$;

-- Chunks are made by the extension as rows arrive.
CREATE FUNCTION muster_ensure_parts(series text, first date, last date) RETURNS void
LANGUAGE sql AS $$ SELECT $$;
