import TrstctlCrypto
import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

/// A secret in the form that a reference asks for.
struct SecretEncoding {
    let source: SecretSource
    let reference: Wire.SecretReference
    /// What an error calls the content.
    let field: String
    /// The most bytes of the result.
    let limit: Int

    private typealias Encoding = Wire.SecretReference.Encoding

    /// Finds the secret and writes it.
    ///
    /// - Returns: the bytes; secret when the secret is.
    /// - Throws: `invalid` for a name that does not exist and for a form that the secret does not have, `limit` when the
    ///   result is longer than `limit`.
    func bytes() throws(EffectError) -> Bytes { try wrap(unwrapped(), in: reference.wrapping) }

    /// Finds the secret and writes it without its wrapping.
    func unwrapped() throws(EffectError) -> Bytes {
        let value = try value(named: reference.name)
        guard reference.encoding == .pkcs12 || reference.passwordName.isEmpty else {
            throw refusal("with a password, which only PKCS12 has")
        }
        return try encode(value)
    }

    /// What a second encoding makes of it.
    func wrap(_ encoded: Bytes, in wrapping: Wire.SecretReference.Wrapping) throws(EffectError) -> Bytes {
        switch wrapping {
        case .wrappingNone: return encoded
        case .wrappingBase64: return try wrapped(base64Size(encoded)) { base64(encoded) }
        case .wrappingJsonString: return try jsonString(encoded)
        case .unrecognized(let number): throw refusal("in the wrapping \(number), which this host does not know")
        }
    }

    private func encode(_ value: Bytes) throws(EffectError) -> Bytes {
        switch reference.encoding {
        case .raw: return value
        case .base64: return try wrapped(base64Size(value)) { base64(value) }
        case .jsonString: return try jsonString(value)
        case .pemPkcs8: return try key(value, as: .pkcs8, "PEM_PKCS8")
        case .pemSec1: return try key(value, as: .sec1, "PEM_SEC1")
        case .pemPkcs1: return try key(value, as: .pkcs1, "PEM_PKCS1")
        case .der: return try der(value)
        case .pkcs12: return try pkcs12(value)
        case .unrecognized(let number): throw refusal("in the form \(number), which this host does not know")
        }
    }

    private func value(named name: String) throws(EffectError) -> Bytes {
        if let value = source.secret(named: name) { return value }
        let known =
            source.names.isEmpty
            ? "there are none" : "there are: " + source.names.map { printable($0) }.joined(separator: ", ")
        throw EffectError(
            .invalid, object: field,
            "\(field) names the secret \"\(printable(name))\", which does not exist; \(known)")
    }

    private func refusal(_ reason: String, fix: String = "") -> EffectError {
        EffectError(
            .invalid, object: field,
            "\(field) asks for the secret \"\(printable(reference.name))\" \(reason)", fix: fix)
    }

    private func wrapped(_ size: Int, _ make: () -> Bytes) throws(EffectError) -> Bytes {
        guard size <= limit else { throw tooLong }
        return make()
    }

    private var tooLong: EffectError {
        EffectError(.limit, object: field, "\(field) is longer than \(limit) bytes")
    }

    // MARK: - Keys and certificates

    private func key(
        _ value: Bytes, as form: PrivateKey.Form, _ formName: String
    ) throws(EffectError) -> Bytes {
        let key = try privateKey(value, formName)
        do throws(PrivateKeyError) {
            return try key.encoded(as: form)
        } catch {
            throw refusal("as \(formName): \(error.reason)", fix: "ask for PEM_PKCS8, which every key has")
        }
    }

    private func privateKey(_ value: Bytes, _ formName: String) throws(EffectError) -> PrivateKey {
        do {
            return try PrivateKey(blocks: try PEM.blocks(in: value))
        } catch let error as PrivateKeyError {
            throw refusal("as \(formName), but it is no private key as PEM: \(error.reason)")
        } catch {
            throw refusal("as \(formName), but it is no private key as PEM: \(error)")
        }
    }

    private func certificates(_ value: Bytes) -> [Certificate]? {
        guard let blocks = try? PEM.blocks(in: value), blocks.allSatisfy(\.isCertificate) else { return nil }
        let certificates = blocks.compactMap { try? Certificate(der: $0.contents) }
        return certificates.count == blocks.count ? certificates : nil
    }

    private func der(_ value: Bytes) throws(EffectError) -> Bytes {
        guard let certificates = certificates(value), !certificates.isEmpty else {
            guard !value.isEmpty else { throw refusal("as DER, but it is empty") }
            return try key(value, as: .der, "DER")
        }
        guard certificates.count == 1, let certificate = certificates.first else {
            throw refusal(
                "as DER, which holds one certificate, but it is \(certificates.count)", fix: "ask for `certificate`")
        }
        return certificate.der
    }

    private func pkcs12(_ value: Bytes) throws(EffectError) -> Bytes {
        guard reference.name.utf8.elementsEqual("key".utf8) else {
            throw refusal("as PKCS12, which is made of the deployment's key", fix: "name the secret `key`")
        }
        let profile: PKCS12.Profile
        switch reference.pkcs12Profile {
        case .modern: profile = .modern
        case .legacy3des: profile = .legacyTripleDES
        case .unrecognized(let number): throw refusal("with the profile \(number), which this host does not know")
        }
        let password = try password()
        guard let leaf = source.secret(named: "certificate").flatMap(certificates)?.first,
            let chain = source.secret(named: "chain").flatMap({ $0.isEmpty ? [] : certificates($0) })
        else { throw refusal("as PKCS12, but the deployment has no certificate") }
        let key = try privateKey(value, "PKCS12")
        do throws(PKCS12Error) {
            return try PKCS12.encode(
                key: key, certificate: leaf, chain: chain, password: password,
                profile: profile)
        } catch {
            throw refusal("as PKCS12: \(error.reason)")
        }
    }

    private func password() throws(EffectError) -> Bytes {
        let name = reference.passwordName
        if name.isEmpty { return Bytes() }
        guard source.fields.contains(where: { $0.utf8.elementsEqual(name.utf8) }) else {
            let known = source.fields.isEmpty ? "has none" : "has " + source.fields.joined(separator: ", ")
            throw refusal(
                "with the password \"\(printable(name))\", which is no secret configuration field with a value; "
                    + "the target \(known)")
        }
        return try value(named: name)
    }

    // MARK: - Texts

    private func jsonString(_ value: Bytes) throws(EffectError) -> Bytes {
        guard value.withUnsafeBytes({ $0.isUTF8 }) else {
            throw refusal("as a JSON string, but it is not UTF-8", fix: "ask for base64")
        }
        guard let text = JSONText.escaped(value, limit: limit) else { throw tooLong }
        return text
    }
}

private func base64Size(_ value: Bytes) -> Int { (value.count + 2) / 3 * 4 }
