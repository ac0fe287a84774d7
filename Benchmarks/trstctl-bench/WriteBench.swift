import Glibc
import TrstctlBroker
import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

/// Measures brokered writes as an apply makes them: decided, journaled, replaced durably.
struct WriteBench {
    /// An existing directory; files are left in it.
    var directory: String
    /// Bytes of the file.
    var size: Int
    /// How many writes are measured.
    var count: Int

    /// The median of replacing one file, with a deployment's share of its beginning and its end: two files make a
    /// deployment.
    func write() throws -> Int64 {
        let state = directory + "/journal"
        mkdir(state, 0o700)
        let number = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard number >= 0 else { throw BenchError("\(SystemError.last("open", state))") }
        let run = RunJournal(in: OwnedDescriptor(number), path: state)
        let grants = try GrantSet.parse(write: [directory + "/"])
        let content = [Wire.Segment(kind: .literal(Bytes([UInt8](repeating: 0x78, count: size))))]
        var times: [Int64] = []
        for _ in 0..<max(1, count / 2) {
            let begin = Deadline.now
            let header = DeploymentHeader(target: "bench", connector: "bench", digest: "", fingerprint: "")
            let scope = BrokerScope(
                rights: .mutating, grants: grants, deployment: DeploymentJournal(run, header))
            for name in ["key", "certificate"] {
                let request = Wire.WriteFileRequest(path: Bytes(directory + "/" + name), content: content)
                let reply = scope.perform(.writeFile(request))
                guard reply.status?.code == .ok else { throw BenchError(reply.status?.message ?? "no status") }
            }
            try scope.commit()
            _ = scope.close(commit: true)
            times.append((Deadline.now.nanoseconds - begin.nanoseconds) / 2)
        }
        if let failure = run.finish().failure { throw BenchError("\(failure)") }
        return times.sorted()[times.count / 2]
    }

    /// The most memory that a program had resident, in KiB.
    static func peak(_ command: [String]) throws -> Int64 {
        var arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var child: pid_t = 0
        var files = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&files)
        defer { posix_spawn_file_actions_destroy(&files) }
        posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0)
        let result = posix_spawn(&child, command[0], &files, nil, &arguments, environ)
        guard result == 0 else { throw BenchError("\(SystemError(stage: "spawn", object: command[0], errno: result))") }
        var usage = rusage()
        var status: Int32 = 0
        guard wait4(child, &status, 0, &usage) == child, status == 0 else { throw BenchError("\(command[0]) failed") }
        return Int64(usage.ru_maxrss)
    }
}
