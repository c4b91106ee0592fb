//! Why a connection was refused: one code per denial, the first that applies in the order of the
//! checks. The list is closed; the code stands in the answer's header and body, in the record and
//! in the metrics.

/// Why a connection was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The request line is not strictly valid.
    BadRequestLine,
    /// A header field is not strictly valid.
    BadHeader,
    /// The body's framing is not strictly valid (RFC 9112 §6, §7).
    BadFraming,
    /// No Host field.
    MissingHost,
    /// More than one Host field.
    DuplicateHost,
    /// The Host field is not the request's authority.
    AuthorityMismatch,
    /// `host:port` cannot be an authority.
    InvalidAuthority,
    /// The host is no LDH name and no strictly written address.
    InvalidHost,
    /// The request head is over its limit.
    HeaderTooLarge,
    /// The request head did not come in time.
    HeaderTimeout,
    /// No further connection is served at the moment.
    TooManyConnections,
    /// A request in origin form, to the proxy itself.
    OriginFormNotAllowed,
    /// A scheme that the proxy does not forward.
    SchemeNotAllowed,
    /// A protocol or version that is not served.
    ProtocolNotSupported,
    /// A SOCKS command that is not served.
    CommandNotSupported,
    /// CONNECT inside a tunnel.
    NestedConnect,
    /// An Upgrade that the host is not opened for.
    UpgradeNotAllowed,
    /// A deny names it.
    HostDenied,
    /// No allow names it.
    HostNotAllowed,
    /// The host is allowed, not on this port.
    PortNotAllowed,
    /// An address was given where only names are allowed.
    IpLiteralNotAllowed,
    /// The address that was given is of a blocked class.
    IpLiteralBlocked,
    /// No usable answer to the name.
    DnsFailure,
    /// A record type that the DNS stub does not serve.
    RrtypeBlocked,
    /// The name leads to an address of a blocked class.
    AddressBlocked,
    /// It leads to a listener of our own.
    SelfConnection,
    /// The ClientHello names no host (RFC 6066 §3).
    SniMissing,
    /// The ClientHello names another host than the tunnel.
    SniMismatch,
    /// The ClientHello hides the host that it is for (Encrypted Client Hello).
    EchBlocked,
    /// What the tunnel carries is not TLS.
    NotTls,
    /// The ClientHello is not well-formed.
    TlsMalformed,
    /// The ClientHello did not come in time.
    TlsTimeout,
    /// A rule must look inside and cannot.
    InterceptRequired,
    /// The upstream's certificate does not verify, or its handshake failed.
    UpstreamTls,
    /// The host is allowed, not with this method.
    MethodNotAllowed,
    /// The host is allowed, not on this path.
    PathNotAllowed,
    /// The path can be read in more than one way.
    PathAmbiguous,
    /// A credential over a connection that is not encrypted.
    CleartextCredential,
    /// A placeholder of a secret on its way to where it is not bound.
    SecretMarkerMisdirected,
    /// A secret was found in what is sent.
    Dlp,
    /// The proxy wants a token and none came.
    AuthRequired,
    /// The token is wrong.
    AuthFailed,
    /// A limit or budget of the session is spent.
    BudgetExceeded,
    /// UDP is not relayed.
    UdpBlocked,
    /// The policy could not be loaded.
    PolicyLoadError,
}

impl Reason {
    /// All of them, in the order of the checks.
    pub const ALL: [Reason; 45] = [
        Reason::BadRequestLine,
        Reason::BadHeader,
        Reason::BadFraming,
        Reason::MissingHost,
        Reason::DuplicateHost,
        Reason::AuthorityMismatch,
        Reason::InvalidAuthority,
        Reason::InvalidHost,
        Reason::HeaderTooLarge,
        Reason::HeaderTimeout,
        Reason::TooManyConnections,
        Reason::OriginFormNotAllowed,
        Reason::SchemeNotAllowed,
        Reason::ProtocolNotSupported,
        Reason::CommandNotSupported,
        Reason::NestedConnect,
        Reason::UpgradeNotAllowed,
        Reason::HostDenied,
        Reason::HostNotAllowed,
        Reason::PortNotAllowed,
        Reason::IpLiteralNotAllowed,
        Reason::IpLiteralBlocked,
        Reason::DnsFailure,
        Reason::RrtypeBlocked,
        Reason::AddressBlocked,
        Reason::SelfConnection,
        Reason::SniMissing,
        Reason::SniMismatch,
        Reason::EchBlocked,
        Reason::NotTls,
        Reason::TlsMalformed,
        Reason::TlsTimeout,
        Reason::InterceptRequired,
        Reason::UpstreamTls,
        Reason::MethodNotAllowed,
        Reason::PathNotAllowed,
        Reason::PathAmbiguous,
        Reason::CleartextCredential,
        Reason::SecretMarkerMisdirected,
        Reason::Dlp,
        Reason::AuthRequired,
        Reason::AuthFailed,
        Reason::BudgetExceeded,
        Reason::UdpBlocked,
        Reason::PolicyLoadError,
    ];

    /// The code in header, body, record and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::BadRequestLine => "bad_request_line",
            Reason::BadHeader => "bad_header",
            Reason::BadFraming => "bad_framing",
            Reason::MissingHost => "missing_host",
            Reason::DuplicateHost => "duplicate_host",
            Reason::AuthorityMismatch => "authority_mismatch",
            Reason::InvalidAuthority => "invalid_authority",
            Reason::InvalidHost => "invalid_host",
            Reason::HeaderTooLarge => "header_too_large",
            Reason::HeaderTimeout => "header_timeout",
            Reason::TooManyConnections => "too_many_connections",
            Reason::OriginFormNotAllowed => "origin_form_not_allowed",
            Reason::SchemeNotAllowed => "scheme_not_allowed",
            Reason::ProtocolNotSupported => "protocol_not_supported",
            Reason::CommandNotSupported => "command_not_supported",
            Reason::NestedConnect => "nested_connect",
            Reason::UpgradeNotAllowed => "upgrade_not_allowed",
            Reason::HostDenied => "host_denied",
            Reason::HostNotAllowed => "host_not_allowed",
            Reason::PortNotAllowed => "port_not_allowed",
            Reason::IpLiteralNotAllowed => "ip_literal_not_allowed",
            Reason::IpLiteralBlocked => "ip_literal_blocked",
            Reason::DnsFailure => "dns_failure",
            Reason::RrtypeBlocked => "rrtype_blocked",
            Reason::AddressBlocked => "address_blocked",
            Reason::SelfConnection => "self_connection",
            Reason::SniMissing => "sni_missing",
            Reason::SniMismatch => "sni_mismatch",
            Reason::EchBlocked => "ech_blocked",
            Reason::NotTls => "not_tls",
            Reason::TlsMalformed => "tls_malformed",
            Reason::TlsTimeout => "tls_timeout",
            Reason::InterceptRequired => "intercept_required",
            Reason::UpstreamTls => "upstream_tls",
            Reason::MethodNotAllowed => "method_not_allowed",
            Reason::PathNotAllowed => "path_not_allowed",
            Reason::PathAmbiguous => "path_ambiguous",
            Reason::CleartextCredential => "cleartext_credential",
            Reason::SecretMarkerMisdirected => "secret_marker_misdirected",
            Reason::Dlp => "dlp",
            Reason::AuthRequired => "auth_required",
            Reason::AuthFailed => "auth_failed",
            Reason::BudgetExceeded => "budget_exceeded",
            Reason::UdpBlocked => "udp_blocked",
            Reason::PolicyLoadError => "policy_load_error",
        }
    }
}
