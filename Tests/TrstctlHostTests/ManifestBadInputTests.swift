import Testing
import TrstctlHost
import TrstctlPolicy

@Suite("Manifest: bad input")
struct ManifestBadInputTests {
    struct Case: CustomTestStringConvertible, Sendable {
        var text: String
        var code: ManifestError.Code
        var line: Int
        var column: Int
        var testDescription: String { "\(code) in \(text.prefix(60).debugDescription)" }

        init(_ text: String, _ code: ManifestError.Code, _ line: Int, _ column: Int) {
            self.text = text
            self.code = code
            self.line = line
            self.column = column
        }
    }

    static let pin = ManifestSample.pin

    static func plugin(_ sha256: String) -> String { "version: 1\nplugins:\n  nginx:\n    sha256: \(sha256)\n" }

    static func grants(_ grants: String) -> String { "version: 1\nplugins:\n  nginx:\n    grants:\n      \(grants)\n" }

    static func target(_ fields: String) -> String {
        "version: 1\ncredentials:\n  www: { certificate: a, key: b }\ntargets:\n  t:\n    connector: x\n"
            + "    credential: www\n    \(fields)\n"
    }

    static let whole: [Case] = [
        Case("# nothing\n", .empty, 1, 1), Case("\n\n", .empty, 1, 1),
        Case("version: 2\n", .unsupportedVersion, 1, 10), Case("version: \"1\"\n", .wrongType, 1, 10),
        Case("version: 1.0\n", .wrongType, 1, 10), Case("version:\n", .wrongType, 1, 9),
        Case("version: 01\n", .wrongType, 1, 10), Case("plugins: {}\n", .missingKey, 1, 1),
        Case("- version: 1\n", .wrongType, 1, 1), Case("version\n", .wrongType, 1, 1),
        Case("version: 1\nversion: 1\n", .duplicateKey, 2, 1),
        Case("version: 1\n\"\\u0076ersion\": 1\n", .duplicateKey, 2, 1),
        Case("version: 1\ntarget: {}\n", .unknownKey, 2, 1), Case("version: 1\nplugins:\n", .wrongType, 2, 9),
        Case("version: 1\nplugins: ~\n", .wrongType, 2, 10), Case("version: 1\nplugins: []\n", .wrongType, 2, 10),
        Case("version: 1\nplugins: &a {}\n", .unsupportedYAML, 2, 10),
        Case("version: 1\nplugins: *a\n", .unsupportedYAML, 2, 10),
        Case("version: 1\nplugins: !x {}\n", .unsupportedYAML, 2, 10),
        Case("version: !!int 1\n", .unsupportedYAML, 1, 10), Case("version: 1\n<<: {}\n", .unsupportedYAML, 2, 1),
        Case("version: 1\n? [a]\n: b\n", .unsupportedYAML, 2, 3), Case("version: 1\n~: b\n", .unsupportedYAML, 2, 1),
        Case("version: 1\n---\nversion: 1\n", .unsupportedYAML, 2, 1),
        Case("%YAML 1.1\n---\nversion: 1\n", .unsupportedYAML, 1, 1),
        Case("version: 1\nplugins: {\n", .syntax, 3, 1), Case("version: 1\n\tplugins: {}\n", .syntax, 2, 1),
        Case("version: 1\nplugins: \"a\n", .syntax, 3, 1), Case("a: b: c\n", .syntax, 1, 5),
        Case("version: 1\nplugins: \u{7}\n", .syntax, 2, 10),
    ]

