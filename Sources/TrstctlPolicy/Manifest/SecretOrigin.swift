package import TrstctlSystem

/// Where the value of a secret field comes from; never the value itself.
package enum SecretOrigin: Hashable, Sendable, CustomStringConvertible {
    /// An environment variable of trstctl.
    case environment(String)
    /// A file, absolute or relative to the working directory.
    case file(Bytes)
    /// A descriptor that trstctl inherited; read to its end, once.
    case descriptor(Int32)
    /// What a command prints: the absolute path of a program, and its arguments.
    case command([String])
    /// A file of this name in `$CREDENTIALS_DIRECTORY` (systemd.exec(5), LoadCredential).
    case credential(String)

    /// The most words of a command, and the longest one in bytes.
    package static let maximumWords = 64
    package static let longestWord = 4_096

    /// For messages: names and paths, which are no secrets.
    package var description: String {
        switch self {
        case .environment(let name): "env:\(printable(name))"
        case .file(let path): "file:\(printable(path))"
        case .descriptor(let number): "fd:\(number)"
        case .command(let words): "cmd:\(printable(words.first ?? ""))"
        case .credential(let name): "credential:\(printable(name))"
        }
    }

    /// Reads the text form of the command line: `env:NAME`, `file:PATH`, `fd:N`, `cmd:PROGRAM WORDS`, `credential:NAME`.
    ///
    /// - Parameter text: what stands behind the `=`.
    /// - Returns: nil when it begins like none of them, so that it is a value.
    /// - Throws: `SecretOriginError`, which does not show the text: it may be a secret by mistake.
    package static func parse(_ text: String) throws(SecretOriginError) -> SecretOrigin? {
        guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")) else { return nil }
        let rest = String(text[text.index(after: colon)...])
        switch String(text[..<colon]) {
        case "env": return try environment(named: rest)
        case "file": return try file(at: rest)
        case "fd":
            guard let number = Int32(rest), number == 0 || (3...65_535).contains(number), String(number) == rest else {
                throw SecretOriginError("expected 0 or a number from 3 behind fd:")
            }
            return .descriptor(number)
        case "cmd":
            return try command(running: rest.split(separator: " ", omittingEmptySubsequences: false).map(String.init))
        case "credential": return try credential(named: rest)
        default: return nil
        }
    }

    /// An environment variable: letters, digits and underscores, no digit first (environ(7)).
    package static func environment(named name: String) throws(SecretOriginError) -> SecretOrigin {
        let isName =
            (1...255).contains(name.utf8.count) && name.utf8.first?.isASCIIDigit == false
            && name.utf8.allSatisfy { $0.isASCIIAlphanumeric || $0 == UInt8(ascii: "_") }
        guard isName else { throw SecretOriginError("expected the name of an environment variable behind env") }
        return .environment(name)
    }

    /// A file, not a directory.
    package static func file(at path: String) throws(SecretOriginError) -> SecretOrigin {
        let bytes = Bytes(path)
        guard !path.isEmpty, bytes.count <= 4_095, path.utf8.last != UInt8(ascii: "/"), !path.utf8.contains(0) else {
            throw SecretOriginError("expected the path of a file behind file")
        }
        return .file(bytes)
    }

    /// A program by absolute path, and its arguments; no shell reads them.
    package static func command(running words: [String]) throws(SecretOriginError) -> SecretOrigin {
        guard let program = words.first, program.utf8.first == UInt8(ascii: "/") else {
            throw SecretOriginError("expected the absolute path of a program behind cmd")
        }
        guard words.count <= maximumWords,
            words.allSatisfy({ $0.utf8.count <= longestWord && !$0.utf8.contains(0) })
        else { throw SecretOriginError("expected at most \(maximumWords) words of \(longestWord) bytes behind cmd") }
        return .command(words)
    }

    /// The name of a systemd credential: a file name.
    package static func credential(named name: String) throws(SecretOriginError) -> SecretOrigin {
        let isName =
            (1...255).contains(name.utf8.count) && name != "." && name != ".."
            && name.utf8.allSatisfy { $0.isASCIIAlphanumeric || [UInt8(ascii: "."), 0x2D, 0x5F].contains($0) }
        guard isName else { throw SecretOriginError("expected the name of a credential behind credential") }
        return .credential(name)
    }
}

/// A reference to a secret that is not well formed; without the text itself.
package struct SecretOriginError: Error, Equatable, Sendable, CustomStringConvertible {
    package let description: String

    init(_ description: String) {
        self.description = description
    }
}
