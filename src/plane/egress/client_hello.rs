//! Stand-in until the wire's own parser is merged.
use super::reason::Reason;
use crate::model::host::Name;
#[derive(Debug)]
pub struct ClientHello {
    pub sni: Option<Name>,
    pub ech: bool,
    pub alpn: Vec<String>,
}
pub fn read(bytes: &[u8]) -> Result<Option<ClientHello>, Reason> {
    match bytes.first() {
        None => Ok(None),
        Some(_) => Err(Reason::NotTls),
    }
}
