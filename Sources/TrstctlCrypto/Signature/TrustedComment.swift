/// The comment that a minisign signature covers.
///
/// Words like `name:nginx version:1.4.0`, separated by spaces or tabs, bind the signature to a connector and a version.
package struct TrustedComment: Hashable, Sendable {
    /// The most bytes, as in minisign (TRUSTEDCOMMENTMAXBYTES).
    package static let byteLimit = 8192

    /// The comment as it is signed: no control characters but tabs.
    package let bytes: [UInt8]

    init(_ bytes: [UInt8]) throws(SignatureError) {
        guard bytes.count <= TrustedComment.byteLimit else {
            throw SignatureError(
                .badTrustedComment, "the trusted comment has more than \(TrustedComment.byteLimit) bytes")
        }
        guard bytes.allSatisfy({ $0 == 0x09 || ($0 >= 0x20 && $0 != 0x7f) }) else {
            throw SignatureError(.badTrustedComment, "the trusted comment has control characters")
        }
        self.bytes = bytes
    }

    /// The comment for people: printable ASCII, tabs as spaces, at most 512 characters.
    package var text: String { PrintableText.of(bytes.map { $0 == 0x09 ? 0x20 : $0 }) }

    /// What the comment says about something, for example about `name`.
    package enum Claim: Hashable, Sendable {
        /// Nothing.
        case absent
        /// One word `field:value`; the bytes of the value.
        case value([UInt8])
        /// Several words, so nothing that could be relied on.
        case repeated
    }

    /// Looks for the words that begin with `field:`.
    ///
    /// - Parameter field: compared byte by byte, `name` or `version`.
    /// - Returns: the value, or why there is none.
    package func claim(_ field: String) -> Claim {
        let mark = Array("\(field):".utf8)
        let words = bytes.split { $0 == 0x20 || $0 == 0x09 }.filter { $0.starts(with: mark) }
        guard let word = words.first else { return .absent }
        return words.count == 1 ? .value(Array(word.dropFirst(mark.count))) : .repeated
    }

    /// True when the comment says nothing about `field`, or exactly this.
    package func allows(_ field: String, _ value: String) -> Bool {
        switch claim(field) {
        case .absent: true
        case .value(let found): found.elementsEqual(value.utf8)
        case .repeated: false
        }
    }
}
