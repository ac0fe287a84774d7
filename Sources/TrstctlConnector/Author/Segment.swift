internal import TrstctlSystem
internal import TrstctlWire

/// The name of something the host puts in place, so that the connector need not see it.
public struct SecretName: Sendable, Hashable {
    let text: String

    /// The private key.
    public static let key = SecretName(text: "key")
    /// The leaf certificate.
    public static let certificate = SecretName(text: "certificate")
    /// The issuers above the leaf.
    public static let chain = SecretName(text: "chain")
    /// Leaf and issuers.
    public static let fullchain = SecretName(text: "fullchain")

    /// A secret field of the configuration.
    public static func field(_ name: String) -> SecretName { SecretName(text: name) }
}

/// The form in which the host writes a secret.
public enum SecretEncoding: Sendable, Hashable {
    /// The bytes as the credential's source holds them: PEM for keys and certificates.
    case raw
    /// Standard base64 with padding, no line breaks (RFC 4648 section 4).
    case base64
    /// The body of a JSON string, without the quotes (RFC 8259 section 7).
    case jsonString
    /// A private key as `PRIVATE KEY` PEM (RFC 5208).
    case pkcs8
    /// An EC private key as `EC PRIVATE KEY` PEM (RFC 5915).
    case sec1
    /// An RSA private key as `RSA PRIVATE KEY` PEM (RFC 8017).
    case pkcs1
    /// DER: PKCS#8 for a key, X.509 for a certificate.
    case der

    var message: Wire.SecretReference.Encoding {
        switch self {
        case .raw: .raw
        case .base64: .base64
        case .jsonString: .jsonString
        case .pkcs8: .pemPkcs8
        case .sec1: .pemSec1
        case .pkcs1: .pemPkcs1
        case .der: .der
        }
    }
}

/// What the host does with a secret's encoded bytes in turn.
public enum SecretWrapping: Sendable, Hashable {
    /// Standard base64 with padding, no line breaks: a PKCS#12 file in a JSON document.
    case base64
    /// The body of a JSON string, without the quotes: a PKCS#8 key in a JSON document.
    case jsonString
}

extension SecretWrapping? {
    fileprivate var message: Wire.SecretReference.Wrapping {
        switch self {
        case nil: .wrappingNone
        case .base64: .wrappingBase64
        case .jsonString: .wrappingJsonString
        }
    }
}

/// How a PKCS#12 file is encrypted.
public enum PKCS12Profile: Sendable, Hashable {
    /// AES-256-CBC with PBKDF2 and HMAC-SHA-256.
    case modern
    /// SHA-1 and 3DES, for Windows Server 2016 and older.
    case legacyTripleDES
}

/// One piece of content that goes out: bytes as they are, or a secret by name.
public struct Segment: Sendable {
    let message: Wire.Segment

    /// Bytes as they are.
    public static func bytes(_ bytes: [UInt8]) -> Segment {
        Segment(message: Wire.Segment(kind: .literal(Bytes(bytes))))
    }

    /// A text as UTF-8.
    public static func text(_ text: String) -> Segment { bytes(Array(text.utf8)) }

    /// A secret, which the host puts in place.
    ///
    /// A form that the secret does not have (`sec1` of an RSA key) is `invalidArgument`.
    ///
    /// - Parameters:
    ///   - name: which.
    ///   - encoding: in which form.
    ///   - wrapping: what is done with the encoded bytes; nil leaves them as they are.
    /// - Returns: the segment.
    public static func secret(
        _ name: SecretName, as encoding: SecretEncoding = .raw, wrapped wrapping: SecretWrapping? = nil
    ) -> Segment {
        let reference = Wire.SecretReference(
            name: name.text, encoding: encoding.message, wrapping: wrapping.message)
        return Segment(message: Wire.Segment(kind: .secret(reference)))
    }

    /// A PKCS#12 file with key, leaf and chain (RFC 7292).
    ///
    /// The same credential, password and profile give the same file, so ``Host/stat(_:comparedTo:)`` recognises it.
    ///
    /// - Parameters:
    ///   - password: the secret field that is the password; nil means an empty one.
    ///   - profile: how it is encrypted.
    ///   - wrapping: what is done with the file's bytes; nil leaves them as they are.
    /// - Returns: the segment.
    public static func pkcs12(
        password: SecretName? = nil, profile: PKCS12Profile = .modern, wrapped wrapping: SecretWrapping? = nil
    ) -> Segment {
        let reference = Wire.SecretReference(
            name: "key", encoding: .pkcs12, pkcs12Profile: profile == .modern ? .modern : .legacy3des,
            passwordName: password?.text ?? "", wrapping: wrapping.message)
        return Segment(message: Wire.Segment(kind: .secret(reference)))
    }

    /// How much of a frame it takes, at most.
    var estimatedBytes: Int {
        guard case .literal(let bytes) = message.kind else { return 192 }
        return bytes.count &+ 16
    }
}
