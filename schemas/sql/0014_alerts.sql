-- Alerting: the rules, silences and channels that people edit, the tickets and what became of
-- them, what is to be sent, and who decides about which hosts.

CREATE TABLE rules (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Grows with each change: a candidate says by which one it was judged.
    version    bigint NOT NULL DEFAULT 1,
    -- As alerts: rule::RuleDefinition.
    definition jsonb NOT NULL,
    -- Made by the first start, not by a person.
    is_default boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by text,
    -- Tickets refer to it: a rule that was deleted is only no longer in force.
    deleted_at timestamptz
);

-- Each definition a rule had.
CREATE TABLE rule_versions (
    rule_id    bigint NOT NULL REFERENCES rules (id),
    version    bigint NOT NULL,
    definition jsonb NOT NULL,
    at         timestamptz NOT NULL DEFAULT now(),
    by         text,
    PRIMARY KEY (rule_id, version)
);

-- Tickets are opened and nobody is paged.
CREATE TABLE silences (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- As alerts: selector; empty: every host.
    selector   text NOT NULL,
    -- Absent: of every rule.
    rule_id    bigint REFERENCES rules (id),
    reason     text NOT NULL,
    author     text NOT NULL,
    starts_at  timestamptz NOT NULL,
    ends_at    timestamptz,
    -- Of a maintenance window that comes again: weekdays, time of day, duration, time zone.
    recurrence jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- Somebody ended it before its time.
    ended_at   timestamptz,
    ended_by   text
);

-- Where notifications go.
CREATE TABLE channels (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL,
    kind       text NOT NULL,
    -- As alerts: channel; without what is secret.
    definition jsonb NOT NULL,
    -- Encrypted.
    secrets    bytea,
    -- Gets what a rule gives to no channel of its own.
    is_default boolean NOT NULL DEFAULT false,
    enabled    boolean NOT NULL DEFAULT true,
    -- Grows with each change.
    version    bigint NOT NULL DEFAULT 1,
    -- Until when what it was given is paid for by its rate: shared by all who send.
    paid_until timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by text,
    -- Notifications refer to it, so that a ticket goes on to show whom it was told to: a channel that
    -- was deleted is switched off, and nothing is left of where it went.
    deleted_at timestamptz
);
CREATE UNIQUE INDEX ON channels (name) WHERE deleted_at IS NULL;

-- Which alert workers are at work, by this database's clock. Written every two seconds; `workers`
-- says how they fare, too seldom for this.
CREATE TABLE alert_workers (
    -- That of `workers`.
    id          text PRIMARY KEY,
    lease_until timestamptz NOT NULL
) WITH (fillfactor = 50);

-- Who decides about the hosts of a partition, and how far it has heard them. A change of owner adds
-- one to `epoch`; whoever commits a decision names the epoch and the offset it began with, in the
-- same transaction, and so finds out that it is no longer the owner.
CREATE TABLE alert_partitions (
    -- 0 to 31, and 32 for the fleet.
    partition         integer PRIMARY KEY CHECK (partition BETWEEN 0 AND 32),
    -- Absent: nobody.
    owner             text,
    epoch             bigint NOT NULL DEFAULT 0,
    lease_until       timestamptz NOT NULL DEFAULT '-infinity',
    -- All up to this message of the stream SIGNALS was decided about; when the bus stored it.
    last_seq          bigint NOT NULL DEFAULT 0,
    last_at           timestamptz,
    -- How often something was decided. Whoever commits names it, so that a commit of which nobody
    -- knows whether it came through is not made twice.
    decisions         bigint NOT NULL DEFAULT 0,
    -- When that was last done: once a minute at least, where all is well.
    decided_at        timestamptz,
    -- Before this nothing could be heard for a while.
    heard_from        timestamptz,
    -- Sequence numbers are those of this stream and of no other of its name.
    stream_created_at timestamptz
) WITH (fillfactor = 50);
INSERT INTO alert_partitions (partition) SELECT generate_series(0, 32);

