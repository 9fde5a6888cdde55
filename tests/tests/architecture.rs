//! What the design forbids is measured here, because unmeasured limits drift: a dependency in the
//! wrong direction, IO or a clock in `logic/`, a long file, a long function.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, helpers included")]

use std::fs;
use std::path::{Path, PathBuf};

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

/// Which crates of ours each may use:
/// `schemas <- alerts, nats, runtime <- services <- stack <- tests`.
const MAY_USE: &[(&str, &[&str])] = &[
    ("schemas", &[]),
    ("alerts", &["schemas"]),
    ("nats", &["schemas"]),
    ("runtime", &["schemas"]),
    ("agent", &["schemas", "nats", "runtime"]),
    ("ingest-worker", &["schemas", "nats", "runtime"]),
    ("alert-worker", &["schemas", "alerts", "nats", "runtime"]),
    ("gateway", &["schemas", "alerts", "nats", "runtime"]),
    ("stack", &["schemas", "nats", "runtime", "agent"]),
    (
        "tests",
        &[
            "schemas",
            "alerts",
            "nats",
            "runtime",
            "agent",
            "ingest-worker",
            "alert-worker",
            "gateway",
            "stack",
        ],
    ),
];

/// Names that mean waiting, touching the outside or telling the time.
const NOT_IN_LOGIC: &[&str] = &[
    "tokio",
    "async_nats",
    "tokio_postgres",
    "deadpool_postgres",
    "axum",
    "reqwest",
    "sysinfo",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "Instant",
    "SystemTime",
    "muster_runtime",
    "spawn",
    "println",
    "eprintln",
    "tracing",
];

/// Modules of `std` that do IO.
const NOT_OF_STD: &[&str] = &["fs", "process", "thread", "env", "io"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in the workspace").into()
}

