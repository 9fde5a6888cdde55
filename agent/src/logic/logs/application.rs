//! The application of a file whose lines do not name one, from the file's path.
//!
//! A container's name where the path has it, else the directory where it is an application's own
//! (`/var/log/nginx/error.log`), else the file's name without dates and rotation numbers.

/// Names are for lists and filters.
pub(super) const NAME_BYTES_MAX: usize = 128;

/// Directories that hold the logs of many applications.
const SHARED: [&str; 12] =
    ["log", "logs", "tmp", "var", "data", "containers", "pods", "home", "root", "opt", "srv", ""];

pub(super) fn from_path(path: &str) -> String {
    let parts: Vec<&str> = path.split(['/', '\\']).collect();
    let (file, directories) = parts.split_last().unwrap_or((&path, &[]));
    let name = container(file, directories).unwrap_or_else(|| by_place(file, directories));
    let end = (0..=name.len().min(NAME_BYTES_MAX)).rev().find(|at| name.is_char_boundary(*at));
    name[..end.unwrap_or(0)].to_owned()
}

/// Kubernetes' `pod_namespace_name-<64 hex digits>.log` and `ns_pod_uid/name/0.log`, Docker's
/// `<64 hex digits>/...-json.log`.
fn container<'a>(file: &'a str, directories: &[&'a str]) -> Option<&'a str> {
    const DOCKER_ID_SHOWN: usize = 12;
    if let Some(pods) = directories.iter().rposition(|part| *part == "pods") {
        return directories.get(pods + 2).copied();
    }
    let parent = directories.last().copied().unwrap_or_default();
    if parent == "containers" {
        let name = file.rsplit('_').next().filter(|name| name.len() < file.len())?;
        return Some(name.rsplit_once('-').map_or(stem(name), |(name, _)| name));
    }
    let is_id = parent.len() == 64 && parent.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| &parent[..DOCKER_ID_SHOWN])
}

fn by_place<'a>(file: &'a str, directories: &[&'a str]) -> &'a str {
    let parent = directories.last().copied().unwrap_or_default();
    let in_log =
        directories.iter().rev().nth(1).is_some_and(|above| matches!(*above, "log" | "logs"));
    if in_log && !SHARED.contains(&parent) && !is_number(parent) {
        return parent;
    }
    match stem(file) {
        // `/opt/shop/logs/error.log`: the name of the file says what, not who.
        "error" | "access" | "out" | "stdout" | "stderr" | "output" | "app" | "application" => {
            directories
                .iter()
                .rev()
                .copied()
                .find(|part| !SHARED.contains(part))
                .unwrap_or(stem(file))
        }
        name => name,
    }
}

/// `orders-2026-11-21.log.1` is `orders`.
fn stem(file: &str) -> &str {
    let mut name = file;
    while let Some((rest, ending)) = name.rsplit_once(['.', '-', '_']) {
        let dropped =
            matches!(ending, "log" | "txt" | "out" | "err" | "gz" | "json" | "old" | "current")
                || is_number(ending);
        if rest.is_empty() || !dropped {
            break;
        }
        name = rest;
    }
    name
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_its_application() {
        let uid = "0123456789abcdef".repeat(4);
        for (path, name) in [
            ("/var/log/nginx/error.log", "nginx"),
            ("/var/log/postgresql/postgresql-15-main.log", "postgresql"),
            ("/var/log/apache2/access.log.1", "apache2"),
            ("/var/log/syslog", "syslog"),
            ("/var/log/orders-2026-11-21.log", "orders"),
            ("/var/log/orders.log.1", "orders"),
            ("/opt/shop/logs/error.log", "shop"),
            ("/opt/shop/logs/billing.log", "billing"),
            ("billing.log", "billing"),
            ("/var/log/pods/shop_cart-7d_4f/cart/0.log", "cart"),
            (&format!("/var/log/containers/cart-7d_shop_web-{uid}.log"), "web"),
            (&format!("/var/lib/docker/containers/{uid}/{uid}-json.log"), "0123456789ab"),
            ("", ""),
            ("/", ""),
        ] {
            assert_eq!(from_path(path), name, "{path}");
        }
    }
}
