//! What all clients share: the look-up of names, and memory for answers.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Names;

/// All answers that are under way together, in bytes.
const BUDGET_BYTES: usize = 128 * 1024 * 1024;
/// What the budget is given out in.
const UNIT_BYTES: usize = 64 * 1024;

/// What all clients share.
#[derive(Debug)]
pub struct Net {
    pub(crate) names: Names,
    budget: Arc<Semaphore>,
}

impl Net {
    /// Asks these name servers; without any, those of `/etc/resolv.conf`.
    #[must_use]
    pub fn new(servers: Vec<SocketAddr>) -> Self {
        Self { names: Names::new(servers), budget: Arc::new(Semaphore::new(BUDGET_BYTES / UNIT_BYTES)) }
    }
}

impl Default for Net {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

/// The memory that one answer has been given. However many targets answer without end at the same time, they share
/// one budget; who waits for some of it does so within the time of its request.
#[derive(Debug, Default)]
pub(super) struct Share {
    held: Option<OwnedSemaphorePermit>,
}

impl Share {
    /// Makes it at least so large.
    pub(super) async fn grow(&mut self, net: &Net, bytes: usize) {
        let has = self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let wants = bytes.div_ceil(UNIT_BYTES);
        let more = u32::try_from(wants.saturating_sub(has)).unwrap_or(u32::MAX);
        if more == 0 {
            return;
        }
        // The budget is never closed.
        if let Ok(more) = Arc::clone(&net.budget).acquire_many_owned(more).await {
            match &mut self.held {
                Some(held) => held.merge(more),
                None => self.held = Some(more),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(flavor = "current_thread")]
    async fn answers_share_one_budget() {
        let net = Net::default();
        let (mut first, mut second) = (Share::default(), Share::default());
        first.grow(&net, 1).await;
        first.grow(&net, BUDGET_BYTES).await;
        let waits = tokio::time::timeout(Duration::from_millis(20), second.grow(&net, 1)).await;
        assert!(waits.is_err());
        drop(first);
        second.grow(&net, 1).await;
        assert_eq!(net.budget.available_permits(), BUDGET_BYTES / UNIT_BYTES - 1);
    }
}
