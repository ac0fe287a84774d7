/// What a peer did that the protocol does not allow; the session ends with it.
package struct WireError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of violation it is; stable, for tests and audit.
    package enum Code: String, Sendable {
        case frameEmpty = "frame-empty"
        case frameTooLong = "frame-too-long"
        case frameTruncated = "frame-truncated"
        case invalidMessage = "invalid-message"
        case invalidText = "invalid-text"
        case unknownKind = "unknown-kind"
        case idZero = "id-zero"
        case idNotIncreasing = "id-not-increasing"
        case unexpectedReply = "unexpected-reply"
        case wrongDirection = "wrong-direction"
        case missingStatus = "missing-status"
        case wrongResult = "wrong-result"
        case callBeforeHello = "call-before-hello"
        case secondHello = "second-hello"
        case unexpectedCancel = "unexpected-cancel"
        case tooManyCalls = "too-many-calls"
    }

    package var code: Code
    /// Expected and found, for people; never content.
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { "\(message) (\(code.rawValue))" }

    /// Equal when the code is equal, so that a test can name an error.
    package static func == (left: WireError, right: WireError) -> Bool { left.code == right.code }

    package func hash(into hasher: inout Hasher) { hasher.combine(code) }
}
