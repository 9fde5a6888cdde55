-- The main job: hosts, their samples, the ledger, presence and who may look.
--
-- The functions muster_* are the engine's (sql/engine/). Times are timestamptz; percentages, loads
-- and temperatures are real in steps of 1/64, byte counts bigint.

-- Everything that ever spoke under a host id of its own. Written by the ingest worker.
CREATE TABLE hosts (
    id            text PRIMARY KEY,
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    agent_version text,
    labels        jsonb NOT NULL DEFAULT '{}'
) WITH (fillfactor = 80);

-- Whether a host is there. Written by the alert worker alone.
CREATE TABLE host_presence (
    host_id               text PRIMARY KEY,
    status                text NOT NULL CHECK (status IN ('online', 'offline')),
    status_since          timestamptz NOT NULL,
    -- When the broker stored the last heartbeat: a host's own clock may be wrong.
    heartbeat_at          timestamptz NOT NULL,
    heartbeat_interval_ms bigint NOT NULL
) WITH (fillfactor = 70);

-- The newest sample of each host; lists are drawn from it. Written by the ingest worker.
CREATE TABLE host_latest (
    host_id     text PRIMARY KEY,
    ts          timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    -- As on the wire (schemas: telemetry::Sample).
    sample      jsonb NOT NULL
) WITH (fillfactor = 50);

-- What was decided, in order. `published_at` is set once the bus has it, so that a worker that
-- dies in between leaves the rest to the next.
CREATE TABLE events (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    host_id      text NOT NULL,
    at           timestamptz NOT NULL,
    kind         text NOT NULL,
    detail       jsonb NOT NULL,
    published_at timestamptz
);
CREATE INDEX ON events (host_id, at DESC);
CREATE INDEX ON events (id) WHERE published_at IS NULL;

-- Which sequence numbers of a host are accounted for: promises 1 and 2.
CREATE TABLE ledger (
    host_id    text NOT NULL,
    channel    text NOT NULL,
    epoch      bigint NOT NULL,
    -- Stored, each exactly once.
    received   int8multirange NOT NULL DEFAULT '{}',
    -- Refused for a reason and kept in the dead-letter stream.
    dead       int8multirange NOT NULL DEFAULT '{}',
    -- How far the agent said that the bus had acknowledged it, and when it said so. Only after a
    -- while does that count as `settled`: until then it may still be on its way, and afterwards
    -- what is not here is missing.
    announced    bigint NOT NULL DEFAULT 0,
    announced_at timestamptz NOT NULL DEFAULT '-infinity',
    settled      bigint NOT NULL DEFAULT 0,
    -- Messages the agent had to drop before they were acknowledged.
    dropped    bigint NOT NULL DEFAULT 0,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (host_id, channel, epoch)
) WITH (fillfactor = 70);

SELECT muster_create_time_series('host_samples', $columns$
    host_id                  text NOT NULL,
    ts                       timestamptz NOT NULL,
    uptime_s                 bigint NOT NULL,
    cpu_usage_percent        real NOT NULL,
    cpu_cores_percent        real[] NOT NULL,
    load_one                 real NOT NULL,
    load_five                real NOT NULL,
    load_fifteen             real NOT NULL,
    memory_total_bytes       bigint NOT NULL,
    memory_used_bytes        bigint NOT NULL,
    memory_available_bytes   bigint NOT NULL,
    swap_total_bytes         bigint NOT NULL,
    swap_used_bytes          bigint NOT NULL,
    disk_read_bytes_per_s    bigint NOT NULL,
    disk_write_bytes_per_s   bigint NOT NULL,
    network_rx_bytes_per_s   bigint NOT NULL,
    network_tx_bytes_per_s   bigint NOT NULL,
    network_rx_packets_per_s real NOT NULL,
    network_tx_packets_per_s real NOT NULL,
    tcp_connections          bigint NOT NULL,
    processes_total          bigint NOT NULL,
    temperature_max_celsius  real
$columns$);

SELECT muster_create_time_series('filesystem_samples', $columns$
    host_id         text NOT NULL,
    ts              timestamptz NOT NULL,
    mount           text NOT NULL,
    device          text NOT NULL,
    fs_type         text NOT NULL,
    total_bytes     bigint NOT NULL,
    used_bytes      bigint NOT NULL,
    available_bytes bigint NOT NULL
$columns$);

SELECT muster_create_time_series('disk_samples', $columns$
    host_id           text NOT NULL,
    ts                timestamptz NOT NULL,
    device            text NOT NULL,
    read_bytes_per_s  bigint NOT NULL,
    write_bytes_per_s bigint NOT NULL,
    reads_per_s       real NOT NULL,
    writes_per_s      real NOT NULL
$columns$);

SELECT muster_create_time_series('network_samples', $columns$
    host_id          text NOT NULL,
    ts               timestamptz NOT NULL,
    interface        text NOT NULL,
    rx_bytes_per_s   bigint NOT NULL,
    tx_bytes_per_s   bigint NOT NULL,
    rx_packets_per_s real NOT NULL,
    tx_packets_per_s real NOT NULL,
    rx_errors_per_s  real NOT NULL,
    tx_errors_per_s  real NOT NULL
$columns$);

SELECT muster_create_time_series('sensor_samples', $columns$
    host_id text NOT NULL,
    ts      timestamptz NOT NULL,
    sensor  text NOT NULL,
    celsius real NOT NULL
$columns$);

-- The largest processes by CPU and by memory, once a frame.
SELECT muster_create_time_series('process_samples', $columns$
    host_id      text NOT NULL,
    ts           timestamptz NOT NULL,
    pid          bigint NOT NULL,
    name         text NOT NULL,
    cpu_percent  real NOT NULL,
    memory_bytes bigint NOT NULL
$columns$);

CREATE TABLE users (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    username      text NOT NULL UNIQUE,
    -- argon2id, PHC string format.
    password_hash text NOT NULL,
    role          text NOT NULL CHECK (role IN ('admin', 'operator', 'viewer')),
    created_at    timestamptz NOT NULL DEFAULT now()
);

-- A refresh token is used once; using it again means that it was stolen, and ends its family.
CREATE TABLE refresh_tokens (
    -- SHA-256 of the token: the database never holds what would sign somebody in.
    token_hash bytea PRIMARY KEY,
    family     uuid NOT NULL,
    user_id    bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX ON refresh_tokens (family);

-- What all gateways must share, such as the key that signs access tokens.
CREATE TABLE secrets (
    name  text PRIMARY KEY,
    value bytea NOT NULL
);
