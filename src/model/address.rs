//! What an address is for, by the IANA special-purpose registries (RFC 6890), and what a packet to
//! it may reach: the IPv4 address that a translator or tunnel reads out of an IPv6 address counts
//! as much as the address itself.
//!
//! Only `Public` is dialled without a grant, and what is in no table is public only if it is IPv4
//! or in 2000::/3: a prefix that is given out after this was written is refused until it is listed.
//!
//! ```
//! use toolgate::model::address::{AddressClass, classify};
//! let class = |text: &str| classify(text.parse().unwrap());
//! assert_eq!(class("::ffff:10.0.0.1"), AddressClass::Private);
//! assert_eq!(class("64:ff9b::a9fe:a9fe"), AddressClass::Metadata);
//! assert_eq!(class("2606:4700::1111"), AddressClass::Public);
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address is for; the stricter class is the greater one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AddressClass {
    /// Anybody's, on the internet.
    Public,
    /// A private network's, a carrier's shared space among them (RFC 1918, 4193, 6598).
    Private,
    /// This machine itself; a connection to the unspecified address reaches it too.
    Loopback,
    /// Of one link (RFC 3927, 4291).
    LinkLocal,
    /// Documentation's: nothing honest answers there.
    Documentation,
    /// Of benchmarks of network devices (RFC 2544, 5180).
    Benchmark,
    /// A tunnel or translator stands in between, and what lies behind it is not seen.
    Transition,
    /// More than one receiver.
    Multicast,
    /// Given out for nothing that a connection could be meant for.
    Reserved,
    /// Where a cloud hands out a machine's own credentials.
    Metadata,
}

impl AddressClass {
    /// The class as it stands in records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            AddressClass::Public => "public",
            AddressClass::Private => "private",
            AddressClass::Loopback => "loopback",
            AddressClass::LinkLocal => "link-local",
            AddressClass::Documentation => "documentation",
            AddressClass::Benchmark => "benchmark",
            AddressClass::Transition => "transition",
            AddressClass::Multicast => "multicast",
            AddressClass::Reserved => "reserved",
            AddressClass::Metadata => "metadata",
        }
    }
}

/// One line of a registry: the network, its prefix length, its class, and who says so.
type Row<A> = (A, u32, AddressClass, &'static str);

const fn v4(a: u8, b: u8, c: u8, d: u8) -> Ipv4Addr {
    Ipv4Addr::new(a, b, c, d)
}

/// A network that is told by its first four groups.
const fn v6(a: u16, b: u16, c: u16, d: u16) -> Ipv6Addr {
    Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)
}

/// An address that is told by its first three groups and its last two.
const fn at(a: u16, b: u16, c: u16, high: u16, low: u16) -> Ipv6Addr {
    Ipv6Addr::new(a, b, c, 0, 0, 0, high, low)
}

/// The first line that holds an address counts; what none holds is public.
const V4: &[Row<Ipv4Addr>] = &[
    (v4(169, 254, 169, 254), 32, AddressClass::Metadata, "nearly every cloud"),
    (v4(169, 254, 170, 2), 32, AddressClass::Metadata, "Amazon ECS"),
    (v4(169, 254, 170, 23), 32, AddressClass::Metadata, "Amazon EKS"),
    (v4(169, 254, 42, 42), 32, AddressClass::Metadata, "Scaleway"),
    (v4(169, 254, 0, 23), 32, AddressClass::Metadata, "Tencent"),
    (v4(100, 100, 100, 200), 32, AddressClass::Metadata, "Alibaba"),
    (v4(168, 63, 129, 16), 32, AddressClass::Metadata, "Azure"),
    (v4(192, 0, 0, 192), 32, AddressClass::Metadata, "Oracle"),
    (v4(0, 0, 0, 0), 8, AddressClass::Loopback, "RFC 791 §3.2, 1122 §3.2.1.3"),
    (v4(10, 0, 0, 0), 8, AddressClass::Private, "RFC 1918"),
    (v4(100, 64, 0, 0), 10, AddressClass::Private, "RFC 6598"),
    (v4(127, 0, 0, 0), 8, AddressClass::Loopback, "RFC 1122 §3.2.1.3"),
    (v4(169, 254, 0, 0), 16, AddressClass::LinkLocal, "RFC 3927"),
    (v4(172, 16, 0, 0), 12, AddressClass::Private, "RFC 1918"),
    (v4(192, 0, 0, 0), 24, AddressClass::Reserved, "RFC 6890 §2.1"),
    (v4(192, 0, 2, 0), 24, AddressClass::Documentation, "RFC 5737"),
    (v4(192, 88, 99, 0), 24, AddressClass::Transition, "RFC 7526"),
    (v4(192, 168, 0, 0), 16, AddressClass::Private, "RFC 1918"),
    (v4(198, 18, 0, 0), 15, AddressClass::Benchmark, "RFC 2544"),
    (v4(198, 51, 100, 0), 24, AddressClass::Documentation, "RFC 5737"),
    (v4(203, 0, 113, 0), 24, AddressClass::Documentation, "RFC 5737"),
    (v4(224, 0, 0, 0), 4, AddressClass::Multicast, "RFC 5771"),
    (v4(240, 0, 0, 0), 4, AddressClass::Reserved, "RFC 1112 §4, 8190"),
];

