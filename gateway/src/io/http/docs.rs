//! The description of this interface, and a page to browse it.

use std::mem::take;

use axum::Router;
use utoipa::openapi::path::PathItem;
use utoipa::openapi::response::{Response, Responses};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{OpenApi as Interface, RefOr};
use utoipa::{Modify, OpenApi};
use utoipa_swagger_ui::SwaggerUi;

use super::problem::PROBLEM;

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
    fn modify(&self, api: &mut Interface) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        api.components
            .get_or_insert_with(Default::default)
            .add_security_scheme("access_token", scheme);
    }
}

/// `/api/openapi.json` and `/api/docs`.
pub(super) fn pages(mut description: Interface) -> Router {
    description.paths.paths.values_mut().for_each(name_problems);
    SwaggerUi::new("/api/docs").url("/api/openapi.json", description).into()
}

/// Whatever is not what was asked for is a problem, which handlers leave unsaid.
fn name_problems(path: &mut PathItem) {
    let operations = [&mut path.get, &mut path.put, &mut path.post, &mut path.delete];
    for operation in operations.into_iter().flatten() {
        name_problems_of(&mut operation.responses);
    }
}

fn name_problems_of(answers: &mut Responses) {
    for (status, answer) in &mut answers.responses {
        let is_problem = status.starts_with(['4', '5']);
        if let (true, RefOr::T(Response { content, .. })) = (is_problem, answer) {
            let bodies = take(content).into_values();
            *content = bodies.map(|body| (PROBLEM.to_owned(), body)).collect();
        }
    }
}
