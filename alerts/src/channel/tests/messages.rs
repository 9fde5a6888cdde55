//! What each receiver gets.

use serde_json::{Value, json};

use super::super::notice::examples::{opened, storm};
use super::super::{
    EVENT_HEADER, Mail, Message, Notice, NoticeKind, Request, SIGNATURE_HEADER, Secrets,
    Unrenderable, render, signature,
};
use super::{examples, stored};

const NOW: i64 = 1_767_225_660_500;

fn rendered(kind: &str, notice: &Notice) -> Option<Message> {
    let example = examples().into_iter().find(|example| example["kind"] == kind).unwrap();
    let (definition, secrets) = stored(&example);
    render(&definition, &secrets, notice, NOW).unwrap()
}

fn request(kind: &str, notice: &Notice) -> (Request, Value) {
    let Some(Message::Http(request)) = rendered(kind, notice) else { panic!("no request") };
    let body = serde_json::from_slice(&request.body).unwrap();
    (request, body)
}

fn mail(notice: &Notice) -> Mail {
    let Some(Message::Mail(mail)) = rendered("email", notice) else { panic!("no mail") };
    mail
}

fn resolved(open: u32) -> Notice {
    Notice { kind: NoticeKind::Resolved, open, ..opened() }
}

#[test]
fn every_kind_takes_every_notice_and_names_it() {
    for example in examples() {
        let kind = example["kind"].as_str().unwrap();
        for notice in [opened(), storm(5_000), resolved(0), Notice::test("test/1", 1, "ops")] {
            match rendered(kind, &notice).unwrap() {
                Message::Http(request) => {
                    assert_eq!(request.header("Idempotency-Key"), Some(notice.key.as_str()));
                    assert!(serde_json::from_slice::<Value>(&request.body).is_ok());
                    assert!(request.body.len() < 256 * 1024, "{kind}");
                    assert!(!format!("{request:?}").contains("hush"));
                }
                Message::Mail(mail) => assert!(!format!("{mail:?}").contains("hush")),
            }
        }
    }
}

#[test]
fn a_webhook_is_signed_over_its_time_and_body() {
    let (request, body) = request("webhook", &opened());
    assert_eq!(body, json!({ "text": "[CRITICAL] Disk /var is nearly full on web-1" }));
    let expected = signature(b"hush-signature", NOW / 1000, &request.body);
    assert_eq!(request.header(SIGNATURE_HEADER), Some(expected.as_str()));
    assert_eq!(request.header(EVENT_HEADER), Some("opened"));
    assert_eq!(request.header("Authorization"), Some("Bearer hush-header"));
    assert_eq!(request.header("X-Tenant"), Some("ops"));
}

#[test]
fn a_webhook_without_a_template_gets_the_notice() {
    let value = json!({ "kind": "webhook", "url": { "env": "MUSTER_CHANNEL_HOOK" } });
    let (definition, mut secrets) = stored(&value);
    let missing = render(&definition, &secrets, &opened(), NOW);
    assert_eq!(missing, Err(Unrenderable::NoSecret("url".into())));
    secrets.insert("url", super::super::SecretText::new("https://hooks.example/x"));
    let Some(Message::Http(request)) = render(&definition, &secrets, &opened(), NOW).unwrap()
    else {
        panic!("no request")
    };
    assert_eq!(serde_json::from_slice::<Notice>(&request.body).unwrap(), opened());
    assert_eq!(request.header(SIGNATURE_HEADER), None);
    assert_eq!(request.url, "https://hooks.example/x");
}

#[test]
fn an_address_of_the_environment_is_checked_when_it_is_used() {
    let (definition, mut secrets) =
        stored(&json!({ "kind": "slack", "url": { "env": "MUSTER_CHANNEL_HOOK" } }));
    secrets.insert("url", super::super::SecretText::new("file:///etc/hush"));
    let refused = render(&definition, &secrets, &opened(), NOW).unwrap_err().to_string();
    assert!(refused.starts_with("url is something else") && !refused.contains("hush"), "{refused}");
}

#[test]
fn chat_rooms_get_the_headline_the_numbers_and_the_link() {
    for (kind, title) in [
        ("slack", "/attachments/0/title"),
        ("mattermost", "/attachments/0/title"),
        ("discord", "/embeds/0/title"),
        ("teams", "/attachments/0/content/body/0/text"),
    ] {
        let (request, body) = request(kind, &opened());
        assert!(request.url.starts_with("https://chat.example/hush-"));
        let title = body.pointer(title).unwrap();
        assert_eq!(title, "[CRITICAL] Disk /var is nearly full on web-1", "{kind}");
        let text = body.to_string();
        for part in ["91.25", "https://muster.example/alerts/7"] {
            assert!(text.contains(part), "{kind}: no {part} in {text}");
        }
    }
    assert_eq!(request("mattermost", &opened()).1["channel"], "ops");
}

