import Glibc
package import TrstctlSystem

/// A peer to connect to: a host in exactly one spelling, and a port.
package struct DialAddress: Hashable, Sendable, CustomStringConvertible {
    /// A host; addresses are compared as numbers, names as lower-case bytes.
    package enum Host: Hashable, Sendable {
        case name(DNSName)
        /// Four bytes in network order.
        case ipv4(Bytes)
        /// Sixteen bytes in network order.
        case ipv6(Bytes)
    }

    /// The host.
    package let host: Host
    /// The port, 1…65535.
    package let port: UInt16
    /// The host as it is dialled and shown, an IPv6 address without brackets.
    package let hostText: String

    /// Reads `name:port`, `192.0.2.1:port` or `[2001:db8::1]:port`.
    ///
    /// - Throws: `GrammarError`, also for every other spelling of an address that a resolver would understand.
    package init(_ bytes: Bytes) throws(GrammarError) {
        let array = bytes.array
        guard let colon = array.lastIndex(of: UInt8(ascii: ":")) else {
            throw GrammarError(.missingPort, found: bytes, "the port is missing; write host:port")
        }
        let port = try DialAddress.port(array[(colon + 1)...], of: bytes)
        let host = array[..<colon]
        if host.first == UInt8(ascii: "["), host.last == UInt8(ascii: "]"), host.count > 2 {
            self.init(
                host: .ipv6(try DialAddress.ipv6(host.dropFirst().dropLast(), of: bytes)), port: port,
                text: String(decoding: host.dropFirst().dropLast(), as: UTF8.self))
        } else if host.contains(UInt8(ascii: ":")) {
            throw GrammarError(.badIPv6, found: bytes, "write an IPv6 address in brackets, [2001:db8::1]:443")
        } else {
            try self.init(host: Bytes(Array(host)), port: port)
        }
    }

    /// Reads the UTF-8 bytes of a text.
    package init(_ text: String) throws(GrammarError) {
        try self.init(Bytes(text))
    }

    private init(host: Bytes, port: UInt16) throws(GrammarError) {
        if let address = DialAddress.numbers(host, family: AF_INET, count: 4) {
            self.init(host: .ipv4(address.number), port: port, text: address.text)
        } else {
            let name = try DNSName(host)
            self.init(host: .name(name), port: port, text: name.text)
        }
    }

    private init(host: Host, port: UInt16, text: String) {
        self.host = host
        self.port = port
        hostText = text
    }

    private static func port(_ digits: ArraySlice<UInt8>, of bytes: Bytes) throws(GrammarError) -> UInt16 {
        let isNumber = (1...5).contains(digits.count) && digits.allSatisfy(\.isASCIIDigit) && digits.first != 0x30
        guard isNumber, let port = UInt16(String(decoding: digits, as: UTF8.self)) else {
            throw GrammarError(.badPort, found: bytes, "the port is a number from 1 to 65535 without leading zeros")
        }
        return port
    }

    private static func ipv6(_ text: ArraySlice<UInt8>, of bytes: Bytes) throws(GrammarError) -> Bytes {
        guard let address = numbers(Bytes(Array(text)), family: AF_INET6, count: 16) else {
            throw GrammarError(
                .badIPv6, found: bytes, "this is not an IPv6 address in its canonical spelling (RFC 5952), without zone"
            )
        }
        return address.number
    }

    /// The address in network order, or nil when the text is not the spelling that inet_ntop(3) would write.
    private static func numbers(_ text: Bytes, family: Int32, count: Int) -> (number: Bytes, text: String)? {
        guard let string = text.text, !text.array.contains(0) else { return nil }
        var number = [UInt8](repeating: 0, count: 16)
        guard inet_pton(family, string, &number) == 1 else { return nil }
        var canonical = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard inet_ntop(family, &number, &canonical, socklen_t(canonical.count)) != nil else { return nil }
        let written = canonical.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        guard written == text.array else { return nil }
        return (Bytes(Array(number.prefix(count))), string)
    }

    package static func == (left: DialAddress, right: DialAddress) -> Bool {
        left.host == right.host && left.port == right.port
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(host)
        hasher.combine(port)
    }

    /// True for a name, whose addresses are known only once it is looked up.
    package var isName: Bool {
        if case .name = host { return true }
        return false
    }

    /// The address in the one spelling that the grammar accepts, for example `[2001:db8::1]:443`.
    package var text: String {
        if case .ipv6 = host { return "[\(hostText)]:\(port)" }
        return "\(hostText):\(port)"
    }

    package var description: String { text }
}
