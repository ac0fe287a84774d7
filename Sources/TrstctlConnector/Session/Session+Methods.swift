internal import TrstctlSystem
internal import TrstctlWire

/// What the host's calls do.
extension Session {
    static let protocolVersions: [UInt32] = [1]

    /// The reply to a call that needs no connector code: answered by whoever reads.
    ///
    /// The state lock is held.
    ///
    /// - Returns: nil for calls that are to be queued, and for Shutdown.
    func immediateReply(_ id: UInt32, _ call: Wire.Call) -> Wire.Reply? {
        switch call.method {
        case .hello(let request): return hello(request)
        case .ping(let request): return .ok(.ping(Wire.PingResponse(payload: request.payload)))
        case .shutdown: return nil
        case .configure, .read, .apply:
            guard hasCommonVersion else {
                return .failure(.failedPrecondition, "host and connector have no protocol version in common")
            }
            return nil
        case nil:
            return .failure(.unimplemented, "method \(call.unknownField) is not known to protocol version 1")
        case .some(let method):
            return .failure(.unimplemented, "method \(method.fieldNumber) is not offered by this connector")
        }
    }

    private func hello(_ request: Wire.HelloRequest) -> Wire.Reply {
        let type = type(of: connector)
        multiplexer.peerLimits = SessionLimits(request.limits)
        logLevel = request.logLevel
        let version = Session.protocolVersions.filter { request.protocolVersions.contains($0) }.max() ?? 0
        hasCommonVersion = version != 0
        let description = Wire.Description(
            name: type.name, summary: type.summary.cut(to: 512),
            config: type.configuration.map(\.message), capabilities: type.capabilities.map(\.message),
            needsKey: type.needsKey, concurrency: UInt32(concurrency))
        return .ok(
            .hello(
                Wire.HelloResponse(
                    protocolVersion: version, protocolVersions: Session.protocolVersions,
                    connector: Wire.Implementation(
                        name: "trstctl-connector-\(type.name)", version: type.version.cut(to: 128)),
                    limits: SessionLimits().message, description: description)))
    }

    /// Runs a queued call, on the thread of its worker.
    func perform(_ queued: QueuedCall, _ worker: Worker) -> Wire.Reply {
        do throws(ConnectorError) {
            switch queued.call.method {
            case .configure(let request): return .ok(.configure(try configure(request)))
            case .read(let request):
                let deployment = try deployment(request.deployment)
                let host = Host(session: self, worker: worker, call: queued.running, isRecording: false)
                return .ok(.read(try connector.read(deployment, host).message))
            case .apply(let request):
                let deployment = try deployment(request.deployment)
                let host = Host(session: self, worker: worker, call: queued.running, isRecording: request.recording)
                return .ok(.apply(try connector.deploy(deployment, host).message))
            default: return .failure(.unimplemented, "not offered")
            }
        } catch {
            return Wire.Reply(status: error.status)
        }
    }

    private func configure(_ request: Wire.ConfigureRequest) throws(ConnectorError) -> Wire.ConfigureResponse {
        let target = try Target(request, schema: type(of: connector).configuration)
        let grants = try connector.grants(for: target)
        let rollback = try connector.rollback(for: target)
        state.lock()
        targets[target.name] = target
        state.unlock()
        return Wire.ConfigureResponse(
            grants: grants.map(\.message),
            rollback: rollback.map { Wire.Activation(arguments: $0.map { Bytes($0) }) })
    }

    private func deployment(_ message: Wire.Deployment?) throws(ConnectorError) -> Deployment {
        guard let message else { throw ConnectorError(.invalidArgument, "the call carries no deployment") }
        state.lock()
        let target = targets[message.target]
        state.unlock()
        guard let target else {
            throw ConnectorError(.failedPrecondition, "the target `\(message.target.cut(to: 256))` is not configured")
        }
        return try Deployment(message, target: target)
    }
}

extension Wire.Reply {
    static func ok(_ result: Result) -> Wire.Reply { Wire.Reply(status: Wire.Status(), result: result) }

    static func failure(_ code: Wire.Status.Code, _ message: String) -> Wire.Reply {
        Wire.Reply(status: Wire.Status(code: code, message: message))
    }
}
