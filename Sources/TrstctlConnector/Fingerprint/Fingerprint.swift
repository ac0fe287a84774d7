internal import TrstctlSystem

/// The SHA-256 of a leaf certificate's DER: what a TLS handshake shows, and what makes two credentials the same.
public struct Fingerprint: Hashable, Sendable, CustomStringConvertible {
    /// 64 lower-case hex digits.
    public let hexadecimal: String

    /// The hex digits.
    public var description: String { hexadecimal }

    /// - Parameter hexadecimal: 64 lower-case hex digits; anything else gives nil.
    public init?(hexadecimal: String) {
        let digits = hexadecimal.utf8
        guard digits.count == 64, digits.allSatisfy(\.isASCIILowerHexadecimal)
        else { return nil }
        self.hexadecimal = hexadecimal
    }

    /// The fingerprint of a certificate's DER.
    public init(ofDER der: [UInt8]) {
        let digits = Array("0123456789abcdef".utf8)
        let text = SHA256Digest.of(der).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        hexadecimal = String(decoding: text, as: UTF8.self)
    }

    /// The fingerprint of the first certificate in a PEM text.
    ///
    /// - Parameter pem: may hold other blocks and text before it (RFC 7468 section 5.2).
    /// - Returns: nil when there is no certificate, or its base64 is broken.
    public static func ofLeaf(inPEM pem: [UInt8]) -> Fingerprint? {
        PEM.firstBlock(labelled: "CERTIFICATE", in: pem).map { Fingerprint(ofDER: $0) }
    }
}
