//! An answer that is kept for a while, because the database works for it longer than anybody would
//! wait each time. Whoever asks while it is being found waits for the same answer.

use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::sync::Mutex;

/// How large things are changes by less than anybody sees in this time; finding it out takes the
/// database seconds where there are years of days.
const KEPT_FOR: Duration = Duration::from_secs(60);

pub(crate) struct Kept<T> {
    newest: Mutex<Option<(Instant, T)>>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { newest: Mutex::new(None) }
    }
}

impl<T: Clone> Kept<T> {
    /// The answer that is kept, or what `find` says now.
    pub(crate) async fn get(&self, find: impl Future<Output = Result<T>>) -> Result<T> {
        let mut newest = self.newest.lock().await;
        if let Some((found_at, answer)) = newest.as_ref()
            && found_at.elapsed() < KEPT_FOR
        {
            return Ok(answer.clone());
        }
        let answer = find.await?;
        *newest = Some((Instant::now(), answer.clone()));
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_failure_is_not_kept_and_an_answer_is() {
        let kept = Kept::default();
        assert!(kept.get(async { anyhow::bail!("away") }).await.is_err());
        assert_eq!(kept.get(async { Ok(1) }).await.unwrap(), 1);
        assert_eq!(kept.get(async { Ok(2) }).await.unwrap(), 1);
    }
}
