/// What was found where a connector's signature belongs.
package enum SignatureFinding: Sendable {
    case missing
    /// There is something, and it is no signature.
    case unusable(SignatureError)
    case found(DetachedSignature)

    /// Reads and parses; never throws, because what is wrong is the policy's to judge.
    package init(reading content: () throws(SignatureError) -> [UInt8]?) {
        do throws(SignatureError) {
            guard let content = try content() else {
                self = .missing
                return
            }
            self = .found(try DetachedSignature(file: content))
        } catch {
            self = .unusable(error)
        }
    }
}

/// What a policy says about a connector's signature.
package enum SignatureOutcome: Equatable, Sendable {
    /// Verified by the key that the operator calls `key`.
    case verified(VerifiedSignature, key: String)
    /// There is none, and that is allowed; the warning belongs into every report.
    case missingAllowed(warning: String)
    /// The connector must not run.
    case refused(SignatureRefusal)
}

/// Why a connector must not run, as far as its signature is concerned.
package struct SignatureRefusal: Error, Equatable, Sendable, CustomStringConvertible {
    /// The reason; the raw value is the stable word for reports and the audit log.
    package enum Code: Hashable, Sendable {
        case missing
        case noKeys
        case revokedDigest
        case keyRevoked
        case keyScope
        case keyNotYetValid
        case keyExpired
        case nameMismatch
        case versionMismatch
        /// The signature is not readable, or not one of these bytes.
        case signature(SignatureError.Code)

        /// The stable word for reports and the audit log.
        package var word: String {
            switch self {
            case .missing: "signature-missing"
            case .noKeys: "no-key"
            case .revokedDigest: "executable-revoked"
            case .keyRevoked: "key-revoked"
            case .keyScope: "key-not-for-connector"
            case .keyNotYetValid: "key-not-yet-valid"
            case .keyExpired: "key-expired"
            case .nameMismatch: "signature-name"
            case .versionMismatch: "signature-version"
            case .signature(let code): code.rawValue
            }
        }
    }

    package var code: Code
    /// One line for people.
    package var reason: String
    /// What to do next; empty where the reason says it.
    package var nextStep: String

    /// Puts a refusal together.
    package init(_ code: Code, _ reason: String, next nextStep: String = "") {
        self.code = code
        self.reason = reason
        self.nextStep = nextStep
    }

    /// A signature that does not count.
    package init(_ error: SignatureError) {
        self.init(.signature(error.code), error.reason, next: error.nextStep)
    }

    /// True when the signature names or needs another key than the one that was tried.
    var isAboutAnotherKey: Bool {
        switch code {
        case .signature(.wrongKey), .signature(.wrongKeyType), .signature(.wrongLength), .signature(.notDER): true
        default: false
        }
    }

    package var description: String { nextStep.isEmpty ? reason : "\(reason); next: \(nextStep)" }
}
