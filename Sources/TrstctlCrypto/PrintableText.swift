/// Text from outside, made safe to show in a terminal or a log.
package enum PrintableText {
    /// Keeps printable ASCII, shows every other byte as `?`, and cuts what is too long.
    ///
    /// `?` occurs in no host name, so a name that was changed here matches nothing.
    /// - Parameters:
    ///   - bytes: any bytes.
    ///   - limit: the most bytes that are shown; a cut text ends in `...`.
    /// - Returns: printable ASCII.
    package static func of(_ bytes: some Collection<UInt8>, limit: Int = 512) -> String {
        var shown = bytes.prefix(limit).map { (0x20...0x7e).contains($0) ? $0 : UInt8(ascii: "?") }
        if bytes.count > limit { shown += Array("...".utf8) }
        return String(decoding: shown, as: UTF8.self)
    }
}
