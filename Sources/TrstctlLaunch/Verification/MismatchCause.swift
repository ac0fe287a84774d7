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

    static func guess(_ sealed: SealedExecutable) -> String? {
        let start = FileSlice(sealed.descriptor.raw, at: 0, count: 64)
        if let known = beginnings.first(where: { start.starts(with: $0.bytes) }) { return known.cause }
        switch sealed.kind {
        case .foreignELF: return "this build is \(sealed.kind); pin the one for this machine too"
        case .brokenELF: return "the file is damaged or was not copied whole"
        case .unknown: return "this is \(sealed.kind)"
        case .staticELF, .dynamicELF, .script:
            return sealed.size == sealed.candidate.size ? nil : "the file was being replaced while it was read"
        }
    }
}
