//! Which address leads where.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use utoipa::OpenApi;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

use super::docs::Description;
use super::{
    App, Problem, agent, alerts, auth, backtest, channels, completeness, dashboard, dead_letters,
    deadman, docs, events, extract, hosts, inventory, layers, log_counts, logs, metrics,
    notifications, pipeline, retention, rule_vocabulary, rules, settings, silences, storage,
    ticket_deeds,
};
use crate::io::websocket;

/// All of it. `health` answers `/healthz`, `/readyz` and `/metrics`.
pub(crate) fn router(gateway: App, health: Router) -> Router {
    let (api, description) = api(&gateway).split_for_parts();
    let all = Router::new()
        .merge(api.with_state(gateway))
        .merge(docs::pages(description))
        .merge(health)
        .fallback(dashboard::fallback);
    layered(all)
}

/// Until the database can be used: health, and for the rest a plain word.
pub(crate) fn waiting_router(health: Router) -> Router {
    layered(health.fallback(starting))
}

async fn starting() -> Response {
    Problem::unavailable("the gateway is starting: it waits for the database").into_response()
}

fn api(gateway: &App) -> OpenApiRouter<App> {
    let settings_body = DefaultBodyLimit::max(settings::BODY_BYTES_MAX);
    let signed_in = OpenApiRouter::new()
        .routes(routes!(auth::me))
        .routes(routes!(hosts::list))
        .routes(routes!(hosts::one))
        .routes(routes!(metrics::catalogue))
        .routes(routes!(metrics::history))
        .routes(routes!(completeness::of_host))
        .routes(routes!(completeness::of_fleet))
        .routes(routes!(pipeline::of_all))
        .routes(routes!(dead_letters::list))
        .routes(routes!(dead_letters::one, dead_letters::discard))
        .routes(routes!(dead_letters::retry))
        .routes(routes!(dead_letters::retry_all))
        .routes(routes!(dead_letters::discard_all))
        .routes(routes!(logs::all))
        .routes(routes!(logs::of_host))
        .routes(routes!(log_counts::all))
        .routes(routes!(log_counts::of_host))
        .routes(routes!(events::of_host))
        .routes(routes!(events::availability_of_host))
        .routes(routes!(inventory::of_host))
        .routes(routes!(inventory::processes))
        .routes(routes!(agent::of_host))
        .routes(routes!(agent::reload))
        .routes(routes!(settings::fleet, settings::set_fleet).layer(settings_body))
        .routes(routes!(settings::host, settings::set_host).layer(settings_body))
        .routes(routes!(retention::read, retention::set))
        .routes(routes!(retention::plan, retention::plan_draft))
        .routes(routes!(storage::read))
        .routes(routes!(storage::hosts))
        .merge(alerting())
        .route_layer(from_fn_with_state(gateway.clone(), extract::require_token));
    let open = OpenApiRouter::new()
        .routes(routes!(auth::login))
        .routes(routes!(auth::refresh))
        .routes(routes!(auth::logout))
        // Signs in by itself: a browser cannot send a header with a WebSocket.
        .routes(routes!(websocket::open));
    OpenApiRouter::with_openapi(Description::openapi()).nest("/api/v1", signed_in.merge(open))
}

fn alerting() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(alerts::list))
        .routes(routes!(alerts::counts))
        .routes(routes!(alerts::summary))
        .routes(routes!(alerts::by_host))
        .routes(routes!(alerts::one))
        .routes(routes!(ticket_deeds::acknowledge))
        .routes(routes!(ticket_deeds::unacknowledge))
        .routes(routes!(ticket_deeds::resolve))
        .routes(routes!(ticket_deeds::add_comment))
        .routes(routes!(ticket_deeds::acknowledge_all))
        .routes(routes!(rules::list, rules::add))
        .routes(routes!(rules::one, rules::set, rules::remove))
        .routes(routes!(rules::copy))
        .routes(routes!(rules::versions))
        .routes(routes!(rule_vocabulary::vocabulary))
        .routes(routes!(backtest::run))
        .routes(routes!(silences::list, silences::add))
        .routes(routes!(silences::end))
        .routes(routes!(channels::list, channels::add))
        .routes(routes!(channels::one, channels::set, channels::remove))
        .routes(routes!(channels::test))
        .routes(routes!(notifications::list))
        .routes(routes!(notifications::one))
        .routes(routes!(notifications::retry))
        .routes(routes!(notifications::discard))
        .routes(routes!(deadman::read, deadman::set))
}

/// The last layer is the outermost: what happens in the others is measured and secured too.
fn layered(router: Router) -> Router {
    router
        .method_not_allowed_fallback(layers::method_not_allowed)
        .layer(DefaultBodyLimit::max(layers::BODY_BYTES_MAX))
        .layer(from_fn(layers::within_time))
        .layer(CatchPanicLayer::custom(layers::after_panic))
        .layer(CompressionLayer::new())
        .layer(from_fn(layers::measure))
        .layer(from_fn(layers::secure))
}
