//! A judged request on its way through an opened tunnel, and its answer back.

use super::dlp::{Found, Inspector};
use crate::gate::network::Ended;
use crate::limits::{EGRESS_ANSWER_TIMEOUT, EGRESS_DLP_BYTES_MAX};
use crate::plane::egress::framing::Framing;
use crate::plane::egress::head::{RequestHead, ResponseHead};
use crate::plane::egress::headers::Headers;
use crate::plane::egress::server::Egress;
use crate::plane::egress::wire::{
    Broken, Inbound, Outbound, Progress, Unwatched, Watch, Wire, answer_framing, pass_down,
    relay_raw, upward,
};
use flate2::read::MultiGzDecoder;
use std::io::Read;
use std::sync::atomic::Ordering::Relaxed;
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
        let (progress, mut watch) = (Progress::default(), self.inspector.body());
        let mut status = None;
        let passed = {
            let mut unwatched = Unwatched;
            // What is encoded was looked through while it was held back, all of it.
            let seeing: &mut dyn Watch = if is_encoded { &mut unwatched } else { &mut watch };
            let (client, upstream) = (&mut *self.client, &mut self.upstream);
            let ends = (&mut client.from, &mut upstream.to);
            let up = upward(ends, framing, seeing, &progress, patience);
            let ends = (&mut client.to, &mut upstream.from);
            let down = down((self.head, websocket), ends, (&progress, &mut status), patience);
            tokio::select! {
                biased;
                broken = up => Err(broken),
                passed = down => passed,
            }
        };
        *found = watch.found.take();
        ended.bytes = (progress.up.load(Relaxed), progress.down.load(Relaxed));
        ended.more.extend(status.map(|status: u16| ("status", status.into())));
        let passed = passed.map_err(|broken| (broken, progress.answered.load(Relaxed)))?;
        match passed {
            Down::Changed(answer) => self.change(&answer, ended, patience).await,
            Down::Passed(goes_on) => {
                if !goes_on {
                    self.client.farewell(&[], EGRESS_ANSWER_TIMEOUT).await;
                }
                Ok(goes_on)
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

/// What an answer came to.
enum Down {
    /// The protocol changes after this head.
    Changed(ResponseHead),
    /// It has passed; whether both ends can go on.
    Passed(bool),
}

/// Passes the answer on, which may come before the request has passed.
async fn down(
    (head, websocket): (&RequestHead, bool),
    (client, upstream): (&mut Outbound, &mut Inbound),
    (progress, status): (&Progress, &mut Option<u16>),
    patience: Duration,
) -> Result<Down, Broken> {
    let answer = loop {
        let answer = upstream.answer(progress, patience).await?;
        match answer.status {
            101 if websocket => {
                *status = Some(101);
                return Ok(Down::Changed(answer));
            }
            101 => return Err(Broken::Upstream),
            // What only announces an answer is passed over.
            100..200 => {}
            _ => break answer,
        }
    };
    let framing = answer_framing(&answer, &head.method)?;
    // What is left of a request that was answered early would be the next one.
    let may_go_on = progress.sent.load(Relaxed) && head.keeps_alive();
    let goes_on = may_go_on && answer.keeps_alive() && framing != Framing::UntilClose;
    let mut headers = answer.headers.forwardable();
    headers.remove("alt-svc");
    if !goes_on {
        let _ = headers.set("connection", b"close");
    }
    *status = Some(answer.status);
    progress.answered.store(true, Relaxed);
    let sent = client.send(&answer.to_client(&headers), patience).await;
    sent.map_err(|_| Broken::Client)?;
    pass_down((client, upstream), framing, &mut Unwatched, progress, patience).await?;
    Ok(Down::Passed(goes_on))
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
