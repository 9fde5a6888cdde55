-- Repair: what is missing, what became of it, and when it was.

-- Messages of a ledger's row that will never come. One that comes nevertheless is no longer lost.
ALTER TABLE ledger ADD COLUMN lost int8multirange NOT NULL DEFAULT '{}';

-- How many numbers a set holds. One of an absurd size is as large as a bigint can say.
CREATE FUNCTION muster_size(numbers int8multirange) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT least(coalesce(sum(upper(r)::numeric - lower(r)), 0), 9223372036854775807)::bigint
    FROM unnest(numbers) AS r
$$;

-- Missing messages that somebody looked for. Written by the ingest worker's repair loop.
CREATE TABLE gaps (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    host_id    text NOT NULL,
    channel    text NOT NULL,
    epoch      bigint NOT NULL,
    -- The first and the last that was missing when it was found.
    seq_from   bigint NOT NULL,
    seq_to     bigint NOT NULL,
    -- What still is missing of it; of a lost one, what was lost.
    missing    int8multirange NOT NULL,
    -- How many came after they were known to be missing.
    repaired   bigint NOT NULL DEFAULT 0,
    -- open: found, or the host does not answer; repairing: on its way again; repaired, lost: closed.
    state      text NOT NULL DEFAULT 'open'
               CHECK (state IN ('open', 'repairing', 'repaired', 'lost')),
    -- Why it was lost (schemas: control::LossCause).
    cause      text,
    found_at   timestamptz NOT NULL DEFAULT now(),
    -- When the stream of its channel had been worked off as far as it reached when the gap was
    -- found, and it was still missing: until then it may be anything that is merely late.
    confirmed_at timestamptz,
    -- The end of the stream when it was found.
    stream_seq bigint NOT NULL,
    -- When the messages were written, as far as the marks tell.
    from_at    timestamptz,
    to_at      timestamptz,
    -- How often it was asked for; part of the message ids of what comes.
    attempts   integer NOT NULL DEFAULT 0,
    -- Of them, how many in a row brought nothing.
    failures   integer NOT NULL DEFAULT 0,
    -- When it is somebody's turn. Whoever takes it moves this ahead: that is the claim, and its end.
    next_attempt_at timestamptz NOT NULL,
    closed_at  timestamptz
) WITH (fillfactor = 70);
CREATE INDEX ON gaps (host_id, channel, epoch);
CREATE INDEX ON gaps (next_attempt_at) WHERE state IN ('open', 'repairing');

-- At what time which number was written, at most one in ten minutes.
CREATE TABLE ledger_marks (
    host_id text NOT NULL,
    channel text NOT NULL,
    epoch   bigint NOT NULL,
    -- Ten minutes since the Unix epoch.
    slot    bigint NOT NULL,
    -- By the host's clock.
    at      timestamptz NOT NULL,
    seq     bigint NOT NULL,
    PRIMARY KEY (host_id, channel, epoch, slot)
);

-- Ranges of time whose messages were stored much later than they were written.
CREATE TABLE backfills (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    host_id   text NOT NULL,
    channel   text NOT NULL,
    -- By the host's clock, when the first and the last were written.
    from_at   timestamptz NOT NULL,
    to_at     timestamptz NOT NULL,
    messages  bigint NOT NULL,
    -- When the last of them was stored.
    stored_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70);
CREATE INDEX ON backfills (host_id, channel, id);

-- A ledger's row as far as messages are known to exist: `beyond` is the first number that is not.
-- What an agent announced counts half a minute later: until then it may be on its way.
CREATE VIEW ledger_known AS
SELECT *, greatest(
    coalesce(upper(received), 1), coalesce(upper(dead), 1), settled + 1,
    CASE WHEN announced_at < now() - interval '30 seconds' THEN announced + 1 ELSE 1 END
) AS beyond
FROM ledger;

-- The points of a ledger's row between which numbers and times are interpolated: the journal was
-- made at its epoch, marks follow, and the newest number was there when the row last changed.
CREATE FUNCTION muster_ledger_points(host text, channel_name text, of_epoch bigint)
RETURNS TABLE (at timestamptz, seq bigint)
LANGUAGE sql STABLE AS $$
    -- An epoch is what a host says; no time is later than the year 9999.
    SELECT to_timestamp(least(of_epoch, 253402300799000) / 1000.0), 0::bigint
    UNION ALL
    SELECT m.at, m.seq FROM ledger_marks AS m
    WHERE m.host_id = host AND m.channel = channel_name AND m.epoch = of_epoch
    UNION ALL
    SELECT k.updated_at, k.beyond - 1 FROM ledger_known AS k
    WHERE k.host_id = host AND k.channel = channel_name AND k.epoch = of_epoch
$$;

-- The time at which a number was written.
CREATE FUNCTION muster_ledger_time(host text, channel_name text, of_epoch bigint, number bigint)
RETURNS timestamptz
LANGUAGE sql STABLE AS $$
    WITH points AS MATERIALIZED (
        SELECT * FROM muster_ledger_points(host, channel_name, of_epoch)
    ), before AS (
        SELECT * FROM points WHERE seq <= number ORDER BY seq DESC, at DESC LIMIT 1
    ), after AS (
        SELECT * FROM points WHERE seq >= number ORDER BY seq, at LIMIT 1
    )
    SELECT CASE
        WHEN after.at IS NULL OR after.seq = before.seq OR after.at <= before.at THEN before.at
        ELSE before.at + (after.at - before.at)
             * ((number - before.seq)::float8 / (after.seq - before.seq))
    END
    FROM before LEFT JOIN after ON true
$$;

-- The newest number that was written by a time.
CREATE FUNCTION muster_ledger_seq(host text, channel_name text, of_epoch bigint, until timestamptz)
RETURNS bigint
LANGUAGE sql STABLE AS $$
    WITH points AS MATERIALIZED (
        SELECT * FROM muster_ledger_points(host, channel_name, of_epoch)
    ), before AS (
        SELECT * FROM points AS p WHERE p.at <= until ORDER BY p.at DESC, seq DESC LIMIT 1
    ), after AS (
        SELECT * FROM points AS p WHERE p.at >= until ORDER BY p.at, seq LIMIT 1
    )
    SELECT coalesce((
        SELECT CASE
            WHEN after.at IS NULL OR after.at = before.at OR after.seq <= before.seq THEN before.seq
            ELSE before.seq + floor(
                (after.seq - before.seq)::float8
                * (extract(epoch FROM until - before.at) / extract(epoch FROM after.at - before.at))::float8
            )::bigint
        END
        FROM before LEFT JOIN after ON true
    ), 0)
$$;
