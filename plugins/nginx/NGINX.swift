import TrstctlConnector

/// Puts a certificate and its key where NGINX reads them, and makes NGINX serve them.
///
/// The steps and their order follow what NGINX does (see nginx(8) and
/// <https://nginx.org/en/docs/http/configuring_https_servers.html>): `nginx -t` loads certificate and key and refuses
/// a pair that does not match; `-s reload` is asynchronous, the workers change later. So only the probe is proof.
struct NGINX: Connector {
    static let name = "nginx"
    static let version = "1.0.0"
    static let summary = "Deploys to NGINX: files, `nginx -t`, reload, and a probe until the new certificate is served."
    static let concurrency = 8

    static let configuration: [ConfigurationField] = [
        .path("certificate", help: "The file of `ssl_certificate`: leaf and chain."),
        .path("key", help: "The file of `ssl_certificate_key`."),
        .path("combined", help: "One file for both directives, instead of `certificate` and `key`."),
        .list("nginx", default: ["/usr/sbin/nginx"], help: "The NGINX command with its options, such as -c and -p."),
        .list("reload", help: "The command that reloads NGINX, when it is not the NGINX command with `-s reload`."),
        .text("certificate_mode", default: "0644", help: "Permissions of the certificate file, octal."),
        .text("key_mode", default: "0600", help: "Permissions of the key file or the combined file, octal."),
        .integer("probe_timeout_seconds", default: 10, help: "How long NGINX may take to serve it, 1 to 600."),
    ]

    static let capabilities = [
        CapabilityNeed(.readFiles, "compare the certificate file with the credential"),
        CapabilityNeed(.writeFiles, "put the certificate and the key in place"),
        CapabilityNeed(.dial, "see which certificate NGINX serves"),
        CapabilityNeed(.run, "test NGINX's configuration and reload it"),
    ]

    func grants(for target: Target) throws(ConnectorError) -> [Grant] {
        let site = try Site(target)
        var grants: [Grant] = []
        for file in site.files {
            // Files that hold the key are compared by the host, never read.
            if !file.holdsKey { grants.append(.read(file.path)) }
            grants.append(.write(file.path))
        }
        if let probe = site.probe { grants.append(.dial(probe.address)) }
        return grants + [.run(site.test), .run(site.reload)]
    }

    func rollback(for target: Target) throws(ConnectorError) -> [[String]] { [try Site(target).reload] }

    func read(_ deployment: Deployment, _ host: borrowing Host) throws(ConnectorError) -> LiveState {
        let site = try Site(deployment.target)
        let files = try FileState.of(site, deployment, host)
        let served = try ServedState.of(site, host)
        return LiveState(
            isPresent: files.allSatisfy { $0.status != nil },
            fingerprint: try files.liveFingerprint(deployment, host) ?? served.fingerprint,
            isInSync: files.allSatisfy(\.isInSync) && served.isInSync(with: deployment.fingerprint),
            facts: files.map { ($0.file.path, $0.fact) } + served.facts)
    }

    func deploy(_ deployment: Deployment, _ host: borrowing Host) throws(ConnectorError) -> DeployOutcome {
        let site = try Site(deployment.target)
        let files = try FileState.of(site, deployment, host)
        let outdated = files.filter { !$0.isInSync }
        if outdated.isEmpty, try ServedState.of(site, host).isInSync(with: deployment.fingerprint) {
            return .unchanged("NGINX has \(deployment.fingerprint) already")
        }
        let rollout = Rollout(site: site, deployment: deployment, written: outdated.map(\.file.path))
        try rollout.write(outdated, host)
        try rollout.test(host)
        try rollout.reload(host)
        try rollout.prove(host)
        let what = outdated.isEmpty ? "the files were right; reloaded" : "wrote \(outdated.count) files; reloaded"
        return .changed(site.probe == nil ? "\(what); not probed" : "\(what); \(deployment.fingerprint) is served")
    }
}
