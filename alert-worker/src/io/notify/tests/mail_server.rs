//! A mail server of a test's own: it says what it is told to, and keeps what it took.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What it says to each of these instead of "250 ok", and nothing where it says nothing at all.
#[derive(Clone, Copy, Default)]
pub struct Script {
    pub recipient: Option<&'static str>,
    /// To recipients whose address has this in it, whatever it says to the others.
    pub some: &'static [(&'static str, &'static str)],
    /// After the text of the mail.
    pub end: Option<&'static str>,
    pub password: Option<&'static str>,
    /// Never says a word.
    pub is_silent: bool,
    /// Closes where the text of the mail would come.
    pub closes_at_data: bool,
}

impl Script {
    fn answer_to(&self, recipient: &str) -> &'static str {
        let own = self.some.iter().find(|(part, _)| recipient.contains(part));
        own.map(|(_, answer)| *answer).or(self.recipient).unwrap_or("250 ok")
    }
}

#[derive(Clone)]
pub struct MailServer {
    pub port: u16,
    /// Everything a client said, a line each.
    said: Arc<Mutex<Vec<String>>>,
}

impl MailServer {
    pub async fn start(script: Script, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Self { port, said: Arc::default() };
        let said = server.said.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (said, tls) = (said.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => converse(stream, script, &said).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                converse(stream, script, &said).await;
                            }
                        }
                    }
                });
            }
        });
        server
    }

    pub fn said(&self) -> Vec<String> {
        self.said.lock().unwrap().clone()
    }
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    script: Script,
    said: &Mutex<Vec<String>>,
) {
    let mut stream = BufReader::new(stream);
    if script.is_silent {
        std::future::pending::<()>().await;
    }
    let mut is_text = false;
    let mut answer = "220 mail.example ready".to_owned();
    loop {
        if stream.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
            return;
        }
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return;
            }
            let line = line.trim_end().to_owned();
            said.lock().unwrap().push(line.clone());
            if is_text && line != "." {
                continue;
            }
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_uppercase();
            answer = match verb.as_str() {
                "EHLO" => "250-mail.example\r\n250 AUTH PLAIN".into(),
                "RCPT" => script.answer_to(&line).into(),
                "AUTH" => script.password.unwrap_or("235 welcome").into(),
                "DATA" if script.closes_at_data => return,
                "DATA" => "354 go on".into(),
                "." => script.end.unwrap_or("250 taken").into(),
                "QUIT" => "221 bye".into(),
                _ => "250 ok".into(),
            };
            is_text = answer.starts_with("354");
            break;
        }
    }
}
