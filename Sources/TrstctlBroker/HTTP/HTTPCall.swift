import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

/// A connector's `Request` whose method, URL and bounds follow the grammar; references are not resolved yet.
struct HTTPCall: Sendable {
    let method: HTTPMethod
    let url: RequestURL
    let message: Wire.HttpRequest
    let milliseconds: Int64
    let bodyLimit: Int

    /// The most header fields.
    static let fieldLimit = 64

    /// Checks a call.
    ///
    /// - Throws: `invalid`.
    init(_ message: Wire.HttpRequest) throws(EffectError) {
        method = try HTTPMethod(message.method)
        url = try RequestURL(message.url)
        guard message.headers.count <= HTTPCall.fieldLimit else {
            throw EffectError(
                .invalid, object: "headers",
                "there are \(message.headers.count) headers, and at most \(HTTPCall.fieldLimit) are allowed")
        }
        milliseconds = Int64(
            try bounded(message.timeoutMilliseconds, default: 30_000, atMost: 600_000, "timeout_milliseconds"))
        bodyLimit = Int(
            try bounded(
                message.maxResponseBytes, default: 1 << 20, atMost: UInt32(BrokeredRequest.contentLimit),
                "max_response_bytes"))
        guard message.tls == nil || url.isSecure else {
            throw EffectError(.invalid, object: "tls", "TLS options with an http URL mean nothing")
        }
        self.message = message
    }

    /// What has to be authorised: a safe method only asks.
    var operation: Operation { method.isSafe ? .dial(url.address) : .send(url.address) }

    /// For the audit and for plans.
    var shown: String { "\(method.text) \(url.shown)" }

    /// Whether the host may send it twice.
    var isRepeatable: Bool { method.isIdempotent || message.retrySafe }
}
