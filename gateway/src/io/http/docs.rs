//! The description of this interface, and a page to browse it.

use axum::Router;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_swagger_ui::SwaggerUi;

#[derive(OpenApi)]
#[openapi(
    info(title = "Muster", description = include_str!("docs.md")),
    modifiers(&Bearer),
    security(("access_token" = [])),
    tags((name = "auth"), (name = "hosts"), (name = "metrics"), (name = "logs"),
         (name = "agents"), (name = "alerts"), (name = "pipeline"), (name = "live"), (name = "storage"))
)]
pub(super) struct Description;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        api.components
            .get_or_insert_with(Default::default)
            .add_security_scheme("access_token", scheme);
    }
}

/// `/api/openapi.json` and `/api/docs`.
pub(super) fn pages(description: utoipa::openapi::OpenApi) -> Router {
    SwaggerUi::new("/api/docs").url("/api/openapi.json", description).into()
}
