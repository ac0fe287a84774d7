package import TrstctlSystem

/// Why a signature does not count: what was expected, what was found, and what to do about it.
///
/// The texts hold printable ASCII only and at most a few hundred characters of what a file says.
package struct SignatureError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What is wrong; the raw value is the stable word for reports and the audit log.
    package enum Code: String, Sendable, CaseIterable {
        // The file.
        case notRegularFile = "signature-not-regular-file"
        case tooLarge = "signature-too-large"
        case empty = "signature-empty"
        case unreadable = "signature-unreadable"
        // Its form.
        case unrecognised = "signature-unrecognised"
        case notBase64 = "signature-not-base64"
        case notDER = "signature-not-der"
        case wrongLength = "signature-wrong-length"
        case notJSON = "bundle-not-json"
        case badBundle = "bundle-malformed"
        case bundleVersion = "bundle-version"
        case keyless = "bundle-keyless"
        case notMinisign = "minisign-malformed"
        case legacyMinisign = "minisign-legacy"
        case noGlobalSignature = "minisign-no-global-signature"
        case badTrustedComment = "trusted-comment-malformed"
        // Whose it is, and of what.
        case wrongKeyType = "key-type"
        case wrongKey = "key-mismatch"
        case wrongDigest = "digest-mismatch"
        case mismatch = "signature-mismatch"
        case globalMismatch = "trusted-comment-mismatch"
        // The content that was signed.
        case contentNotSealed = "content-not-sealed"
        case contentSize = "content-size"
        case cryptography = "cryptography"
    }

    /// What is wrong.
    package var code: Code
    /// One line for people: what was found, and what was expected.
    package var reason: String
    /// What the operator or the author does next; empty where the reason says it.
    package var nextStep: String

    /// Puts an error together.
    package init(_ code: Code, _ reason: String, next nextStep: String = "") {
        self.code = code
        self.reason = reason
        self.nextStep = nextStep
    }

    /// A system call that failed while reading the signature or the content.
    package init(_ error: SystemError) {
        self.init(.unreadable, "\(error)")
    }

    package var description: String { nextStep.isEmpty ? reason : "\(reason); next: \(nextStep)" }
}

/// Why a text is not a key that signatures can be verified with, or made with.
package struct SignatureKeyError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What is wrong; the raw value is the stable word for reports.
    package enum Code: String, Sendable, CaseIterable {
        case empty = "key-empty"
        case tooLarge = "key-too-large"
        case unrecognised = "key-unrecognised"
        case malformed = "key-malformed"
        case trailingData = "key-trailing-data"
        case unsupported = "key-unsupported"
        case compressedPoint = "key-compressed-point"
        case invalidPoint = "key-invalid-point"
        case privateKey = "key-is-private"
        case encrypted = "key-encrypted"
        case formUnsupported = "form-unsupported"
        case cryptography = "cryptography"
    }

    /// What is wrong.
    package var code: Code
    /// One line for people, without key material.
    package var reason: String
    /// What to do next; empty where the reason says it.
    package var nextStep: String

    /// Puts an error together.
    package init(_ code: Code, _ reason: String, next nextStep: String = "") {
        self.code = code
        self.reason = reason
        self.nextStep = nextStep
    }

    package var description: String { nextStep.isEmpty ? reason : "\(reason); next: \(nextStep)" }
}
