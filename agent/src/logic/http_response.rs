//! An HTTP/1.1 response, as bytes: whether it is whole, and its body.
//!
//! Enough for what answers on the same host (a container runtime, a metrics endpoint): one response
//! a connection, no compression, no redirects.

/// Headers longer than this are no answer to what we ask.
const HEAD_BYTES_MAX: usize = 16 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head {
    status: u16,
    /// Where the body begins.
    length: usize,
    content_length: Option<usize>,
    chunked: bool,
}

/// Whether no more needs to be read; without a stated length the end of the connection tells.
pub fn is_whole(bytes: &[u8]) -> bool {
    let Ok(Some(head)) = parse_head(bytes) else { return bytes.len() > HEAD_BYTES_MAX };
    let body = &bytes[head.length..];
    if head.chunked {
        return body.ends_with(b"0\r\n\r\n") && unchunk(body).is_some();
    }
    head.content_length.is_some_and(|length| body.len() >= length)
}

/// The body of a response that succeeded, or why there is none.
pub fn body(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let head = parse_head(bytes)?.ok_or("the answer ended within its headers")?;
    if head.status != 200 {
        return Err(format!("the answer was status {}", head.status));
    }
    let body = &bytes[head.length..];
    if head.chunked {
        return unchunk(body).ok_or_else(|| "the answer ended within a chunk".into());
    }
    match head.content_length {
        Some(length) if body.len() < length => Err("the answer ended too early".into()),
        Some(length) => Ok(body[..length].to_vec()),
        None => Ok(body.to_vec()),
    }
}

/// `None` where the headers are not whole yet.
fn parse_head(bytes: &[u8]) -> Result<Option<Head>, String> {
    let end = bytes.windows(4).take(HEAD_BYTES_MAX).position(|window| window == b"\r\n\r\n");
    let Some(end) = end else { return Ok(None) };
    let text = String::from_utf8_lossy(&bytes[..end]);
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let status =
        first.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1)?.parse().ok());
    let status = status.ok_or("the answer is not HTTP")?;
    let mut head = Head { status, length: end + 4, content_length: None, chunked: false };
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            head.content_length = value.parse().ok();
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            head.chunked = value.eq_ignore_ascii_case("chunked");
        }
    }
    Ok(Some(head))
}

/// Joins chunks: `<hexadecimal length>[;...]\r\n<bytes>\r\n`, the last of length 0.
fn unchunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut joined = Vec::with_capacity(rest.len());
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n")?;
        let line = std::str::from_utf8(&rest[..end]).ok()?;
        let length = usize::from_str_radix(line.split(';').next()?.trim(), 16).ok()?;
        rest = &rest[end + 2..];
        if length == 0 {
            return Some(joined);
        }
        joined.extend_from_slice(rest.get(..length)?);
        rest = rest.get(length..)?.strip_prefix(b"\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(response: &str, expected: Result<&str, &str>) {
        let expected = expected.map(|text| text.as_bytes().to_vec()).map_err(str::to_owned);
        assert_eq!(body(response.as_bytes()), expected, "{response}");
    }

    #[test]
    fn bodies_are_found_however_their_length_is_told() {
        check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", Ok("hi"));
        check("HTTP/1.0 200 OK\r\n\r\nhi", Ok("hi"));
        check(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n3;x=y\r\n\r\n!\r\n0\r\n\r\n",
            Ok("hi\r\n!"),
        );
        check("HTTP/1.1 404 Not Found\r\n\r\n", Err("the answer was status 404"));
        check("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", Err("the answer ended too early"));
        check("SSH-2.0\r\n\r\n", Err("the answer is not HTTP"));
        check("", Err("the answer ended within its headers"));
    }

    #[test]
    fn a_whole_answer_is_known_without_waiting_for_the_end_of_the_connection() {
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
        for response in ["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", chunked] {
            for length in 0..response.len() {
                assert!(!is_whole(&response.as_bytes()[..length]), "{length} of {response}");
            }
            assert!(is_whole(response.as_bytes()));
        }
    }

    proptest! {
        #[test]
        fn no_answer_is_too_strange(bytes: Vec<u8>) {
            is_whole(&bytes);
            let mut response = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
            response.extend(&bytes);
            is_whole(&response);
            let _ = body(&response);
        }
    }
}
