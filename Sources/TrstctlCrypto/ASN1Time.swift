import COpenSSL
import Glibc

/// The times in certificates.
enum ASN1Time {
    /// A certificate's time as Unix seconds, or nil when it is none (ASN1_TIME_to_tm(3)).
    static func seconds(_ time: UnsafePointer<ASN1_TIME>?) -> Int64? {
        defer { OpenSSLError.clear() }
        // Without a time ASN1_TIME_to_tm answers with the current one.
        guard let time else { return nil }
        var parts = tm()
        guard ASN1_TIME_to_tm(time, &parts) == 1 else { return nil }
        return Int64(timegm(&parts))
    }
}
