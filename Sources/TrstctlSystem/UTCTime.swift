import Glibc

/// An instant as people and programs read it: RFC 3339 in UTC.
package struct UTCTime: CustomStringConvertible, Sendable {
    private let seconds: Int64
    private let milliseconds: Int?

    /// An instant.
    ///
    /// - Parameters:
    ///   - seconds: since the Unix epoch.
    ///   - milliseconds: 0 to 999, shown when given.
    package init(_ seconds: Int64, milliseconds: Int? = nil) {
        self.seconds = seconds
        self.milliseconds = milliseconds
    }

    /// The current instant, with milliseconds.
    package static var now: UTCTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return UTCTime(Int64(time.tv_sec), milliseconds: time.tv_nsec / 1_000_000)
    }

    package var description: String {
        var seconds = time_t(seconds)
        var parts = tm()
        guard gmtime_r(&seconds, &parts) != nil else { return "\(self.seconds) s after 1970" }
        func digits(_ number: Int, _ width: Int) -> String {
            let text = String(number)
            return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
        }
        let date =
            "\(digits(Int(parts.tm_year) + 1900, 4))-\(digits(Int(parts.tm_mon) + 1, 2))-\(digits(Int(parts.tm_mday), 2))"
        let clock = "\(digits(Int(parts.tm_hour), 2)):\(digits(Int(parts.tm_min), 2)):\(digits(Int(parts.tm_sec), 2))"
        return "\(date)T\(clock)\(milliseconds.map { ".\(digits($0, 3))" } ?? "")Z"
    }
}
