-- The agent in full: everything a sample can say, log lines, inventory, central settings.
--
-- New columns of time series are nullable and without a default: that is what a column store can
-- take later, and it is true of the rows that are there already.

-- What a host has once; absent where it does not have it. Established TCP connections are
-- `tcp_connections`, of before.
ALTER TABLE host_samples
    ADD COLUMN cpu_user_percent             real,
    ADD COLUMN cpu_system_percent           real,
    ADD COLUMN cpu_iowait_percent           real,
    ADD COLUMN cpu_steal_percent            real,
    ADD COLUMN cpu_idle_percent             real,
    ADD COLUMN cpu_frequency_mhz            bigint,
    ADD COLUMN memory_free_bytes            bigint,
    ADD COLUMN memory_buffers_bytes         bigint,
    ADD COLUMN memory_cached_bytes          bigint,
    ADD COLUMN memory_dirty_bytes           bigint,
    ADD COLUMN memory_huge_pages_total_bytes bigint,
    ADD COLUMN memory_huge_pages_used_bytes bigint,
    ADD COLUMN swap_in_bytes_per_s          bigint,
    ADD COLUMN swap_out_bytes_per_s         bigint,
    ADD COLUMN pressure_cpu_some_percent    real,
    ADD COLUMN pressure_memory_some_percent real,
    ADD COLUMN pressure_memory_full_percent real,
    ADD COLUMN pressure_io_some_percent     real,
    ADD COLUMN pressure_io_full_percent     real,
    ADD COLUMN udp_sockets                  bigint,
    ADD COLUMN tcp_time_wait                bigint,
    ADD COLUMN tcp_syn_sent                 bigint,
    ADD COLUMN tcp_syn_received             bigint,
    ADD COLUMN tcp_fin_wait                 bigint,
    ADD COLUMN tcp_close_wait               bigint,
    ADD COLUMN tcp_last_ack                 bigint,
    ADD COLUMN tcp_listen                   bigint,
    ADD COLUMN tcp_closing                  bigint,
    ADD COLUMN file_descriptors_open        bigint,
    ADD COLUMN file_descriptors_max         bigint,
    ADD COLUMN processes_running            bigint,
    ADD COLUMN processes_sleeping           bigint,
    ADD COLUMN processes_blocked            bigint,
    ADD COLUMN processes_stopped            bigint,
    ADD COLUMN processes_zombie             bigint,
    ADD COLUMN processes_idle               bigint,
    ADD COLUMN services_active              bigint,
    ADD COLUMN services_failed              bigint;

ALTER TABLE filesystem_samples
    ADD COLUMN inodes_total bigint,
    ADD COLUMN inodes_used  bigint,
    ADD COLUMN read_only    boolean;

ALTER TABLE disk_samples
    ADD COLUMN read_await_ms       real,
    ADD COLUMN write_await_ms      real,
    ADD COLUMN queue_length        real,
    ADD COLUMN utilisation_percent real;

ALTER TABLE network_samples
    ADD COLUMN rx_drops_per_s real,
    ADD COLUMN tx_drops_per_s real;

ALTER TABLE process_samples
    ADD COLUMN command           text,
    ADD COLUMN user_name         text,
    ADD COLUMN read_bytes_per_s  bigint,
    ADD COLUMN write_bytes_per_s bigint;

SELECT muster_create_time_series('fan_samples', $columns$
    host_id text NOT NULL,
    ts      timestamptz NOT NULL,
    fan     text NOT NULL,
    rpm     bigint NOT NULL
$columns$);

SELECT muster_create_time_series('battery_samples', $columns$
    host_id        text NOT NULL,
    ts             timestamptz NOT NULL,
    battery        text NOT NULL,
    charge_percent real NOT NULL,
    state          text NOT NULL
$columns$);

SELECT muster_create_time_series('gpu_samples', $columns$
    host_id             text NOT NULL,
    ts                  timestamptz NOT NULL,
    gpu                 text NOT NULL,
    name                text NOT NULL,
    utilisation_percent real,
    memory_used_bytes   bigint,
    memory_total_bytes  bigint,
    celsius             real,
    power_watts         real
$columns$);

