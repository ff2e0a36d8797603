//! The route table is what the router serves: no more, no less.

use std::collections::BTreeSet;

use http::Method;
use tenantry::http::router::{ROUTES, router};

use crate::support::{Outside, TestApp};

const METHODS: [Method; 6] =
    [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

fn paths() -> BTreeSet<&'static str> {
    ROUTES.iter().map(|route| route.path).collect()
}

fn methods_of(path: &str) -> BTreeSet<&'static str> {
    ROUTES.iter().filter(|route| route.path == path).map(|route| route.method).collect()
}

/// The patterns that the router itself holds, by what it says of itself.
fn served() -> BTreeSet<String> {
    let told = format!("{:?}", router::<Outside>());
    told.split('"').filter(|part| part.starts_with('/') && part.len() > 1).map(str::to_owned).collect()
}

#[test]
fn every_path_of_the_router_is_in_the_table() {
    let known: BTreeSet<String> = paths().into_iter().map(str::to_owned).collect();
    // The router's fallback has patterns of its own.
    let served: BTreeSet<String> = served().into_iter().filter(|path| !path.contains("axum")).collect();
    assert_eq!(served, known);
}

#[tokio::test]
async fn what_is_in_the_table_is_served_and_nothing_else_is() {
    let app = TestApp::new();
    for path in paths() {
        let served = methods_of(path);
        for method in METHODS {
            let answer = app.ask(method.clone(), &path.replace("{id}", "tenant_1")).send().await;
            if served.contains(method.as_str()) {
                if answer.is_page() {
                    continue;
                }
                let code = answer.json()["error"]["code"].clone();
                assert!(
                    code != "NOT_FOUND" && code != "METHOD_NOT_ALLOWED",
                    "{method} {path}: {}",
                    answer.text
                );
                continue;
            }
            answer.fails(405, "METHOD_NOT_ALLOWED");
            let allow: BTreeSet<&str> = answer.header("allow").split(',').map(str::trim).collect();
            let mut expected = served.clone();
            if served.contains("GET") {
                expected.insert("HEAD");
            }
            assert_eq!(allow, expected, "{method} {path}");
        }
    }
}

#[test]
fn no_route_is_listed_twice() {
    let listed: BTreeSet<(&str, &str)> = ROUTES.iter().map(|route| (route.method, route.path)).collect();
    assert_eq!(listed.len(), ROUTES.len());
}

#[tokio::test]
async fn what_is_nowhere_is_a_404_in_json() {
    let app = TestApp::new();
    for path in [
        "/nothing",
        "/health/",
        "/Health",
        "//health",
        "/health/live/more",
        "/public/signup",
        "/api/v1/tenants/tenant_1",
        "/%2e%2e/health",
        "/api/v1/tenants/tenant_1%2fx/y/provision-status",
    ] {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            let answer = app.ask(method, path).send().await;
            assert_eq!(answer.status, 404, "{path}: {}", answer.text);
            let error = answer.fails(404, "NOT_FOUND");
            assert_eq!(error["message"], "There is nothing at this address.");
            assert_eq!(app.log_of("request").last().unwrap().fields["route"], "unmatched", "{path}");
        }
    }
}
