//! A connection for as long as somebody needs it. Where a request is given up in the middle of a
//! statement, the server is told, which would work on for nobody, and the connection is not given
//! to another request, which would wait for that.
//!
//! Whether it was given up is seen from where a connection is let go: while the request is worked
//! on, it is done with; at any other time the request was dropped. What goes on after its request
//! is not judged: the server's limit of a statement bounds it.

use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context as TaskContext, Poll};

use anyhow::{Context, Result};
use deadpool_postgres::{Object, Pool};
use tokio::runtime::Handle;
use tokio_postgres::NoTls;
use tracing::debug;

tokio::task_local! {
    /// Whether the request of this task is being worked on.
    static IS_WORKED_ON: Arc<AtomicBool>;
}

/// Does the work of a request: connections it holds when it is dropped are cut off.
pub(crate) async fn as_request<T>(work: impl Future<Output = T>) -> T {
    let is_worked_on = Arc::new(AtomicBool::new(false));
    let work = Watched { is_worked_on: is_worked_on.clone(), work: Box::pin(work) };
    IS_WORKED_ON.scope(is_worked_on, work).await
}

struct Watched<F> {
    is_worked_on: Arc<AtomicBool>,
    work: Pin<Box<F>>,
}

impl<F: Future> Future for Watched<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<F::Output> {
        self.is_worked_on.store(true, Ordering::Relaxed);
        let outcome = self.work.as_mut().poll(context);
        self.is_worked_on.store(false, Ordering::Relaxed);
        outcome
    }
}

pub(super) async fn connection(pool: &Pool) -> Result<Connection> {
    let object = pool.get().await.context("no connection to the database")?;
    let request = IS_WORKED_ON.try_with(Arc::clone).ok();
    Ok(Connection { object: Some(object), request })
}

/// One of the pool's.
pub(super) struct Connection {
    /// Always there until it is dropped.
    object: Option<Object>,
    request: Option<Arc<AtomicBool>>,
}

impl Deref for Connection {
    type Target = Object;

    fn deref(&self) -> &Object {
        self.object.as_ref().expect("only dropping takes it")
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut Object {
        self.object.as_mut().expect("only dropping takes it")
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let is_done = |request: &Arc<AtomicBool>| request.load(Ordering::Relaxed);
        if self.request.as_ref().is_none_or(is_done) {
            return;
        }
        // Without a runtime the process ends, and its connections with it.
        if let (Some(object), Ok(runtime)) = (self.object.take(), Handle::try_current()) {
            runtime.spawn(cut_off(object));
        }
    }
}

async fn cut_off(object: Object) {
    let client = Object::take(object);
    if let Err(error) = client.cancel_token().cancel_query(NoTls).await {
        debug!(%error, "the database goes on with what nobody waits for");
    }
}
