//! Dead letters: what could not be stored, to be read, tried again, or thrown away.

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::jetstream::Context;
use axum::Json as Answer;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures::stream::{self, StreamExt};
use muster_nats::Stream;
use muster_nats::letters::{self, Filter, Letter, LetterError, WholeLetter};
use muster_schemas::HostId;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout};
use tracing::{error, info, warn};
use utoipa::{IntoParams, ToSchema};

use super::extract::{Json, Operator, Query, page_size};
use super::{App, Problem, ProblemBody};
use crate::io::from_postgres::pipeline::{Done, record_dead_letters};
use crate::logic::letters::{decoded, preview};

const LIMIT: usize = 50;

/// Each of them is read for its preview.
const LIMIT_MAX: usize = 200;

/// A larger letter is not read for its preview: a page of them is then 12 MB at most.
const PREVIEW_BYTES_MAX: u64 = 64 * 1024;

/// How many are read at the same time.
const READS_AT_ONCE: usize = 16;

/// The most letters of one bulk request, which has to end within its time.
const BULK_MAX: usize = 500;

/// No letter is begun after this: what is left is for the next request.
const BULK_TIME: Duration = Duration::from_secs(15);

/// The broker may take this long for a page.
const LIST_TIMEOUT: Duration = Duration::from_secs(10);

/// A part of a reason is not longer than this.
const REASON_CHARS_MAX: usize = 200;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct LettersQuery {
    /// `telemetry`, `logs`, `signals` or `inventory`.
    stream: Option<String>,
    /// A part of the reason, whatever the case.
    reason: Option<String>,
    /// Only of this host.
    host: Option<String>,
    /// 1 to 200, 50 if absent.
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// Times are milliseconds since the Unix epoch.
#[derive(Serialize, ToSchema)]
pub(super) struct DeadLetter {
    id: u64,
    at: i64,
    stream: String,
    /// The subject it was stored under.
    subject: String,
    host: Option<String>,
    message_id: Option<String>,
    reason: String,
    content_type: Option<String>,
    /// Bytes it had.
    size: u64,
    /// Bytes of it that were kept; less than `size` where it did not fit.
    kept: u64,
    /// How many times it was tried again.
    retries: u32,
    /// The beginning of its body, as JSON where it can be decoded; null of a large one.
    preview: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct LetterPage {
    /// Newest first.
    items: Vec<DeadLetter>,
    /// `cursor` of the next page; null after the last.
    next: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct LetterDetail {
    #[serde(flatten)]
    letter: DeadLetter,
    headers: BTreeMap<String, Vec<String>>,
    /// The body as JSON, where it can be decoded.
    #[schema(value_type = Option<Object>)]
    body: Option<serde_json::Value>,
    /// The body as it is, in base64.
    body_base64: String,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Retried {
    id: u64,
    /// Where it was published, and under which id.
    subject: String,
    message_id: String,
}

/// At least one of `stream`, `reason` and `host`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BulkRequest {
    stream: Option<String>,
    reason: Option<String>,
    host: Option<String>,
    /// `next` of the answer before.
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct BulkAnswer {
    /// How many were dealt with.
    done: usize,
    /// Those that stay, and why.
    refused: Vec<RefusedLetter>,
    /// `cursor` to go on with; null where there are no more.
    next: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct RefusedLetter {
    id: u64,
    reason: String,
}

/// Dead letters, newest first.
#[utoipa::path(
    get, path = "/dead-letters", tag = "pipeline", params(LettersQuery),
    responses((status = 200, body = LetterPage), (status = 401, body = ProblemBody),
              (status = 422, body = ProblemBody), (status = 503, body = ProblemBody))
)]
pub(super) async fn list(
    State(gateway): State<App>,
    Query(query): Query<LettersQuery>,
) -> Result<Answer<LetterPage>, Problem> {
    let limit = page_size(query.limit, LIMIT, LIMIT_MAX)?;
    let filter =
        read_filter(query.stream.as_deref(), query.reason.as_deref(), query.host.as_deref())?;
    let before = read_cursor(query.cursor.as_deref())?;
    let page = page(&gateway.letters, &filter, before, limit).await?;
    let bus = &gateway.letters;
    let items = stream::iter(page.letters).map(|letter| with_preview(bus, letter));
    let items = items.buffered(READS_AT_ONCE).collect().await;
    Ok(Answer(LetterPage { items, next: page.next.map(|next| next.to_string()) }))
}

/// One dead letter, whole.
#[utoipa::path(
    get, path = "/dead-letters/{id}", tag = "pipeline",
    params(("id" = u64, Path, description = "Its number among the dead letters")),
    responses((status = 200, body = LetterDetail), (status = 401, body = ProblemBody),
              (status = 404, body = ProblemBody), (status = 503, body = ProblemBody))
)]
pub(super) async fn one(
    State(gateway): State<App>,
    Path(id): Path<String>,
) -> Result<Answer<LetterDetail>, Problem> {
    let WholeLetter { letter, headers, payload } =
        letters::read(&gateway.letters, number(&id)?).await?;
    let texts = |values: &[async_nats::HeaderValue]| {
        values.iter().map(|value| value.as_str().to_owned()).collect()
    };
    let headers = headers.iter().map(|(name, values)| (name.to_string(), texts(values)));
    let shown = preview(letter.content_type.as_deref(), &payload);
    Ok(Answer(LetterDetail {
        headers: headers.collect(),
        body: decoded(letter.content_type.as_deref(), &payload),
        body_base64: BASE64_STANDARD.encode(&payload),
        letter: DeadLetter::of(letter, Some(shown)),
    }))
}

/// Publishes a dead letter again, under its own id. What is wrong with it still comes back as
/// another dead letter.
#[utoipa::path(
    post, path = "/dead-letters/{id}/retry", tag = "pipeline",
    params(("id" = u64, Path, description = "Its number among the dead letters")),
    responses((status = 200, body = Retried), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 409, body = ProblemBody), (status = 503, body = ProblemBody))
)]
pub(super) async fn retry(
    State(gateway): State<App>,
    Operator(who): Operator,
    Path(id): Path<String>,
) -> Result<Answer<Retried>, Problem> {
    let id = number(&id)?;
    let whole = letters::read(&gateway.letters, id).await?;
    let tried = to_its_end(gateway.clone(), async move {
        let (subject, message_id) = letters::retry(&gateway.letters, &whole).await?;
        log_done(Done::Retried, &who.sub, &whole.letter);
        write_down(&gateway, Done::Retried, &who.sub, &[whole.letter]).await;
        Ok(Retried { id, subject, message_id })
    });
    tried.await.map(Answer)
}

