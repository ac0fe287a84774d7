import Testing
import TrstctlSystem

@Suite("Classes of ASCII characters")
struct ASCIITests {
    @Test("They are these characters and no other byte")
    func classes() {
        let digits = "0123456789"
        let lower = "abcdefghijklmnopqrstuvwxyz"
        let upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
        func characters(_ isMember: (UInt8) -> Bool) -> String {
            String(decoding: (UInt8.min...UInt8.max).filter(isMember), as: UTF8.self)
        }
        #expect(characters(\.isASCIIDigit) == digits)
        #expect(characters(\.isASCIILowerLetter) == lower)
        #expect(characters(\.isASCIILetter) == upper + lower)
        #expect(characters(\.isASCIIAlphanumeric) == digits + upper + lower)
        #expect(characters(\.isASCIILowerHexadecimal) == digits + "abcdef")
        #expect(characters { $0.asciiLowerCased != $0 } == upper)
        #expect(upper.utf8.map(\.asciiLowerCased) == Array(lower.utf8))
    }
}
