import Testing
import TrstctlHost
import TrstctlPolicy
import TrstctlSystem

@Suite("Manifest: pinning without disturbing the file")
struct ManifestEditorTests {
    static let old = ManifestSample.pin
    static let new = String(repeating: "ab", count: 32)

    static let grants = GrantLists(
        read: ["/etc/nginx/tls/"], write: ["/etc/nginx/tls/"], dial: ["127.0.0.1:443"],
        exec: [["/usr/sbin/nginx", "-t"], ["/usr/sbin/nginx", "-s", "reload"]])

    struct GrantLists: Sendable {
        var read: [String] = []
        var write: [String] = []
        var dial: [String] = []
        var exec: [[String]] = []
    }

    func edit(
        _ text: String, _ name: String = "nginx", grants: GrantLists? = ManifestEditorTests.grants,
        isAdding: Bool = false
    ) throws -> ManifestEdit {
        let change = PinChange(
            connector: try #require(ConnectorName(name)), digest: try #require(SHA256Digest(hex: Self.new)),
            grants: try grants.map { try GrantSet.parse(read: $0.read, write: $0.write, dial: $0.dial, exec: $0.exec) },
            isAdding: isAdding)
        return try ManifestEditor.pin(
            change, in: Array(text.utf8), directory: AbsolutePath("/srv/op"), file: "trstctl.yaml")
    }

    func edited(
        _ text: String, _ name: String = "nginx", grants: GrantLists? = ManifestEditorTests.grants,
        isAdding: Bool = false
    ) throws -> String {
        String(decoding: try edit(text, name, grants: grants, isAdding: isAdding).text, as: UTF8.self)
    }

    func replacing(_ text: String, _ from: String, _ to: String) -> String {
        guard let range = text.utf8.firstRange(of: from.utf8) else { return text }
        return String(text[..<range.lowerBound]) + to + String(text[range.upperBound...])
    }

    @Test func `A new digest changes 64 characters and nothing else`() throws {
        let text = ManifestSample.complete
        #expect(try edited(text) == replacing(text, Self.old, Self.new))
        #expect(try edited(text, grants: nil) == replacing(text, Self.old, Self.new))
        let edit = try edit(text)
        #expect(edit.before?.pins.map(\.hex) == [Self.old] && edit.after.pins.map(\.hex) == [Self.new])
        #expect(edit.droppedComments.isEmpty)
    }

    @Test func `Pinning what is pinned changes no byte`() throws {
        let text = replacing(ManifestSample.complete, Self.old, Self.new)
        #expect(try edited(text) == text)
        #expect(try edited(text, isAdding: true) == text)
        var grants = Self.grants
        grants.exec.reverse()
        #expect(try edited(text, grants: grants) == text)
    }

