//! Progress for people: a spinner on a terminal, plain lines elsewhere.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Smooth to the eye.
const TICK: Duration = Duration::from_millis(100);

pub struct Display {
    spinner: Option<ProgressBar>,
}

impl Display {
    pub fn new() -> Self {
        let spinner = io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("  {spinner} {msg} ({elapsed})");
            let bar = ProgressBar::new_spinner();
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar
        });
        Self { spinner }
    }

    /// What is being done now.
    pub fn doing(&self, text: &str) {
        if let Some(bar) = &self.spinner {
            bar.reset_elapsed();
            bar.set_message(text.to_owned());
            bar.enable_steady_tick(TICK);
        }
    }

    /// What was done, or happened.
    pub fn line(&self, text: &str) {
        match &self.spinner {
            Some(bar) => bar.suspend(|| say(text)),
            None => say(text),
        }
    }

    /// Takes the spinner away.
    pub fn finish(&self) {
        if let Some(bar) = &self.spinner {
            bar.finish_and_clear();
        }
    }
}

impl Default for Display {
    fn default() -> Self {
        Self::new()
    }
}

/// Prints a line. A reader that went away, as `head` does, is no reason to end with a panic.
pub fn say(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}
