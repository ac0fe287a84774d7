import Testing
import TrstctlPolicy
import TrstctlWire

@Suite("What is spoken before TLS")
struct StartTLSTests {
    @Test("Each word of the manifest is one of the protocol's, and back", arguments: StartTLS.allCases)
    func words(word: StartTLS) {
        #expect(StartTLS(word.message) == word)
        #expect("\(word.message)" == word.rawValue)
    }

    @Test("TLS from the first byte and unknown numbers are no word")
    func none() {
        #expect(StartTLS(.none) == nil)
        #expect(StartTLS(.unrecognized(99)) == nil)
        #expect(Set(StartTLS.allCases.map(\.message)).count == 6)
    }
}
