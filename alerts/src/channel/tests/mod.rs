//! Definitions from the outside, and every kind of channel rendered.

mod definitions;
mod messages;

use serde_json::{Value, json};

use super::{Definition, Secrets};

/// One definition of each kind, with its secrets in it.
fn examples() -> Vec<Value> {
    vec![
        json!({
            "kind": "webhook",
            "url": "https://hooks.example/muster",
            "headers": { "X-Tenant": "ops", "Authorization": { "value": "Bearer hush-header" } },
            "secret": "hush-signature",
            "template": "{\"text\": \"{{title}}\"}",
            "per_minute": 60,
        }),
        json!({ "kind": "slack", "url": "https://chat.example/hush-slack" }),
        json!({ "kind": "mattermost", "url": "https://chat.example/hush-mm", "channel": "ops" }),
        json!({ "kind": "discord", "url": "https://chat.example/hush-discord" }),
        json!({ "kind": "teams", "url": "https://chat.example/hush-teams" }),
        json!({
            "kind": "email",
            "host": "mail.example",
            "username": "muster",
            "password": "hush-password",
            "from": "Muster <muster@example.org>",
            "to": ["ops@example.org", "Boss <boss@example.org>"],
        }),
        json!({ "kind": "pagerduty", "routing_key": "hush-routing" }),
        json!({ "kind": "opsgenie", "api_key": "hush-key", "url": "https://genie.example/" }),
        json!({ "kind": "ntfy", "topic": "ops", "token": "hush-ntfy" }),
        json!({ "kind": "gotify", "url": "https://gotify.example", "token": "hush-gotify" }),
        json!({ "kind": "telegram", "token": "123:hush-telegram", "chat_id": "-100123" }),
    ]
}

/// As a worker has it: the definition as stored, and its secrets.
fn stored(value: &Value) -> (Definition, Secrets) {
    let mut definition = Definition::parse(value).unwrap();
    let secrets = definition.replace(None).unwrap();
    (Definition::parse(&definition.to_value()).unwrap(), secrets)
}
