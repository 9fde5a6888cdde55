//! Requests to receivers.
//!
//! One attempt has ten seconds. No redirect is followed, and of an answer no more than its
//! beginning is read. Once a server has said that it has a notification, nothing that happens to
//! the rest of its answer makes us send it again. A proxy that the environment names is used.

use std::error::Error;
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::{Response, Uri, header};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use tokio::time::{Instant, timeout_at};

use super::tls::Roots;
use muster_alerts::channel::answer::judge;
use muster_alerts::channel::retry::Failure;
use muster_alerts::channel::{Request, Secrets};

/// Longer than any receiver needs that works. A slot is taken meanwhile.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A server that does not take a connection in this time takes no request either.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The beginning of an answer. What a person is shown of it is shorter still.
const ANSWER_BYTES_MAX: usize = 4 * 1024;

/// The most bytes of an answer's head.
const HEAD_BYTES_MAX: usize = 32 * 1024;

/// Connections that are kept to one server, and for how long: a storm's notifications come
/// together, other ones do not.
const IDLE_CONNECTIONS: usize = 2;
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

type Direct = HttpsConnector<HttpConnector>;

pub(crate) struct Http {
    client: Client<Direct, Full<Bytes>>,
    proxies: Matcher,
    tls: ClientConfig,
    timeout: Duration,
}

impl Http {
    pub(crate) fn new(roots: &Roots) -> Result<Self> {
        let tls = roots.client_config()?;
        let client = builder().build(direct(&tls));
        Ok(Self { client, proxies: Matcher::from_env(), tls, timeout: TIMEOUT })
    }

    #[cfg(test)]
    pub(super) fn for_test(roots: &Roots, timeout: Duration, proxies: Matcher) -> Self {
        Self { proxies, timeout, ..Self::new(roots).unwrap() }
    }

    /// One attempt. What the answer repeats of `secrets` is told to nobody.
    pub(crate) async fn send(&self, request: Request, secrets: &Secrets) -> Result<(), Failure> {
        self.exchange(build(request)?, secrets).await
    }

    /// One request of an address, for nothing but to be heard there.
    pub(crate) async fn get(&self, url: &str) -> Result<(), Failure> {
        let uri: Uri = url.parse().map_err(|_| unusable("the address"))?;
        let request = hyper::Request::get(uri).body(Full::default());
        let request = request.map_err(|_| unusable("the address"))?;
        self.exchange(request, &Secrets::default()).await
    }

    async fn exchange(
        &self,
        request: hyper::Request<Full<Bytes>>,
        secrets: &Secrets,
    ) -> Result<(), Failure> {
        let deadline = Instant::now() + self.timeout;
        let answer = match self.proxies.intercept(request.uri()) {
            None => timeout_at(deadline, self.client.request(request)).await,
            Some(proxy) => {
                let client = self.by_way_of(&proxy)?;
                timeout_at(deadline, client.request(request)).await
            }
        };
        match answer {
            Err(_) => Err(Failure::passing(format!("no answer within {:?}", self.timeout))),
            Ok(Err(error)) => Err(Failure::passing(chain(&error))),
            Ok(Ok(answer)) => heard(answer, secrets, deadline).await,
        }
    }

    fn by_way_of(
        &self,
        proxy: &Intercept,
    ) -> Result<Client<HttpsConnector<Tunnel<Direct>>, Full<Bytes>>, Failure> {
        if !matches!(proxy.uri().scheme_str(), Some("http" | "https")) {
            let reason = "the environment names a proxy that does not speak HTTP";
            return Err(Failure::passing(reason));
        }
        let mut tunnel = Tunnel::new(proxy.uri().clone(), direct(&self.tls));
        if let Some(authorization) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(authorization.clone());
        }
        Ok(builder().build(HttpsConnector::from((tunnel, self.tls.clone()))))
    }
}

fn builder() -> hyper_util::client::legacy::Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    builder
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .http1_max_buf_size(HEAD_BYTES_MAX);
    builder
}

fn direct(tls: &ClientConfig) -> Direct {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    tcp.set_nodelay(true);
    HttpsConnector::from((tcp, tls.clone()))
}

fn build(request: Request) -> Result<hyper::Request<Full<Bytes>>, Failure> {
    let uri: Uri = request.url.parse().map_err(|_| unusable("the address"))?;
    let mut built = hyper::Request::post(uri);
    for (name, value) in request.headers {
        built = built.header(name, value);
    }
    built.body(Full::new(request.body.into())).map_err(|_| unusable("a header"))
}

/// Which one it is would be told, but it may be a secret.
fn unusable(what: &str) -> Failure {
    Failure::passing(format!("{what} of the channel cannot be used"))
}

async fn heard(
    answer: Response<Incoming>,
    secrets: &Secrets,
    deadline: Instant,
) -> Result<(), Failure> {
    let status = answer.status().as_u16();
    if answer.status().is_success() {
        return Ok(());
    }
    let retry_after = answer.headers().get(header::RETRY_AFTER).cloned();
    let retry_after = retry_after.as_ref().and_then(|value| value.to_str().ok());
    let body = beginning(answer.into_body(), deadline).await;
    judge(status, retry_after, &body, secrets)
}

/// What comes of the answer in time, up to a limit; one that breaks off is as good as it is.
async fn beginning(
    mut body: impl Body<Data = Bytes, Error = hyper::Error> + Unpin,
    deadline: Instant,
) -> Vec<u8> {
    let mut begun = Vec::new();
    while begun.len() < ANSWER_BYTES_MAX
        && let Ok(Some(Ok(frame))) = timeout_at(deadline, body.frame()).await
    {
        if let Some(data) = frame.data_ref() {
            let room = ANSWER_BYTES_MAX - begun.len();
            begun.extend_from_slice(&data[..data.len().min(room)]);
        }
    }
    begun
}

/// The whole chain on one line: its last link is what an operator needs.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let link = error.to_string();
        if !text.ends_with(&link) {
            text = format!("{text}: {link}");
        }
        next = error.source();
    }
    text
}
