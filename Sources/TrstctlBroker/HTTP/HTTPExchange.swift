import COpenSSL
import CTrstctlCurl
import TrstctlCrypto
import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

/// One request, complete: everything resolved, checked and in memory.
struct HTTPRequest: Sendable {
    var method: HTTPMethod
    var url: RequestURL
    var fields: [HTTPField] = []
    var body = Bytes()
    var tls = TLSSettings()
    var signature: SignatureV4?
    var bodyLimit = 1 << 20
}

/// What libcurl needs to sign a request (AWS Signature Version 4).
struct SignatureV4: Sendable {
    var accessKey: Bytes
    var secretKey: Bytes
    var region: String
    var service: String
}

/// One answer.
struct HTTPAnswer: Sendable {
    var status: UInt32
    var headers: [Wire.HttpResponseHeader]
    var body: Bytes

    func value(_ name: String) -> Bytes? { headers.first { HTTPField.isSameName($0.name, name) }?.value }
}

/// The effect of a request: one connection, one request, one answer.
enum HTTPExchange {
    /// Connects, asks, and takes the answer.
    ///
    /// - Parameters:
    ///   - request: what to ask.
    ///   - peer: where; its addresses are checked.
    ///   - settings: the least rate.
    ///   - patience: for everything.
    ///   - connected: called before anything is said to the peer; when it was not, the peer has seen nothing.
    /// - Returns: the answer, whatever its status.
    /// - Throws: `unreachable` when no connection came about, and only then; `timedOut`, `badPeer`, `tooLarge`, …
    static func run(
        _ request: HTTPRequest, _ peer: CheckedPeer, _ settings: NetworkSettings, _ patience: Patience,
        connected: () -> Void = {}
    ) throws(EffectError) -> HTTPAnswer {
        let connection = try peer.connect(patience).release()
        connected()
        let context = CurlContext(
            HTTPReply(bodyLimit: request.bodyLimit, isHead: request.method.isHead), connection: connection)
        let curl = try CurlHandle(context)
        try curl.prepare(request, peer)
        let object = request.url.shown
        var answering: Deadline?
        let result = try withExtendedLifetime(request.body) { () throws(EffectError) in
            try curl.run(object, patience) {
                guard context.reply.pointee.receivedBytes > 0 else { return false }
                let begun = answering ?? Deadline.now
                answering = begun
                let milliseconds = (Deadline.now.nanoseconds - begun.nanoseconds) / 1_000_000
                return milliseconds > settings.patienceMilliseconds
                    && Int64(context.reply.pointee.receivedBytes) < settings.leastBytesPerSecond * milliseconds / 1_000
            }
        }
        if let fault = context.reply.pointee.fault { throw EffectError(fault, object) }
        guard result == trstctl_CURLE_OK else { throw EffectError(result, curl, peer.address, object) }
        guard context.reply.pointee.hasHead else {
            throw EffectError(trstctl_CURLE_GOT_NOTHING, curl, peer.address, object)
        }
        return HTTPAnswer(
            status: context.reply.pointee.status, headers: context.reply.pointee.headers,
            body: context.reply.pointee.takeBody())
    }
}

extension CurlHandle {
    fileprivate func prepare(_ request: HTTPRequest, _ peer: CheckedPeer) throws(EffectError) {
        try point(isSecure: request.url.isSecure, peer, request.tls, target: request.url.target)
        var lines: [[Bytes]] = [[Bytes("Host: \(request.url.hostField)")]]
        for field in request.fields {
            // `Name;` is libcurl's way to write a field without a value, `Name:` to leave it out.
            lines.append(field.value.isEmpty ? [Bytes("\(field.name);")] : [Bytes("\(field.name): "), field.value])
        }
        // Takes away what libcurl would add. A signature covers every line that stands here, so not beside one.
        if request.signature == nil {
            lines.append(["Expect:"])
            if !request.fields.contains(where: { $0.isNamed("Content-Type") }) { lines.append(["Content-Type:"]) }
        }
        try set(trstctl_CURLOPT_HTTPHEADER, lines: lines)
        if request.method.isHead {
            try set(trstctl_CURLOPT_NOBODY, 1)
        } else if request.method.hasBody || !request.body.isEmpty {
            try set(trstctl_CURLOPT_POST, 1)
            // Not copied; the caller keeps the body alive.
            try check(trstctl_curl_set_body(easy, request.body.unsafeBase, request.body.count))
        }
        if !request.method.isHead { try set(trstctl_CURLOPT_CUSTOMREQUEST, request.method.text) }
        guard let signature = request.signature else { return }
        try set(trstctl_CURLOPT_AWS_SIGV4, "aws:amz:\(signature.region):\(signature.service)")
        try set(trstctl_CURLOPT_USERNAME, secret: signature.accessKey)
        try set(trstctl_CURLOPT_PASSWORD, secret: signature.secretKey)
    }

