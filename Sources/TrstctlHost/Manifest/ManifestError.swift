/// A manifest that cannot be used: where, what is wrong, and what to do.
package struct ManifestError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kind of fault, stable for tests and `--json`.
    package enum Code: String, CaseIterable, Hashable, Sendable {
        case notFound = "not-found"
        case unreadable
        case notRegularFile = "not-regular-file"
        case symbolicLink = "symbolic-link"
        case unsafePermissions = "unsafe-permissions"
        case empty
        case tooLarge = "too-large"
        case byteOrderMark = "byte-order-mark"
        case notUTF8 = "not-utf8"
        case containsNUL = "contains-nul"
        case syntax
        case tooDeep = "too-deep"
        case unsupportedYAML = "unsupported-yaml"
        case duplicateKey = "duplicate-key"
        case unknownKey = "unknown-key"
        case missingKey = "missing-key"
        case wrongType = "wrong-type"
        case unsupportedVersion = "unsupported-version"
        case badName = "bad-name"
        case badPin = "bad-pin"
        case badGrant = "bad-grant"
        case badPath = "bad-path"
        case badAddress = "bad-address"
        case badKey = "bad-key"
        case badTime = "bad-time"
        case badAcknowledgement = "bad-acknowledgement"
        case notAcknowledged = "not-acknowledged"
        case dangerousGrant = "dangerous-grant"
        case outOfRange = "out-of-range"
        case tooMany = "too-many"
        case unknownReference = "unknown-reference"
        case notEditable = "not-editable"
        case changedMeanwhile = "changed-meanwhile"
    }

    /// The kind of fault.
    package let code: Code
    /// The file, as the operator named it.
    package let file: String
    /// The line, counted from 1; nil when the fault is not in the text.
    package let line: Int?
    /// The column in Unicode scalars, counted from 1; nil when the fault is not in the text.
    package let column: Int?
    /// What is wrong: expected and found.
    package let message: String
    /// What to do next.
    package let nextStep: String

    init(
        _ code: Code, file: String, line: Int? = nil, column: Int? = nil, _ message: String, nextStep: String
    ) {
        self.code = code
        self.file = file
        self.line = line
        self.column = column
        self.message = message
        self.nextStep = nextStep
    }

    /// The place in the form that editors jump to, `file:line:column`.
    package var place: String {
        [file, line.map(String.init), column.map(String.init)].compactMap(\.self).joined(separator: ":")
    }

    package var description: String { "\(place): \(message)\n  next: \(nextStep)" }
}
