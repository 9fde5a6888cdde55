//! How fast log lines are read: beside `rg -i -c` with the same words on the same file, one
//! thread each, from the page cache.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use muster_agent::logic::logs::{Clock, Scanner};
use muster_runtime::now_ms;
use muster_schemas::logs::Severity;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tempfile::TempDir;

use crate::figures::{Better, Figure, Figures};

const FILE_BYTES: u64 = 1 << 30;

/// What the follower reads at once.
const BLOCK_BYTES: usize = 256 * 1024;

/// Each side in turn: the machine's speed drifts, the ratio of neighbours less.
const ROUNDS: usize = 3;

/// The words by which a line without a level is judged.
const WORDS: &str = "emerg|alert|critical|error|fail|panic|fatal";

/// One line in so many matches.
const ONE_IN: u32 = 100;

pub fn measure(figures: &mut Figures) -> Result<()> {
    let has_ripgrep = Command::new("rg").arg("--version").output().is_ok();
    if !has_ripgrep {
        eprintln!("no scan figures: apt-get install ripgrep");
        return Ok(());
    }
    let directory = TempDir::new()?;
    let path = directory.path().join("application.log");
    let lines = write_log(&path)?;
    let mut rounds = Vec::new();
    for round in 1..=ROUNDS {
        let limit = ripgrep(&path)?;
        let (seconds, found) = scan(&path)?;
        ensure!(found > 0, "the scanner found nothing");
        eprintln!("scan round {round} of {ROUNDS}: {seconds:.3} s, rg {limit:.3} s, {found} found");
        rounds.push((seconds, limit));
    }
    rounds.sort_by(|a, b| (a.0 / a.1).total_cmp(&(b.0 / b.1)));
    let (seconds, limit) = rounds[rounds.len() / 2];
    let goal = Some((0.5, Better::Higher));
    let ratio = limit / seconds;
    let name = "agent.scan_ratio_to_ripgrep";
    figures.add(Figure { name, value: ratio, unit: "ratio", limit: None, goal });
    let megabytes = |seconds: f64| FILE_BYTES as f64 / seconds / 1e6;
    figures.add(Figure {
        name: "agent.scan_mb_per_s",
        value: megabytes(seconds),
        unit: "MB/s",
        limit: Some(megabytes(limit)),
        goal: None,
    });
    figures.add(Figure {
        name: "agent.scan_lines_per_s",
        value: lines as f64 / seconds,
        unit: "lines/s",
        limit: None,
        goal: Some((100_000.0, Better::Higher)),
    });
    Ok(())
}

/// Lines as services write them, the same at each run.
fn write_log(path: &Path) -> Result<u64> {
    let mut file = BufWriter::new(File::create(path)?);
    let mut random = SmallRng::seed_from_u64(7);
    let (mut bytes, mut lines) = (0, 0);
    while bytes < FILE_BYTES {
        let (second, user) = (lines / 50 % 86_400, random.random_range(1..100_000u32));
        let time = format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
        let line = match random.random_range(0..ONE_IN) {
            0 => format!("2026-11-20 {time},120 ERROR [main] c.e.Orders - order {user} was lost\n"),
            1..30 => {
                format!("2026-11-20 {time},113 INFO [pool-3] c.e.Orders - order {user} done\n")
            }
            30..60 => {
                format!("2026-11-20 {time},117 DEBUG [http-7] c.e.Web - GET /item/{user} 200\n")
            }
            _ => {
                format!("2026-11-20 {time},119 INFO [cache] c.e.Cache - {user} entries in 12 ms\n")
            }
        };
        file.write_all(line.as_bytes())?;
        bytes += line.len() as u64;
        lines += 1;
    }
    file.flush()?;
    Ok(lines)
}

fn ripgrep(path: &Path) -> Result<f64> {
    let started = Instant::now();
    let status = Command::new("rg")
        .args(["-i", "-c", "-j1", WORDS])
        .arg(path)
        .stdout(std::process::Stdio::null())
        .status()
        .context("cannot run rg")?;
    ensure!(status.success(), "rg failed with {status}");
    Ok(started.elapsed().as_secs_f64())
}

fn scan(path: &Path) -> Result<(f64, usize)> {
    let clock = Clock { now_ms: now_ms(), utc_offset_ms: 0 };
    let mut scanner = Scanner::new(&path.to_string_lossy(), Severity::Error);
    let (mut file, mut buffer) = (File::open(path)?, vec![0; BLOCK_BYTES]);
    let (mut found, mut count) = (Vec::new(), 0);
    let (mut filled, mut offset) = (0, 0);
    let started = Instant::now();
    loop {
        let read = file.read(&mut buffer[filled..])?;
        if read == 0 {
            break;
        }
        filled += read;
        let Some(end) = buffer[..filled].iter().rposition(|byte| *byte == b'\n') else { continue };
        scanner.feed(&buffer[..=end], offset, clock, &mut found);
        count += found.len();
        found.clear();
        offset += end as u64 + 1;
        buffer.copy_within(end + 1..filled, 0);
        filled -= end + 1;
    }
    scanner.flush(clock, &mut found);
    Ok((started.elapsed().as_secs_f64(), count + found.len()))
}
