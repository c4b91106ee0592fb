//! Fetches a URL as any Rust program does by reqwest, through the proxy that the environment
//! names; the tests of the network plane run it.
//!
//!     reqwest_get CERTIFICATES URL

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(certificates), Some(url)) = (arguments.next(), arguments.next()) else {
        return Err("usage: reqwest_get CERTIFICATES URL".into());
    };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let authority = reqwest::Certificate::from_pem(&std::fs::read(certificates)?)?;
    let client = reqwest::blocking::Client::builder().tls_certs_only([authority]).build()?;
    std::io::copy(&mut client.get(url).send()?, &mut std::io::stdout().lock())?;
    Ok(())
}
