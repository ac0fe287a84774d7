import Glibc

/// An IP address and a port, as resolved: what a grant is checked against, and then dialled without another look-up.
package struct PeerAddress: Hashable, Sendable {
    /// 4 or 16 bytes in network order.
    package let bytes: [UInt8]
    package let port: UInt16
    /// The zone of a link-local IPv6 address, else 0.
    package let scope: UInt32

    /// An address from its bytes; nil unless there are 4 or 16 of them.
    package init?(bytes: [UInt8], port: UInt16, scope: UInt32 = 0) {
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        self.bytes = bytes
        self.port = port
        self.scope = scope
    }

    /// The address in a `sockaddr`; nil for other families.
    init?(_ address: UnsafePointer<sockaddr>, count: socklen_t) {
        let raw = UnsafeRawPointer(address)
        switch Int32(address.pointee.sa_family) {
        case AF_INET where Int(count) >= MemoryLayout<sockaddr_in>.size:
            let value = raw.loadUnaligned(as: sockaddr_in.self)
            self.init(
                bytes: withUnsafeBytes(of: value.sin_addr) { Array($0) }, port: UInt16(bigEndian: value.sin_port))
        case AF_INET6 where Int(count) >= MemoryLayout<sockaddr_in6>.size:
            let value = raw.loadUnaligned(as: sockaddr_in6.self)
            self.init(
                bytes: withUnsafeBytes(of: value.sin6_addr) { Array($0) }, port: UInt16(bigEndian: value.sin6_port),
                scope: value.sin6_scope_id)
        default:
            return nil
        }
    }

    package var isIPv6: Bool { bytes.count == 16 }

    /// `192.0.2.1:443` or `[2001:db8::1]:443`.
    package var text: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard inet_ntop(isIPv6 ? AF_INET6 : AF_INET, bytes, &text, socklen_t(text.count)) != nil else { return "?" }
        let host = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard isIPv6 else { return "\(host):\(port)" }
        return scope == 0 ? "[\(host)]:\(port)" : "[\(host)%\(scope)]:\(port)"
    }

    /// Hands the address to a system call in its own form.
    func withSocketAddress<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        if isIPv6 {
            var value = sockaddr_in6()
            value.sin6_family = sa_family_t(AF_INET6)
            value.sin6_port = port.bigEndian
            value.sin6_scope_id = scope
            withUnsafeMutableBytes(of: &value.sin6_addr) { $0.copyBytes(from: bytes) }
            return withUnsafePointer(to: value) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    body($0, socklen_t(MemoryLayout<sockaddr_in6>.size))
                }
            }
        }
        var value = sockaddr_in()
        value.sin_family = sa_family_t(AF_INET)
        value.sin_port = port.bigEndian
        withUnsafeMutableBytes(of: &value.sin_addr) { $0.copyBytes(from: bytes) }
        return withUnsafePointer(to: value) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}
