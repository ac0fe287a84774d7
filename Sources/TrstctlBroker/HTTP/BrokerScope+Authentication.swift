import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

/// Authentication by reference: the host looks the secret up, fetches tokens, and writes the field.
extension BrokerScope {
    /// Adds what proves who asks.
    ///
    /// - Parameters:
    ///   - request: gets the field or the signature.
    ///   - authentication: the scheme and the names of its secrets.
    ///   - sent: gets the secrets.
    ///   - patience: for fetching a token.
    /// - Throws: `invalid` for fields that do not fit the scheme, `notGranted` for a token's peer, and what fetching it
    ///   meets.
    func authenticate(
        _ request: inout HTTPRequest, _ authentication: Wire.HttpAuthentication, _ sent: inout SentSecrets,
        _ patience: Patience
    ) throws(EffectError) {
        switch authentication.scheme {
        case .basic:
            guard !authentication.identity.utf8.contains(UInt8(ascii: ":")) else {
                throw .authentication("identity", "a user name with a colon cannot be sent (RFC 7617)")
            }
            let user = try identity(authentication)
            let password = try secret(authentication.secretName, &sent)
            let pair = concatenated([user, ":", password])
            sent.note(pair)
            try add("Authorization", ["Basic ", base64(pair)], to: &request)
        case .bearer:
            try add("Authorization", ["Bearer ", try secret(authentication.secretName, &sent)], to: &request)
        case .header:
            let name = authentication.headerName
            guard (1...128).contains(name.utf8.count), name.utf8.allSatisfy(isTokenByte) else {
                throw .authentication("header_name", "it is no name of a header field")
            }
            guard !HTTPField.isReserved(name) else {
                throw EffectError(.reservedHeader, object: name, "the header field \(name) is the host's")
            }
            try add(name, [try secret(authentication.secretName, &sent)], to: &request)
        case .awsSigv4:
            let access = AccessKey(
                identity: try identity(authentication), secret: try secret(authentication.secretName, &sent),
                session: authentication.sessionTokenName.isEmpty
                    ? nil : try secret(authentication.sessionTokenName, &sent))
            try sign(&request, access, authentication)
        case .oauth2ClientCredentials, .googleServiceAccount:
            try add(
                "Authorization", ["Bearer ", try token(authentication, request.tls, &sent, patience)], to: &request)
        case .instanceMetadata where authentication.identity.utf8.elementsEqual("aws".utf8):
            try sign(&request, try machineAccessKey(authentication, &sent, patience), authentication)
        case .instanceMetadata:
            try add(
                "Authorization", ["Bearer ", try token(authentication, request.tls, &sent, patience)], to: &request)
        case .schemeUnspecified: throw .authentication("scheme", "no scheme is named")
        case .unrecognized(let number):
            throw .authentication("scheme", "\(number) is none that this host knows")
        }
    }

    private func sign(
        _ request: inout HTTPRequest, _ key: AccessKey, _ authentication: Wire.HttpAuthentication
    ) throws(EffectError) {
        for (field, text) in [("region", authentication.region), ("service", authentication.service)] {
            guard (1...64).contains(text.utf8.count), text.utf8.allSatisfy(isRegionByte) else {
                throw .authentication(field, "it is 1 to 64 lower-case letters, digits and hyphens")
            }
        }
        // What has to be signed is the canonical form (of the path: encoded twice), and libcurl's versions differ.
        let path = request.url.target.utf8.prefix { $0 != UInt8(ascii: "?") }
        guard path.allSatisfy({ isUnreserved($0) || $0 == UInt8(ascii: "/") }) else {
            throw .authentication("scheme", "AWS_SIGV4 signs only paths of letters, digits and `-._~/`")
        }
        request.url = request.url.withSortedQuery
        if let session = key.session { try add("X-Amz-Security-Token", [session], to: &request) }
        request.signature = SignatureV4(
            accessKey: key.identity, secretKey: key.secret, region: authentication.region,
            service: authentication.service)
        guard !request.fields.contains(where: { $0.isNamed("Authorization") }) else {
            throw .authentication("scheme", "the request has an Authorization field already")
        }
    }

    func identity(_ authentication: Wire.HttpAuthentication) throws(EffectError) -> Bytes {
        let identity = Bytes(authentication.identity)
        guard (1...4_096).contains(identity.count), HTTPField.isValue(identity) else {
            throw .authentication("identity", "it is 1 to 4096 bytes without control characters")
        }
        return identity
    }

    func secret(_ name: String, _ sent: inout SentSecrets) throws(EffectError) -> Bytes {
        let reference = Wire.Segment(kind: .secret(Wire.SecretReference(name: name)))
        let value = try secrets.assemble([reference], limit: 64 << 10, field: "authentication")
        guard !value.isEmpty else {
            throw .authentication("secret_name", "the secret \"\(printable(name))\" is empty")
        }
        sent.note(value)
        return value
    }

    private func add(_ name: String, _ value: [Bytes], to request: inout HTTPRequest) throws(EffectError) {
        guard !request.fields.contains(where: { $0.isNamed(name) }) else {
            throw .authentication("scheme", "the request has a field \(name) already")
        }
        let whole = concatenated(value)
        guard HTTPField.isValue(whole) else {
            throw .authentication(
                "secret_name",
                "the secret holds a control character, perhaps a line feed at its end, and fits into no header")
        }
        request.fields.append(HTTPField(name, whole))
    }
}

/// What signs requests to AWS.
struct AccessKey: Sendable {
    var identity: Bytes
    var secret: Bytes
    var session: Bytes?
}

extension EffectError {
    static func authentication(_ field: String, _ reason: String) -> EffectError {
        EffectError(.invalid, object: "authentication.\(field)", "authentication.\(field): \(reason)")
    }
}

/// One after the other, in memory that is wiped; secret when one of them is.
func concatenated(_ parts: [Bytes]) -> Bytes {
    let size = parts.reduce(0) { $0 + $1.count }
    var buffer = WipedBuffer(capacity: size, limit: size)
    for part in parts { _ = buffer.append(part) }
    return buffer.bytes(isSecret: parts.contains(where: \.isSecret))
}

private func isRegionByte(_ byte: UInt8) -> Bool {
    byte.isASCIILowerLetter || byte.isASCIIDigit || byte == UInt8(ascii: "-")
}

/// RFC 3986 section 2.3.
func isUnreserved(_ byte: UInt8) -> Bool {
    isTokenByte(byte) && !"!#$%&'*+^`|".utf8.contains(byte)
}