    static let plugins: [Case] = [
        Case("version: 1\nplugins:\n  Nginx: {}\n", .badName, 3, 3),
        Case("version: 1\nplugins:\n  ../x: {}\n", .badName, 3, 3),
        Case("version: 1\nplugins:\n  a: {}\n  a: {}\n", .duplicateKey, 4, 3),
        Case("version: 1\nplugins:\n  a: {}\n  'a': {}\n", .duplicateKey, 4, 3),
        Case("version: 1\nplugins:\n  a:\n", .wrongType, 3, 5),
        Case("version: 1\nplugins: { a: { sha265: [] } }\n", .unknownKey, 2, 17),
        Case(plugin("\"\(pin)\""), .wrongType, 4, 13), Case(plugin(""), .wrongType, 4, 12),
        Case(plugin("[\"\(pin.dropLast())\"]"), .badPin, 4, 14), Case(plugin("[\"\(pin)0\"]"), .badPin, 4, 14),
        Case(plugin("[\"\(pin.uppercased())\"]"), .badPin, 4, 14), Case(plugin("[\"sha256:\(pin)\"]"), .badPin, 4, 14),
        Case(plugin("[\"\(pin)  trstctl-connector-nginx\"]"), .badPin, 4, 14), Case(plugin("[\"\"]"), .badPin, 4, 14),
        Case(plugin("[\"\(pin)\", \"\(pin)\"]"), .badPin, 4, 82), Case(plugin("[null]"), .wrongType, 4, 14),
        Case(plugin("[[\"\(pin)\"]]"), .wrongType, 4, 14),
        Case(
            plugin("[e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855]"), .badPin, 4, 14),
        Case(plugin("[" + String(repeating: "a, ", count: 17) + "]"), .tooMany, 4, 13),
        Case(grants("fs.write: /etc/x"), .wrongType, 5, 17), Case(grants("fs.write: null"), .wrongType, 5, 17),
        Case(grants("fs.wirte: []"), .unknownKey, 5, 7), Case(grants("fs.write: [/]"), .badGrant, 5, 18),
        Case(grants("fs.write: [/a, /etc/../x]"), .badGrant, 5, 22), Case(grants("fs.write: [../x]"), .badGrant, 5, 18),
        Case(grants("fs.read: [./x]"), .badGrant, 5, 17), Case(grants("fs.read: [\"\"]"), .badGrant, 5, 17),
        Case(grants("fs.read: [\"/a\\0b\"]"), .badGrant, 5, 17),
        Case(grants("net.dial: [\"*:443\"]"), .badGrant, 5, 18),
        Case(grants("net.dial: [\"127.1:443\"]"), .badGrant, 5, 18), Case(grants("net.dial: [443]"), .badGrant, 5, 18),
        Case(grants("process.exec: [/usr/sbin/nginx]"), .wrongType, 5, 22),
        Case(grants("process.exec: [[]]"), .badGrant, 5, 22), Case(grants("process.exec: [[nginx]]"), .badGrant, 5, 22),
        Case(grants("process.exec: [[/x, ~]]"), .wrongType, 5, 27),
        Case(grants("fs.read: [" + String(repeating: "/a, ", count: 257) + "]"), .tooMany, 5, 16),
    ]

