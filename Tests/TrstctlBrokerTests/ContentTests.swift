import Testing
import TrstctlSystem
import TrstctlWire

@testable import TrstctlBroker

@Suite("Content from segments")
struct ContentTests {
    let secrets = SecretSource([
        (name: "key", bytes: Bytes(Array("K3Y".utf8), isSecret: true)), (name: "certificate", bytes: Bytes("CERT")),
    ])

    @Test("Segments are joined in order; one secret makes the whole secret")
    func joins() throws {
        let content = try secrets.assemble(
            [.text("a"), .secret("certificate"), .secret("key"), .text("")], limit: 100, field: "content")
        #expect(content.text == "aCERTK3Y")
        #expect(content.isSecret)
        let open = try secrets.assemble([.text("a"), .secret("certificate")], limit: 100, field: "content")
        #expect(open.text == "aCERT" && !open.isSecret)
        #expect(try secrets.assemble([], limit: 100, field: "content").isEmpty)
    }

    @Test(
        "Base64 as RFC 4648 section 10 has it, as secret as its source",
        arguments: [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ])
    func encodes(plain: String, encoded: String) {
        #expect(base64(Bytes(plain)).text == encoded)
    }

    @Test("Every byte value survives base64")
    func allBytes() {
        let encoded = base64(Bytes(Array(UInt8.min...UInt8.max), isSecret: true))
        #expect(encoded.isSecret)
        #expect(encoded.count == 344)
        #expect(encoded.text?.hasPrefix("AAECAwQF") == true)
        #expect(encoded.text?.hasSuffix("/P3+/w==") == true)
    }

    @Test("An unknown name says which names there are")
    func unknownName() {
        let error = #expect(throws: EffectError.self) {
            try secrets.assemble([.secret("kee")], limit: 100, field: "content")
        }
        #expect(error?.status.code == .invalidArgument)
        #expect(error?.message.contains("key, certificate") == true)
    }

    @Test("A form that v1 lacks, and a segment of no kind, are INVALID_ARGUMENT")
    func forms() {
        let error = #expect(throws: EffectError.self) {
            try secrets.assemble([.secret("key", .unrecognized(99))], limit: 100, field: "content")
        }
        #expect(error?.status.code == .invalidArgument)
        let empty = #expect(throws: EffectError.self) {
            try secrets.assemble([Wire.Segment()], limit: 100, field: "content")
        }
        #expect(empty?.status.code == .invalidArgument)
    }

    @Test("The limit counts after the references are resolved, before anything is copied")
    func limit() throws {
        #expect(try secrets.assemble([.secret("key", .base64), .text("x")], limit: 5, field: "content").count == 5)
        let error = #expect(throws: EffectError.self) {
            try secrets.assemble(Array(repeating: .secret("key"), count: 1_000_000), limit: 5, field: "content")
        }
        #expect(error?.status.code == .resourceExhausted)
        #expect(throws: EffectError.self) { try secrets.assemble([.secret("certificate")], limit: 3, field: "stdin") }
    }

    @Test("A buffer grows to its limit and never beyond")
    func buffer() {
        var buffer = WipedBuffer(capacity: 1, limit: 5)
        let results = [buffer.append(Bytes("abc")), buffer.append(Bytes("def")), buffer.append(Bytes("de"))]
        let beyond = buffer.append { _ in 1 }
        let text = buffer.bytes(isSecret: false).text
        #expect(results == [true, false, true])
        #expect(beyond == nil)
        #expect(text == "abcde")
    }
}
