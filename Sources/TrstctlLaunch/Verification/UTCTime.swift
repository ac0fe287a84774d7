import Glibc

/// An instant as people and programs read it, RFC 3339 in UTC.
struct UTCTime: CustomStringConvertible {
    private let seconds: Int64

    /// - Parameter seconds: since 1970.
    init(_ seconds: Int64) {
        self.seconds = seconds
    }

    var description: String {
        var seconds = time_t(seconds)
        var parts = tm()
        var text = [CChar](repeating: 0, count: 40)
        guard gmtime_r(&seconds, &parts) != nil, strftime(&text, text.count, "%Y-%m-%dT%H:%M:%SZ", &parts) > 0 else {
            return "\(self.seconds) s after 1970"
        }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
