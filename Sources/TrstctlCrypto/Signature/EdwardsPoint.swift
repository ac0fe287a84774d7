import COpenSSL

/// Whether 32 bytes are an Ed25519 public key that means anything.
///
/// OpenSSL loads any 32 bytes as an Ed25519 key and checks the point only when it verifies, and never its order. With a
/// point of small order, all zeros for one, anybody can write signatures that verify.
enum EdwardsPoint {
    /// True for the canonical encoding (RFC 8032, 5.1.3) of a point of the curve whose order is not small.
    static func isSound(_ encoding: [UInt8]) -> Bool {
        guard encoding.count == 32 else { return false }
        var y = encoding
        y[31] &= 0x7f
        return !smallOrder.contains(y) && isOnCurve(y)
    }

    /// -x² + y² = 1 + d·x²·y² has a solution when (y² - 1)(d·y² + 1) is a square modulo p, and y is below p.
    private static func isOnCurve(_ littleEndian: [UInt8]) -> Bool {
        guard let context = BN_CTX_new() else { return false }
        BN_CTX_start(context)
        defer {
            BN_CTX_end(context)
            BN_CTX_free(context)
            OpenSSLError.clear()
        }
        // BN_CTX_get fails for good once it fails, so the last one speaks for all.
        let y = BN_CTX_get(context)
        let square = BN_CTX_get(context)
        let left = BN_CTX_get(context)
        guard let right = BN_CTX_get(context), let p = number(prime), let d = number(constant) else { return false }
        defer {
            BN_free(p)
            BN_free(d)
        }
        guard BN_lebin2bn(littleEndian, Int32(littleEndian.count), y) != nil, BN_cmp(y, p) < 0,
            BN_mod_sqr(square, y, p, context) == 1,
            BN_mod_sub(left, square, BN_value_one(), p, context) == 1,
            BN_mod_mul(right, d, square, p, context) == 1,
            BN_mod_add(right, right, BN_value_one(), p, context) == 1,
            BN_mod_mul(left, left, right, p, context) == 1
        else { return false }
        // 1: a square; 0 only for y = ±1, of small order; -1: none; -2: an error.
        return BN_kronecker(left, p, context) == 1
    }

    private static func number(_ bigEndian: [UInt8]) -> OpaquePointer? {
        BN_bin2bn(bigEndian, Int32(bigEndian.count), nil)
    }

    // p = 2^255 - 19
    private static let prime: [UInt8] = [0x7f] + [UInt8](repeating: 0xff, count: 30) + [0xed]
    // d = -121665/121666 (RFC 8032, 5.1)
    private static let constant: [UInt8] = [
        0x52, 0x03, 0x6c, 0xee, 0x2b, 0x6f, 0xfe, 0x73, 0x8c, 0xc7, 0x40, 0x79, 0x77, 0x79, 0xe8, 0x98,
        0x00, 0x70, 0x0a, 0x4d, 0x41, 0x41, 0xd8, 0xab, 0x75, 0xeb, 0x4d, 0xca, 0x13, 0x59, 0x78, 0xa3,
    ]

    /// The y of the points whose order divides 8, little-endian, sign bit cleared; y ≥ p is refused before.
    private static let smallOrder: Set<[UInt8]> = [
        [UInt8](repeating: 0, count: 32),
        [1] + [UInt8](repeating: 0, count: 31),
        [0xec] + [UInt8](repeating: 0xff, count: 30) + [0x7f],
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
            0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
            0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
        ],
    ]
}
