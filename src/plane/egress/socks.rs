//! Stand-in.
use super::entry::Client;
use super::server::Egress;
use super::tunnel::Tunnel;
use std::sync::Arc;
use tokio::time::Instant;
pub(super) async fn serve(_: &Arc<Egress>, _: Client, _: Instant) -> Option<Tunnel> {
    None
}
