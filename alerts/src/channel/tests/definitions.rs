//! What is accepted, what is refused by name, and that no secret comes out again.

use serde_json::{Value, json};

use super::super::secret::Secret;
use super::super::{Definition, KINDS, Secrets};
use super::{examples, stored};

#[test]
fn each_kind_is_read_and_written_again_without_its_secrets() {
    let kinds: Vec<Value> = examples().iter().map(|example| example["kind"].clone()).collect();
    assert_eq!(kinds, KINDS);
    for example in examples() {
        let given = Definition::parse(&example).unwrap();
        for written in [given.to_value().to_string(), format!("{given:?}")] {
            assert!(!written.contains("hush"), "{written}");
        }
        let (definition, secrets) = stored(&example);
        assert!(!secrets.is_empty(), "{}", example["kind"]);
        for (field, secret) in definition.secrets() {
            assert_eq!(secret, Secret::Stored);
            assert!(secrets.get(&field).unwrap().expose().contains("hush"));
        }
        assert!(!format!("{secrets:?}").contains("hush"));
    }
}

fn refusal(change: impl FnOnce(&mut Value), kind: &str) -> String {
    let mut example = examples().into_iter().find(|example| example["kind"] == kind).unwrap();
    change(&mut example);
    Definition::parse(&example).unwrap_err().to_string()
}

fn check(kind: &str, field: &str, value: &Value, expected: &str) {
    let said = refusal(|example| example[field] = value.clone(), kind);
    assert!(said.starts_with(expected), "{said}, expected {expected}");
    assert!(!said.contains("hush"), "{said}");
}

#[test]
fn nonsense_is_refused_and_the_field_is_named() {
    check("webhook", "kind", &json!("pigeon"), "kind is \"pigeon\", expected one of webhook,");
    check("webhook", "url", &json!("ftp://x"), "url is \"ftp://x\", expected an address");
    check("webhook", "url", &json!("https://me:hush@x/"), "url is \"***@x/\", expected");
    check("webhook", "url", &json!({ "value": "hush hush" }), "url is something else");
    check("webhook", "url", &json!({ "env": "lower" }), "url.env is \"lower\"");
    check("webhook", "headers", &json!({ "Host": "x" }), "headers.Host is set");
    check("webhook", "headers", &json!({ "a b": "x" }), "headers is \"a b\"");
    check("webhook", "headers", &json!({ "A": "x\r\nB: y" }), "headers.A is");
    check(
        "webhook",
        "headers",
        &json!({ "A": ["hush"] }),
        "headers.A is something else, expected a secret",
    );
    check("webhook", "template", &json!("{{nonsense}}"), "template is {{nonsense}}");
    check("webhook", "template", &json!("x".repeat(20_000)), "template is 20000");
    check("webhook", "template", &json!("x".repeat(70_000)), "definition is 7");
    check("webhook", "secrte", &json!("hush"), "secrte is set, expected one of `url`");
    check("webhook", "per_minute", &json!(0), "per_minute is 0, expected 1 to 600");
    check("webhook", "per_minute", &json!(f64::NAN), "per_minute is null");
    check("slack", "url", &json!("no address: hush"), "url is something else");
    check("slack", "url", &json!({ "env": "MUSTER_SECRET_KEY" }), "url.env is MUSTER_SECRET_KEY");
    check("discord", "channel", &json!("ops"), "channel is \"ops\", expected nothing");
    check("email", "port", &json!(0), "port is 0");
    check("email", "port", &json!(70_000), "port is invalid value: integer `70000`, expected u16");
    check("email", "host", &json!("a b"), "host is \"a b\"");
    check("email", "to", &json!([]), "to is 0 of them");
    check("email", "to", &json!(["ops@example.org", "no one"]), "to[1] is \"no one\"");
    check("email", "from", &json!("a@b\r\nBcc: c@d"), "from is");
    check("email", "security", &json!("none"), "security is none, expected tls or starttls");
    check("email", "password", &Value::Null, "password is absent");
    check("ntfy", "topic", &json!("a/b"), "topic is \"a/b\"");
    check("gotify", "url", &json!("gotify"), "url is \"gotify\"");
    check("telegram", "chat_id", &json!("me"), "chat_id is \"me\"");
    check("telegram", "token", &json!("hush/../"), "token is something else");
}

