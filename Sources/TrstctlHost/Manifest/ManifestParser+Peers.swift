import TrstctlPolicy
import TrstctlSystem

/// Where a target is probed, and what its requests go through.
extension ManifestParser {
    /// `probe:` of a target.
    static func probe(
        _ entry: YAMLNode.Entry, _ what: String, _ scope: ManifestScope
    ) throws(ManifestError) -> Probe {
        let fields = try scope.mapping(entry.value, what, keys: ["address", "server_name", "start_tls", "timeout"])
        guard let field = fields["address"] else { throw scope.missing("address", in: what, at: entry.keyStart) }
        let address = try parsed(field.value, "\(what).address", scope) { (text) throws(GrammarError) in
            try DialAddress(text)
        }
        var probe = Probe(address: address, serverName: nil)
        if let name = fields["server_name"] {
            probe.serverName = try parsed(name.value, "\(what).server_name", scope) { (text) throws(GrammarError) in
                try DNSName(text)
            }
        } else if case .name(let name) = address.host {
            probe.serverName = name
        }
        if let startTLS = fields["start_tls"] {
            let word = try scope.text(startTLS.value, "\(what).start_tls")
            probe.startTLS = StartTLS(rawValue: word)
            guard probe.startTLS != nil else {
                let known = StartTLS.allCases.map(\.rawValue)
                let meant = suggestion(for: Array(word.utf8), among: known)
                throw scope.error(
                    .outOfRange, at: startTLS.value.start,
                    "expected one of \(known.joined(separator: ", ")) as \(what).start_tls, found \"\(printable(word))\"",
                    nextStep: meant.map { "did you mean \"\($0)\"?" } ?? "leave it out for TLS from the first byte")
            }
        }
        if let timeout = fields["timeout"] {
            probe.timeout = try scope.integer(timeout.value, "\(what).timeout (seconds)", in: Probe.timeoutBounds)
        }
        return probe
    }

    /// `proxy:` of a target.
    static func proxy(
        _ entry: YAMLNode.Entry, _ what: String, _ scope: ManifestScope
    ) throws(ManifestError) -> Proxy {
        let fields = try scope.mapping(entry.value, what, keys: ["address", "user", "password"])
        guard let field = fields["address"] else { throw scope.missing("address", in: what, at: entry.keyStart) }
        let address = try parsed(field.value, "\(what).address", scope) { (text) throws(GrammarError) in
            try DialAddress(text)
        }
        switch (fields["user"], fields["password"]) {
        case (nil, nil): return Proxy(address: address)
        case (_?, nil): throw scope.missing("password", in: what, at: entry.keyStart)
        case (nil, _?): throw scope.missing("user", in: what, at: entry.keyStart)
        case (let user?, let password?):
            let name = try scope.text(user.value, "\(what).user")
            let isName =
                (1...255).contains(name.utf8.count)
                && name.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F && $0 != UInt8(ascii: ":") }
            guard isName else {
                throw scope.error(
                    .badName, at: user.value.start,
                    "expected 1 to 255 bytes without colons and control characters as \(what).user",
                    nextStep: "correct it")
            }
            guard case .mapping = password.value.content else {
                throw scope.error(
                    .wrongType, at: password.value.start,
                    "\(what).password must not stand in the manifest",
                    nextStep: "say where it is: password: { file: /run/secrets/proxy }")
            }
            let origin = try reference(password.value, "\(what).password", scope)
            return Proxy(address: address, user: Proxy.User(name: name, password: origin))
        }
    }

    private static func parsed<Value>(
        _ node: YAMLNode, _ what: String, _ scope: ManifestScope, _ parse: (String) throws(GrammarError) -> Value
    ) throws(ManifestError) -> Value {
        let text = try scope.text(node, what)
        do throws(GrammarError) {
            return try parse(text)
        } catch {
            throw scope.error(
                .badAddress, at: node.start, "\(what): \(error)", nextStep: "correct it; spec/grants.md has the grammar"
            )
        }
    }
}