/// The first line that holds an address counts; what none holds is reserved. A line that says
/// public leaves it to the address that is embedded.
const V6: &[Row<Ipv6Addr>] = &[
    (at(0xfd00, 0xec2, 0, 0, 0x254), 128, AddressClass::Metadata, "Amazon EC2"),
    (at(0xfd00, 0xec2, 0, 0, 0x23), 128, AddressClass::Metadata, "Amazon EKS"),
    (at(0xfd20, 0xce, 0, 0, 0x254), 128, AddressClass::Metadata, "Google"),
    (at(0xfd00, 0x42, 0, 0, 0x42), 128, AddressClass::Metadata, "Scaleway"),
    (at(0xfd00, 0xc1, 0, 0xa9fe, 0xa9fe), 128, AddressClass::Metadata, "Oracle"),
    (at(0xfd00, 0xa9fe, 0xa9fe, 0, 1), 128, AddressClass::Metadata, "Linode"),
    (at(0xfe80, 0, 0, 0xa9fe, 0xa9fe), 128, AddressClass::Metadata, "OpenStack"),
    (at(0, 0, 0, 0, 0), 128, AddressClass::Loopback, "RFC 4291 §2.5.2"),
    (at(0, 0, 0, 0, 1), 128, AddressClass::Loopback, "RFC 4291 §2.5.3"),
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96, AddressClass::Public, "RFC 4291 §2.5.5.2"),
    (Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, 0, 0), 96, AddressClass::Transition, "RFC 2765 §2.1"),
    (v6(0, 0, 0, 0), 96, AddressClass::Reserved, "RFC 4291 §2.5.5.1"),
    (v6(0x64, 0xff9b, 0, 0), 96, AddressClass::Public, "RFC 6052 §2.1"),
    (v6(0x64, 0xff9b, 1, 0), 48, AddressClass::Transition, "RFC 8215"),
    (v6(0x100, 0, 0, 0), 64, AddressClass::Reserved, "RFC 6666"),
    (v6(0x2001, 0, 0, 0), 32, AddressClass::Transition, "RFC 4380"),
    (v6(0x2001, 2, 0, 0), 48, AddressClass::Benchmark, "RFC 5180"),
    (v6(0x2001, 0, 0, 0), 23, AddressClass::Reserved, "RFC 2928, 4843, 7343, 9374"),
    (v6(0x2001, 0xdb8, 0, 0), 32, AddressClass::Documentation, "RFC 3849"),
    (v6(0x2002, 0, 0, 0), 16, AddressClass::Transition, "RFC 3056, 7526"),
    (v6(0x3ffe, 0, 0, 0), 16, AddressClass::Reserved, "RFC 3701"),
    (v6(0x3fff, 0, 0, 0), 20, AddressClass::Documentation, "RFC 9637"),
    (v6(0x2000, 0, 0, 0), 3, AddressClass::Public, "RFC 4291 §2.4"),
    (v6(0x5f00, 0, 0, 0), 16, AddressClass::Reserved, "RFC 9602"),
    (v6(0xfc00, 0, 0, 0), 7, AddressClass::Private, "RFC 4193"),
    (v6(0xfe80, 0, 0, 0), 10, AddressClass::LinkLocal, "RFC 4291 §2.5.6"),
    (v6(0xfec0, 0, 0, 0), 10, AddressClass::Private, "RFC 3879"),
    (v6(0xff00, 0, 0, 0), 8, AddressClass::Multicast, "RFC 4291 §2.7"),
];

/// The strictest class of all that a packet to this address may reach.
#[must_use]
pub fn classify(address: IpAddr) -> AddressClass {
    reached(address).map(class_of).max().unwrap_or(AddressClass::Reserved)
}

