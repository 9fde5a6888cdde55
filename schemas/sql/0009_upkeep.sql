-- What years and wrong numbers do to the ledger.

-- What is old is found without reading all of it.
CREATE INDEX ON ledger_marks (at);
CREATE INDEX ON gaps (closed_at) WHERE closed_at IS NOT NULL;
CREATE INDEX ON backfills (stored_at);

-- A ledger's row as far as messages are known to exist: `beyond` is the first number that is not.
-- What an agent announced counts half a minute later: until then it may be on its way. The number
-- of a message that could not be read is only what its header said: far from all others it tells
-- nothing of what exists.
CREATE OR REPLACE VIEW ledger_known AS
SELECT ledger.*,
    CASE WHEN upper(dead) <= told + 1000000 THEN greatest(told, upper(dead)) ELSE told END AS beyond
FROM ledger, LATERAL (
    SELECT greatest(
        coalesce(upper(received), 1), settled + 1,
        CASE WHEN announced_at < now() - interval '30 seconds' THEN announced + 1 ELSE 1 END
    ) AS told
) AS known;
