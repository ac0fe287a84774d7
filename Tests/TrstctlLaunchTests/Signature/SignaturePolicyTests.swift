import Testing
import TrstctlCrypto

/// S05, S06, S15, revocation and validity: what an operator's policy makes of a signature.
@Suite("Signature policies")
struct SignaturePolicyTests {
    private let tools: SignatureTools
    private let now: Int64 = 1_800_000_000

    init() throws { tools = try SignatureTools() }

    private func trusted(
        _ key: SignatureKey, name: String = "rel-2026", scope: TrustedKey.Scope = .only(["nginx"]),
        from notBefore: Int64? = nil, until notAfter: Int64? = nil
    ) -> TrustedKey {
        TrustedKey(name: name, key: key, scope: scope, notBefore: notBefore, notAfter: notAfter)
    }

    private func evaluate(
        _ policy: SignaturePolicy, _ file: [UInt8]?, connector: String = "nginx", version: String? = nil
    ) throws -> SignatureOutcome {
        policy.evaluate(
            try tools.fixture.content, connector: connector, version: version, digest: tools.fixture.digest, now: now,
            signature: SignatureFinding(reading: { file }))
    }

    private func expect(
        _ code: SignatureRefusal.Code, _ policy: SignaturePolicy, _ file: [UInt8]?, connector: String = "nginx",
        version: String? = nil, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let outcome = try evaluate(policy, file, connector: connector, version: version)
        guard case .refused(let refusal) = outcome else {
            Issue.record("\(outcome)", sourceLocation: sourceLocation)
            return
        }
        #expect(refusal.code == code, "\(refusal)", sourceLocation: sourceLocation)
        #expect(!refusal.reason.isEmpty && !refusal.code.word.isEmpty, sourceLocation: sourceLocation)
    }

    private func isVerified(_ outcome: SignatureOutcome, by name: String = "rel-2026") -> Bool {
        guard case .verified(_, let key) = outcome else { return false }
        return key == name
    }

    @Test("each form verifies with a key that may sign for the connector")
    func verified() throws {
        for (key, file) in [
            (tools.p256, tools.base64ECDSA), (tools.p256, try tools.bundle()), (tools.ed25519, tools.edwards),
            (tools.minisign, tools.minisignFile),
        ] {
            for mode in [SignaturePolicy.Mode.required, .ifPresent] {
                let policy = SignaturePolicy(mode: mode, keys: [trusted(key)])
                #expect(isVerified(try evaluate(policy, file)))
            }
        }
    }

    @Test("a missing signature is refused where one is required, and warned of otherwise")
    func missing() throws {
        let keys = [trusted(tools.p256)]
        try expect(.missing, SignaturePolicy(mode: .required, keys: keys), nil)
        guard case .missingAllowed(let warning) = try evaluate(SignaturePolicy(mode: .ifPresent, keys: keys), nil)
        else {
            Issue.record("not allowed")
            return
        }
        #expect(warning.contains("nginx"))
    }

    @Test("if-present is no leniency: what is there has to verify")
    func present() throws {
        let policy = SignaturePolicy(mode: .ifPresent, keys: [trusted(tools.p256)])
        try expect(.signature(.empty), policy, [])
        try expect(.signature(.notBase64), policy, Array("hello\n".utf8))
        let other = try SignatureTools()
        try expect(.signature(.mismatch), policy, other.base64ECDSA)
        try expect(.noKeys, SignaturePolicy(mode: .ifPresent, keys: []), tools.base64ECDSA)
    }

    @Test("a file that cannot be read is not a missing one")
    func unreadable() throws {
        let outcome = SignaturePolicy(mode: .ifPresent, keys: [trusted(tools.p256)]).evaluate(
            try tools.fixture.content, connector: "nginx", digest: tools.fixture.digest, now: now,
            signature: SignatureFinding(reading: { () throws(SignatureError) in
                throw SignatureError(.notRegularFile, "a FIFO")
            }))
        #expect(outcome == .refused(SignatureRefusal(.signature(.notRegularFile), "a FIFO")))
    }

    @Test("a revoked executable is refused before anything else, also without a signature")
    func revokedDigest() throws {
        var policy = SignaturePolicy(mode: .ifPresent, keys: [trusted(tools.p256)])
        policy.revokedDigests = [tools.fixture.digest]
        try expect(.revokedDigest, policy, tools.base64ECDSA)
        try expect(.revokedDigest, policy, nil)
        policy.revokedDigests = [try sha256([])]
        #expect(isVerified(try evaluate(policy, tools.base64ECDSA)))
    }