fn class_of(address: IpAddr) -> AddressClass {
    match address {
        IpAddr::V4(address) => {
            let inside = |row: &&Row<Ipv4Addr>| {
                let differing = row.0.to_bits() ^ address.to_bits();
                differing.leading_zeros() >= row.1
            };
            V4.iter().find(inside).map_or(AddressClass::Public, |row| row.2)
        }
        IpAddr::V6(address) => {
            let inside = |row: &&Row<Ipv6Addr>| {
                let differing = row.0.to_bits() ^ address.to_bits();
                differing.leading_zeros() >= row.1
            };
            V6.iter().find(inside).map_or(AddressClass::Reserved, |row| row.2)
        }
    }
}

/// Every address that a packet to this one may reach, itself first: the IPv4 addresses that
/// translators and tunnels read out of an IPv6 address are among them.
pub fn reached(address: IpAddr) -> impl Iterator<Item = IpAddr> {
    let embedded = match address {
        IpAddr::V4(_) => [None; 4],
        IpAddr::V6(address) => embedded(address),
    };
    std::iter::once(address).chain(embedded.into_iter().flatten().map(IpAddr::V4))
}

fn embedded(address: Ipv6Addr) -> [Option<Ipv4Addr>; 4] {
    let read = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Some(Ipv4Addr::new(a, b, c, d))
    };
    let one = |high: u16, low: u16| [read(high, low), None, None, None];
    match address.segments() {
        // `::` and `::1` embed nothing.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => [None; 4],
        // Compatible and mapped (RFC 4291 §2.5.5), SIIT's (RFC 2765), NAT64's (RFC 6052).
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, _, _, _, high, low] => one(high, low),
        [0x64, 0xff9b, 1, _, _, _, _, _] => translated(address),
        // 6to4 (RFC 3056 §2).
        [0x2002, high, low, _, _, _, _, _] => one(high, low),
        // Teredo: its server, and its client with every bit turned (RFC 4380 §4).
        [0x2001, 0, high, low, _, _, far, near] => [read(high, low), read(!far, !near), None, None],
        // ISATAP (RFC 5214 §6.1).
        [_, _, _, _, 0 | 0x200, 0x5efe, high, low] => one(high, low),
        _ => [None; 4],
    }
}

/// A translator of the local prefix may use any of these lengths (RFC 8215 §5, RFC 6052 §2.2); an
/// address that is all zeros is none that it was given.
fn translated(address: Ipv6Addr) -> [Option<Ipv4Addr>; 4] {
    // The byte in the middle stays empty (RFC 6052 §2.2).
    let [_, _, _, _, _, _, e, f, _, g, h, i, j, k, l, m] = address.octets();
    let read = |bytes: [u8; 4]| {
        let address = Ipv4Addr::from(bytes);
        (!address.is_unspecified()).then_some(address)
    };
    [read([e, f, g, h]), read([f, g, h, i]), read([g, h, i, j]), read([j, k, l, m])]
}

