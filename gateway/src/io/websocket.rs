//! `GET /api/v1/ws`: one task a browser, which reads what it asks for and sends what its mailbox
//! holds, as fast as the browser takes it.

mod frames;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{ConnectInfo, State};
use axum::http::HeaderMap;
use axum::response::Response;
use muster_runtime::now_ms;
use serde::Deserialize;
use tokio::time::{MissedTickBehavior, interval_at, sleep, timeout};
use tracing::debug;
use utoipa::IntoParams;

use self::frames::{ClientFrame, READY, subscribed};
use super::from_bus::{Hub, Listener, error_frame};
use super::from_postgres::hosts::is_known;
use super::http::extract::{Query, bearer};
use super::http::{Gateway, Problem};
use super::tokens::Claims;
use crate::logic::mailbox::Shared;
use crate::logic::topic::Topic;

/// What a browser says is a topic or a token; a token is some 200 bytes.
const CLIENT_FRAME_BYTES_MAX: usize = 4 * 1024;

/// How long a connection may stay without saying who it is.
const AUTH_TIMEOUT: Duration = Duration::from_secs(10);

/// Proxies cut connections that are silent for a minute or even half of one.
const PING_EVERY: Duration = Duration::from_secs(20);

/// Three pings without a sign of life: the browser is gone, whatever the network says.
const IDLE_MAX: Duration = Duration::from_secs(65);

/// How long one frame may take: a browser that is slower than this has stopped reading.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections of one gateway, some 20 kB each; run a second gateway for more.
const CLIENTS_MAX: usize = 5_000;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SocketQuery {
    /// An access token, for clients that cannot send it in a header or in the first frame.
    token: Option<String>,
}