-- What is not calm, so that another worker goes on in the middle of it.
CREATE TABLE alert_states (
    partition integer NOT NULL,
    rule_id   bigint NOT NULL,
    -- Empty for a group of hosts.
    host_id   text NOT NULL,
    -- Empty for a metric that a host has once.
    instance  text NOT NULL,
    -- As alerts: engine::State.
    state     jsonb NOT NULL,
    PRIMARY KEY (rule_id, host_id, instance)
) WITH (fillfactor = 70);
CREATE INDEX ON alert_states (partition);

-- Tickets: one an episode.
CREATE TABLE alerts (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Of the episode, so that a ticket which is opened again is recognised.
    key             text NOT NULL UNIQUE,
    rule_id         bigint NOT NULL REFERENCES rules (id),
    rule_version    bigint NOT NULL,
    -- Absent for a group of hosts.
    host_id         text,
    instance        text NOT NULL DEFAULT '',
    metric          text NOT NULL,
    priority        text NOT NULL CHECK (priority IN ('low', 'medium', 'high', 'critical')),
    status          text NOT NULL CHECK (status IN ('open', 'acknowledged', 'resolved')),
    title           text NOT NULL,
    description     text NOT NULL,
    recommendation  text NOT NULL DEFAULT '',
    value           double precision,
    threshold       double precision,
    begun_at        timestamptz NOT NULL,
    opened_at       timestamptz NOT NULL,
    acknowledged_at timestamptz,
    acknowledged_by text,
    resolved_at     timestamptz,
    -- How it ended: recovered, superseded, by hand, ...
    resolution      text,
    is_late         boolean NOT NULL DEFAULT false,
    is_silenced     boolean NOT NULL DEFAULT false,
    is_flapping     boolean NOT NULL DEFAULT false,
    -- The key of the ticket of a higher priority.
    superseded_by   text,
    -- Of the notice with which it was first told: what is said of it later belongs to that.
    thread          text,
    -- The largest processes, the fullest filesystem.
    context         jsonb NOT NULL DEFAULT '{}'
) WITH (fillfactor = 80);
CREATE INDEX ON alerts (opened_at DESC, id DESC);
CREATE INDEX ON alerts (host_id, opened_at DESC);
CREATE INDEX ON alerts (rule_id, opened_at DESC);
-- The inbox: few of many.
CREATE INDEX ON alerts (opened_at DESC) WHERE status <> 'resolved';
CREATE INDEX ON alerts (thread) WHERE status <> 'resolved';

