package import TrstctlSystem

/// A rule for peers: `host:port`, `*.domain:port`, or `unix:/path`.
///
/// The star stands for exactly one label, as in a certificate (RFC 6125, section 6.4.3), and for names only.
package enum DialGrant: Hashable, Sendable, CustomStringConvertible {
    /// Exactly this host, in this spelling, and this port.
    case exactly(DialAddress)
    /// One label in front of the domain, and this port.
    case label(of: DNSName, port: UInt16)
    /// Exactly this Unix socket.
    case socket(AbsolutePath)

    /// Reads a rule as it stands in the manifest.
    ///
    /// - Throws: `GrammarError`; `*` alone and `*.com` are refused.
    package init(_ text: Bytes) throws(GrammarError) {
        let array = text.array
        if array.starts(with: "unix:".utf8) {
            let path = try AbsolutePath(Bytes(Array(array.dropFirst(5))))
            guard path != .root else {
                throw GrammarError(
                    .wholeFileSystem, found: text, "write the whole path of the socket, unix:/run/x.sock")
            }
            self = .socket(path)
            return
        }
        guard array.contains(UInt8(ascii: "*")) else {
            self = .exactly(try DialAddress(text))
            return
        }
        guard array.starts(with: "*.".utf8) else { throw DialGrant.badWildcard(text) }
        let address = try DialAddress(Bytes(Array(array.dropFirst(2))))
        guard case .name(let domain) = address.host, domain.labels.count >= 2 else {
            throw DialGrant.badWildcard(text)
        }
        self = .label(of: domain, port: address.port)
    }

    /// Reads the UTF-8 bytes of a text.
    package init(_ text: String) throws(GrammarError) {
        try self.init(Bytes(text))
    }

    private static func badWildcard(_ text: Bytes) -> GrammarError {
        GrammarError(
            .badWildcard, found: text,
            "a star may only stand for the first label of a name with at least two more, *.example.com:443")
    }

    /// True when the rule covers this peer.
    package func covers(_ address: DialAddress) -> Bool {
        switch self {
        case .exactly(let granted): return granted == address
        case .label(let domain, let port):
            guard case .name(let name) = address.host, address.port == port else { return false }
            return Array(name.labels.dropFirst()) == domain.labels
        case .socket: return false
        }
    }

    /// True when every peer that the other rule covers is covered by this one.
    package func covers(_ other: DialGrant) -> Bool {
        if case .exactly(let address) = other { return covers(address) }
        return self == other
    }

    /// The port that the rule names; nil for a Unix socket.
    package var port: UInt16? {
        switch self {
        case .exactly(let address): address.port
        case .label(_, let port): port
        case .socket: nil
        }
    }

    /// The bytes as they stand in the manifest.
    package var bytes: Bytes {
        switch self {
        case .exactly(let address): Bytes(address.text)
        case .label(let domain, let port): Bytes("*.\(domain.text):\(port)")
        case .socket(let path): Bytes(Array("unix:".utf8) + path.bytes.array)
        }
    }

    package var description: String { printable(bytes, limit: AbsolutePath.maximumBytes + 5) }
}