    static let targets: [Case] = [
        Case("version: 1\ncredentials:\n  www: { certificate: a }\n", .missingKey, 3, 3),
        Case("version: 1\ncredentials:\n  www: { key: a }\n", .missingKey, 3, 3),
        Case("version: 1\ncredentials:\n  WWW: { certificate: a, key: b }\n", .badName, 3, 3),
        Case("version: 1\ncredentials:\n  www: { certificate: \"\", key: b }\n", .badPath, 3, 23),
        Case("version: 1\ncredentials:\n  www: { certificate: a/, key: b }\n", .badPath, 3, 23),
        Case("version: 1\ncredentials:\n  www: { certificate: [a], key: b }\n", .wrongType, 3, 23),
        Case("version: 1\ncredentials:\n  www: { cert: a, key: b }\n", .unknownKey, 3, 10),
        Case("version: 1\ntargets:\n  t: { credential: c }\n", .missingKey, 3, 3),
        Case("version: 1\ntargets:\n  t: { connector: c }\n", .missingKey, 3, 3),
        Case("version: 1\ntargets:\n  t: { connector: c, credential: www }\n", .unknownReference, 3, 34),
        Case("version: 1\ntargets:\n  t: { connector: C, credential: www }\n", .badName, 3, 19),
        Case("version: 1\ntargets:\n  t: { connector: c, credential: W W }\n", .badName, 3, 34),
        Case(target("\n  t: {}"), .duplicateKey, 9, 3), Case(target("proof: {}"), .unknownKey, 8, 5),
        Case(target("config: []"), .wrongType, 8, 13), Case(target("config: { a: {} }"), .wrongType, 8, 18),
        Case(target("config: { a: ~ }"), .wrongType, 8, 18), Case(target("config: { a: yes }"), .wrongType, 8, 18),
        Case(target("config: { a: True }"), .wrongType, 8, 18),
        Case(target("config: { a: [[b]] }"), .wrongType, 8, 19),
        Case(target("config: { a: 9223372036854775808 }"), .outOfRange, 8, 18),
        Case(target("config: { 1a: b }"), .badName, 8, 15),
        Case(target("config: { a: b, a: c }"), .duplicateKey, 8, 21),
        Case(target("layout: versions"), .wrongType, 8, 13),
        Case(target("layout: [versioned]"), .wrongType, 8, 13),
        Case(target("layout: true"), .wrongType, 8, 13),
        Case(target("probe: {}"), .missingKey, 8, 5),
        Case(target("probe: { address: \"a:1\", start_tls: smpt }"), .outOfRange, 8, 41),
        Case(target("proxy: {}"), .missingKey, 8, 5),
        Case(target("proxy: { address: \"http://a:1\" }"), .badAddress, 8, 23),
        Case(target("proxy: { address: \"a:1\", user: u }"), .missingKey, 8, 5),
        Case(target("proxy: { address: \"a:1\", password: { env: A } }"), .missingKey, 8, 5),
        Case(target("proxy: { address: \"a:1\", user: \"u:v\", password: { env: A } }"), .badName, 8, 36),
        Case(target("proxy: { address: \"a:1\", user: u, password: secret }"), .wrongType, 8, 49),
        Case(target("probe: { address: \"127.0.0.1\" }"), .badAddress, 8, 23),
        Case(target("probe: { address: \"a:1\", server_name: 127.1 }"), .badAddress, 8, 43),
        Case(target("probe: { address: \"a:1\", timeout: 0 }"), .outOfRange, 8, 39),
        Case(target("probe: { address: \"a:1\", timeout: 301 }"), .outOfRange, 8, 39),
        Case(target("probe: { address: \"a:1\", timeout: 1.5 }"), .wrongType, 8, 39),
        Case(target("probe: { address: \"a:1\", timeout: \"5\" }"), .wrongType, 8, 39),
        Case(target("probe: { address: \"a:1\", server-name: b }"), .unknownKey, 8, 30),
    ]

    @Test("Each fault has its code, line and column", arguments: whole + plugins + targets)
    func fault(_ bad: Case) throws {
        let error = try #require(ManifestSample.error(bad.text))
        #expect(error.code == bad.code, "\(error)")
        #expect(error.line == bad.line && error.column == bad.column, "\(error)")
        #expect(!error.message.isEmpty && !error.nextStep.isEmpty)
        #expect(error.description.hasPrefix("trstctl.yaml:\(bad.line):\(bad.column): "))
    }

    @Test func `What is not a text is refused before it is read as YAML`() {
        let body = Array("version: 1\n".utf8)
        #expect(ManifestSample.error([])?.code == .empty)
        #expect(ManifestSample.error([0xEF, 0xBB, 0xBF] + body)?.code == .byteOrderMark)
        #expect(ManifestSample.error([0xFF, 0xFE] + body)?.code == .notUTF8)
        let nul = ManifestSample.error(body + [0x61, 0, 0x62])
        #expect(nul?.code == .containsNUL && nul?.line == 2 && nul?.column == 2)
        let invalid = ManifestSample.error(body + Array("é".utf8) + [0x61, 0xFF])
        #expect(invalid?.code == .notUTF8 && invalid?.line == 2 && invalid?.column == 3)
        #expect(ManifestSample.error(body + [0xED, 0xA0, 0x80])?.code == .notUTF8)
        #expect(ManifestSample.error([UInt8](repeating: 0x23, count: (1 << 20) + 1))?.code == .tooLarge)
        #expect(ManifestSample.error([UInt8](repeating: 0x23, count: 1 << 20))?.code == .empty)
    }