/// `::ffff:a.b.c.d` reaches the IPv4 address, so it is judged as one.
#[must_use]
pub fn unmapped(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use AddressClass::{
        Benchmark, Documentation, LinkLocal, Loopback, Metadata, Multicast, Private, Public,
        Reserved, Transition,
    };

    /// Every network's first and last address, and what stands beside them.
    #[test]
    fn classes() {
        for (expected, addresses) in [
            (
                Public,
                "1.0.0.0 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 \
                 126.255.255.255 128.0.0.0 169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 \
                 191.255.255.255 192.0.1.0 192.0.3.0 192.31.196.1 192.88.98.255 192.88.100.0 \
                 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 198.51.99.255 198.51.101.0 \
                 203.0.112.255 203.0.114.0 223.255.255.255 168.63.129.15 168.63.129.17 \
                 2000:: 2001:200:: 2001:db7:ffff:: 2001:db9:: 2003:: 2606:4700::1111 \
                 2620:4f:8000::1 3ffd:ffff:: 3fff:1000:: ::ffff:8.8.8.8 64:ff9b::8.8.8.8 \
                 2606:4700::5efe:8.8.8.8",
            ),
            (
                Private,
                "10.0.0.0 10.255.255.255 100.64.0.0 100.127.255.255 172.16.0.0 172.31.255.255 \
                 192.168.0.0 192.168.255.255 fc00:: fd00:ec2::253 fdff:ffff::1 fec0:: feff::1 \
                 ::ffff:10.0.0.1 64:ff9b::192.168.1.1 2606:4700::5efe:10.0.0.1 \
                 2606:4700::200:5efe:100.64.0.1",
            ),
            (
                Loopback,
                "0.0.0.0 0.255.255.255 127.0.0.0 127.0.0.1 127.255.255.255 :: ::1 \
                 ::ffff:127.0.0.1 ::ffff:0.0.0.0 64:ff9b::127.0.0.1",
            ),
            (
                LinkLocal,
                "169.254.0.0 169.254.255.255 fe80:: febf:ffff::1 ::ffff:169.254.1.1 \
                 fe80::5efe:10.0.0.1",
            ),
            (
                Documentation,
                "192.0.2.0 192.0.2.255 198.51.100.1 203.0.113.255 2001:db8:: \
                 2001:db8:ffff:ffff::1 3fff:: 3fff:fff:ffff::1",
            ),
            (Benchmark, "198.18.0.0 198.19.255.255 2001:2::1"),
            (
                Transition,
                "192.88.99.0 192.88.99.255 64:ff9b:1::8.8.8.8 2001:0:808:808::f7f7:f7f7 \
                 2002:808:808::1 ::ffff:0:8.8.8.8 64:ff9b:1:a00:0:100:: 2002:7f00:1::1",
            ),
            (Multicast, "224.0.0.0 239.255.255.255 ff00:: ff02::1 ffff::1 64:ff9b::224.0.0.1"),
            (
                Reserved,
                "192.0.0.0 192.0.0.9 192.0.0.255 240.0.0.0 255.255.255.255 ::2 ::8.8.8.8 \
                 100::1 100:0:0:1::1 101:: 2001:1::1 2001:4:112::1 2001:10::1 2001:20::1 \
                 2001:1ff:ffff::1 3ffe::1 4000:: 5f00::1 64:ff9a:: 64:ff9b:2:: 64:ff9b:0:1::1 \
                 64:ff9b:1:ffff::1 2001::1 \
                 fbff:: fe00:: ::fffe:0:0 2002:f000:1::1",
            ),
            (
                Metadata,
                "169.254.169.254 169.254.170.2 169.254.170.23 169.254.42.42 100.100.100.200 \
                 168.63.129.16 192.0.0.192 fd00:ec2::254 fd00:ec2::23 fd20:ce::254 \
                 fe80::a9fe:a9fe ::ffff:169.254.169.254 ::169.254.169.254 64:ff9b::a9fe:a9fe \
                 ::ffff:0:a9fe:a9fe 2002:a9fe:a9fe::1 2001:0:a9fe:a9fe::1 \
                 2001:0:808:808::5601:5601 64:ff9b:1:a9fe:a9:fe00:: 64:ff9b:1:a9:fe:a9fe:: \
                 64:ff9b:1:0:a9:fea9:fe00:0 64:ff9b:1::a9fe:a9fe 2606:4700::5efe:169.254.169.254",
            ),
        ] {
            for address in addresses.split_whitespace() {
                assert_eq!(classify(address.parse().unwrap()), expected, "{address}");
            }
        }
    }

    #[test]
    fn no_line_stands_behind_one_that_holds_it() {
        for (nth, row) in V4.iter().enumerate() {
            let before = |row: &Row<Ipv4Addr>, at: Ipv4Addr| {
                (row.0.to_bits() ^ at.to_bits()).leading_zeros() >= row.1
            };
            assert!(V4[..nth].iter().all(|earlier| !before(earlier, row.0)), "{row:?}");
        }
        for (nth, row) in V6.iter().enumerate() {
            let before = |row: &Row<Ipv6Addr>, at: Ipv6Addr| {
                (row.0.to_bits() ^ at.to_bits()).leading_zeros() >= row.1
            };
            // A prefix may begin where a longer one does.
            let held = |earlier: &Row<Ipv6Addr>| earlier.1 <= row.1 && before(earlier, row.0);
            assert!(!V6[..nth].iter().any(held), "{row:?}");
            // A network is written by its first address.
            let rest = u128::MAX.checked_shr(row.1).unwrap_or(0);
            assert_eq!(row.0.to_bits() & rest, 0, "{row:?}");
        }
    }

    proptest::proptest! {
        /// However an IPv4 address is wrapped, the wrapping never makes it less strict.
        #[test]
        fn a_wrapped_address_is_at_least_as_strict(bits: u32, form in 0_usize..8) {
            let inner = Ipv4Addr::from_bits(bits);
            let [high, low] = [(bits >> 16) as u16, bits as u16];
            let wrapped = [
                Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, high, low),
                Ipv6Addr::new(0, 0, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, high, low),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, high, low),
                Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
                Ipv6Addr::new(0x2001, 0, 0x808, 0x808, 0, 0, !high, !low),
                Ipv6Addr::new(0x2606, 0x4700, 0, 0, 0, 0x5efe, high, low),
            ][form];
            let [outer, inner] = [IpAddr::V6(wrapped), IpAddr::V4(inner)].map(classify);
            proptest::prop_assert!(outer >= inner, "{wrapped} is {outer:?}");
            // What is one and the same to the kernel is one and the same here.
            proptest::prop_assert!(form != 0 || outer == inner);
        }
    }
}
