import CTrstctlCurl
import Glibc
import TrstctlPolicy
import TrstctlSystem

/// libcurl's handles for one exchange; nothing of them outlives it, so nothing is shared with another one.
///
/// libcurl speaks HTTP/1.1 and TLS over a socket that is connected already. It looks nothing up, follows nothing, asks
/// no environment, reads no file but the system's authorities, and its memory is wiped when it is freed.
final class CurlHandle {
    let easy: UnsafeMutableRawPointer
    private let multi: UnsafeMutableRawPointer
    private let context: CurlContext
    private let errorText: UnsafeMutablePointer<CChar>
    private var lists: [UnsafeMutableRawPointer] = []

    /// Makes the handles, with everything switched off that is not asked for.
    ///
    /// - Parameter context: what arrives goes there, and the connection comes from there.
    /// - Throws: `system` when libcurl cannot be loaded or has no memory.
    init(_ context: CurlContext) throws(EffectError) {
        if let failure = trstctl_curl_load() {
            throw EffectError(
                .system, object: "libcurl", "requests need libcurl: \(String(cString: failure))",
                fix: "apt-get install libcurl4")
        }
        guard let easy = trstctl_curl_easy_init() else { throw CurlHandle.failure("curl_easy_init") }
        guard let multi = trstctl_curl_multi_init() else {
            trstctl_curl_easy_cleanup(easy)
            throw CurlHandle.failure("curl_multi_init")
        }
        self.easy = easy
        self.multi = multi
        self.context = context
        errorText = .allocate(capacity: Int(TRSTCTL_CURL_ERROR_SIZE))
        errorText.initialize(repeating: 0, count: Int(TRSTCTL_CURL_ERROR_SIZE))
        try setDefaults()
    }

    deinit {
        trstctl_curl_multi_remove_handle(multi, easy)
        trstctl_curl_easy_cleanup(easy)
        trstctl_curl_multi_cleanup(multi)
        for list in lists { trstctl_curl_slist_free_all(list) }
        errorText.deallocate()
        withExtendedLifetime(context) {}
    }

    private func setDefaults() throws(EffectError) {
        let numbers: [(Int32, Int)] = [
            (trstctl_CURLOPT_PROTOCOLS, trstctl_CURLPROTO_HTTP | trstctl_CURLPROTO_HTTPS),
            (trstctl_CURLOPT_REDIR_PROTOCOLS, 0),
            (trstctl_CURLOPT_FOLLOWLOCATION, 0), (trstctl_CURLOPT_HTTP_VERSION, trstctl_CURL_HTTP_VERSION_1_1),
            (trstctl_CURLOPT_HTTP09_ALLOWED, 0), (trstctl_CURLOPT_HTTP_CONTENT_DECODING, 0),
            (trstctl_CURLOPT_PATH_AS_IS, 1),
            (trstctl_CURLOPT_NETRC, 0), (trstctl_CURLOPT_DISALLOW_USERNAME_IN_URL, 1), (trstctl_CURLOPT_NOSIGNAL, 1),
            (trstctl_CURLOPT_NOPROGRESS, 1), (trstctl_CURLOPT_FRESH_CONNECT, 1),
            (trstctl_CURLOPT_SSL_SESSIONID_CACHE, 0),
            (trstctl_CURLOPT_SSL_VERIFYPEER, 1), (trstctl_CURLOPT_SSL_VERIFYHOST, 2),
            (trstctl_CURLOPT_SSLVERSION, trstctl_CURL_SSLVERSION_TLSv1_2),
            // The loop has the deadline; libcurl's own limit of 300 s for connecting must not come first.
            (trstctl_CURLOPT_CONNECTTIMEOUT, 3_600),
        ]
        for (option, value) in numbers { try set(option, value) }
        // An empty proxy is what keeps libcurl from asking the environment (trstctl_CURLOPT_PROXY(3)).
        try set(trstctl_CURLOPT_PROXY, "")
        try set(trstctl_CURLOPT_NOPROXY, "*")
        try check(
            trstctl_curl_set_callbacks(
                easy, Unmanaged.passUnretained(context).toOpaque(), { CurlContext.header($0, $1, $2, $3) },
                { CurlContext.body($0, $1, $2, $3) }, context.connection, errorText))
    }

    func set(_ option: Int32, _ value: Int) throws(EffectError) {
        try check(trstctl_curl_set_long(easy, option, value))
    }

    func set(_ option: Int32, _ text: String) throws(EffectError) {
        try check(text.withCString { trstctl_curl_set_pointer(easy, option, $0) })
    }

    /// Switches a string option off; libcurl's default counts otherwise.
    func clear(_ option: Int32) throws(EffectError) {
        try check(trstctl_curl_set_pointer(easy, option, nil))
    }

    func set(_ option: Int32, blob: Bytes) throws(EffectError) {
        try check(blob.withUnsafeBytes { trstctl_curl_set_blob(easy, option, $0.baseAddress, $0.count) })
    }