/// Live values: JSON text frames, described in the introduction.
#[utoipa::path(
    get, path = "/ws", tag = "live", params(SocketQuery),
    responses((status = 101, description = "The connection is a WebSocket now"),
              (status = 401, description = "The token is not valid", body = super::http::ProblemBody))
)]
pub(crate) async fn open(
    State(gateway): State<Arc<Gateway>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Query(query): Query<SocketQuery>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Problem> {
    let token = bearer(&headers).map(ToOwned::to_owned).or(query.token);
    let claims = match token {
        Some(token) => Some(gateway.tokens.check(&token).ok_or_else(Problem::bad_token)?),
        None => None,
    };
    if gateway.sockets.len() >= CLIENTS_MAX {
        return Err(Problem::unavailable("too many live connections: try again later"));
    }
    let upgrade =
        upgrade.max_message_size(CLIENT_FRAME_BYTES_MAX).max_frame_size(CLIENT_FRAME_BYTES_MAX);
    Ok(upgrade.on_upgrade(move |socket| async move {
        let sockets = gateway.sockets.clone();
        let session = Session::new(gateway, socket, claims);
        debug!(%peer, "a browser listens");
        sockets.track_future(session.run()).await;
    }))
}

/// Why a session ends, and what the browser is told.
enum End {
    /// It has gone, or does not answer.
    Gone,
    Refused(&'static str),
    GatewayStops,
}

struct Session {
    gateway: Arc<Gateway>,
    socket: WebSocket,
    listener: Listener,
    claims: Option<Claims>,
    opened: Instant,
    heard: Instant,
}

impl Session {
    fn new(gateway: Arc<Gateway>, socket: WebSocket, claims: Option<Claims>) -> Self {
        let hub: &Hub = &gateway.hub;
        let listener = hub.join();
        let now = Instant::now();
        Self { listener, gateway, socket, claims, opened: now, heard: now }
    }

    async fn run(mut self) {
        let end = match self.serve().await {
            Ok(()) => End::GatewayStops,
            Err(end) => end,
        };
        let (code, reason) = match end {
            End::Gone => return,
            End::Refused(reason) => {
                let _ = self.send(&error_frame(None, reason)).await;
                (close_code::POLICY, reason)
            }
            End::GatewayStops => (close_code::AWAY, "the gateway stops"),
        };
        let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
        let farewell = self.socket.send(Message::Close(Some(frame)));
        // A browser that does not take it notices soon enough.
        let _ = timeout(Duration::from_secs(1), farewell).await;
    }

    /// Until the gateway stops (`Ok`) or the session ends for another reason.
    async fn serve(&mut self) -> Result<(), End> {
        if self.claims.is_some() {
            self.send(&READY.into()).await?;
        }
        let stop = self.gateway.stop.clone();
        let mut ping = interval_at(tokio::time::Instant::now() + PING_EVERY, PING_EVERY);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let (left, reason) = self.time_left();
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = sleep(left) => return Err(End::Refused(reason)),
                message = self.socket.recv() => {
                    let message = message.and_then(Result::ok).ok_or(End::Gone)?;
                    self.heard = Instant::now();
                    self.hear(message).await?;
                }
                () = self.listener.rung() => {
                    while let Some(frame) = self.listener.take() {
                        self.send(&frame).await?;
                    }
                }
                _ = ping.tick() => self.ping().await?,
            }
        }
    }

    /// How long the session may go on as it is, and what to say then.
    fn time_left(&self) -> (Duration, &'static str) {
        match &self.claims {
            Some(claims) => {
                let left_ms = claims.exp * 1_000 - now_ms();
                (Duration::from_millis(left_ms.try_into().unwrap_or(0)), "session expired")
            }
            None => (AUTH_TIMEOUT.saturating_sub(self.opened.elapsed()), "no token came in time"),
        }
    }

    async fn hear(&mut self, message: Message) -> Result<(), End> {
        match message {
            Message::Text(text) => self.obey(&text).await,
            Message::Close(_) => Err(End::Gone),
            Message::Binary(_) => Err(End::Refused("frames are JSON text")),
            Message::Ping(_) | Message::Pong(_) => Ok(()),
        }
    }

    async fn obey(&mut self, text: &str) -> Result<(), End> {
        match serde_json::from_str(text) {
            Ok(ClientFrame::Auth { token }) => self.sign_in(&token).await,
            _ if self.claims.is_none() => Err(End::Refused("the first frame has to be auth")),
            Ok(ClientFrame::Subscribe { topic }) => match self.subscribe(&topic).await {
                Ok(frame) | Err(frame) => self.send(&frame).await,
            },
            Ok(ClientFrame::Unsubscribe { topic }) => {
                if let Ok(topic) = topic.parse() {
                    self.listener.stop_listening(&topic);
                }
                Ok(())
            }
            Err(error) => {
                let reason = format!("the frame cannot be read: {error}");
                self.send(&error_frame(None, &reason)).await
            }
        }
    }

    async fn sign_in(&mut self, token: &str) -> Result<(), End> {
        let claims = self.gateway.tokens.check(token);
        self.claims = Some(claims.ok_or(End::Refused("the token is not valid or has expired"))?);
        self.send(&READY.into()).await
    }

    /// The frame that answers a wish, good or bad.
    async fn subscribe(&mut self, name: &str) -> Result<Shared, Shared> {
        let topic: Topic = name.parse().map_err(|error| frames::error_about(name, &error))?;
        if let Some(host) = topic.host() {
            let reason = match is_known(&self.gateway.pool, host.as_str()).await {
                Ok(true) => None,
                Ok(false) => Some(format!("there is no host {host}")),
                Err(error) => {
                    tracing::warn!("cannot look for host {host}: {error:#}");
                    Some("the database does not answer: try again later".to_owned())
                }
            };
            if let Some(reason) = reason {
                return Err(error_frame(Some(&topic), &reason));
            }
        }
        let listening = self.listener.listen(&topic);
        listening.map_err(|error| error_frame(Some(&topic), &error.to_string()))?;
        Ok(subscribed(&topic))
    }

    async fn ping(&mut self) -> Result<(), End> {
        if self.heard.elapsed() > IDLE_MAX {
            return Err(End::Gone);
        }
        self.deliver(Message::Ping(bytes::Bytes::new())).await
    }

    async fn send(&mut self, frame: &Shared) -> Result<(), End> {
        self.deliver(Message::Text(Utf8Bytes::from(frame.to_string()))).await
    }

    async fn deliver(&mut self, message: Message) -> Result<(), End> {
        let stop = self.gateway.stop.clone();
        tokio::select! {
            sent = timeout(SEND_TIMEOUT, self.socket.send(message)) => match sent {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) | Err(_) => Err(End::Gone),
            },
            () = stop.cancelled() => Err(End::GatewayStops),
        }
    }
}
