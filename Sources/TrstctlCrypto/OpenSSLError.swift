import COpenSSL

/// An OpenSSL call that failed: which step, and what OpenSSL put into its error queue.
///
/// OpenSSL keeps one queue per thread and leaves entries behind; this is the one place that reads and empties it
/// (ERR_get_error(3)). The additional data of an entry is left out on purpose: it may hold content.
package struct OpenSSLError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The step, for example `d2i_X509`.
    package var stage: String
    /// OpenSSL's texts, oldest first; at most `OpenSSLError.limit`.
    package var reasons: [String]
    /// The library and reason numbers of the newest entry (`ERR_GET_LIB`, `ERR_GET_REASON`), 0 when there was none.
    package var library: Int32
    /// See `library`.
    package var reason: Int32

    /// The most entries that are kept; the queue itself holds 16.
    package static let limit = 16

    /// Takes every entry out of the calling thread's queue; call it directly after the failed call.
    ///
    /// - Parameter stage: the function or step that failed.
    /// - Returns: the error; without reasons when the queue is empty.
    package static func take(_ stage: String) -> OpenSSLError {
        var error = OpenSSLError(stage: stage, reasons: [], library: 0, reason: 0)
        while true {
            let code = ERR_get_error()
            guard code != 0 else { return error }
            error.library = Int32(truncatingIfNeeded: trstctl_ERR_GET_LIB(code))
            error.reason = Int32(truncatingIfNeeded: trstctl_ERR_GET_REASON(code))
            guard error.reasons.count < limit else { continue }
            if let text = ERR_reason_error_string(code) {
                error.reasons.append(String(cString: text))
            } else {
                error.reasons.append("error \(code)")
            }
        }
    }

    /// Empties the calling thread's queue, so that the next failure is not explained by an old one.
    package static func clear() {
        ERR_clear_error()
    }

    package var description: String {
        reasons.isEmpty ? "\(stage) failed" : "\(stage): \(reasons.joined(separator: ", "))"
    }
}