fn files(directory: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !["target", "node_modules", "dist"].contains(&name.as_str()) {
            files(&path, ending, found);
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
}

fn sources(ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for (member, _) in MAY_USE {
        files(&root().join(member), ending, &mut found);
    }
    found
}

fn parse(path: &Path) -> syn::File {
    let text = fs::read_to_string(path).unwrap();
    syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn assert_none(what: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{what}:\n{}", broken.join("\n"));
}

#[test]
fn dependencies_run_one_way() {
    let mut broken = Vec::new();
    for (member, allowed) in MAY_USE {
        let text = fs::read_to_string(root().join(member).join("Cargo.toml")).unwrap();
        let manifest: toml::Table = text.parse().unwrap();
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(used) = manifest.get(section).and_then(toml::Value::as_table) else {
                continue;
            };
            for ours in used.keys().filter_map(|name| name.strip_prefix("muster-")) {
                if !allowed.contains(&ours) {
                    broken.push(format!("{member} must not use {ours}"));
                }
            }
        }
    }
    assert_none("broken directions", &broken);
}

#[test]
fn each_service_has_the_same_shape() {
    for service in ["agent", "ingest-worker", "alert-worker", "gateway"] {
        let source = root().join(service).join("src");
        for part in ["main.rs", "config.rs", "service.rs", "logic", "io"] {
            assert!(source.join(part).exists(), "{service} lacks {part}");
        }
    }
}

#[test]
fn files_are_short() {
    let long: Vec<String> = ["rs", "ts", "tsx", "css"]
        .iter()
        .flat_map(|ending| sources(&format!(".{ending}")))
        .filter_map(|path| {
            let lines = fs::read_to_string(&path).unwrap().lines().count();
            (lines > FILE_LINES_MAX).then(|| format!("{}: {lines} lines", path.display()))
        })
        .collect();
    assert_none(&format!("files over {FILE_LINES_MAX} lines"), &long);
}

/// Finds functions that are too long.
#[derive(Default)]
struct Functions {
    long: Vec<String>,
}

impl Functions {
    fn measure(&mut self, name: &syn::Ident, block: &syn::Block) {
        let span = block.span();
        let lines = span.end().line - span.start().line + 1;
        if lines > FUNCTION_LINES_MAX {
            self.long.push(format!("{name}: {lines} lines"));
        }
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.measure(&function.sig.ident, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.measure(&function.sig.ident, &function.block);
        visit::visit_impl_item_fn(self, function);
    }
}

#[test]
fn functions_are_short() {
    let mut long = Vec::new();
    for path in sources(".rs") {
        let mut functions = Functions::default();
        functions.visit_file(&parse(&path));
        long.extend(functions.long.iter().map(|said| format!("{}: {said}", path.display())));
    }
    assert_none(&format!("functions over {FUNCTION_LINES_MAX} lines"), &long);
}

/// Finds what logic must not do. Tests inside a logic module are held to the same rule.
#[derive(Default)]
struct Impurities {
    found: Vec<String>,
}

impl<'ast> Visit<'ast> for Impurities {
    fn visit_ident(&mut self, ident: &'ast syn::Ident) {
        let name = ident.to_string();
        if NOT_IN_LOGIC.contains(&name.as_str()) {
            self.found.push(name);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        self.check_std(&segments);
        visit::visit_path(self, path);
    }

    fn visit_use_path(&mut self, path: &'ast syn::UsePath) {
        if path.ident == "std" {
            for module in modules(&path.tree) {
                self.check_std(&["std".into(), module]);
            }
        }
        visit::visit_use_path(self, path);
    }

    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        if signature.asyncness.is_some() {
            self.found.push(format!("async fn {}", signature.ident));
        }
        visit::visit_signature(self, signature);
    }

    fn visit_expr_await(&mut self, awaits: &'ast syn::ExprAwait) {
        self.found.push("await".into());
        visit::visit_expr_await(self, awaits);
    }
}

impl Impurities {
    fn check_std(&mut self, segments: &[String]) {
        if let [first, second, ..] = segments
            && first == "std"
            && NOT_OF_STD.contains(&second.as_str())
        {
            self.found.push(format!("std::{second}"));
        }
    }
}

/// The first names below a `use` path: `std::{fs, collections::HashMap}` gives both.
fn modules(tree: &syn::UseTree) -> Vec<String> {
    match tree {
        syn::UseTree::Path(path) => vec![path.ident.to_string()],
        syn::UseTree::Name(name) => vec![name.ident.to_string()],
        syn::UseTree::Rename(rename) => vec![rename.ident.to_string()],
        syn::UseTree::Group(group) => group.items.iter().flat_map(modules).collect(),
        syn::UseTree::Glob(_) => Vec::new(),
    }
}

fn impurities(path: &Path) -> Vec<String> {
    let mut impurities = Impurities::default();
    impurities.visit_file(&parse(path));
    impurities.found.iter().map(|found| format!("{}: {found}", path.display())).collect()
}

#[test]
fn logic_has_no_io_no_clock_and_no_async() {
    let logic: Vec<PathBuf> = sources(".rs")
        .into_iter()
        .filter(|path| path.components().any(|part| part.as_os_str() == "logic"))
        .collect();
    assert!(logic.len() > 5, "no logic was found");
    let broken: Vec<String> = logic.iter().flat_map(|path| impurities(path)).collect();
    assert_none("impure logic", &broken);
}

#[test]
fn the_vocabulary_and_alerting_have_no_io_either() {
    let mut paths = Vec::new();
    for pure in ["schemas/src", "alerts/src"] {
        files(&root().join(pure), ".rs", &mut paths);
    }
    let broken: Vec<String> = paths.iter().flat_map(|path| impurities(path)).collect();
    assert_none("impure vocabulary or alerting", &broken);
}

#[test]
fn impurities_are_found_where_there_are_some() {
    let text = "
        use std::{collections::HashMap, fs};
        fn a() { let t = std::time::Instant::now(); std::thread::sleep(t); }
        async fn b() { c().await }";
    let mut impurities = Impurities::default();
    impurities.visit_file(&syn::parse_file(text).unwrap());
    impurities.found.sort();
    assert_eq!(impurities.found, ["Instant", "async fn b", "await", "std::fs", "std::thread"]);
}
