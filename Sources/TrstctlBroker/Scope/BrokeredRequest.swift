import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

/// A brokered call whose fields follow the grammar and the bounds of broker.proto.
enum BrokeredRequest: Sendable {
    case readFile(AbsolutePath, limit: Int)
    case stat(AbsolutePath, compareTo: [Wire.Segment])
    case writeFile(AbsolutePath, Wire.WriteFileRequest)
    case removeFile(AbsolutePath)
    case exec(Wire.ExecRequest, milliseconds: Int64, outputLimit: Int)
    case request(HTTPCall)
    case send(SendCall)
    case probeTLS(DialAddress, serverName: String, startTLS: StartTLS?, milliseconds: Int64)

    /// The most bytes that one call moves.
    static let contentLimit = 3 << 20
    /// The most bytes of a command's standard input.
    static let inputLimit = 1 << 20

    /// What has to be authorised.
    var operation: Operation {
        switch self {
        case .readFile(let path, _): .readFile(path)
        case .stat(let path, _): .stat(path)
        case .writeFile(let path, _): .writeFile(path)
        case .removeFile(let path): .removeFile(path)
        case .exec(let request, _, _): .exec(argv: request.arguments)
        case .request(let call): call.operation
        case .send(let call): call.operation
        case .probeTLS(let address, _, _, _): .dial(address)
        }
    }

    /// Whether it may change something.
    var isMutation: Bool {
        switch self {
        case .writeFile, .removeFile, .exec, .send: true
        case .request(let call): !call.method.isSafe
        case .readFile, .stat, .probeTLS: false
        }
    }

    /// What the audit calls the object.
    var object: String {
        if case .request(let call) = self { return call.shown }
        return operation.object
    }

    /// Checks a call.
    ///
    /// - Throws: `invalid` for a field that breaks its grammar or bound, `unimplemented` for what this host does not
    ///   perform.
    init(_ method: Wire.Call.Method?) throws(EffectError) {
        switch method {
        case .readFile(let request):
            let limit = try bounded(
                request.maxBytes, default: 1 << 20, atMost: UInt32(BrokeredRequest.contentLimit), "max_bytes")
            self = .readFile(try path(request.path), limit: Int(limit))
        case .stat(let request): self = .stat(try path(request.path), compareTo: request.compareTo)
        case .writeFile(let request): self = .writeFile(try path(request.path), try checked(request))
        case .removeFile(let request): self = .removeFile(try path(request.path))
        case .exec(let request):
            do throws(GrammarError) {
                _ = try ExecGrant(argv: request.arguments)
            } catch {
                throw EffectError(.invalid, object: error.found, "arguments: \(error)")
            }
            let time = try bounded(
                request.timeoutMilliseconds, default: 30_000, atMost: 600_000, "timeout_milliseconds")
            let output = try bounded(request.maxOutputBytes, default: 16 << 10, atMost: 256 << 10, "max_output_bytes")
            self = .exec(request, milliseconds: Int64(time), outputLimit: Int(output))
        case .probeTls(let request): self = try BrokeredRequest.probe(request)
        case .request(let request): self = .request(try HTTPCall(request))
        case .send(let request): self = .send(try SendCall(request))
        default: throw unimplemented("a method of this number")
        }
    }

    private static func probe(_ request: Wire.ProbeTlsRequest) throws(EffectError) -> BrokeredRequest {
        let time = try bounded(request.timeoutMilliseconds, default: 5_000, atMost: 60_000, "timeout_milliseconds")
        if case .unrecognized(let number) = request.startTls {
            throw EffectError(.invalid, object: "start_tls", "start_tls is \(number), which this host does not know")
        }
        do throws(GrammarError) {
            return .probeTLS(
                try DialAddress(request.address), serverName: request.serverName, startTLS: StartTLS(request.startTls),
                milliseconds: Int64(time))
        } catch {
            throw EffectError(.invalid, object: error.found, "\(error)")
        }
    }
}

private func unimplemented(_ name: String) -> EffectError {
    EffectError(.unimplemented, object: name, "this host does not perform \(name)")
}

private func path(_ bytes: Bytes) throws(EffectError) -> AbsolutePath {
    do throws(GrammarError) {
        return try AbsolutePath(bytes)
    } catch {
        throw EffectError(.invalidPath, object: error.found, "path \(error)")
    }
}

/// The value, the default for 0, and `invalid` above the limit.
func bounded(
    _ value: UInt32, default normal: UInt32, atMost limit: UInt32, _ field: String
) throws(EffectError) -> UInt32 {
    guard value <= limit else {
        throw EffectError(.invalid, object: field, "\(field) is \(value), and at most \(limit) is allowed")
    }
    return value == 0 ? normal : value
}

private func checked(_ request: Wire.WriteFileRequest) throws(EffectError) -> Wire.WriteFileRequest {
    guard request.mode <= 0o777 else {
        throw EffectError(
            .invalid, object: "mode",
            "mode is 0\(String(request.mode, radix: 8)), and only permission bits up to 0777 are allowed")
    }
    // chown(2) takes the highest number as "leave it".
    if let owner = request.owner, owner.uid == .max || owner.gid == .max {
        throw EffectError(.invalid, object: "owner", "owner \(owner.uid):\(owner.gid) is not a user and a group")
    }
    return request
}
