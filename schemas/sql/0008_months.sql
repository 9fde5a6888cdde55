-- Buckets of an hour lie in parts of a month (docs/adr/0010): they are kept for years, and a table
-- for each day of them would be thousands that every plan and every backup has to look at.
--
-- Days that are there stay days until retention drops them; months begin after the last of them.

-- Makes the tables of a rollup, without figures.
CREATE OR REPLACE FUNCTION muster_create_rollup(
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
        IF level.width >= interval '1 hour' THEN
            PERFORM muster_by_month(new_name || level.suffix);
        END IF;
    END LOOP;
END
$$;

SELECT muster_by_month(name || '_1h') FROM rollups;
