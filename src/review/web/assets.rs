//! Style and script, embedded. Their addresses hold their digest, so that a browser keeps them for
//! good and never mixes those of two versions. There is nothing of the log in them.

use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// One file that pages name.
pub(super) struct Asset {
    /// Its path, with its digest in it.
    pub(super) path: String,
    /// Its media type.
    pub(super) media: &'static str,
    /// What it holds.
    pub(super) bytes: &'static [u8],
}

/// All of them.
pub(super) struct Assets {
    /// How pages look.
    pub(super) style: Asset,
    /// What pages do by themselves; everything but the live view works without it.
    pub(super) script: Asset,
    /// The icon of the tab.
    pub(super) icon: Asset,
}

pub(super) static ASSETS: LazyLock<Assets> = LazyLock::new(|| Assets {
    style: asset("style", "css", "text/css; charset=utf-8", include_bytes!("assets/style.css")),
    script: asset(
        "review",
        "js",
        "text/javascript; charset=utf-8",
        include_bytes!("assets/review.js"),
    ),
    icon: asset("icon", "svg", "image/svg+xml", include_bytes!("assets/icon.svg")),
});

impl Assets {
    /// The one at this path.
    pub(super) fn at(&self, path: &str) -> Option<&Asset> {
        [&self.style, &self.script, &self.icon].into_iter().find(|asset| asset.path == path)
    }
}

fn asset(name: &str, ending: &str, media: &'static str, bytes: &'static [u8]) -> Asset {
    let digest = Sha256::digest(bytes);
    let digest: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    Asset { path: format!("/assets/{name}-{digest}.{ending}"), media, bytes }
}
