-- Searching log lines: any part of their text, and their structured fields.

-- Makes any part of the text quick to find, once the extension pg_trgm can be had; answers whether
-- it is. It comes with PostgreSQL and whoever may create things in the database may create it, but
-- an administrator can forbid that, or leave the contributed extensions out. Then a search reads
-- the lines themselves: it finds the same, and takes longer. Calling this again later, once the
-- extension is there, makes up for it (writers of log lines wait meanwhile).
CREATE FUNCTION muster_index_log_text() RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    home text;
BEGIN
    IF to_regclass('log_lines_message_trgm_idx') IS NOT NULL THEN
        RETURN true;
    END IF;
    BEGIN
        CREATE EXTENSION IF NOT EXISTS pg_trgm;
    EXCEPTION WHEN OTHERS THEN
        RAISE WARNING 'searches of log lines are slow: pg_trgm cannot be created: %', SQLERRM
            USING HINT = 'Have it created, then call SELECT muster_index_log_text().';
        RETURN false;
    END;
    -- It may have been created in a schema of its own before.
    SELECT quote_ident(nspname) INTO home
    FROM pg_extension
    JOIN pg_namespace ON pg_namespace.oid = pg_extension.extnamespace
    WHERE extname = 'pg_trgm';
    EXECUTE format(
        'CREATE INDEX log_lines_message_trgm_idx ON log_lines USING gin (message %s.gin_trgm_ops)',
        home
    );
    RETURN true;
END
$$;

SELECT muster_index_log_text();

-- A field that equals something; most lines have none.
CREATE INDEX log_lines_fields_idx ON log_lines USING gin (fields jsonb_path_ops)
    WHERE fields IS NOT NULL;
