import TrstctlSystem
import TrstctlWire

/// A machine in memory that answers brokered calls as the host's broker would: files, commands, a TLS server.
final class FakeMachine {
    struct File: Equatable {
        var content: String
        var mode: UInt32
    }

    var files: [String: File] = [:]
    var secrets = ["key": "KEY\n"]
    /// The fingerprint that is served; nil when nobody answers.
    var served: String?
    /// What a command prints on stderr, and its exit status; it may change the machine.
    var run: (FakeMachine, [String]) -> (status: Int32, stderr: String) = { _, _ in (0, "") }
    /// Called before each probe.
    var beforeProbe: (FakeMachine) -> Void = { _ in }
    /// Methods that are denied, by field number.
    var denied: Set<UInt32> = []
    /// What was done, in order; reads are not in it.
    private(set) var effects: [String] = []
    private(set) var reads: [String] = []
    /// How long each probe was allowed to take, in milliseconds.
    private(set) var probeTimeouts: [UInt32] = []
    private(set) var log: [String] = []
    private var undo: [String: File?] = [:]

    /// Makes a call and answers what the connector asks for until the reply comes.
    func call(_ method: Wire.Call.Method, through host: RawHost) throws -> Wire.Reply {
        undo = [:]
        effects = []
        reads = []
        let id = try host.start(method)
        var isRecording = false
        if case .apply(let request) = method { isRecording = request.recording }
        while true {
            let frame = try host.receive()
            switch frame.kind {
            case .reply(let reply) where frame.id == id: return reply
            case .call(let call):
                guard call.scopeCall == id, call.scopeToken == "0123456789abcdef" else {
                    throw RawHost.Failure.unexpected("scope")
                }
                let reply = Wire.Frame(id: frame.id, kind: .reply(answer(call.method, isRecording)))
                try host.send(reply)
            default: throw RawHost.Failure.unexpected("\(frame)")
            }
        }
    }

    private func answer(_ method: Wire.Call.Method?, _ planned: Bool) -> Wire.Reply {
        if let method, denied.contains(method.fieldNumber) {
            return Wire.Reply(
                status: Wire.Status(code: .permissionDenied, message: "no grant covers it", fix: "add the grant"))
        }
        switch method {
        case .log(let request):
            log.append(request.message)
            return ok(.log(Wire.LogResponse()))
        case .progress: return ok(.progress(Wire.ProgressResponse()))
        case .readFile(let request):
            let path = request.path.text ?? ""
            reads.append(path)
            guard let file = files[path] else { return Wire.Reply(status: Wire.Status(code: .notFound)) }
            return ok(
                .readFile(Wire.ReadFileResponse(content: Bytes(file.content), info: Wire.FileInfo(mode: file.mode))))
        case .stat(let request):
            guard let file = files[request.path.text ?? ""] else {
                return Wire.Reply(status: Wire.Status(code: .notFound))
            }
            let equal = !request.compareTo.isEmpty && content(request.compareTo) == file.content
            return ok(.stat(Wire.StatResponse(info: Wire.FileInfo(mode: file.mode), contentEqual: equal)))
        case .writeFile(let request):
            let path = request.path.text ?? ""
            effects.append("write \(path)")
            let before = files[path]
            if !planned {
                if undo[path] == nil { undo[path] = .some(before) }
                let mode = request.mode == 0 ? before?.mode ?? 0o600 : request.mode
                files[path] = File(content: content(request.content), mode: mode)
            }
            return ok(.writeFile(Wire.WriteFileResponse(replaced: before != nil, planned: planned)))
        case .removeFile(let request):
            let path = request.path.text ?? ""
            effects.append("remove \(path)")
            guard files.removeValue(forKey: path) != nil else {
                return Wire.Reply(status: Wire.Status(code: .notFound))
            }
            return ok(.removeFile(Wire.RemoveFileResponse(planned: planned)))
        case .revert(let request):
            let paths = request.paths.map { $0.text ?? "" }
            effects.append("revert \(paths.joined(separator: " "))")
            for path in paths { if let before = undo.removeValue(forKey: path) { files[path] = before } }
            return ok(.revert(Wire.RevertResponse(reverted: UInt32(paths.count))))
        case .exec(let request):
            let command = request.arguments.map { $0.text ?? "" }
            effects.append("run \(command.joined(separator: " "))")
            if planned { return ok(.exec(Wire.ExecResponse(outcome: .exited, planned: true))) }
            let result = run(self, command)
            return ok(.exec(Wire.ExecResponse(outcome: .exited, status: result.status, stderr: Bytes(result.stderr))))
        case .probeTls(let request):
            probeTimeouts.append(request.timeoutMilliseconds)
            beforeProbe(self)
            guard let served else {
                return Wire.Reply(status: Wire.Status(code: .unavailable, message: "connection refused"))
            }
            let leaf = Wire.ServedCertificate(fingerprint: served)
            return ok(.probeTls(Wire.ProbeTlsResponse(certificates: [leaf], protocol: "TLSv1.3")))
        default: return Wire.Reply(status: Wire.Status(code: .unimplemented))
        }
    }

    private func ok(_ result: Wire.Reply.Result) -> Wire.Reply {
        Wire.Reply(status: Wire.Status(), result: result)
    }

    private func content(_ segments: [Wire.Segment]) -> String {
        segments.map { segment in
            switch segment.kind {
            case .literal(let bytes): bytes.text ?? ""
            case .secret(let reference): secrets[reference.name] ?? "?"
            case nil: ""
            }
        }.joined()
    }
}
