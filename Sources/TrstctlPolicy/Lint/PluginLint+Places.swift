import TrstctlSystem

extension PluginLint {
    /// Writing where the system itself looks, or the host.
    mutating func checkPlaces() {
        for reach in reaches {
            let place = LintFinding.Place.rule(reach.capability, reach.index)
            for (_, known) in reach.rules.flatMap(SensitivePlaces.written.meeting) {
                add(known.code, reach.object, place, "\(reach.text): \(known.sentence)")
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
