package import TrstctlSystem

/// One block of a PEM file.
package struct PEMBlock: Sendable {
    /// The text between `BEGIN` and the dashes, printable, at most 64 characters.
    package let label: String
    /// True for the legacy `Proc-Type: 4,ENCRYPTED` header (RFC 1421).
    package let hasEncryptionHeader: Bool
    /// What the base64 stands for; secret when the label ends in `PRIVATE KEY`.
    package let contents: Bytes
    /// The block as it stands in the file, from its BEGIN line to the end of its END line; secret like `contents`.
    package let text: Bytes

    /// True for the labels that OpenSSL reads as a certificate.
    package var isCertificate: Bool { label == "CERTIFICATE" || label == "X509 CERTIFICATE" }

    /// True for a private key of any kind, encrypted ones included.
    package var isPrivateKey: Bool { label.hasSuffix("PRIVATE KEY") }
}

/// Why bytes are not a PEM file.
package struct PEMError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What is wrong.
    package enum Code: String, Sendable {
        case tooBig, tooManyBlocks, malformed, cryptography
    }

    /// What is wrong.
    package var code: Code
    /// One line for people, without content.
    package var reason: String

    /// Puts an error together.
    package init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    package var description: String { reason }
}
