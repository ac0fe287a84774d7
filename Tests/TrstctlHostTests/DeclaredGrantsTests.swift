import Testing
import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

@testable import TrstctlHost

@Suite("What a connector declares")
struct DeclaredGrantsTests {
    private let described = [Wire.Capability.fsRead, .processExec].map {
        Wire.CapabilityReason(capability: $0, reason: "")
    }

    private func parse(_ grants: [Wire.Grant]) throws -> GrantSet {
        try DeclaredGrants.parse(grants, described: described)
    }

    @Test func `Without has_holes a brace is a brace, with it a hole`() throws {
        let words: [Bytes] = ["/x", "{int}"]
        let literal = try parse([Wire.Grant(capability: .processExec, values: words)])
        #expect(
            literal.exec.first?.covers(["/x", "{int}"]) == true && literal.exec.first?.covers(["/x", "7"]) == false)
        let form = try parse([Wire.Grant(capability: .processExec, values: words, hasHoles: true)])
        #expect(form.exec.first?.covers(["/x", "7"]) == true && form.exec.first?.covers(["/x", "{int}"]) == false)
        // The operator's hole approves the form, and the text only where it says so.
        let approved = try GrantSet.parse(exec: [["/x", "{int}"]])
        #expect(form.isSubset(of: approved) && !literal.isSubset(of: approved))
        #expect(literal.isSubset(of: try GrantSet.parse(exec: [["/x", "{{int}"]])))
        #expect(literal.yamlLines == ["process.exec: [[/x, \"{{int}\"]]"])
    }

    @Test(
        "A declaration that breaks the grammar, or was not described, is the connector's mistake",
        arguments: [
            Wire.Grant(capability: .processExec, values: ["/x", "{what}"], hasHoles: true),
            Wire.Grant(capability: .processExec, values: ["/x", "a{int}"], hasHoles: true),
            Wire.Grant(capability: .processExec, values: [], hasHoles: true),
            Wire.Grant(capability: .fsRead, values: ["/x"], hasHoles: true),
            Wire.Grant(capability: .fsRead, values: ["/x", "/y"]), Wire.Grant(capability: .fsWrite, values: ["/x"]),
        ])
    func refused(grant: Wire.Grant) {
        #expect(throws: ConfigError.self) { try parse([grant]) }
    }

    @Test(
        "A default of another type than its field is the connector's mistake",
        arguments: [
            (Wire.ConfigField.ValueType.string, Wire.ConfigValue.Kind.integer(1), false),
            (.string, .text("a"), true), (.integer, .text("1"), false), (.integer, .integer(1), true),
            (.boolean, .integer(1), false), (.boolean, .boolean(true), true),
            (.stringList, .text("a"), false), (.stringList, .list(Wire.StringList(values: ["a"])), true),
            (.path, .text("/a/b"), true), (.path, .text("a/b"), false), (.path, .text("/a/../b"), false),
            (.path, .boolean(true), false),
        ])
    func defaults(type: Wire.ConfigField.ValueType, kind: Wire.ConfigValue.Kind, isAccepted: Bool) throws {
        let target = Target(
            name: try #require(EntryName("t")), connector: try #require(ConnectorName("x")),
            credential: try #require(EntryName("c")), config: [])
        let field = Wire.ConfigField(name: "f", type: type, defaultValue: Wire.ConfigValue(kind: kind))
        let directory = try AbsolutePath("/srv")
        if isAccepted {
            let config = try ConfigResolution.resolve(target, schema: [field], directory: directory)
            #expect(config.entries.first?.value?.kind == kind)
        } else {
            let error = #expect(throws: ConfigError.self) {
                try ConfigResolution.resolve(target, schema: [field], directory: directory)
            }
            #expect(error?.description.contains("write the field yourself") == true)
        }
    }
}
