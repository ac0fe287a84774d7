import TrstctlHost
import TrstctlPolicy
import TrstctlSystem

enum ManifestFuzz {
    private static let digest = SHA256Digest(hex: String(repeating: "0123456789abcdef", count: 4))

    static func run(_ input: [UInt8]) throws(Violation) {
        guard let directory = try? AbsolutePath("/etc/trstctl"), let file = try? AbsolutePath("/etc/trstctl/m.yaml"),
            let name = ConnectorName("nginx"), let digest
        else { throw Violation(text: "the entry itself is wrong") }
        guard let manifest = parse(input, directory) else { return }
        try expect(parse(input, directory) == manifest, "read twice, it is two manifests")
        let context = LintContext(manifest: [file], directory: directory, pluginDirectories: [directory])
        for finding in Lint.findings(in: manifest, context) {
            try expect(finding.sentence.utf8.allSatisfy { (0x20...0x7E).contains($0) }, "a finding that is no line")
        }
        let grants = try? GrantSet.parse(read: ["/etc/nginx/"], dial: ["127.0.0.1:443"], exec: [["/bin/true", "-x"]])
        for isAdding in [false, true] {
            let change = PinChange(connector: name, digest: digest, grants: grants, isAdding: isAdding)
            guard let edit = try? ManifestEditor.pin(change, in: input, directory: directory, file: "m") else {
                continue
            }
            let pins = parse(edit.text, directory)?.plugin(name)?.pins ?? []
            try expect(pins.contains(digest), "an edit that did not pin")
            try expect(isAdding || pins.count == 1, "an edit that left other pins")
        }
    }

    private static func parse(_ text: [UInt8], _ directory: AbsolutePath) -> Manifest? {
        try? ManifestParser.parse(text, directory: directory, file: "m.yaml")
    }
}

enum AuditFuzz {
    static func run(_ input: [UInt8]) throws(Violation) {
        var scan = AuditScan(AuditQuery(target: input.count % 2 == 0 ? "one" : nil, last: 4))
        scan.add(input)
        let result = scan.result
        try expect(result.records.count <= 4, "more records than were asked for")
        let lines = input.split(separator: 0x0A).count
        try expect(result.damagedLines <= lines, "more damaged lines than lines")
    }
}
