/// Classes of ASCII characters: of bytes, because grammars that security depends on are read as bytes, and a
/// `Character` is a letter or a digit in many scripts.
extension UInt8 {
    /// `0` to `9`.
    package var isASCIIDigit: Bool { (0x30...0x39).contains(self) }

    /// `a` to `z`.
    package var isASCIILowerLetter: Bool { (0x61...0x7A).contains(self) }

    /// `a` to `z` and `A` to `Z`.
    package var isASCIILetter: Bool { isASCIILowerLetter || (0x41...0x5A).contains(self) }

    /// A letter or a digit.
    package var isASCIIAlphanumeric: Bool { isASCIILetter || isASCIIDigit }

    /// `0` to `9` and `a` to `f`.
    package var isASCIILowerHexadecimal: Bool { isASCIIDigit || (0x61...0x66).contains(self) }

    /// The small letter of a capital one; other bytes as they are.
    package var asciiLowerCased: UInt8 { (0x41...0x5A).contains(self) ? self | 0x20 : self }
}