    /// Sets a text that may be secret; it holds no NUL.
    func set(_ option: Int32, secret: Bytes) throws(EffectError) {
        try check(CurlHandle.withText([secret]) { trstctl_curl_set_pointer(easy, option, $0) })
    }

    /// Sets a list of lines, each put together from its parts, which hold no NUL.
    func set(_ option: Int32, lines: [[Bytes]]) throws(EffectError) {
        var list: UnsafeMutableRawPointer?
        for parts in lines {
            guard let longer = CurlHandle.withText(parts, { trstctl_curl_slist_append(list, $0) }) else {
                trstctl_curl_slist_free_all(list)
                throw CurlHandle.failure("curl_slist_append")
            }
            list = longer
        }
        if let list { lists.append(list) }
        try check(trstctl_curl_set_list(easy, option, list))
    }

    private static func withText<Result>(_ parts: [Bytes], _ body: (UnsafePointer<CChar>?) -> Result) -> Result {
        let size = parts.reduce(1) { $0 + $1.count }
        var buffer = WipedBuffer(capacity: size, limit: size)
        for part in parts + [Bytes([0])] { _ = buffer.append(part) }
        return buffer.withUnsafeBytes { body($0.baseAddress?.assumingMemoryBound(to: CChar.self)) }
    }

    /// Runs the transfer to its end.
    ///
    /// - Parameters:
    ///   - object: what it is about, for messages.
    ///   - patience: ends it.
    ///   - isTooSlow: asked every second at least.
    /// - Returns: libcurl's result.
    /// - Throws: `timedOut`, `scopeOver`.
    func run(_ object: String, _ patience: Patience, isTooSlow: () -> Bool) throws(EffectError) -> Int32 {
        guard trstctl_curl_multi_add_handle(multi, easy) == 0 else {
            throw CurlHandle.failure("curl_multi_add_handle")
        }
        while true {
            var running: Int32 = 0
            guard trstctl_curl_multi_perform(multi, &running) == 0 else {
                throw CurlHandle.failure("curl_multi_perform")
            }
            if running == 0 {
                let result = trstctl_curl_result(multi)
                guard result >= 0 else { throw CurlHandle.failure("curl_multi_info_read") }
                return result
            }
            if patience.interruption.isRaised { throw .interrupted(object) }
            if patience.deadline.hasPassed {
                throw EffectError(.timedOut, object: object, "\(object) did not answer before the deadline")
            }
            if isTooSlow() {
                throw EffectError(.timedOut, object: object, "\(object) answers too slowly, and was given up")
            }
            let left = patience.deadline.pollTimeout
            _ = trstctl_curl_multi_poll(
                multi, patience.interruption.pollable, left < 0 ? 1_000 : min(left, 1_000))
        }
    }

    /// What libcurl says about a failure, printable.
    var reason: String {
        let bytes = UnsafeBufferPointer(start: errorText, count: Int(TRSTCTL_CURL_ERROR_SIZE)).prefix { $0 != 0 }
        return readable(bytes.map { UInt8(bitPattern: $0) }, limit: 300)
    }

    func check(_ code: Int32) throws(EffectError) {
        guard code == trstctl_CURLE_OK else {
            throw CurlHandle.failure(String(cString: trstctl_curl_easy_strerror(code)))
        }
    }

    static func failure(_ step: String) -> EffectError {
        EffectError(.system, object: "libcurl", "libcurl failed: \(step)")
    }
}

/// What libcurl calls back into during one exchange, always on the thread that runs it.
final class CurlContext {
    /// Behind a pointer, for callbacks change it while the transfer's owner looks at it (decision 52).
    let reply: UnsafeMutablePointer<HTTPReply>
    /// The connected socket until libcurl has it, then -1; behind a pointer likewise.
    fileprivate let connection: UnsafeMutablePointer<Int32>

    /// Takes over a connected socket.
    init(_ reply: consuming HTTPReply, connection: Int32) {
        self.reply = .allocate(capacity: 1)
        self.reply.initialize(to: reply)
        self.connection = .allocate(capacity: 1)
        self.connection.initialize(to: connection)
    }

    deinit {
        if connection.pointee >= 0 { close(connection.pointee) }
        connection.deallocate()
        reply.deinitialize(count: 1)
        reply.deallocate()
    }

    private static func of(_ pointer: UnsafeMutableRawPointer?) -> CurlContext? {
        pointer.map { Unmanaged<CurlContext>.fromOpaque($0).takeUnretainedValue() }
    }

    fileprivate static func header(
        _ start: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
    ) -> Int {
        let line = UnsafeRawBufferPointer(start: start, count: size * count)
        return of(context)?.reply.pointee.take(line: line) == true ? line.count : 0
    }

    fileprivate static func body(
        _ start: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
    ) -> Int {
        let piece = UnsafeRawBufferPointer(start: start, count: size * count)
        // Nothing taken of something is how libcurl learns that it has to stop; nothing of nothing is no failure.
        return of(context)?.reply.pointee.take(body: piece) == true ? piece.count : 0
    }
}
