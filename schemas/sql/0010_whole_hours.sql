-- Rollups replace an hour only with more than they have (docs/adr/0010), delete as the engine does
-- it best, and add up no two numbers that together are none.

-- The statement that answers which of the hosts $1 have a bucket, from $2 to before $3, of more
-- samples than there are now. Late data only adds samples: where some are gone, retention took them.
-- Buckets count for and samples against in one aggregate: however badly the planner guesses how
-- many there are, it has nothing to join.
CREATE FUNCTION muster_torn_statement(of_rollup text, suffix text, width interval) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT format(
        'SELECT array_agg(DISTINCT host_id) FROM ('
        'SELECT host_id FROM ('
        'SELECT ts, host_id%1$s, n FROM %2$I '
        'WHERE host_id = ANY ($1) AND ts >= $2 AND ts < $3 '
        'UNION ALL '
        'SELECT date_bin(%3$L, ts, TIMESTAMPTZ ''2000-01-03 00:00:00+00''), host_id%1$s, -1 '
        'FROM %4$s WHERE host_id = ANY ($1) AND ts >= $2 AND ts < $3'
        ') AS counted GROUP BY ts, host_id%1$s HAVING sum(n) > 0) AS torn',
        of_keys, name || suffix, width, source
    )
    FROM rollups
    CROSS JOIN LATERAL (
        SELECT coalesce(string_agg(format(', %I', key), ''), '') AS of_keys FROM unnest(keys) AS key
    ) AS k
    WHERE name = of_rollup
$$;

-- Those of the hosts that have buckets of an hour of which some samples are gone.
CREATE FUNCTION muster_torn_hosts(of_rollup text, hosts text[], of_hour timestamptz) RETURNS text[]
LANGUAGE plpgsql AS $$
DECLARE
    until CONSTANT timestamptz := of_hour + interval '1 hour';
    level record;
    made text[];
    found text[];
    torn text[] := '{}';
BEGIN
    FOR level IN
        SELECT l.* FROM rollups, muster_rollup_levels(minutes) AS l WHERE name = of_rollup
    LOOP
        -- Most hours are made once, and then there is nothing to count.
        EXECUTE format(
            'SELECT array_agg(host) FROM unnest($1) AS host WHERE EXISTS '
            '(SELECT FROM %I WHERE host_id = host AND ts >= $2 AND ts < $3)',
            of_rollup || level.suffix
        ) INTO made USING hosts, of_hour, until;
        CONTINUE WHEN made IS NULL;
        EXECUTE muster_torn_statement(of_rollup, level.suffix, level.width)
        INTO found USING made, of_hour, until;
        torn := torn || coalesce(found, '{}');
    END LOOP;
    RETURN torn;
END
$$;

-- Removes the buckets of an hour.
CREATE FUNCTION muster_delete_buckets(of_table text, hosts text[], of_hour timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    until CONSTANT timestamptz := of_hour + interval '1 hour';
    host text;
BEGIN
    IF of_hour >= now() - interval '1 day' THEN
        PERFORM muster_delete_rows(of_table, hosts, of_hour, until);
        RETURN;
    END IF;
    -- Older days may be in a column store, which finds what to delete host by host.
    FOREACH host IN ARRAY hosts LOOP
        PERFORM muster_delete_rows(of_table, ARRAY[host], of_hour, until);
    END LOOP;
END
$$;

-- Makes the buckets of an hour anew from the samples, for these hosts; answers how many rows were
-- written. Where there are no samples, or fewer than the buckets were made of, buckets stay:
-- retention has taken what they were made of. So they do wherever there are any with `replacing`
-- false. The caller sees to it that nobody else does the same for these hosts. Reading the samples
-- first keeps their day from being dropped until the transaction ends.
CREATE OR REPLACE FUNCTION muster_roll_up(hosts text[], of_hour timestamptz, replacing boolean)
RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    until CONSTANT timestamptz := of_hour + interval '1 hour';
    rollup record;
    level record;
    sampled text[];
    lasting text[];
    replaced text[];
    chosen text[];
    made bigint;
    written bigint := 0;
BEGIN
    FOR rollup IN SELECT name, raw, minutes FROM rollups ORDER BY name LOOP
        EXECUTE format(
            'SELECT array_agg(host) FROM unnest($1) AS host WHERE EXISTS '
            '(SELECT FROM %I WHERE host_id = host AND ts >= $2 AND ts < $3)',
            rollup.raw
        ) INTO sampled USING hosts, of_hour, until;
        CONTINUE WHEN sampled IS NULL;
        lasting := sampled;
        IF replacing THEN
            lasting := muster_torn_hosts(rollup.name, sampled, of_hour);
        END IF;
        FOR level IN SELECT * FROM muster_rollup_levels(rollup.minutes) LOOP
            EXECUTE format(
                'SELECT array_agg(host) FILTER (WHERE is_made AND host <> ALL ($4)), '
                'array_agg(host) FILTER (WHERE NOT is_made OR host <> ALL ($4)) '
                'FROM (SELECT host, EXISTS (SELECT FROM %I '
                'WHERE host_id = host AND ts >= $2 AND ts < $3) AS is_made '
                'FROM unnest($1) AS host OFFSET 0) AS candidates',
                rollup.name || level.suffix
            ) INTO replaced, chosen USING sampled, of_hour, until, lasting;
            IF replaced IS NOT NULL THEN
                PERFORM muster_delete_buckets(rollup.name || level.suffix, replaced, of_hour);
            END IF;
            CONTINUE WHEN chosen IS NULL;
            EXECUTE muster_rollup_statement(rollup.name, level.suffix, level.width)
            USING chosen, of_hour, until;
            GET DIAGNOSTICS made = ROW_COUNT;
            written := written + made;
        END LOOP;
    END LOOP;
    RETURN written;
END
$$;

-- What was taken before intake had a bound may be as large as a bigint, and the sum of two larger.
UPDATE rollup_figures
SET expression = 'coalesce(used_bytes * 100.0 / nullif(used_bytes::numeric + available_bytes, 0), 0)'
WHERE rollup = 'filesystem_samples' AND figure = 'used_percent';
