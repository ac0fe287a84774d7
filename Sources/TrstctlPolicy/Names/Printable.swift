package import TrstctlSystem

/// The bytes as a line of text: printable ASCII stays, everything else is escaped.
package func printable(_ bytes: Bytes, limit: Int = 512) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    for byte in bytes.array.prefix(limit) {
        if (0x20...0x7e).contains(byte), byte != 0x5c {
            text.append(byte)
        } else {
            text += [0x5c, 0x78, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
    }
    return String(decoding: text, as: UTF8.self)
}

/// A text as one line.
package func printable(_ text: String) -> String { printable(Bytes(text)) }
