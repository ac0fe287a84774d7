import TrstctlConnector

/// Brings one deployment to NGINX; every step that fails puts the files back first.
struct Rollout {
    /// How often the probe asks, in milliseconds.
    static let probeInterval = 100

    var site: Site
    var deployment: Deployment
    /// The files that this rollout writes.
    var written: [String]

    func write(_ files: [FileState], _ host: borrowing Host) throws(ConnectorError) {
        for state in files {
            do throws(ConnectorError) {
                try host.writeFile(state.file.path, state.file.content(deployment), mode: state.file.mode)
            } catch {
                throw restored(error, host)
            }
        }
    }

    /// Lets NGINX load the new pair without using it.
    func test(_ host: borrowing Host) throws(ConnectorError) {
        let result = try run(site.test, host)
        guard !result.isSuccess else { return }
        let complaint = NGINXOutput.complaint(in: result.output) ?? result.description
        var error = ConnectorError.failedPrecondition(
            "`\(site.test.joined(separator: " "))` refuses the configuration: \(complaint)", detail: result.output)
        guard !written.isEmpty else { throw error }
        error = restored(error, host)
        // Tells an operator whether it was the certificate, or whether the configuration was broken before.
        if let again = try? host.run(site.test), !again.isSuccess {
            error.message += " Its configuration is also refused with the old files."
            error.detail += "\nwith the old files: \(again.output)"
        }
        throw error
    }

    func reload(_ host: borrowing Host) throws(ConnectorError) {
        let result = try run(site.reload, host)
        guard !result.isSuccess else { return }
        let command = site.reload.joined(separator: " ")
        var error = ConnectorError.failedPrecondition(
            "`\(command)` failed: \(NGINXOutput.complaint(in: result.output) ?? result.description)",
            detail: result.output)
        if NGINXOutput.saysNotRunning(result.output) {
            error = .unavailable(
                "NGINX is not running, so it cannot be reloaded.", detail: result.output,
                fix: "start NGINX, then apply again")
        }
        throw restored(error, host)
    }

    /// Waits until NGINX serves the certificate: a reload ends before the workers have changed.
    func prove(_ host: borrowing Host) throws(ConnectorError) {
        guard site.probe != nil else { return }
        // A server that answers nothing takes the time of each probe.
        let end = host.clock + site.probeTimeoutMilliseconds
        var served = try observe(host, until: end)
        while !served.isInSync(with: deployment.fingerprint) {
            if host.isRecording { return }
            guard host.clock < end else { throw notServed(served, host) }
            try host.sleep(milliseconds: Rollout.probeInterval)
            served = try observe(host, until: end)
        }
    }

    private func observe(_ host: borrowing Host, until end: Int) throws(ConnectorError) -> ServedState {
        do throws(ConnectorError) {
            return try ServedState.of(site, host, within: min(max(end - host.clock, 1), 5000))
        } catch {
            throw restoredAndReloaded(error, host)
        }
    }

    private func notServed(_ served: ServedState, _ host: borrowing Host) -> ConnectorError {
        let seconds = site.probeTimeoutMilliseconds / 1000
        let address = site.probe?.address ?? ""
        let fix = "check that the server block of \(address) names \(site.files.map(\.path).joined(separator: " and "))"
        guard let fingerprint = served.fingerprint else {
            return restoredAndReloaded(
                .unavailable(
                    "\(address) shows no certificate \(seconds) s after the reload.",
                    detail: served.problem ?? "", fix: fix), host)
        }
        return restoredAndReloaded(
            .failedPrecondition(
                "\(address) still serves \(fingerprint) \(seconds) s after the reload, not \(deployment.fingerprint).",
                fix: fix), host)
    }

    private func run(_ command: [String], _ host: borrowing Host) throws(ConnectorError) -> CommandResult {
        do throws(ConnectorError) {
            return try host.run(command)
        } catch {
            throw restored(error, host)
        }
    }

    /// The error, after the files were put back; it says whether they were.
    private func restored(_ error: ConnectorError, _ host: borrowing Host) -> ConnectorError {
        guard !written.isEmpty, error.code != .cancelled else { return error }
        var result = error
        // The host's messages are clauses, the connector's are sentences.
        let ending = result.message.hasSuffix(".") ? "" : "."
        do throws(ConnectorError) {
            try host.revert(paths: written)
            result.message += "\(ending) The files are as they were."
        } catch {
            result.message += "\(ending) The files could not be put back: \(error.message)"
        }
        return result
    }

    /// The error, after NGINX has gone back to the old files.
    private func restoredAndReloaded(_ error: ConnectorError, _ host: borrowing Host) -> ConnectorError {
        guard !written.isEmpty, error.code != .cancelled else { return error }
        var result = restored(error, host)
        do throws(ConnectorError) {
            let reload = try host.run(site.reload)
            result.message +=
                reload.isSuccess ? " NGINX was reloaded with them." : " NGINX could not be reloaded again."
            if !reload.isSuccess { result.detail += "\n\(reload.output)" }
        } catch {
            result.message += " NGINX could not be reloaded again: \(error.message)"
        }
        return result
    }
}