/// Throws a dead letter away. It stays accounted for as dead.
#[utoipa::path(
    delete, path = "/dead-letters/{id}", tag = "pipeline",
    params(("id" = u64, Path, description = "Its number among the dead letters")),
    responses((status = 204), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
              (status = 503, body = ProblemBody))
)]
pub(super) async fn discard(
    State(gateway): State<App>,
    Operator(who): Operator,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let whole = letters::read(&gateway.letters, number(&id)?).await?;
    let discarded = to_its_end(gateway.clone(), async move {
        letters::discard(&gateway.letters, whole.letter.seq).await?;
        log_done(Done::Discarded, &who.sub, &whole.letter);
        write_down(&gateway, Done::Discarded, &who.sub, &[whole.letter]).await;
        Ok(StatusCode::NO_CONTENT)
    });
    discarded.await
}

/// Publishes up to 500 dead letters again that fit a filter, newest first.
#[utoipa::path(
    post, path = "/dead-letters/retry", tag = "pipeline", request_body = BulkRequest,
    responses((status = 200, body = BulkAnswer), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 422, body = ProblemBody),
              (status = 503, body = ProblemBody))
)]
pub(super) async fn retry_all(
    State(gateway): State<App>,
    Operator(who): Operator,
    Json(request): Json<BulkRequest>,
) -> Result<Answer<BulkAnswer>, Problem> {
    bulk(gateway, Done::Retried, who.sub, &request).await.map(Answer)
}

