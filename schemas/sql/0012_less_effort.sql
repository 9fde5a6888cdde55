-- What batches write again and again is written with less effort.

-- The newest sample of a host is kept as it was said. It is written with every batch and only ever
-- read whole: to take it apart, and to compress what is overwritten in some seconds, was a tenth of
-- what a sample costs the database.
ALTER TABLE host_latest
    ALTER COLUMN sample TYPE json USING sample::json,
    -- Smaller than this, a row is neither compressed nor moved out of its page.
    SET (toast_tuple_target = 8160);

-- Each batch of a backlog extends ranges here. Without this index that changes no index at all, and
-- to look through the few rows there are, once an hour, costs less.
DROP INDEX backfills_stored_at_idx;
