-- What hosts said they are is in the order in which they said it, two of the same millisecond
-- included, and of what did not change the last time is kept beside the first: something else that
-- comes late may stand between them.

ALTER TABLE host_inventory
    ADD COLUMN epoch bigint NOT NULL DEFAULT 0,
    ADD COLUMN seq   bigint NOT NULL DEFAULT 0;

ALTER TABLE host_inventory_history
    ADD COLUMN epoch bigint NOT NULL DEFAULT 0,
    ADD COLUMN seq   bigint NOT NULL DEFAULT 0;

CREATE INDEX host_inventory_history_in_order ON host_inventory_history (host_id, kind, at, epoch, seq);
DROP INDEX host_inventory_history_host_id_kind_at_id_idx;

-- So far the last time was kept only of the newest.
INSERT INTO host_inventory_history (host_id, kind, at, detail)
SELECT host_id, kind, at, detail
FROM host_inventory AS newest
WHERE NOT EXISTS (
    SELECT FROM host_inventory_history AS h
    WHERE h.host_id = newest.host_id AND h.kind = newest.kind AND h.at = newest.at
);
