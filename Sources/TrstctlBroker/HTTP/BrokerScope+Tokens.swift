import Synchronization
import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

/// A token and when to fetch another one.
struct HeldToken: Sendable {
    var parts: [Bytes]
    var expires: Deadline
}

/// Tokens that the host fetches: kept for the rest of the scope, in wiped memory, and seen by nobody else.
extension BrokerScope {
    /// The most bytes of a token service's answer.
    private static let answerLimit = 64 << 10
    /// How long before its end a token is no longer used, in seconds.
    private static let margin: Int64 = 60

    /// A bearer token.
    func token(
        _ authentication: Wire.HttpAuthentication, _ tls: TLSSettings, _ sent: inout SentSecrets, _ patience: Patience
    ) throws(EffectError) -> Bytes {
        let parts = try held(authentication, &sent, patience) { sent, patience throws(EffectError) in
            switch authentication.scheme {
            case .oauth2ClientCredentials: try clientCredentials(authentication, tls, &sent, patience)
            case .googleServiceAccount: try serviceAccount(authentication, tls, &sent, patience)
            default: try machineToken(authentication, patience)
            }
        }
        return parts.first ?? Bytes()
    }

    /// The access key of the role that the machine has (IMDSv2).
    ///
    /// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
    func machineAccessKey(
        _ authentication: Wire.HttpAuthentication, _ sent: inout SentSecrets, _ patience: Patience
    ) throws(EffectError) -> AccessKey {
        let parts = try held(authentication, &sent, patience) { _, patience throws(EffectError) in
            let session = try metadata(
                .put, "/latest/api/token", [HTTPField("X-aws-ec2-metadata-token-ttl-seconds", "300")], patience)
            let field = HTTPField("X-aws-ec2-metadata-token", session.body)
            guard HTTPField.isValue(session.body) else { throw .badToken("the session token is no token") }
            let roles = "/latest/meta-data/iam/security-credentials/"
            let role = try metadata(.get, roles, [field], patience).body.array
            guard (1...256).contains(role.count), role.allSatisfy({ isUnreserved($0) || "+=,@".utf8.contains($0) })
            else { throw .badToken("the machine has no role") }
            let path = roles + String(decoding: role, as: UTF8.self)
            let members = SecretJSON(try metadata(.get, path, [field], patience).body)?.texts
            guard let identity = members?["AccessKeyId"], let secret = members?["SecretAccessKey"],
                let session = members?["Token"], [identity, secret, session].allSatisfy(HTTPField.isValue)
            else { throw .badToken("the answer holds no credentials") }
            return HeldToken(parts: [identity, secret, session], expires: .after(milliseconds: 300_000))
        }
        guard parts.count == 3 else { throw .badToken("the answer holds no credentials") }
        return AccessKey(identity: parts[0], secret: parts[1], session: parts[2])
    }

    private func held(
        _ authentication: Wire.HttpAuthentication, _ sent: inout SentSecrets, _ patience: Patience,
        fetch: (inout SentSecrets, Patience) throws(EffectError) -> HeldToken
    ) throws(EffectError) -> [Bytes] {
        let known = tokens.withLock { $0[authentication] }
        if let known, !known.expires.hasPassed {
            for part in known.parts { sent.note(part) }
            return known.parts
        }
        let fetched = try fetch(&sent, patience)
        tokens.withLock { $0[authentication] = fetched }
        for part in fetched.parts { sent.note(part) }
        return fetched.parts
    }

    // RFC 6749 section 4.4, with the credentials in the body as every large provider takes them (section 2.3.1).
    private func clientCredentials(
        _ authentication: Wire.HttpAuthentication, _ tls: TLSSettings, _ sent: inout SentSecrets, _ patience: Patience
    ) throws(EffectError) -> HeldToken {
        let form: [(String, Bytes)] = [
            ("grant_type", "client_credentials"), ("client_id", try identity(authentication)),
            ("client_secret", try secret(authentication.secretName, &sent)),
            ("scope", Bytes(authentication.scope)),
        ]
        return try exchange(form.filter { !$0.1.isEmpty }, for: authentication, tls, sent, patience)
    }

