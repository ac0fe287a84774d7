package import TrstctlSystem

/// Bytes as text that is safe on a terminal and in a log: what is not printable ASCII stands as `\xNN`.
///
/// Two different byte sequences never look alike, which a display of composed Unicode would not promise.
///
/// - Parameters:
///   - bytes: anything.
///   - limit: how many bytes are shown before the text is cut off with their number.
/// - Returns: the text.
package func printable(_ bytes: Bytes, limit: Int = 512) -> String {
    let shown = bytes.array.prefix(max(0, limit))
    // Nearly all of them are plain, and byte by byte takes twenty times as long.
    let isPlain = shown.allSatisfy { isPrintable($0) && $0 != UInt8(ascii: "\\") }
    let text = isPlain ? String(decoding: shown, as: UTF8.self) : escaped(shown)
    return bytes.count > limit ? text + "… (\(bytes.count) bytes)" : text
}

private func escaped(_ bytes: ArraySlice<UInt8>) -> String {
    var text = ""
    for byte in bytes {
        switch byte {
        case UInt8(ascii: "\\"): text += "\\\\"
        case 0x20...0x7E: text.unicodeScalars.append(Unicode.Scalar(byte))
        default: text += "\\x" + hexadecimal(byte)
        }
    }
    return text
}

private func isPrintable(_ byte: UInt8) -> Bool { (0x20...0x7E).contains(byte) }

/// Text for people, from outside, made safe to show: letters of any script stay, what could move a cursor, hide or forge
/// a line stands as `\\x{N}`, and what is not UTF-8 as U+FFFD.
///
/// For names and paths use `printable`, which never shows two different names alike.
///
/// - Parameters:
///   - bytes: anything.
///   - limit: how many bytes are shown before the text is cut off.
/// - Returns: the text, on one line.
package func readable(_ bytes: some Collection<UInt8>, limit: Int = 4096) -> String {
    let decoded = String(decoding: bytes.prefix(max(0, limit)), as: UTF8.self)
    let cut = bytes.count > limit ? " […]" : ""
    guard !decoded.utf8.allSatisfy(isPrintable) else { return decoded + cut }
    var text = ""
    for scalar in decoded.unicodeScalars {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse:
            text += "\\x{\(String(scalar.value, radix: 16))}"
        default:
            text.unicodeScalars.append(scalar)
        }
    }
    return text + cut
}

/// A text as `printable(_: Bytes)` shows it.
package func printable(_ text: String) -> String { printable(Bytes(text)) }

/// Bytes as one YAML scalar for a manifest: plain where no YAML reader could take it for something else, otherwise
/// double-quoted with escapes (YAML 1.2.2, section 5.7); nil when the bytes are not UTF-8.
package func yamlScalar(_ bytes: Bytes) -> String? {
    guard let text = bytes.text else { return nil }
    return isPlainInYAML(bytes.array) ? text : yamlQuoted(text)
}

private func isPlainInYAML(_ bytes: [UInt8]) -> Bool {
    let isSafe = bytes.allSatisfy { byte in
        byte.isASCIIAlphanumeric || [UInt8(ascii: "/"), 0x2E, 0x5F, 0x2B, 0x2D].contains(byte)
    }
    guard isSafe, let first = bytes.first else { return false }
    if first == UInt8(ascii: "/") { return true }
    if first == UInt8(ascii: "-") { return bytes.dropFirst().first?.isASCIILetter ?? false }
    let reserved = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
    return first.isASCIILetter && !reserved.contains { Array($0.utf8) == bytes.map(\.asciiLowerCased) }
}

private func yamlQuoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
        switch scalar.value {
        case 0x22, 0x5C: quoted += "\\" + String(scalar)
        case 0x20...0x7E: quoted.unicodeScalars.append(scalar)
        case 0...0xFF: quoted += "\\x" + padded(scalar.value, to: 2)
        case 0...0xFFFF: quoted += "\\u" + padded(scalar.value, to: 4)
        default: quoted += "\\U" + padded(scalar.value, to: 8)
        }
    }
    return quoted + "\""
}

private func padded(_ value: UInt32, to width: Int) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
}

/// Two lower-case hexadecimal digits.
func hexadecimal(_ byte: UInt8) -> String { padded(UInt32(byte), to: 2) }
