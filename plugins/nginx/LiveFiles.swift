import TrstctlConnector

/// One of NGINX's files compared with what it must be.
struct FileState {
    var file: Site.File
    /// Nil when there is none.
    var status: FileStatus?

    /// Looks at all files of a site.
    static func of(
        _ site: Site, _ deployment: Deployment, _ host: borrowing Host
    ) throws(ConnectorError) -> [FileState] {
        var states: [FileState] = []
        for file in site.files {
            let status = try host.stat(file.path, comparedTo: file.content(deployment))
            states.append(FileState(file: file, status: status))
        }
        return states
    }

    /// Whether nothing needs to be written.
    var isInSync: Bool { status.map { $0.isContentEqual && $0.mode == file.mode } ?? false }

    /// For people.
    var fact: String {
        guard let status else { return "missing" }
        let mode = String(status.mode, radix: 8)
        let content = status.isContentEqual ? "as desired" : "different"
        return
            "\(content), mode 0\(mode)\(status.mode == file.mode ? "" : " instead of 0\(String(file.mode, radix: 8))")"
    }
}

extension [FileState] {
    /// The fingerprint in the files, as far as it can be told without reading a file that holds the key.
    func liveFingerprint(
        _ deployment: Deployment, _ host: borrowing Host
    ) throws(ConnectorError) -> Fingerprint? {
        guard let state = first(where: { $0.file.holdsCertificate }), let status = state.status else { return nil }
        if status.isContentEqual { return deployment.fingerprint }
        guard !state.file.holdsKey else { return nil }
        return try host.readFile(state.file.path).flatMap { Fingerprint.ofLeaf(inPEM: $0.bytes) }
    }
}

/// What NGINX serves.
struct ServedState {
    /// Nil without a probe, and when nobody answers.
    var fingerprint: Fingerprint?
    /// Why there is no answer.
    var problem: String?
    var hasProbe: Bool

    /// Asks once; the server has this many milliseconds.
    static func of(
        _ site: Site, _ host: borrowing Host, within milliseconds: Int = 5000
    ) throws(ConnectorError) -> ServedState {
        guard let probe = site.probe else { return ServedState(hasProbe: false) }
        do throws(ConnectorError) {
            let served = try host.probeTLS(probe, timeoutMilliseconds: milliseconds)
            return ServedState(fingerprint: served.fingerprint, hasProbe: true)
        } catch {
            guard error.code == .unavailable || error.code == .deadlineExceeded else { throw error }
            return ServedState(problem: error.message, hasProbe: true)
        }
    }

    /// Whether the probe shows the fingerprint, or there is none to ask.
    func isInSync(with desired: Fingerprint) -> Bool { !hasProbe || fingerprint == desired }

    var facts: [(name: String, value: String)] {
        hasProbe ? [("served", fingerprint?.hexadecimal ?? problem ?? "no certificate")] : []
    }
}
