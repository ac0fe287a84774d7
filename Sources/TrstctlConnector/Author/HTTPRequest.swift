internal import TrstctlSystem
internal import TrstctlWire

/// A request for the host to make over HTTP/1.1.
public struct HTTPRequest: Sendable {
    /// The method; GET, HEAD and OPTIONS count as reading, everything else as changing something.
    public var method: String
    /// `https://host[:port]/path?query`; `http` reaches this machine only, unless the operator permits more.
    public var url: String
    /// Header fields; those about the host, the connection and the body's length are the host's.
    public var headers: [(name: String, value: [Segment])]
    /// The body, at most 3 MiB when the secrets are in place.
    public var body: [Segment]
    /// How the server is verified.
    public var tls: TLSOptions
    /// How the host proves who asks.
    public var authentication: HTTPAuthentication?
    /// For everything, 1 to 600 000.
    public var timeoutMilliseconds: Int
    /// A longer answer is `resourceExhausted`; 1 to 3 MiB.
    public var maxResponseBytes: Int
    /// Whether it may be sent again after 429, 502, 503 and 504 although its method is not idempotent.
    public var isRetrySafe: Bool

    /// A request; see the fields.
    public init(
        _ method: String, _ url: String, headers: [(name: String, value: [Segment])] = [], body: [Segment] = [],
        tls: TLSOptions = TLSOptions(), authentication: HTTPAuthentication? = nil, timeoutMilliseconds: Int = 30_000,
        maxResponseBytes: Int = 1 << 20, isRetrySafe: Bool = false
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.tls = tls
        self.authentication = authentication
        self.timeoutMilliseconds = timeoutMilliseconds
        self.maxResponseBytes = maxResponseBytes
        self.isRetrySafe = isRetrySafe
    }

    var message: Wire.HttpRequest {
        Wire.HttpRequest(
            method: method, url: url,
            headers: headers.map { Wire.HttpHeader(name: $0.name, value: $0.value.map(\.message)) },
            body: body.map(\.message), timeoutMilliseconds: UInt32(clamping: timeoutMilliseconds),
            maxResponseBytes: UInt32(clamping: maxResponseBytes), tls: tls.message,
            authentication: authentication?.message, retrySafe: isRetrySafe)
    }

    var estimatedBytes: Int {
        headers.reduce(body.estimatedBytes &+ url.utf8.count &+ 4_096) {
            $0 &+ $1.name.utf8.count &+ $1.value.estimatedBytes
        }
    }
}

/// What differs from verifying a server's name against the authorities of the host's system.
public struct TLSOptions: Sendable, Hashable {
    /// A PEM file of authorities that replaces the system's; needs ``Grant/read(_:)``.
    public var authoritiesPath: String?
    /// Lower-case hex SHA-256 of the server's SubjectPublicKeyInfo, which must be served as well.
    public var publicKeyPin: String?
    /// The secrets that are the client certificate with its chain and its key, both PEM.
    public var clientCertificate: SecretName?
    /// See ``clientCertificate``.
    public var clientKey: SecretName?
    /// The name to verify, and to send, instead of the host that is dialled.
    public var serverName: String?

    /// Options; see the fields.
    public init(
        authoritiesPath: String? = nil, publicKeyPin: String? = nil, clientCertificate: SecretName? = nil,
        clientKey: SecretName? = nil, serverName: String? = nil
    ) {
        self.authoritiesPath = authoritiesPath
        self.publicKeyPin = publicKeyPin
        self.clientCertificate = clientCertificate
        self.clientKey = clientKey
        self.serverName = serverName
    }

    /// Nil when nothing differs, as the protocol has it.
    var message: Wire.TlsOptions? {
        guard self != TLSOptions() else { return nil }
        return Wire.TlsOptions(
            authoritiesPath: Bytes(authoritiesPath ?? ""), publicKeyPin: publicKeyPin ?? "",
            clientCertificateName: clientCertificate?.text ?? "", clientKeyName: clientKey?.text ?? "",
            serverName: serverName ?? "")
    }
}

/// What the server answered.
public struct HTTPResponse: Sendable {
    /// The status code; an error status is an answer, not an error.
    public var status: Int
    /// The header fields in the order they came.
    public var headers: [(name: String, value: [UInt8])]
    /// The body.
    public var body: [UInt8]
    /// Whether nothing was sent, only recorded, see ``Host/isRecording``; then the status is 200 and the body empty.
    public var isPlanned: Bool

    /// Whether the status is 200 to 299, or the request was only recorded.
    public var isSuccess: Bool { isPlanned || (200...299).contains(status) }

    /// The body as text; broken UTF-8 is replaced.
    public var text: String { String(decoding: body, as: UTF8.self) }

    init(_ response: Wire.HttpResponse) {
        status = Int(response.status)
        headers = response.headers.map { ($0.name, $0.value.array) }
        body = response.body.array
        isPlanned = response.planned
    }
}

extension Host {
    /// Makes a request; a redirect is an answer, and never followed.
    ///
    /// Needs ``Grant/dial(_:)`` for the URL's host and port.
    ///
    /// - Parameter request: what to ask.
    /// - Returns: the answer, whatever its status.
    /// - Throws: `denied`; `unavailable` when nobody answers; `failedPrecondition` when the server cannot be verified or
    ///   does not speak HTTP; `deadlineExceeded`, after which the server may have done it all the same.
    public func request(_ request: HTTPRequest) throws(ConnectorError) -> HTTPResponse {
        let reply = try self.request(.request(request.message), bytes: request.estimatedBytes)
        guard case .request(let response) = reply else { throw Host.mismatch }
        return HTTPResponse(response)
    }
}
