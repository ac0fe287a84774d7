import Testing
import TrstctlPolicy
import TrstctlSystem

@Suite("Names, digests, paths and addresses")
struct NamesTests {
    @Test(
        "A connector's name is 1 to 63 of a-z 0-9 - beginning with a letter",
        arguments: [
            ("nginx", true), ("a", true), ("f5-big-ip", true), (String(repeating: "a", count: 63), true),
            (String(repeating: "a", count: 64), false), ("", false), ("9x", false), ("-x", false), ("Nginx", false),
            ("a_b", false), ("a/b", false), ("..", false), ("a\n", false), ("a\0", false), ("a\u{1B}", false),
            ("é", false), ("a\u{301}", false), ("ａ", false),
        ])
    func connectorName(text: String, isValid: Bool) {
        #expect((ConnectorName(text) != nil) == isValid)
    }

    @Test func `The executable carries the name behind its prefix`() {
        #expect(ConnectorName("nginx")?.executableFileName == "trstctl-connector-nginx")
    }

    @Test(
        "An entry's name is 1 to 63 of a-z 0-9 . _ - beginning with a letter or digit",
        arguments: [
            ("edge.eu-1_a", true), ("1", true), (String(repeating: "a", count: 63), true),
            (String(repeating: "a", count: 64), false), (".a", false), ("-a", false), ("", false), ("A", false),
            ("a b", false), ("a/b", false), ("a\u{338}", false),
        ])
    func entryName(text: String, isValid: Bool) {
        #expect((EntryName(text) != nil) == isValid)
    }

    static let hex = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

    @Test func `A digest reads back as it was written and matches only itself`() throws {
        let digest = try SHA256Digest.parse(Self.hex)
        #expect(digest.hex == Self.hex)
        #expect(SHA256Digest(bytes: digest.bytes) == digest)
        #expect(SHA256Digest(bytes: Array(digest.bytes.dropLast())) == nil)
        #expect(SHA256Digest.ofNothing != nil)
        for index in digest.bytes.indices {
            var bytes = digest.bytes
            bytes[index] ^= 1
            let other = try #require(SHA256Digest(bytes: bytes))
            #expect(!digest.matches(other))
            #expect(digest != other)
        }
    }

    static let malformedPins: [(String, GrammarError.Code)] = [
        ("", .empty),
        (String(hex.dropLast()), .digestLength), (hex + "0", .digestLength), ("0123", .digestLength),
        (hex.uppercased(), .digestUpperCase),
        (hex + "  trstctl-connector-nginx", .digestPastedLine), (hex.uppercased() + " *x", .digestPastedLine),
        ("sha256:" + hex, .digestPrefix), ("0x" + hex, .digestPrefix),
        ("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", .digestBase64),
        (String(hex.dropLast()) + "g", .digestCharacters), (String(hex.dropLast()) + " ", .digestCharacters),
        ("٠" + hex.dropFirst(2), .digestCharacters),
    ]

    @Test(
        "A malformed pin is refused with what is wrong about it",
        arguments: malformedPins)
    func malformedPin(text: String, code: GrammarError.Code) {
        #expect(SHA256Digest(hex: text) == nil)
        let error = #expect(throws: GrammarError.self) { try SHA256Digest.parse(text) }
        #expect(error?.code == code)
    }

    static let badPaths: [(String, GrammarError.Code)] = [
        ("", .empty), ("etc/x", .notAbsolute), (".", .notAbsolute), ("~/x", .notAbsolute),
        ("$HOME/x", .notAbsolute), ("file:///etc", .notAbsolute), ("/etc/", .trailingSlash), ("//", .trailingSlash),
        ("//etc/x", .emptyComponent), ("/etc//x", .emptyComponent), ("/etc/./x", .dotComponent),
        ("/.", .dotComponent), ("/etc/../x", .dotDotComponent), ("/..", .dotDotComponent),
        ("/etc/x\0y", .containsNUL), ("/" + String(repeating: "a", count: 256), .componentTooLong),
        (String(repeating: "/a", count: 2048), .tooLong),
        // One Character each for `String`, but a `..` component for the kernel.
        ("/etc/nginx/../\u{338}x", .dotDotComponent), ("/etc/..\u{2F}\u{301}x", .dotDotComponent),
    ]

    @Test(
        "A path that is not in canonical form is refused",
        arguments: badPaths)
    func path(text: String, code: GrammarError.Code) {
        let error = #expect(throws: GrammarError.self) { try AbsolutePath(text) }
        #expect(error?.code == code)
    }

    @Test func `A canonical path knows its components, parent and leaf`() throws {
        let path = try AbsolutePath("/etc/nginx/a.pem")
        #expect(path.components == ["etc", "nginx", "a.pem"])
        #expect(path.leaf == "a.pem")
        #expect(path.parent == (try AbsolutePath("/etc/nginx")))
        #expect(try AbsolutePath("/etc").parent == .root)
        #expect(AbsolutePath.root.parent == nil)
        #expect(AbsolutePath.root.leaf == nil)
        #expect(try AbsolutePath("/") == .root)
        #expect(try AbsolutePath("/...").components == ["..."])
        let longest = "/" + String(repeating: "a", count: 255)
        #expect(try AbsolutePath(longest).leaf?.count == 255)
        #expect(try AbsolutePath(String(repeating: "/a", count: 2047) + "b").bytes.count == 4095)
    }

