//! A mail server that a test tells whom to refuse, and that keeps who got what.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

#[derive(Clone)]
pub struct Mailbox {
    pub port: u16,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    /// What is said to a recipient instead of "250 ok".
    answers: HashMap<String, String>,
    got: Vec<String>,
}

impl Mailbox {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mailbox = Self { port, inner: Arc::default() };
        let inner = mailbox.inner.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(converse(stream, inner.clone()));
            }
        });
        mailbox
    }

    pub fn answer(&self, recipient: &str, answer: &str) {
        self.inner.lock().unwrap().answers.insert(recipient.into(), answer.into());
    }

    pub fn accept(&self, recipient: &str) {
        self.inner.lock().unwrap().answers.remove(recipient);
    }

    /// The recipients of the mails that were taken, in order.
    pub fn got(&self) -> Vec<String> {
        self.inner.lock().unwrap().got.clone()
    }
}

async fn converse(stream: TcpStream, inner: Arc<Mutex<Inner>>) {
    let mut stream = BufReader::new(stream);
    let (mut recipients, mut is_text) = (Vec::new(), false);
    let mut answer = "220 ready".to_owned();
    loop {
        if stream.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
            return;
        }
        let mut line = String::new();
        loop {
            line.clear();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return;
            }
            if !is_text || line.trim_end() == "." {
                break;
            }
        }
        answer = "250 ok".into();
        let line = line.trim_end();
        if std::mem::take(&mut is_text) {
            inner.lock().unwrap().got.append(&mut recipients);
        } else if line == "DATA" {
            (answer, is_text) = ("354 go on".into(), true);
        } else if let Some(to) = line.strip_prefix("RCPT TO:<").and_then(|to| to.strip_suffix('>'))
        {
            match inner.lock().unwrap().answers.get(to) {
                Some(refusal) => answer.clone_from(refusal),
                None => recipients.push(to.to_owned()),
            }
        }
    }
}
