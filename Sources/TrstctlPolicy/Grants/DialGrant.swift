package import TrstctlSystem

/// A rule for peers: `host:port`, `*.domain:port`, or `unix:/path`, the first two with options behind a space.
///
/// The star stands for exactly one label, as in a certificate (RFC 6125, section 6.4.3), and for names only.
package struct DialGrant: Hashable, Sendable, CustomStringConvertible {
    /// Which peers.
    package enum Peer: Hashable, Sendable {
        /// Exactly this host, in this spelling, and this port.
        case exactly(DialAddress)
        /// One label in front of the domain, and this port.
        case label(of: DNSName, port: UInt16)
        /// Exactly this Unix socket.
        case socket(AbsolutePath)
    }

    /// Which peers.
    package let peer: Peer
    /// What the operator permits with them; a Unix socket has none.
    package let options: DialOptions

    private init(_ peer: Peer, _ options: DialOptions = []) {
        self.peer = peer
        self.options = options
    }

    /// The rule for a Unix socket.
    package static func socket(_ path: AbsolutePath) -> DialGrant { DialGrant(.socket(path)) }

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
            self.init(.socket(path))
            return
        }
        let end = array.firstIndex(of: UInt8(ascii: " ")) ?? array.endIndex
        let options = try DialOptions(array[end...], of: text)
        let peer = Array(array[..<end])
        guard peer.contains(UInt8(ascii: "*")) else {
            let address = try DialAddress(Bytes(peer))
            guard address.isName || options.isDisjoint(with: [.privateNetwork, .loopback]) else {
                throw GrammarError(
                    .badOption, found: text,
                    "a rule for an address permits that address wherever it leads; `private` and `loopback` are for names"
                )
            }
            self.init(.exactly(address), options)
            return
        }
        guard peer.starts(with: "*.".utf8) else { throw DialGrant.badWildcard(text) }
        let address = try DialAddress(Bytes(Array(peer.dropFirst(2))))
        guard case .name(let domain) = address.host, domain.labels.count >= 2 else {
            throw DialGrant.badWildcard(text)
        }
        self.init(.label(of: domain, port: address.port), options)
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

    /// The same peers with other options.
    func with(_ options: DialOptions) -> DialGrant { DialGrant(peer, options) }

    /// True when the rule covers this peer.
    package func covers(_ address: DialAddress) -> Bool {
        switch peer {
        case .exactly(let granted): return granted == address
        case .label(let domain, let port):
            guard case .name(let name) = address.host, address.port == port else { return false }
            return Array(name.labels.dropFirst()) == domain.labels
        case .socket: return false
        }
    }

    /// True when every peer that the other rule covers is covered by this one, whatever the options.
    ///
    /// Options are the operator's alone: a connector cannot know where a name leads, so it does not ask for them.
    package func covers(_ other: DialGrant) -> Bool {
        if case .exactly(let address) = other.peer { return covers(address) }
        return peer == other.peer
    }

    /// The port that the rule names; nil for a Unix socket.
    package var port: UInt16? {
        switch peer {
        case .exactly(let address): address.port
        case .label(_, let port): port
        case .socket: nil
        }
    }

    /// The bytes as they stand in the manifest.
    package var bytes: Bytes {
        switch peer {
        case .exactly(let address): Bytes(address.text + options.suffix)
        case .label(let domain, let port): Bytes("*.\(domain.text):\(port)" + options.suffix)
        case .socket(let path): Bytes(Array("unix:".utf8) + path.bytes.array)
        }
    }

    package var description: String { printable(bytes, limit: AbsolutePath.maximumBytes + 5) }
}
