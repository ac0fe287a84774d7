/// The DER of an ECDSA signature: SEQUENCE { INTEGER r, INTEGER s } (RFC 3279, 2.2.3).
enum ECDSASignature {
    /// True for minimal DER of two positive integers of at most 256 bits, and nothing after them.
    ///
    /// OpenSSL 3 refuses other encodings as well; this one does not depend on its version.
    static func isCanonical(_ der: [UInt8]) -> Bool {
        // 2 + 2 × (2 + 33): the long form of a length never occurs.
        guard (8...72).contains(der.count), der[0] == 0x30, Int(der[1]) == der.count - 2 else { return false }
        var rest = der[2...]
        return takeInteger(&rest) && takeInteger(&rest) && rest.isEmpty
    }

    private static func takeInteger(_ bytes: inout ArraySlice<UInt8>) -> Bool {
        guard bytes.popFirst() == 0x02, let length = bytes.popFirst(), (1...33).contains(length),
            bytes.count >= Int(length)
        else { return false }
        let number = bytes.prefix(Int(length))
        bytes = bytes.dropFirst(Int(length))
        guard let first = number.first, first < 0x80 else { return false }
        if first != 0 { return length <= 32 }
        // A leading zero only where the next bit would be a sign; zero itself is no r and no s.
        return number.dropFirst().first.map { $0 >= 0x80 } ?? false
    }
}
