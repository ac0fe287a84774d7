import TrstctlBroker
import TrstctlCrypto
import TrstctlLaunch
import TrstctlPolicy
import TrstctlProcess
import TrstctlSystem
import TrstctlWire

/// Why something was refused or failed, in one word for scripts: lower-case letters, digits and hyphens.
///
/// The words are the raw values of the errors' own codes, or stand here; `spec/reasons.md` lists them, and a test holds
/// the two together. A word never changes its meaning; new ones come.
package struct ReasonCode: Hashable, Sendable, CustomStringConvertible {
    package let description: String

    private init(_ word: String) { description = word }

    /// The word of an error's own code.
    init<Code: RawRepresentable<String>>(_ code: Code) { self.init(code.rawValue) }

    /// What the host finds by itself, and no error of another room says.
    package enum Host: String, CaseIterable, Sendable {
        /// The run was interrupted.
        case cancelled
        /// The linter refuses a grant of this connector.
        case dangerousGrant = "dangerous-grant"
        /// It asks for grants that the manifest does not approve.
        case notApproved = "not-approved"
        /// Its configuration, or what it declares for it, is not accepted.
        case badConfiguration = "bad-configuration"
        /// It answered Read with a fingerprint that is none.
        case badFingerprint = "bad-fingerprint"
        /// It has nothing to do, and yet the credential is not live.
        case notLive = "not-live"
        /// It reports success, and changed nothing.
        case changedNothing = "changed-nothing"
        /// It answered while the host was still changing something for it.
        case answeredEarly = "answered-early"
        /// The host itself did not see the deployed certificate served.
        case notServed = "not-served"
        /// An interrupted deployment could not be undone.
        case notRecovered = "not-recovered"
        /// Deployed, but not durably.
        case notDurable = "not-durable"
        /// Two targets write the same file.
        case sameFile = "same-file"
        /// Another apply, or a recovery, is at work on the same state.
        case busy
        /// A brokered call that belongs to no scope that is open.
        case noScope = "no-scope"
        /// The state directory cannot be used, or another run uses it.
        case state
        /// The words of the command line make no sense.
        case usage
        /// A file system that does not answer, or a system call that failed.
        case system
        /// Nothing more is known.
        case other
    }

    init(_ host: Host) { self.init(host.rawValue) }

    /// The word for a reply that is a failure: `answered-` and the status, for example `answered-failed-precondition`.
    init(answered code: Wire.Status.Code) {
        var word = "answered-"
        for scalar in "\(code)".unicodeScalars {
            guard scalar.properties.isAlphabetic else { break }
            if scalar.properties.isUppercase { word += "-" }
            word += scalar.properties.lowercaseMapping
        }
        self.init(word)
    }

    /// The word for an error of any room.
    package init(_ error: any Error) {
        switch error {
        case let error as ConnectorRefusal: self.init(error.report.code)
        case let error as SessionError: self.init(error.cause ?? error.code.rawValue)
        case let error as VerificationError: self.init(error.code.word)
        case let error as NotFound: self.init(error.rejections.compactMap(\.reason.word).first ?? "not-found")
        case let error as ManifestError: self.init(error.code)
        case let error as CredentialError: self.init(error.code)
        case let error as EffectError: self.init(error.code)
        case let error as Quarantine: self = error.code
        case is ConfigError: self.init(.badConfiguration)
        case is PinRefusal: self.init(.notApproved)
        case let error as StateError: self.init(error.isBusy ? .busy : .state)
        case is UsageError: self.init(.usage)
        case is SystemError: self.init(.system)
        default: self.init(.other)
        }
    }
}

extension Rejection.Reason {
    /// The word for a file that was found and not taken; nil for a directory that is merely missing.
    package var word: String? {
        switch self {
        case .missingDirectory: nil
        case .relativeDirectory, .notADirectory: "bad-directory"
        case .directoryWritable: "directory-writable"
        case .directoryOwner: "directory-owner"
        case .tooManyEntries: "too-many-entries"
        case .badName: "bad-name"
        case .notRegular: "not-regular"
        case .danglingLink: "dangling-link"
        case .notExecutable: "not-executable"
        case .empty: "empty"
        case .writable: "file-writable"
        case .owner: "file-owner"
        case .privileged: "privileged-file"
        case .unreadable: "unreadable"
        }
    }
}

extension VerificationError.Code {
    /// The word for bytes that may not run.
    package var word: String {
        switch self {
        case .mismatch: "digest-mismatch"
        case .unpinned: "unpinned"
        case .tooLarge: "too-large"
        case .revoked: "executable-revoked"
        case .scriptNotAllowed: "script-not-allowed"
        case .notRunnable: "executable-format"
        case .interpreter(.mismatch): "interpreter-mismatch"
        case .interpreter(.other): "interpreter-other"
        case .interpreter(.badFirstLine), .interpreter(.looksUp): "interpreter-line"
        case .interpreter: "interpreter-unusable"
        // `key-mismatch` alone would be the credential's key.
        case .signature(let word, _):
            ["signature-", "bundle-", "minisign-", "trusted-"].contains(where: word.hasPrefix)
                ? word : "signature-" + word
        case .tooSlow: "too-slow"
        case .changedWhileReading: "changed-while-reading"
        case .failed: "system"
        }
    }
}
