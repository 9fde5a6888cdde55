# The images of all services: `docker build --target gateway .`. Needs BuildKit, for the caches.

# The dashboard, which the gateway carries inside.
FROM node:24-bookworm-slim AS web
WORKDIR /src/gateway/web
# Packages first: they change less often than the sources.
COPY gateway/web/package.json gateway/web/package-lock.json gateway/web/.npmrc ./
RUN --mount=type=cache,target=/root/.npm npm ci --no-audit --no-fund
COPY gateway/web ./
RUN npm run build

# All services at once: they share nearly all of their dependencies.
FROM rust:1-bookworm AS build
WORKDIR /src
COPY . .
COPY --from=web /src/gateway/web/dist gateway/web/dist
# The caches are not part of the image, so the binaries are copied out of them. One build at a time
# has them.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,sharing=locked \
    cargo build --release --locked --bins \
        --package muster-agent --package muster-ingest-worker \
        --package muster-alert-worker --package muster-gateway \
    && mkdir /out \
    && cp target/release/muster-agent target/release/muster-ingest-worker \
        target/release/muster-alert-worker target/release/muster-gateway /out/

# The same Debian as the builder's: the binaries use its C library.
FROM debian:bookworm-slim AS runtime
# For a bus that is reached by TLS. Nothing is installed, so no package list is fetched.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
# muster-is-ready PORT: asks /readyz. The image has bash and needs no HTTP client for this.
RUN groupadd --gid 10001 muster \
    && useradd --uid 10001 --gid muster --no-create-home --home-dir /nonexistent \
        --shell /usr/sbin/nologin muster \
    && printf '%s\n' \
        '#!/bin/bash' \
        'exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1' \
        'printf "GET /readyz HTTP/1.0\r\n\r\n" >&3' \
        'read -r -t 3 status <&3' \
        '[[ $status == HTTP/*" 200 "* ]]' \
        >/usr/local/bin/muster-is-ready \
    && chmod 755 /usr/local/bin/muster-is-ready
USER 10001:10001

FROM runtime AS agent
# Most logs, the runtime's socket and what processes read and write are for root alone to see. What
# it needs of root's privileges is little: see docker-compose.yml. A new volume takes over the owner
# of what it covers.
USER root
RUN install --directory --mode=0700 /var/lib/muster-agent
COPY --from=build /out/muster-agent /usr/local/bin/
ENTRYPOINT ["muster-agent"]

FROM runtime AS ingest-worker
COPY --from=build /out/muster-ingest-worker /usr/local/bin/
EXPOSE 9101
ENTRYPOINT ["muster-ingest-worker"]

FROM runtime AS alert-worker
COPY --from=build /out/muster-alert-worker /usr/local/bin/
EXPOSE 9102
ENTRYPOINT ["muster-alert-worker"]

FROM runtime AS gateway
COPY --from=build /out/muster-gateway /usr/local/bin/
EXPOSE 3000
ENTRYPOINT ["muster-gateway"]
