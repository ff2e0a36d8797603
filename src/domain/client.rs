//! Who sends a request, by the part of the address that the sender can't choose.

use std::net::{IpAddr, Ipv6Addr};

/// Bits of an IPv6 address that one subscriber does not choose, at least.
const CLIENT_BITS: u32 = 64;
/// Bits that are common to everything that one site may be given.
const NETWORK_BITS: u32 = 48;

/// Who sends a request. Whoever has one IPv6 address has 2^64 of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The IPv4 address, or the /64 of IPv6.
    pub key: String,
    /// The /48, which many clients may share; none for IPv4.
    pub network: Option<String>,
}

impl Client {
    /// Of an address as Cloudflare tells it.
    pub fn of(client: &str) -> Self {
        match client.trim().parse::<IpAddr>().map(|address| address.to_canonical()) {
            Ok(IpAddr::V6(address)) => {
                Self { key: prefix(address, CLIENT_BITS), network: Some(prefix(address, NETWORK_BITS)) }
            }
            Ok(IpAddr::V4(address)) => Self { key: address.to_string(), network: None },
            Err(_) => Self { key: client.to_owned(), network: None },
        }
    }
}

fn prefix(address: Ipv6Addr, bits: u32) -> String {
    let host = 128 - bits;
    let network = Ipv6Addr::from_bits(address.to_bits() >> host << host);
    format!("{network}/{bits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(client: &str) -> (String, Option<String>) {
        let Client { key, network } = Client::of(client);
        (key, network)
    }

    #[test]
    fn an_ipv6_client_is_its_64_and_its_network_the_48() {
        let expected = ("2001:db8:1:2::/64".to_owned(), Some("2001:db8:1::/48".to_owned()));
        for client in [
            "2001:db8:1:2::1",
            "2001:db8:1:2:ffff:ffff:ffff:ffff",
            "2001:0DB8:0001:0002:0000:0000:0000:0001",
            " 2001:db8:1:2::192.0.2.1 ",
        ] {
            assert_eq!(of(client), expected, "{client}");
        }
        assert_ne!(of("2001:db8:1:3::1").0, expected.0);
        assert_eq!(of("2001:db8:1:3::1").1, expected.1);
        assert_ne!(of("2001:db8:2:2::1").1, expected.1);
    }

    #[test]
    fn an_ipv4_client_is_itself_however_it_is_written() {
        for client in ["192.0.2.1", "::ffff:192.0.2.1", "::ffff:c000:201"] {
            assert_eq!(of(client), ("192.0.2.1".to_owned(), None), "{client}");
        }
    }

    #[test]
    fn what_is_no_address_stands_for_itself() {
        assert_eq!(of("unknown"), ("unknown".to_owned(), None));
    }
}