    private func serviceAccount(
        _ authentication: Wire.HttpAuthentication, _ tls: TLSSettings, _ sent: inout SentSecrets, _ patience: Patience
    ) throws(EffectError) -> HeldToken {
        let assertion = try GoogleAssertion.make(
            try secret(authentication.secretName, &sent), audience: authentication.tokenUrl,
            scope: authentication.scope, now: network.now())
        return try exchange(
            [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", assertion)],
            for: authentication, tls, sent, patience)
    }

    private func exchange(
        _ form: [(String, Bytes)], for authentication: Wire.HttpAuthentication, _ tls: TLSSettings,
        _ sent: SentSecrets, _ patience: Patience
    ) throws(EffectError) -> HeldToken {
        let url = try RequestURL(authentication.tokenUrl)
        guard url.isSecure else {
            throw .authentication("token_url", "a token is fetched over https only")
        }
        var request = HTTPRequest(method: .post, url: url)
        request.fields = [
            HTTPField("Content-Type", "application/x-www-form-urlencoded"), HTTPField("Accept", "application/json"),
        ]
        request.body = concatenated(
            form.enumerated().flatMap { index, field in
                [Bytes("\(index == 0 ? "" : "&")\(field.0)="), formEncoded(field.1)]
            })
        // The authorities are those of the operator's network; pin, name and client certificate are the target's.
        request.tls.authorities = tls.authorities
        return try parse(try fetch(request, patience))
    }

    private func parse(_ answer: HTTPAnswer) throws(EffectError) -> HeldToken {
        let members = SecretJSON(answer.body)
        guard let token = members?.texts["access_token"], !token.isEmpty, HTTPField.isValue(token) else {
            throw .badToken("the answer holds no access_token")
        }
        // Azure's metadata service writes the number as a text.
        let lifetime = members?.numbers["expires_in"] ?? members?.texts["expires_in"]?.text.flatMap { Int64($0) } ?? 0
        let seconds = max(0, min(86_400, lifetime) - BrokerScope.margin)
        return HeldToken(parts: [token], expires: .after(milliseconds: seconds * 1_000))
    }

    /// A token of the machine on Azure and Google Cloud.
    ///
    /// https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token and
    /// https://cloud.google.com/compute/docs/access/authenticate-workloads#curl
    private func machineToken(
        _ authentication: Wire.HttpAuthentication, _ patience: Patience
    ) throws(EffectError) -> HeldToken {
        switch authentication.identity {
        case "azure":
            let resource = String(decoding: formEncoded(Bytes(authentication.scope)).array, as: UTF8.self)
            return try parse(
                try metadata(
                    .get, "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=\(resource)",
                    [HTTPField("Metadata", "true")], patience))
        case "gcp":
            let scopes = String(
                decoding: formEncoded(Bytes(authentication.scope.split(separator: " ").joined(separator: ","))).array,
                as: UTF8.self)
            let answer = try metadata(
                .get,
                "/computeMetadata/v1/instance/service-accounts/default/token"
                    + (scopes.isEmpty ? "" : "?scopes=\(scopes)"), [HTTPField("Metadata-Flavor", "Google")], patience)
            // The sign that it is the metadata service that answers.
            guard answer.value("Metadata-Flavor") == "Google" else {
                throw .badToken("what answers is not Google's metadata service")
            }
            return try parse(answer)
        default:
            throw .authentication("identity", "with INSTANCE_METADATA it is `aws`, `azure` or `gcp`")
        }
    }

    private func metadata(
        _ method: HTTPMethod, _ target: String, _ fields: [HTTPField], _ patience: Patience
    ) throws(EffectError) -> HTTPAnswer {
        guard let address = network.metadata else { throw .badToken("there is no metadata service") }
        var request = HTTPRequest(method: method, url: try RequestURL("http://\(address.text)\(target)"))
        request.fields = fields
        return try fetch(request, patience)
    }

    /// Asks a token service, with a grant of its own and a line of its own in the audit.
    private func fetch(_ request: HTTPRequest, _ patience: Patience) throws(EffectError) -> HTTPAnswer {
        var request = request
        request.bodyLimit = BrokerScope.answerLimit
        let complete = request
        return try recorded("Token", "\(request.method.text) \(request.url.shown)") { record throws(EffectError) in
            let ticket = try dialTicket(.dial(complete.url.address), &record)
            let peer = try CheckedPeer(ticket, isPlain: !complete.url.isSecure, proxy: proxy, network, patience)
            let answer = try HTTPExchange.run(complete, peer, network, patience)
            record.reason = "status \(answer.status)" + (peer.proxy.map { ", proxy \($0.address)" } ?? "")
            record.bytes = answer.body.count
            guard answer.status == 200 else {
                throw EffectError(
                    .badPeer, object: complete.url.shown,
                    "\(complete.url.shown) gave no token: it answered with status \(answer.status)",
                    fix: "check the identity, the secret and the scope")
            }
            return answer
        }
    }

    /// What a plan checks of an authentication: that the secrets are there, and that the token service may be asked.
    func rehearse(_ authentication: Wire.HttpAuthentication) throws(EffectError) {
        var sent = SentSecrets()
        var request = HTTPRequest(method: .post, url: try RequestURL("https://localhost/"))
        switch authentication.scheme {
        case .oauth2ClientCredentials, .googleServiceAccount:
            _ = try secret(authentication.secretName, &sent)
            let url = try RequestURL(authentication.tokenUrl)
            try recorded("Token", "POST \(url.shown)", as: .planned) { record throws(EffectError) in
                _ = try dialTicket(.dial(url.address), &record)
            }
        case .instanceMetadata:
            guard let address = network.metadata else { throw .badToken("there is no metadata service") }
            try recorded("Token", "GET http://\(address.text)/", as: .planned) { record throws(EffectError) in
                _ = try dialTicket(.dial(address), &record)
            }
        default: try authenticate(&request, authentication, &sent, Patience(.never, Interruption()))
        }
    }
}

extension EffectError {
    fileprivate static func badToken(_ reason: String) -> EffectError {
        EffectError(.badPeer, object: "authentication", "no token was obtained: \(reason)")
    }
}

/// application/x-www-form-urlencoded, with everything encoded that may be.
private func formEncoded(_ value: Bytes) -> Bytes {
    let digits = Array("0123456789ABCDEF".utf8)
    let size = value.count * 3
    var buffer = WipedBuffer(capacity: size, limit: size)
    value.withUnsafeBytes { bytes in
        _ = buffer.append { free in
            var written = 0
            for byte in bytes where free.count - written >= 3 {
                guard !isUnreserved(byte) else {
                    free[written] = byte
                    written += 1
                    continue
                }
                free[written] = UInt8(ascii: "%")
                free[written + 1] = digits[Int(byte >> 4)]
                free[written + 2] = digits[Int(byte & 15)]
                written += 3
            }
            return written
        }
    }
    return buffer.bytes(isSecret: value.isSecret)
}