SELECT muster_create_time_series('smart_samples', $columns$
    host_id        text NOT NULL,
    ts             timestamptz NOT NULL,
    device         text NOT NULL,
    model          text NOT NULL,
    serial         text NOT NULL,
    passed         boolean NOT NULL,
    celsius        real,
    power_on_hours bigint,
    bad_sectors    bigint,
    wear_percent   real
$columns$);

SELECT muster_create_time_series('container_samples', $columns$
    host_id            text NOT NULL,
    ts                 timestamptz NOT NULL,
    container_id       text NOT NULL,
    name               text NOT NULL,
    image              text NOT NULL,
    state              text NOT NULL,
    health             text NOT NULL,
    cpu_percent        real NOT NULL,
    memory_bytes       bigint NOT NULL,
    memory_limit_bytes bigint NOT NULL,
    rx_bytes_per_s     bigint NOT NULL,
    tx_bytes_per_s     bigint NOT NULL
$columns$);

SELECT muster_create_time_series('custom_samples', $columns$
    host_id  text NOT NULL,
    ts       timestamptz NOT NULL,
    metric   text NOT NULL,
    instance text NOT NULL,
    value    double precision NOT NULL,
    unit     text NOT NULL
$columns$);
-- A host may have hundreds of them, and people ask for one.
CREATE INDEX ON custom_samples (host_id, metric, ts DESC);

-- Where a line stands in what its host sent (`epoch`, `seq`, `line`) is its identity, and its
-- order among lines of the same time.
SELECT muster_create_time_series('log_lines', $columns$
    host_id         text NOT NULL,
    ts              timestamptz NOT NULL,
    received_at     timestamptz NOT NULL,
    -- From 0, critical, to 4, info.
    severity        smallint NOT NULL,
    application     text NOT NULL,
    source          text NOT NULL,
    message         text NOT NULL,
    truncated_bytes bigint NOT NULL,
    suppressed      bigint NOT NULL,
    fields          jsonb,
    epoch           bigint NOT NULL,
    seq             bigint NOT NULL,
    line            integer NOT NULL
$columns$);
-- The newest lines of all hosts, and those of the worst severities, which are rare among them.
CREATE INDEX ON log_lines (ts DESC);
CREATE INDEX ON log_lines (ts DESC) WHERE severity <= 1;

-- What a host says it is; lists show it. Written by the ingest worker from the system inventory.
ALTER TABLE hosts
    ADD COLUMN location       text,
    ADD COLUMN os             text,
    ADD COLUMN kernel         text,
    ADD COLUMN architecture   text,
    ADD COLUMN cpu_model      text,
    ADD COLUMN cores_physical bigint,
    ADD COLUMN cores_logical  bigint;

-- The newest inventory of each kind.
CREATE TABLE host_inventory (
    host_id     text NOT NULL,
    kind        text NOT NULL,
    at          timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    -- As on the wire (schemas: inventory).
    detail      jsonb NOT NULL,
    PRIMARY KEY (host_id, kind)
) WITH (fillfactor = 70);

-- One row each time it was found to be something else than before.
CREATE TABLE host_inventory_history (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    host_id text NOT NULL,
    kind    text NOT NULL,
    at      timestamptz NOT NULL,
    detail  jsonb NOT NULL
);
CREATE INDEX ON host_inventory_history (host_id, kind, at DESC, id DESC);

-- The newest heartbeat of each agent. Written by the ingest worker.
CREATE TABLE host_agent (
    host_id   text PRIMARY KEY,
    epoch     bigint NOT NULL,
    seq       bigint NOT NULL,
    -- By the host's clock.
    sent_at   timestamptz NOT NULL,
    -- As on the wire (schemas: signals::Heartbeat).
    heartbeat jsonb NOT NULL
) WITH (fillfactor = 50);

-- What operators want of agents. Written by gateways.
CREATE TABLE agent_settings (
    -- A host's id, or `*`, which can be none, for the fleet.
    scope      text PRIMARY KEY,
    -- As on the wire (schemas: configuration::Settings).
    settings   jsonb NOT NULL,
    version    bigint NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by text NOT NULL
);

-- Versions of all that concerns agents come from here: what a host is told has the largest version
-- of its parts, which therefore must grow in the order in which changes are committed. Whoever
-- draws a number locks `agent_settings` first.
CREATE SEQUENCE agent_settings_version;