    @Test func `Mistyped keys and names come with what was probably meant`() {
        #expect(ManifestSample.error("version: 1\ntarget: {}\n")?.nextStep == "did you mean \"targets\"?")
        #expect(ManifestSample.error(Self.grants("fs.wirte: []"))?.nextStep == "did you mean \"fs.write\"?")
        #expect(ManifestSample.error(Self.grants("zzz: []"))?.nextStep.contains("did you mean") == false)
        let text =
            "version: 1\ncredentials: {www: {certificate: a, key: b}}\ntargets: {t: {connector: c, credential: ww}}"
        #expect(ManifestSample.error(text)?.nextStep == "did you mean \"www\"?")
        #expect(ManifestSample.error(Self.plugin("[x]"))?.nextStep == "run: trstctl plugin pin nginx")
        #expect(ManifestSample.error("version: 1\nversion: 1\n")?.message.contains("first on line 1") == true)
    }

    @Test func `Nesting is bounded at sixteen levels`() {
        func nested(_ depth: Int, _ open: String, _ close: String) -> String {
            "version: 1\nplugins: " + String(repeating: open, count: depth) + String(repeating: close, count: depth)
        }
        #expect(ManifestSample.error(nested(15, "[", "]"))?.code == .wrongType)
        #expect(ManifestSample.error(nested(16, "[", "]"))?.code == .tooDeep)
        #expect(ManifestSample.error(nested(16, "[", "]"))?.column == 25)
        for depth in [17, 513, 200_000] {
            #expect(ManifestSample.error(nested(depth, "[", "]"))?.code == .tooDeep)
            #expect(ManifestSample.error(nested(depth, "{a: ", "}"))?.code == .tooDeep)
            #expect(
                ManifestSample.error("version: 1\nplugins:\n" + String(repeating: "- ", count: depth))?.code == .tooDeep
            )
            #expect(ManifestSample.error(String(repeating: "? ", count: depth))?.code == .unsupportedYAML)
        }
    }

    @Test func `Bombs of aliases, of keys and of errors end with an error`() {
        let laughs = (1...20).map { "a\($0): &a\($0) [*a\($0 - 1), *a\($0 - 1), *a\($0 - 1)]" }.joined(separator: "\n")
        #expect(ManifestSample.error("version: 1\na0: &a0 x\n\(laughs)\n")?.code == .unsupportedYAML)
        let keys = "version: 1\n? [*a, *a]\n: b\n"
        #expect(ManifestSample.error(keys)?.code == .unsupportedYAML)
        let wide = (0..<60_000).map { "k\($0): 1" }.joined(separator: "\n")
        #expect(ManifestSample.error("version: 1\n\(wide)")?.code == .unknownKey)
        let long = "version: 1\n" + String(repeating: "k", count: 500_000) + ": 1\n"
        #expect((ManifestSample.error(long)?.message.utf8.count ?? .max) < 2000)
        let plugins = (0..<10_001).map { "p\($0): {}" }.joined(separator: ", ")
        #expect(ManifestSample.error("version: 1\nplugins: {\(plugins)}")?.code == .tooMany)
    }

    @Test func `An error never carries control characters of the file`() {
        let error = ManifestSample.error("version: 1\n\"\\e[2Jx\": 1\n")
        #expect(error?.message.contains("\\x1b[2Jx") == true)
        #expect(error?.description.utf8.contains(0x1B) == false)
    }

    @Test func `Cut anywhere, and with any byte replaced, the text gives a manifest or an error`() {
        let text = Array(ManifestSample.complete.utf8)
        for index in text.indices {
            _ = ManifestSample.error(Array(text[..<index]))
            for byte: UInt8 in [0x00, 0x0A, 0x22, 0x26, 0x2D, 0x3A, 0x5B, 0x7B, 0x7D, 0x80, 0xFF] {
                var changed = text
                changed[index] = byte
                _ = ManifestSample.error(changed)
            }
        }
    }
}
