//! The gateway as a browser sees it: REST with a token, and the WebSocket.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::wait::PATIENCE;

pub struct Api {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Api {
    pub async fn sign_in(url: &str, username: &str, password: &str) -> Result<Self> {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(30)).build()?;
        let credentials = json!({ "username": username, "password": password });
        let answer =
            http.post(format!("{url}/api/v1/auth/login")).json(&credentials).send().await?;
        let status = answer.status();
        let body: Value = answer.json().await?;
        ensure!(status.is_success(), "sign-in answered {status}: {body}");
        let token = body["access_token"].as_str().context("no access_token")?.to_owned();
        Ok(Self { http, url: url.to_owned(), token })
    }

    /// The same with another token.
    #[must_use]
    pub fn with_token(self, token: &str) -> Self {
        Self { token: token.to_owned(), ..self }
    }

    /// Status and JSON body of a `GET` below `/api/v1`.
    pub async fn get(&self, path: &str) -> Result<(u16, Value)> {
        let request = self.http.get(format!("{}/api/v1{path}", self.url)).bearer_auth(&self.token);
        let answer = request.send().await?;
        Ok((answer.status().as_u16(), answer.json().await?))
    }

    /// Status, content type and body of a `GET` below `/api/v1` that does not answer JSON.
    pub async fn text(&self, path: &str) -> Result<(u16, String, String)> {
        let request = self.http.get(format!("{}/api/v1{path}", self.url)).bearer_auth(&self.token);
        let answer = request.send().await?;
        let kind = answer.headers().get("content-type").and_then(|value| value.to_str().ok());
        let kind = kind.unwrap_or_default().to_owned();
        Ok((answer.status().as_u16(), kind, answer.text().await?))
    }

    /// Status and JSON body of a `PUT` below `/api/v1`.
    pub async fn put(&self, path: &str, body: &Value) -> Result<(u16, Value)> {
        let request = self.http.put(format!("{}/api/v1{path}", self.url)).bearer_auth(&self.token);
        let answer = request.json(body).send().await?;
        Ok((answer.status().as_u16(), answer.json().await?))
    }

    /// Status and JSON body, null where there is none, of a `POST` below `/api/v1`.
    pub async fn post(&self, path: &str, body: &Value) -> Result<(u16, Value)> {
        let request = self.http.post(format!("{}/api/v1{path}", self.url)).bearer_auth(&self.token);
        let answer = request.json(body).send().await?;
        Ok((answer.status().as_u16(), answer.json().await.unwrap_or_default()))
    }

    /// As [`Api::post`], of text that need not be JSON.
    pub async fn post_text(&self, path: &str, text: String) -> Result<(u16, Value)> {
        let request = self.http.post(format!("{}/api/v1{path}", self.url)).bearer_auth(&self.token);
        let answer = request.header("content-type", "application/json").body(text).send().await?;
        Ok((answer.status().as_u16(), answer.json().await.unwrap_or_default()))
    }

    /// As [`Api::put`], of text that need not be JSON.
    pub async fn put_text(&self, path: &str, text: String) -> Result<(u16, Value)> {
        let request = self.http.put(format!("{}/api/v1{path}", self.url)).bearer_auth(&self.token);
        let answer = request.header("content-type", "application/json").body(text).send().await?;
        Ok((answer.status().as_u16(), answer.json().await?))
    }

    /// As [`Api::post`], for `DELETE`.
    pub async fn delete(&self, path: &str) -> Result<(u16, Value)> {
        let url = format!("{}/api/v1{path}", self.url);
        let answer = self.http.delete(url).bearer_auth(&self.token).send().await?;
        Ok((answer.status().as_u16(), answer.json().await.unwrap_or_default()))
    }

    /// As [`Api::get`], where anything but 200 is an error.
    pub async fn read(&self, path: &str) -> Result<Value> {
        match self.get(path).await? {
            (200, body) => Ok(body),
            (status, body) => bail!("{path} answered {status}: {body}"),
        }
    }

    pub async fn open_socket(&self) -> Result<Socket> {
        let url = format!("{}/api/v1/ws", self.url.replacen("http", "ws", 1));
        let (stream, _) = connect_async(url).await.context("no WebSocket")?;
        let mut socket = Socket { stream };
        socket.send(json!({ "type": "auth", "token": self.token })).await?;
        socket.next_of("ready").await?;
        Ok(socket)
    }
}

pub struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Socket {
    pub async fn send(&mut self, frame: Value) -> Result<()> {
        Ok(self.stream.send(Message::text(frame.to_string())).await?)
    }

    pub async fn subscribe(&mut self, topic: &str) -> Result<()> {
        self.send(json!({ "type": "subscribe", "topic": topic })).await
    }

    /// The next frame of a type; others are passed over.
    pub async fn next_of(&mut self, frame_type: &str) -> Result<Value> {
        let wanted = async {
            while let Some(message) = self.stream.next().await {
                if let Message::Text(text) = message? {
                    let frame: Value = serde_json::from_str(&text)?;
                    if frame["type"] == frame_type {
                        return Ok(frame);
                    }
                }
            }
            bail!("the socket was closed")
        };
        timeout(PATIENCE, wanted).await.with_context(|| format!("no frame {frame_type:?}"))?
    }
}
