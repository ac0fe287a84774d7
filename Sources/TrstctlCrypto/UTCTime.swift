import COpenSSL
import Glibc

/// Instants as Unix seconds, and as text for people.
package enum UTCTime {
    /// ISO 8601 in UTC with seconds, for example `2026-03-01T12:00:00Z`.
    package static func text(_ seconds: Int64) -> String {
        var time = time_t(seconds)
        var parts = tm()
        guard gmtime_r(&time, &parts) != nil else { return "\(seconds) s" }
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let date = "\(Int64(parts.tm_year) + 1900)-\(two(parts.tm_mon &+ 1))-\(two(parts.tm_mday))"
        return "\(date)T\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))Z"
    }

    /// A certificate's time, or nil when it is none (ASN1_TIME_to_tm(3)).
    static func seconds(_ time: UnsafePointer<ASN1_TIME>?) -> Int64? {
        defer { OpenSSLError.clear() }
        // Without a time ASN1_TIME_to_tm answers with the current one.
        guard let time else { return nil }
        var parts = tm()
        guard ASN1_TIME_to_tm(time, &parts) == 1 else { return nil }
        return Int64(timegm(&parts))
    }
}
