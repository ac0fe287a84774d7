internal import TrstctlWire

/// Why a connector could not do what it was asked, for the person who must act.
///
/// Errors of the host's operations arrive with the host's own message and fix; rethrow them as they are unless you
/// know more.
public struct ConnectorError: Error, Sendable, CustomStringConvertible {
    /// What kind of failure it is; the canonical codes of the protocol.
    public enum Code: Int32, Sendable, CaseIterable {
        /// The host cancelled the call.
        case cancelled = 1
        /// Nothing better is known.
        case unknown = 2
        /// The configuration or the request itself is wrong, whatever the state of the system.
        case invalidArgument = 3
        /// A deadline passed.
        case deadlineExceeded = 4
        /// Something that must exist does not.
        case notFound = 5
        /// Something exists that must not.
        case alreadyExists = 6
        /// No approved grant covers it.
        case denied = 7
        /// A bound was reached.
        case resourceExhausted = 8
        /// The target refuses what it was given, or is not in the state that is needed.
        case failedPrecondition = 9
        /// Something concurrent got in the way.
        case conflict = 10
        /// A value outside what is possible.
        case outOfRange = 11
        /// Not offered.
        case unimplemented = 12
        /// A bug.
        case `internal` = 13
        /// The target cannot be reached now.
        case unavailable = 14
        /// Data was lost.
        case dataLoss = 15
        /// The target did not accept the credentials it was called with.
        case unauthenticated = 16
    }

    /// What kind of failure it is.
    public var code: Code
    /// One sentence for the person who must act; at most 4 KiB arrive.
    ///
    /// Never a secret.
    public var message: String
    /// Evidence, for example what a command printed; at most 16 KiB arrive.
    ///
    /// Never a secret.
    public var detail: String
    /// What to type next, or the manifest line that would allow the operation; at most 4 KiB arrive.
    public var fix: String
    /// Whether the same call can succeed later.
    public var isRetryable: Bool

    /// An error; see the fields for the bounds of its texts.
    public init(
        _ code: Code, _ message: String, detail: String = "", fix: String = "", isRetryable: Bool = false
    ) {
        self.code = code
        self.message = message
        self.detail = detail
        self.fix = fix
        self.isRetryable = isRetryable
    }

    /// The configuration is wrong.
    public static func invalidConfiguration(_ message: String, fix: String = "") -> ConnectorError {
        ConnectorError(.invalidArgument, message, fix: fix)
    }

    /// The target refuses what it was given.
    public static func failedPrecondition(
        _ message: String, detail: String = "", fix: String = ""
    ) -> ConnectorError {
        ConnectorError(.failedPrecondition, message, detail: detail, fix: fix)
    }

    /// The target cannot be reached now; trying again later can help.
    public static func unavailable(_ message: String, detail: String = "", fix: String = "") -> ConnectorError {
        ConnectorError(.unavailable, message, detail: detail, fix: fix, isRetryable: true)
    }

    /// The message.
    public var description: String { message }

    /// What a peer answered.
    init(_ status: Wire.Status) {
        self.init(
            Code(rawValue: status.code.rawValue) ?? .unknown, status.message, detail: status.detail, fix: status.fix,
            isRetryable: status.retryable)
    }

    var status: Wire.Status {
        Wire.Status(
            code: Wire.Status.Code(rawValue: code.rawValue), message: message.cut(to: 4096),
            detail: detail.cut(to: 16_384), retryable: isRetryable, fix: fix.cut(to: 4096))
    }
}

extension String {
    /// The text itself, or as much of its beginning as fits into a number of UTF-8 bytes.
    func cut(to bytes: Int) -> String {
        guard utf8.count > bytes, bytes >= 0 else { return self }
        var end = utf8.index(startIndex, offsetBy: bytes)
        while end > startIndex, end.samePosition(in: unicodeScalars) == nil { end = utf8.index(before: end) }
        return String(self[..<end])
    }
}