/// Throws up to 500 dead letters away that fit a filter, newest first.
#[utoipa::path(
    post, path = "/dead-letters/discard", tag = "pipeline", request_body = BulkRequest,
    responses((status = 200, body = BulkAnswer), (status = 401, body = ProblemBody),
              (status = 403, body = ProblemBody), (status = 422, body = ProblemBody),
              (status = 503, body = ProblemBody))
)]
pub(super) async fn discard_all(
    State(gateway): State<App>,
    Operator(who): Operator,
    Json(request): Json<BulkRequest>,
) -> Result<Answer<BulkAnswer>, Problem> {
    bulk(gateway, Done::Discarded, who.sub, &request).await.map(Answer)
}

async fn bulk(
    gateway: App,
    what: Done,
    who: String,
    request: &BulkRequest,
) -> Result<BulkAnswer, Problem> {
    let filter =
        read_filter(request.stream.as_deref(), request.reason.as_deref(), request.host.as_deref())?;
    if filter.stream.is_none() && filter.reason.is_none() && filter.host.is_none() {
        let detail = "stream, reason or host is needed: nobody means all dead letters";
        return Err(Problem::unprocessable(detail));
    }
    let before = read_cursor(request.cursor.as_deref())?;
    let page = page(&gateway.letters, &filter, before, BULK_MAX).await?;
    to_its_end(gateway.clone(), async move { handle_all(&gateway, what, &who, page).await }).await
}

/// What is done is told of whoever still listens: the work goes on where a request is given up, and
/// ends with a note of it.
async fn to_its_end<T: Send + 'static>(
    gateway: App,
    work: impl Future<Output = Result<T, Problem>> + Send + 'static,
) -> Result<T, Problem> {
    gateway.background.spawn(work).await.unwrap_or_else(|panic| {
        error!("dealing with dead letters failed: {panic}");
        Err(Problem::internal())
    })
}

async fn handle_all(
    gateway: &App,
    what: Done,
    who: &str,
    page: letters::Page,
) -> Result<BulkAnswer, Problem> {
    let (begun, mut done, mut refused) = (Instant::now(), Vec::new(), Vec::new());
    let (mut next, mut trouble) = (page.next, None);
    for letter in page.letters {
        if begun.elapsed() > BULK_TIME || gateway.stop.is_cancelled() {
            // The numbers before this one are the next request's.
            next = Some(letter.seq + 1);
            break;
        }
        match handle(&gateway.letters, what, letter.seq).await {
            Ok(()) => {
                log_done(what, who, &letter);
                done.push(letter);
            }
            // Somebody else has dealt with it.
            Err(LetterError::NotThere(_)) => {}
            Err(LetterError::Refused(reason)) => {
                refused.push(RefusedLetter { id: letter.seq, reason });
            }
            Err(error @ LetterError::Bus(_)) => {
                next = Some(letter.seq + 1);
                trouble = Some(error);
                break;
            }
        }
    }
    write_down(gateway, what, who, &done).await;
    match trouble {
        Some(error) if done.is_empty() && refused.is_empty() => Err(error.into()),
        // What was done is told; the next request meets the trouble, or goes on.
        _ => Ok(BulkAnswer { done: done.len(), refused, next: next.map(|next| next.to_string()) }),
    }
}

async fn handle(bus: &Context, what: Done, seq: u64) -> Result<(), LetterError> {
    match what {
        Done::Retried => letters::retry(bus, &letters::read(bus, seq).await?).await.map(drop),
        Done::Discarded => letters::discard(bus, seq).await,
    }
}

/// It is done and cannot be undone: the log has it at once, whatever happens before the database has.
fn log_done(what: Done, who: &str, letter: &Letter) {
    info!(
        user = who,
        ?what,
        letter = letter.seq,
        "{who} dealt with the dead letter {}",
        letter.seq
    );
}

