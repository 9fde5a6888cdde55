//! The three questions asked of the gateway: is it ready, who am I, has this host reported.

use std::time::Duration;

use anyhow::{Context, Result};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use crate::stack_json::Admin;

/// One request over loopback; a gateway slower than this is not ready.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

pub struct Gateway {
    client: Client,
    url: String,
}

impl Gateway {
    pub fn new(url: &str) -> Result<Self> {
        let client = Client::builder().timeout(REQUEST_TIMEOUT).no_proxy().build();
        Ok(Self { client: client.context("could not make an HTTP client")?, url: url.to_owned() })
    }

    pub async fn is_ready(&self) -> bool {
        let response = self.client.get(format!("{}/readyz", self.url)).send().await;
        response.is_ok_and(|response| response.status() == StatusCode::OK)
    }

    /// An access token, or `None` if this name and password do not open the door.
    pub async fn login(&self, admin: &Admin) -> Result<Option<String>> {
        let body = json!({ "username": admin.username, "password": admin.password });
        let request = self.client.post(format!("{}/api/v1/auth/login", self.url)).json(&body);
        let response = request.send().await.context("could not log in to the gateway")?;
        if !response.status().is_success() {
            return Ok(None);
        }
        let answer: Value = response.json().await.context("the gateway's login made no sense")?;
        Ok(answer["access_token"].as_str().map(str::to_owned))
    }

    /// When the host's latest sample was taken, in ms since the Unix epoch.
    pub async fn latest_sample_at(&self, token: &str, host: &str) -> Option<u64> {
        let request = self.client.get(format!("{}/api/v1/hosts/{host}", self.url));
        let response = request.bearer_auth(token).send().await.ok()?;
        let host: Value = response.error_for_status().ok()?.json().await.ok()?;
        host["latest"]["at"].as_u64()
    }
}
