import TrstctlSystem

/// The one line that a connector prints on stdout when it listens: `TRSTCTL-PLUGIN-V1 <socket-path>`.
///
/// The grammar is strict, see `spec/handshake.md`: one space, an absolute path whose last component is 1 to 32 of
/// `[A-Za-z0-9._-]` and not `.` or `..`, a line feed.
package struct HandshakeLine: Hashable, Sendable {
    /// The longest line, without its line feed.
    package static let maximumBytes = 4096
    package static let version = 1
    static let keyword = "TRSTCTL-PLUGIN-V1"

    /// The path as printed.
    package var socketPath: [UInt8]

    package init(socketPath: [UInt8]) {
        self.socketPath = socketPath
    }

    /// The bytes to print, line feed included.
    package var bytes: [UInt8] { Array(HandshakeLine.keyword.utf8) + [0x20] + socketPath + [0x0A] }

    /// Parses a line.
    ///
    /// - Parameters:
    ///   - line: the bytes before the line feed.
    ///   - directory: the path of the directory that the host made for this connector's socket.
    /// - Returns: the name of the socket in that directory.
    /// - Throws: `HandshakeLineError`.
    package static func socketName(in line: [UInt8], directory: [UInt8]) throws(HandshakeLineError) -> [UInt8] {
        guard line.count <= maximumBytes else { throw .tooLong }
        let keyword = Array(HandshakeLine.keyword.utf8)
        guard line.starts(with: keyword), line.count > keyword.count, line[keyword.count] == 0x20 else {
            throw isOtherVersion(line) ? .otherVersion : .notAHandshake
        }
        let path = line[(keyword.count + 1)...]
        let expected = directory + [UInt8(ascii: "/")]
        guard path.starts(with: expected) else { throw .outsideDirectory }
        let leaf = Array(path.dropFirst(expected.count))
        guard (1...32).contains(leaf.count), leaf.allSatisfy(isNameByte), leaf != [0x2E], leaf != [0x2E, 0x2E] else {
            throw .badName
        }
        return leaf
    }

    /// Whether it is the handshake of another version: `TRSTCTL-PLUGIN-V`, digits, a space.
    private static func isOtherVersion(_ line: [UInt8]) -> Bool {
        let common = Array("TRSTCTL-PLUGIN-V".utf8)
        guard line.starts(with: common) else { return false }
        let rest = line.dropFirst(common.count)
        let digits = rest.prefix(while: \.isASCIIDigit)
        return !digits.isEmpty && rest.dropFirst(digits.count).first == 0x20
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        byte.isASCIIAlphanumeric || "._-".utf8.contains(byte)
    }
}

/// Why a line is not the handshake.
package enum HandshakeLineError: Error, Hashable, Sendable {
    /// More than 4096 bytes without a line feed.
    case tooLong
    /// It does not begin with `TRSTCTL-PLUGIN-V1 `.
    case notAHandshake
    /// `TRSTCTL-PLUGIN-V` and another version.
    case otherVersion
    /// The path is not a direct child of the directory that the host made.
    case outsideDirectory
    /// The socket's name has other bytes than `[A-Za-z0-9._-]`, or is longer than 32.
    case badName
}
