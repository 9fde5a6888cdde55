-- Rollups: what is charted over months, by the minute and by the hour (docs/adr/0010).
--
-- The tables and the statements that fill them are made from two lists, `rollups` and
-- `rollup_figures`, the same on both engines. A later migration that adds numeric columns to a
-- table of samples ends with `SELECT muster_add_figures('<table>')`; one that adds a table of
-- samples calls `muster_create_rollup`.

-- What is rolled up. Buckets are in the tables `<name>_1m` and `<name>_1h`.
CREATE TABLE rollups (
    name    text PRIMARY KEY,
    -- The table of samples: where it has no rows of an hour, there is nothing to be made of it.
    raw     text NOT NULL,
    -- As it stands after FROM.
    source  text NOT NULL,
    -- Columns of the source that tell instances apart, all of type text.
    keys    text[] NOT NULL,
    -- Whether there are buckets of a minute, or of an hour only.
    minutes boolean NOT NULL
);

-- One row for each number of a bucket: `<figure>` is its mean, `<figure>_min` and `<figure>_max`
-- are there where they differ from the mean, and `<figure>_n`, of how many samples, where that is
-- not the bucket's `n`.
CREATE TABLE rollup_figures (
    rollup     text NOT NULL REFERENCES rollups,
    figure     text NOT NULL,
    -- Over the columns of the source.
    expression text NOT NULL,
    type       text NOT NULL CHECK (type IN ('real', 'double precision')),
    PRIMARY KEY (rollup, figure)
);

