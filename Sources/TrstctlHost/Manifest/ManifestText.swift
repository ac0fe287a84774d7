import TrstctlSystem

/// The checks that a manifest's bytes have to pass before anything reads them as YAML.
enum ManifestText {
    /// The largest manifest in bytes.
    static let maximumBytes = 1 << 20

    /// Refuses what is empty, too large, not UTF-8, or holds a byte order mark or NUL.
    static func check(_ text: [UInt8], file: String) throws(ManifestError) {
        guard !text.isEmpty else {
            throw ManifestError(
                .empty, file: file, "the manifest is empty", nextStep: "begin with the line: version: 1")
        }
        guard text.count <= maximumBytes else {
            throw ManifestError(
                .tooLarge, file: file, "expected at most \(maximumBytes) bytes, found more",
                nextStep: "check that this is the manifest; otherwise split it")
        }
        guard !text.starts(with: [0xEF, 0xBB, 0xBF]) else {
            throw ManifestError(
                .byteOrderMark, file: file, line: 1, column: 1, "the file begins with a byte order mark",
                nextStep: "save it as UTF-8 without byte order mark")
        }
        if text.starts(with: [0xFF, 0xFE]) || text.starts(with: [0xFE, 0xFF]) {
            throw ManifestError(
                .notUTF8, file: file, line: 1, column: 1, "expected UTF-8, found UTF-16",
                nextStep: "save the file as UTF-8")
        }
        if let nul = text.firstIndex(of: 0) {
            let place = place(of: nul, in: text)
            throw ManifestError(
                .containsNUL, file: file, line: place.line, column: place.column, "the text contains a NUL byte",
                nextStep: "remove the byte; check that this is the manifest and not a binary file")
        }
        if let index = firstInvalidByte(text) {
            let place = place(of: index, in: text)
            throw ManifestError(
                .notUTF8, file: file, line: place.line, column: place.column, "this byte is not UTF-8",
                nextStep: "save the file as UTF-8")
        }
    }

    private static func firstInvalidByte(_ text: [UInt8]) -> Int? {
        do throws(UTF8.ValidationError) {
            _ = try UTF8Span(validating: text.span)
            return nil
        } catch {
            return error.byteOffsets.lowerBound
        }
    }

    /// The line and column of a byte, counted from 1, the column in Unicode scalars.
    static func place(of index: Int, in text: [UInt8]) -> (line: Int, column: Int) {
        let before = text.prefix(index)
        let lines = before.split(separator: 0x0A, omittingEmptySubsequences: false)
        let scalars = (lines.last ?? []).filter { $0 & 0xC0 != 0x80 }.count
        return (max(1, lines.count), scalars + 1)
    }
}