-- What happened to a ticket, comments included.
CREATE TABLE alert_history (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id bigint NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
    at       timestamptz NOT NULL,
    kind     text NOT NULL,
    -- Absent: the engine.
    by       text,
    detail   jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX ON alert_history (alert_id, id);

-- What is to be sent and what became of it.
CREATE TABLE notifications (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Goes out with it, so that a receiver recognises one that comes twice.
    key             text NOT NULL UNIQUE,
    channel_id      bigint NOT NULL REFERENCES channels (id),
    alert_ids       bigint[] NOT NULL,
    kind            text NOT NULL,
    payload         jsonb NOT NULL,
    -- The incident it belongs to: its end must not come before its beginning.
    thread          text GENERATED ALWAYS AS (payload ->> 'thread') STORED,
    state           text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sent', 'dead')),
    attempts        integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    -- By a worker that is sending it; after this another may.
    claimed_until   timestamptz,
    claimed_by      text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    sent_at         timestamptz,
    -- Of the last attempt, or of recipients that did not want it.
    error           text,
    -- Of a mail: recipients that have it and do not get it again.
    told_to         text[] NOT NULL DEFAULT '{}',
    -- What leaves first, where a channel takes less than it is given: a test, for which a person
    -- waits, then by priority, and of each what is open before what is over.
    urgency         integer NOT NULL GENERATED ALWAYS AS (
        CASE kind WHEN 'test' THEN 0 WHEN 'resolved' THEN 1 ELSE 0 END
        + CASE WHEN kind = 'test' THEN 0 ELSE
            CASE payload ->> 'priority'
                WHEN 'critical' THEN 2 WHEN 'high' THEN 4 WHEN 'medium' THEN 6 ELSE 8
            END
        END
    ) STORED
) WITH (fillfactor = 70);
CREATE INDEX ON notifications (next_attempt_at) WHERE state = 'pending';
CREATE INDEX ON notifications (channel_id, id DESC);
CREATE INDEX ON notifications USING gin (alert_ids);
-- What waits for a channel: what leaves first, and what is older than another.
CREATE INDEX ON notifications (channel_id, urgency, id) WHERE state = 'pending';
CREATE INDEX ON notifications (channel_id, id) WHERE state = 'pending';

-- Whom to tell of what, before those of one cause are gathered into notifications. Written with the
-- decision, gone with the notification.
CREATE TABLE pages (
    -- As alerts: engine::PageRequest::key.
    key        text PRIMARY KEY,
    alert_key  text NOT NULL,
    rule_id    bigint NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('opened', 'escalated', 'resolved')),
    -- Ids; empty: the default channels.
    channels   bigint[] NOT NULL,
    -- As alerts: engine::PageRequest.
    request    jsonb NOT NULL,
    -- By this database's clock, which all who gather go by.
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- What came of a cause until now: whether what follows is a storm, and which incident takes it.
CREATE TABLE notice_causes (
    rule_id         bigint NOT NULL,
    kind            text NOT NULL,
    channels        bigint[] NOT NULL,
    -- Its newest incident, and when that began. Absent before one began.
    thread          text,
    thread_began_at timestamptz,
    -- When the newest pages came that were taken out to be told: a handful.
    came_at         timestamptz[] NOT NULL,
    PRIMARY KEY (rule_id, kind, channels)
);

-- What people did to tickets, for the owner of the partition, who takes it out with what follows.
CREATE TABLE alert_commands (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_key text NOT NULL,
    kind      text NOT NULL CHECK (kind IN ('acknowledged', 'unacknowledged', 'resolved')),
    by        text NOT NULL,
    at        timestamptz NOT NULL DEFAULT now()
);

-- Hosts that came and went, for the owners of their partitions: a row for that of the host and one
-- for the fleet, written with the change itself. The owner takes them out with what follows from
-- them, so that none is missed whoever is the owner.
CREATE TABLE presence_changes (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    partition integer NOT NULL,
    host_id   text NOT NULL,
    status    text NOT NULL CHECK (status IN ('online', 'offline')),
    at        timestamptz NOT NULL,
    -- What it was before; absent for a host that was not known.
    was       text,
    was_since timestamptz
);
CREATE INDEX ON presence_changes (partition, at);

-- The host's clock minus the bus's, as its last heartbeat said.
ALTER TABLE host_presence ADD COLUMN clock_offset_ms bigint;

-- Grows with each change of the labels, by which rules choose hosts: drawn from
-- `agent_settings_version` as all that concerns agents. Negative: they have changed, and a gateway
-- is to draw one.
ALTER TABLE hosts ADD COLUMN labels_version bigint NOT NULL DEFAULT 0;
CREATE INDEX ON hosts (id) WHERE labels_version < 0;

-- The same for the rules, whose conditions agents judge.
CREATE TABLE rule_changes (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    version bigint NOT NULL DEFAULT 0
);
INSERT INTO rule_changes DEFAULT VALUES;

-- What is done once in the life of an installation, such as making the default rules: never again
-- after a person has deleted them.
CREATE TABLE done_once (
    name text PRIMARY KEY,
    at   timestamptz NOT NULL DEFAULT now()
);

-- The address that is requested as long as all works, so that its silence tells of our own death.
CREATE TABLE deadman (
    is_only    boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    version    bigint NOT NULL DEFAULT 0,
    -- Absent: none is requested.
    url        text,
    interval_s integer NOT NULL DEFAULT 60 CHECK (interval_s BETWEEN 30 AND 3600),
    updated_at timestamptz,
    updated_by text,
    -- Of the last request.
    last_at    timestamptz,
    last_error text,
    -- When it was last answered as it should be.
    last_ok_at timestamptz
);
INSERT INTO deadman DEFAULT VALUES;

-- How the channels of the last day fared, what went wrong last, and what was given up.
CREATE INDEX ON notifications (created_at);
CREATE INDEX ON notifications (channel_id, id DESC) WHERE error IS NOT NULL;
CREATE INDEX ON notifications (id) WHERE state = 'dead';