-- Buckets that no longer tell what the samples tell: the ingest transaction appends, the rollup
-- loop removes. Several rows may say the same; a unique index would make batches wait.
CREATE TABLE rollup_dirty (
    host_id   text NOT NULL,
    hour      timestamptz NOT NULL,
    marked_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON rollup_dirty (host_id, hour);
CREATE INDEX ON rollup_dirty (hour);

-- A mean can be smaller than the smallest real although no sample is; it is 0 then.
CREATE FUNCTION muster_real(x double precision) RETURNS real
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT CASE WHEN abs(x) < 1e-37 THEN 0::real ELSE x::real END $$;

-- The tables of a rollup, with the width of their buckets.
CREATE FUNCTION muster_rollup_levels(minutes boolean)
RETURNS TABLE (suffix text, width interval)
LANGUAGE sql IMMUTABLE AS $$
    SELECT '_1m', interval '1 minute' WHERE minutes
    UNION ALL
    SELECT '_1h', interval '1 hour'
$$;

-- Gives a rollup one more number. Past hours are not computed again.
CREATE FUNCTION muster_add_figure(
    of_rollup text, new_figure text, of_expression text, of_type text DEFAULT 'real'
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    level record;
BEGIN
    INSERT INTO rollup_figures (rollup, figure, expression, type)
    VALUES (of_rollup, new_figure, of_expression, of_type);
    FOR level IN
        SELECT l.suffix FROM rollups, muster_rollup_levels(minutes) AS l WHERE name = of_rollup
    LOOP
        EXECUTE format(
            'ALTER TABLE %I ADD COLUMN %I %s, ADD COLUMN %I %s, ADD COLUMN %I %s, '
            'ADD COLUMN %I integer',
            of_rollup || level.suffix,
            new_figure, of_type,
            new_figure || '_min', of_type,
            new_figure || '_max', of_type,
            new_figure || '_n'
        );
    END LOOP;
END
$$;

-- Gives a rollup all numeric columns of its table of samples that it does not have yet.
CREATE FUNCTION muster_add_figures(of_rollup text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    number record;
BEGIN
    FOR number IN
        SELECT attname, atttypid
        FROM pg_attribute JOIN rollups ON attrelid = quote_ident(raw)::regclass
        WHERE name = of_rollup
          AND attnum > 0 AND NOT attisdropped
          AND atttypid = ANY ('{int2,int4,int8,float4,float8}'::regtype[])
          AND NOT EXISTS (SELECT FROM rollup_figures WHERE rollup = name AND figure = attname)
        ORDER BY attnum
    LOOP
        IF number.atttypid = 'float8'::regtype THEN
            -- Sums of these neither overflow nor vanish, whatever a script invents.
            PERFORM muster_add_figure(of_rollup, number.attname, format(
                'CASE WHEN abs(%1$I) < 1e-290 THEN 0 ELSE greatest(least(%1$I, 1e290), -1e290) END',
                number.attname
            ), 'double precision');
        ELSE
            PERFORM muster_add_figure(of_rollup, number.attname, quote_ident(number.attname));
        END IF;
    END LOOP;
END
$$;

-- Makes the tables of a rollup, without figures.
CREATE FUNCTION muster_create_rollup(
    new_name text, of_raw text, of_source text, by_keys text[], by_minutes boolean
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    level record;
    key_columns text;
BEGIN
    INSERT INTO rollups (name, raw, source, keys, minutes)
    VALUES (new_name, of_raw, of_source, by_keys, by_minutes);
    SELECT coalesce(string_agg(format(', %I text NOT NULL', key), ''), '')
    INTO key_columns FROM unnest(by_keys) AS key;
    FOR level IN SELECT * FROM muster_rollup_levels(by_minutes) LOOP
        PERFORM muster_create_time_series(
            new_name || level.suffix,
            'ts timestamptz NOT NULL, n integer NOT NULL, host_id text NOT NULL' || key_columns
        );
    END LOOP;
END
$$;

-- The statement that makes the buckets of one width: of the hosts $1, from $2 to before $3.
CREATE FUNCTION muster_rollup_statement(of_rollup text, suffix text, width interval) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT format(
        'INSERT INTO %I (ts, n, host_id%s%s) SELECT ts, n, host_id%s%s '
        'FROM (SELECT date_bin(%L, ts, TIMESTAMPTZ ''2000-01-03 00:00:00+00'') AS ts, '
        'count(*)::integer AS n, host_id%s%s FROM %s '
        'WHERE host_id = ANY ($1) AND ts >= $2 AND ts < $3 GROUP BY 1, 3%s) AS buckets',
        name || suffix, of_keys, columns, of_keys, shortened,
        width, of_keys, aggregates, source, of_keys
    )
    FROM rollups
    CROSS JOIN LATERAL (
        SELECT coalesce(string_agg(format(', %I', key), ''), '') AS of_keys FROM unnest(keys) AS key
    ) AS k
    CROSS JOIN LATERAL (
        SELECT
            string_agg(format(', %1$I, %2$I, %3$I, %4$I', figure, lo, hi, c), '') AS columns,
            string_agg(format(
                ', %1$I, nullif(%2$I, %1$I), nullif(%3$I, %1$I), nullif(nullif(%4$I, n), 0)',
                figure, lo, hi, c
            ), '') AS shortened,
            string_agg(format(
                CASE type WHEN 'real' THEN
                    ', muster_real(sum((%1$s)::float8) / nullif(count(%1$s), 0)) AS %2$I, '
                    'muster_real(min(%1$s)::float8) AS %3$I, muster_real(max(%1$s)::float8) AS %4$I, '
                    'count(%1$s)::integer AS %5$I'
                ELSE
                    ', sum(%1$s) / nullif(count(%1$s), 0) AS %2$I, '
                    'min(%1$s) AS %3$I, max(%1$s) AS %4$I, count(%1$s)::integer AS %5$I'
                END, expression, figure, lo, hi, c
            ), '') AS aggregates
        FROM rollup_figures
        CROSS JOIN LATERAL (
            SELECT figure || '_min' AS lo, figure || '_max' AS hi, figure || '_n' AS c
        ) AS names
        WHERE rollup = name
    ) AS f
    WHERE name = of_rollup
$$;

-- Makes the buckets of an hour anew from the samples, for these hosts; answers how many rows were
-- written. Where there are no samples, buckets stay: retention has dropped what they were made of.
-- With `replacing` false they stay wherever there are any. The caller sees to it that nobody else
-- does the same for these hosts.
CREATE FUNCTION muster_roll_up(hosts text[], of_hour timestamptz, replacing boolean)
RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    until timestamptz := of_hour + interval '1 hour';
    among CONSTANT text := 'SELECT array_agg(host) FROM unnest($1) AS host WHERE %s EXISTS '
        '(SELECT FROM %I WHERE host_id = host AND ts >= $2 AND ts < $3)';
    rollup record;
    level record;
    sampled text[];
    chosen text[];
    host text;
    made bigint;
    written bigint := 0;
BEGIN
    FOR rollup IN SELECT name, raw, minutes FROM rollups ORDER BY name LOOP
        EXECUTE format(among, '', rollup.raw) INTO sampled USING hosts, of_hour, until;
        FOR level IN SELECT * FROM muster_rollup_levels(rollup.minutes) LOOP
            chosen := sampled;
            IF replacing THEN
                -- Older days may be in a column store, which finds what to delete host by host.
                IF of_hour < now() - interval '1 day' THEN
                    FOREACH host IN ARRAY coalesce(chosen, '{}') LOOP
                        EXECUTE format(
                            'DELETE FROM %I WHERE host_id = $1 AND ts >= $2 AND ts < $3',
                            rollup.name || level.suffix
                        ) USING host, of_hour, until;
                    END LOOP;
                ELSIF chosen IS NOT NULL THEN
                    EXECUTE format(
                        'DELETE FROM %I WHERE host_id = ANY ($1) AND ts >= $2 AND ts < $3',
                        rollup.name || level.suffix
                    ) USING chosen, of_hour, until;
                END IF;
            ELSE
                EXECUTE format(among, 'NOT', rollup.name || level.suffix)
                INTO chosen USING chosen, of_hour, until;
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

-- The number of an hour, as the second key of an advisory lock.
CREATE FUNCTION muster_hour_number(of_hour timestamptz) RETURNS integer
LANGUAGE sql IMMUTABLE AS $$ SELECT (extract(epoch FROM of_hour) / 3600)::integer $$;

-- Keeps the marks of an hour from being removed until the transaction ends, and answers which
-- database this is; NULL where the hour is over, so that they may have been removed already. Who
-- has committed a mark to this very database before need not write it again then.
CREATE FUNCTION muster_hold_hour(of_hour timestamptz) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(
        hashtext('muster.rollup_hour'), muster_hour_number(of_hour)
    );
    IF clock_timestamp() >= of_hour + interval '1 hour' THEN
        RETURN NULL;
    END IF;
    RETURN (
        SELECT pg_postmaster_start_time() || ' ' || oid
        FROM pg_database WHERE datname = current_database()
    );
END
$$;

SELECT muster_create_rollup(name, name, name, keys, true), muster_add_figures(name)
FROM (VALUES
    ('host_samples', '{}'::text[]),
    ('filesystem_samples', '{mount}'),
    ('disk_samples', '{device}'),
    ('network_samples', '{interface}'),
    ('sensor_samples', '{sensor}'),
    ('fan_samples', '{fan}'),
    ('battery_samples', '{battery}'),
    ('gpu_samples', '{gpu}'),
    ('smart_samples', '{device}'),
    ('container_samples', '{name}'),
    ('custom_samples', '{metric,instance,unit}')
) AS tables (name, keys);

-- A host may have hundreds of them, and people ask for one.
CREATE INDEX ON custom_samples_1m (host_id, metric, ts DESC);
CREATE INDEX ON custom_samples_1h (host_id, metric, ts DESC);

-- The mean of a share is not the share of the means.
SELECT muster_add_figure(rollup, figure, expression)
FROM (VALUES
    ('host_samples', 'memory_used_percent',
     'coalesce(memory_used_bytes * 100.0 / nullif(memory_total_bytes, 0), 0)'),
    ('host_samples', 'swap_used_percent',
     'coalesce(swap_used_bytes * 100.0 / nullif(swap_total_bytes, 0), 0)'),
    ('filesystem_samples', 'used_percent',
     'coalesce(used_bytes * 100.0 / nullif(used_bytes + available_bytes, 0), 0)'),
    ('filesystem_samples', 'inodes_used_percent',
     'inodes_used * 100.0 / nullif(inodes_total, 0)')
) AS derived (rollup, figure, expression);

-- Cores by the hour only: by the minute, those of a large machine would take more room than all
-- else together.
SELECT
    muster_create_rollup('core_samples', 'host_samples',
        '(SELECT host_id, ts, (number - 1)::text AS core, percent FROM host_samples, '
        'unnest(cpu_cores_percent) WITH ORDINALITY AS each_core (percent, number)) AS cores',
        '{core}', false),
    muster_add_figure('core_samples', 'percent', 'percent');

-- What is stored already has no buckets yet. A probe of the index for each host and hour: reading
-- all samples would take as long as there are samples.
INSERT INTO rollup_dirty (host_id, hour)
SELECT hosts.id, hours.hour
FROM hosts
CROSS JOIN LATERAL (
    SELECT min(ts) AS first, max(ts) AS last FROM host_samples WHERE host_id = hosts.id
) AS span
CROSS JOIN LATERAL generate_series(
    date_bin('1 hour', span.first, TIMESTAMPTZ '2000-01-03 00:00:00+00'), span.last, '1 hour'
) AS hours (hour)
CROSS JOIN LATERAL (
    SELECT FROM host_samples
    WHERE host_id = hosts.id AND ts >= hours.hour AND ts < hours.hour + interval '1 hour'
    LIMIT 1
) AS probe;
