package import TrstctlPolicy
package import TrstctlSystem

/// A connector that was refused before it could run.
package struct VerificationError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What went wrong.
    package enum Code: Equatable, Sendable {
        /// The bytes are not the pinned ones.
        case mismatch(found: SHA256Digest, expected: [SHA256Digest])
        /// The manifest has no pin for this connector.
        case unpinned(found: SHA256Digest)
        /// The file has more bytes than are copied.
        case tooLarge(limit: Int64)
        /// The operator revoked this build, whatever is pinned.
        case revoked(found: SHA256Digest)
        /// A script, and the manifest does not say what may run it; with the interpreter that its first line names, where
        /// that is one.
        case scriptNotAllowed(interpreter: Bytes?)
        /// No program that this machine runs.
        case notRunnable(ExecutableKind)
        /// The script names another interpreter than the manifest, or one that is not the pinned one.
        case interpreter(InterpreterFault)
        /// The signature that the manifest asks for is missing, wrong, or by nobody it trusts.
        /// `word` is the stable one of `SignatureRefusal.Code`.
        case signature(word: String, reason: String)
        /// Reading took longer than is waited.
        case tooSlow(milliseconds: Int64)
        /// The file did not arrive whole: it shrank or grew while it was copied.
        case changedWhileReading
        /// A system call failed.
        case failed(SystemError)
    }

    package let code: Code
    package let connector: ConnectorName
    /// Where the file was found.
    package let path: Bytes
    /// Where a symbolic link led to.
    package let resolvedPath: Bytes?
    /// Bytes; of the copy where there is one.
    package let size: Int64
    /// Seconds since 1970.
    package let modified: Int64
    /// What probably happened, where the bytes tell.
    package let cause: String?

    /// The command to type next.
    package var nextCommand: String {
        switch code {
        case .mismatch, .unpinned: NextCommand.trstctl("plugin", "pin", connector.text)
        case .tooLarge, .tooSlow, .changedWhileReading, .failed, .revoked, .scriptNotAllowed, .notRunnable,
            .interpreter, .signature:
            NextCommand.trstctl("plugin", "verify", connector.text)
        }
    }

    private var nextStep: String {
        switch code {
        case .mismatch(_, let expected) where expected.count > 1:
            "\(nextCommand), if this file is the one you want to run; with --add the other pins stay"
        case .mismatch, .unpinned: "\(nextCommand), if this file is the one you want to run"
        case .notRunnable: "install the connector's executable for this machine"
        case .revoked: "install another build; only removing it from trust: revoked_sha256: would let this one run"
        case .scriptNotAllowed(let interpreter?):
            "add this under plugins: \(connector.text): in the manifest, with what `sha256sum \(printable(interpreter))` prints "
                + "first:\n              script: { interpreter: \(printable(interpreter)), sha256: [\"…\"] }"
        case .scriptNotAllowed(nil):
            "write the interpreter's own path into the script's first line, then name and pin it in the manifest: "
                + "script: under plugins: \(connector.text):"
        case .interpreter(.mismatch), .interpreter(.other), .interpreter(.notAProgram):
            "correct plugins: \(connector.text): script: in the manifest, if this interpreter is the one you want"
        case .signature: "install the signed build with its signature; see plugins: \(connector.text): signature:"
        case .interpreter, .tooLarge, .tooSlow, .changedWhileReading, .failed:
            "\(nextCommand), when that is corrected"
        }
    }

    package var description: String {
        var lines: [String]
        switch code {
        case .mismatch(let found, let expected):
            lines = ["the connector \(connector.text) is not the one that was pinned"]
            lines += expected.map { "expected: \($0.hex)" }
            lines.append("found:    \(found.hex)")
        case .unpinned(let found):
            lines = ["the connector \(connector.text) has no pin", "found:    \(found.hex)"]
        case .tooLarge(let limit):
            lines = ["the connector \(connector.text) is larger than \(limit) bytes"]
        case .revoked(let found):
            lines = ["the connector \(connector.text) is revoked in the manifest", "found:    \(found.hex)"]
        case .scriptNotAllowed:
            lines = ["the connector \(connector.text) is a script, and the manifest does not say what may run it"]
        case .notRunnable(let kind):
            lines = ["the connector \(connector.text) cannot run: \(kind)"]
        case .interpreter(let fault):
            lines = ["the connector \(connector.text) is a script that may not run: \(fault)"]
        case .signature(_, let reason):
            lines = ["the connector \(connector.text) has no signature that counts: \(reason)"]
        case .tooSlow(let milliseconds):
            lines = ["the connector \(connector.text) could not be read within \(milliseconds) ms"]
        case .changedWhileReading:
            lines = ["the connector \(connector.text) changed while it was read"]
        case .failed(let error):
            lines = ["the connector \(connector.text) cannot be verified: \(error)"]
        }
        lines.append("file:     \(printable(path))")
        if let resolvedPath { lines.append("link to:  \(printable(resolvedPath))") }
        lines.append("size:     \(size) bytes, modified \(UTCTime(modified))")
        if let cause { lines.append("likely:   \(cause)") }
        lines.append("next:     \(nextStep)")
        return lines.joined(separator: "\n  ")
    }
}