#[test]
fn nothing_in_a_title_calls_everybody_in_the_room() {
    let mut notice = opened();
    notice.tickets[0].title = "<!channel> @all & @everyone".into();
    let (_, slack) = request("slack", &notice);
    let title = slack.pointer("/attachments/0/title").unwrap().as_str().unwrap();
    assert_eq!(title, "[CRITICAL] &lt;!channel&gt; @all &amp; @everyone");
    let (_, mattermost) = request("mattermost", &notice);
    assert!(!mattermost.to_string().contains("@all"));
    let (_, discord) = request("discord", &notice);
    assert_eq!(discord["allowed_mentions"], json!({ "parse": [] }));
}

#[test]
fn a_pager_has_one_incident_for_a_thread_and_closes_it_with_its_last_ticket() {
    let (_, trigger) = request("pagerduty", &opened());
    assert_eq!(trigger["event_action"], "trigger");
    assert_eq!(trigger["routing_key"], "hush-routing");
    assert_eq!(trigger["payload"]["severity"], "critical");
    assert_eq!(trigger["payload"]["source"], "web-1");
    let (_, resolve) = request("pagerduty", &resolved(0));
    assert_eq!(resolve["event_action"], "resolve");
    assert_eq!(resolve["dedup_key"], trigger["dedup_key"]);
    assert_eq!(rendered("pagerduty", &resolved(3)), None);
    assert_eq!(rendered("opsgenie", &resolved(3)), None);
    let (create, alert) = request("opsgenie", &opened());
    assert_eq!(create.url, "https://genie.example/v2/alerts");
    assert_eq!(create.header("Authorization"), Some("GenieKey hush-key"));
    let (close, _) = request("opsgenie", &resolved(0));
    let alias = alert["alias"].as_str().unwrap();
    let expected = format!("https://genie.example/v2/alerts/{alias}/close?identifierType=alias");
    assert_eq!(close.url, expected);
}

#[test]
fn telephones_ring_for_what_is_urgent_and_stay_quiet_for_what_is_over() {
    let (ntfy, body) = request("ntfy", &opened());
    assert_eq!((ntfy.url.as_str(), &body["priority"]), ("https://ntfy.sh", &json!(5)));
    assert_eq!(ntfy.header("Authorization"), Some("Bearer hush-ntfy"));
    assert_eq!(request("ntfy", &resolved(0)).1["priority"], 2);
    let (gotify, body) = request("gotify", &opened());
    assert_eq!(gotify.url, "https://gotify.example/message");
    assert_eq!(gotify.header("X-Gotify-Key"), Some("hush-gotify"));
    assert_eq!(body["priority"], 10);
    let (telegram, body) = request("telegram", &storm(5_000));
    assert_eq!(telegram.url, "https://api.telegram.org/bot123:hush-telegram/sendMessage");
    assert_eq!(body["disable_notification"], false);
    assert!(body["text"].as_str().unwrap().encode_utf16().count() <= 4096);
}

#[test]
fn a_mail_has_the_same_ids_at_each_attempt_and_no_line_break_in_its_subject() {
    let mut notice = opened();
    notice.tickets[0].title = "a\r\nBcc: everybody@example.org".into();
    let first = mail(&notice);
    assert_eq!(first.subject, "[CRITICAL] a  Bcc: everybody@example.org");
    assert_eq!(first.message_id, mail(&notice).message_id);
    assert!(first.message_id.ends_with("@example.org>"), "{}", first.message_id);
    assert_eq!(mail(&resolved(0)).thread_id, first.thread_id);
    assert_eq!(first.credentials.unwrap().1.expose(), "hush-password");
}

#[test]
fn a_key_that_no_header_can_carry_is_sent_as_its_digest() {
    let notice = Notice { key: "7/web-1/C:\\ä b/1".into(), ..opened() };
    let (request, _) = request("webhook", &notice);
    let key = request.header("Idempotency-Key").unwrap();
    assert!(key.len() == 32 && key.chars().all(|c| c.is_ascii_hexdigit()), "{key}");
    let (definition, _) = stored(&examples()[1]);
    assert!(render(&definition, &Secrets::default(), &notice, NOW).is_err());
}