    @Test func `Adding keeps the pins that are there`() throws {
        let text = ManifestSample.complete
        #expect(
            try edited(text, isAdding: true)
                == replacing(text, "[\"\(Self.old)\"]", "[\"\(Self.old)\", \"\(Self.new)\"]"))
    }

    @Test func `A changed list is replaced alone, with its comment behind it kept`() throws {
        var grants = Self.grants
        grants.dial = ["10.0.0.1:443", "*.example.com:8443"]
        let expected = replacing(
            replacing(ManifestSample.complete, Self.old, Self.new), "[\"127.0.0.1:443\"]",
            "[\"10.0.0.1:443\", \"*.example.com:8443\"]")
        #expect(try edited(ManifestSample.complete, grants: grants) == expected)
    }

    @Test func `Block lists stay block lists, and comments lost inside one are named`() throws {
        let text = """
            version: 1
            plugins:
                nginx:
                    # which builds
                    sha256:
                        - "\(Self.old)" # amd64
                        # an older one
                        - "\(String(repeating: "c", count: 64))" # arm64
                    grants:
                        # why
                        fs.read:
                        - /etc/nginx/tls/   # certificates
                        process.exec:
                        - [/usr/sbin/nginx, -t]
                    # end
            # trailer
            targets: {}
            """
        let expected = """
            version: 1
            plugins:
                nginx:
                    # which builds
                    sha256:
                        - "\(Self.new)" # arm64
                    grants:
                        # why
                        fs.read:
                        - /etc/nginx/tls/   # certificates
                        process.exec:
                        - [/usr/sbin/nginx, -t]
                        - [/usr/sbin/nginx, -s, reload]
                        fs.write: [/etc/nginx/tls/]
                        net.dial: ["127.0.0.1:443"]
                    # end
            # trailer
            targets: {}
            """
        #expect(try edited(text) == expected)
        #expect(try edit(text).droppedComments == ["# amd64", "# an older one"])
    }

    @Test func `Missing parts are inserted where they belong, in the file's own indentation`() throws {
        let lines = [
            "sha256: [\"\(Self.new)\"]", "grants:", "  fs.read: [/etc/nginx/tls/]", "  fs.write: [/etc/nginx/tls/]",
            "  net.dial: [\"127.0.0.1:443\"]",
            "  process.exec: [[/usr/sbin/nginx, -t], [/usr/sbin/nginx, -s, reload]]",
        ]
        func block(_ indentation: Int, from: Int = 0) -> String {
            lines[from...].map { String(repeating: " ", count: indentation) + $0 + "\n" }.joined()
        }
        // No plugins at all: behind the version, whatever stands there.
        #expect(
            try edited("# c\nversion: 1 # v\n\n# t\ntargets: {}\n")
                == "# c\nversion: 1 # v\nplugins:\n  nginx:\n\(block(4))\n# t\ntargets: {}\n")
        #expect(
            try edited("version: 1") == "version: 1\nplugins:\n  nginx:\n\(block(4).dropLast())")
        #expect(
            try edited("---\nversion: 1\n...\n") == "---\nversion: 1\nplugins:\n  nginx:\n\(block(4))...\n")
        // Another plugin is there.
        #expect(
            try edited("version: 1\nplugins:\n  a:\n    sha256: [] # none\n\n# t\ntargets: {}\n")
                == "version: 1\nplugins:\n  a:\n    sha256: [] # none\n  nginx:\n\(block(4))\n# t\ntargets: {}\n")
        // Empty braces.
        #expect(
            try edited("version: 1\nplugins: {}   # later\ntargets: {}\n")
                == "version: 1\nplugins:\n  nginx:\n\(block(4).dropLast())   # later\ntargets: {}\n")
        #expect(
            try edited("version: 1\nplugins:\n  nginx: {}\n")
                == "version: 1\nplugins:\n  nginx:\n\(block(4))")
        // One of the two keys.
        #expect(
            try edited("version: 1\nplugins:\n  nginx:\n    sha256: [\"\(Self.old)\"] # x\n")
                == "version: 1\nplugins:\n  nginx:\n    sha256: [\"\(Self.new)\"] # x\n\(block(4, from: 1))")
        #expect(
            try edited("version: 1\nplugins:\n  nginx:\n    grants: { fs.read: [/etc/nginx/tls/] }\n", grants: nil)
                == "version: 1\nplugins:\n  nginx:\n    \(lines[0])\n    grants: { fs.read: [/etc/nginx/tls/] }\n")
        #expect(
            try edited("version: 1\nplugins:\n  nginx:\n    # g\n    grants: {}\n    sha256: []\n")
                == "version: 1\nplugins:\n  nginx:\n    # g\n    grants:\n"
                + block(4, from: 2) + "    sha256: [\"\(Self.new)\"]\n")
    }

    @Test func `Grants in braces stay on their line; withdrawn grants become empty lists`() throws {
        let text = "version: 1\nplugins:\n  nginx:\n    grants: { fs.read: [/a] }\n    sha256: []\n"
        #expect(
            try edited(text, grants: GrantLists(read: ["/b"], dial: ["a:1"]))
                == "version: 1\nplugins:\n  nginx:\n    grants: { fs.read: [/b], net.dial: [\"a:1\"] }\n"
                + "    sha256: [\"\(Self.new)\"]\n")
        let none = try edited(ManifestSample.complete, grants: GrantLists())
        #expect(try ManifestSample.parse(none).plugins.first?.grants.isEmpty == true)
        #expect(none.utf8.count < ManifestSample.complete.utf8.count)
    }

    @Test func `Windows line ends, wide characters and relative grants survive`() throws {
        let text =
            "version: 1\r\n# caf\u{E9} \u{1F600}\r\nplugins:\r\n  nginx:\r\n    sha256: [\"\(Self.old)\"] # \u{E9}\r\n"
        let expected = replacing(text, Self.old, Self.new) + "    grants:\r\n      fs.read: [/srv/op/x]\r\n"
        #expect(try edited(text, grants: GrantLists(read: ["/srv/op/x"])) == expected)
        let relative =
            "version: 1\nplugins:\n  nginx:\n    grants:\n      fs.read: [x] # here\n    sha256: [\"\(Self.old)\"]\n"
        #expect(
            try edited(relative, grants: GrantLists(read: ["/srv/op/x"])) == replacing(relative, Self.old, Self.new))
    }

    @Test(
        "A style that cannot be changed safely is refused with the lines to paste",
        arguments: [
            "{ version: 1 }", "version: 1\nplugins: { a: {} }\n",
            "version: 1\nplugins:\n  nginx: { sha256: [] }\n",
            "version: 1\nplugins: { nginx: { sha256: [] } }\n",
        ])
    func refusal(text: String) throws {
        let error = try #require(throws: ManifestError.self) { try edit(text) }
        #expect(error.code == .notEditable)
        #expect(error.nextStep.contains("    plugins:\n      nginx:\n        sha256: [\"\(Self.new)\"]\n"))
        #expect(error.nextStep.contains("          fs.write: [/etc/nginx/tls/]"))
    }

    @Test func `Odd but valid YAML is either changed rightly or refused`() throws {
        let texts = [
            "version: 1\nplugins:\n  ? nginx\n  :\n    sha256: []\n",
            "version: 1\nplugins:\n  \"nginx\" :\n    sha256:\n    - |-\n      \(Self.old)\n",
            "version: 1\nplugins:\n  nginx:\n    grants:\n      fs.read:\n      - >-\n        /a\n      fs.write: []\n",
            "version: 1\nplugins:\n  nginx:\n    sha256:\n      [\n      # c\n      ]\n",
            "plugins:\n  nginx:\n    sha256:\n      []\nversion: 1\n", "version:\n  1\ntargets: {}\n",
            "version: 1\nplugins:\n  nginx:\n    grants:\n      fs.read:\n      - /a\n    sha256: []\n",
        ]
        for text in texts {
            for grants in [nil, Self.grants, GrantLists()] {
                do {
                    let result = try edited(text, grants: grants)
                    let plugin = try #require(try ManifestSample.parse(result).plugins.first)
                    #expect(plugin.pins.map(\.hex) == [Self.new], "\(result)")
                } catch let error as ManifestError {
                    #expect(error.code == .notEditable, "\(error)")
                }
            }
        }
    }

    @Test func `A file that is not a manifest is not edited`() {
        #expect(throws: ManifestError.self) { try edit("version: 2\n") }
        #expect(throws: ManifestError.self) { try edit("version: 1\nplugins:\n  nginx:\n    sha256: [~]\n") }
    }

    @Test func `A text that is no pin is replaced, and that of another connector stays`() throws {
        let text = "version: 1\nplugins:\n  nginx:\n    sha256: [x]\n  other:\n    sha256: [X]\n"
        for isAdding in [false, true] {
            let change = PinChange(
                connector: try #require(ConnectorName("nginx")), digest: try #require(SHA256Digest(hex: Self.new)),
                grants: nil, isAdding: isAdding)
            let edit = try ManifestEditor.pin(change, in: Array(text.utf8), directory: .root, file: "trstctl.yaml")
            let expected = text.replacing("[x]", with: "[\"\(Self.new)\"]")
            #expect(String(decoding: edit.text, as: UTF8.self) == expected)
        }
    }

    @Test func `A rule that cannot stand in a manifest is not left out silently`() throws {
        let change = PinChange(
            connector: try #require(ConnectorName("nginx")), digest: try #require(SHA256Digest(hex: Self.new)),
            grants: GrantSet(exec: [try ExecGrant(argv: ["/usr/sbin/nginx", Bytes([0xFF])])]))
        let error = #expect(throws: ManifestError.self) {
            try ManifestEditor.pin(
                change, in: Array(ManifestSample.complete.utf8), directory: AbsolutePath("/srv/op"),
                file: "trstctl.yaml")
        }
        #expect(error?.code == .notEditable)
    }

    @Test func `Seventeen pins are too many to write`() throws {
        let pins = (0..<16).map { "\"\(String(repeating: "0", count: 62))\($0 < 10 ? "0\($0)" : "\($0)")\"" }
        let text = "version: 1\nplugins:\n  nginx:\n    sha256: [\(pins.joined(separator: ", "))]\n"
        let error = #expect(throws: ManifestError.self) { try edit(text, grants: nil, isAdding: true) }
        #expect(error?.code == .notEditable)
    }
}
