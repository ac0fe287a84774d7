import COpenSSL
import TrstctlSystem

/// The parts of one PKCS#12 file put together, with salts that are given: `PKCS12_create(3)` takes random ones.
struct PKCS12Assembly {
    let password: UnsafePointer<CChar>
    /// Without the NUL.
    let passwordCount: Int32
    let profile: PKCS12.Profile
    let salts: PKCS12.Salts

    /// The whole file: certificates first, as OpenSSL and Windows write it, then the key; nil when OpenSSL fails.
    func file(_ key: OpaquePointer, _ leaf: Certificate, _ chain: [Certificate]) -> Bytes? {
        guard let safes = trstctl_safes_new() else { return nil }
        defer { trstctl_safes_free(safes) }
        for safe in [certificates(leaf, chain), shrouded(key, leaf)] {
            guard let safe else { return nil }
            guard trstctl_safes_push(safes, safe) > 0 else {
                PKCS7_free(safe)
                return nil
            }
        }
        guard let file = PKCS12_add_safes(safes, 0) else { return nil }
        defer { PKCS12_free(file) }
        var salt = salts.value("mac")
        let digest = profile == .modern ? EVP_sha256() : EVP_sha1()
        guard
            PKCS12_set_mac(file, password, passwordCount, &salt, Int32(salt.count), profile.iterations, digest) == 1
        else { return nil }
        var start: UnsafeMutablePointer<UInt8>?
        let count = i2d_PKCS12(file, &start)
        guard count > 0, let start else { return nil }
        defer { CRYPTO_clear_free(start, Int(count), #file, #line) }
        return Bytes(copying: UnsafeRawBufferPointer(start: start, count: Int(count)), isSecret: true)
    }

    /// The certificates, encrypted as one.
    private func certificates(_ leaf: Certificate, _ chain: [Certificate]) -> UnsafeMutablePointer<PKCS7>? {
        guard let bags = trstctl_bags_new() else { return nil }
        defer { trstctl_bags_free(bags) }
        for (index, certificate) in ([leaf] + chain).enumerated() {
            guard let bag = PKCS12_SAFEBAG_create_cert(certificate.handle.x509) else { return nil }
            guard (index > 0 || identify(bag, leaf)), trstctl_bags_push(bags, bag) > 0 else {
                PKCS12_SAFEBAG_free(bag)
                return nil
            }
        }
        guard let algorithm = algorithm("certificates") else { return nil }
        let safe = PKCS7_new()
        guard let safe, PKCS7_set_type(safe, NID_pkcs7_encrypted) == 1,
            let content = safe.pointee.d.encrypted?.pointee.enc_data
        else {
            PKCS7_free(safe)
            X509_ALGOR_free(algorithm)
            return nil
        }
        X509_ALGOR_free(content.pointee.algorithm)
        content.pointee.algorithm = algorithm
        ASN1_OCTET_STRING_free(content.pointee.enc_data)
        content.pointee.enc_data = PKCS12_item_i2d_encrypt(
            algorithm, PKCS12_SAFEBAGS_it(), password, passwordCount, UnsafeMutableRawPointer(bags), 1)
        guard content.pointee.enc_data != nil else {
            PKCS7_free(safe)
            return nil
        }
        return safe
    }

    /// The key, encrypted by itself in a part that is not.
    private func shrouded(_ key: OpaquePointer, _ leaf: Certificate) -> UnsafeMutablePointer<PKCS7>? {
        guard let bags = trstctl_bags_new() else { return nil }
        defer { trstctl_bags_free(bags) }
        guard let algorithm = algorithm("key") else { return nil }
        guard let encrypted = PKCS8_set0_pbe(password, passwordCount, key, algorithm) else {
            X509_ALGOR_free(algorithm)
            return nil
        }
        guard let bag = PKCS12_SAFEBAG_create0_pkcs8(encrypted) else {
            X509_SIG_free(encrypted)
            return nil
        }
        guard identify(bag, leaf), trstctl_bags_push(bags, bag) > 0 else {
            PKCS12_SAFEBAG_free(bag)
            return nil
        }
        return PKCS12_pack_p7data(bags)
    }

    /// Says which key and certificate belong together: readers look for equal local key ids.
    private func identify(_ bag: OpaquePointer, _ leaf: Certificate) -> Bool {
        var id = Array(leaf.fingerprint.prefix(20))
        return PKCS12_add_localkeyid(bag, &id, Int32(id.count)) == 1
    }

    private func algorithm(_ role: String) -> UnsafeMutablePointer<X509_ALGOR>? {
        var salt = salts.value(role)
        switch profile {
        case .modern:
            var vector = salts.value(role + " vector", count: 16)
            return PKCS5_pbe2_set_iv(
                EVP_aes_256_cbc(), profile.iterations, &salt, Int32(salt.count), &vector, NID_hmacWithSHA256)
        case .legacyTripleDES:
            return PKCS5_pbe_set(
                NID_pbe_WithSHA1And3_Key_TripleDES_CBC, profile.iterations, salt, Int32(salt.count))
        }
    }
}