    @Test func `Paths are bytes: NFC and NFD spellings differ, and bytes that are not UTF-8 stay what they are`() throws
    {
        #expect(try AbsolutePath("/caf\u{E9}") != AbsolutePath("/cafe\u{301}"))
        let raw = try AbsolutePath(Bytes([0x2F, 0xFF, 0x61]))
        #expect(raw.components == [Bytes([0xFF, 0x61])])
        #expect(raw.description == "/\\xffa")
    }

    @Test func `What is shown has no control characters and no two byte sequences look alike`() {
        #expect(printable("a\u{1B}[2J\n") == "a\\x1b[2J\\x0a")
        #expect(printable("\\x1b") == "\\\\x1b")
        #expect(printable("é") == "\\xc3\\xa9")
        #expect(printable(Bytes([UInt8](repeating: 0x61, count: 600))).hasSuffix("… (600 bytes)"))
    }

    @Test(
        "YAML scalars are quoted wherever another reader could take them for something else",
        arguments: [
            ("/etc/x", "/etc/x"), ("-t", "-t"), ("reload", "reload"), ("127.0.0.1:443", "\"127.0.0.1:443\""),
            ("true", "\"true\""), ("No", "\"No\""), ("80", "\"80\""), ("-1", "\"-1\""), ("", "\"\""), ("~", "\"~\""),
            ("a b", "\"a b\""), ("a#b", "\"a#b\""), ("*.x:1", "\"*.x:1\""), ("a\"\\", "\"a\\\"\\\\\""),
            ("a\n", "\"a\\x0a\""), ("é", "\"\\xe9\""), ("\u{202E}", "\"\\u202e\""), ("😀", "\"\\U0001f600\""),
        ])
    func scalars(text: String, yaml: String) {
        #expect(yamlScalar(Bytes(text)) == yaml)
        #expect(yamlScalar(Bytes([0xFF])) == nil)
    }

    @Test(
        "An address has one spelling",
        arguments: [
            ("api.example.com:443", "api.example.com:443"), ("API.Example.com:443", "api.example.com:443"),
            ("127.0.0.1:1", "127.0.0.1:1"), ("[::1]:65535", "[::1]:65535"), ("localhost:80", "localhost:80"),
            ("xn--bcher-kva.example:443", "xn--bcher-kva.example:443"), ("[2001:db8::1]:443", "[2001:db8::1]:443"),
        ])
    func address(text: String, canonical: String) throws {
        #expect(try DialAddress(text).text == canonical)
        #expect(try DialAddress(DialAddress(text).text) == DialAddress(text))
    }

    static let badAddresses: [(String, GrammarError.Code)] = [
        ("api.example.com", .missingPort), ("127.0.0.1", .missingPort), ("", .missingPort),
        ("a:", .badPort), ("a:0", .badPort), ("a:65536", .badPort), ("a:0443", .badPort), ("a:+1", .badPort),
        ("a:-1", .badPort), ("a:1.0", .badPort), ("a:4e2", .badPort), ("a:99999999999999999999", .badPort),
        ("a:443@evil", .badPort), ("a:٤", .badPort), ("a: 1", .badPort),
        (":443", .empty), ("a..b:1", .badHost), (".a:1", .badHost), ("a.:1", .badHost), ("-a:1", .badHost),
        ("a-:1", .badHost), ("a_b:1", .badHost), ("a b:1", .badHost), ("user@a:1", .badHost), ("a%61:1", .badHost),
        ("a\0:1", .badHost), ("①②⑦.0.0.1:1", .badHost), ("b\u{FC}cher.example:1", .badHost), ("*:1", .badHost),
        ("a/b:1", .badHost), ("10.0.0.0/8:1", .badHost),
        (String(repeating: "a", count: 64) + ":1", .badHost),
        (String(repeating: "a.", count: 127) + "a:1", .tooLong),
        ("2130706433:1", .numericHost), ("0x7f000001:1", .numericHost), ("127.1:1", .numericHost),
        ("0177.0.0.1:1", .numericHost), ("127.0.0.01:1", .numericHost), ("0:1", .numericHost),
        ("0x7f.1:1", .numericHost), ("a.0x:1", .numericHost), ("256.0.0.1:1", .numericHost),
        ("1.2.3.4.5:1", .numericHost),
        ("::1:1", .badIPv6), ("[::1%lo]:1", .badIPv6), ("[0:0:0:0:0:0:0:1]:1", .badIPv6), ("[::01]:1", .badIPv6),
        ("[2001:DB8::1]:1", .badIPv6), ("[127.0.0.1]:1", .badIPv6), ("[]:1", .badHost), ("[::1:1", .badIPv6),
        ("[::ffff:7f00:1]:1", .badIPv6),
    ]

    @Test(
        "Every other spelling of an address is refused",
        arguments: badAddresses)
    func badAddress(text: String, code: GrammarError.Code) {
        let error = #expect(throws: GrammarError.self) { try DialAddress(text) }
        #expect(error?.code == code)
    }
}
