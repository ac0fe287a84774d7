import TrstctlSystem

extension PathGrant {
    /// The directories of authorities that OpenSSL is built with: of Debian and SUSE, of Fedora.
    private static let authorities = ["/etc/ssl/certs", "/etc/pki/tls/certs"].compactMap {
        try? AbsolutePath(Bytes($0))
    }

    /// Whether it is the name by which OpenSSL finds an authority, or its revocations: the hash of its subject, `.` or `.r`,
    /// and a number (openssl-rehash(1)).
    fileprivate var isHashedAuthority: Bool {
        guard extent == .file, let parent = path.parent, let leaf = path.leaf?.array,
            PathGrant.authorities.contains(parent), leaf.count > 9, leaf[8] == UInt8(ascii: ".")
        else { return false }
        let number = leaf[9] == UInt8(ascii: "r") ? leaf[10...] : leaf[9...]
        return leaf[..<8].allSatisfy(\.isASCIILowerHexadecimal) && !number.isEmpty
            && number.allSatisfy(\.isASCIIDigit)
    }
}

extension PluginLint {
    /// Writing where the system itself looks, or the host.
    mutating func checkPlaces() {
        for reach in reaches {
            let place = LintFinding.Place.rule(reach.capability, reach.index)
            for (_, known) in reach.rules.flatMap(SensitivePlaces.written.meeting) {
                add(known.code, reach.object, place, "\(reach.text): \(known.sentence)")
            }
            if reach.rules.contains(where: \.isHashedAuthority) {
                add(
                    .writesTrust, reach.object, place,
                    "\(reach.text): by a name of this form programs find a certificate authority, and take it for genuine"
                )
            }
            let state = context.stateDirectory.flatMap { PathGrant(below: $0) }?.withoutKnownLinks
            if let state, reach.rules.contains(where: state.meets) {
                add(
                    .writesState, reach.object, place,
                    "\(reach.text): the host keeps there what it puts back after a failure, and its audit log")
            }
            let isBeside = reach.rules.contains { rule in
                rule.extent == .file && rule.path.parent == context.directory && !context.manifest.contains(rule.path)
            }
            if isBeside {
                add(
                    .writesManifestDirectory, reach.object, place,
                    "\(reach.text): the file lies beside the manifest; keep what connectors write elsewhere")
            }
        }
    }

    /// Sockets whose other end obeys like root.
    mutating func checkSockets() {
        for (index, rule) in plugin.grants.dial.enumerated() {
            guard case .socket(let path) = rule.peer, let file = PathGrant(file: path),
                file.spellings(context, followingLeaf: true).contains(where: { file in
                    SensitivePlaces.sockets.contains { $0.covers(file) }
                })
            else { continue }
            add(
                .controlsHost, path.bytes, .rule(.netDial, index),
                "net.dial \(rule): whoever may talk to this socket controls the whole machine")
        }
    }
}
