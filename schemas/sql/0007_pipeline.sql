-- The pipeline: who works, and how it goes. What agents and the broker hold is asked of them.

-- One row a process, written by itself every few seconds and removed when it stops. A row that is
-- not written any more is that of a worker that is gone, paused, or cut off.
CREATE TABLE workers (
    -- Random: a process that is started again is another worker.
    id         text PRIMARY KEY,
    kind       text NOT NULL,
    hostname   text NOT NULL,
    pid        bigint NOT NULL,
    version    text NOT NULL,
    started_at timestamptz NOT NULL,
    seen_at    timestamptz NOT NULL DEFAULT now(),
    -- As schemas: workers::WorkerState.
    state      jsonb NOT NULL
) WITH (fillfactor = 50);
