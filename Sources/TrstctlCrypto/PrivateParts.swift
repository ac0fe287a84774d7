import COpenSSL
package import TrstctlSystem

extension PrivateKey {
    /// The numbers that nobody else knows, big-endian, without leading zeros: the scalar of an elliptic curve, the private
    /// exponent, primes and exponents of RSA (RFC 8017, A.1.2), the seed of Ed25519 and its kin.
    ///
    /// What stands in the certificate too is not among them.
    ///
    /// - Returns: secret bytes, each at least 16 of them; none for a kind of key that is not known here.
    package var privateParts: [Bytes] {
        OpenSSLError.clear()
        defer { OpenSSLError.clear() }
        guard let key = ParsedKey(pem) else { return [] }
        let numbers = [
            "priv", "d", "rsa-factor1", "rsa-factor2", "rsa-exponent1", "rsa-exponent2", "rsa-coefficient1",
        ].compactMap { PrivateKey.number($0, of: key) }
        return (numbers.isEmpty ? [PrivateKey.raw(key)].compactMap { $0 } : numbers).filter { $0.count >= 16 }
    }

    private static func number(_ name: String, of key: borrowing ParsedKey) -> Bytes? {
        var number: OpaquePointer?
        guard EVP_PKEY_get_bn_param(key.pointer, name, &number) == 1, let number else { return nil }
        defer { BN_clear_free(number) }
        let count = Int(BN_num_bits(number) + 7) / 8
        guard (1...4_096).contains(count) else { return nil }
        let memory = SecretMemory(capacity: count)
        guard BN_bn2bin(number, memory.base.assumingMemoryBound(to: UInt8.self)) == count else { return nil }
        return Bytes(adopting: memory, count: count)
    }

    private static func raw(_ key: borrowing ParsedKey) -> Bytes? {
        let memory = SecretMemory(capacity: 64)
        var count = memory.capacity
        guard
            EVP_PKEY_get_raw_private_key(key.pointer, memory.base.assumingMemoryBound(to: UInt8.self), &count) == 1
        else { return nil }
        return Bytes(adopting: memory, count: count)
    }
}
