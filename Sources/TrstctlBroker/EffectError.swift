package import TrstctlWire

/// An effect that was not performed, or not completely: why, at what, and what to type next.
///
/// Texts hold names only, never content, so that no secret can leave through an error.
package struct EffectError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kind of reason, stable for audits and tests.
    package enum Code: String, Hashable, Sendable, CaseIterable {
        case invalid
        case invalidPath = "invalid-path"
        case notGranted = "not-granted"
        /// The connector did not declare it, so no line of the manifest would help.
        case notDeclared = "not-declared"
        /// The host's call only reads.
        case readOnlyScope = "read-only-scope"
        case notFound = "not-found"
        case noParent = "no-parent"
        case symbolicLink = "symbolic-link"
        case hardLink = "hard-link"
        case notRegular = "not-regular"
        case privileged
        case mountPoint = "mount-point"
        case exists
        case tooLarge = "too-large"
        case limit
        /// It holds a private key, which connectors do not get to see.
        case holdsKey = "holds-key"
        /// It holds the value of a secret configuration field, or repeats a secret that was sent, which connectors do not
        /// get to see either.
        case holdsSecret = "holds-secret"
        /// Others could read a key.
        case looseMode = "loose-mode"
        /// A connector wants to give a secret to another user or group.
        case foreignOwner = "foreign-owner"
        case noSpace = "no-space"
        case readOnlyFileSystem = "read-only-file-system"
        case noAccess = "no-access"
        case cannotChangeOwner = "cannot-change-owner"
        case notExecutable = "not-executable"
        /// Its digest is none of those that the manifest names.
        case programChanged = "program-changed"
        case unreachable
        case timedOut = "timed-out"
        /// A granted name leads where its rule does not permit, or content would leave the machine without TLS.
        case refusedAddress = "refused-address"
        /// A header field that only the host writes.
        case reservedHeader = "reserved-header"
        case badPeer = "bad-peer"
        /// Somebody else changed the files that were to be put back; they stay.
        case changedMeanwhile = "changed-meanwhile"
        case scopeOver = "scope-over"
        case unimplemented
        case system
    }

    /// The kind of reason.
    package let code: Code
    /// What it was about, escaped for people, for example a path.
    package let object: String
    /// One sentence for the person who must act.
    package let message: String
    /// What to type next; empty when there is nothing to type.
    package let fix: String

    package init(_ code: Code, object: String, _ message: String, fix: String = "") {
        self.code = code
        self.object = object
        self.message = message
        self.fix = fix
    }

    package var description: String { fix.isEmpty ? message : "\(message); \(fix)" }

    /// True when the object is one that no grant reaches: a link, a device, a mount point, a path with `..`.
    package var isDenial: Bool {
        switch code {
        case .notGranted, .notDeclared, .readOnlyScope, .invalidPath, .symbolicLink, .hardLink, .notRegular,
            .privileged, .mountPoint, .holdsKey, .programChanged, .holdsSecret, .refusedAddress, .reservedHeader,
            .foreignOwner:
            true
        default: false
        }
    }

    /// What the connector is told.
    package var status: Wire.Status {
        Wire.Status(
            code: statusCode, message: cut(message, toUTF8: 4096),
            retryable: code == .noSpace || code == .unreachable, fix: cut(fix, toUTF8: 4096))
    }

    private var statusCode: Wire.Status.Code {
        switch code {
        case .invalid, .invalidPath, .looseMode: .invalidArgument
        case .notFound: .notFound
        case .notGranted, .notDeclared, .readOnlyScope, .symbolicLink, .hardLink, .notRegular, .privileged, .mountPoint,
            .holdsKey, .holdsSecret, .programChanged, .refusedAddress, .reservedHeader, .foreignOwner:
            .permissionDenied
        case .exists, .changedMeanwhile: .aborted
        case .tooLarge, .limit, .noSpace: .resourceExhausted
        case .noParent, .readOnlyFileSystem, .noAccess, .cannotChangeOwner, .notExecutable, .badPeer, .scopeOver:
            .failedPrecondition
        case .unreachable: .unavailable
        case .timedOut: .deadlineExceeded
        case .unimplemented: .unimplemented
        case .system: .internal
        }
    }
}

/// The text, or as many whole scalars of it as fit into this many bytes of UTF-8.
func cut(_ text: String, toUTF8 limit: Int) -> String {
    guard text.utf8.count > limit else { return text }
    var short = ""
    var used = 0
    for scalar in text.unicodeScalars {
        let size = UTF8.width(scalar)
        guard used + size <= limit else { break }
        short.unicodeScalars.append(scalar)
        used += size
    }
    return short
}
