package import TrstctlPolicy

/// How far an address leads: what a rule for a *name* has to permit before the address is dialled.
///
/// A name says nothing about what is behind it, and who runs its zone can point it at the host's own services or at a
/// cloud's metadata service. What IANA does not list as globally reachable is therefore refused, or needs a word in
/// the rule (https://www.iana.org/assignments/iana-ipv4-special-registry, …-ipv6-special-registry).
package enum AddressReach: Hashable, Sendable {
    case everywhere
    /// RFC 1918, RFC 6598 (carriers' networks), RFC 4193.
    case privateNetwork
    /// 127.0.0.0/8, ::1.
    case loopback
    /// 169.254.0.0/16, fe80::/10, and the metadata services of the clouds wherever they are.
    case linkLocal
    /// Everything else: multicast, unspecified, broadcast, reserved, embedded in another protocol's addresses.
    case special

    /// Classifies an address by its bytes.
    package init(_ address: PeerAddress) {
        self = address.isIPv6 ? AddressReach.six(address.bytes) : AddressReach.four(address.bytes[...])
    }

    /// Whether a rule with these options permits it for a name.
    package func isPermitted(by options: DialOptions) -> Bool {
        switch self {
        case .everywhere: true
        case .privateNetwork: options.contains(.privateNetwork)
        case .loopback: options.contains(.loopback)
        case .linkLocal, .special: false
        }
    }

    /// Whether what goes there never leaves the machine, or the link to its own hypervisor.
    package var isNear: Bool { self == .loopback || self == .linkLocal }

    private static func four(_ bytes: ArraySlice<UInt8>) -> AddressReach {
        let parts = Array(bytes)
        guard parts.count == 4 else { return .special }
        switch (parts[0], parts[1], parts[2]) {
        // Alibaba Cloud's metadata service, in the range of carriers' networks.
        case (100, 100, 100) where parts[3] == 200: return .linkLocal
        case (10, _, _), (172, 16...31, _), (192, 168, _), (100, 64...127, _): return .privateNetwork
        case (127, _, _): return .loopback
        case (169, 254, _): return .linkLocal
        // Azure's platform service, reachable from its machines only.
        case (168, 63, 129) where parts[3] == 16: return .linkLocal
        case (0, _, _), (192, 0, 0), (192, 0, 2), (192, 88, 99), (198, 18...19, _), (198, 51, 100), (203, 0, 113),
            (224..., _, _):
            return .special
        default: return .everywhere
        }
    }

    private static func six(_ bytes: [UInt8]) -> AddressReach {
        guard bytes.count == 16 else { return .special }
        if bytes.dropLast() == ArraySlice(repeating: 0, count: 15), bytes[15] == 1 { return .loopback }
        if isMetadataService(bytes) { return .linkLocal }
        if bytes[0] & 0xFE == 0xFC { return .privateNetwork }
        if bytes[0] == 0xFE, bytes[1] & 0xC0 == 0x80 { return .linkLocal }
        // NAT64 (RFC 6052) leads where the address in it leads; that is how names of version 4 look on such networks.
        if bytes.starts(with: [0, 0x64, 0xFF, 0x9B] + [UInt8](repeating: 0, count: 8)) { return four(bytes.suffix(4)) }
        // Global unicast, without the protocol assignments (Teredo among them), documentation and 6to4.
        guard bytes[0] & 0xE0 == 0x20 else { return .special }
        switch (bytes[0], bytes[1], bytes[2], bytes[3]) {
        case (0x20, 0x01, 0...1, _), (0x20, 0x01, 0x0D, 0xB8), (0x20, 0x02, _, _), (0x3F, 0xFF, 0...0x0F, _):
            return .special
        default: return .everywhere
        }
    }

    /// The clouds' metadata services that lie in the range of private networks.
    ///
    /// All of fd00:ec2::/32 is AWS' (::254, and ::23 of EKS Pod Identity, which gives credentials away too),
    /// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html; fd20:ce::254 is Google Cloud's,
    /// https://cloud.google.com/compute/docs/metadata/querying-metadata; fd00:c1::a9fe:a9fe is Oracle Cloud's,
    /// https://docs.oracle.com/iaas/Content/Compute/Tasks/gettingmetadata.htm.
    private static func isMetadataService(_ bytes: [UInt8]) -> Bool {
        func ends(_ network: [UInt8], _ host: [UInt8]) -> Bool {
            bytes == network + [UInt8](repeating: 0, count: 16 - network.count - host.count) + host
        }
        return bytes.starts(with: [0xFD, 0, 0x0E, 0xC2]) || ends([0xFD, 0x20, 0, 0xCE], [0x02, 0x54])
            || ends([0xFD, 0, 0, 0xC1], [0xA9, 0xFE, 0xA9, 0xFE])
    }

    /// What a message calls such an address.
    var phrase: String {
        switch self {
        case .everywhere: "a public address"
        case .privateNetwork: "an address of a private network"
        case .loopback: "this machine itself"
        case .linkLocal: "a link-local address or a cloud's metadata service"
        case .special: "an address that is not for ordinary connections"
        }
    }
}