async fn write_down(gateway: &App, what: Done, who: &str, letters: &[Letter]) {
    let of_hosts: Vec<(HostId, u64)> =
        letters.iter().filter_map(|letter| Some((letter.host()?, letter.seq))).collect();
    if of_hosts.is_empty() {
        return;
    }
    if let Err(error) = record_dead_letters(&gateway.pool, what, who, &of_hosts).await {
        warn!("no event tells what was done to dead letters: {error:#}");
    }
}

async fn page(
    bus: &Context,
    filter: &Filter,
    before: Option<u64>,
    limit: usize,
) -> Result<letters::Page, Problem> {
    let page = timeout(LIST_TIMEOUT, letters::page(bus, filter, before, limit)).await;
    match page {
        Ok(Ok(page)) => Ok(page),
        Ok(Err(error)) => Err(LetterError::Bus(error).into()),
        Err(_) => Err(Problem::unavailable("the bus does not answer: try again later")),
    }
}

async fn with_preview(bus: &Context, letter: Letter) -> DeadLetter {
    let shown = if letter.kept > PREVIEW_BYTES_MAX {
        None
    } else {
        let whole = letters::read(bus, letter.seq).await.ok();
        whole.map(|whole| preview(letter.content_type.as_deref(), &whole.payload))
    };
    DeadLetter::of(letter, shown)
}

impl DeadLetter {
    fn of(letter: Letter, preview: Option<String>) -> Self {
        Self {
            id: letter.seq,
            at: letter.at,
            host: letter.host().map(String::from),
            stream: letter.stream,
            subject: letter.subject,
            message_id: letter.message_id,
            reason: letter.reason,
            content_type: letter.content_type,
            size: letter.size,
            kept: letter.kept,
            retries: letter.retries,
            preview,
        }
    }
}

fn read_filter(
    stream: Option<&str>,
    reason: Option<&str>,
    host: Option<&str>,
) -> Result<Filter, Problem> {
    // A form sends what is empty; it asks for nothing.
    let present = |text: &&str| !text.is_empty();
    let reason = reason.filter(present).map(str::to_lowercase);
    if reason.as_ref().is_some_and(|part| part.chars().count() > REASON_CHARS_MAX) {
        let detail = format!("reason is longer than {REASON_CHARS_MAX} characters");
        return Err(Problem::unprocessable(detail));
    }
    let host = host.filter(present).map(|host| {
        host.parse::<HostId>().map_err(|error| Problem::unprocessable(format!("host: {error}")))
    });
    let stream = stream.filter(present).map(read_stream).transpose()?;
    Ok(Filter { stream, reason, host: host.transpose()? })
}

fn read_stream(name: &str) -> Result<Stream, Problem> {
    let streams = [Stream::Telemetry, Stream::Logs, Stream::Signals, Stream::Inventory];
    streams.into_iter().find(|stream| stream.token() == name).ok_or_else(|| {
        let names = streams.map(Stream::token).join(", ");
        let name: String = name.chars().take(60).collect();
        Problem::unprocessable(format!("stream is {name:?}, expected one of {names}"))
    })
}

fn read_cursor(cursor: Option<&str>) -> Result<Option<u64>, Problem> {
    let wrong = |_| Problem::unprocessable("cursor is not one that a page before named");
    cursor.filter(|text| !text.is_empty()).map(str::parse).transpose().map_err(wrong)
}

fn number(id: &str) -> Result<u64, Problem> {
    let shown: String = id.chars().take(40).collect();
    id.parse().map_err(|_| Problem::not_found(format!("there is no dead letter {shown:?}")))
}

impl From<LetterError> for Problem {
    fn from(error: LetterError) -> Self {
        match error {
            LetterError::NotThere(_) => Self::not_found(error.to_string()),
            LetterError::Refused(reason) => Self::new(StatusCode::CONFLICT, reason),
            LetterError::Bus(cause) => {
                warn!("dead letters: {cause:#}");
                Self::unavailable("the bus does not answer: try again later")
            }
        }
    }
}
