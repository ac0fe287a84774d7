import TrstctlPolicy
import TrstctlSystem

/// What the bytes of a mismatching file say about how it came to be.
enum MismatchCause {
    private static let beginnings: [(bytes: [UInt8], cause: String)] = [
        (Array("version https://git-lfs".utf8), "this is a Git LFS pointer, not the file: git lfs pull"),
        (Array("<!DOCTYPE".utf8), "this is a web page: the download failed or needs a login"),
        (Array("<!doctype".utf8), "this is a web page: the download failed or needs a login"),
        (Array("<html".utf8), "this is a web page: the download failed or needs a login"),
        (Array("<?xml".utf8), "this is an error document of a file server, not the connector"),
        ([0x1f, 0x8b], "this is a gzip archive: unpack it first"),
        (Array("PK\u{3}\u{4}".utf8), "this is a zip archive: unpack it first"),
        ([0xfd, 0x37, 0x7a, 0x58, 0x5a], "this is an xz archive: unpack it first"),
        ([0x28, 0xb5, 0x2f, 0xfd], "this is a zstd archive: unpack it first"),
        (Array("!<arch>".utf8), "this is a Debian package or a static library: install it first"),
        ([0xcf, 0xfa, 0xed, 0xfe], "this is a macOS executable"),
        ([0xca, 0xfe, 0xba, 0xbe], "this is a macOS executable or a Java class"),
        (Array("MZ".utf8), "this is a Windows executable"),
    ]

    /// What a file that is no executable is, by its first bytes; nil when they tell nothing.
    static func beginning(of sealed: SealedExecutable) -> String? {
        let start = FileSlice(sealed.descriptor.raw, at: 0, count: 64)
        return beginnings.first { start.starts(with: $0.bytes) }?.cause
    }

    /// The likely cause of a mismatch, or nil when nothing tells.
    ///
    /// - Parameters:
    ///   - sealed: the bytes that were found.
    ///   - pins: what was expected.
    ///   - manifestModified: when the manifest was last written, in seconds since 1970.
    /// - Returns: a sentence without a full stop, or nil.
    static func guess(_ sealed: SealedExecutable, _ pins: Pins, manifestModified: Int64? = nil) -> String? {
        if let known = beginning(of: sealed) { return known }
        switch sealed.kind {
        case .foreignELF: return "this build is \(sealed.kind); the pin may be of the build for this machine"
        case .brokenELF: return "the file is damaged or was not copied whole"
        case .unknown: return "this is \(sealed.kind)"
        case .staticELF, .dynamicELF, .script: break
        }
        guard sealed.size == sealed.candidate.size else { return "the file was being replaced while it was read" }
        if let archive = NeighbouringArchive.pinned(beside: sealed.candidate, pins) {
            return "the pin is the SHA-256 of \(printable(archive)), the archive beside it, not of the executable"
        }
        if let manifestModified, sealed.candidate.modified > manifestModified {
            return "the file was built or installed again after the manifest was last written "
                + "(\(UTCTime(manifestModified)))"
        }
        return nil
    }
}