    @Test("a revoked key is refused in every form in which it is listed")
    func revokedKey() throws {
        var policy = SignaturePolicy(mode: .required, keys: [trusted(tools.p256), trusted(tools.minisign)])
        policy.revokedKeys = [tools.p256.keyID]
        try expect(.keyRevoked, policy, tools.base64ECDSA)
        #expect(isVerified(try evaluate(policy, tools.minisignFile)))
        // Revoked by the id of its SubjectPublicKeyInfo, listed as a minisign key.
        policy.revokedKeys = [try SignatureKey(text: Array(tools.minisign.pem.utf8)).keyID]
        try expect(.keyRevoked, policy, tools.minisignFile)
    }

    @Test("a key signs only for the connectors it is for")
    func scope() throws {
        for (scope, isAllowed): (TrustedKey.Scope, Bool) in [
            (.all, true), (.only(["haproxy", "nginx"]), true), (.only(["haproxy"]), false), (.only([]), false),
            (.only(["nginx-plus"]), false), (.only(["ngin"]), false), (.only(["NGINX"]), false),
        ] {
            let policy = SignaturePolicy(mode: .required, keys: [trusted(tools.p256, scope: scope)])
            if isAllowed {
                #expect(isVerified(try evaluate(policy, tools.base64ECDSA)))
            } else {
                try expect(.keyScope, policy, tools.base64ECDSA)
            }
        }
        // S15: the signed connector under another name.
        let policy = SignaturePolicy(mode: .required, keys: [trusted(tools.p256)])
        try expect(.keyScope, policy, tools.base64ECDSA, connector: "haproxy")
    }

    @Test("a key counts from the first to the last second of its validity")
    func validity() throws {
        for (from, until, code): (Int64?, Int64?, SignatureRefusal.Code?) in [
            (now, now, nil), (now - 1, now + 1, nil), (nil, now, nil), (now, nil, nil),
            (now + 1, nil, .keyNotYetValid), (nil, now - 1, .keyExpired), (.max, .min, .keyNotYetValid),
        ] {
            let policy = SignaturePolicy(mode: .required, keys: [trusted(tools.p256, from: from, until: until)])
            if let code {
                try expect(code, policy, tools.base64ECDSA)
            } else {
                #expect(isVerified(try evaluate(policy, tools.base64ECDSA)))
            }
        }
    }

    @Test("of several keys the one that verifies counts, and one that counts goes before one that does not")
    func severalKeys() throws {
        let other = try SignatureTools()
        let keys = [
            trusted(other.p256, name: "other"), trusted(tools.ed25519, name: "kind"),
            trusted(tools.p256, name: "old", until: now - 1), trusted(tools.p256, name: "current"),
        ]
        #expect(
            isVerified(try evaluate(SignaturePolicy(mode: .required, keys: keys), tools.base64ECDSA), by: "current"))
        try expect(.keyExpired, SignaturePolicy(mode: .required, keys: Array(keys.prefix(3))), tools.base64ECDSA)
        // The telling reason, not that an Ed25519 key cannot read it.
        try expect(
            .signature(.mismatch), SignaturePolicy(mode: .required, keys: Array(keys.prefix(2).reversed())),
            tools.base64ECDSA)
        try expect(.signature(.wrongLength), SignaturePolicy(mode: .required, keys: [keys[1]]), tools.base64ECDSA)
    }

    @Test("a trusted comment binds the name and the version where it states them")
    func trustedComment() throws {
        let policy = SignaturePolicy(mode: .required, keys: [trusted(tools.minisign, scope: .all)])
        #expect(isVerified(try evaluate(policy, tools.minisignFile)))
        #expect(isVerified(try evaluate(policy, tools.minisignFile, version: "1.4.0")))
        try expect(.nameMismatch, policy, tools.minisignFile, connector: "haproxy")
        try expect(.versionMismatch, policy, tools.minisignFile, version: "1.3.0")
    }

    @Test("nothing but a verification that succeeded leads to verified")
    func pure() throws {
        let file = tools.base64ECDSA
        var calls = 0
        let outcome = SignaturePolicy(mode: .ifPresent, keys: [trusted(tools.p256), trusted(tools.ed25519)]).evaluate(
            connector: "nginx", digest: tools.fixture.digest, now: now,
            signature: SignatureFinding(reading: { file })
        ) { (_, _) throws(SignatureError) in
            calls += 1
            throw SignatureError(.mismatch, "no")
        }
        #expect(calls == 2)
        #expect(outcome == .refused(SignatureRefusal(.signature(.mismatch), "no")))
    }

    @Test("the words of the reasons are unlike each other")
    func words() {
        let words =
            SignatureError.Code.allCases.map { SignatureRefusal.Code.signature($0).word }
            + [
                .missing, .noKeys, .revokedDigest, .keyRevoked, .keyScope, .keyNotYetValid, .keyExpired, .nameMismatch,
                .versionMismatch,
            ].map { (code: SignatureRefusal.Code) in code.word }
        #expect(Set(words).count == words.count)
    }
}
