-- What an agent does not know is absent, not zero: a collector may be off, fail or hang.
ALTER TABLE host_samples
    ALTER COLUMN cpu_usage_percent DROP NOT NULL,
    ALTER COLUMN load_one DROP NOT NULL,
    ALTER COLUMN load_five DROP NOT NULL,
    ALTER COLUMN load_fifteen DROP NOT NULL,
    ALTER COLUMN memory_total_bytes DROP NOT NULL,
    ALTER COLUMN memory_used_bytes DROP NOT NULL,
    ALTER COLUMN memory_available_bytes DROP NOT NULL,
    ALTER COLUMN swap_total_bytes DROP NOT NULL,
    ALTER COLUMN swap_used_bytes DROP NOT NULL,
    ALTER COLUMN disk_read_bytes_per_s DROP NOT NULL,
    ALTER COLUMN disk_write_bytes_per_s DROP NOT NULL,
    ALTER COLUMN network_rx_bytes_per_s DROP NOT NULL,
    ALTER COLUMN network_tx_bytes_per_s DROP NOT NULL,
    ALTER COLUMN network_rx_packets_per_s DROP NOT NULL,
    ALTER COLUMN network_tx_packets_per_s DROP NOT NULL,
    ALTER COLUMN tcp_connections DROP NOT NULL,
    ALTER COLUMN processes_total DROP NOT NULL;

-- Nor is its share zero then. A host without swap uses none of it.
UPDATE rollup_figures
SET expression = 'memory_used_bytes * 100.0 / nullif(memory_total_bytes, 0)'
WHERE rollup = 'host_samples' AND figure = 'memory_used_percent';
UPDATE rollup_figures
SET expression =
    'CASE WHEN swap_total_bytes = 0 THEN 0 ELSE swap_used_bytes * 100.0 / swap_total_bytes END'
WHERE rollup = 'host_samples' AND figure = 'swap_used_percent';
