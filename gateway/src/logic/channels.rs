//! What is shown of a channel, and to whom. Its secrets are shown to nobody. Whoever may not change
//! channels has no use for what else may let others pretend to be Muster: the path of an address,
//! what a header says.

use muster_alerts::channel::is_secret_header;
use serde_json::{Value, json};

use super::address::server_of;

/// Shorter texts are not looked for in errors: they occur by chance.
const REDACTED_BYTES_MIN: usize = 6;

/// A definition as it is stored, for those who may change it or for all others. A header that was
/// stored before its name made a secret of it is one all the same.
pub fn shown(mut definition: Value, may_change: bool) -> Value {
    if let Some(headers) = definition.get_mut("headers").and_then(Value::as_object_mut) {
        for (name, value) in headers.iter_mut().filter(|(_, value)| value.is_string()) {
            if is_secret_header(name) {
                *value = json!({ "stored": true });
            } else if !may_change {
                *value = json!({ "hidden": true });
            }
        }
    }
    if !may_change && let Some(Value::String(url)) = definition.get_mut("url") {
        *url = server_of(url);
    }
    definition
}

/// What went wrong, without the address: receivers like to repeat what was asked of them.
pub fn error_shown(error: &str, definition: &Value) -> String {
    let Some(url) = definition.get("url").and_then(Value::as_str) else { return error.to_owned() };
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.find(['/', '?']).map_or("", |at| &rest[at..]);
    let error = error.replace(url, "the address");
    if path.len() < REDACTED_BYTES_MIN { error } else { error.replace(path, "/...") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhook() -> Value {
        json!({
            "kind": "webhook", "url": "https://hooks.example:8443/T1/hush?key=hush",
            "headers": { "X-Tenant": "web", "Authorization": "Bearer hush",
                         "X-Token": { "stored": true }, "X-Key": { "env": "MUSTER_CHANNEL_A" } },
        })
    }

    #[test]
    fn a_secret_is_shown_to_nobody_and_the_rest_to_whoever_may_change_it() {
        let headers = |may_change| shown(webhook(), may_change)["headers"].clone();
        let stored = json!({ "stored": true });
        let env = json!({ "env": "MUSTER_CHANNEL_A" });
        let expected = |tenant: Value| json!({ "X-Tenant": tenant, "Authorization": stored, "X-Token": stored, "X-Key": env });
        assert_eq!(headers(true), expected(json!("web")));
        assert_eq!(headers(false), expected(json!({ "hidden": true })));
        assert_eq!(shown(webhook(), true)["url"], webhook()["url"]);
        assert_eq!(shown(webhook(), false)["url"], "https://hooks.example:8443/...");
        assert!(!shown(webhook(), false).to_string().contains("hush"));
        for definition in [json!({ "kind": "slack", "url": { "stored": true } }), json!({})] {
            assert_eq!(shown(definition.clone(), false), definition);
        }
    }

    #[test]
    fn an_error_does_not_repeat_the_address() {
        for (error, expected) in [
            ("no answer within 10s", "no answer within 10s"),
            ("404: no route for /T1/hush?key=hush", "404: no route for /..."),
            ("https://hooks.example:8443/T1/hush?key=hush is gone", "the address is gone"),
        ] {
            assert_eq!(error_shown(error, &webhook()), expected);
        }
        let bare = json!({ "url": "https://hooks.example/" });
        assert_eq!(error_shown("a/b", &bare), "a/b");
        assert_eq!(error_shown("a/b", &json!({ "url": { "stored": true } })), "a/b");
    }
}
