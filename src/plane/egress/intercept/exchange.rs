//! A judged request on its way through an opened tunnel, and its answer back.

use super::dlp::{Found, Inspector};
use crate::gate::network::Ended;
use crate::limits::{EGRESS_ANSWER_TIMEOUT, EGRESS_DLP_BYTES_MAX};
use crate::plane::egress::framing::Framing;
use crate::plane::egress::head::{RequestHead, ResponseHead};
use crate::plane::egress::headers::Headers;
use crate::plane::egress::server::Egress;
use crate::plane::egress::wire::{
    Broken, Unwatched, Wire, answer_framing, pass_down, pass_up, relay_raw,
};
use flate2::read::MultiGzDecoder;
use std::io::Read;
use std::time::Duration;
use zeroize::Zeroizing;

/// What is sent.
pub(super) struct Outgoing {
    /// The head, with the secret if there is one.
    pub(super) bytes: Zeroizing<Vec<u8>>,
    pub(super) framing: Framing,
    pub(super) websocket: bool,
}

/// A request between two ends.
pub(super) struct Exchange<'a> {
    pub(super) egress: &'a Egress,
    pub(super) client: &'a mut Wire,
    pub(super) upstream: Wire,
    pub(super) head: &'a RequestHead,
    pub(super) inspector: Inspector<'a>,
}

/// What is found in a body that was held back, or in its beginning.
pub(super) fn in_body(
    inspector: Inspector<'_>,
    headers: &Headers,
    data: &[u8],
    is_whole: bool,
) -> Option<Found> {
    let mut codings = headers.members("content-encoding").filter(|name| *name != b"identity");
    match (codings.next(), codings.next()) {
        (None, _) => inspector.text(data),
        (Some(b"gzip" | b"x-gzip"), None) if is_whole => {
            let mut plain = Vec::new();
            let most = u64::try_from(EGRESS_DLP_BYTES_MAX).unwrap_or(u64::MAX);
            match MultiGzDecoder::new(data).take(most + 1).read_to_end(&mut plain) {
                Ok(length) if length <= EGRESS_DLP_BYTES_MAX => inspector.text(&plain),
                Ok(_) | Err(_) => Some(Found::Opaque),
            }
        }
        (Some(_), _) if data.is_empty() && is_whole => None,
        (Some(_), _) => Some(Found::Opaque),
    }
}

impl Exchange<'_> {
    /// Sends it and passes the answer on: whether both ends can go on, and what was found on the
    /// way.
    pub(super) async fn run(
        &mut self,
        outgoing: Outgoing,
        ended: &mut Ended,
    ) -> (bool, Option<Found>) {
        let egress = self.egress;
        let mut found = None;
        let passed = tokio::select! {
            passed = self.pass(outgoing, ended, &mut found) => passed,
            () = egress.drain.notified() => {
                ended.cause = "drain".to_owned();
                return (false, None);
            }
        };
        match passed {
            Ok(goes_on) => {
                ended.cause = "done".to_owned();
                (goes_on, found)
            }
            Err((broken, answered)) => {
                ended.cause = broken.cause().to_owned();
                if let Broken::Refused(reason) = broken {
                    ended.reason = Some(reason);
                }
                if !answered && broken != Broken::Client {
                    let said = said(broken, found.as_ref());
                    self.client.farewell(&said, EGRESS_ANSWER_TIMEOUT).await;
                }
                (false, found)
            }
        }
    }

    async fn pass(
        &mut self,
        outgoing: Outgoing,
        ended: &mut Ended,
        found: &mut Option<Found>,
    ) -> Result<bool, (Broken, bool)> {
        let patience = self.egress.settings.bounds.idle;
        let Outgoing { bytes, framing, websocket } = outgoing;
        let gone = |_| (Broken::Upstream, false);
        self.upstream.send(&bytes, patience).await.map_err(gone)?;
        drop(bytes);
        let is_encoded = self.head.headers.has("content-encoding");
        let up = if is_encoded {
            // All of it was looked through while it was held back.
            pass_up((self.client, &mut self.upstream), framing, &mut Unwatched, patience).await
        } else {
            let mut watch = self.inspector.body();
            let ends = (&mut *self.client, &mut self.upstream);
            let up = pass_up(ends, framing, &mut watch, patience).await;
            *found = watch.found.take();
            up
        };
        let cut = match up {
            Ok(bytes) => {
                ended.bytes.0 = bytes;
                false
            }
            // An upstream that wants no more of it may have said why.
            Err(Broken::Upstream) => true,
            Err(broken) => return Err((broken, false)),
        };
        let answer = self.answer(websocket, patience).await.map_err(|why| (why, false))?;
        ended.more.push(("status", answer.status.into()));
        if answer.status == 101 {
            return self.change(&answer, ended, patience).await;
        }
        let framing = answer_framing(&answer, &self.head.method).map_err(|why| (why, false))?;
        let may_go_on = !cut && self.head.keeps_alive();
        let goes_on = may_go_on && answer.keeps_alive() && framing != Framing::UntilClose;
        let mut headers = answer.headers.forwardable();
        headers.remove("alt-svc");
        if !goes_on {
            let _ = headers.set("connection", b"close");
        }
        let sent = self.client.send(&answer.to_client(&headers), patience).await;
        sent.map_err(|_| (Broken::Client, true))?;
        let ends = (&mut *self.client, &mut self.upstream);
        let (passed, bytes) = pass_down(ends, framing, &mut Unwatched, patience).await;
        ended.bytes.1 = bytes;
        passed.map_err(|broken| (broken, true))?;
        if !goes_on {
            self.client.farewell(&[], EGRESS_ANSWER_TIMEOUT).await;
        }
        Ok(goes_on)
    }

    /// The head of the answer; what only announces one is passed over.
    async fn answer(
        &mut self,
        websocket: bool,
        patience: Duration,
    ) -> Result<ResponseHead, Broken> {
        loop {
            let answer = self.upstream.answer(self.client, patience).await?;
            match answer.status {
                101 if websocket => return Ok(answer),
                101 => return Err(Broken::Upstream),
                100..200 => {}
                _ => return Ok(answer),
            }
        }
    }

    /// The protocol is another one from here on; bytes pass, and nobody looks at them.
    async fn change(
        &mut self,
        answer: &ResponseHead,
        ended: &mut Ended,
        patience: Duration,
    ) -> Result<bool, (Broken, bool)> {
        let mut headers = answer.headers.forwardable();
        let _ = headers.set("connection", b"Upgrade");
        let _ = headers.set("upgrade", b"websocket");
        let sent = self.client.send(&answer.to_client(&headers), patience).await;
        sent.map_err(|_| (Broken::Client, true))?;
        let ends = (&mut *self.client, &mut self.upstream);
        let (broken, up, down) = relay_raw(ends, patience).await;
        ended.bytes = (up, down);
        Err((broken, true))
    }
}

/// What the client is told of a request that did not come to an answer.
fn said(broken: Broken, found: Option<&Found>) -> Vec<u8> {
    use crate::gate::network::Denial;
    use crate::plane::egress::answer;
    match broken {
        Broken::Refused(reason) => {
            let why = found.map_or_else(
                || crate::plane::egress::entry::words(reason).to_owned(),
                Found::words,
            );
            let denial = Denial { reason, why, rule: None, unrecorded: false };
            answer::http(&denial, "", true)
        }
        Broken::Client | Broken::Upstream | Broken::Idle => {
            let error = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
            answer::unreachable(&error.into(), "the host")
        }
    }
}
