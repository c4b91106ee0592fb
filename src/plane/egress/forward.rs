//! Stand-in.
use super::entry::Client;
use super::head::RequestHead;
use super::server::Egress;
use crate::gate::network::Connection;
use std::sync::Arc;
pub(super) async fn exchange(_: &Arc<Egress>, _: &mut Client, _: RequestHead) -> bool {
    false
}
pub(super) async fn inside(_: &Arc<Egress>, _: Client, _: Connection) {}