#[test]
fn what_is_missing_is_named_too() {
    let said = refusal(|example| _ = example.as_object_mut().unwrap().remove("url"), "webhook");
    assert!(said.starts_with("url is absent"), "{said}");
    let said = refusal(|example| _ = example.as_object_mut().unwrap().remove("kind"), "webhook");
    assert!(said.starts_with("kind is absent"), "{said}");
    assert!(Definition::parse(&json!("webhook")).is_err());
}

fn webhook(url: &str, secret: &Value) -> Definition {
    Definition::parse(&json!({ "kind": "webhook", "url": url, "secret": secret })).unwrap()
}

#[test]
fn a_secret_that_is_left_as_it_is_stays_where_it_goes_to_the_same_place() {
    let mut old = webhook("https://a.example/x", &json!("hush-1"));
    let secrets = old.replace(None).unwrap();
    let mut same = webhook("https://a.example/y", &json!({ "stored": true }));
    let kept = same.replace(Some((&old, &secrets))).unwrap();
    assert_eq!(kept, secrets);
    let mut other = webhook("https://evil.example/x", &json!({ "stored": true }));
    let refused = other.replace(Some((&old, &secrets))).unwrap_err().to_string();
    assert!(refused.starts_with("secret is left as it is, expected the secret once more"));
    let mut given = webhook("https://evil.example/x", &json!("hush-2"));
    let replaced = given.replace(Some((&old, &secrets))).unwrap();
    assert_eq!(replaced.get("secret").unwrap().expose(), "hush-2");
    let mut fresh = webhook("https://a.example/x", &json!({ "stored": true }));
    let refused = fresh.replace(None).unwrap_err().to_string();
    assert!(refused.ends_with("none is stored"), "{refused}");
}

#[test]
fn a_secret_that_is_no_longer_named_is_forgotten() {
    let mut old = webhook("https://a.example/x", &json!("hush-1"));
    let secrets = old.replace(None).unwrap();
    let mut bare = webhook("https://a.example/x", &json!({ "env": "MUSTER_CHANNEL_HOOK" }));
    assert!(bare.replace(Some((&old, &secrets))).unwrap().is_empty());
}

fn with_header(name: &str, value: &Value) -> Definition {
    let url = "https://a.example/x";
    Definition::parse(&json!({ "kind": "webhook", "url": url, "headers": { name: value } }))
        .unwrap()
}

#[test]
fn a_header_that_says_who_sends_is_a_secret_however_it_is_written() {
    for name in [
        "Authorization",
        "proxy-authorization",
        "COOKIE",
        "X-Auth",
        "X-Api-Key",
        "PRIVATE-TOKEN",
        "client_secret",
        "X-Password",
    ] {
        for value in [json!("Bearer hush"), json!({ "value": "Bearer hush" })] {
            let mut definition = with_header(name, &value);
            assert!(!definition.to_value().to_string().contains("hush"), "{name}");
            assert!(!format!("{definition:?}").contains("hush"), "{name}");
            let secrets = definition.replace(None).unwrap();
            let field = format!("headers.{name}");
            assert_eq!(secrets.get(&field).unwrap().expose(), "Bearer hush");
            assert_eq!(definition.to_value()["headers"][name], json!({ "stored": true }));
        }
    }
    let mut open = with_header("X-Tenant", &json!("web"));
    assert!(open.replace(None).unwrap().is_empty());
    assert_eq!(open.to_value()["headers"]["X-Tenant"], "web");
    let named = with_header("Authorization", &json!({ "env": "MUSTER_CHANNEL_A" }));
    assert_eq!(named.to_value()["headers"]["Authorization"]["env"], "MUSTER_CHANNEL_A");
    check(
        "webhook",
        "headers",
        &json!({ "X-Token": "hush\r\nA: b" }),
        "headers.X-Token is a text of",
    );
}

#[test]
fn a_header_that_was_stored_as_a_text_is_sealed_when_its_channel_is_changed() {
    let old = with_header("Authorization", &json!("Bearer hush"));
    let mut same = with_header("Authorization", &json!({ "stored": true }));
    let sealed = same.replace(Some((&old, &Secrets::default()))).unwrap();
    assert_eq!(sealed.get("headers.Authorization").unwrap().expose(), "Bearer hush");
}