    /// Says whom the connection is with and how that is verified.
    func point(
        isSecure: Bool, _ peer: CheckedPeer, _ tls: TLSSettings, target: String
    ) throws(EffectError) {
        // The name in libcurl's URL is the one it sends and verifies; `Host` is written separately.
        let port = peer.address.port
        let literal = peer.address.text.dropLast(String(port).utf8.count + 1)
        let name = isSecure ? tls.serverName?.text ?? String(literal) : String(literal)
        try set(trstctl_CURLOPT_URL, "\(isSecure ? "https" : "http")://\(name):\(port)\(target)")
        // Keeps libcurl from looking the name up; the socket is connected already, so the address is not used.
        try set(trstctl_CURLOPT_RESOLVE, lines: [[Bytes("\(name):\(port):127.0.0.1")]])
        guard isSecure else { return }
        if let authorities = tls.authorities {
            try set(trstctl_CURLOPT_CAINFO_BLOB, blob: authorities)
            // The directory of the system's authorities would count beside them.
            try clear(trstctl_CURLOPT_CAPATH)
        }
        if let pin = tls.publicKeyPin {
            try set(trstctl_CURLOPT_PINNEDPUBLICKEY, "sha256//" + (base64(Bytes(pin)).text ?? ""))
        }
        if let certificate = tls.clientCertificate, let key = tls.clientKey {
            try set(trstctl_CURLOPT_SSLCERT_BLOB, blob: certificate)
            try set(trstctl_CURLOPT_SSLKEY_BLOB, blob: key)
        }
    }
}

extension EffectError {
    fileprivate init(_ fault: HTTPReply.Fault, _ object: String) {
        switch fault {
        case .tooLarge(let what): self.init(.tooLarge, object: object, "\(object): \(what)")
        case .malformed(let what):
            self.init(.badPeer, object: object, "\(object) answered something that is not HTTP/1.1: \(what)")
        }
    }

    /// What went wrong after the connection, without secrets and without what only the host knows.
    init(_ code: Int32, _ curl: CurlHandle, _ address: DialAddress, _ object: String) {
        switch code {
        case trstctl_CURLE_PEER_FAILED_VERIFICATION:
            self.init(
                .badPeer, object: object, "\(address.text) is not trusted: \(curl.verificationReason)",
                fix: "check what it serves: openssl s_client -connect \(address.text); name its authority with "
                    + "authorities_path, or the name that its certificate is for with server_name")
        case trstctl_CURLE_SSL_PINNEDPUBKEYNOTMATCH:
            self.init(
                .badPeer, object: object, "\(address.text) serves another public key than the pinned one",
                fix: "if the key was changed on purpose, pin the new one")
        case trstctl_CURLE_SSL_CACERT_BADFILE:
            self.init(
                .invalid, object: "authorities_path", "the file of authorities_path holds no PEM certificate",
                fix: "openssl x509 -in FILE -noout -subject")
        case trstctl_CURLE_SSL_CERTPROBLEM:
            self.init(
                .invalid, object: "client_certificate_name",
                "the client certificate and its key cannot be used: \(curl.reason)")
        case trstctl_CURLE_SSL_CONNECT_ERROR, trstctl_CURLE_SSL_CIPHER:
            self.init(.badPeer, object: object, "no TLS connection with \(address.text): \(curl.reason)")
        case trstctl_CURLE_GOT_NOTHING, trstctl_CURLE_RECV_ERROR, trstctl_CURLE_SEND_ERROR, trstctl_CURLE_PARTIAL_FILE:
            let reason = curl.reason.isEmpty ? "" : ": \(curl.reason)"
            self.init(.badPeer, object: object, "\(object): the connection ended before the answer did\(reason)")
        case trstctl_CURLE_WEIRD_SERVER_REPLY, trstctl_CURLE_UNSUPPORTED_PROTOCOL, trstctl_CURLE_BAD_CONTENT_ENCODING,
            trstctl_CURLE_HTTP2:
            self.init(.badPeer, object: object, "\(object) answered something that is not HTTP/1.1")
        default:
            self.init(
                .badPeer, object: object, "\(object): \(String(cString: trstctl_curl_easy_strerror(code)))")
        }
    }
}

extension CurlHandle {
    /// OpenSSL's opinion of the chain, or that the name is another one.
    fileprivate var verificationReason: String {
        var verdict = 0
        _ = trstctl_curl_get_verification(easy, &verdict)
        // libcurl says "unspecified" when it compared the names itself and left the rest to no one.
        guard verdict != Int(X509_V_OK), verdict != Int(X509_V_ERR_UNSPECIFIED) else { return reason }
        return String(cString: X509_verify_cert_error_string(verdict))
    }
}
